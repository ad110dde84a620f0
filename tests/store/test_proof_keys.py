"""What reruns and what does not, through whole runs: from an edit of a project to the ops that ran."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from mlrecipe.code import stamps
from mlrecipe.errors import RequestError
from mlrecipe.graph import externals
from mlrecipe.graph.graph import Graph
from mlrecipe.pipeline import stages
from mlrecipe.pipeline.plan import plan as make_plan
from tests.cli.conftest import cli
from tests.pipeline.test_stages import BASE, NET
from tests.projects import Work
from tests.store.test_proof_kills import SLOW

__all__ = ["cli"]

WORDS = '''
"""Between the ops and what they go by."""

from .deep import grow


def helped(values):
    return grow(values)
'''
DEEP = '''
"""Two modules away from the ops."""

STEP = 0
UNUSED = 0


def grow(values):
    """Each a step up."""
    # a comment
    return [value + STEP for value in values]


def unused(values):
    return values
'''
RECIPE = """
name = "small"
plugins = ["ops.py"]
[nodes.first]
use = "numbers"
[nodes.grown]
use = "grown"
inputs = "first"
[nodes.scaled]
use = "scale"
inputs = "grown"
[nodes.aside]
use = "scale"
inputs = "first"
factor = 5
"""


@pytest.fixture
def work(tmp_path):
    """A project whose ops go by a module two modules away, with every node in the store."""
    made = Work(tmp_path / "project")
    made.write("words.py", WORDS)
    made.write("deep.py", DEEP)
    made.write("recipe.toml", RECIPE)
    with (made.folder / "ops.py").open("a") as file:
        file.write('\n\nfrom .words import helped\n\n\n@mlrecipe.op("grown")\ndef grown(values):\n'
                   '    """With the help of another module."""\n    note("grown")\n'
                   "    return helped(values)\n")  # fmt: skip
    made.prepare().raise_failures()
    made.ran()
    return made


@pytest.fixture
def settled(work, monkeypatch):
    """The same, with every digest of code and files remembered by the files' stamps."""
    monkeypatch.setattr(stamps, "RACY_NS", -1)
    assert set(work.statuses().values()) == {"hit"}
    assert work.store.memo.get(f"code:{work.folder / 'ops.py'}:grown")
    return work


def again(work):
    """What runs now."""
    work.prepare().raise_failures()
    return work.ran()


EDITS = [
    ("deep.py", "value + STEP", "value + STEP + 1", ["grown", "scale"]),
    ("deep.py", "value + STEP", "STEP + value", ["grown"]),  # and what it gives is the same
    ("words.py", "return grow(values)", "return grow(values)[1:]", ["grown", "scale"]),
]
CONSTANTS = [
    ("deep.py", "STEP = 0", "STEP = 1", ["grown", "scale"]),
    ("deep.py", "UNUSED = 0", "UNUSED = 1", []),
]
COSMETIC = [
    ("deep.py", '    """Each a step up."""\n', ""),
    ("deep.py", "# a comment", "# another"),
    ("deep.py", "[value + STEP for value in values]", "[\n        value + STEP\n        for value in values]"),
    ("deep.py", "def unused(values):\n    return values\n", ""),
    ("deep.py", '"""Two modules away from the ops."""', "\n\n'Another text.'"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "ran"), EDITS)
def test_store_03_an_edit_two_modules_away_reruns_exactly_what_depends_on_it(
    settled, file, old, new, ran
):
    """Though the digest of the op's code was remembered; other nodes of the same op module stay."""
    settled.edit(file, old, new)

    assert again(settled) == ran
    assert again(settled) == []


@pytest.mark.parametrize(("file", "old", "new", "ran"), CONSTANTS)
def test_store_04_a_constant_counts_where_it_is_reached(settled, file, old, new, ran):
    """Two modules away."""
    settled.edit(file, old, new)

    assert again(settled) == ran


@pytest.mark.parametrize(("file", "old", "new"), COSMETIC)
def test_store_05_what_does_not_run_reruns_nothing(settled, file, old, new):
    """Comments, docstrings, line breaks, and a function that is gone or elsewhere."""
    settled.edit(file, old, new)

    assert again(settled) == []


def test_store_06_an_edit_that_is_taken_back_is_a_hit_again(settled):
    """Also after the other state was run: the store has both; and so on, there and back."""
    for _ in range(2):
        settled.edit("deep.py", "STEP = 0", "STEP = 1")
        again(settled)
        settled.edit("deep.py", "STEP = 1", "STEP = 0")
        assert set(settled.statuses().values()) == {"hit"}
        assert again(settled) == []
        assert settled.output("scaled") == [0.0, 2.0, 4.0]
        assert settled.ran() == []
    settled.edit("deep.py", "STEP = 0", "STEP = 1")
    assert again(settled) == []
    assert settled.output("scaled") == [2.0, 4.0, 6.0]


