"""Verification: every byte of a store read again and compared with what was written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mlrecipe.interfaces import Digest
from mlrecipe.store import objects, quarantine, records
from mlrecipe.store.layout import Layout
from mlrecipe.store.records import Record
from mlrecipe.store.usage import Census, Item, NodeKey, census

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
    """The nodes whose output it is, or was."""

    moved: Path | None = None
    """Where it is now, if it was moved to the quarantine."""


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
    """Read the whole store; what is damaged goes to the quarantine, and so counts as missing from then on.

    `told` is called with the bytes read and the bytes to read.

    Raises:
        StoreError: a newer mlrecipe wrote the store.
    """
    found = census(store)
    total = sum(item.bytes for item in found.objects.values())
    report = Verification(records=len(found.entries), objects=len(found.objects), bytes=total)
    report.findings += _records(found)
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
    report.findings += _missing(found) + _strays(found.paths)
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


def _records(found: Census) -> list[Finding]:
    """Records that cannot be read, or whose value is not what was written."""
    findings = []
    for path, problem in found.unreadable.items():
        moved = _moved(path, found.paths)
        findings.append(
            Finding(kind="damaged record", name=path.stem, problem=problem, moved=moved)
        )
    for entry in found.entries.values():
        record = entry.record
        if record.value is not None and objects.digest_text(record.value) != record.digest:
            moved = _moved(entry.path, found.paths)
            findings.append(
                Finding(
                    kind="damaged record", name=record.fingerprint, moved=moved,
                    problem="its value is not what was written", users=(_key(record),),
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
        Finding(kind="damaged object", name=digest, problem=problem, users=users, moved=moved)
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
        inputs = [digest for _, digest in record.parts.get("digests", []) if digest in damaged]
        if inputs and entry.path.exists():
            moved = _moved(entry.path, found.paths)
            findings.append(
                Finding(
                    kind="doubtful record", name=record.fingerprint, moved=moved,
                    problem=f"made from {inputs[0][:12]}, which is damaged", users=(_key(record),),
                )
            )  # fmt: skip
    return findings


def _missing(found: Census) -> list[Finding]:
    """Records whose object is not there, or has just been moved away."""
    return [
        Finding(
            kind="missing object", name=record.digest, users=(_key(record),),
            problem="it is computed again when it is needed",
        )
        for entry in found.entries.values()
        if (record := entry.record).value is None
        and record.digest not in found.objects
        and not (found.paths.bare / record.fingerprint).exists()
        and entry.path.exists()
    ]  # fmt: skip


def _strays(paths: Layout) -> list[Finding]:
    """Whatever among the objects has no name of one."""
    found = [p for p in paths.objects.glob("*/*") if not records.is_hash(p.name)]
    return [
        Finding(kind="stray file", name=str(path), problem="it is no object of the store")
        for path in sorted(found)
    ]


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
