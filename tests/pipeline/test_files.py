"""Files that change while a recipe is worked on."""

from __future__ import annotations

import os

import pytest

from mlrecipe import plugins
from mlrecipe.errors import OpError
from mlrecipe.pipeline.execute import execute

RECIPE = """
name = "x"
plugins = ["ops.py"]
[nodes.a]
use = "meddle"
path = "data"
"""
OP = """

@mlrecipe.op("meddle")
def meddle(*, path: mlrecipe.File):
    folder, flag = Path(path), Path(__file__).with_name("meddled")
    if not flag.exists():
        flag.write_text("")
        {code}
    return sorted(p.name for p in folder.rglob("*"))
"""


@pytest.fixture
def work(work):
    """A project with a folder of data."""
    work.write("data/one.txt", "1")
    work.write("data/two.txt", "2")
    work.write("recipe.toml", RECIPE)
    return work


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ('(folder / "three.txt").write_text("3")', "three.txt"),
        ('(folder / "one.txt").unlink()', "one.txt"),
        ('(folder / "one.txt").rename(folder / "uno.txt")', "one.txt"),
        ('(folder / "one.txt").write_text("3")', "one.txt"),
        ('(folder / "more").mkdir()', "more/"),
    ],
    ids=["added", "removed", "renamed", "edited", "empty folder"],
)
def test_store_15_a_folder_that_changes_while_the_op_runs_is_not_recorded(work, code, name):
    """The op may have seen it before or after; the next run sees what is there."""
    with (work.folder / "ops.py").open("a") as file:
        file.write(OP.format(code=code))

    with pytest.raises(OpError, match=f"{name}' changed while it was read; nothing was recorded"):
        work.prepare().raise_failures()

    assert work.statuses() == {"a": "run"}
    assert work.prepare().ran == ["a"]
    assert work.statuses() == {"a": "hit"}


def test_store_15_a_file_that_changes_before_the_op_runs_is_not_recorded(work):
    """The fingerprint was taken over what it was: other nodes may run for hours in between."""
    with (work.folder / "ops.py").open("a") as file:
        file.write(OP.format(code="pass"))
    request, store, planned = work.request(), work.store, work.plan()
    plugins.load(request.catalog.plugins, project=work.folder)

    work.write("data/one.txt", "x")
    results = execute(planned, request, store)

    assert "'one.txt' of 'path' changed since the work was planned" in str(results.failures["a"])
    assert work.statuses() == {"a": "run"}
    assert work.prepare().ran == ["a"]


def test_store_13_a_touch_between_plan_and_op_is_no_change(work):
    """The content is what counts."""
    with (work.folder / "ops.py").open("a") as file:
        file.write(OP.format(code="pass"))
    request, store, planned = work.request(), work.store, work.plan()
    plugins.load(request.catalog.plugins, project=work.folder)

    os.utime(work.folder / "data" / "one.txt")

    assert execute(planned, request, store).ran == ["a"]


def test_store_14_an_edit_right_after_the_hash_is_seen(work):
    """Same size, old time set back, within the two seconds in which a stamp proves nothing."""
    with (work.folder / "ops.py").open("a") as file:
        file.write(OP.format(code="pass"))
    path = work.folder / "data" / "one.txt"
    work.prepare()
    assert work.statuses() == {"a": "hit"}
    info = path.stat()

    path.write_text("9")
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))

    assert work.statuses() == {"a": "run"}
    assert work.reasons("a") == ["file one.txt changed"]


@pytest.mark.heavy
def test_store_17_a_tokenizer_that_was_used_has_the_same_fingerprint(work):
    """Calling one changes the padding and truncation that it carries; only its files are hashed."""
    from transformers import AutoTokenizer

    from tests.training.tiny import write_tokenizer

    write_tokenizer(work.folder / "words")
    work.write("rows.csv", "text\ngood great\n")
    work.write(
        "recipe.toml",
        """
        name = "x"
        [nodes.rows]
        use = "load-files"
        train = "rows.csv"
        [nodes.tokens]
        use = "tokenize"
        inputs = "rows"
        tokenizer = "words"
        """,
    )
    work.prepare().raise_failures()
    before = work.plan().by_node["tokens"].own

    tokenizer = AutoTokenizer.from_pretrained(work.folder / "words")
    live = tokenizer.backend_tokenizer.to_str()
    tokenizer(["good", "great fine"], truncation=True, max_length=2, padding="max_length")

    assert tokenizer.backend_tokenizer.to_str() != live
    assert work.plan().by_node["tokens"].own == before
    assert set(work.statuses().values()) == {"hit"}
