"""Small data sets of words and tags, in the layouts of CoNLL-2003, English Web Treebank, SNIPS and Cora."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple


class Word(NamedTuple):
    """A word with its parts of speech and its entity."""

    text: str
    pos: str
    universal: str
    entity: str = "O"


PEOPLE = [("Ada", "Lovelace"), ("Grace", "Hopper"), ("Alan", "Turing"), ("Mary", "Shelley")]
PLACES = ["London", "Paris", "Oslo", "Geneva"]
VERBS = ["visited", "left", "praised"]
SENTENCES = [
    [
        Word(first, "NNP", "PROPN", "PER"), Word(last, "NNP", "PROPN", "PER"),
        Word(verb, "VBD", "VERB"), Word(place, "NNP", "PROPN", "LOC"), Word(".", ".", "PUNCT"),
    ]
    for (first, last), verb, place in product(PEOPLE, VERBS, PLACES)
]  # fmt: skip
"""48 sentences of five words, two of which are a person and one a place."""

REQUESTS = [
    ("play {} by {}", "O B-track O B-artist", "PlayMusic", ("hello", "adele")),
    ("weather in {} {}", "O O B-city I-city", "GetWeather", ("new", "york")),
]
"""Words with gaps, slots, intent, and what stands in the gaps."""


def write_conll(folder: Path, *, each: int = 16) -> None:
    """`eng.train.gz`, `eng.testa` and `eng.testb`, in IOB1 as CoNLL-2003 has it."""
    folder.mkdir(parents=True)
    with gzip.open(folder / "eng.train.gz", "wt") as file:
        file.write(_conll(SENTENCES[:each]))
    (folder / "eng.testa").write_text(_conll(SENTENCES[each : 2 * each]))
    (folder / "eng.testb").write_text(_conll(SENTENCES[2 * each : 3 * each]))


def _conll(sentences: Sequence[Sequence[Word]]) -> str:
    lines = ["-DOCSTART- -X- O O", ""]
    for words in sentences:
        for word in words:
            tag = word.entity if word.entity == "O" else f"I-{word.entity}"
            lines.append(f"{word.text} {word.pos} I-NP {tag}")
        lines.append("")
    return "\n".join(lines) + "\n"


def write_treebank(folder: Path, *, each: int = 16) -> None:
    """Three CoNLL-U files, gzipped, each sentence with a multi-word token and an empty node."""
    folder.mkdir(parents=True)
    for number, name in enumerate(("train", "dev", "test")):
        with gzip.open(folder / f"en_ewt-ud-{name}.conllu.gz", "wt") as file:
            for row, words in enumerate(SENTENCES[number * each : (number + 1) * each]):
                file.write(_conllu(f"{name}-{row}", words))


def _conllu(name: str, words: Sequence[Word]) -> str:
    """Its first two words are written as one."""
    rows = [["1-2", words[0].text + words[1].text, *"________"]]
    for number, word in enumerate(words, 1):
        feats = ["_", str(max(0, number - 1)), "dep" if number > 1 else "root", "_", "_"]
        rows.append([str(number), word.text, word.text.lower(), word.universal, word.pos, *feats])
    rows.append([f"{len(words)}.1", "left", "leave", "VERB", "VBD", *"_____"])
    text = " ".join(word.text for word in words)
    lines = [f"# sent_id = {name}", f"# text = {text}", *("\t".join(row) for row in rows), "", ""]
    return "\n".join(lines)


def write_requests(folder: Path, *, each: int = 16) -> None:
    """Folders train, valid and test with `seq.in`, `seq.out` and `label`, a space at some lines' end."""
    for name in ("train", "valid", "test"):
        (folder / name).mkdir(parents=True)
        rows = [REQUESTS[number % len(REQUESTS)] for number in range(each)]
        texts = [text.format(*filling) for text, _, _, filling in rows]
        (folder / name / "seq.in").write_text("".join(f"{text} \n" for text in texts))
        (folder / name / "seq.out").write_text("".join(f"{slots}\n" for _, slots, _, _ in rows))
        (folder / name / "label").write_text("".join(f"{intent}\n" for _, _, intent, _ in rows))


def write_references(folder: Path, *, rows: int = 40) -> None:
    """`tagged_references.txt`, one reference a line, as Cora has them; two lines are the same."""
    folder.mkdir(parents=True)
    lines = []
    for number in range(rows - 1):
        first, last = PEOPLE[number % len(PEOPLE)]
        place = PLACES[number % len(PLACES)]
        lines.append(
            f"<author> {first[0]}. {last}. </author> <title> A visit to {place}, part {number}. </title> "
            f"<journal> Travels, </journal> <volume> {number}(2), </volume> <date> {1900 + number}. </date>"
        )
    (folder / "tagged_references.txt").write_text("\n".join([*lines, lines[0]]) + "\n")
