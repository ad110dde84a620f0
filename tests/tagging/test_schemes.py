"""Schemes of tags: which one it is, and what is legal in it."""

from __future__ import annotations

from itertools import pairwise, product

import pytest

from mlrecipe.errors import DataError
from mlrecipe.tagging import SCHEMES, schemes
from mlrecipe.tagging.spans import spans, tags
from tests.tagging.taggings import names


@pytest.mark.parametrize(
    ("tag", "parts"),
    [
        ("B-PER", ("B", "PER")),
        ("I-PER-PART", ("I", "PER-PART")),
        ("U-B-1", ("U", "B-1")),
        ("O", ("O", "")),
        ("B", ("B", "")),
        ("NOUN", ("", "NOUN")),
        ("-LRB-", ("", "-LRB-")),
        ("BE-PER", ("", "BE-PER")),
        ("", ("", "")),
    ],
)
def test_a_tag_is_a_prefix_and_a_label(tag: str, parts: tuple[str, str]):
    """Only one letter and `-` in front count, or the letter alone."""
    assert schemes.split(tag) == parts


@pytest.mark.parametrize(
    ("rows", "scheme"),
    [
        (["I-A I-A B-A O", "I-B"], "IOB1"),
        (["I-A O I-B"], "IOB1"),
        (["B-A I-A B-A O", "B-B"], "IOB2"),
        (["B-A O B-B"], "IOB2"),
        (["B-A I-A I-A O", "B-B I-B", "I-B O"], "IOB2"),  # one is wrong
        (["B-A I-A E-A O S-B"], "BIOES"),
        (["S-A O"], "BIOES"),
        (["B-A L-A O U-B"], "BILOU"),
        (["B I I O B"], "IOB2"),
        (["NOUN VERB -LRB-"], "plain"),
        (["B I X"], "plain"),
        (["O O"], "plain"),
        ([], "plain"),
    ],
)
def test_the_scheme_is_found_from_the_tags(rows: list[str], scheme: str):
    """By the prefixes, and for IOB1 and IOB2 by where `B` and `I` stand."""
    assert schemes.scheme_of(row.split() for row in rows) == scheme


@pytest.mark.parametrize("scheme", SCHEMES[:4])
def test_what_is_written_in_a_scheme_is_found_to_be_in_it(scheme: str):
    """Spans that follow each other, of one word and of three, tell all four apart."""
    rows = [tags(spans(row.split(), "IOB2"), 7, scheme) for row in ("B-A B-A I-A I-A O B-B B-A",)]

    assert schemes.scheme_of(rows) == scheme


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("B-A I-A JUNK O", "tag 'B-A' has a prefix, tag 'JUNK' has none"),
        ("B-A E-A U-B", "prefixes B-, E-, U- are of no scheme"),
        ("I-A E-A O", "prefixes E-, I- are of no scheme"),
    ],
)
def test_tags_of_no_scheme_are_refused(row: str, message: str):
    """Rather than read as labels in which `B-PER` and `I-PER` have nothing in common."""
    with pytest.raises(DataError, match=message) as caught:
        schemes.scheme_of([row.split()])

    assert caught.value.key == "scheme"
    assert caught.value.hint


def test_an_unknown_scheme_is_named_with_the_nearest():
    """`IOB` is not one of them."""
    with pytest.raises(DataError, match="no scheme of tags 'BIOS'") as caught:
        schemes.transitions(["O"], "BIOS")

    assert caught.value.hint == "did you mean 'BIOES'?"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_sequence_8_legal_transitions_are_those_of_tags_that_spans_give(scheme: str):
    """Of all rows of up to four words, those that are legal are just those that some spans are written as."""
    labels = names(scheme, ("A", "B"))
    legal = schemes.transitions(labels, scheme)
    place = {tag: number for number, tag in enumerate(labels)}

    for length in range(1, 5 if len(labels) < 7 else 4):
        for row in product(labels, repeat=length):
            ids = [place[tag] for tag in row]
            steps = pairwise(ids)
            is_legal = legal.start[ids[0]] and legal.end[ids[-1]]
            is_legal = is_legal and all(legal.follows[old][new] for old, new in steps)
            assert is_legal == (tags(spans(row, scheme), length, scheme) == list(row)), row


def test_what_marks_nothing_is_legal_everywhere():
    """A tag that the scheme does not have is as `O`, but ends what must not end."""
    legal = schemes.transitions(["B-A", "E-A", "X"], "BIOES")

    assert legal.follows == [[False, True, False], [True, False, True], [True, False, True]]
    assert (legal.start, legal.end) == ([True, False, True], [False, True, True])


@pytest.mark.parametrize(
    ("name", "scheme"),
    [("BIO", "IOB2"), ("iob", "IOB2"), ("BIO2", "IOB2"), ("IOBES", "BIOES"), ("biluo", "BILOU"),
     ("BIOUL", "BILOU")],
)  # fmt: skip
def test_other_names_of_schemes_lead_to_ours(name, scheme):
    """Not to the one that is nearest in its letters."""
    with pytest.raises(DataError) as error:
        schemes.check(name)

    assert error.value.hint == f"did you mean {scheme!r}?"
