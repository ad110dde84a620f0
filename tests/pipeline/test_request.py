"""Requests: recipe and graph checked as a whole."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mlrecipe.errors import RecipeError, RequestError
from mlrecipe.pipeline import stages
from mlrecipe.pipeline.lockfile import Pin

OPS = """
import mlrecipe


@mlrecipe.op("use-all")
def use_all(*, data: mlrecipe.DatasetSource, tokenizer: mlrecipe.TokenizerSource,
            files: list[mlrecipe.File] = []):
    return 1


@mlrecipe.model("mine")
class Mine:
    def __init__(self, *, checkpoint: mlrecipe.ModelSource, revision: str | None = None): ...


@mlrecipe.task("chore")
class Chore:
    def __init__(self, *, words: mlrecipe.File | None = None): ...
"""


@pytest.fixture(autouse=True)
def ops(work):
    work.write("ops.py", OPS)
    work.write(
        "recipe.toml",
        """
        name = "x"
        plugins = ["ops.py"]
        [nodes.a]
        use = "use-all"
        data = "stanfordnlp/imdb"
        tokenizer = "bert-base-uncased"
        files = ["one.txt", "two.txt"]
        [model]
        use = "mine"
        checkpoint = "bert-base-uncased"
        [task]
        use = "chore"
        words = "one.txt"
    """,
    )
    work.write("one.txt", "")
    work.write("two.txt", "")


def test_the_ids_of_the_hub_are_known(work):
    """All that may ever be asked of it; files are none."""
    assert work.request().hub_ids == ["bert-base-uncased", "stanfordnlp/imdb"]


def test_paths_of_components_are_absolute(work):
    """As those of ops are."""
    request = work.request()

    assert request.parameters("task", request.loaded.recipe.task) == {
        "words": str(work.folder / "one.txt")
    }


def test_all_missing_files_are_reported_together(work):
    """Of nodes, model and task, sorted by line."""
    (work.folder / "one.txt").unlink()

    found = work.problems("model.checkpoint=./gone")

    assert [text.split("  ")[0] for text in found] == [
        "--set #1", "recipe.toml:7:1", "recipe.toml:13:1",
    ]  # fmt: skip
    assert "no such file: 'one.txt'" in found[1]


def test_a_checkpoint_without_a_tokenizer_is_a_problem(work):
    """Before anything is run or loaded."""
    work.write("bare/config.json", "{}")

    [problem] = work.problems("nodes.a.tokenizer=bare")

    assert "the folder 'bare' has no tokenizer" in problem


def test_a_request_is_known_by_its_path_in_the_project(work):
    """Relative, so that a copy of the project has the same."""
    assert work.request().name == "recipe.toml"


def test_the_subject_of_an_error_is_the_recipe(work):
    """As the user knows it."""
    with pytest.raises(RecipeError) as caught:
        work.request("nmae=x")

    assert (caught.value.subject, caught.value.exit_code) == ("recipe.toml", 2)


def test_a_missing_recipe_is_a_request_error(work):
    """Not a traceback."""
    with pytest.raises(RequestError, match=r"no such recipe: 'gone\.toml'"):
        work.request(recipe="gone.toml")


def pin(revision, commit):
    made = Pin(
        kind="model", id="bert-base-uncased", revision=revision, commit=commit, date="2026-01-02"
    )
    return {made.asked: made}


def test_store_16_a_training_goes_by_the_commit_of_its_checkpoint(work):
    """Not by what the branch is called, and not by where the commit is from."""
    work.edit("recipe.toml", "[task]", '[train]\ndata = "a"\n[task]')
    named = work.request("model.revision=v1")

    def fingerprint(request):
        return stages.train_fingerprint(request, {"a": SimpleNamespace(digest="0")})

    first = named.pinned(pin("v1", "1" * 40))
    assert first.parameters("model", first.loaded.recipe.model) == {
        "checkpoint": "bert-base-uncased", "revision": "1" * 40,
    }  # fmt: skip
    assert fingerprint(first) != fingerprint(named)
    assert fingerprint(first) != fingerprint(named.pinned(pin("v1", "2" * 40)))
    assert fingerprint(first) == fingerprint(work.request().pinned(pin("main", "1" * 40)))
    assert fingerprint(first) == fingerprint(work.request(f"model.revision={'1' * 40}"))
