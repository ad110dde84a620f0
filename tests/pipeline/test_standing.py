"""What `plan`, `inspect` and `graph` say of results that cannot be used, and of shards that are done."""

from __future__ import annotations

import shutil

import pytest

from mlrecipe.errors import MlrecipeError
from mlrecipe.pipeline.standing import told
from mlrecipe.store import records
from mlrecipe.store.verify import verify
from tests.projects import Done, Work

OP = '''

@mlrecipe.op("choosy", rowwise=True)
def choosy(values, *, wrong: int = -1):
    """Each value, unless one of them is wrong."""
    if wrong in values and not Path(__file__).with_name("heal").exists():
        raise ValueError("wrong")
    return list(values)
'''


@pytest.fixture
def big(work: Work) -> Work:
    """The project with outputs that are objects, and everything prepared."""
    work.edit("recipe.toml", "count = 4\n\n[nodes.second]", "count = 30000\n\n[nodes.second]")
    work.edit("recipe.toml", "start = 10\ncount = 4", "start = 10\ncount = 30000")
    work.prepare().raise_failures()
    return work


def folder(work, node):
    """The folder of the object of a node's output."""
    return work.store.paths.object(work.store.latest("recipe.toml", node).digest)


def cut(work, node):
    """Make a node's output too short."""
    [path] = (folder(work, node) / "data").iterdir()
    path.chmod(0o644)
    path.write_text("short")


def said(work: Work, node: str, *overrides: str) -> str:
    """What `plan` says of a node; `inspect` has to say the same."""
    step = told(work.plan(*overrides), work.store).by_node[node]
    line = f"{step.status}: {'; '.join(step.reasons)}"
    chosen = [part for override in overrides for part in ("--set", override)]
    done = work.run("inspect", node, "recipe.toml", *chosen)
    [shown] = [text for text in done.out.splitlines() if text.startswith("status")]
    assert shown.split(maxsplit=1)[1] == line
    return line


def test_an_output_that_is_gone_and_that_nothing_needs_is_said_to_be_so(big):
    """The node is a hit all the same, in `graph` too."""
    shutil.rmtree(folder(big, "first"))

    assert said(big, "first").endswith(" UTC; its output is not here; nothing needs it")

    drawn: Done = big.run("graph", "recipe.toml")
    assert "hit: its output is not here; nothing needs it\n" in drawn.out
    inspected = big.run("inspect", "first", "recipe.toml")
    assert (inspected.code, inspected.err) == (0, "")
    prompt = big.run("inspect", "first", "recipe.toml", "--repl")
    assert (prompt.code, prompt.err) == (
        2,
        "error: the output of 'first' is not here, or damaged; mlrecipe prepare recipe.toml first\n",
    )


def test_a_damaged_output_that_nothing_needs_is_said_to_be_so(big):
    """First where it is, then in the quarantine."""
    cut(big, "first")

    assert "; its output is damaged (value.json has not its " in said(big, "first")
    verify(big.store)
    assert said(big, "first").endswith(
        "; its output is damaged, in the quarantine; nothing needs it"
    )


def test_a_damaged_output_that_is_needed_runs(big):
    """Also once it is in the quarantine."""
    cut(big, "scaled")

    assert said(big, "scaled").startswith("run: its stored output cannot be used (value.json has")
    verify(big.store)
    assert said(big, "scaled") == (
        "run: its stored output cannot be used (it was damaged, and is in the quarantine)"
    )


def fold(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda path: path.write_text("{"), "its record is damaged"),
        (fold, "a folder is in the place of its record"),
    ],
)
def test_a_record_that_cannot_be_used_is_the_reason(work, damage, why):
    """Not that the node never ran; `prepare` warns of it once."""
    work.prepare().raise_failures()
    path = work.store.paths.record(work.store.latest("recipe.toml", "first").fingerprint)
    path.chmod(0o644)
    damage(path)

    assert said(work, "first") == f"run: its stored output cannot be used ({why})"

    done = work.run("prepare", "recipe.toml")
    assert done.err.count("cannot read the record") == 1
    assert f"first: running (its stored output cannot be used ({why}))" in done.err


def test_a_record_that_may_not_be_read_is_told_with_the_system_s_reason():
    """It is another user's."""
    assert records.fault(PermissionError(13, "Permission denied")) == (
        "its record cannot be read: Permission denied"
    )


def test_a_record_in_the_quarantine_is_the_reason(work):
    """`verify` moved it there."""
    work.prepare().raise_failures()
    path = work.store.paths.record(work.store.latest("recipe.toml", "first").fingerprint)
    path.chmod(0o644)
    path.write_text("{")
    verify(work.store)

    assert said(work, "first") == (
        "run: its stored output cannot be used (it was damaged, and is in the quarantine)"
    )


def test_rows_of_an_output_that_is_gone_are_those_of_its_record(work):
    """With a word on why there are no more."""
    with (work.folder / "ops.py").open("a") as file:
        file.write(
            '\n\n@mlrecipe.op("table")\ndef table():\n    """Rows."""\n    import datasets\n'
            '    return datasets.Dataset.from_dict({"n": list(range(50))})\n'
            '\n\n@mlrecipe.op("rows")\ndef rows(data):\n    """How many."""\n    return len(data)\n'
        )
    work.write(
        "recipe.toml",
        'name = "x"\nplugins = ["ops.py"]\n[nodes.t]\nuse = "table"\n'
        '[nodes.n]\nuse = "rows"\ninputs = "t"\n',
    )
    work.prepare().raise_failures()
    shutil.rmtree(folder(work, "t"))

    done = work.run("inspect", "t", "recipe.toml", "--rows", "40")

    assert done.code == 0
    assert "the output of 't' is not here: its record has only these rows" in done.err
    assert "row[0]" in done.out


def test_of_interrupted_shards_plan_says_how_many_are_done(work):
    """They are not computed again."""
    with (work.folder / "ops.py").open("a") as file:
        file.write(OP)
    with (work.folder / "recipe.toml").open("a") as file:
        file.write('\n[nodes.picked]\nuse = "choosy"\ninputs = "second"\nshards = 4\n')
    with pytest.raises(MlrecipeError):
        work.prepare("nodes.picked.wrong=13").raise_failures()

    assert said(work, "picked", "nodes.picked.wrong=13").endswith(
        "; 3 of 4 shards are in the store"
    )
    assert "shards are" not in said(work, "picked", "nodes.picked.wrong=12")


def test_a_hit_counts_as_use(work):
    """What changes next is compared with what was used last, not with what was made last."""
    for value in ("4", "5", "4"):
        work.run("prepare", "recipe.toml", "--set", f"nodes.first.count={value}")

    assert work.reasons("first", "nodes.first.count=6") == ["count 4 → 6"]
