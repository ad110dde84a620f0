"""Remotes: stores elsewhere that several machines push their results to and pull them from.

A remote has the layout of a store, without index and locks. What is uploaded there is whole or not there: the
files of an object first, then its manifest, which makes it an object, then the record that names it. What
is pulled is compared with hashes, byte by byte, before it is published here like any other result.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from mlrecipe import events
from mlrecipe.errors import StoreError
from mlrecipe.interfaces import Fingerprint
from mlrecipe.store import download, foreign, objects, records
from mlrecipe.store.adoption import adopt
from mlrecipe.store.bucket import Bucket
from mlrecipe.store.foreign import Refused
from mlrecipe.store.layout import Layout
from mlrecipe.store.records import Record
from mlrecipe.store.store import Store

Status = Literal["pushed", "pulled", "there", "other", "gone", "damaged", "missing", "refused"]

_SCHEMA = "schema"
_PLACES = Layout(Path())
_OURS = {"v1", _SCHEMA, ".gitignore", "CACHEDIR.TAG"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What became of one result."""

    fingerprint: Fingerprint

    status: Status
    """`pushed`, `pulled`: it was copied, or would be; `there`: nothing had to be copied; `other`: the
    remote has another output of the same computation, which stayed; `gone`, `damaged`: its output is not
    here, or has other bytes than were written; `missing`: the remote does not have it; `refused`: what the
    remote has is damaged, or may not come from a remote."""

    record: Record | None = None

    bytes: int = 0
    """Bytes of the output that were copied, or would be."""

    reason: str = ""
    """Why it was not copied."""


def push(
    store: Store,
    url: str,
    fingerprints: Iterable[Fingerprint] | None = None,
    *,
    replace: bool = False,
) -> list[Moved]:
    """Copy results to a remote, those that it has not yet.

    Args:
        store: where they are.
        url: the remote.
        fingerprints: the computations; None for all that the store has.
        replace: upload what the remote has too: mends what is damaged there, and puts these results in the
            place of others of the same computations.

    Raises:
        RequestError: the URL is none, or a package is missing for it.
        StoreError: the remote cannot be read or written, is of a newer mlrecipe, or is no store.
    """
    remote = Remote(url)
    remote.make()
    if fingerprints is None:
        fingerprints = [record.fingerprint for record in store.every()]
    found = [(fingerprint, store.remembered(fingerprint)) for fingerprint in fingerprints]
    with store.using(record for _, record in found if record):
        return [
            remote.push(store, record, replace=replace)
            if record
            else Moved(fingerprint=fingerprint, status="gone", reason="it is not in the store")
            for fingerprint, record in found
        ]


def pull(
    store: Store,
    url: str,
    fingerprints: Iterable[Fingerprint],
    *,
    formats: Collection[str] = (),
) -> list[Moved]:
    """Copy results from a remote, with their outputs, those that are not here yet.

    What the remote has not, or not as it was written, counts as missing, with a warning.

    Args:
        store: where they go.
        url: the remote.
        fingerprints: the computations.
        formats: formats of the project that are taken too; the built-in ones always are.

    Raises:
        RequestError: the URL is none, or a package is missing for it.
        StoreError: the remote cannot be read, is of a newer mlrecipe, or the store cannot be written.
    """
    remote = Remote(url, formats=formats)
    with store.using(()):
        return [remote.pull(store, fingerprint) for fingerprint in fingerprints]


