"""Archives: runs in one file that another project can take in, without what is only this machine's."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from mlrecipe.errors import MlrecipeError, RequestError
from mlrecipe.runs import cleaning
from mlrecipe.runs.facts import DAMAGED, sound
from mlrecipe.runs.run import FOLDER, Run, every

FORMAT, VERSION = "mlrecipe-runs", 1

MANIFEST = "manifest.json"
"""The first file of an archive: what else is in it, with digests."""

DATA = "data"
"""Folder of an archive: files of the project that the runs read."""

BLOCK = 1 << 20
"""Bytes that are read at once."""

_LEFT_OUT = re.compile(r"\.[^/]*|resume")
"""Names in a run directory that stay behind: hidden ones, and states of a training that did not end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """What was put into an archive."""

    files: int
    bytes: int
    """Of the files, as they lie in their folders."""

    size: int
    """Bytes of the archive."""

    cleaned: Sequence[str]
    """Files in which paths of this machine or secrets were replaced."""

    absolute: Sequence[str]
    """Absolute paths that the recipes name: what is there does not travel with the runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A file, or what it is to say instead."""

    path: Path
    text: bytes | None = None

    def open(self) -> IO[bytes]:
        """Its content."""
        return io.BytesIO(self.text) if self.text is not None else self.path.open("rb")

    @property
    def size(self) -> int:
        """Bytes of its content."""
        return len(self.text) if self.text is not None else self.path.stat().st_size


def family(run: Run) -> list[Run]:
    """The run with what belongs to it: a training's finished tests, a test's training, a group's members."""
    runs = list(every(run.folder.parent.parent))
    found = {run.id: run}
    for _ in range(2):  # a group's trainings, and their tests
        for other in runs:
            is_below = other.facts.get("parent") in found or other.facts.get("group") in found
            if is_below and other.status == "finished":
                found.setdefault(other.id, other)
    above = [r for r in runs if r.id == run.facts.get("parent") and r.status != DAMAGED]
    return [*found.values(), *above]


def pack(
    to: Path, runs: Sequence[Run], *, project: Path, data: Mapping[str, Path] | None = None,
    has_checkpoints: bool = True, told: Callable[[int], None] = lambda size: None,
) -> Packed:  # fmt: skip
    """Write runs into a `.tar.gz`; equal runs give equal bytes.

    Paths of this machine and secrets are taken out of their texts; links stay behind.

    Args:
        to: the archive.
        runs: none of them may be going on.
        project: root of their project.
        data: path in the project → file, of data that go along.
        has_checkpoints: whether the weights go along.
        told: called with the bytes of each piece that is written.

    Raises:
        RequestError: a run is going on.
        MlrecipeError: the archive cannot be written.
    """
    for run in runs:
        if run.status == "running":
            raise RequestError(f"run {run.id} is going on, as process {run.facts.get('pid')}")
    items: dict[str, Item] = {}
    cleaned: list[str] = []
    clean = cleaning.Cleaner(project, runs)
    for run in sorted(runs, key=lambda each: each.id):
        found = dict(_files(run, has_checkpoints=has_checkpoints))
        changed = _cleaned(run, found, clean)
        cleaned += [f"{FOLDER}/{run.id}/{name}" for name in changed]
        items |= {f"{FOLDER}/{run.id}/{name}": item for name, item in (found | changed).items()}
    items |= {f"{DATA}/{name}": Item(path=path) for name, path in (data or {}).items()}
    try:
        sizes = _write(to, items, _described(runs, items), told)
    except OSError as error:
        raise MlrecipeError(f"cannot write {str(to)!r}: {error.strerror}") from error
    return Packed(
        files=len(items), bytes=sizes, size=to.stat().st_size, cleaned=cleaned,
        absolute=clean.absolute,
    )  # fmt: skip


def _files(run: Run, *, has_checkpoints: bool) -> Iterator[tuple[str, Item]]:
    """Name in the run directory → file, sorted; no links, nothing hidden, nothing unfinished."""
    for top, folders, names in os.walk(run.folder):
        folders[:] = sorted(
            name for name in folders
            if not _LEFT_OUT.fullmatch(name) and not Path(top, name).is_symlink()
        )  # fmt: skip
        if not has_checkpoints and Path(top) == run.folder:
            folders[:] = [name for name in folders if name != "checkpoints"]
        for name in sorted(names):
            path = Path(top, name)
            if not _LEFT_OUT.fullmatch(name) and path.is_file() and not path.is_symlink():
                yield path.relative_to(run.folder).as_posix(), Item(path=path)


