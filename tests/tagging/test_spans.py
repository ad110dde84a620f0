"""Spans that tags mark, tags that mark spans, and tags in other schemes."""

from __future__ import annotations

import random

import numpy as np
import pytest

from mlrecipe.errors import DataError
from mlrecipe.tagging import SCHEMES
from mlrecipe.tagging.arrays import Decoder
from mlrecipe.tagging.convert import IllegalTagError, convert
from mlrecipe.tagging.spans import Span, read, spans, tags
from tests.tagging.taggings import any_tags, conlleval, legal_tags, names, spoilt

LEGAL = {
    "IOB1": "I-A I-A B-A O I-B I-A",
    "IOB2": "B-A I-A B-A O B-B B-A",
    "BIOES": "B-A E-A S-A O S-B S-A",
    "BILOU": "B-A L-A U-A O U-B U-A",
}
SPANS = [Span("A", 0, 2), Span("A", 2, 3), Span("B", 4, 5), Span("A", 5, 6)]


@pytest.mark.parametrize(("scheme", "row"), LEGAL.items())
def test_each_scheme_marks_the_same_spans(scheme: str, row: str):
    """And they are written as they were read."""
    assert spans(row.split(), scheme) == SPANS
    assert tags(SPANS, 6, scheme) == row.split()


def test_sequence_10_tags_without_prefixes_convert_to_spans():
    """A run of one tag other than `O` is a span, as fields of a reference are."""
    row = "author author O title title title date".split()

    found = spans(row, "plain")

    assert found == [Span("author", 0, 2), Span("title", 3, 6), Span("date", 6, 7)]
    assert tags(found, 7, "plain") == row
    assert convert(row, "plain", "IOB2")[:3] == ["B-author", "I-author", "O"]


def test_tags_without_labels_mark_spans_too():
    """`B` and `I` alone, where there is one kind of span."""
    assert spans("B I O B".split(), "IOB2") == [Span("", 0, 2), Span("", 3, 4)]
    assert convert("B I O B".split(), "IOB2", "BIOES") == "B E O S".split()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_sequence_10_spans_come_back_from_their_tags(scheme: str):
    """Whatever the spans, in every scheme; of plain tags with no two of a label side by side."""
    source = random.Random(7)
    for words in range(40):
        found = spans(legal_tags(source, "IOB2", words), "IOB2")
        if scheme == "plain":
            found = [span for place, span in enumerate(found) if place % 2]

        assert spans(tags(found, words, scheme), scheme) == found


@pytest.mark.parametrize("scheme", SCHEMES)
def test_spans_of_many_rows_at_once_are_the_same(scheme: str):
    """The quick way by numpy finds what the plain way finds, of tags legal and not, in rows of any length."""
    source = random.Random(3)
    rows = [any_tags(source, scheme, source.randrange(12)) for _ in range(300)]
    labels = names(scheme)
    ids = np.full((len(rows), 13), -100)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = [labels.index(tag) for tag in row]
    decoder = Decoder(labels, scheme)

    found = decoder.spans(ids)

    columns = (found.rows, found.labels, found.starts, found.ends)
    quick = [
        (row, Span(decoder.labels[label], start, end))
        for row, label, start, end in zip(*(column.tolist() for column in columns), strict=True)
    ]
    assert quick == [(n, span) for n, row in enumerate(rows) for span in spans(row, scheme)]


def test_words_that_are_none_are_passed_over():
    """As if they were not there: what stands before and after them is side by side."""
    found = Decoder(["O", "B-A", "I-A"], "IOB2").spans(np.array([[-100, 1, -100, 2, 0, -100]]))

    assert (found.starts.tolist(), found.ends.tolist()) == ([1], [4])


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (2, 0), (2, 3)])
def test_where_there_are_no_words_there_are_no_spans(shape: tuple[int, int]):
    """No rows, rows of no words, and nothing but `O`."""
    decoder = Decoder(["O", "B-A"], "IOB2")
    ids = np.zeros(shape, np.int64)

    assert decoder.spans(ids).rows.size == 0
    assert decoder.count(ids, ids).gold.tolist() == [0]


