"""Externals: what a parameter names outside the recipe (files, folders, ids of the hub), and its digest."""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlrecipe.code.kinds import Kind, sources
from mlrecipe.code.stamps import is_settled, stamp
from mlrecipe.errors import RequestError, did_you_mean
from mlrecipe.graph.folders import listing
from mlrecipe.interfaces import Digest, Memo

TOKENIZER_FILES = (
    "tokenizer.json", "vocab.txt", "vocab.json", "merges.txt", "*.model", "*.tiktoken",
    "special_tokens_map.json", "added_tokens.json", "tokenizer_config.json", "chat_template.*",
)  # fmt: skip
"""Files of a checkpoint folder on which a tokenizer's output depends."""

_VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model", "*.tiktoken")
_WEIGHTS = (
    ".safetensors", ".safetensors.index.json", ".bin", ".bin.index.json", ".h5", ".msgpack", ".pt", ".pth",
    ".ckpt.index",
)  # fmt: skip
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class External:
    """One thing outside the recipe that a parameter names."""

    kind: str
    """`file`, `dataset`, `tokenizer` or `model`."""

    text: str
    """As the recipe writes it."""

    path: str = ""
    """Absolute path or glob; empty for an id of the hub."""

    files: tuple[tuple[str, str], ...] = ()
    """The files that count: name in the fingerprint, absolute path; sorted."""

    others: tuple[tuple[str, str], ...] = ()
    """What else a folder holds, such as empty folders: name in the fingerprint, what counts of it."""

    revision: str = ""
    """Branch, tag or commit that the recipe asks the hub for; empty where that cannot be said."""

    commit: str = ""
    """Commit of the hub that it stands for, in 40 digits; empty while it is not pinned."""

    problem: str = ""
    """Why it cannot be read; empty when it can."""

    @property
    def is_hub(self) -> bool:
        """Whether it is an id of the Hugging Face hub rather than something on this disk."""
        return not self.path

    @property
    def origin(self) -> str:
        """An id of the hub with its commit, as far as that is known."""
        return f"{self.text}@{self.commit}" if self.commit else self.text


def resolve(value: Any, kind: Kind, base: Path) -> tuple[Any, list[External]]:
    """The value with paths made absolute, and what it names. `base`: where relative paths start."""
    if isinstance(value, str) and (source := sources(kind)):
        found = _external(value, source, base)
        return found.path or value, [found]
    if isinstance(value, list):
        pairs = [resolve(item, kind, base) for item in value]
        return [item for item, _ in pairs], [e for _, found in pairs for e in found]
    if isinstance(value, dict):
        table = {key: resolve(item, kind, base) for key, item in value.items()}
        return {k: v for k, (v, _) in table.items()}, [e for _, f in table.values() for e in f]
    return value, []


def again(external: External) -> External:
    """The same external as it is now: files may have come and gone since it was resolved."""
    if external.is_hub:
        return external
    if external.kind == "file":
        return _file(external.text, external.path)
    return _folder(external.text, external.kind, external.path)


def digests(external: External, memo: Memo | None = None) -> list[tuple[str, str]]:
    """What an external adds to a fingerprint: name and content digest of every file, or the hub's id."""
    if external.is_hub:
        return [("hub", external.origin)]
    files = [(name, str(file_digest(Path(path), memo))) for name, path in external.files]
    return sorted([*files, *external.others]) if external.others else files


def covered(
    named: Mapping[str, Iterable[External]], memo: Memo | None = None
) -> dict[str, list[list[str]]]:
    """What externals add to a fingerprint, by the parameter that names them."""
    return {
        key: [list(pair) for external in items for pair in digests(external, memo)]
        for key, items in named.items()
    }


def shares(table: Mapping[str, Any], kind: Kind, base: Path) -> dict[str, list[str]]:
    """Key → names of what a table's value stands for: which of them has which key counts too."""
    found = {key: resolve(value, kind, base)[1] for key, value in table.items()}
    return {key: [name for each in items for name in _names(each)] for key, items in found.items()}


def file_digest(path: Path, memo: Memo | None = None) -> Digest:
    """SHA-256 of a file's content; remembered by the file's stamp.

    Raises:
        RequestError: it cannot be read.
    """
    before = stamp(path)
    kept = memo.get(f"file:{path}") if memo else None
    if kept is not None and before is not None and kept.startswith(f"{before} "):
        return Digest(kept.rpartition(" ")[2])
    found = _hash(path)
    if memo is not None and before is not None and before == stamp(path) and is_settled(before):
        memo.set(f"file:{path}", f"{before} {found}")
    return found