class Remote:
    """The results at a URL; `told` is called with the number of bytes of each step of a copy.

    Raises:
        RequestError: the URL is none, or a package is missing for it.
        StoreError: there is no getting there, a newer mlrecipe wrote it, or it is something else.
    """

    def __init__(
        self,
        url: str,
        *,
        formats: Collection[str] = (),
        told: Callable[[int], None] = lambda size: None,
    ) -> None:
        self._bucket = Bucket(url)
        self._formats = formats
        self._told = told
        self.shown = self._bucket.shown
        """The URL without a password."""
        self.is_there = self._check()
        """Whether something was ever pushed to it."""

    def make(self) -> None:
        """Mark it as a store, if it is not one yet; remove what uploads that were killed long ago left."""
        if not self.is_there:
            self._bucket.create(f"{records.SCHEMA}\n".encode(), _SCHEMA)
            self.is_there = True
        self._bucket.tidy()

    def record(self, fingerprint: Fingerprint) -> Record | None:
        """The record of a computation, if the remote has one that can be used; says so if it cannot."""
        if not self.is_there:
            return None
        data = self._bucket.read(_place(fingerprint), foreign.RECORD_LIMIT + 1)
        if data is None:
            return None
        try:
            return foreign.record(data, fingerprint, formats=self._formats)
        except Refused as error:
            _warn(f"the remote's result {fingerprint[:12]} is not taken: {error}")
            return None

    def push(
        self, store: Store, record: Record, *, replace: bool = False, is_dry: bool = False
    ) -> Moved:
        """Upload what the remote lacks of a result; with `replace`, also what it has."""
        theirs, is_damaged = self._theirs(record.fingerprint)
        is_equal = theirs is not None and theirs.digest == record.digest and not replace
        if theirs is not None and not is_equal and not replace and self.has_output(theirs):
            return _moved(record, "other", "another output of the same computation is there")
        problem = store.damage(record)
        if problem:
            return _moved(record, "there") if is_equal else _moved(record, "gone", problem)
        try:
            lacking = self._lacking(store, record, everything=replace)
            problem = _corruption(store, record) if lacking else ""
        except Refused as error:
            lacking, problem = {}, str(error)
        if is_equal and not lacking and not problem:
            return _moved(record, "there")
        if problem:
            _warn(f"the output of {record.node!r} is damaged here ({problem}): not pushed")
            return _moved(record, "damaged", problem)
        if not is_dry:
            self._upload(store, record, lacking)
            is_first = theirs is None and not is_damaged
            write = self._bucket.create if is_first else self._bucket.write
            write(records.to_bytes(record), _place(record.fingerprint))
        return _moved(record, "pushed", size=sum(lacking.values()))

    def pull(self, store: Store, fingerprint: Fingerprint) -> Moved:
        """Download a result that is not here yet, whole or not at all."""
        record = store.remembered(fingerprint)
        if record is not None and not store.damage(record):
            return _moved(record, "there")
        record = record or self.record(fingerprint)
        if record is None:
            return Moved(fingerprint=fingerprint, status="missing")
        return self.fetch(store, record)

    def fetch(self, store: Store, record: Record) -> Moved:
        """Download the output of a record, if it is not here, and publish both.

        An output that the remote has not, or not as it was written, is refused, with a warning.
        """
        try:
            if record.value is not None and store.damage(record):
                record = self._again(record)
            if not store.damage(record):
                adopt(store, record)
                return _moved(record, "pulled")
            parcel = download.look(self._bucket, _folder(record), record)
            fill = partial(parcel.fill, formats=self._formats, told=self._told)
            adopt(store, record, fill)
        except Refused as error:
            _warn(f"the remote's output of {record.node!r} is not taken: {error}")
            return _moved(record, "refused", str(error))
        return _moved(record, "pulled", size=record.bytes)

    def has_output(self, record: Record) -> bool:
        """Whether the output of a record is there, as far as names and sizes tell."""
        if record.value is not None:
            return True
        sizes = self._bucket.sizes(_folder(record))
        total = sum(size for name, size in sizes.items() if name != objects.MANIFEST)
        return objects.MANIFEST in sizes and total == record.bytes

    def _check(self) -> bool:
        data = self._bucket.read(_SCHEMA, 100)
        if data is None:
            self._refuse_strangers()
            return False
        text = data.decode("ascii", "replace").strip()
        if not text.isdecimal():
            raise StoreError(f"cannot read the version of the remote {self.shown!r}: {text!r}")
        if int(text) > records.SCHEMA:
            raise StoreError(
                f"the remote {self.shown!r} has schema {text}, this mlrecipe knows {records.SCHEMA}",
                hint="use the newer mlrecipe, or name another remote",
            )
        return True

    def _refuse_strangers(self) -> None:
        if not self._bucket.names() <= _OURS:
            raise StoreError(
                f"the remote {self.shown!r} is no store and has other files in it",
                hint="name a new or empty folder",
            )

    def _theirs(self, fingerprint: Fingerprint) -> tuple[Record | None, bool]:
        """The remote's record, and whether there is one that cannot be read."""
        data = self._bucket.read(_place(fingerprint), foreign.RECORD_LIMIT + 1)
        if data is None:
            return None, False
        try:
            found = records.from_bytes(data)
        except ValueError:
            return None, True
        return (found, False) if found.fingerprint == fingerprint else (None, True)

    def _again(self, record: Record) -> Record:
        """The remote's record in place of one whose value was damaged here."""
        found = self.record(record.fingerprint)
        if found is None:
            raise Refused("there is no record of it")
        return found

    def _lacking(self, store: Store, record: Record, *, everything: bool) -> dict[str, int]:
        """Name → size of each file of the object that has to be uploaded, the manifest last."""
        if record.value is not None:
            return {}
        manifest = (store.paths.object(record.digest) / objects.MANIFEST).read_bytes()
        files = foreign.listing(manifest, record)
        sizes = {f"{objects.DATA}/{name}": size for name, (size, _) in files.items()}
        sizes[objects.MANIFEST] = len(manifest)
        there = {} if everything else self._bucket.sizes(_folder(record))
        return {name: size for name, size in sizes.items() if there.get(name) != size}

    def _upload(self, store: Store, record: Record, names: Iterable[str]) -> None:
        folder = store.paths.object(record.digest)
        for name in names:
            self._bucket.put(folder / name, f"{_folder(record)}/{name}")
            self._told((folder / name).stat().st_size)


def _place(fingerprint: Fingerprint) -> str:
    return _PLACES.record(fingerprint).as_posix()


def _folder(record: Record) -> str:
    return _PLACES.object(record.digest).as_posix()


def _corruption(store: Store, record: Record) -> str:
    return objects.corruption(store.paths.object(record.digest), record.digest)


def _moved(record: Record, status: Status, reason: str = "", *, size: int = 0) -> Moved:
    return Moved(
        fingerprint=record.fingerprint, status=status, record=record, bytes=size, reason=reason
    )


def _warn(text: str) -> None:
    events.emit(events.Note(text, level="warning"))
