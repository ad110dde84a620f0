"""Fingerprints: what names a computation, and what does not."""

from __future__ import annotations

import shutil

import pytest

from tests.projects import Work

CODE = """
    import os, pathlib
    from mlrecipe.pipeline.request import open_request
    from mlrecipe.pipeline.plan import plan
    from mlrecipe.store.store import Store
    path = pathlib.Path({folder!r}) / "recipe.toml"
    request = open_request(path)
    for step in plan(request, Store(path.parent / "none")).steps:
        print(step.node.name, step.own)
"""


def owns(work: Work, *overrides: str) -> dict[str, str]:
    """Node → hash of its own parts."""
    return {step.node.name: step.own for step in work.plan(*overrides).steps}


def test_store_02_fingerprints_are_the_same_everywhere(work, tmp_path):
    """In other processes, with other hash seeds, from other folders, in another checkout."""
    work.write("data.txt", "x\n")
    work.write("recipe.toml", (work.folder / "recipe.toml").read_text()
               + '\n[nodes.read]\nuse = "lines"\npath = "data.txt"\n')  # fmt: skip
    here = "".join(f"{name} {own}\n" for name, own in owns(work).items())
    copy = shutil.copytree(work.folder, tmp_path / "else where" / "copy")

    outputs = {
        work.python(CODE.format(folder=str(work.folder)), PYTHONHASHSEED="1").out,
        work.python("import os; os.chdir('/')" + CODE.format(folder=str(work.folder)).replace(
            "\n    ", "\n"), PYTHONHASHSEED="2").out,
        work.python(CODE.format(folder=str(copy)), PYTHONHASHSEED="3").out,
    }  # fmt: skip

    assert outputs == {here}


COUNTS = [
    ("nodes.first.count=5", {"first"}),
    ("nodes.first.start=1", {"first"}),
    ("nodes.scaled.factor=3", {"scaled"}),
    ("nodes.first.version=2", {"first"}),
    ('nodes.sum.inputs=["second", "first"]', set()),
]


@pytest.mark.parametrize(("override", "changed"), COUNTS)
def test_experiment_17_what_changes_a_key(work, override, changed):
    """Parameters, the op and the version change the key of their own node."""
    before, after = owns(work), owns(work, override)

    assert {name for name in before if before[name] != after[name]} == changed


def test_experiment_17_the_op_changes_the_key(work):
    """Two ops with equal parameters are two computations."""
    before = owns(work)

    work.edit("recipe.toml", 'use = "scale"', 'use = "parity"')

    assert owns(work)["scaled"] != before["scaled"]


NOT = [
    "nodes.scaled.num_workers=8",
    "nodes.first.cache=false",
    "nodes.first.force=true",
    "name=other",
    "train.batch_size=8",
    "seed=3",
    "nodes.scaled.factor=2",
    "nodes.first.start=0",
]


@pytest.mark.parametrize("override", NOT)
def test_store_08_what_changes_no_key(work, override):
    """Workers, how a node is run, other sections, defaults written out, a seed that no op declares."""
    assert owns(work, override) == owns(work)


def test_experiment_17_the_order_of_inputs_changes_the_fingerprint(work):
    """Two inputs swapped are another computation."""
    work.prepare().raise_failures()

    assert work.statuses('nodes.sum.inputs=["second", "first"]')["sum"] == "run"


def test_experiment_17_the_order_of_parameters_does_not(work):
    """Nor does the order of nodes, or a comment."""
    before = owns(work)

    work.write(
        "recipe.toml",
        """
        # the same
        plugins = ["ops.py"]
        nodes.scaled = { inputs = ["sum"], use = "scale" }
        nodes.sum = { inputs = { right = "second", left = "first" }, use = "add" }
        nodes.second = { count = 4, start = 10, use = "numbers" }
        nodes.first = { count = 4, use = "numbers" }
        name = "x"
    """,
    )

    assert owns(work) == before


