"""The store: every computation's record and output, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlrecipe.errors import StoreError
from mlrecipe.interfaces import Digest, Fingerprint, Memo
from mlrecipe.registry import registries
from mlrecipe.store import (
    files,
    formats,
    index_choice,
    locks,
    objects,
    outputs,
    records,
    scratch,
)
from mlrecipe.store.index import Index, LazyIndex
from mlrecipe.store.layout import Layout
from mlrecipe.store.ledger import Ledger
from mlrecipe.store.records import Computation, Record

if TYPE_CHECKING:
    from mlrecipe.store.uses import Uses


class Store:
    """The results of all computations of a project. Making one touches nothing on the disk."""

    def __init__(self, root: Path) -> None:
        index_choice.check()  # so that every command says so, whatever it needs of the store
        self.root = Path(root).absolute()
        self._paths = Layout(self.root)
        self._is_checked = False
        self._uses: Uses | None = None
        self.told: set[str] = set()  # warnings: once is enough, however often one is come upon
        self.faults: dict[Fingerprint, str] = {}
        """Records that were looked for and cannot be used → why, in a few words."""

    @property
    def memo(self) -> Memo:
        """A small cache of texts, beside the records; forgets when its files cannot be used."""
        return _Memo(self._index, self.root)

    def record(self, fingerprint: Fingerprint) -> Record | None:
        """What the computation gave, if its output is there and has the right sizes.

        A record that cannot be used counts as missing, with a warning.

        Raises:
            StoreError: a newer mlrecipe wrote the store.
        """
        found = self.remembered(fingerprint)
        if found is None:
            return None
        self._note_in_use(found.digest)  # before it is looked at: from now on no gc removes it
        problem = outputs.damage(found, self._paths)
        if not problem:
            return found
        why = f"cannot be used ({problem}): taken as missing"
        self._warn(f"the stored output of {found.node!r} {why}")
        return None

    def remembered(self, fingerprint: Fingerprint) -> Record | None:
        """What the computation gave, even if its output is gone: its digest stays true.

        Raises:
            StoreError: a newer mlrecipe wrote the store.
        """
        self._check()
        path = self._paths.record(fingerprint)
        try:
            with open(path, "rb", buffering=0) as file:  # it is read in one go
                found = records.from_bytes(file.read())
            if found.fingerprint != fingerprint:
                raise ValueError("it is that of another computation")
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            self.faults[fingerprint] = records.fault(error)
            self._warn(f"cannot read the record {str(path)!r} ({error}): taken as missing")
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
        """Every record that can be read, in no order; others are told of when they are asked for.

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
        self.note_uses({node: record}, recipe=recipe)

    def note_uses(self, found: Mapping[str, Record], *, recipe: str) -> None:
        """The same for several nodes of a recipe; writes nothing where that is known already."""
        self._check()
        self._note_in_use(*(record.digest for record in found.values()))
        now = datetime.now(timezone.utc).isoformat()
        self._ledger.note_uses(found, recipe, now)

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
            self._note_in_use(output.digest)
            record = outputs.record(output, computation, format_.describe(value))
            written = self.commit(record, draft, replace=replace)
            outputs.restore(output, draft=draft, paths=self._paths)
            return written

    def load(self, record: Record, *, entry: str = "") -> Any:
        """The output, or one entry of it, equal in value and type to what was published; new on each call.

        Raises:
            StoreError: it is gone or damaged.
            DataError: it has no such entry.
        """
        self._check()
        self._note_in_use(record.digest)
        return outputs.load(record, self._paths, entry)

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
            place = self._paths.record(fingerprint)
            path = self._made().locks / place.stem
            handle = locks.wait(path, waiting=lambda name: _tell_wait(node, name))
        _look_again(place.parent)
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
        with suppress(OSError), locks.remembering(self._paths.locks, self.memo):
            scratch.tidy(self._paths.tmp)  # not there yet, or read-only: an OSError
            locks.tidy(self._paths.locks)

    def close(self) -> None:
        """Let go of the index's files; the store can be used again."""
        self._index.close()

    @cached_property
    def _index(self) -> LazyIndex:
        folder = index_choice.place(self.root, self._paths.index)
        return LazyIndex(folder, self._open_index, discard=self._discard_index)

    @cached_property
    def _ledger(self) -> Ledger:
        return Ledger(self._index, self._paths.records, self.remembered)

    def _open_index(self, folder: Path) -> Index:
        return index_choice.open_(folder, inside=self._paths.index, make=self._made)

    def _discard_index(self, folder: Path) -> None:
        with suppress(OSError, StoreError):  # not ours to move: go on without
            index_choice.discard(folder, self._paths.tmp)
            self._warn("the store's index was damaged: it is made anew from the records")

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
            raise outputs.unwritable(self.root, error) from error

    @property
    def paths(self) -> Layout:
        """Where everything is.

        Raises:
            StoreError: a newer mlrecipe wrote the store.
        """
        self._check()
        return self._paths

    def writing(self) -> AbstractContextManager[None]:
        """Turns what the system says of a failed write into a `StoreError`."""
        return self._writing()

    def rows(self, prefix: str) -> dict[str, str]:
        """Rows of the index by key, of those keys that begin so; makes no files."""
        if not self._index.is_there:
            return {}
        rows = {key: self._index.get(key) for key in self._index.keys(prefix)}
        return {key: row for key, row in rows.items() if row}

    @contextmanager
    def using(self, needed: Iterable[Record]) -> Iterator[bool]:
        """Keep these outputs, and all that the block finds, loads and publishes, from a gc elsewhere.

        Yields whether each of them is there. A store that cannot be written has no gc either.
        """
        from mlrecipe.store import uses

        wanted = [record for record in needed if record.value is None]
        with ExitStack() as stack:
            with suppress(OSError, StoreError):
                self._uses = stack.enter_context(uses.noting(self._made().tmp))
            stack.callback(self._use_no_more)
            self._note_in_use(*(record.digest for record in wanted))
            yield all(self._paths.object(record.digest).exists() for record in wanted)

    def commit(self, record: Record, draft: Path, *, replace: bool = False) -> Record:
        """Give the record its name, after all that it tells of is on the disk; for modules of the store.

        An earlier record of the same computation stays, unless `replace`: use what is returned.
        """
        self._note_in_use(record.digest)
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

    def _use_no_more(self) -> None:
        self._uses = None

    def _warn(self, text: str) -> None:
        from mlrecipe.events import Note, emit  # late: where all is well nothing is said

        if text not in self.told:
            self.told.add(text)
            emit(Note(text, level="warning"))

    def _note_in_use(self, *digests: Digest) -> None:
        if self._uses is not None:
            self._uses.add(digests)


class _Memo:
    """Texts in the index."""

    def __init__(self, index: LazyIndex, root: Path) -> None:
        self._index = index
        self._root = root

    def get(self, key: str) -> str | None:
        """The text stored under `key`, or None."""
        return self._index.get(f"memo:{key}") if _is_text(key) else None

    def set(self, key: str, value: str) -> None:
        """Remember `value` under `key`, if there is a store: looking at a recipe makes none."""
        if _is_text(key) and _is_text(value) and self._root.is_dir():
            self._index.update({f"memo:{key}": value})


def _is_text(text: str) -> bool:
    """Whether the text has a UTF-8 form, which names of files may lack."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _look_again(folder: Path) -> None:
    """Have NFS forget which names were missing there: a record may have come while we waited."""
    with suppress(OSError):
        os.close(os.open(folder, os.O_RDONLY))


def _tell_wait(node: str, holder: str) -> None:
    from mlrecipe.events import NodeWaiting, emit

    emit(NodeWaiting(node, holder))
