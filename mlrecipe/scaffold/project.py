"""Making a project: the demo, or a recipe for a person's own table; written whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from mlrecipe.errors import RequestError
from mlrecipe.recipe.json_schema import directive
from mlrecipe.recipe.project import project_of
from mlrecipe.scaffold import sequences
from mlrecipe.scaffold.recipe import MODEL_FOLDER, from_table, slug
from mlrecipe.scaffold.source import stem
from mlrecipe.scaffold.table import look
from mlrecipe.scaffold.tagging import from_sequences

_DATA = Path(__file__).parent.parent / "data"
_MARKER = ".mlrecipe"
_IGNORE = "# The store and the runs of mlrecipe\n.mlrecipe/\nruns/\n"
_MODEL_FILES = ("config.json", "tokenizer.json", "tokenizer_config.json")
_SUPPORTING = (".gitignore",)
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)

_PLUGINS = """
# Ops of your own; ops.py says how its example is put to use.
# plugins = ["ops.py"]
"""

_OPS = '''"""Ops of this project, loaded where a recipe says `plugins = ["ops.py"]`.

An op is a function: what comes before the `*` are its inputs, what comes after are the keys that a
node may set. To use the one below, put this into the recipe and let [nodes.tokens] take `masked`:

    [nodes.masked]
    use = "mask-numbers"
    inputs = ["split"]
    column = "text"
"""

from __future__ import annotations

import re
from typing import Any

import mlrecipe


@mlrecipe.op("mask-numbers")
def mask_numbers(data: Any, *, column: str = "text", mask: str = "0") -> Any:
    """Replace every number in a text column, so that the model does not learn single numbers.

    Args:
        data: the splits, a `datasets.DatasetDict`.
        column: column with the text.
        mask: what stands for a number.
    """
    return data.map(lambda row: {column: re.sub(r"\\d+", mask, row[column])})
'''


def create(folder: Path, *, table: Path | None = None, name: str | None = None) -> list[Path]:
    """Make a project in `folder`, new or not, and return the files that were written.

    Without a table it is the demo: a recipe, some reviews, a small model, an example of an op.
    With a table, or a file of words with tags, it is a recipe for that file, which stays where it is.
    Files that are there already are never changed: equal ones are left, a `.gitignore` too. The recipe names
    the project's JSON Schema as its own; writing that is left to the caller, for it depends on all recipes
    of the project.

    Raises:
        DataError: the table cannot be used; see `look`.
        RequestError: a file is there already, or the folder cannot be written.
    """
    if table is None:
        return _place(folder, _demo(folder, name), folders=(_MARKER,))
    files = _for_table(folder, table, name)
    if _is_in_project(folder):
        files.pop(".gitignore")
        return _place(folder, files, folders=())
    return _place(folder, files, folders=(_MARKER,))


def _demo(folder: Path, name: str | None) -> dict[str, bytes]:
    reviews = look(_DATA / "demo" / "reviews.csv")
    text = from_table(reviews, name=name or "demo", file="data/reviews.csv", plugins=_PLUGINS)
    return {
        "data/reviews.csv": reviews.path.read_bytes(),
        "ops.py": _OPS.encode(),
        **_shared(),
        f"{slug(name or 'demo')}.toml": _with_schema(text, folder, project=folder),
    }


def _for_table(folder: Path, path: Path, name: str | None) -> dict[str, bytes]:
    title = slug(name or stem(path))
    found = sequences.look(path)
    if found is None:
        text = from_table(look(path), name=title, file=_reference(path, folder))
        shared = _shared()
    else:
        text = from_sequences(found, name=title, file=_reference(path, folder))
        shared = {".gitignore": _IGNORE.encode()}  # its network needs no files
    project = project_of(folder) if _is_in_project(folder) else folder
    return {**shared, f"{title}.toml": _with_schema(text, folder, project=project)}


def _with_schema(text: str, folder: Path, *, project: Path) -> bytes:
    """A recipe in `folder` whose first line names the project's JSON Schema."""
    return f"{directive(folder.resolve(), project.resolve())}\n\n{text}".encode()