def test_experiment_17_the_bytes_of_a_file_change_the_key(work):
    """Its place does not."""
    work.write("data.txt", "x\n")
    work.write(
        "recipe.toml",
        'name = "x"\nplugins = ["ops.py"]\n[nodes.a]\nuse = "lines"\npath = "data.txt"\n',
    )
    first = owns(work)
    work.write("data.txt", "y\n")

    assert owns(work) != first

    work.write("data.txt", "x\n")
    assert owns(work) == first


SEEDED = """
import mlrecipe


@mlrecipe.op("seeded")
def seeded(*, seed: int, limit: int | None = None):
    return [seed, limit]


@mlrecipe.op("free")
def free(*, value):
    return repr(value)
"""


def test_experiment_17_the_seed_changes_ops_that_declare_one(work):
    """And the row limit those that declare it; `train.seed` none."""
    work.write("ops.py", SEEDED)
    work.write("recipe.toml", 'name = "x"\nplugins = ["ops.py"]\n[nodes.a]\nuse = "seeded"\n'
                              '[nodes.b]\nuse = "free"\nvalue = 1\n')  # fmt: skip
    before = owns(work)

    for override, changed in [("seed=1", {"a"}), ("limit=5", {"a"}), ("train.seed=1", set())]:
        after = owns(work, override)
        assert {name for name in before if before[name] != after[name]} == changed


def test_store_09_untyped_values_of_different_types_differ(work):
    """1, 1.0, true and "1" are four values; the order of a table is none."""
    work.write("ops.py", SEEDED)
    text = 'name = "x"\nplugins = ["ops.py"]\n[nodes.a]\nuse = "free"\nvalue = {}\n'
    found = []
    for value in ("1", "1.0", "true", '"1"', "{ a = 1, b = 2 }", "{ b = 2, a = 1 }"):
        work.write("recipe.toml", text.format(value))
        found.append(owns(work)["a"])

    assert len(set(found[:4])) == 4
    assert found[4] == found[5]


def test_store_11_dates_are_values_too(work):
    """Whatever TOML can write can be hashed."""
    work.write("ops.py", SEEDED)
    work.write("recipe.toml", 'name = "x"\nplugins = ["ops.py"]\n[nodes.a]\nuse = "free"\n'
                              "value = [2023-09-16, 10:00:00, 2023-09-16T10:00:00Z]\n")  # fmt: skip

    assert work.statuses() == {"a": "run"}
    work.prepare().raise_failures()
    assert work.statuses() == {"a": "hit"}


def test_store_18_a_renamed_or_copied_node_is_found(work):
    """The name of a node and of its recipe are no part of its key."""
    work.prepare().raise_failures()
    work.ran()
    text = (work.folder / "recipe.toml").read_text()
    work.write("recipes/other.toml", text.replace("first", "uno").replace(
        '["ops.py"]', '["../ops.py"]'))  # fmt: skip

    assert {s.status for s in work.plan(recipe="recipes/other.toml").steps} == {"hit"}


@pytest.mark.parametrize(
    "table", ['{ two = "a.txt", one = "b.txt" }', '{ one = "a.txt", three = "b.txt" }']
)
def test_which_file_of_a_table_has_which_key_is_in_the_key(work, table):
    """Swapped or renamed splits are another computation."""
    work.write(
        "ops.py",
        'import mlrecipe\n\n\n@mlrecipe.op("splits")\n'
        "def splits(*, files: dict[str, mlrecipe.File]):\n    return sorted(files)\n",
    )
    work.write("a.txt", "a\n")
    work.write("b.txt", "b\n")
    text = 'name = "x"\nplugins = ["ops.py"]\n[nodes.a]\nuse = "splits"\nfiles = '
    work.write("recipe.toml", text + '{ one = "a.txt", two = "b.txt" }\n')
    before = owns(work)

    work.write("recipe.toml", text + table + "\n")

    assert owns(work) != before
