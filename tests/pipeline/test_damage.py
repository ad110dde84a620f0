"""Damage: stored outputs whose bytes changed, as whoever uses them gets to know of it."""

from __future__ import annotations

import shutil

import pytest

from mlrecipe import events
from mlrecipe.errors import RecipeError, StoreError

OPS = '''
import os


@mlrecipe.op("climb", rowwise=True)
def climb(values, *, how: str = "raises"):
    """Works with values that climb only."""
    if list(values) == sorted(values):
        return values
    if how == "dies":
        os.kill(os.getpid(), 11)
    if how == "exits":
        raise SystemExit(3)
    if how == "tells":
        raise mlrecipe.DataError("they do not climb", key="how")
    raise ValueError("they do not climb")
'''

RECIPE = """
name = "x"
plugins = ["ops.py"]
[nodes.many]
use = "numbers"
count = 20000
[nodes.out]
use = "climb"
inputs = "many"
[nodes.other]
use = "numbers"
"""

DAMAGED = "its input 'many' is damaged in the store: value.json has other bytes than were written"


@pytest.fixture
def climbing(work):
    """A project whose first node has an output that is an object, and everything prepared."""
    with (work.folder / "ops.py").open("a") as file:
        file.write(OPS)
    work.write("recipe.toml", RECIPE)
    work.prepare().raise_failures()
    work.ran()
    return work


def stored(work, node="many"):
    """The file of a node's output."""
    record = work.store.latest("recipe.toml", node)
    [path] = work.store.object_folder(record.digest).iterdir()
    return path


def spoil(work, old=b"17,18", new=b"18,17"):
    """Change bytes of the first node's output, so that nobody sees it by names and sizes."""
    path = stored(work)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(old, new, 1))


def failure(work, *overrides, **options):
    """The error that preparing ends with."""
    results = work.prepare(*overrides, **options)
    with pytest.raises(StoreError) as caught:
        results.raise_failures()
    return str(caught.value)


@pytest.mark.parametrize("how", ["raises", "tells", "exits"])
@pytest.mark.parametrize("jobs", [1, 2])
def test_an_op_that_fails_with_a_damaged_input_says_so(climbing, how, jobs):
    """However it fails, and whoever runs it, with the command that helps."""
    spoil(climbing)

    told = failure(
        climbing, f"nodes.out.how={how}", "nodes.other.count=5", force=["out"], jobs=jobs
    )

    told_first = "called sys.exit(3)" if how == "exits" else "failed at ops.py:"
    assert told.startswith(f"node 'out' (op 'climb') {told_first}")
    assert DAMAGED in told
    assert "`mlrecipe cache verify`" in told


def test_an_op_that_takes_its_process_along_says_so_too(climbing):
    """Libraries trust what they map into memory."""
    spoil(climbing)

    told = failure(climbing, "nodes.out.how=dies", "nodes.other.count=5", jobs=2)

    assert "died of signal 11 (SIGSEGV)" in told
    assert DAMAGED in told


def test_a_shard_of_a_damaged_input_says_so(climbing):
    """Its node's input is its own."""
    spoil(climbing)

    assert DAMAGED in failure(climbing, "nodes.out.how=new", "nodes.out.shards=2")


def test_an_op_that_fails_with_whole_inputs_fails_as_ever(climbing):
    """Nothing is said of the store, and a data error keeps its place."""
    climbing.edit("ops.py", "    if list(values) == sorted(values):\n        return values\n", "")

    with pytest.raises(RecipeError, match=r"nodes\.out\.how: they do not climb"):
        climbing.prepare("nodes.out.how=tells").raise_failures()


def test_what_no_format_can_read_is_damaged(climbing):
    """In Python too; without a failed op the command is the same."""
    spoil(climbing, b"17,18", b"17{18")

    with pytest.raises(StoreError) as caught:
        climbing.store.load(climbing.store.latest("recipe.toml", "many"))

    assert str(caught.value).startswith("the stored output of 'many' is damaged: value.json has")
    assert "`mlrecipe cache verify`" in str(caught.value)


def test_verify_and_another_run_mend_it(climbing):
    """As the message says."""
    spoil(climbing)
    failure(climbing, "nodes.out.how=anyhow")

    assert climbing.run("cache", "verify").code == 1
    climbing.prepare("nodes.out.how=anyhow").raise_failures()

    assert climbing.ran() == ["numbers"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_damaged_output_is_warned_of_once(climbing, heard, jobs):
    """By whichever process comes upon it first."""
    shutil.rmtree(stored(climbing).parents[1])

    climbing.prepare("nodes.other.count=5", force=["out"], jobs=jobs).raise_failures()

    warnings = [e.text for e in heard if isinstance(e, events.Note) and e.level == "warning"]
    assert len(warnings) == 1
    assert warnings[0].startswith("the stored output of 'many' cannot be used (manifest.json is")


def test_a_damaged_record_is_warned_of_once(climbing, heard):
    """Though it is looked for when planning, before the work and during it."""
    record = climbing.store.latest("recipe.toml", "many")
    [path] = climbing.store.paths.records.glob(f"*/{record.fingerprint}.json")
    path.chmod(0o644)
    path.write_text("{")

    climbing.prepare().raise_failures()

    warnings = [e.text for e in heard if isinstance(e, events.Note) and e.level == "warning"]
    assert len(warnings) == 1
    assert warnings[0].startswith("cannot read the record")


def test_a_column_that_is_not_there_is_named_with_those_that_are(work):
    """Of a table as of a dict: the nearest, and the place of the input in the recipe."""
    with (work.folder / "ops.py").open("a") as file:
        file.write(
            '\n@mlrecipe.op("table")\ndef table():\n    """One column."""\n    import datasets\n'
            '    return datasets.Dataset.from_dict({"text": ["a"], "label": [1]})\n'
        )
    work.write("recipe.toml", 'name = "x"\nplugins = ["ops.py"]\n[nodes.t]\nuse = "table"\n'
                              '[nodes.out]\nuse = "total"\ninputs = "t.txet"\n')  # fmt: skip

    with pytest.raises(RecipeError) as caught:
        work.prepare().raise_failures()

    assert str(caught.value) == (
        "recipe.toml:7:1  nodes.out.inputs: the output of 't' has no entry 'txet'; "
        "it has: text, label; did you mean 'text'?"
    )
