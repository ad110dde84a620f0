"""Folders: what one holds, with what stands behind its links, in an order that is the same everywhere."""

from __future__ import annotations

import os

Pairs = tuple[tuple[str, str], ...]


def listing(folder: str) -> tuple[Pairs, Pairs]:
    """Relative name and path of every file below a folder; name of all else, and what counts of it.

    Links are followed. What else there is: empty folders, links that lead nowhere or back to a folder
    that they lie in. Hidden files and caches are left out, and what is no file, such as a pipe. Both
    are sorted by folder, then by name.

    Raises:
        OSError: a folder below cannot be read.
    """
    files: list[tuple[str, str]] = []
    others: list[tuple[str, str]] = []
    _walk(folder, "", (), files, others)
    return tuple(files), tuple(others)


def _walk(
    folder: str, prefix: str, above: tuple[str, ...],
    files: list[tuple[str, str]], others: list[tuple[str, str]],
) -> None:  # fmt: skip
    here = os.path.realpath(folder)
    if here in above:
        others.append((prefix, "a link back"))
        return
    with os.scandir(folder) as entries:
        found = sorted(
            (e for e in entries if not e.name.startswith(".") and e.name != "__pycache__"),
            key=lambda entry: entry.name,
        )
    if not found and prefix:
        others.append((prefix, "empty"))
    folders = []
    for entry in found:
        name = prefix + entry.name
        if entry.is_dir():
            folders.append((entry.path, f"{name}/"))
        elif entry.is_file():
            files.append((name, entry.path))
        elif entry.is_symlink():
            others.append((name, f"a link to {os.readlink(entry.path)}"))
    for path, name in folders:
        _walk(path, name, (*above, here), files, others)