@pytest.mark.parametrize(
    "options", [["--set", "nodes.scaled.num_workers=3"], ["-v"], ["--quiet"], ["-j2"]]
)
def test_store_08_speed_and_log_level_change_neither_fingerprint_nor_digest(cli, work, options):
    """Computed anew with them, everything is byte for byte what it was."""

    def facts():
        return {(r.node, r.fingerprint, r.digest) for r in work.store.every()}

    before = facts()

    done = cli("prepare", "recipe.toml", *options, "--force", "first", "--force", "scaled")

    assert done.code == 0
    assert sorted(work.ran()) == ["numbers", "scale"]
    assert facts() == before


def test_store_11_what_cannot_be_hashed_is_named_before_anything_runs(work):
    """Its place in the parameters is in the error, though other nodes are in the plan before it."""
    request = work.request("nodes.first.start=7")
    node = request.graph.nodes["scaled"]
    odd = replace(node, params={**node.params, "table": {"a": [1, object()]}})
    graph = Graph({**request.graph.nodes, "scaled": odd})

    with pytest.raises(RequestError) as caught:
        make_plan(replace(request, graph=graph), work.store)

    assert str(caught.value.key) == "params['params']['table']['a'][1]"
    assert "a value of type builtins.object" in str(caught.value)
    assert work.ran() == []


@pytest.fixture
def reader(work, monkeypatch):
    """A node that reads a file, done long ago; and the files that are read to be hashed."""
    monkeypatch.setattr(stamps, "RACY_NS", -1)
    work.write("data.txt", "one\n")
    work.write(
        "recipe.toml",
        'name = "x"\nplugins = ["ops.py"]\n[nodes.a]\nuse = "lines"\npath = "data.txt"\n',
    )
    read, hashed = [], externals._hash
    monkeypatch.setattr(externals, "_hash", lambda path: read.append(path.name) or hashed(path))
    work.prepare().raise_failures()
    work.ran()
    read.clear()
    return work, read


def test_store_13_a_touched_input_is_read_again_and_nothing_reruns(reader):
    """Untouched, it is not even read."""
    work, read = reader
    assert (again(work), read) == ([], [])

    os.utime(work.folder / "data.txt", ns=(1, 1))

    assert (again(work), set(read)) == ([], {"data.txt"})


def test_store_13_an_edit_of_the_same_size_with_the_old_time_reruns(reader):
    """The time of the last change cannot be set back."""
    work, _ = reader
    path = work.folder / "data.txt"
    info = path.stat()

    path.write_text("two\n")
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))

    assert (path.stat().st_size, path.stat().st_mtime_ns) == (info.st_size, info.st_mtime_ns)
    assert again(work) == ["lines"]
    assert work.output("a") == ["two"]


@pytest.mark.parametrize(
    ("file", "old", "new", "node", "reason"),
    [
        ("recipe.toml", "[nodes.first]\n", "[nodes.first]\nstart = 1\n", "first", "start 0 → 1"),
        ("deep.py", "STEP = 0", "STEP = 1", "grown", "helper STEP changed (deep.py:3)"),
        ("deep.py", "value + STEP", "value * 2 + STEP", "grown", "helper grow changed (deep.py:7)"),
        ("data.txt", "one", "two", "read", "file data.txt changed"),
    ],
)
def test_store_21_every_miss_is_named_and_so_is_what_it_changes(
    cli, work, file, old, new, node, reason
):
    """File, line, parameter; and once it has run, the input that it changed for what comes after."""
    work.write("data.txt", "one\n")
    with (work.folder / "recipe.toml").open("a") as recipe:
        recipe.write('[nodes.read]\nuse = "lines"\npath = "data.txt"\n'
                     '[nodes.after]\nuse = "parity"\ninputs = "grown"\n'
                     '[nodes.last]\nuse = "total"\ninputs = ["read"]\n')  # fmt: skip
    work.prepare(nodes=["read", "scaled", "aside", "after"]).raise_failures()

    work.edit(file, old, new)
    planned = cli("plan", "recipe.toml").out

    assert f"  {node} ".ljust(10) in planned
    assert f"run    {reason}\n" in planned
    if node != "read":
        work.prepare(nodes=["grown"]).raise_failures()
        assert work.reasons("after") == ["input grown changed"]


