"""Files that are hashed while they are written."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest

from mlrecipe.interfaces import Summary
from mlrecipe.store import Store, hashing, objects
from mlrecipe.store.hashing import HashingFile
from mlrecipe.store.outputs import save
from tests.store.pages import computation

SIZES = [
    (),
    (0,),
    (1,),
    (100, 5, 70_000),
    (70_000, 100),
    (65_536,),
    (9_000_000, 3),
    (300_000,) * 40,
]


def pieces(sizes):
    return [os.urandom(size) for size in sizes]


@pytest.mark.parametrize("ahead", [hashing._AHEAD, -1], ids=["in step", "left behind"])
@pytest.mark.parametrize("sizes", SIZES, ids=range(len(SIZES)))
def test_a_file_is_hashed_as_it_is_written(tmp_path, monkeypatch, sizes, ahead):
    """Small pieces and large, from memory or read again because the thread was slow."""
    monkeypatch.setattr(hashing, "_AHEAD", ahead)
    data = pieces(sizes)

    with HashingFile(tmp_path / "x") as file:
        for piece in data:
            assert file.write(piece) == len(piece)

    assert (tmp_path / "x").read_bytes() == b"".join(data)
    assert file.hexdigest() == hashlib.sha256(b"".join(data)).hexdigest()


def test_hashing_uses_a_thread_that_ends_with_the_file(tmp_path):
    """Also when writing fails half-way."""
    before = threading.active_count()
    file = HashingFile(tmp_path / "x")

    def write():
        with file:
            file.write(bytes(1_000_000))
            assert threading.active_count() == before + 1
            raise ValueError("half-way")

    with pytest.raises(ValueError, match="half-way"):
        write()

    file.hexdigest()
    assert threading.active_count() == before


def test_what_the_thread_cannot_read_is_read_when_the_hash_is_asked_for(tmp_path, monkeypatch):
    """A hash is never that of a part."""
    monkeypatch.setattr(hashing, "_AHEAD", -1)

    def fail(file, size, total):
        raise OSError("the disk hiccuped")

    with monkeypatch.context() as patched:
        patched.setattr(hashing, "_hash_next", fail)
        with HashingFile(tmp_path / "x") as file:
            file.write(bytes(200_000))
        file._thread.join()

    assert file.hexdigest() == hashlib.sha256(bytes(200_000)).hexdigest()


class Twice:
    """A format that writes to a file again after it was closed."""

    def save(self, value: object, folder: Path) -> None:
        with HashingFile(folder / "x") as file:
            file.write(bytes(200_000))
        with (folder / "x").open("ab") as again:
            again.write(b"more")

    def load(self, folder: Path) -> object:
        return None

    def describe(self, value: object) -> Summary:
        return Summary(kind="x")


def test_store_36_a_file_that_changed_after_it_was_hashed_is_hashed_again(tmp_path):
    """The hash in the manifest is that of the bytes on the disk."""
    store = Store(tmp_path / "store")
    store.publish(1, computation())

    (tmp_path / "draft").mkdir()
    made = save(None, "twice", Twice(), draft=tmp_path / "draft", paths=store._paths)

    assert made.bytes == 200_004
    assert objects.corruption(store._paths.object(made.digest), made.digest) == ""
