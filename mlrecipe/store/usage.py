"""Usage: what is in a store, what it is for, and how much space it takes."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mlrecipe.errors import StoreError
from mlrecipe.interfaces import Digest, Fingerprint
from mlrecipe.store import records
from mlrecipe.store.layout import Layout
from mlrecipe.store.records import Record

if TYPE_CHECKING:
    from mlrecipe.store.store import Store

NodeKey = tuple[str, str]
"""A recipe's path, and the name of a node of it."""


_LATEST = "latest:"  # how the ledger begins the keys of these rows
_SHARD = re.compile(r"(.+)\[\d+/\d+\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A record, with what its file and its object tell. Times are seconds since 1970."""

    record: Record
    path: Path

    bytes: int
    """Size of the record's own file."""

    written: float

    used: float
    """When its output was made, loaded or found again the last time, as far as that is known."""

    stamp: tuple[int, int] = (0, 0)
    """Tells whether the file is still the one that was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An object's folder, or whatever else has a size."""

    path: Path
    bytes: int

    touched: float
    """When it was written, or used the last time; in seconds since 1970."""


@dataclass(slots=True, kw_only=True)
class Census:
    """All records and objects of a store at one moment."""

    paths: Layout
    entries: dict[Fingerprint, Entry] = field(default_factory=dict)
    objects: dict[Digest, Item] = field(default_factory=dict)

    unreadable: dict[Path, str] = field(default_factory=dict)
    """Files among the records that are none, or cannot be read, and why."""

    unseen: dict[Path, str] = field(default_factory=dict)
    """Those of them that may be whole: what they need cannot be told."""

    newest: dict[NodeKey, Fingerprint] = field(default_factory=dict)
    """Node → the record that it made or used last."""

    holders: dict[Digest, list[Fingerprint]] = field(default_factory=dict)
    """Output → the records that have it."""

    users: dict[Digest, set[NodeKey]] = field(default_factory=dict)
    """Output → the nodes that made it, or that it is the newest of."""

    pins: set[Fingerprint] = field(default_factory=set)

    def item(self, entry: Entry) -> Item | None:
        """The object of a record, if it has one and it is there."""
        return self.objects.get(entry.record.digest)

    @property
    def unreferenced(self) -> dict[Digest, Item]:
        """Objects that no record has."""
        return {d: item for d, item in self.objects.items() if d not in self.holders}


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What some recipes alone use of the objects; each object is in one share."""

    recipes: tuple[str, ...]
    """None: no record has them."""

    results: int
    objects: int
    bytes: int


def census(store: Store, *, before: Census | None = None) -> Census:
    """Look at all records and objects; records that are as `before` are not read again.

    Raises:
        StoreError: a newer mlrecipe wrote the store, or a folder of it cannot be read.
    """
    found = Census(paths=store.paths)
    known = {entry.path: entry for entry in before.entries.values()} if before else {}
    for path in _records(found.paths):
        try:
            entry = _entry(path, known.get(path))
        except FileNotFoundError:
            continue
        except ValueError as error:
            found.unreadable[path] = str(error)
            continue
        except IsADirectoryError:
            found.unreadable[path] = "it is a folder"
            continue
        except OSError as error:
            found.unreadable[path] = found.unseen[path] = error.strerror or str(error)
            continue
        found.entries[entry.record.fingerprint] = entry
        found.holders.setdefault(entry.record.digest, []).append(entry.record.fingerprint)
    found.objects = _objects(found.paths)
    found.pins = {Fingerprint(path.name) for path in _children(found.paths.pins)}
    _note_uses(found, latest(store))
    return found


def shares(found: Census) -> list[Share]:
    """Who uses how much, the most first; together the bytes of all objects."""
    groups: dict[tuple[str, ...], tuple[list[Fingerprint], list[Item]]] = {}
    for digest in sorted(found.holders.keys() | found.objects.keys()):
        names = tuple(sorted({recipe for recipe, _ in found.users.get(digest, ())}))
        results, items = groups.setdefault(names, ([], []))
        results += found.holders.get(digest, [])
        items += [found.objects[digest]] if digest in found.objects else []
    made = [
        Share(recipes=names, results=len(r), objects=len(i), bytes=sum(item.bytes for item in i))
        for names, (r, i) in groups.items()
    ]
    return sorted(made, key=lambda share: (-share.bytes, share.recipes))


def whole(node: str) -> str:
    """The node that a record's is a shard of, `tokens` for `tokens[2/7]`; any other as it is."""
    found = _SHARD.fullmatch(node)
    return found[1] if found else node


def inputs(record: Record) -> list[tuple[str, Digest]]:
    """Node and digest of each input of a result, as far as its record tells."""
    listed = record.parts.get("digests")
    pairs = [pair for pair in listed if isinstance(pair, list)] if isinstance(listed, list) else []
    return [(str(pair[0]), Digest(str(pair[1]))) for pair in pairs if len(pair) == 2]


def size(path: Path) -> int:
    """Bytes of all files at and below a path; what vanishes meanwhile does not count."""
    try:
        if path.is_symlink() or not path.is_dir():
            return path.lstat().st_size
        with os.scandir(path) as found:
            return sum(size(Path(entry.path)) for entry in found)
    except OSError:
        return 0


def parts(paths: Layout) -> dict[str, int]:
    """Bytes of each part of a store; together all that it takes."""
    named = {
        "objects": paths.objects, "records": paths.records, "index": paths.index,
        "temporary": paths.tmp, "quarantine": paths.quarantine, "trash": paths.trash,
    }  # fmt: skip
    sizes = {name: size(path) for name, path in named.items()}
    return {**sizes, "other": max(0, size(paths.root) - sum(sizes.values()))}


def sizes(store: Store) -> dict[str, int]:
    """`parts` of a store, without what its index takes only while this process has it open.

    Raises:
        StoreError: a newer mlrecipe wrote the store.
    """
    store.close()
    return parts(store.paths)


def _entry(path: Path, known: Entry | None) -> Entry:
    """The record in a file; the one that is known, if the file has not changed.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no record, or not the one that its name says.
    """
    found = path.stat()
    stamp = (found.st_ino, found.st_mtime_ns)
    if known is not None and known.stamp == stamp:
        return known
    record = records.from_bytes(path.read_bytes())
    if record.fingerprint != path.stem:
        raise ValueError("it is that of another computation")
    return Entry(
        record=record, path=path, bytes=found.st_size, written=found.st_mtime,
        used=found.st_mtime, stamp=stamp,
    )  # fmt: skip


def _records(paths: Layout) -> Iterator[Path]:
    for folder in _children(paths.records):
        yield from (path for path in _children(folder) if path.suffix == ".json")


def _objects(paths: Layout) -> dict[Digest, Item]:
    found = {}
    for shard in _children(paths.objects):
        for path in _children(shard):
            with suppress(OSError):
                if records.is_hash(path.name):
                    touched = path.lstat().st_mtime
                    found[Digest(path.name)] = Item(path=path, bytes=size(path), touched=touched)
    return found


def _note_uses(found: Census, rows: Mapping[NodeKey, tuple[str, Fingerprint]]) -> None:
    """Fill in who uses what, and when that was last, from the records, the objects and the index."""
    latest: dict[NodeKey, tuple[str, Fingerprint]] = {}
    for fingerprint, entry in found.entries.items():
        key = (entry.record.recipe, entry.record.node)
        latest[key] = max(latest.get(key, ("", fingerprint)), (entry.record.created, fingerprint))
        found.users.setdefault(entry.record.digest, set()).add(key)
    for key, (when, fingerprint) in rows.items():
        if fingerprint in found.entries:
            latest[key] = max(latest.get(key, ("", fingerprint)), (when, fingerprint))
    used = {fingerprint: _seconds(when) for when, fingerprint in rows.values()}
    for key, (_, fingerprint) in latest.items():
        found.newest[key] = fingerprint
        found.users[found.entries[fingerprint].record.digest].add(key)
    for fingerprint, entry in found.entries.items():
        item = found.item(entry)
        times = (entry.written, item.touched if item else 0.0, used.get(fingerprint, 0.0))
        found.entries[fingerprint] = _with_use(entry, max(times))


def latest(store: Store) -> dict[NodeKey, tuple[str, Fingerprint]]:
    """Node → when it used a record last, and which one, as far as the index knows."""
    found = {}
    for key, row in store.rows(_LATEST).items():
        with suppress(ValueError):
            recipe, node = json.loads(key.removeprefix(_LATEST))
            when, *_, fingerprint = row.split()
            found[recipe, node] = (when, Fingerprint(fingerprint))
    return found


def _with_use(entry: Entry, used: float) -> Entry:
    return Entry(
        record=entry.record, path=entry.path, bytes=entry.bytes, written=entry.written,
        used=used, stamp=entry.stamp,
    )  # fmt: skip


def _seconds(when: str) -> float:
    try:
        return datetime.fromisoformat(when).timestamp()
    except ValueError:
        return 0.0


def _children(folder: Path) -> list[Path]:
    """What is in a folder, sorted; nothing where there is none.

    Raises:
        StoreError: it cannot be read, which is not to be taken for an empty one.
    """
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreError(f"cannot read the store's folder {str(folder)!r}: {reason}") from error
