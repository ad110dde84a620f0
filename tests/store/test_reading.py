"""Reading diskcache's index without diskcache."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from mlrecipe.store.diskcache_index import DiskcacheIndex
from mlrecipe.store.reading import ReadFirst


class Opening:
    """Opens the index, and counts how often."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0

    def __call__(self) -> DiskcacheIndex:
        self.count += 1
        return DiskcacheIndex(self.folder)


@pytest.fixture
def opening(tmp_path):
    """An index on the disk, with one row."""
    index = DiskcacheIndex(tmp_path / "index")
    index.update({"key": "é 😀", "nul\0": ""})
    index.close()
    return Opening(tmp_path / "index")


@pytest.fixture
def first(opening):
    """What reads it."""
    made = ReadFirst(opening.folder / "cache.db", opening)
    yield made
    made.close()


def change(opening, sql, *values):
    """Change the index behind its back."""
    with sqlite3.connect(opening.folder / "cache.db") as connection:
        connection.execute(sql, values)
    connection.close()


def test_rows_are_read_without_opening_the_index(first, opening):
    """Those that are there and those that are not."""
    assert (first.get("key"), first.get("nul\0"), first.get("other")) == ("é 😀", "", None)
    assert opening.count == 0


def test_what_is_written_is_read(first, opening):
    """Writing opens the index, once; from then on it answers."""
    first.update({"key": "changed", "a": "b"})
    first.delete("a")

    assert (first.get("key"), first.get("a"), first.keys("")) == ("changed", None, ["key", "nul\0"])
    assert opening.count == 1


def test_what_another_writes_is_read(first, opening):
    """A reader holds no old state."""
    first.get("key")
    change(opening, "UPDATE Cache SET value = 'new' WHERE key = 'key'")

    assert first.get("key") == "new"


@pytest.mark.parametrize(
    "planted", ["mode = 4", "filename = '../x'", "value = 7", "raw = 0", "value = x'00'"]
)
def test_store_41_a_row_that_no_index_writes_is_none(first, opening, planted):
    """No pickle is loaded and no file opened."""
    change(opening, f"UPDATE Cache SET {planted}")

    assert first.get("key") is None


def test_store_41_a_planted_setting_is_left_to_the_index(opening):
    """It refuses to open, as it says itself."""
    change(opening, "INSERT INTO Settings VALUES ('disk_evil', 'x')")
    first = ReadFirst(opening.folder / "cache.db", opening)

    with pytest.raises(Exception, match="disk_evil"):
        first.get("key")

    assert opening.count == 1


@pytest.mark.parametrize("damage", [b"", b"garbage" * 1000, None])
def test_a_file_that_cannot_be_read_is_left_to_the_index(opening, damage):
    """Empty, damaged or gone: what to do is known there; nothing is made here."""
    path = opening.folder / "cache.db"
    for each in opening.folder.iterdir():
        each.unlink()
    if damage is not None:
        path.write_bytes(damage)
    first = ReadFirst(path, opening)

    assert path.exists() == (damage is not None)
    if damage:
        with pytest.raises(Exception, match="not a database"):
            first.get("key")
    else:
        assert first.get("key") is None
    assert opening.count == 1
    first.close()


def test_another_thread_does_not_use_the_connection(first, opening):
    """It asks the index; the thread that made the reader may go on with it."""
    found = []
    thread = threading.Thread(target=lambda: found.append(first.get("key")))
    thread.start()
    thread.join()

    assert found == ["é 😀"]
    assert opening.count == 1
    assert first.get("key") == "é 😀"
