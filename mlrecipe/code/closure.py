"""The code digest: what an op's result depends on in source, followed statically through the project's modules.

Formatting, comments, docstrings and the order of definitions do not count. What registers itself with something
reached (a decorator, a call at module level, a subclass) is reached. What cannot be followed (computed names,
`exec`, star imports) makes the whole module count, never a random value.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlrecipe.code.stamps import is_settled, stamp
from mlrecipe.interfaces import Memo

if TYPE_CHECKING:
    from mlrecipe.code.walk import Walk

_OWN = tuple(
    Path(__file__).with_name(f"{name}.py")
    for name in ("closure", "walk", "registrations", "bindings", "touches", "dynamic", "source")
)
"""Files that decide what a digest covers: a remembered one made by other code is of no use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeDigest:
    """What the code of one op is, now."""

    digest: str
    """SHA-256 in hex over all symbols."""

    symbols: Mapping[str, tuple[str, int]]
    """`file::name` of each symbol reached, with its short digest and its line."""

    libraries: tuple[str, ...]
    """Top-level modules outside the project that the code reaches, sorted."""

    whole: Mapping[str, str]
    """Files that count as a whole, and what in them cannot be followed: `line 12: globals()`."""


def code_digest(
    path: Path, name: str, *, roots: Sequence[Path], memo: Memo | None = None
) -> CodeDigest:
    """The digest of the function or class `name` in the file `path` and of all it reaches below `roots`."""
    # What is reached hangs on where one looks: with more roots another digest is remembered.
    key = ":".join(["code", str(path), name, *map(str, roots[1:])])
    found = _remembered(key, memo)
    if found is None:
        walk = _reach(tuple(roots), path, name)
        found = _result(walk, roots[0])
        seen = [*_OWN, *sorted(walk.modules), *sorted(walk.folders)]
        # mlrecipe's own folders, which are several, get no new files.
        missing = sorted(walk.missing) if len(roots) == 1 else []
        _remember(key, found, seen, missing, memo)
    return found


def _reach(roots: tuple[Path, ...], path: Path, name: str) -> Walk:
    """A walk from the symbol through what it uses, and what registers itself with any of it."""
    from mlrecipe.code.registrations import looking
    from mlrecipe.code.walk import reach

    project = looking(roots)
    walk = project.walk.beside()
    reach(walk, [(path, name)])
    project.add_registrations(walk)
    return walk


def _result(walk: Walk, root: Path) -> CodeDigest:
    symbols = {
        f"{_relative(path, root)}::{name}": value for (path, name), value in walk.symbols.items()
    }
    text = json.dumps(sorted((key, digest) for key, (digest, _) in symbols.items()))
    return CodeDigest(
        digest=hashlib.sha256(text.encode()).hexdigest(),
        symbols=dict(sorted(symbols.items())),
        libraries=tuple(sorted(walk.libraries)),
        whole={_relative(path, root): why for path, why in sorted(walk.whole.items())},
    )


def _relative(path: Path, root: Path) -> str:
    return os.path.relpath(path, root).replace(os.sep, "/")


def _remembered(key: str, memo: Memo | None) -> CodeDigest | None:
    text = memo.get(key) if memo is not None else None
    if text is None:
        return None
    data = json.loads(text)
    if any(stamp(Path(file)) != kept for file, kept in data["stamps"].items()):
        return None
    if any(os.path.isfile(file) for file in data.get("missing", ())):
        return None  # it would be found now, in place of another
    return CodeDigest(
        digest=data["digest"],
        symbols={key: (value[0], value[1]) for key, value in data["symbols"].items()},
        libraries=tuple(data["libraries"]),
        whole=dict(data["whole"]),
    )


def _remember(
    key: str, found: CodeDigest, files: Sequence[Path], missing: Sequence[Path], memo: Memo | None
) -> None:
    stamps = {str(file): stamp(file) for file in files}
    if memo is None or not all(text and is_settled(text) for text in stamps.values()):
        return
    data = {
        "stamps": stamps, "digest": found.digest, "symbols": found.symbols,
        "libraries": found.libraries, "whole": found.whole, "missing": list(map(str, missing)),
    }  # fmt: skip
    memo.set(key, json.dumps(data))
