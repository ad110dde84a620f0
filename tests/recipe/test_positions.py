"""Lines and columns of keys."""

from __future__ import annotations

from textwrap import dedent

from mlrecipe.recipe.positions import positions

TEXT = dedent("""
    name = "x"
    a.b = 1
    "odd key" = 2

    [nodes.first]
    use = "op"
    inputs = [
      "one",   # comment
      "two",
    ]
    table = { left = 1, right = [1, { deep = 2 }] }

    [[items]]
    x = 1
    [[items]]
    x = 2
    [items.sub]
    y = 3
""")


def test_every_key_has_its_place():
    """Keys, dotted keys, tables, array elements, inline tables and arrays of tables."""
    places = positions(TEXT).places

    assert places["name",] == (2, 1)
    assert places["a", "b"] == (3, 1)
    assert places["odd key",] == (4, 1)
    assert places["nodes", "first"] == (6, 2)
    assert places["nodes", "first", "use"] == (7, 1)
    assert places["nodes", "first", "inputs", 1] == (10, 3)
    assert places["nodes", "first", "table", "right"] == (12, 21)
    assert places["nodes", "first", "table", "right", 1, "deep"] == (12, 35)
    assert places["items", 0, "x"] == (15, 1)
    assert places["items", 1, "x"] == (17, 1)
    assert places["items", 1, "sub", "y"] == (19, 1)


def test_what_can_be_read_of_a_broken_text_is():
    """A syntax error somewhere does not take the places of all else."""
    places = positions("a = 1\nb = = 2\nc = 3\n").places

    assert places["a",] == (1, 1)
    assert places["c",] == (3, 1)


def test_repeats_are_found_with_both_places():
    """Keys and tables declared twice."""
    repeats = positions("a = 1\na = 2\n[t]\nx = 1\n[t]\ny = 2\n").repeats

    assert [(r.path, r.place, r.first) for r in repeats] == [
        (("a",), (2, 1), (1, 1)),
        (("t",), (5, 2), (3, 2)),
    ]


def test_a_table_above_another_is_no_repeat():
    """`[a.b]` before `[a]` is good TOML."""
    assert positions("[a.b]\nx = 1\n[a]\ny = 1\n").repeats == []
