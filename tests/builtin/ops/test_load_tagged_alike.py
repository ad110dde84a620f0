"""Rows of words with tags, whatever their files: equal content is equal to the byte."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.projects import work

__all__ = ["work"]

pytestmark = pytest.mark.heavy

ROWS = [
    (["A.", "Cau,", "Formalising", "strategy."], ["author", "author", "title", "title"]),
    (["Ä.", '"Hash"', "to", "data."], ["author", "title", "title", "O"]),
    (["1992."], ["date"]),
]

RECIPE = """
name = "alike"
[nodes.inline]
use = "load-tagged"
train = "inline.txt"
[nodes.conll]
use = "load-conll"
train = "words.conll"
[nodes.lists]
use = "load-tokens"
train = "lists.jsonl"
[nodes.table]
use = "load-tokens"
train = "table.csv"
[nodes.named]
use = "load-conll"
train = "more.conll"
columns = ["tags", "_", "tokens"]
[nodes.gzipped]
use = "load-tokens"
train = "lists.jsonl.gz"
"""


def inline(words, tags) -> str:
    text, before = "", "O"
    for word, tag in zip(words, tags, strict=True):
        if tag != before:
            text += f" </{before}>" if before != "O" else ""
            text += f" <{tag}>" if tag != "O" else ""
        text, before = f"{text} {word}", tag
    return text.strip() + (f" </{before}>" if before != "O" else "")


def write_files(folder, rows) -> None:
    """The same rows in every layout."""
    import gzip

    pairs = [list(zip(*row, strict=True)) for row in rows]
    files = {
        "inline.txt": "".join(f"{inline(*row)}\n" for row in rows),
        "words.conll": "\n".join("".join(f"{w} {t}\n" for w, t in row) for row in pairs),
        "more.conll": "\n".join("".join(f"{t}\tx\t{w}\r\n" for w, t in row) for row in pairs),
        "lists.jsonl": "".join(json.dumps({"tokens": w, "labels": t}) + "\n" for w, t in rows),
        "table.csv": "text,tags\n" + "".join(
            '"' + " ".join(w).replace('"', '""') + '",' + " ".join(t) + "\n" for w, t in rows
        ),
    }  # fmt: skip
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8", newline="")
    (folder / "lists.jsonl.gz").write_bytes(gzip.compress(files["lists.jsonl"].encode()))


def digests(work, recipe: str) -> dict[str, str]:
    (work.folder / "recipe.toml").write_text(recipe)
    results = work.prepare()
    results.raise_failures()
    return {name: record.digest for name, record in results.records.items()}


def test_sequence_1_the_layouts_of_files_yield_identical_digests(work, monkeypatch):
    """Of what the store keeps; other rows have another."""
    monkeypatch.chdir(work.folder)
    write_files(work.folder, ROWS)

    found = digests(work, RECIPE)

    assert len(set(found.values())) == 1, found
    shutil.rmtree(work.folder / ".mlrecipe")
    write_files(work.folder, [*ROWS[:2], (["1993."], ["date"])])
    other = digests(work, RECIPE)
    assert len(set(other.values())) == 1
    assert other != found


def test_sequence_1_with_prefixes_too(work, monkeypatch):
    """Written so, or converted on the way."""
    monkeypatch.chdir(work.folder)
    tags = [
        ["B-author", "I-author", "B-title", "I-title"],
        ["B-author", "B-title", "I-title", "O"],
        ["B-date"],
    ]
    write_files(work.folder, ROWS)
    inline_text = (work.folder / "inline.txt").read_text(encoding="utf-8")
    write_files(work.folder, [(words, new) for (words, _), new in zip(ROWS, tags, strict=True)])
    (work.folder / "inline.txt").write_text(inline_text, encoding="utf-8")

    found = digests(
        work, RECIPE.replace('train = "inline.txt"', 'train = "inline.txt"\nto = "IOB2"')
    )
    converted = digests(work, RECIPE.replace("train =", 'to = "BIOES"\ntrain ='))

    assert len(set(found.values())) == 1, found
    assert len(set(converted.values())) == 1, converted
    assert set(converted.values()) != set(found.values())
