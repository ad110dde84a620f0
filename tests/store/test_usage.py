"""Usage: who uses what, and how much space it takes."""

from __future__ import annotations

import os

import pytest

from mlrecipe.errors import StoreError
from mlrecipe.store import usage
from tests.store.pages import BOOK, Pages, computation, fingerprint


def below(root):
    files = (os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names)
    return sum(os.lstat(path).st_size for path in files)


def test_the_parts_add_up_to_all_that_the_store_takes(store):
    """To the byte."""
    store.publish(BOOK, computation())
    store.publish("small", computation("small"))
    store.close()

    parts = usage.parts(store.paths)

    assert sum(parts.values()) == below(store.root)
    assert parts["objects"] == below(store.paths.objects) > 0


def test_each_object_is_in_one_share(store):
    """What recipes share is told apart from what each has alone, and from what nobody has."""
    big = Pages({"a.txt": "x" * 5000})
    store.publish(BOOK, computation("one", recipe="one.toml"))
    store.publish(BOOK, computation("other", recipe="other.toml"))
    store.publish(big, computation("big", recipe="one.toml"))
    lost = store.publish(Pages({"b": "y"}), computation("lost"))
    store.paths.record(lost.fingerprint).unlink()

    found = usage.census(store)
    shares = usage.shares(found)

    assert [(s.recipes, s.results, s.objects) for s in shares] == [
        (("one.toml",), 1, 1), (("one.toml", "other.toml"), 2, 1), ((), 0, 1),
    ]  # fmt: skip
    assert sum(share.bytes for share in shares) == usage.parts(store.paths)["objects"]


def test_a_node_that_uses_the_result_of_another_shares_it(store):
    """It never ran, but found the result there."""
    record = store.publish(BOOK, computation("one", recipe="one.toml"))
    store.note_use(record, recipe="other.toml", node="again")

    found = usage.census(store)

    assert found.newest["other.toml", "again"] == record.fingerprint
    assert [share.recipes for share in usage.shares(found)] == [("one.toml", "other.toml")]


def test_the_newest_result_of_a_node_is_the_one_used_last(store):
    """Not the one computed last."""
    first = store.publish("first", computation("first"))
    store.publish("second", computation("second", created="2026-02-01T00:00:00+00:00"))
    assert usage.census(store).newest["imdb.toml", "clean"] == fingerprint("second")

    store.note_use(first, recipe="imdb.toml", node="clean")

    assert usage.census(store).newest["imdb.toml", "clean"] == fingerprint("first")


def test_without_an_index_the_newest_is_the_one_computed_last(store):
    """The index can be deleted at any moment."""
    store.publish("second", computation("second", created="2026-02-01T00:00:00+00:00"))
    store.publish("first", computation("first"))
    store.close()
    os.rename(store.paths.index, store.root / "away")

    found = usage.census(store)

    assert found.newest == {("imdb.toml", "clean"): fingerprint("second")}
    assert not store.paths.index.exists()


def test_records_that_have_not_changed_are_not_read_again(store):
    """A second look costs little."""
    store.publish("first", computation("first"))
    before = usage.census(store)
    store.publish("second", computation("second"))

    again = usage.census(store, before=before)

    assert again.entries[fingerprint("first")].record is before.entries[fingerprint("first")].record
    assert fingerprint("second") in again.entries


def test_a_folder_that_cannot_be_read_is_no_empty_one(store):
    """Else a gc would take everything for leftovers."""
    record = store.publish(BOOK, computation())
    folder = store.paths.record(record.fingerprint).parent
    os.rename(folder, store.root / "away")
    folder.symlink_to(folder)

    with pytest.raises(StoreError, match="cannot read the store's folder"):
        usage.census(store)


@pytest.mark.parametrize(
    ("node", "whole"),
    [("tokens[2/7]", "tokens"), ("tokens", "tokens"), ("a[1]", "a[1]"), ("a[1/2]b", "a[1/2]b")],
)
def test_the_node_that_a_shard_is_of(node, whole):
    """By the name of its record."""
    assert usage.whole(node) == whole
