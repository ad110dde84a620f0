"""Fingerprints: the parts that name a computation, and the hashes over them."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlrecipe.code import libraries
from mlrecipe.code.closure import CodeDigest, code_digest
from mlrecipe.code.libraries import Strictness
from mlrecipe.graph import externals
from mlrecipe.graph.encode import digest
from mlrecipe.graph.graph import Node
from mlrecipe.interfaces import Digest, Fingerprint, Memo

SCHEMA = 1
"""Version of what a fingerprint covers; part of every fingerprint."""

BUILTIN = [Path(__file__).parents[1] / name for name in ("builtin", "reporting", "significance")]
"""Folders whose code counts where a built-in op reaches it: ops of an evaluation compute in the last two."""


_ONLY_SHOWN = ("symbols", "whole", "versions")
"""Parts that explain others and are not hashed themselves."""

Codes = dict[tuple[str, str], CodeDigest]
"""Code digests known already, by file and name: many nodes use one op."""


def own_parts(
    node: Node,
    *,
    project: Path,
    memo: Memo | None = None,
    codes: Codes | None = None,
    strictness: Strictness = "minor",
) -> dict[str, Any]:
    """Everything that the node's fingerprint covers, but for the digests of its inputs.

    Args:
        node: the node.
        project: root of the project.
        memo: remembers digests of code and files between processes.
        codes: remembers digests of code within this plan.
        strictness: how much of the versions of libraries counts.

    Raises:
        RequestError: a parameter cannot be hashed; the message has its path.
    """
    code = _code(node, project, memo, {} if codes is None else codes)
    signature = node.found.signature
    return {
        "schema": SCHEMA,
        "op": signature.name,
        "version": [str(signature.options.get("version", "")), node.spec.version],
        "code": code.digest,
        "symbols": {name: list(value) for name, value in code.symbols.items()},
        "whole": dict(code.whole),
        "params": dict(node.params),
        "files": externals.covered(node.externals, memo),
        "inputs": [[i.slot, i.entry] for i in node.inputs],
        "libraries": libraries.versions(code.libraries, strictness),
        "versions": {name: libraries.full_version(name) for name in code.libraries},
    }


def own_hash(parts: Mapping[str, Any]) -> str:
    """Hash of a node's own parts: equal hashes and equal inputs give equal fingerprints."""
    covered = {key: value for key, value in parts.items() if key not in _ONLY_SHOWN}
    return digest(covered, path="params")


def fingerprint(own: str, inputs: Sequence[Digest]) -> Fingerprint:
    """The fingerprint of a node whose own parts hash to `own`, over its inputs' digests in order."""
    return Fingerprint(digest(["node", SCHEMA, own, list(inputs)]))


def shown(parts: Mapping[str, Any]) -> dict[str, Any]:
    """The parts as JSON values, for records and for people."""
    result = _plain(parts)
    assert isinstance(result, dict)
    return result


def _code(node: Node, project: Path, memo: Memo | None, codes: Codes) -> CodeDigest:
    signature = node.found.signature
    key = (signature.file, signature.qualname)
    if key not in codes:
        roots = [project.resolve()] if node.found.plugin else BUILTIN
        codes[key] = code_digest(Path(signature.file), signature.qualname, roots=roots, memo=memo)
    return codes[key]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return value.isoformat() if isinstance(value, (datetime.date, datetime.time)) else repr(value)
