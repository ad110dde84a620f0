"""Uses: which outputs living processes need, noted where a gc in another process sees it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mlrecipe.interfaces import Digest
from mlrecipe.store import records, scratch
from mlrecipe.store.layout import Layout

_FILE = "uses"


class Uses:
    """The outputs that this process needs: a digest per line of a file that ends with the process."""

    def __init__(self, folder: Path) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._handle = os.open(folder / _FILE, flags, 0o644)
        self._noted: set[Digest] = set()

    def add(self, digests: Iterable[Digest]) -> None:
        """Note more of them; a disk that is full makes no difference to the work."""
        new = set(digests) - self._noted
        if new:
            self._noted |= new
            with suppress(OSError):
                os.write(self._handle, "".join(f"{digest}\n" for digest in sorted(new)).encode())

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._handle)


@contextmanager
def noting(tmp: Path) -> Iterator[Uses]:
    """A list of uses for the length of the block; a killed process's counts no more.

    Raises:
        OSError: the store cannot be written.
    """
    with scratch.folder(tmp) as folder:
        uses = Uses(folder)
        try:
            yield uses
        finally:
            uses.close()


@dataclass(frozen=True, slots=True)
class Living:
    """What the processes that work with a store now need of it."""

    digests: frozenset[Digest] = frozenset()
    """Outputs that they noted."""

    since: float = float("inf")
    """When the first of them began, as the file system tells time: all that was written or touched
    since then may be theirs, noted or not."""

    def needs(self, digest: Digest, *times: float) -> bool:
        """Whether an output, written or touched at these times, may be in use."""
        return digest in self.digests or any(time >= self.since for time in times)


def living(paths: Layout, *, own: str) -> Living:
    """What is in use; what dead processes left must have been removed before.

    `own` names the lock of the process that asks, which does not count.
    """
    digests: set[Digest] = set()
    since = float("inf")
    for entry in [*_entries(paths.tmp), *_entries(paths.locks)]:
        if not entry.name.startswith(own):
            with suppress(OSError):  # it ended just now
                since = min(since, entry.stat(follow_symlinks=False).st_mtime)
                digests.update(_noted(Path(entry.path)))
    return Living(frozenset(digests), since)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:
        return []


def _noted(folder: Path) -> list[Digest]:
    try:
        lines = (folder / _FILE).read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError):
        return []
    return [Digest(line) for line in lines if records.is_hash(line)]
