"""Outputs: values on their way to the disk and back, small ones as text, all others as objects."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from mlrecipe.errors import DataError, MlrecipeError, StoreError, suggest
from mlrecipe.interfaces import Digest, Format, Summary
from mlrecipe.registry import registries
from mlrecipe.store import files, objects, values
from mlrecipe.store.layout import Layout
from mlrecipe.store.records import Computation, Record

SMALL = 32 * 1024
"""Bytes of JSON text up to which a value is kept in its record."""

VERIFY = (
    "`mlrecipe cache verify` moves what is damaged out of the way; "
    "the next run then computes it anew"
)
"""What to do about bytes that are not those that were written."""

# Seconds in which a use is noted once: much shorter than the time for which a gc leaves what was used.
_RECENT = 60.0

# Formats that write plain values as canonical JSON text, and the one file that they then write.
PLAIN_FORMATS = ("json", "mapping", "text")
_PLAIN_FILE = "value.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A value as it is stored; the fields are those of its record."""

    digest: Digest
    format: str
    bytes: int
    value: str | None = None


def save(value: Any, name: str, format_: Format, *, draft: Path, paths: Layout) -> Output:
    """Write the value into the folder `draft`, and move it to its place, if it is not for its record.

    Raises:
        OSError: the store cannot be written.
    """
    from mlrecipe.store import hashing  # not where the store is only read

    folder = draft / "object"
    data = folder / objects.DATA
    os.mkdir(folder)
    os.mkdir(data)
    with hashing.collecting() as written:
        format_.save(value, data)
    text = _small_text(data) if name in PLAIN_FORMATS else None
    if text is not None:
        _remove_plain(folder)
        digest = objects.digest_text(text)
        return Output(digest=digest, format=name, bytes=len(text.encode()), value=text)
    sealed = objects.seal(folder, name, written)
    place(sealed.digest, draft=draft, paths=paths)
    return Output(digest=sealed.digest, format=name, bytes=sealed.bytes)


def record(output: Output, computation: Computation, summary: Summary) -> Record:
    """The record of a computation that gave this output."""
    told = {field.name: getattr(computation, field.name) for field in fields(Computation)}
    kept = {field.name: getattr(output, field.name) for field in fields(Output)}
    return Record(**told, **kept, summary=asdict(summary))


def unwritable(root: Path, error: OSError) -> StoreError:
    """What to tell of a failed write to the store."""
    reason = error.strerror or str(error)
    if isinstance(error, IsADirectoryError) and error.filename:
        path = error.filename2 or error.filename
        return StoreError(f"cannot write {str(path)!r}: a folder is in its place", hint=VERIFY)
    return StoreError(f"cannot write to the store {str(root)!r}: {reason}")


def place(digest: Digest, *, draft: Path, paths: Layout) -> None:
    """Move the whole object under `draft` to its place; a whole one that is there already stays.

    Raises:
        OSError: the store cannot be written.
    """
    _place(draft / "object", paths.object(digest), digest, aside=draft / "damaged")


def damage(record: Record, paths: Layout) -> str:
    """What is wrong with the record's output at a glance; empty when nothing is."""
    if record.value is None:
        folder = paths.object(record.digest)
        problem = objects.damage(folder, record.digest)
        if problem:
            _rescue(folder, paths)  # whoever took it may have put it back meanwhile: look again
            problem = objects.damage(folder, record.digest)
        return problem
    is_right = objects.digest_text(record.value) == record.digest
    return "" if is_right else "its text is not what was written"


def load(record: Record, paths: Layout, entry: str = "") -> Any:
    """The value, or one entry of it, new on each call; other entries are not read where that can be.

    Raises:
        StoreError: it is gone or damaged, or cannot be read.
        DataError: it has no such entry.
    """
    if record.value is not None:
        _check(record, paths)
        return _entry(values.decode(record.value), entry, record)
    folder = paths.object(record.digest)
    _note_use(folder)
    # A gc moves it twice at most, away and back, before it sees that it is in use.
    for is_last in (False, False, True):
        _check(record, paths)
        before = _stamp(folder)
        try:
            value = _read(record, folder, entry, paths)
        except MlrecipeError:
            if is_last or _stamp(folder) == before:
                raise
        else:
            if is_last or _stamp(folder) == before is not None:
                return value
    raise AssertionError


def corruption(record: Record, paths: Layout) -> str:
    """What is wrong with the record's output, every byte read again; empty when nothing is."""
    if record.value is not None:
        return damage(record, paths)
    return objects.corruption(paths.object(record.digest), record.digest)


