"""What the tests of ops share: files with known rows, and the notes that an op makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from mlrecipe import events


@pytest.fixture
def write(tmp_path):
    """A function that writes text or bytes to a named file and gives its path as text."""

    def write(name: str, content: str | bytes) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return write


@pytest.fixture
def notes():
    """The texts of the notes that are made during the test."""
    texts: list[str] = []

    def sink(event: events.Event) -> None:
        if isinstance(event, events.Note):
            texts.append(event.text)

    with events.listening(sink):
        yield texts


@pytest.fixture
def scratch(tmp_path) -> Path:
    """An empty folder, as the runner gives one to an op."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
def reviews() -> DatasetDict:
    """Eight train rows sorted by label, and four test rows."""
    return DatasetDict(
        {
            "train": table(8, lambda i: "neg" if i < 4 else "pos"),
            "test": table(4, lambda i: "neg" if i < 2 else "pos", start=100),
        }
    )


@pytest.fixture
def classes() -> Dataset:
    """Three rows with a `ClassLabel`."""
    features = Features({"text": Value("string"), "label": ClassLabel(names=["neg", "pos"])})
    return Dataset.from_dict({"text": ["a", "b", "c"], "label": [1, 0, 1]}, features=features)


def table(rows: int, label: Any, start: int = 0) -> Dataset:
    """Rows with an id, a text and a label."""
    ids = range(start, start + rows)
    return Dataset.from_dict(
        {
            "id": list(ids),
            "text": [f"review number {i}" for i in ids],
            "label": [label(i) for i in range(rows)],
        }
    )
