"""Intake: runs of an archive put into a project; all in it is checked, and nothing of it is executed."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import secrets
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any

from mlrecipe.errors import MlrecipeError, RequestError
from mlrecipe.runs.archive import (
    BLOCK,
    DATA,
    FORMAT,
    MANIFEST,
    VERSION,
    Item,
    digest_of,
    is_output,
    json_of,
    output_path,
)
from mlrecipe.runs.facts import ENDS
from mlrecipe.runs.run import FOLDER, Run, folder_of, read, write_json

_LONGEST = 64 * 2**20
"""Bytes of the longest manifest that is read: some 300,000 files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What was taken out of an archive."""

    runs: Sequence[Run]
    files: int

    data: Sequence[str]
    """Files of data that were put into the project."""

    kept: Sequence[str] = field(default_factory=tuple)
    """Files of data that the project has already with other content: they were left as they are."""


def unpack(
    archive: Path, project: Path, *, told: Callable[[int], None] = lambda size: None
) -> Taken:
    """Take the runs of an archive into a project: all of them or none. Nothing is overwritten.

    Raises:
        RequestError: it is no such archive, is damaged, holds what it must not, or has runs that are there.
        MlrecipeError: there is no room, or the project cannot be written.
    """
    if not archive.is_file():
        raise RequestError(f"no archive {str(archive)!r}")
    parent = folder_of(project)
    aside = parent / f".{secrets.token_hex(8)}.incoming"
    try:
        with tarfile.open(archive, "r:gz") as tar:
            manifest = _manifest(tar, archive)
            names = _checked(manifest, project, archive)
            _check_room(parent, names)
            aside.mkdir()
            _extract(tar, names, aside, archive, told)
        runs = _runs(manifest, aside, archive)
        with ExitStack() as undo:  # whatever ends it before all is there, Ctrl-C too
            data, kept = _place_data(names, aside, project, undo)
            for run in runs:
                _arrive(run, parent / run.id, archive, undo)
            undo.pop_all()
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, RecursionError) as error:
        raise RequestError(f"{archive.name!r} is no archive of runs: {error}") from error
    except OSError as error:
        raise MlrecipeError(f"cannot import {archive.name!r}: {error}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    there = [found for run in runs if (found := read(parent / run.id)) is not None]
    return Taken(runs=there, files=len(names), data=data, kept=kept)


def _manifest(tar: tarfile.TarFile, archive: Path) -> dict[str, Any]:
    first = tar.next()
    if first is None or first.name != MANIFEST or not first.isreg() or first.size > _LONGEST:
        raise RequestError(
            f"{archive.name!r} is no archive of runs", hint="mlrecipe runs export makes them"
        )
    file = tar.extractfile(first)
    assert file is not None  # it is a regular file
    try:
        found = json.loads(file.read())
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise _damaged(archive, "its list of files cannot be read")
    if found.get("version") != VERSION:
        raise RequestError(f"{archive.name!r} was made by a newer mlrecipe", hint="update mlrecipe")
    return found


def _checked(manifest: Mapping[str, Any], project: Path, archive: Path) -> dict[str, Any]:
    """The files that the manifest lists, once every name is one that may be written.

    Raises:
        RequestError: one is not, or a run is in the project already.
    """
    runs, files = manifest.get("runs"), manifest.get("files")
    if not isinstance(runs, list) or not isinstance(files, dict) or not runs:
        raise _damaged(archive, "its list of files cannot be read")
    for run in runs:
        if not isinstance(run, str) or not is_plain(run):
            raise _damaged(archive, f"{run!r} is no name of a run")
    if len({run.casefold() for run in runs}) < len(runs):
        raise _damaged(archive, "it lists a run twice")
    there = [run for run in runs if os.path.lexists(project / FOLDER / run)]
    if there:
        raise RequestError(
            f"{', '.join(map(repr, there[:3]))} {'is' if len(there) == 1 else 'are'} in this project "
            "already, and what is there is kept",
            hint=f"mlrecipe runs rm {there[0]}, or import into another project",
        )
    for name, facts in files.items():
        parts = name.split("/")
        is_known = (len(parts) > 2 and parts[0] == FOLDER and parts[1] in runs) or (
            len(parts) > 1 and parts[0] == DATA and parts[1].casefold() != FOLDER
        )
        if not is_known or not all(map(is_plain, parts)):
            raise _damaged(archive, f"{name!r} is no place for a file of a run")
        if not _is_listed(facts):
            raise _damaged(archive, "its list of files cannot be read")
    return files


def _is_listed(facts: Any) -> bool:
    """Whether it is what the list says of a file."""
    if not isinstance(facts, dict) or not isinstance(facts.get("sha256"), str):
        return False
    size = facts.get("bytes")
    return isinstance(size, int) and not isinstance(size, bool) and size >= 0


def is_plain(name: str) -> bool:
    """Whether a name is that of a visible file or folder that leads nowhere else."""
    return bool(name) and name[0] != "." and name.isprintable() and not set(name) & set("/\\")


def _check_room(parent: Path, files: Mapping[str, Any]) -> None:
    needed, free = sum(facts["bytes"] for facts in files.values()), shutil.disk_usage(parent).free
    if needed > free:
        raise MlrecipeError(f"no room: the runs take {needed:,} bytes and {free:,} are free")


def _extract(
    tar: tarfile.TarFile, files: Mapping[str, Any], aside: Path, archive: Path,
    told: Callable[[int], None],
) -> None:  # fmt: skip
    """Write the archive's files below a folder, each compared with the digest in the manifest."""
    seen: set[str] = set()
    while (member := tar.next()) is not None:
        name = member.name
        if name not in files or name in seen or not member.isreg():
            kind = "a link" if member.issym() or member.islnk() else "nothing its list names"
            raise _damaged(archive, f"{name!r} is {kind}")
        if member.size != files[name]["bytes"]:
            raise _damaged(archive, f"{name!r} has not the size that its list says")
        seen.add(name)
        file = tar.extractfile(member)
        assert file is not None  # it is a regular file
        to = aside / name
        to.parent.mkdir(parents=True, exist_ok=True)
        if _copy(file, to) != files[name]["sha256"]:
            raise _damaged(archive, f"{name!r} is not what was packed")
        told(member.size)
    missing = [name for name in files if name not in seen]
    if missing:
        raise _damaged(archive, f"{missing[0]!r} is missing")


