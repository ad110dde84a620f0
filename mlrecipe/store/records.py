"""Records: the small facts that say what a computation gave, and from what."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlrecipe.errors import StoreError
from mlrecipe.interfaces import Digest, Fingerprint

SCHEMA = 1
"""Version of the record's layout; a store of a newer one is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Computation:
    """What was computed, from what, at what cost: a record without its output. JSON values only."""

    fingerprint: Fingerprint

    own: str
    """Hash of the fingerprint's parts other than the inputs' digests: tells `plan` whether a node
    whose inputs are not known yet can be a hit at all."""

    parts: Mapping[str, Any]
    """The fingerprint's parts, readable: `op`, `version`, `code` (symbol → digest and place),
    `params`, `inputs` (slot → node and digest), `files` (parameter → path and digest), `libraries`,
    `seed`."""

    recipe: str
    """The recipe's path, relative to its project."""

    node: str
    op: str

    created: str
    """UTC time in ISO format."""

    seconds: float
    """Wall time of the op; of a node in shards: in which any of them ran, and of putting them together."""

    cpu_seconds: float
    """CPU time of the process while the op ran, all threads, and of the processes that the op ended."""

    peak_bytes: int | None = None
    """How far the process's resident memory rose above what it was before the op, at its highest: pages
    of files that the op read through a memory map count, other processes of the op do not. None where
    the system does not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record(Computation):
    """What one computation gave. JSON values only; the object it names is immutable."""

    digest: Digest
    """Digest of the output's object."""

    format: str
    """Registered name of the format that wrote the output."""

    bytes: int
    """Size of the output's files."""

    summary: Mapping[str, Any] = field(default_factory=dict)
    """`interfaces.Summary` as JSON."""

    value: str | None = None
    """The output itself as canonical JSON text, where it is a JSON value of at most 32 kB."""


_FIELDS = tuple(f.name for f in dataclasses.fields(Record))
_OTHER_KINDS: dict[str, tuple[type, ...]] = {
    "parts": (dict,),
    "summary": (dict,),
    "seconds": (int, float),
    "cpu_seconds": (int, float),
    "peak_bytes": (int, type(None)),
    "bytes": (int,),
    "value": (str, type(None)),
}
_KINDS = tuple((name, _OTHER_KINDS.get(name, (str,))) for name in _FIELDS)


def to_bytes(record: Record) -> bytes:
    """The record as the JSON of its file. What a summary holds beyond JSON becomes text."""
    fields = {"schema": SCHEMA} | {name: getattr(record, name) for name in _FIELDS}
    text = json.dumps(fields, indent=1, ensure_ascii=False, default=str)
    return text.encode("utf-8", "surrogatepass")


def from_bytes(data: bytes) -> Record:
    """The record that `to_bytes` wrote.

    Raises:
        ValueError: the bytes are no whole record.
        StoreError: a newer mlrecipe wrote it.
    """
    fields = json.loads(data.decode("utf-8", "surrogatepass"))
    if not isinstance(fields, dict):
        raise ValueError("not a JSON table")
    check_schema(fields.pop("schema", None))
    fields.setdefault("peak_bytes", None)  # records of before it was measured
    wrong = [name for name, kinds in _KINDS if not isinstance(fields.get(name), kinds)]
    if wrong or len(fields) != len(_FIELDS):
        raise ValueError(f"wrong or missing fields: {', '.join(wrong) or 'there are others'}")
    if not (is_hash(fields["fingerprint"]) and is_hash(fields["digest"])):
        raise ValueError("fingerprint or digest is not a SHA-256")
    return Record(**fields)


def fault(error: OSError | ValueError) -> str:
    """Why a record cannot be used, in a few words."""
    if isinstance(error, IsADirectoryError):
        return "a folder is in the place of its record"
    if isinstance(error, OSError):
        return f"its record cannot be read: {error.strerror or error}"
    return "its record is damaged"


def check_schema(version: object) -> None:
    """Refuse what another version of mlrecipe wrote.

    Raises:
        ValueError: no version is given.
        StoreError: the version is newer than this mlrecipe.
    """
    if not isinstance(version, int):
        raise ValueError("no schema version")
    if version > SCHEMA:
        raise StoreError(
            f"the store has schema {version}, this mlrecipe knows {SCHEMA}",
            hint="use the newer mlrecipe, or name another store with MLRECIPE_STORE",
        )


def is_hash(text: str) -> bool:
    """Whether the text is a SHA-256 in lower-case hex, and so can be used in a path."""
    return len(text) == 64 and not text.strip("0123456789abcdef")
