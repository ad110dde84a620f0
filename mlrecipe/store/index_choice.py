"""Which index a store uses on this host, and where it is."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from mlrecipe.errors import RequestError
from mlrecipe.store import probe
from mlrecipe.store.index import Index, IndexFault

_VARIABLE = "MLRECIPE_INDEX"
_KINDS = ("diskcache", "sqlite")


def kind() -> str:
    """What the environment asks for, or diskcache.

    Raises:
        RequestError: there is no such index.
    """
    name = os.environ.get(_VARIABLE) or _KINDS[0]
    if name not in _KINDS:
        raise RequestError(f"{_VARIABLE} is {name!r}: it is diskcache or sqlite, or not set")
    return name


def check() -> None:
    """See that what the environment says of a store can be done.

    Raises:
        RequestError: with the variable and what it may be.
    """
    kind()
    probe.forced()


def open_(folder: Path, *, inside: Path, make: Callable[[], object]) -> Index:
    """The index of the asked kind in a folder that `place` gave; `make` makes the store.

    Raises:
        IndexFault: it cannot be opened.
    """
    if folder != inside:
        make = _nothing
        _make_place(folder.parent)
    if kind() == "sqlite":
        from mlrecipe.store.sqlite_index import SqliteIndex

        return SqliteIndex(folder, make=make)
    from mlrecipe.store.reading import ReadFirst

    return ReadFirst(folder / "cache.db", lambda: _diskcache(folder, make))


def _diskcache(folder: Path, make: Callable[[], object]) -> Index:
    from mlrecipe.store.diskcache_index import DiskcacheIndex

    return DiskcacheIndex(folder, make=make)


def place(root: Path, inside: Path) -> Path:
    """The folder of a store's index: `inside` it, or for one on a network, on a disk of this host.

    sqlite keeps a file of its locks in shared memory, which hosts do not share.

    Raises:
        RequestError: the environment asks for an index that there is not.
    """
    kind()
    if not probe.is_known_network(inside.parent):
        return inside
    # One per host: the folder of caches may itself be on a network.
    name = hashlib.sha256(f"{_host()}:{root}".encode()).hexdigest()[:16]
    folders = list(_caches())
    local = [folder for folder in folders if not probe.is_network(folder)]
    return (local or folders)[0] / name


def discard(folder: Path, tmp: Path) -> None:
    """Move an index out of the way, to `tmp` if that is beside it; a process may have it open.

    Raises:
        OSError: it cannot be moved.
    """
    aside = f"index-{os.urandom(8).hex()}"
    if folder.parent == tmp.parent:
        os.rename(folder, tmp / aside)
        return
    import shutil

    os.rename(folder, folder.with_name(aside))
    shutil.rmtree(folder.with_name(aside), ignore_errors=True)


def _make_place(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise IndexFault(str(error)) from error
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    if not is_ours or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise IndexFault(f"{str(folder)!r} can be written by others")


def _host() -> str:
    return os.uname().nodename


def _nothing() -> None:
    """An index outside the store needs no store."""


def _caches() -> Iterator[Path]:
    import tempfile

    told = os.environ.get("XDG_CACHE_HOME", "")
    home = told if os.path.isabs(told) else os.path.expanduser("~/.cache")
    if os.path.isabs(home):
        yield Path(home) / "mlrecipe"
    yield Path(tempfile.gettempdir()) / f"mlrecipe-{os.getuid()}"