def _runs(manifest: Mapping[str, Any], aside: Path, archive: Path) -> list[Run]:
    """The runs that were extracted, each whole."""
    found = []
    for name in manifest["runs"]:
        run = read(aside / FOLDER / name)
        if run is None or run.facts.get("id") != name or run.facts["status"] not in ENDS:
            raise _damaged(archive, f"{name!r} is no run that has ended")
        if run.odd:
            raise _damaged(archive, f"what {name!r} says of {run.odd[0]!r} cannot be")
        for file, digest in _outputs(run, archive):
            place = f"{FOLDER}/{name}/{file}"
            if place not in manifest["files"] or digest_of(Item(path=aside / place)) != digest:
                raise _damaged(archive, f"{file!r} of {name} is not what the run gave")
        found.append(run)
    return found


def _outputs(run: Run, archive: Path) -> Iterator[tuple[str, str]]:
    """File of an output, as seen from its run → its digest."""
    item = Item(path=run.folder / "outputs.json")
    if not item.path.is_file():
        return
    outputs = json_of(item)
    is_empty = not outputs and item.path.read_bytes().strip() == b"{}"
    if not (outputs or is_empty) or not all(map(is_output, outputs.values())):
        raise _damaged(archive, f"the outputs.json of {run.id!r} cannot be read")
    for facts in outputs.values():
        for file, digest in facts["sha256"].items():
            yield output_path(facts["path"], file), digest


def _place_data(
    files: Iterable[str], aside: Path, project: Path, undo: ExitStack
) -> tuple[list[str], list[str]]:
    """Move data to where they lay in their project; what is there already stays. Returns both lists."""
    placed, kept = [], []
    for name in (n for n in files if n.startswith(f"{DATA}/")):
        inside = name.partition("/")[2]
        source, to = aside / name, project / inside
        if not to.parent.resolve().is_relative_to(project.resolve()):
            raise RequestError(f"{inside!r} would lie outside the project, through a link in it")
        if os.path.lexists(to):
            if not to.is_file() or digest_of(Item(path=to)) != digest_of(Item(path=source)):
                kept.append(inside)
            continue
        _make_folders(to.parent, undo)
        undo.callback(_take_back, source, to)
        os.replace(source, to)
        placed.append(inside)
    return placed, kept


def _make_folders(folder: Path, undo: ExitStack) -> None:
    """Make a folder and those above it; undone, those that were not there go again."""
    for path in reversed([p for p in (folder, *folder.parents) if not p.exists()]):
        undo.callback(_leave_folder, path)
        path.mkdir(exist_ok=True)


def _leave_folder(path: Path) -> None:
    with suppress(OSError):  # it was never made, or others use it already
        path.rmdir()


def _take_back(source: Path, to: Path) -> None:
    """Undo a move, if it came to it."""
    if not os.path.lexists(source):
        os.replace(to, source)


def _arrive(run: Run, to: Path, archive: Path, undo: ExitStack) -> None:
    time = datetime.now(timezone.utc).isoformat(timespec="seconds")
    facts = {**run.facts, "imported": {"time": time, "from": archive.name}}
    write_json(run.folder / "run.json", facts)
    undo.callback(_take_back, run.folder, to)
    os.rename(run.folder, to)


def _copy(file: IO[bytes], to: Path) -> str:
    """Write a stream to a new file; returns its SHA-256 in hex."""
    digest = hashlib.sha256()
    with to.open("xb") as written:
        while block := file.read(BLOCK):
            digest.update(block)
            written.write(block)
    return digest.hexdigest()


def _damaged(archive: Path, why: str) -> RequestError:
    return RequestError(
        f"{archive.name!r} is damaged or was tampered with: {why}; nothing was taken in"
    )