def restore(output: Output | Record, *, draft: Path, paths: Layout) -> None:
    """Put an object back that a gc took before the record named it: `save` has left its own copy.

    Raises:
        OSError: the store cannot be written.
    """
    is_gone = output.value is None and not paths.object(output.digest).exists()
    if is_gone and (draft / "object").exists():
        place(output.digest, draft=draft, paths=paths)


def _check(record: Record, paths: Layout) -> None:
    problem = damage(record, paths)
    if problem:
        raise StoreError(
            f"the stored output of {record.node!r} cannot be used: {problem}",
            hint="run again: it is then computed anew",
        )


def _read(record: Record, place: Path, entry: str, paths: Layout) -> Any:
    folder = place / objects.DATA
    try:
        format_ = registries["format"].get(record.format)()
        if entry and hasattr(format_, "load_entry"):
            with suppress(KeyError):  # said below, with the names that there are
                return format_.load_entry(folder, entry)
        value = format_.load(folder)
    except Exception as error:  # a format is anybody's code
        if problem := corruption(record, paths):  # read now only: it may take long
            raise StoreError(
                f"the stored output of {record.node!r} is damaged: {problem}", hint=VERIFY
            ) from error
        if isinstance(error, MlrecipeError):
            raise
        raise StoreError(
            f"format {record.format!r} cannot load the output of {record.node!r}: {error}",
            hint=f"its files are in {str(folder)!r}",
        ) from error
    return _entry(value, entry, record)


def _entry(value: Any, entry: str, record: Record) -> Any:
    if not entry:
        return value
    try:
        return value[entry]
    except (KeyError, TypeError, IndexError, ValueError) as error:
        known = _entries(value)
        if entry in known:
            raise StoreError(
                f"cannot read {entry!r} of the output of {record.node!r}: {error}", hint=VERIFY
            ) from error
        near = suggest(entry, known)
        raise DataError(
            f"the output of {record.node!r} has no entry {entry!r}; it has: "
            + (", ".join(known) or "none"),
            key="inputs", hint=near and f"did you mean {near!r}?",
        ) from None  # fmt: skip


def _entries(value: Any) -> list[str]:
    """Keys of a mapping, columns of a table, fields of an array of records."""
    if isinstance(value, Mapping):
        return list(map(str, value))
    for name in ("column_names", "columns"):
        if (found := getattr(value, name, None)) is not None:
            return list(map(str, found))
    return list(getattr(getattr(value, "dtype", None), "names", None) or ())


def _stamp(place: Path) -> tuple[int, int] | None:
    """Changes when the object is moved, so that a value read from half of it is noticed."""
    with suppress(OSError):
        found = os.lstat(place)
        return found.st_ino, found.st_ctime_ns
    return None


def _note_use(place: Path) -> None:
    """Note on the object that it is used, unless that was noted just now."""
    with suppress(OSError):
        if abs(time.time() - os.lstat(place).st_mtime) > _RECENT:
            _touch(place)


def _rescue(place: Path, paths: Layout) -> None:
    """Take an object back that a gc is about to delete, which had decided so before it was in use."""
    from mlrecipe.store import trash

    trash.rescue(place, paths.trash)


def _small_text(data: Path) -> str | None:
    """The JSON text that is all there is in a format's folder, if it is small."""
    path = data / _PLAIN_FILE
    if os.listdir(data) != [_PLAIN_FILE] or path.stat().st_size > SMALL:
        return None
    return path.read_bytes().decode()


def _remove_plain(folder: Path) -> None:
    """Remove what a small plain value has left: quicker than a search for all that may be there."""
    os.unlink(folder / objects.DATA / _PLAIN_FILE)
    os.rmdir(folder / objects.DATA)
    os.rmdir(folder)


def _place(folder: Path, place: Path, digest: Digest, *, aside: Path) -> None:
    """Move a whole object to its name; one that is there already stays, unless it is damaged."""
    files.make_folder(place.parent)
    while not _moved(folder, place):
        with suppress(FileNotFoundError):  # a gc took it away meanwhile: try again
            _touch(place)
            before = _stamp(place)
            if not objects.corruption(place, digest):
                break
            if _stamp(place) == before:  # else it was moved while it was read
                os.rename(place, aside)
    files.sync_folder(place.parent)


def _moved(folder: Path, place: Path) -> bool:
    """Whether the object has its name now; False: there is one already."""
    try:
        os.rename(folder, place)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    return True


def _touch(place: Path) -> None:
    """Note on the object itself that it is in use: a gc that has chosen it puts it back.

    Raises:
        FileNotFoundError: it is gone.
    """
    try:
        os.utime(place)
    except FileNotFoundError:
        raise
    except OSError:  # another user's, or a read-only store, where there is no gc
        return
