"""Verification: every byte of a store read again and compared with what was written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mlrecipe.interfaces import Digest, Fingerprint
from mlrecipe.store import files, objects, quarantine, records, usage
from mlrecipe.store.layout import Layout
from mlrecipe.store.records import Record
from mlrecipe.store.usage import Census, Entry, Item, NodeKey, census

if TYPE_CHECKING:
    from mlrecipe.store.store import Store

Kind = Literal[
    "damaged object", "missing object", "damaged record", "doubtful record", "stray file"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong with a store."""

    kind: Kind
    name: str
    """Digest of an object, fingerprint of a record, or path of a stray file."""

    problem: str
    users: tuple[NodeKey, ...] = ()
    """The nodes whose output it is, or was; of a record that cannot be read as far as the index knows."""

    moved: Path | None = None
    """Where it is now, or its record, if it was moved to the quarantine."""

    is_settled: bool = True
    """Whether the store says from now on what there is; the next verification finds the others again."""


@dataclass(slots=True, kw_only=True)
class Verification:
    """What came of reading everything."""

    records: int
    objects: int
    bytes: int
    """Bytes that were read and compared."""

    findings: list[Finding] = field(default_factory=list)
    unreferenced: dict[Digest, Item] = field(default_factory=dict)
    """Whole objects that no record has: a killed process left them, or a living one is about to use them."""


def verify(
    store: Store, *, told: Callable[[int, int], None] = lambda done, total: None
) -> Verification:
    """Read the whole store; what is damaged goes to the quarantine, and what is gone is noted as gone.

    So a second verification finds nothing, but where this process may not write, and files of others.

    `told` is called with the bytes read and the bytes to read.

    Raises:
        StoreError: a newer mlrecipe wrote the store.
    """
    found = census(store)
    total = sum(item.bytes for item in found.objects.values())
    report = Verification(records=len(found.entries), objects=len(found.objects), bytes=total)
    report.findings += _records(found, usage.latest(store))
    done = 0
    silent: set[Digest] = set()
    for digest, item in found.objects.items():
        told(done, total)
        is_loadable = not objects.damage(item.path, digest)
        findings = _object(digest, item, found)
        if findings and is_loadable:
            silent.add(digest)
        report.findings += findings
        done += item.bytes
    told(done, total)
    report.findings += _doubtful(found, silent)
    report.findings += _gone(found) + _strays(found.paths)
    report.unreferenced = {d: i for d, i in found.unreferenced.items() if i.path.exists()}
    return report


def corruption(folder: Path, digest: Digest) -> str:
    """What is wrong with an object, every byte read, and no file there that does not belong to it."""
    problem = objects.corruption(folder, digest)
    if problem:
        return problem
    listed = json.loads((folder / objects.MANIFEST).read_bytes())["files"]
    data = folder / objects.DATA
    found = (path for path in data.rglob("*") if path.is_symlink() or not path.is_dir())
    there = (path.relative_to(data).as_posix() for path in found)
    extra = sorted(set(there) - set(listed))
    return f"{extra[0]} does not belong to it" if extra else ""


def _records(found: Census, latest: Mapping[NodeKey, tuple[str, Fingerprint]]) -> list[Finding]:
    """Records that cannot be read, or whose value is not what was written."""
    findings = []
    for path, problem in found.unreadable.items():
        moved = _moved(path, found.paths)
        users = sorted(key for key, (_, fingerprint) in latest.items() if fingerprint == path.stem)
        findings.append(
            Finding(
                kind="damaged record", name=path.stem, problem=problem, moved=moved,
                users=tuple(users), is_settled=moved is not None,
            )
        )  # fmt: skip
    for entry in found.entries.values():
        record = entry.record
        if record.value is not None and objects.digest_text(record.value) != record.digest:
            moved = _moved(entry.path, found.paths)
            findings.append(
                Finding(
                    kind="damaged record", name=record.fingerprint, moved=moved,
                    problem="its value is not what was written", users=(_key(record),),
                    is_settled=moved is not None,
                )
            )  # fmt: skip
    return findings


def _object(digest: Digest, item: Item, found: Census) -> list[Finding]:
    problem = _trouble(item.path, digest)
    if not problem or not item.path.exists():  # a gc took it away
        return []
    moved = _moved(item.path, found.paths)
    if moved is not None and not _trouble(moved, digest):  # somebody repaired it meanwhile
        quarantine.put_back(moved, item.path)
        return []
    users = tuple(sorted(found.users.get(digest, ())))
    return [
        Finding(
            kind="damaged object", name=digest, problem=problem, users=users, moved=moved,
            is_settled=moved is not None,
        )
    ]  # fmt: skip


