"""Real files of words with tags: official numbers of sentences, words and spans; run by `make test-real`."""

from __future__ import annotations

import gzip
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, DatasetDict

from mlrecipe.builtin.ops.deduplicate import deduplicate
from mlrecipe.builtin.ops.load_conll import load_conll
from mlrecipe.builtin.ops.load_slots import load_slots
from mlrecipe.builtin.ops.load_tagged import load_tagged
from mlrecipe.tagging.spans import read, spans

pytestmark = [pytest.mark.real, pytest.mark.heavy]

NAMES = ["tokens", "pos", "chunk", "tags"]

CONLL = {
    "train": (14_041, 203_621, {"LOC": 7140, "MISC": 3438, "ORG": 6321, "PER": 6600}),
    "valid": (3250, 51_362, {"LOC": 1837, "MISC": 922, "ORG": 1341, "PER": 1842}),
    "test": (3453, 46_435, {"LOC": 1668, "MISC": 702, "ORG": 1661, "PER": 1617}),
}
"""Sentences, words and entities of the English data, tables 1 and 2 of Tjong Kim Sang and De Meulder (2003)."""

DOCUMENTS = {"train": 946, "valid": 216, "test": 231}
"""Articles, of the same table 1."""

EWT = {"train": (12_544, 204_577), "valid": (2001, 25_147), "test": (2077, 25_094)}
"""Sentences and syntactic words of UD English EWT as it lies there."""


def count(rows: Dataset, column: str = "tokens") -> int:
    return sum(map(len, rows[column]))


@pytest.fixture(scope="module")
def conll(real_data: Path) -> dict[str, DatasetDict]:
    """CoNLL-2003 from its files in IOB1, and from those in IOB2."""
    root = real_data / "conll2003"
    files = {"train": "eng.train.gz", "valid": "eng.testa", "test": "eng.testb"}
    others = {"train": "train.txt.gz", "valid": "valid.txt", "test": "test.txt"}
    return {
        "IOB1": load_conll(
            **{k: str(root / v) for k, v in files.items()}, columns=NAMES, documents="column"
        ),
        "IOB2": load_conll(**{k: str(root / "iob2" / v) for k, v in others.items()}, columns=NAMES),
    }


@pytest.mark.parametrize("scheme", ["IOB1", "IOB2"])
@pytest.mark.parametrize("split", CONLL)
def test_conll_2003_has_its_official_numbers(
    conll: dict[str, DatasetDict], split: str, scheme: str
) -> None:
    """Sentences, words, and entities of each type."""
    rows = conll[scheme][split]
    sentences, words, entities = CONLL[split]

    found = Counter(span.label for tags in rows["tags"] for span in spans(tags, scheme))

    assert (len(rows), count(rows)) == (sentences, words)
    assert found == entities


@pytest.mark.parametrize("split", CONLL)
def test_both_schemes_of_conll_2003_have_the_same_spans(
    conll: dict[str, DatasetDict], split: str
) -> None:
    """Row for row, as conlleval reads them, and so have their chunks.

    Read strictly two sentences of train differ: their IOB1 has a B where none is needed.
    """
    first, second = conll["IOB1"][split], conll["IOB2"][split]

    assert first["tokens"][:] == second["tokens"][:]
    for column in ("tags", "chunk"):
        for one, other in zip(first[column], second[column], strict=True):
            assert read(one, "IOB1") == spans(other, "IOB2")


def test_iob1_is_read_into_iob2(conll: dict[str, DatasetDict], real_data: Path) -> None:
    """Tag for tag what the other files have."""
    train = str(real_data / "conll2003" / "eng.train.gz")

    found = load_conll(train=train, columns=NAMES, to="IOB2")["train"]

    assert found["tags"][:] == conll["IOB2"]["train"]["tags"][:]


def test_conll_2003_has_its_articles(conll: dict[str, DatasetDict]) -> None:
    """One for each line `-DOCSTART-`."""
    assert {name: max(rows["document"]) for name, rows in conll["IOB1"].items()} == DOCUMENTS


def test_ewt_has_its_official_numbers(real_data: Path) -> None:
    """Sentences, words and tags, against a reader of a few lines."""
    root = real_data / "ud_english_ewt"
    paths = {s: root / f"en_ewt-ud-{'dev' if s == 'valid' else s}.conllu.gz" for s in EWT}

    data = load_conll(**{split: str(path) for split, path in paths.items()})
    written = load_conll(test=str(paths["test"]), words="surface")["test"]

    for split, (sentences, words) in EWT.items():
        with gzip.open(paths[split], "rt", encoding="utf-8") as file:
            cells = [line.split("\t") for line in file if line[0].isdigit()]
        plain = [row for row in cells if row[0].isdigit()]
        assert (len(data[split]), count(data[split])) == (sentences, words)
        assert list(chain(*data[split]["tokens"])) == [row[1] for row in plain]
        assert list(chain(*data[split]["tags"])) == [row[3] for row in plain]
    assert len(set(chain(*data["train"]["tags"]))) == 17
    ranges = [row[0].split("-") for row in cells if "-" in row[0]]  # of test, which came last
    assert count(written) == EWT["test"][1] - sum(int(b) - int(a) for a, b in ranges)


def test_snips_has_its_official_numbers(real_data: Path) -> None:
    """Utterances, intents and slots."""
    data = load_slots(path=str(real_data / "snips"))

    assert {name: len(rows) for name, rows in data.items()} == {
        "train": 13_084, "valid": 700, "test": 700,
    }  # fmt: skip
    assert len(set(data["train"]["intent"])) == 7
    assert len(set(chain(*data["train"]["tags"]))) == 72


def test_cora_has_its_official_numbers(real_data: Path) -> None:
    """References, tags, words in tags; and five full stops that are in none."""
    path = str(real_data / "cora_refs" / "tagged_references.txt")

    inside = load_tagged(train=path, outside="drop")["train"]
    rows = load_tagged(train=path)["train"]

    tags: list[Any] = list(chain(*inside["tags"]))
    assert (len(inside), len(tags), len(set(tags))) == (500, 11_604, 13)
    outside = Counter(
        word
        for row in rows
        for word, tag in zip(row["tokens"], row["tags"], strict=True)
        if tag == "O"
    )
    assert outside == {".": 5}


def test_sequence_12_what_splits_of_conll_2003_share_is_removed(
    conll: dict[str, DatasetDict],
) -> None:
    """No sentence of test is in train any more, and test has all of its own."""
    data = conll["IOB2"]

    clean = deduplicate(data, columns=["tokens"], across_splits=True, splits=["train"])

    of_test = {tuple(words) for words in data["test"]["tokens"]}
    assert any(tuple(words) in of_test for words in data["train"]["tokens"])
    assert not any(tuple(words) in of_test for words in clean["train"]["tokens"])
    assert len(clean["test"]) == len(data["test"])
