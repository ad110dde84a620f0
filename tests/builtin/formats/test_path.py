"""Files and folders as outputs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlrecipe import DataError
from mlrecipe.store import Store
from tests.store.pages import computation


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A new store."""
    return Store(tmp_path / "store")


def publish(store: Store, value: object, name: str = "clean") -> Path:
    """The path that a published path loads as."""
    found = store.load(store.publish(value, computation(name)))
    assert isinstance(found, Path)
    return found


def test_a_file_keeps_its_name_and_a_folder_loses_it(store, tmp_path):
    """Readers look at a file's ending; the name of a scratch folder is chance."""
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "a.csv").write_text("x")

    records = [store.publish(p, computation(p.name)) for p in (one, other, one / "deep" / "a.csv")]

    assert records[0].digest == records[1].digest != records[2].digest
    assert store.load(records[2]).name == "a.csv"
    assert (store.load(records[0]) / "deep" / "a.csv").read_text() == "x"
    assert records[0].summary["schema"] == {"deep/a.csv": "1 bytes"}


def test_what_is_in_scratch_is_taken_without_a_copy(store):
    """A checkpoint of ten gigabytes is not written twice."""
    with store.scratch() as scratch:
        (scratch / "x.bin").write_bytes(b"abc")
        number = (scratch / "x.bin").stat().st_ino
        found = publish(store, scratch)

    assert (found / "x.bin").stat().st_ino == number
    assert (found / "x.bin").read_bytes() == b"abc"


def test_what_is_elsewhere_is_copied_and_stays_as_it_was(store, tmp_path):
    """The user's own files are neither moved nor made read-only."""
    path = tmp_path / "mine.txt"
    path.write_text("mine")
    path.chmod(0o640)

    found = publish(store, path)

    assert found.stat().st_ino != path.stat().st_ino
    assert path.stat().st_mode & 0o777 == 0o640
    path.write_text("changed")
    assert found.read_text() == "mine"


def test_a_user_s_file_that_is_linked_into_scratch_is_copied(store, tmp_path):
    """A file that has another name somewhere is somebody's."""
    path = tmp_path / "mine.txt"
    path.write_text("mine")
    with store.scratch() as scratch:
        os.link(path, scratch / "hard.txt")
        (scratch / "soft.txt").symlink_to(path)
        found = publish(store, scratch)
    path.write_text("changed")

    assert (found / "hard.txt").read_text() == (found / "soft.txt").read_text() == "mine"
    assert path.stat().st_mode & 0o200


def test_one_file_can_be_returned_twice(store):
    """Also where the first has taken it from scratch."""
    with store.scratch() as scratch:
        (scratch / "x.txt").write_text("x")
        both = store.publish({"a": scratch / "x.txt", "b": scratch / "x.txt"}, computation())

    assert [path.read_text() for path in store.load(both).values()] == ["x", "x"]


def test_a_path_that_was_loaded_can_be_returned(store):
    """An op may hand on what it was given."""
    with store.scratch() as scratch:
        (scratch / "x.txt").write_text("x")
        first = store.publish(scratch / "x.txt", computation("first"))

    second = store.publish(store.load(first), computation("second"))

    assert second.digest == first.digest


@pytest.mark.parametrize("kind", ["missing", "empty", "link to a folder", "broken link", "pipe"])
def test_what_is_no_file_is_refused(store, tmp_path, kind):
    """Nothing is followed out of the folder, and nothing waits for a pipe."""
    root = tmp_path / "root"
    root.mkdir()
    if kind == "missing":
        root.rmdir()
    elif kind == "link to a folder":
        (root / "odd").symlink_to("/")
    elif kind == "broken link":
        (root / "odd").symlink_to(root / "nowhere")
    elif kind == "pipe":
        os.mkfifo(root / "odd")

    with pytest.raises(DataError, match=r"there is nothing in|neither a file nor a folder"):
        publish(store, root)
