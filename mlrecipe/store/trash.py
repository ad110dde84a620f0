"""The trash: records and objects on their way out, which can still be put back."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mlrecipe.interfaces import Digest
from mlrecipe.store import files, objects, records, usage
from mlrecipe.store.layout import Layout

if TYPE_CHECKING:
    from mlrecipe.store.store import Store


_DOOMED = "doomed-"


class Taken:
    """What one process has moved into the trash, and from where."""

    def __init__(self, paths: Layout) -> None:
        self._folder = paths.trash
        self._objects = paths.objects
        self._places: dict[Path, Path] = {}

    def take(self, paths: Iterable[Path]) -> None:
        """Move these away; when this returns, a power cut does not bring them back.

        Raises:
            OSError: one cannot be moved.
        """
        parents = set()
        for path in paths:
            files.make_folder(self._folder)
            place = self._folder / f"{path.name}.{secrets.token_hex(8)}"
            with suppress(FileNotFoundError):  # somebody else was quicker
                os.rename(path, place)
                self._places[path] = place
                parents.add(path.parent)
        for parent in sorted(parents):
            files.sync_folder(parent)
        if parents:
            files.sync_folder(self._folder)

    def objects(self) -> Iterator[tuple[Path, float | None]]:
        """Where each object was, and when it was used last; None: somebody has rescued it."""
        for path, place in list(self._places.items()):
            if path.parent.parent == self._objects:
                try:
                    yield path, place.stat().st_mtime
                except FileNotFoundError:
                    yield path, None

    def put_back(self, path: Path) -> None:
        """Give one its name again; if that is taken, by an equal one, it stays here."""
        place = self._places.get(path)
        if place is not None and _put_back(place, path):
            del self._places[path]

    def delete(self) -> None:
        """Delete what was not put back."""
        for place in self._places.values():
            delete(place)


def rescue(path: Path, folder: Path) -> None:
    """Put back what is needed after all, whoever has moved it into the trash, if it is there."""
    for place in folder.glob(f"{path.name}.*"):
        _put_back(place, path)


def recover(store: Store) -> None:
    """Empty the trash of a removal that was killed; an object that a record has goes back first.

    Raises:
        OSError: the store cannot be written.
    """
    folder = store.paths.trash
    left = sorted(folder.iterdir()) if folder.is_dir() else []
    if not left:
        return
    needed = usage.census(store).holders
    for place in left:
        digest = Digest(place.name.partition(".")[0])
        is_needed = records.is_hash(digest) and place.is_dir() and digest in needed
        if is_needed and not objects.damage(place, digest):
            _put_back(place, store.paths.object(digest))
        delete(place)


def delete(place: Path) -> None:
    """Delete a file or folder, as far as that is possible; the rest stays for the next time."""
    with suppress(OSError):
        if place.is_symlink() or not place.is_dir():
            place.unlink()
            return
        doomed = place.with_name(f"{_DOOMED}{secrets.token_hex(8)}")
        os.rename(place, doomed)  # from here on nobody can rescue it
        shutil.rmtree(doomed, ignore_errors=True)


def _put_back(place: Path, path: Path) -> bool:
    """Whether the thing has its name again."""
    try:
        if place.is_dir():
            os.rename(place, path)  # a folder replaces no other that has something in it
        elif not files.link_new(place, path):
            return False
        else:
            place.unlink(missing_ok=True)
    except OSError:
        return False
    files.sync_folder(path.parent)
    return True
