"""Garbage collection: what a store may lose, decided first and then removed, whole or not at all.

A record goes before its object, and both go through `trash/`: a crash at any moment leaves garbage, never
a record without its object. Between moving and deleting, everything is looked at once more: what a living
process has taken up meanwhile is put back.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mlrecipe.errors import StoreError
from mlrecipe.interfaces import Digest, Fingerprint
from mlrecipe.store import trash, usage, uses
from mlrecipe.store.layout import Layout
from mlrecipe.store.usage import Census, Entry, Item
from mlrecipe.store.uses import Living

if TYPE_CHECKING:
    from mlrecipe.store.store import Store

LOCK = Fingerprint(hashlib.sha256(b"mlrecipe gc").hexdigest())
"""Name of the lock that keeps two removals apart."""

GRACE = 3600.0
"""Seconds for which everything stays that was written or used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roots:
    """What has to stay, and why, in a few words."""

    records: Mapping[Fingerprint, str] = field(default_factory=dict)
    objects: Mapping[Digest, str] = field(default_factory=dict)

    superfluous: Collection[Fingerprint] = ()
    """What goes before anything else: another result has all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much may stay of what is no root; without either limit nothing of it does."""

    max_bytes: int | None = None
    """Size of the store at which removing stops."""

    older_than: float | None = None
    """Seconds since the last use, up to which a result stays."""

    grace: float = GRACE


@dataclass(slots=True, kw_only=True)
class Decision:
    """What goes and what stays."""

    doomed: list[Entry] = field(default_factory=list)
    """Records, the least recently used first."""

    garbage: list[Item] = field(default_factory=list)
    """Objects without a record, and what is in the quarantine."""

    kept: dict[Fingerprint, str] = field(default_factory=dict)
    """Why each of the other records stays."""

    bytes: int = 0
    """Size of the store before, its index with it."""

    index: int = 0
    """Size of the index; looking for what may go makes that larger."""

    frees: dict[Path, int] = field(default_factory=dict)
    """What goes, by path of a record's file or of a piece of garbage → bytes that this frees: with
    a record its object, where nothing else has that."""

    @property
    def freed(self) -> int:
        """Bytes that go in all."""
        return sum(self.frees.values())


FindRoots = Callable[[Census], Roots]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """All that a decision depends on, at one moment."""

    found: Census
    roots: Roots
    living: Living

    now: float
    """The file system's time."""

    def is_young(self, touched: float, grace: float) -> bool:
        """Whether the grace period still holds; a time in the future counts as now."""
        return grace > 0 and self.now - touched < grace


def survey(store: Store, find_roots: FindRoots, limits: Limits) -> tuple[Census, Decision]:
    """What there is, and what `collect` would remove of it now.

    Raises:
        StoreError: a newer mlrecipe wrote the store.
    """
    store.tidy()
    look = _look(store, find_roots)
    decision = _decision(store)
    _add_garbage(decision, look, limits.grace)
    free = []
    for fingerprint, entry in look.found.entries.items():
        why = _reason(entry, look, limits.grace)
        if why:
            decision.kept[fingerprint] = why
        else:
            free.append(entry)
    free.sort(key=lambda entry: _order(entry, look.roots))
    _doom(decision, free, look, limits)
    return look.found, decision


def collect(store: Store, find_roots: FindRoots, limits: Limits) -> tuple[Census, Decision]:
    """Remove what may go; returns what there was, and what was removed of it.

    Raises:
        StoreError: the store cannot be written, or is a newer one.
    """
    with store.lock(LOCK, "cache gc"), store.writing():
        trash.recover(store)
        found, decision = survey(store, find_roots, limits)
        _remove(store, found, decision, find_roots, limits.grace)
    return found, decision


def foresee(store: Store, chosen: Iterable[Fingerprint]) -> tuple[Census, Decision]:
    """What there is, and what `discard` would remove of it now.

    Raises:
        StoreError: a newer mlrecipe wrote the store.
    """
    store.tidy()
    look = _look(store, _no_roots)
    decision = _decision(store)
    entries = [look.found.entries[f] for f in chosen if f in look.found.entries]
    used = [e.record.fingerprint for e in entries if look.living.needs(e.record.digest)]
    decision.kept = dict.fromkeys(used, "in use")
    _doom(decision, [e for e in entries if e.record.fingerprint not in used], look, Limits())
    return look.found, decision


def discard(store: Store, chosen: Iterable[Fingerprint]) -> tuple[Census, Decision]:
    """Remove these records, and the objects that no other has; what a living process uses stays.

    Raises:
        StoreError: the store cannot be written, or is a newer one.
    """
    with store.lock(LOCK, "cache rm"), store.writing():
        found, decision = foresee(store, chosen)
        _remove(store, found, decision, _no_roots, 0.0)
    return found, decision


def quarantined(paths: Layout) -> list[Item]:
    """What is in the quarantine."""
    found = sorted(paths.quarantine.iterdir()) if paths.quarantine.is_dir() else []
    return [Item(path=p, bytes=usage.size(p), touched=p.lstat().st_mtime) for p in found]


