"""The store: every computation's record and output, whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, fields
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import Any

from mlrecipe.errors import StoreError
from mlrecipe.events import NodeWaiting, Note, emit
from mlrecipe.interfaces import Digest, Fingerprint, Memo, Summary
from mlrecipe.registry import registries
from mlrecipe.store import files, formats, locks, objects, outputs, records, scratch
from mlrecipe.store.index import DiskcacheIndex, LazyIndex
from mlrecipe.store.layout import Layout
from mlrecipe.store.ledger import Ledger
from mlrecipe.store.outputs import Output
from mlrecipe.store.records import Computation, Record


class Store:
    """The results of all computations of a project. Making one touches nothing on the disk."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root).absolute()
        self._paths = Layout(self.root)
        self._is_checked = False

    @property
    def memo(self) -> Memo:
        """A small cache of texts, beside the records; forgets when its files cannot be used."""
        return _Memo(self._index)

    def record(self, fingerprint: Fingerprint) -> Record | None:
        """What the computation gave, if its output is there and has the right sizes.

        A record that cannot be used counts as missing, with a warning.

        Raises:
            StoreError: a newer mlrecipe wrote the store.
        """
        found = self.remembered(fingerprint)
        problem = outputs.damage(found, self._paths) if found is not None else ""
        if found is None or not problem:
            return found
        _warn(f"the stored output of {found.node!r} cannot be used ({problem}): taken as missing")
        return None

    def remembered(self, fingerprint: Fingerprint) -> Record | None:
        """What the computation gave, even if its output is gone: its digest stays true.

        Raises:
            StoreError: a newer mlrecipe wrote the store.
        """
        self._check()
        path = self._paths.record(fingerprint)
        try:
            with open(path, "rb") as file:
                found = records.from_bytes(file.read())
            if found.fingerprint != fingerprint:
                raise ValueError("it is that of another computation")
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            _warn(f"cannot read the record {str(path)!r} ({error}): taken as missing")
            return None
        return found

    def damage(self, record: Record) -> str:
        """What is wrong with a record's stored output, in a few words; empty when nothing is."""
        return outputs.damage(record, self._paths)

    def latest(self, recipe: str, node: str) -> Record | None:
        """The record that this node of this recipe gave or used last; its output may be gone."""
        self._check()
        return self._ledger.latest(recipe, node)

    def every(self) -> Iterator[Record]:
        """Every record that can be read, in no order; what is wrong with others is said when they are asked for.

        Raises:
            StoreError: a newer mlrecipe wrote the store.
        """
        self._check()
        for path in self._paths.records.glob("*/*.json"):
            with suppress(OSError, ValueError, StoreError):
                yield records.from_bytes(path.read_bytes())

    def has_own(self, own: str) -> bool:
        """Whether some record has this `own` hash."""
        self._check()
        return self._ledger.has_own(own)

    def note_use(self, record: Record, *, recipe: str, node: str) -> None:
        """Make a record the `latest` of a node that found it rather than computed it."""
        self._check()
        now = datetime.now(timezone.utc).isoformat()
        self._ledger.note_use(record, recipe, node, now)

    def publish(self, value: Any, computation: Computation, *, replace: bool = False) -> Record:
        """Store a computation's output, then its record; both appear whole or not at all.

        An earlier record of the same computation stays, unless `replace`: use what is returned.

        Raises:
            DataError: the value is of a type that no format stores.
            StoreError: the store cannot be written.
        """
        name = formats.choose(value)
        format_ = registries["format"].get(name)()
        with self._writing(), scratch.folder(self._made().tmp) as draft:
            output = outputs.save(value, name, format_, draft=draft, paths=self._paths)
            record = _record(computation, output, format_.describe(value))
            return self._commit(record, draft, replace)

    def load(self, record: Record) -> Any:
        """The output, equal in value and type to what was published; a new object on each call.

        Raises:
            StoreError: it is gone or damaged.
        """
        self._check()
        problem = outputs.damage(record, self._paths)
        if problem:
            raise StoreError(
                f"the stored output of {record.node!r} cannot be used: {problem}",
                hint="run again: it is then computed anew",
            )
        return outputs.load(record, self._paths)

    def object_folder(self, digest: Digest) -> Path:
        """The folder of read-only files that a format wrote."""
        return self._paths.object(digest) / objects.DATA

    @contextmanager
    def lock(self, fingerprint: Fingerprint, node: str) -> Iterator[None]:
        """Keep other processes from the same computation; while one has it, say so and wait.

        Raises:
            StoreError: the store cannot be written.
        """
        with self._writing():
            path = self._made().locks / self._paths.record(fingerprint).stem
            handle = locks.wait(path, waiting=lambda name: emit(NodeWaiting(node, name)))
        try:
            yield
        finally:
            locks.release(path, handle)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty folder, removed at the end of the block.

        Raises:
            StoreError: the store cannot be written.
        """
        with self._writing():
            folder, handle = scratch.take(self._made().tmp)
        try:
            yield folder
        finally:
            scratch.give_back(folder, handle)

    def tidy(self) -> None:
        """Remove what killed processes left under `tmp/` and `locks/`."""
        self._check()
        with suppress(OSError):  # not there yet, or read-only
            scratch.tidy(self._paths.tmp)
            locks.tidy(self._paths.locks)

    def close(self) -> None:
        """Let go of the index's files; the store can be used again."""
        self._index.close()

    @cached_property
    def _index(self) -> LazyIndex:
        return LazyIndex(self._paths.index, self._open_index, discard=self._discard_index)

    @cached_property
    def _ledger(self) -> Ledger:
        return Ledger(self._index, self._paths.records, self.remembered)

    def _open_index(self, folder: Path) -> DiskcacheIndex:
        return DiskcacheIndex(folder, make=self._made)

    def _discard_index(self, folder: Path) -> None:
        with suppress(OSError, StoreError):  # not ours to move: go on without
            os.rename(folder, self._made().tmp / f"index-{secrets.token_hex(8)}")
            _warn("the store's index was damaged: it is made anew from the records")

    def _check(self) -> None:
        if not self._is_checked:
            self._paths.check()
            self._is_checked = True

    def _made(self) -> Layout:
        self._check()
        self._paths.make()
        return self._paths

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            raise StoreError(f"cannot write to the store {str(self.root)!r}: {reason}") from error

    def _commit(self, record: Record, draft: Path, replace: bool) -> Record:
        """Give the record its name, after all that it tells of is on the disk."""
        path = draft / "record.json"
        data = records.to_bytes(record)
        files.write(path, data)
        place = self._paths.record(record.fingerprint)
        files.make_folder(place.parent)
        if replace or not files.link_new(path, place):
            earlier = None if replace else self.record(record.fingerprint)
            if earlier is not None:
                self.note_use(earlier, recipe=record.recipe, node=record.node)
                return earlier
            os.rename(path, place)
        files.sync_folder(place.parent)
        written = records.from_bytes(data)
        self._ledger.add(written)
        return written


class _Memo:
    """Texts in the index."""

    def __init__(self, index: LazyIndex) -> None:
        self._index = index

    def get(self, key: str) -> str | None:
        """The text stored under `key`, or None."""
        return self._index.get(f"memo:{key}") if _is_text(key) else None

    def set(self, key: str, value: str) -> None:
        """Remember `value` under `key`."""
        if _is_text(key) and _is_text(value):
            self._index.update({f"memo:{key}": value})


def _is_text(text: str) -> bool:
    """Whether the text has a UTF-8 form, which names of files may lack."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _record(computation: Computation, output: Output, summary: Summary) -> Record:
    told = {field.name: getattr(computation, field.name) for field in fields(Computation)}
    kept = {field.name: getattr(output, field.name) for field in fields(Output)}
    return Record(**told, **kept, summary=asdict(summary))


def _warn(text: str) -> None:
    emit(Note(text, level="warning"))