def test_store_24_a_node_that_is_never_cached_runs_in_each_of_two_processes(work):
    """Though one waits for the other, and its result is of just now."""
    with (work.folder / "ops.py").open("a") as file:
        file.write(SLOW)
    work.write("recipe.toml", 'name = "x"\nplugins = ["ops.py"]\n'
               '[nodes.a]\nuse = "slow"\ncache = false\n')  # fmt: skip
    with work.start("prepare", "recipe.toml") as first:
        assert "a: running" in first.stderr.readline()
        with work.start("prepare", "recipe.toml") as second:
            assert f"a: waiting for pid {first.pid}" in second.stderr.readline()
            work.write("go", "")
            told = [process.communicate(timeout=30)[1] for process in (first, second)]

    assert (first.returncode, second.returncode) == (0, 0), told
    assert work.ran() == ["slow", "slow"]


@pytest.mark.parametrize("changes", [[], ["--set", "nodes.first.start=1"], ["--force", "first"]])
def test_store_22_a_plan_writes_nothing_and_exits_0(cli, work, changes):
    """Whatever would run."""

    def everything():
        paths = (path for path in work.folder.rglob("*") if "index" not in path.parts)
        return {path: path.lstat().st_mtime_ns for path in paths}

    before = everything()

    done = cli("plan", "recipe.toml", *changes)

    assert (done.code, done.err) == (0, "")
    assert everything() == before
    assert work.ran() == []


def test_store_22_a_plan_makes_no_store(tmp_path, monkeypatch):
    """Looking at a recipe of somebody else leaves nothing."""
    work = Work(tmp_path / "new")

    done = work.run("plan", "recipe.toml")

    assert done.code == 0
    assert list((work.folder / ".mlrecipe").iterdir()) == []


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("override", "is_new"),
    [("train.batch_size=8", True), ("train.epochs=7", True), ("test.split=valid", False)],
)
def test_store_19_a_setting_of_train_makes_a_new_training_and_reruns_no_node(
    work, override, is_new
):
    """What is only for the test makes none."""
    work.write("base.py", BASE)
    work.write("net.py", NET)
    work.edit("recipe.toml", '["ops.py"]', '["ops.py", "net.py"]')
    with (work.folder / "recipe.toml").open("a") as file:
        file.write('[model]\nuse = "net"\n[task]\nuse = "count"\n[train]\ndata = "scaled"\n')
    records = work.prepare().records

    before, after = (
        stages.train_fingerprint(work.request(*changes), records) for changes in ([], [override])
    )
    results = work.prepare(override)

    assert (before != after) is is_new
    assert results.ran == []
    assert work.ran() == []


@pytest.mark.parametrize("damage", ["cut", "empty", "gone"])
def test_experiment_20_a_damaged_entry_is_computed_again_with_a_warning(cli, work, damage):
    """Whether it is a record or an output; what else there is stays."""
    large = ["--set", "nodes.first.count=30000"]
    work.edit("deep.py", "STEP = 0", "STEP = 1")  # else two nodes have one output
    assert cli("prepare", "recipe.toml", *large).code == 0
    store = work.store
    records = {node: store.latest("recipe.toml", node) for node in ("grown", "aside")}
    paths = [
        store.paths.record(records["aside"].fingerprint),
        store.object_folder(records["grown"].digest) / "value.json",
    ]
    for path in paths:
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:100] if damage == "cut" else b"")
        if damage == "gone":
            path.unlink()
    work.ran()

    done = cli("prepare", "recipe.toml", "grown", "aside", *large)

    assert done.code == 0
    assert sorted(work.ran()) == ["grown", "scale"]
    assert done.err.count("taken as missing") >= (damage != "gone")
    assert "its stored output cannot be used" in done.err
    assert {n: store.latest("recipe.toml", n).digest for n in records} == {
        n: record.digest for n, record in records.items()
    }
    assert cli("cache", "verify").code == 0


def test_experiment_21_many_processes_on_one_cache_compute_each_node_once(work):
    """Six of them, each edited into a state that none has run; all end well with the same records."""
    work.edit("deep.py", "STEP = 0", "STEP = 3")
    work.edit("recipe.toml", "[nodes.first]\n", "[nodes.first]\ncount = 20000\n")

    processes = [work.start("prepare", "recipe.toml", *["-j2"] * (i % 2)) for i in range(6)]
    told = [process.communicate(timeout=60)[1] for process in processes]

    assert [process.returncode for process in processes] == [0] * 6, told
    assert sorted(work.ran()) == ["grown", "numbers", "scale", "scale"]
    assert work.output("scaled")[:2] == [6.0, 8.0]
    assert work.run("cache", "verify").code == 0
