"""Explanations: which parameter, file, line or input makes a node run."""

from __future__ import annotations

import pytest

from mlrecipe.pipeline.explain import differences


@pytest.fixture
def prepared(work):
    """The project with every node in the store."""
    work.write("words.py", "FACTOR = 1\n\n\ndef helper(values):\n    return values\n")
    work.edit("ops.py", "import mlrecipe\n", "import mlrecipe\nfrom .words import helper\n")
    work.edit("ops.py", "[factor * v for v in values]", "[factor * v for v in helper(values)]")
    work.write("data.txt", "x\n")
    work.write("recipe.toml", (work.folder / "recipe.toml").read_text()
               + '\n[nodes.read]\nuse = "lines"\npath = "data.txt"\n')  # fmt: skip
    work.prepare().raise_failures()
    return work


@pytest.mark.parametrize(
    ("node", "override", "reason"),
    [
        ("first", "nodes.first.count=5", "count 4 → 5"),
        ("first", "nodes.first.version=2", "version none → 2"),
        ("scaled", "nodes.scaled.factor=2.5", "factor 2.0 → 2.5"),
    ],
)
def test_store_21_a_parameter_is_named_with_both_values(prepared, node, override, reason):
    """The value of the last run and today's."""
    assert prepared.reasons(node, override) == [reason]


def test_store_21_an_input_is_named(prepared):
    """Another node, or another order."""
    assert prepared.reasons("scaled", 'nodes.scaled.inputs=["first"]') == ["input sum → first"]


def test_store_21_a_file_is_named(prepared):
    """Changed, new or gone."""
    prepared.write("data.txt", "y\n")

    assert prepared.reasons("read") == ["file data.txt changed"]


def test_store_21_code_is_named_with_file_and_line(prepared):
    """A helper in another module, or the op itself."""
    prepared.edit("words.py", "return values", "return list(values)")
    prepared.edit("ops.py", "range(start, start + count)", "range(start, start + count, 1)")

    assert prepared.reasons("scaled") == ["helper helper changed (words.py:4)"]
    assert prepared.reasons("first")[0].startswith("the op's code numbers changed (ops.py:")


def test_experiment_32_new_and_dropped_helpers_are_named(prepared):
    """With where they are."""
    prepared.edit("words.py", "return values", "return [FACTOR * v for v in values]")

    assert prepared.reasons("scaled") == [
        "helper FACTOR is new (words.py:1)", "helper helper changed (words.py:4)",
    ]  # fmt: skip


def test_another_op_is_named(prepared):
    """Nothing else of the node can be compared then."""
    prepared.edit("recipe.toml", 'use = "scale"', 'use = "parity"')

    assert prepared.reasons("scaled") == ["op scale → parity"]


def test_an_edit_taken_back_is_a_hit(prepared):
    """The store still has what it gave."""
    prepared.edit("words.py", "return values", "return list(values)")
    assert prepared.statuses()["scaled"] == "run"

    prepared.edit("words.py", "return list(values)", "return values")

    assert prepared.statuses()["scaled"] == "hit"


def parts(**changed):
    base = {
        "op": "x", "version": ["", ""], "params": {}, "files": {}, "code": "c", "symbols": {},
        "libraries": {}, "inputs": [], "whole": [],
    }  # fmt: skip
    return base | changed


@pytest.mark.parametrize(
    ("then", "now", "reason"),
    [
        ({"libraries": {"pandas": "2.2"}}, {"libraries": {"pandas": "3.1"}}, "library pandas 2.2 → 3.1"),
        ({"files": {"p": [["a", "1"]]}}, {"files": {"p": [["a", "1"], ["b", "2"]]}}, "file b is new"),
        ({"files": {"p": [["a", "1"]]}}, {"files": {"p": []}}, "file a is gone"),
        ({"files": {"p": [["hub", "x/y"]]}}, {"files": {"p": [["hub", "x/z"]]}}, "p 'x/y' → 'x/z'"),
        ({"files": {"p": [["hub", "x/y"]]}}, {"files": {"p": [["a", "1"]]}}, "p 'x/y' → a local folder"),
        ({"params": {"a": 1}}, {"params": {"b": True}}, "a 1 → none"),
        ({"code": "d"}, {}, "code changed"),
        ({"symbols": {"f.py::*": ["1", 1]}}, {"symbols": {"f.py::*": ["2", 1]}}, "module changed (f.py:1)"),
    ],
)  # fmt: skip
def test_each_kind_of_difference_has_its_words(then, now, reason):
    """One phrase each."""
    assert differences(parts(**now), parts(**then), "run")[0] == reason


def test_long_values_are_shortened():
    """A reason is one line."""
    [reason] = differences(parts(params={"a": "x" * 500}), parts(params={"a": 1}), "run")

    assert len(reason) < 100


def test_what_cannot_be_followed_is_told_by_plan(work):
    """With the module, the line and the nodes for which all of it counts."""
    from mlrecipe.cli import prepare as command

    work.edit("ops.py", "    return [x + y for", "    globals()\n    return [x + y for")

    [note] = command._wholes(work.plan())

    assert note.startswith("note: ops.py counts as a whole (line ")
    assert note.endswith(": globals() cannot be followed), for sum")


@pytest.mark.parametrize(
    ("strictness", "versions", "reruns"),
    [("exact", ("1.2.3", "1.2.4"), True), ("minor", ("1.2.3", "1.2.4"), False),
     ("minor", ("1.2.3", "1.3.0"), True), ("off", ("1.2.3", "2.0.0"), False)],
)  # fmt: skip
def test_versions_of_libraries_count_as_strictly_as_the_recipe_says(
    work, monkeypatch, strictness, versions, reruns
):
    """A library that the op's code imports gets another version."""
    from mlrecipe.code import libraries

    work.edit(
        "ops.py", "def add(left, right):", "def add(left, right):\n    import somelib  # noqa"
    )
    work.edit("ops.py", '    note("add")', '    somelib\n    note("add")')
    work.edit("recipe.toml", 'name = "small"', f'name = "small"\nlibrary_versions = "{strictness}"')
    known = {"somelib": versions[0]}
    monkeypatch.setattr(libraries, "full_version", lambda name: known.get(name, ""))
    before = work.plan().by_node["sum"]

    known["somelib"] = versions[1]
    after = work.plan().by_node["sum"]

    assert (before.own != after.own) is reruns
    assert after.parts["versions"] == {"somelib": versions[1]}
