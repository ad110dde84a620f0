"""The op `load-tagged`."""

from __future__ import annotations

import pytest

from mlrecipe import DataError, events
from mlrecipe.builtin.ops.load_tagged import load_tagged

FILE = """<author> A. Cau, R. Kuiper. </author> <title> Formalising strategy. </title> <date> 1992. </date>

<title> Hash to data. </title>
"""
WORDS = ["A.", "Cau,", "R.", "Kuiper.", "Formalising", "strategy.", "1992."]
TAGS = ["author"] * 4 + ["title"] * 2 + ["date"]


@pytest.fixture
def load(write):
    """A function that loads a text as the split `train`."""

    def load(text: str, **settings):
        return load_tagged(**{"train": write("train.txt", text), **settings})["train"]

    return load


@pytest.mark.parametrize(
    "text",
    [FILE, FILE.replace("\n", "\r\n"), FILE.replace("> ", ">").replace(" <", "<"), "\ufeff" + FILE],
)
def test_every_line_is_a_row(load, text):
    """A tag per word, without prefix; white space around tags does not count."""
    rows = load(text)

    assert rows["tokens"][:] == [WORDS, ["Hash", "to", "data."]]
    assert rows["tags"][:] == [TAGS, ["title"] * 3]


def test_with_prefixes(load):
    """They say where a tag begins."""
    rows = load("<a> x y </a> <a> z </a>", to="BIOES")

    assert rows["tags"][0] == ["B-a", "E-a", "S-a"]


def test_tags_that_run_together_are_told(load, notes):
    """Without prefixes nobody could tell them apart."""
    assert load("<a> x y </a> <a> z </a>")["tags"][0] == ["a", "a", "a"]
    assert notes == [
        "split 'train' has elements that follow one of the same tag and run together with it (1): "
        '`to = "IOB2"` keeps them apart'
    ]


def test_words_outside_have_the_tag_o(load, notes):
    """And are nothing odd where there are many."""
    rows = load("I live in <LOC>Paris</LOC>.", to="IOB2")

    assert rows[0] == {
        "tokens": ["I", "live", "in", "Paris", "."], "tags": ["O", "O", "O", "B-LOC", "O"],
    }  # fmt: skip
    assert notes == []


def test_few_words_outside_are_told_and_may_be_left_out(load, notes):
    """They are most often slips."""
    text = f"<a> {'x ' * 200}</a>. <b> y </b>"

    assert len(load(text)["tokens"][0]) == 202
    assert notes == [
        "split 'train' has words outside of all tags, which get `O` (1 of 202): "
        '`outside = "drop"` leaves them out'
    ]
    assert set(load(text, outside="drop")["tags"][0]) == {"a", "b"}


def test_what_has_attributes_is_no_tag(load):
    """The hint says so where the end of one is then odd."""
    with pytest.raises(DataError, match="</a> closes nothing") as error:
        load("<a id=1> x </a>\n")

    assert error.value.hint == "<a id=1> is no tag: tags have no attributes"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("<a> x", "train.txt:2: <a> is not closed"),
        ("x </a>", "train.txt:2: </a> closes nothing"),
        ("<a> x </b>", "train.txt:2: </b> stands where </a> is expected"),
        ("<a> x <b> y </b> </a>", "train.txt:2: <b> stands inside <a>"),
        ("<a> x <a> y </a>", "train.txt:2: <a> stands inside <a>"),
    ],
)
def test_tags_that_make_no_sense_are_named_by_their_line(load, line, message):
    """In the file."""
    with pytest.raises(DataError) as error:
        load(f"<a> x </a>\n{line}\n")

    assert error.value.message.endswith(message)
    assert error.value.key == "train"


def test_an_unknown_tag_is_an_error_where_tags_are_named(load):
    """With the nearest."""
    with pytest.raises(DataError, match=r"train\.txt:1: <titel> is none of the tags") as error:
        load("<titel> x </titel>", tags=["title", "author"])

    assert error.value.hint == "did you mean 'title'?"


def test_some_tags_may_mean_nothing(load):
    """Their words stay with the tag around them."""
    rows = load("<a> x <br> y <i>z</i> </a> <br>", ignore=["br", "i"], to="IOB2")

    assert rows[0] == {"tokens": ["x", "y", "z"], "tags": ["B-a", "I-a", "I-a"]}


def test_a_file_without_any_tag_is_an_error(load):
    """It is no file of this layout."""
    with pytest.raises(DataError, match=r"train\.txt: no word is in a tag"):
        load("Peter I-PER\n")


def test_what_is_no_tag_is_a_word(load):
    """Numbers in angles, comparisons."""
    assert load("<a> x < y <3> a<b <c d> </a>")["tokens"][0] == [
        "x",
        "<",
        "y",
        "<3>",
        "a<b",
        "<c",
        "d>",
    ]


def test_a_limit_holds_for_every_split(write):
    """Lines with something in them are counted."""
    path = write("a.txt", FILE)

    data = load_tagged(train=[path, write("b.txt", FILE)], test=path, limit=3)

    assert {name: len(rows) for name, rows in data.items()} == {"train": 3, "test": 2}


def test_the_limit_of_a_split_is_not_the_whole(write):
    """How far it is is told in rows, not as a share of what one split may have."""
    seen: list[events.Event] = []
    path = write("a.txt", FILE)

    with events.listening(seen.append):
        load_tagged(train=path, test=path, limit=2)

    assert seen.count(events.Progress(2, None)) == 2
