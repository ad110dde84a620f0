"""The documentation is current, and what it shows works."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mlrecipe.cli.app import COMMANDS, run
from mlrecipe.recipe.load import load
from mlrecipe.recipe.schema import Overrides
from mlrecipe.scaffold.project import create

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_reference_is_current() -> None:
    """The generated pages are what the code would generate now."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs/make_reference.py"), "--check"],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip

    assert done.returncode == 0, done.stderr


def test_every_link_leads_somewhere() -> None:
    """Relative links between the pages name files that are there."""
    done = subprocess.run(
        [sys.executable, "tests/tools/check_links.py", "README.md", "CHANGELOG.md", "docs"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme(name: str) -> None:
    """The README's table names every command."""
    assert re.search(rf"`{name}`", (ROOT / "README.md").read_text())


def test_the_recipe_in_the_readme_is_one(tmp_path: Path) -> None:
    """What the README shows as a recipe has no problems of its own."""
    (found,) = re.findall(r"```toml\n(name = .*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    path = tmp_path / "imdb.toml"
    path.write_text(found)

    assert [str(problem) for problem in load(path).problems] == []


def _recipes() -> list[tuple[str, str]]:
    """Page and text of every TOML block in the how-to pages with a recipe's stages, and no files beside."""
    return [
        (page.name, text)
        for page in sorted((ROOT / "docs/how-to").glob("*.md"))
        for text in re.findall(r"```toml\n(.*?)```", page.read_text(), re.DOTALL)
        if {"[model]", "[task]", "[train]"} <= set(text.splitlines()) and "plugins" not in text
    ]


@pytest.mark.parametrize(("page", "text"), _recipes())
def test_the_recipes_on_the_pages_are_ones(tmp_path: Path, page: str, text: str) -> None:
    """A block with model, task and train is a whole recipe, without problems of its own."""
    path = tmp_path / "recipe.toml"
    path.write_text(text)

    assert [str(problem) for problem in load(path).problems] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_commands_on_the_pages_exist(page: Path) -> None:
    """Every `mlrecipe …` line in a code block begins with a command that there is."""
    blocks = re.findall(r"```\n(.*?)```", page.read_text(), re.DOTALL)
    used = re.findall(r"^(?:\$ )?mlrecipe ([a-z]+)", "\n".join(blocks), re.MULTILINE)

    assert set(used) <= set(COMMANDS)


def _files(page: str, folder: Path) -> list[Path]:
    """The files that a page shows, in blocks that begin with a comment of their path."""
    blocks = re.findall(
        r"```(?:toml|python)\n# (\S+)\n(.*?)```", (ROOT / page).read_text(), re.DOTALL
    )
    for name, text in blocks:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return [folder / name for name, _ in blocks]


@pytest.mark.parametrize(
    ("recipe", "picks", "sets", "expected"),
    [
        ("vision.toml", ("data=mnist",), ("train.batch_size=512", "model.name=alexnet"),
         {"train": {"batch_size": 512}, "model": {"name": "alexnet"},
          "nodes": {"images": {"dataset": "MNIST", "channels": 3}}}),
        ("vision.toml", (), (), {"nodes": {"images": {"dataset": "CIFAR10"}}}),
        ("imdb.toml", (), (), {"seed": 2022, "train": {"optimizer": {"lr": 1e-5}}, "nodes":
         {"tokens": {"tokenizer": "distilbert-base-uncased"}}}),
    ],
)  # fmt: skip
def test_the_recipes_of_the_comparison_resolve(
    tmp_path: Path, recipe: str, picks: tuple[str, ...], sets: tuple[str, ...], expected: dict
) -> None:
    """Those that stand beside hydra-zen's and runway's examples."""
    (tmp_path / ".mlrecipe").mkdir()
    _files("docs/explanation/composition.md", tmp_path)
    overrides = Overrides(picks=picks, sets=sets)

    loading = load(tmp_path / recipe, overrides, here=tmp_path)

    assert [str(problem) for problem in loading.problems] == []
    assert _holds(loading.tree.values, expected)


def _holds(values: object, expected: object) -> bool:
    if isinstance(expected, dict) and isinstance(values, dict):
        return all(key in values and _holds(values[key], expected[key]) for key in expected)
    return values == expected


def test_the_recipes_of_the_tutorial_on_names_are_ones(tmp_path: Path) -> None:
    """The second extends the first, under the name that the page gives it."""
    page = (ROOT / "docs/tutorials/named-entities.md").read_text()
    for text, name in zip(
        re.findall(r"```toml\n(.*?)```", page, re.DOTALL),
        ("names.toml", "encoder.toml"),
        strict=True,
    ):
        assert f"`{name}`" in page
        (tmp_path / name).write_text(text)
        assert [str(problem) for problem in load(tmp_path / name).problems] == []


def test_the_changes_of_the_tutorial_on_evaluation_fit_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its new node, and then both lines that it changes: the demo's recipe passes `check`."""
    create(tmp_path)
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs/tutorials/evaluate.md").read_text()
    node, changes = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    recipe = tmp_path / "demo.toml"
    recipe.write_text(f"{recipe.read_text()}\n{node}")

    assert run(["check", "demo.toml"]) == 0

    for line in re.findall(r"^\w.*", changes, re.MULTILINE):
        old = re.search(rf"^{line.partition(' ')[0]} = .*", recipe.read_text(), re.MULTILINE)
        assert old is not None
        recipe.write_text(recipe.read_text().replace(old[0], line))
    assert run(["check", "demo.toml"]) == 0


def test_the_page_on_reports_names_all_texts_that_one_holds() -> None:
    """Those of mistakes, and rows of evaluation nodes."""
    from mlrecipe.report import mistaken, nodes

    page = " ".join((ROOT / "docs/how-to/report.md").read_text().split())
    assert f"up to {mistaken.WORST + mistaken.CONFIDENT} of them for each split" in page
    assert nodes.ROWS == 10
    assert "first ten rows of each evaluation node" in page


def test_the_recipes_say_what_they_reached() -> None:
    """Each row is a recipe with its command."""
    text = (ROOT / "recipes/README.md").read_text()
    part = text.partition("## What they reached")[2].partition("\n## ")[0]

    assert re.search(r"^\| [\w-]+ \| `mlrecipe run ", part, re.MULTILINE)


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.toml")), ids=lambda p: p.stem)
def test_every_recipe_takes_another_encoder(path: Path) -> None:
    """By CHECKPOINT, as recipes/README.md says."""
    assert "${env:CHECKPOINT" in path.read_text()


def test_the_page_on_the_hub_names_all_commands_that_ask_it() -> None:
    """Those whose module pins ids of the hub."""
    page = " ".join((ROOT / "docs/how-to/hub.md").read_text().split())
    first = page.partition("asks which commit each id is")[0].rpartition("The first")[2]
    called = {"remote": ["cache pull"], "train": ["train", "run"]}
    for path in sorted((ROOT / "mlrecipe/cli").glob("*.py")):
        if "session.pin(" in path.read_text():
            for name in called.get(path.stem, [path.stem]):
                assert f"`{name}`" in first


def test_the_page_on_parallel_work_names_every_op_that_takes_shards() -> None:
    """Those that say `rowwise=True`."""
    page = " ".join((ROOT / "docs/how-to/parallel.md").read_text().split())
    part = page.partition("It works with ops")[2].partition("and your own")[0]
    for path in (ROOT / "mlrecipe/builtin/ops").glob("*.py"):
        for name in re.findall(r'@mlrecipe\.op\("([\w-]+)"[^\n]*rowwise=True', path.read_text()):
            assert f"`{name}`" in part


def test_the_page_on_metrics_names_all_that_should_fall() -> None:
    """As `mode = "auto"` has it."""
    from mlrecipe.training.checks import _LESS

    page = (ROOT / "docs/how-to/metrics.md").read_text()
    line = page.partition("- Losses, errors")[2].partition("\n- ")[0].partition("\n\n")[0]
    assert all(f"`{name}`" in line for name in _LESS)