def _trouble(folder: Path, digest: Digest) -> str:
    try:
        return corruption(folder, digest)
    except (OSError, ValueError) as error:
        return str(error)


def _doubtful(found: Census, damaged: set[Digest]) -> list[Finding]:
    """Records of what was made from objects that nobody could see were damaged.

    They go too: whether the damage was there when they were made cannot be told. What is made again and is
    the same leaves everything after it a hit; what was wrong has another digest now, and so has what follows.
    """
    findings = []
    for entry in found.entries.values():
        record = entry.record
        inputs = [digest for _, digest in usage.inputs(record) if digest in damaged]
        if inputs and entry.path.exists():
            moved = _moved(entry.path, found.paths)
            findings.append(
                Finding(
                    kind="doubtful record", name=record.fingerprint, moved=moved,
                    problem=f"made from {inputs[0][:12]}, which is damaged", users=(_key(record),),
                    is_settled=moved is not None,
                )
            )  # fmt: skip
    return findings


def _gone(found: Census) -> list[Finding]:
    """Settle the records whose object is not there; tell of those where it was not moved away just now."""
    findings = []
    for entry in found.entries.values():
        record = entry.record
        if record.value is not None or _is_there(entry, found) or not entry.path.exists():
            continue
        moved, is_settled = _settle(entry, found.paths)
        if record.digest not in found.objects:
            users = tuple(sorted(found.users[record.digest]))
            findings.append(
                Finding(
                    kind="missing object", name=record.digest, users=users, moved=moved,
                    problem="its output is gone", is_settled=is_settled,
                )
            )  # fmt: skip
    return findings


def _is_there(entry: Entry, found: Census) -> bool:
    """Whether a record has its object, or is known to lack it."""
    mark = found.paths.bare / entry.record.fingerprint
    if not found.paths.object(entry.record.digest).exists():
        return mark.exists()
    with suppress(OSError):  # it was made again
        mark.unlink(missing_ok=True)
    return True


def _settle(entry: Entry, paths: Layout) -> tuple[Path | None, bool]:
    """Note that a record's output is gone; returns where the record is, if moved, and whether it is noted.

    The record stays, for its digest leads on to what was made from the output; a shard's is of no use.
    """
    whole = paths.object(entry.record.digest)
    if usage.whole(entry.record.node) != entry.record.node:
        moved = _moved(entry.path, paths)
        if moved is not None and whole.exists():  # it was made again meanwhile
            quarantine.put_back(moved, entry.path)
        return moved, moved is not None
    mark = paths.bare / entry.record.fingerprint
    try:
        files.make_folder(mark.parent)
        mark.touch()
        files.sync_folder(mark.parent)
        if whole.exists():
            mark.unlink(missing_ok=True)
    except OSError:
        return None, False
    return None, True


def _strays(paths: Layout) -> list[Finding]:
    """Whatever among the objects and the records has no name of one."""
    problem = "the store did not write it: delete it, or put it elsewhere"
    found = [
        *_others(paths.objects, lambda path: records.is_hash(path.name)),
        *_others(paths.records, lambda path: path.suffix == ".json"),  # of what is none it is told
    ]
    return [
        Finding(kind="stray file", name=str(path), problem=problem, is_settled=False)
        for path in sorted(found)
    ]


def _others(folder: Path, is_ours: Callable[[Path], bool]) -> Iterator[Path]:
    """Paths below a folder of objects or records that are neither, nor a folder for some of them."""
    for part in _listed(folder):
        if len(part.name) != 2 or part.name.strip("0123456789abcdef") or not part.is_dir():
            yield part
            continue
        for path in _listed(part):
            if not is_ours(path):
                yield path
            elif path.is_dir() and records.is_hash(path.name):
                yield from (
                    p for p in _listed(path) if p.name not in (objects.MANIFEST, objects.DATA)
                )


def _listed(folder: Path) -> Iterable[Path]:
    """What is in a folder, but for what NFS keeps there of removed files that somebody reads."""
    with suppress(OSError):
        return [path for path in folder.iterdir() if not path.name.startswith(".nfs")]
    return []


def _moved(path: Path, paths: Layout) -> Path | None:
    """Where a damaged thing is now; None when it may not be moved or read by this user."""
    if not os.access(path, os.R_OK):
        return None
    try:
        return quarantine.move(path, paths)
    except OSError:
        return None


def _key(record: Record) -> NodeKey:
    return record.recipe, record.node