def _look(store: Store, find_roots: FindRoots, *, before: Census | None = None) -> _Look:
    # First who is alive: what ends after this look has its record by the time of the next.
    living = uses.living(store.paths, own=LOCK)
    found = usage.census(store, before=before)
    for path, problem in found.unseen.items():
        raise StoreError(
            f"cannot read the record {str(path)!r}: {problem}",
            hint="until it can be read, nothing is removed: what it needs cannot be told",
        )
    return _Look(found=found, roots=find_roots(found), living=living, now=_now(store.paths))


def _no_roots(_: Census) -> Roots:
    return Roots()


def _decision(store: Store) -> Decision:
    sizes = usage.sizes(store)
    return Decision(bytes=sum(sizes.values()), index=sizes["index"])


def _order(entry: Entry, roots: Roots) -> tuple[bool, float, Fingerprint]:
    """What is superfluous goes first, then what was used longest ago."""
    fingerprint = entry.record.fingerprint
    return fingerprint not in roots.superfluous, entry.used, fingerprint


def _add_garbage(decision: Decision, look: _Look, grace: float) -> None:
    """Objects that nothing names, and what has been in the quarantine for a while."""
    items = [
        item for digest, item in look.found.unreferenced.items()
        if digest not in look.roots.objects and not look.living.needs(digest, item.touched)
    ]  # fmt: skip
    items += quarantined(look.found.paths)
    decision.garbage = [item for item in items if not look.is_young(item.touched, grace)]
    decision.frees.update((item.path, item.bytes) for item in decision.garbage)


def _reason(entry: Entry, look: _Look, grace: float) -> str:
    """Why a record stays whatever the limits say; empty when nothing keeps it."""
    record = entry.record
    item = look.found.item(entry)
    times = [entry.written, *([item.touched] if item else [])]
    if record.fingerprint in look.found.pins:
        return "pinned"
    rooted = look.roots.records.get(record.fingerprint) or look.roots.objects.get(record.digest)
    if rooted:
        return rooted
    if look.living.needs(record.digest, *times):
        return "in use"
    return "young" if look.is_young(max(times), grace) else ""


def _doom(decision: Decision, free: list[Entry], look: _Look, limits: Limits) -> None:
    """Choose among the free records, the least recently used first, until the limits are kept."""
    left = {digest: len(holders) for digest, holders in look.found.holders.items()}
    has_limits = limits.max_bytes is not None or limits.older_than is not None
    over = decision.bytes - decision.freed - (limits.max_bytes or 0)
    for entry in free:
        is_old = limits.older_than is not None and look.now - entry.used > limits.older_than
        is_over = limits.max_bytes is not None and over > 0
        if has_limits and not is_old and not is_over:
            decision.kept[entry.record.fingerprint] = "within the limits"
            continue
        left[entry.record.digest] -= 1
        item = look.found.item(entry) if not left[entry.record.digest] else None
        decision.doomed.append(entry)
        decision.frees[entry.path] = entry.bytes + (item.bytes if item else 0)
        over -= decision.frees[entry.path]


def _remove(
    store: Store, found: Census, decision: Decision, find_roots: FindRoots, grace: float
) -> None:
    """Move away what goes, look again, put back what is needed after all, delete the rest."""
    gone = {entry.record.fingerprint for entry in decision.doomed}
    digests = {e.record.digest for e in decision.doomed}
    orphaned = sorted(
        d for d in digests if d in found.objects and gone.issuperset(found.holders[d])
    )
    taken = trash.Taken(found.paths)
    taken.take(entry.path for entry in decision.doomed)
    taken.take(found.objects[digest].path for digest in orphaned)
    taken.take(item.path for item in decision.garbage)
    look = _look(store, find_roots, before=found)
    _put_back(taken, decision, look, grace)
    taken.delete()


def _put_back(taken: trash.Taken, decision: Decision, look: _Look, grace: float) -> None:
    """Put back the objects that are needed now, then the records that go with them."""
    needed = set()
    for path, touched in taken.objects():
        digest = Digest(path.name)
        is_named = digest in look.found.holders or digest in look.roots.objects
        is_used = touched is None or look.living.needs(digest, touched)
        if is_named or is_used or look.is_young(touched or 0.0, grace):
            taken.put_back(path)
            decision.frees.pop(path, None)
            needed.add(digest)
    decision.garbage = [item for item in decision.garbage if item.path in decision.frees]
    for entry in list(decision.doomed):
        digest = entry.record.digest
        if look.living.needs(digest) or (digest in needed and digest not in look.found.holders):
            taken.put_back(entry.path)
            decision.frees.pop(entry.path)
            decision.doomed.remove(entry)
            decision.kept[entry.record.fingerprint] = "in use"


def _now(paths: Layout) -> float:
    """The time as the store's file system tells it, which another machine may keep."""
    with suppress(OSError):
        os.utime(paths.tmp)
        return paths.tmp.stat().st_mtime
    return time.time()