def _cleaned(
    run: Run, found: Mapping[str, Item], clean: cleaning.Cleaner
) -> dict[str, Item]:  # fmt: skip
    """The run's texts that are to say something else; how it ended, and its outputs' digests, fit them."""
    changed: dict[str, Item] = {}
    for name, item in found.items():
        text = clean.text(item.path)
        if text is not None:
            changed[name] = Item(path=item.path, text=text)
    said = json_of(changed.get("run.json", found["run.json"]))
    # Elsewhere nobody could tell that its process is gone, and what is not sound is refused.
    facts = {**sound(said)[0], "id": run.id, "status": run.status}
    if facts != said:
        changed["run.json"] = _saying(run.folder / "run.json", facts)
    if "outputs.json" in found:
        outputs = json_of(found["outputs.json"])
        fitting = _outputs(outputs, found, changed)
        if fitting != outputs:
            changed["outputs.json"] = _saying(run.folder / "outputs.json", fitting)
    return changed


def _saying(path: Path, data: Mapping[str, Any]) -> Item:
    text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    return Item(path=path, text=text.encode())


def _outputs(
    outputs: Mapping[str, Any], found: Mapping[str, Item], changed: Mapping[str, Item]
) -> dict[str, Any]:
    """What `outputs.json` is to say: of files that go along, with the digests of what they say now."""
    kept = {}
    for output, facts in outputs.items():
        if not is_output(facts):
            continue
        digests = {}
        for name, digest in facts["sha256"].items():
            path = output_path(facts["path"], name)
            if path in found:
                digests[name] = digest_of(changed[path]) if path in changed else digest
        if digests:
            kept[output] = {**facts, "sha256": digests}
    return kept


def is_output(facts: Any) -> bool:
    """Whether it says of an output what `outputs.json` says: where it is, and the digest of each file."""
    if not isinstance(facts, dict) or not isinstance(facts.get("path"), str):
        return False
    digests = facts.get("sha256")
    return isinstance(digests, dict) and all(isinstance(text, str) for text in digests.values())


def output_path(path: str, name: str) -> str:
    """Where a file of an output lies in its run: an output is a folder, or one file."""
    return path if PurePosixPath(path).name == name else f"{path}/{name}"


def _described(runs: Sequence[Run], items: Mapping[str, Item]) -> dict[str, Any]:
    return {
        "format": FORMAT, "version": VERSION,
        "runs": sorted(run.id for run in runs),
        "files": {
            name: {"bytes": item.size, "sha256": digest_of(item)} for name, item in items.items()
        },
    }  # fmt: skip


def _write(
    to: Path, items: Mapping[str, Item], manifest: Mapping[str, Any], told: Callable[[int], None]
) -> int:
    """Write the archive beside its place, then put it there; returns the bytes of its files."""
    beside = to.with_name(f".{to.name}.{os.getpid()}.tmp")
    text = json.dumps(manifest, indent=1, ensure_ascii=False).encode()
    total = 0
    try:
        with (
            beside.open("wb") as raw,
            gzip.GzipFile("", "wb", compresslevel=3, fileobj=raw, mtime=0) as zipped,
            tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            _add(tar, MANIFEST, io.BytesIO(text), len(text))
            for name, item in items.items():
                size = manifest["files"][name]["bytes"]
                with item.open() as file:
                    _add(tar, name, file, size)
                total += size
                told(size)
        os.replace(beside, to)
    finally:
        beside.unlink(missing_ok=True)
    return total


def _add(tar: tarfile.TarFile, name: str, file: IO[bytes], size: int) -> None:
    """Add a file without owner, time or anything else that only this machine has."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    tar.addfile(info, file)


def digest_of(item: Item) -> str:
    """SHA-256 of its content in hex."""
    digest = hashlib.sha256()
    with item.open() as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def json_of(item: Item) -> dict[str, Any]:
    """The table that it holds; an empty one where it holds none."""
    with suppress(OSError, ValueError, RecursionError), item.open() as file:
        found = json.loads(file.read())
        if isinstance(found, dict):
            return found
    return {}
