"""Drawings of the graph."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from mlrecipe.pipeline.drawing import edges, mermaid, rows, svg


def lanes(names, links):
    return [
        f"{row.lanes} {row.node}".rstrip() for row in rows(list(names), list(map(tuple, links)))
    ]


DRAWN = [
    ("abc", ["ab", "bc"], ["● a", "● b", "● c"]),
    ("abcd", ["ab", "ac", "bd", "cd"], ["● a", "├─╮", "● │ b", "│ ● c", "├─╯", "● d"]),
    ("abc", ["ac", "bc"], ["● a", "│ ● b", "├─╯", "● c"]),
    ("ab", [], ["● a", "● b"]),
    ("abcde", ["ac", "bd", "ce", "de", "be"],
     ["● a", "│ ● b", "│ ├─╮", "● │ │ c", "│ ● │ d", "├─┴─╯", "● e"]),
]  # fmt: skip


@pytest.mark.parametrize(("names", "links", "expected"), DRAWN)
def test_edges_are_lanes_that_part_and_meet(names, links, expected):
    """Every node once, after its inputs."""
    assert lanes(names, links) == expected


def test_mermaid_has_every_node_and_edge(work):
    """With what Mermaid would take for syntax written out."""
    work.edit("recipe.toml", "[nodes.scaled]", '[nodes."sc\\"al<e>d"]')
    planned = work.plan()

    text = mermaid(planned)

    assert text.startswith("flowchart TD\n")
    assert 'n3["sc#quot;al#lt;e#gt;d<br/><small>scale, run</small>"]:::run' in text
    assert text.count("-->") == len(edges(planned)) == 3


def test_the_picture_is_whole_and_of_its_own(work):
    """Well-formed, every node and edge in it, nothing overlaps, nothing comes from elsewhere."""
    work.prepare(nodes=["first"])
    planned = work.plan()

    root = ET.fromstring(svg(planned))

    space = "{http://www.w3.org/2000/svg}"
    boxes = [(int(b.get("x")), int(b.get("y"))) for b in root.iter(f"{space}rect")]
    texts = [text.text for text in root.iter(f"{space}text")]
    assert len(set(boxes)) == len(boxes) == 4
    assert {"first", "second", "sum", "scaled", "numbers, hit"} <= set(texts)
    assert sum(path.get("marker-end") is not None for path in root.iter(f"{space}path")) == 3
    assert re.findall(r"(?:href|src|url)\s*=?\s*[\"'(]?(?!#)http", svg(planned)) == []


def test_a_diamond_has_one_arrow_for_each_edge(work):
    """An input that is taken twice is one edge."""
    work.edit("recipe.toml", '["first", "second"]', '["first", "first"]')

    assert edges(work.plan(nodes=["sum"])) == [("first", "sum")]
