"""Explanations: why a node runs, as the difference between its parts now and when it last ran."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

FIRST = "never run before"


def differences(now: Mapping[str, Any], then: Mapping[str, Any] | None, op: str) -> list[str]:
    """What changed, a phrase each; `now` without the digests of inputs that are not known yet."""
    if then is None:
        return [FIRST]
    if now["op"] != then.get("op"):
        return [f"op {then.get('op')} → {now['op']}"]
    return [
        *_values("version", {"": _version(now)}, {"": _version(then)}, show=str),
        *_values("", now["params"], then.get("params", {})),
        *_files(now["files"], then.get("files", {})),
        *_code(now["symbols"], then.get("symbols", {}), now, then, op),
        *_values("library ", now["libraries"], then.get("libraries", {}), show=_known),
        *_inputs(now, then),
    ]


def _version(parts: Mapping[str, Any]) -> str:
    """The hand-set versions of op and node."""
    return " ".join(text for text in parts.get("version", []) if text) or "none"


def shorten(value: Any, limit: int = 40) -> str:
    """A value in at most `limit` characters, as TOML has it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value) if isinstance(value, (str, list, dict)) else str(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _values(
    prefix: str,
    now: Mapping[str, Any],
    then: Mapping[str, Any],
    *,
    show: Callable[[Any], str] | None = None,
) -> list[str]:
    show = show or shorten
    found = []
    for key in sorted(now.keys() | then.keys()):
        if now.get(key) != then.get(key):
            old, new = show(then.get(key)), show(now.get(key))
            found.append(f"{prefix}{key} {old} → {new}".strip())
    return found


def _files(now: Mapping[str, Any], then: Mapping[str, Any]) -> list[str]:
    found = []
    for parameter in sorted(now.keys() | then.keys()):
        old, new = dict(then.get(parameter, [])), dict(now.get(parameter, []))
        if "hub" in old or "hub" in new:
            if old != new:
                found.append(f"{parameter} {_source(old)} → {_source(new)}")
            continue
        found += [
            f"file {name} changed"
            for name in sorted(old.keys() & new.keys())
            if old[name] != new[name]
        ]
        found += [f"file {name} is new" for name in sorted(new.keys() - old.keys())]
        found += [f"file {name} is gone" for name in sorted(old.keys() - new.keys())]
    return found


def _source(files: Mapping[str, str]) -> str:
    if "hub" not in files:
        return "a local folder"
    name, at, commit = files["hub"].partition("@")
    return repr(name + at + commit[:10])


def _code(
    now: Mapping[str, Any], then: Mapping[str, Any], all_now: Mapping[str, Any],
    all_then: Mapping[str, Any], op: str,
) -> list[str]:  # fmt: skip
    found = []
    for symbol in sorted(now.keys() | then.keys()):
        old, new = then.get(symbol), now.get(symbol)
        file, _, name = symbol.partition("::")
        what = f"the op's code {name}" if name == op else f"helper {name}"
        if name == "*":
            what = "module"
        if old is None and new is not None:
            found.append(f"{what} is new ({file}:{new[1]})")
        elif new is None:
            found.append(f"{what} is no longer used ({file})")
        elif old is not None and old[0] != new[0]:
            found.append(f"{what} changed ({file}:{new[1]})")
    if not found and all_now["code"] != all_then.get("code"):
        return ["code changed"]
    return found


def _inputs(now: Mapping[str, Any], then: Mapping[str, Any]) -> list[str]:
    if now["inputs"] != then.get("inputs"):
        return ["other inputs"]
    if "digests" not in now:
        return []
    pairs = zip(now["digests"], then.get("digests", []), strict=False)
    return [
        f"input {new[0]} changed" if new[0] == old[0] else f"input {old[0]} → {new[0]}"
        for new, old in pairs
        if new[1] != old[1]
    ]


def _known(version: Any) -> str:
    return str(version or "none")
