"""Recipes for a person's own file of words with tags."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tomli

from mlrecipe.errors import DataError
from mlrecipe.scaffold.project import create
from mlrecipe.scaffold.sequences import Sequences, look
from mlrecipe.scaffold.tagging import from_sequences

WORDS = ["Ada", "Lovelace", "left", "Paris", "."]
TAGS = ["B-PER", "I-PER", "O", "B-LOC", "O"]
IOB1 = [tag.replace("B-", "I-") for tag in TAGS]


def conll(tags: list[str] = TAGS, *, line: str = "{word} NN {tag}", rows: int = 30) -> str:
    """A word a line, with a line between documents as CoNLL-2003 has it."""
    lines = [line.format(word=word, tag=tag) for word, tag in zip(WORDS, tags, strict=True)]
    row = "\n".join(lines) + "\n\n"
    return "-DOCSTART- -X- O\n\n" + row * rows


def inline(rows: int = 30) -> str:
    return "<author> Ada Lovelace </author> <title> A visit to Paris . </title>\n" * rows


def conllu(rows: int = 30) -> str:
    tags = ["PROPN", "PROPN", "VERB", "PROPN", "PUNCT"]
    lines = ["# text = Ada Lovelace left Paris.", "1-2\tAda Lovelace" + "\t_" * 8]
    for number, (word, tag) in enumerate(zip(WORDS, tags, strict=True), start=1):
        lines.append(f"{number}\t{word}\t{word}\t{tag}\tX" + "\t_" * 5)
    return ("\n".join(lines) + "\n\n") * rows


def jsonl(words: str = "tokens", tags: str = "tags", rows: int = 30) -> str:
    return (json.dumps({words: WORDS, tags: TAGS, "id": 7}) + "\n") * rows


def csv(rows: int = 30) -> str:
    return "text,slots\n" + f"{' '.join(WORDS)},{' '.join(TAGS)}\n" * rows


def looked(folder: Path, name: str, text: str) -> Sequences | None:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return look(path)


def recipe_of(found: Sequences | None) -> dict[str, Any]:
    assert found is not None
    return tomli.loads(from_sequences(found, name="mine"))


FILES: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "conll": ("a.conll", conll(), {"use": "load-conll"}, "IOB2"),
    "text": ("a.txt", conll(line="{word}\t{tag}"), {"use": "load-conll"}, "IOB2"),
    "iob1": ("a.iob", conll(IOB1), {"use": "load-conll", "scheme": "IOB1", "to": "IOB2"}, "IOB1"),
    "tag first": (
        "a.bio", conll(line="{tag}\t{word}"),
        {"use": "load-conll", "columns": {"tokens": -1, "tags": 1}}, "IOB2",
    ),
    "conllu": ("a.conllu", conllu(), {"use": "load-conll"}, "plain"),
    "inline": ("a.txt", inline(), {"use": "load-tagged"}, "plain"),
    "jsonl": ("a.jsonl", jsonl(), {"use": "load-tokens"}, "IOB2"),
    "named": (
        "a.jsonl", jsonl("words", "ner_tags"),
        {"use": "load-tokens", "tokens": "words", "tags": "ner_tags"}, "IOB2",
    ),
    "csv": ("a.csv", csv(), {"use": "load-tokens", "tokens": "text", "tags": "slots"}, "IOB2"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_words_with_tags_is_told_from_a_table(tmp_path: Path, name: str) -> None:
    """Its layout, its scheme, and what is in it."""
    file, text, node, scheme = FILES[name]

    found = looked(tmp_path, file, text)

    assert found is not None
    assert (found.rows, found.scheme) == (30, scheme)
    assert found.count == 30 * (7 if name == "inline" else 5)
    assert recipe_of(found)["nodes"]["rows"] == {"train": file, **node}


def test_the_recipe_says_what_the_tags_are_of(tmp_path: Path) -> None:
    """Labels without prefixes in its first lines, counts beside the task, and a metric for spans."""
    found = looked(tmp_path, "a.conll", conll())
    assert found is not None

    text = from_sequences(found, name="mine")

    assert text.startswith(
        "# Tags words (LOC, PER), learned from 30 rows with 150 words of a.conll"
    )
    assert "O 60, B-LOC 30, B-PER 30, I-PER 30" in " ".join(text.split("\n# "))
    assert tomli.loads(text)["task"]["metrics"] == ["span-f1", "accuracy"]
    assert tomli.loads(text)["train"]["monitor"] == "valid/span-f1"


def test_runs_of_one_tag_are_judged_where_they_are_long(tmp_path: Path) -> None:
    """Fields of a reference are spans; parts of speech are not."""
    fields = recipe_of(looked(tmp_path, "a.txt", inline()))["task"]["metrics"]
    speech = recipe_of(looked(tmp_path, "a.conllu", conllu()))["task"]["metrics"]

    assert fields == ["accuracy", "f1-macro", "span-f1"]
    assert speech == ["accuracy", "f1-macro"]


def test_a_compressed_file_is_looked_into(tmp_path: Path) -> None:
    """And its recipe is named without the endings."""
    path = tmp_path / "my words.conll.gz"
    path.write_bytes(gzip.compress(conll().encode()))

    written = create(tmp_path, table=path)

    assert sorted(p.name for p in written) == [".gitignore", "my-words.toml"]


@pytest.mark.parametrize(
    "text",
    [
        "text,label\n" + "some words,good\n" * 30,
        "text\tlabel\n" + "some words\tgood\n\nother words\tbad\n" * 30,
        "text,topics\n" + "O my dear,B-side\n" * 30,
    ],
)
def test_a_table_stays_a_table(tmp_path: Path, text: str) -> None:
    """Whatever its cells or its empty lines look like."""
    assert looked(tmp_path, "a.csv" if "," in text else "a.tsv", text) is None


def test_lists_that_are_no_tags_are_none(tmp_path: Path) -> None:
    """Several labels a row are no tags of its words."""
    row = {"text": "some words", "topics": ["a", "b", "c"], "labels": ["x"]}

    assert looked(tmp_path, "a.jsonl", (json.dumps(row) + "\n") * 30) is None


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.conll", "some words of a text\nand others\n", "does not have a word with its tag in"),
        ("a.conll", conll(rows=3), "'a.conll' has 3 rows, too few"),
        ("a.iob", "word O\n", "'a.iob' has 1 row, too few"),
        ("a.jsonl", jsonl() + '{"tokens": ["a", "b"], "tags": ["O"]}\n',
         r"row 31 of 'a.jsonl' has 2 words and 1 tag\b"),
        ("a.jsonl", '{"tokens": ["a", "b"], "tags": ["O"]}\n' * 30,
         r"row 1 of 'a.jsonl' has 2 words and 1 tag\b"),
        ("a.conll", "Ada B-PER\nleft O\n\nin O\nParis\n",
         "in every line: line 5 of 'a.conll' has 1 column, the others have 2"),
        ("a.txt", conll() + "Paris NN\n",
         "line 183 of 'a.txt' has 2 columns, the others have 3"),
        ("a.conll", "Ada\nleft\n", "there is one column"),
        ("a.conll", conll(["B-PER", "x", "O", "O", "O"]), "has a prefix, tag 'x' has none"),
    ],
)  # fmt: skip
def test_what_cannot_be_learnt_from_is_refused(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    """With the place, before anything is written."""
    (tmp_path / name).write_text(text, encoding="utf-8")

    with pytest.raises(DataError, match=message):
        create(tmp_path / "p", table=tmp_path / name)

    assert not (tmp_path / "p").exists()


def test_a_file_of_an_unknown_kind_is_told_of_all_endings(tmp_path: Path) -> None:
    """Those with a word a line among them."""
    (tmp_path / "a.bin").write_text("x")

    with pytest.raises(DataError) as caught:
        create(tmp_path / "p", table=tmp_path / "a.bin")

    assert ".conllu" in str(caught.value.hint)


def test_looking_at_words_imports_nothing_heavy(tmp_path: Path) -> None:
    """It needs no library of data or training."""
    (tmp_path / "a.conll").write_text(conll())
    code = (
        "import sys; from pathlib import Path; from mlrecipe.scaffold.project import create;"
        f"create(Path({str(tmp_path / 'p')!r}), table=Path({str(tmp_path / 'a.conll')!r}));"
        "heavy = {'torch', 'numpy', 'pandas', 'pyarrow', 'datasets', 'transformers'};"
        "sys.exit(', '.join(heavy & set(sys.modules)) or None)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