def stamps(externals: Iterable[External]) -> dict[str, str | None]:
    """The stamp of all that local externals hold now, to see afterwards whether anything changed."""
    found: dict[str, str | None] = {}
    for external in map(again, externals):
        found |= {path: stamp(Path(path)) for _, path in external.files}
        found |= {os.path.join(external.path, name): what for name, what in external.others}
    return found


def changed(before: Mapping[str, str | None], after: Mapping[str, str | None]) -> list[str]:
    """Paths that differ between two looks of `stamps`: edited, new or gone; sorted."""
    paths = before.keys() | after.keys()
    return sorted(p for p in paths if p not in before or before[p] != after.get(p, ""))


def _names(external: External) -> list[str]:
    return [external.text] if external.is_hub else [name for name, _ in external.files]


def _external(text: str, source: str, base: Path) -> External:
    path = os.path.normpath(os.path.join(base, os.path.expanduser(text)))
    if source == "file":
        return _file(text, path)
    if os.path.isdir(path):
        return _folder(text, source, path)
    is_local = os.path.exists(path) or ("/" in text and os.path.isdir(os.path.dirname(path)))
    if _HUB_ID.fullmatch(text) and not is_local:
        return External(kind=source, text=text)
    if os.path.exists(path):
        problem = f"{text!r} is a file, not a folder"
    else:
        problem = _missing(text, path, what="folder")
    return External(kind=source, text=text, path=path, problem=problem)


def _file(text: str, path: str) -> External:
    if os.path.isfile(path):
        return External(kind="file", text=text, path=path, files=((os.path.basename(path), path),))
    if os.path.isdir(path):
        return _filled(External(kind="file", text=text, path=path))
    if glob.has_magic(text):
        start = os.path.dirname(re.split(r"[*?\[]", path)[0])
        matches = sorted(p for p in glob.glob(path, recursive=True) if os.path.isfile(p))
        files = tuple((os.path.relpath(p, start).replace(os.sep, "/"), p) for p in matches)
        problem = "" if files else f"no file matches {text!r}"
        return External(kind="file", text=text, path=path, files=files, problem=problem)
    return External(kind="file", text=text, path=path, problem=_missing(text, path))


def _folder(text: str, source: str, path: str) -> External:
    folder = _filled(External(kind=source, text=text, path=path))
    if source != "tokenizer" or folder.problem:
        return folder
    files = tuple((n, p) for n, p in folder.files if _matches(n, TOKENIZER_FILES))
    problem = ""
    if not any(_matches(name, _VOCABULARIES) for name, _ in files):
        problem = (
            f"the folder {text!r} has no tokenizer (no tokenizer.json, vocab.txt, vocab.json or "
            "*.model); save one there with tokenizer.save_pretrained(...), or name another folder"
        )
    return replace(folder, files=files, others=(), problem=problem)


def _filled(folder: External) -> External:
    """With all that the folder holds."""
    try:
        files, others = listing(folder.path)
    except OSError as error:
        problem = f"cannot read the folder {folder.text!r}: {error.strerror} ({error.filename})"
        return replace(folder, problem=problem)
    return replace(folder, files=files, others=others)


def without_weights(folder: External) -> str:
    """What is wrong with a folder of a checkpoint that holds no weights; empty where it has some.

    Looks at the names of its files alone.
    """
    is_folder = folder.kind == "model" and folder.path and not folder.problem
    if not is_folder or any(name.endswith(_WEIGHTS) for name, _ in folder.files):
        return ""
    remedy = "; to start from random weights give it as `config`" if any(
        name == "config.json" for name, _ in folder.files
    ) else ""  # fmt: skip
    return f"the folder {folder.text!r} has no weights (no *.safetensors or *.bin){remedy}"


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(Path(name).match(pattern) for pattern in patterns) and "/" not in name


def _missing(text: str, path: str, *, what: str = "file") -> str:
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        return f"no such {what}: {text!r}; its folder {_near(folder)} does not exist"
    near = did_you_mean(os.path.basename(path), [n for n in os.listdir(folder) if n[0] != "."])
    return f"no such {what}: {text!r}" + (f"; {near}" if near.startswith("did") else "")


def _near(path: str) -> str:
    relative = os.path.relpath(path)
    return path if relative.startswith("../..") else relative


def _hash(path: Path) -> Digest:
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            read: Callable[[], bytes] = lambda: file.read(1 << 20)  # noqa: E731
            for block in iter(read, b""):
                digest.update(block)
    except OSError as error:
        raise RequestError(f"cannot read {str(path)!r}: {error.strerror}") from error
    return Digest(digest.hexdigest())
