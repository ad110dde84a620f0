"""Stamps of files, by which remembered digests are trusted."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from mlrecipe.code import stamps
from mlrecipe.code.stamps import RACY_NS, is_settled, stamp


def test_an_edit_changes_the_stamp_even_with_the_old_time(tmp_path):
    """Same size and mtime set back: the ctime tells."""
    path = tmp_path / "file"
    path.write_text("one")
    before, info = stamp(path), path.stat()

    path.write_text("two")
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))

    assert path.stat().st_mtime_ns == info.st_mtime_ns
    assert stamp(path) != before


@pytest.mark.parametrize("name", ["st_dev", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns"])
def test_store_13_each_thing_that_a_file_system_says_counts(tmp_path, monkeypatch, name):
    """A file on another disk, another file, another size, a changed time: each alone."""
    path = tmp_path / "file"
    path.write_text("one")
    before, info = stamp(path), os.stat(path)
    said = {n: getattr(info, n) for n in dir(info) if n.startswith("st_")}

    said[name] += 1
    with monkeypatch.context() as patch:
        patch.setattr(stamps.os, "stat", lambda _: SimpleNamespace(**said))
        after = stamp(path)

    assert after != before


def test_a_missing_file_has_no_stamp(tmp_path):
    """There is nothing to say of it."""
    assert stamp(tmp_path / "none") is None


def test_a_stamp_is_trusted_once_it_is_old_enough(tmp_path):
    """Within the window a second edit could have the same stamp."""
    path = tmp_path / "file"
    path.write_text("one")
    text, changed = stamp(path), max(path.stat().st_mtime_ns, path.stat().st_ctime_ns)

    assert not is_settled(text, now=changed + RACY_NS)
    assert is_settled(text, now=changed + RACY_NS + 1)
