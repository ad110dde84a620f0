"""Format of files and folders that an op has written."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import mlrecipe
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Summary
from mlrecipe.store import scratch

_FILE = "file"
_FOLDER = "folder"

_SHOWN = 20


@mlrecipe.format("files", types=("pathlib.Path", "pathlib._local.Path"))
class PathFormat:
    """A `Path` to a file or folder: what is there is stored, and loads as a `Path` that must only be read.

    A file keeps its name, a folder does not. Links to files are followed; empty folders, and who may do what
    with a file, are not kept.
    """

    def save(self, value: Path, folder: Path) -> None:
        """Take what is there: from the op's scratch folder without a copy, from elsewhere with one.

        Raises:
            DataError: there is nothing, or what cannot be stored, such as a link to a folder.
        """
        source = Path(os.path.abspath(value))
        if source.is_file():
            (folder / _FILE).mkdir()
            _take(source, folder / _FILE / source.name)
            return
        count = 0
        for count, path in enumerate(_files(source), 1):  # noqa: B007
            target = folder / _FOLDER / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            _take(path, target)
        if not count:
            raise DataError(
                f"there is nothing in {str(value)!r}",
                hint="return the path of what the op has written",
            )

    def load(self, folder: Path) -> Path:
        """The path of the file or folder in the store; its files cannot be written."""
        if (folder / _FOLDER).exists():
            return folder / _FOLDER
        (name,) = os.listdir(folder / _FILE)
        return folder / _FILE / name

    def describe(self, value: Path) -> Summary:
        """Names and sizes."""
        if value.is_file():
            return Summary(kind="Path", text=f"{value.name} ({value.stat().st_size} bytes)")
        sizes = {p.relative_to(value).as_posix(): p.stat().st_size for p in _files(value)}
        shown = {name: f"{sizes[name]} bytes" for name in sorted(sizes)[:_SHOWN]}
        text = f"{len(sizes)} files, {sum(sizes.values())} bytes"
        return Summary(kind="Path", schema=shown, text=text)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_file():
            yield path
        elif path.is_dir() and not path.is_symlink():
            yield from _files(path)
        else:
            raise DataError(
                f"{str(path)!r} is neither a file nor a folder, and cannot be stored",
                hint="links to folders, broken links and pipes have no place in the store",
            )


def _take(source: Path, target: Path) -> None:
    """Give the file a second name, if it will be removed with the scratch folder anyway, else copy it."""
    if (
        not source.is_symlink() and scratch.is_in(source) and source.stat().st_nlink == 1
    ):  # nobody else has it
        try:
            os.link(source, target)
            return
        except OSError:  # another file system, or one without links
            pass
    shutil.copyfile(source, target)