@pytest.mark.parametrize("source", SCHEMES[:4])
@pytest.mark.parametrize("target", SCHEMES[:4])
def test_tags_of_another_scheme_mark_the_same_spans(source: str, target: str):
    """There and back again nothing is lost."""
    random_ = random.Random(5)
    for words in range(20):
        row = legal_tags(random_, source, words)
        changed = convert(row, source, target)

        assert spans(changed, target) == spans(row, source)
        assert convert(changed, target, source) == row


@pytest.mark.parametrize(
    ("row", "source", "target", "key", "message"),
    [
        ("O I-A", "IOB2", "BIOES", "source", "word 2: tag 'I-A' may not follow 'O' in IOB2"),
        ("I-A", "IOB2", "BIOES", "source", "word 1: tag 'I-A' may not come first in IOB2"),
        ("O B-A I-A", "BIOES", "IOB2", "source", "word 3: tag 'I-A' may not come last in BIOES"),
        ("S-A", "IOB2", "BIOES", "source", "word 1: tag 'S-A' is none of IOB2"),
        ("B-A B-A", "IOB2", "plain", "target", "two spans 'A' follow each other at word 2"),
        ("B O", "IOB2", "plain", "target", "plain tags cannot have the label ''"),
        ("O", "IOB", "plain", "source", "no scheme of tags 'IOB'"),
        ("O", "IOB2", "iob1", "target", "no scheme of tags 'iob1'"),
    ],
)
def test_what_cannot_be_converted_is_said(
    row: str, source: str, target: str, key: str, message: str
):
    """Nothing is dropped in silence: the error names the word, and the parameter at fault."""
    with pytest.raises(DataError, match=message) as caught:
        convert(row.split(), source, target)

    assert caught.value.key == key
    assert isinstance(caught.value, IllegalTagError) == ("may not" in message)


def test_a_needless_b_of_iob1_begins_a_span():
    """As in two sentences of CoNLL-2003, whose edition in IOB2 reads it so."""
    row = "O B-A I-A B-B".split()

    assert convert(row, "IOB1", "IOB2") == row
    assert convert(row, "IOB1", "IOB1") == "O I-A I-A I-B".split()


def test_wrong_tags_are_repaired_as_conlleval_reads_them():
    """An `I` with nothing before it begins a span."""
    row = "I-A I-A O B-B I-A".split()

    assert convert(row, "IOB2", "IOB2", repair=True) == "B-A I-A O B-B B-A".split()


@pytest.mark.parametrize("scheme", ["IOB1", "IOB2", "BIOES"])
def test_spans_read_leniently_are_those_of_conlleval(scheme: str):
    """By its own rules, of tags legal and not."""
    source = random.Random(11)
    gold = [any_tags(source, scheme, source.randrange(12)) for _ in range(200)]
    predicted = [spoilt(source, row, scheme) for row in gold]

    found: dict[str, list[int]] = {}
    for one, other in zip(gold, predicted, strict=True):
        there, given = set(read(one, scheme)), set(read(other, scheme))
        for place, some in enumerate((there & given, given, there)):
            for span in some:
                found.setdefault(span.label, [0, 0, 0])[place] += 1

    assert {label: tuple(counts) for label, counts in found.items()} == conlleval(gold, predicted)


@pytest.mark.parametrize(
    "wrong", [[Span("A", 0, 2), Span("B", 1, 3)], [Span("A", 2, 4)], [Span("A", 1, 1)]]
)
def test_spans_that_cannot_be_written_are_refused(wrong: list[Span]):
    """They overlap, lie beyond the row, or have no word."""
    with pytest.raises(DataError, match="overlaps another one or is not there"):
        tags(wrong, 3, "IOB2")
