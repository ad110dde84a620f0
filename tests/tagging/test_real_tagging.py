"""Tags and spans of CoNLL-2003's own files: run by `make test-real`."""

from __future__ import annotations

import gzip
import random
from collections import Counter
from pathlib import Path

import pytest

from mlrecipe.registry import registries
from mlrecipe.tagging.convert import convert
from mlrecipe.tagging.schemes import scheme_of
from mlrecipe.tagging.spans import read, spans
from tests.builtin.metrics.tagged import batch_of, head_of
from tests.tagging.taggings import conlleval, spoilt

pytestmark = [pytest.mark.real, pytest.mark.heavy]

FILES = {
    "train": ("eng.train.gz", "train.txt.gz"),
    "valid": ("eng.testa", "valid.txt"),
    "test": ("eng.testb", "test.txt"),
}
# Tjong Kim Sang & De Meulder (2003), table 2.
ENTITIES = {
    "train": {"LOC": 7140, "MISC": 3438, "ORG": 6321, "PER": 6600},
    "valid": {"LOC": 1837, "MISC": 922, "ORG": 1341, "PER": 1842},
    "test": {"LOC": 1668, "MISC": 702, "ORG": 1661, "PER": 1617},
}


def tags_of(path: Path) -> list[list[str]]:
    """The last column, a list for each sentence."""
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    blocks = text.split("\n\n")
    rows = [[line.split()[-1] for line in block.splitlines() if line.strip()] for block in blocks]
    heads = [block.lstrip().startswith("-DOCSTART-") for block in blocks]
    return [row for row, is_head in zip(rows, heads, strict=True) if row and not is_head]


@pytest.mark.parametrize("split", FILES)
def test_both_editions_of_conll_mark_the_same_spans(real_data: Path, split: str):
    """Each is found to be in its scheme, has the published numbers of names, and converts into the other.

    In two sentences of train a name begins with a `B` that IOB1 does not ask for.
    """
    first, second = (
        tags_of(real_data / "conll2003" / part)
        for part in (FILES[split][0], f"iob2/{FILES[split][1]}")
    )

    found = [read(row, "IOB1") for row in first]

    assert (scheme_of(first), scheme_of(second)) == ("IOB1", "IOB2")
    assert found == [spans(row, "IOB2") for row in second]
    assert Counter(span.label for row in found for span in row) == ENTITIES[split]
    assert [convert(row, "IOB1", "IOB2") for row in first] == second
    odd = [row for row in first if spans(row, "IOB1") != read(row, "IOB1")]
    assert len(odd) == (2 if split == "train" else 0)
    back = [convert(row, "IOB2", "IOB1") for row in second]
    assert [row for row, other in zip(first, back, strict=True) if row != other] == odd


@pytest.mark.parametrize("scheme", ["IOB1", "IOB2"])
def test_counts_on_conll_are_those_of_conlleval(real_data: Path, scheme: str):
    """Names that are moved, cut, renamed, left out and invented by a seed; every tag legal."""
    source = random.Random(2003)
    gold = [convert(row, "IOB1", scheme) for row in tags_of(real_data / "conll2003" / "eng.testb")]
    predicted = [
        convert(spoilt(source, row, scheme, 0.05), scheme, scheme, repair=True) for row in gold
    ]
    head = head_of(sorted({tag for row in [*gold, *predicted] for tag in row}), scheme)
    meter = registries["metric"].get("span-f1")(head)

    meter.update(*batch_of(gold, predicted, head.labels))

    counts = zip(
        *(part.tolist() for part in (meter.right, meter.predicted, meter.gold)), strict=True
    )
    found = dict(zip(meter._decoder.labels, counts, strict=True))
    expected = conlleval(gold, predicted)
    assert {label: found[label] for label in expected} == expected
    right, given, there = (sum(column) for column in zip(*expected.values(), strict=True))
    assert right < given != there
    assert float(meter.compute()) == pytest.approx(2 * right / (given + there), abs=1e-12)
