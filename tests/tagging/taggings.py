"""Random tags of words, legal and not, and spans counted as conlleval counts them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

from mlrecipe.tagging.spans import Span, tags

PREFIXES = {"IOB1": "IB", "IOB2": "BI", "BIOES": "BIES", "BILOU": "BILU"}
LABELS = ("LOC", "PER", "X-Y")


def names(scheme: str, labels: Sequence[str] = LABELS) -> tuple[str, ...]:
    """Every tag of the scheme."""
    if scheme == "plain":
        return ("O", *labels)
    return ("O", *(f"{prefix}-{label}" for label in labels for prefix in PREFIXES[scheme]))


def any_tags(source: random.Random, scheme: str, words: int) -> list[str]:
    """Tags of which few are legal where they stand; runs of one label are likely."""
    made: list[str] = []
    for _ in range(words):
        label = made[-1].partition("-")[2] if made and source.random() < 0.6 else ""
        near = [name for name in names(scheme) if label and name.endswith(f"-{label}")]
        made.append(source.choice(near or names(scheme)))
    return made


def legal_tags(source: random.Random, scheme: str, words: int) -> list[str]:
    """Tags of random spans."""
    spans, place = [], 0
    while place < words:
        size = source.choice((0, 1, 1, 2, 3))
        if size and place + size <= words:
            spans.append(Span(source.choice(LABELS), place, place + size))
        place += max(size, 1)
    return tags(spans, words, scheme)


def pairs(seed: int, scheme: str) -> tuple[list[list[str]], list[list[str]]]:
    """Right tags of a few rows, and predicted ones that agree with many of them."""
    source = random.Random(seed)
    make = any_tags if seed % 2 else legal_tags
    gold = [make(source, scheme, source.randrange(10)) for _ in range(source.randrange(1, 5))]
    return gold, [spoilt(source, row, scheme) for row in gold]


def spoilt(
    source: random.Random, row: Sequence[str], scheme: str, share: float = 0.25
) -> list[str]:
    """The tags with a share of them replaced by any."""
    return [source.choice(names(scheme)) if source.random() < share else tag for tag in row]


def conlleval(
    gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]
) -> dict[str, tuple[int, int, int]]:
    """Label → its chunks: right, predicted, there; by the rules of the script of CoNLL-2000 to 2003.

    A chunk begins and ends where the prefixes or the labels of a tag and the one before it say so; it is right
    where both sides begin and end together with one label.
    """
    right: Counter[str] = Counter()
    given: Counter[str] = Counter()
    there: Counter[str] = Counter()
    for gold_row, given_row in zip(gold, predicted, strict=True):
        before = [("O", ""), ("O", "")]
        is_in_correct = False
        for pair in [*zip(gold_row, given_row, strict=True), ("O", "O")]:
            now = [(tag[0], tag[2:]) for tag in pair]
            ended = [_ends(*both) for both in zip(before, now, strict=True)]
            begun = [_begins(*both) for both in zip(before, now, strict=True)]
            if is_in_correct:
                if all(ended) and before[0][1] == before[1][1]:
                    right[before[0][1]] += 1
                if any(ended) or now[0][1] != now[1][1]:
                    is_in_correct = False
            if all(begun) and now[0][1] == now[1][1]:
                is_in_correct = True
            there[now[0][1]] += begun[0]
            given[now[1][1]] += begun[1]
            before = now
    return {
        label: (right[label], given[label], there[label])
        for label in sorted({*given, *there})
        if given[label] or there[label]
    }


def _ends(before: tuple[str, str], now: tuple[str, str]) -> bool:
    if before[0] in ("E", "S"):
        return True
    changes = before[0] in ("B", "I") and now[0] in ("B", "S", "O")
    return changes or (before[0] != "O" and before[1] != now[1])


def _begins(before: tuple[str, str], now: tuple[str, str]) -> bool:
    if now[0] in ("B", "S"):
        return True
    changes = before[0] in ("E", "S", "O") and now[0] in ("E", "I")
    return changes or (now[0] != "O" and before[1] != now[1])
