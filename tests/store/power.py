"""A disk that loses what was not synced: what a power cut may leave of a store.

Of a file that was never synced any beginning may be left, of a folder any mixture of its names at the last
sync and of those it has now. A folder's names are sure only after the folder itself was synced.
"""

from __future__ import annotations

import itertools
import os
import random
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

SKIPPED = "index"  # sqlite's own affair; it can be lost whole
CALLS = ("mkdir", "fchmod", "fsync", "link", "rename", "unlink", "rmdir")


class Disk:
    """Follows what this process does below a folder, from when it is made."""

    def __init__(self, root: Path, before: Callable[[Disk], None]) -> None:
        self.root = root
        self._before = before
        self._ids: dict[int, int] = {}  # inode → what it is now: inodes are used again
        self._numbers = itertools.count()
        self._files: dict[int, bytes] = {}
        self._folders: dict[int, dict[str, tuple[int, bool]]] = {}
        self._real = {name: getattr(os, name) for name in CALLS}
        for name in CALLS:
            setattr(os, name, self._followed(name))

    def restore(self) -> None:
        """Stop following."""
        for name, call in self._real.items():
            setattr(os, name, call)

    def cut(self, place: Path, seed: int) -> None:
        """Write to `place` what may be left if the power goes now."""
        chance = random.Random(seed)
        now: dict[int, Path] = {}
        for folder, folders, files in os.walk(self.root):
            for name in [*folders, *files]:
                path = Path(folder, name)
                now[self._id(path.lstat())] = path
        self._lay(self._id(self.root.lstat()), True, self.root, place, now, chance)

    def _followed(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            self._before(self)
            doomed = self._doomed(name, *args, **options)
            done = self._real[name](*args, **options)
            self._ids.pop(doomed, None)
            if name == "fsync":
                self._note(args[0])
            return done

        return call

    def _doomed(self, name: str, *args: Any, **options: Any) -> int:
        """The inode that a call frees, if any."""
        index = {"unlink": 0, "rmdir": 0, "rename": 1}.get(name)
        if index is None:
            return -1
        try:
            found = os.stat(args[index], dir_fd=options.get("dir_fd"), follow_symlinks=False)
        except OSError:
            return -1
        return found.st_ino if stat.S_ISDIR(found.st_mode) or found.st_nlink == 1 else -1

    def _note(self, handle: int) -> None:
        """What is on the disk from now on."""
        found = os.fstat(handle)
        path = Path(f"/proc/self/fd/{handle}")
        if stat.S_ISDIR(found.st_mode):
            self._folders[self._id(found)] = self._names(path)
        else:
            self._files[self._id(found)] = path.read_bytes()

    def _names(self, folder: Path) -> dict[str, tuple[int, bool]]:
        found = {}
        for entry in os.scandir(folder):
            known = entry.stat(follow_symlinks=False)
            found[entry.name] = (self._id(known), stat.S_ISDIR(known.st_mode))
        return found

    def _id(self, found: os.stat_result) -> int:
        if found.st_ino not in self._ids:
            self._ids[found.st_ino] = next(self._numbers)
        return self._ids[found.st_ino]

    def _lay(
        self, thing: int, is_folder: bool, path: Path | None, place: Path,
        now: dict[int, Path], chance: random.Random,
    ) -> None:  # fmt: skip
        if not is_folder:
            sure = self._files.get(thing)
            if sure is None:
                data = path.read_bytes() if path is not None else b""
                sure = data[: chance.randint(0, len(data))]
            place.write_bytes(sure)
            return
        place.mkdir()
        if place.name == SKIPPED:
            return
        synced, current = self._folders.get(thing, {}), self._names(path) if path else {}
        for name in sorted(synced.keys() | current.keys()):
            kept = chance.choice([synced.get(name), current.get(name)])
            if kept is not None:
                self._lay(kept[0], kept[1], now.get(kept[0]), place / name, now, chance)