def _shared() -> dict[str, bytes]:
    """The small model and what git is to leave alone."""
    model = {
        f"{MODEL_FOLDER}/{name}": (_DATA / "tiny" / name).read_bytes() for name in _MODEL_FILES
    }
    return {**model, ".gitignore": _IGNORE.encode()}


def _reference(path: Path, folder: Path) -> str:
    """The table's path from the folder; absolute where they have only the root in common."""
    target, start = path.resolve(), folder.resolve()
    if os.path.commonpath([target, start]) == target.anchor:
        return target.as_posix()
    return Path(os.path.relpath(target, start)).as_posix()


def _is_in_project(folder: Path) -> bool:
    """Whether a folder above, or the folder itself, is a project already."""
    here = folder.resolve()
    return any(
        (place / _MARKER).is_dir() or (place / "pyproject.toml").is_file()
        for place in (here, *here.parents)
    )


def _place(folder: Path, files: Mapping[str, bytes], folders: Sequence[str]) -> list[Path]:
    """Write what is not there yet; everything, or nothing where anything is in the way."""
    missing = _missing(folder, files)
    try:
        with _staging(folder) as stage:
            _write(stage, missing, folders)
            if folder.exists():
                _move_in(stage, folder, missing, folders)
            else:
                folder.parent.mkdir(parents=True, exist_ok=True)
                stage.rename(folder)
    except OSError as error:
        what = error.strerror or str(error)
        raise RequestError(f"cannot write into {str(folder)!r}: {what}") from error
    return [folder / name for name in missing]


def _missing(folder: Path, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files that are to be written.

    Raises:
        RequestError: another file of that name is there.
    """
    if folder.exists() and not folder.is_dir():
        raise RequestError(f"{str(folder)!r} is a file, not a folder", hint="give another folder")
    there = [name for name in files if os.path.lexists(folder / name)]
    other = [name for name in there if not _is_kept(folder / name, files[name])]
    if other:
        listed = ", ".join(repr(str(folder / name)) for name in other)
        raise RequestError(
            f"there already: {listed}",
            hint="nothing was written; move it away, or give another name",
        )
    return {name: content for name, content in files.items() if name not in there}


def _is_kept(path: Path, content: bytes) -> bool:
    """Whether a file may stay as it is; a recipe may not, for it is what was asked for."""
    if path.suffix == ".toml":
        return False
    if path.name in _SUPPORTING:
        return True
    return path.is_file() and path.read_bytes() == content


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """A new folder on the same file system, gone afterwards unless it was moved."""
    above = next(place for place in (folder, *folder.resolve().parents) if place.is_dir())
    outer = Path(tempfile.mkdtemp(prefix=".mlrecipe-new-", dir=above))
    try:
        stage = outer / "project"  # its own folder: mkdtemp's is closed to everybody else
        stage.mkdir()
        yield stage
    finally:
        shutil.rmtree(outer, ignore_errors=True)


def _write(stage: Path, files: Mapping[str, bytes], folders: Sequence[str]) -> None:
    for name in folders:
        (stage / name).mkdir()
    for name, content in files.items():
        (stage / name).parent.mkdir(parents=True, exist_ok=True)
        (stage / name).write_bytes(content)


def _move_in(stage: Path, folder: Path, files: Mapping[str, bytes], folders: Sequence[str]) -> None:
    """Move the files into a folder that is there; what was moved is taken back if one cannot be.

    The recipe comes last, so that a project that has one is whole.
    """
    made: list[Path] = []
    try:
        for name in [*folders, *files]:
            made += _make_folders((folder / name).parent if name in files else folder / name)
            if name in files:
                _put(stage / name, folder / name)
                made.append(folder / name)
    except OSError:
        _take_back(made)
        raise


def _put(source: Path, target: Path) -> None:
    """Give a file its place without ever replacing one that came meanwhile."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        with target.open("xb") as file:
            file.write(source.read_bytes())


def _make_folders(folder: Path) -> list[Path]:
    """Make the folder and those above it; returns the new ones, outermost first."""
    new = [place for place in (folder, *folder.parents) if not place.exists()][::-1]
    for place in new:
        place.mkdir()
    return new


def _take_back(made: Sequence[Path]) -> None:
    for path in reversed(made):
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()
