"""Lock files: `<recipe>.lock`, where the commits of the hub that a recipe stands for are written down."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import tomli

from mlrecipe.errors import RequestError
from mlrecipe.graph.pins import Asked, is_commit

_KINDS = ("dataset", "model")
_COMMENT = (
    "# What the Hugging Face hub had when {recipe} asked it. Written by mlrecipe; commit it with the recipe.\n"
    "# `--update` asks again.\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One answer of the hub."""

    kind: str
    """Kind of repository: `dataset`, or `model`, where tokenizers are too."""

    id: str
    """The repository: `stanfordnlp/imdb`."""

    revision: str
    """Branch, tag or commit that was asked for."""

    commit: str
    """The commit that it was, in 40 digits."""

    date: str
    """When the hub first gave this answer: `2026-01-31`, in UTC."""

    @property
    def asked(self) -> Asked:
        """What the hub was asked."""
        return self.kind, self.id, self.revision


Pins = dict[Asked, Pin]


def place(recipe: Path) -> Path:
    """Where the lock file of a recipe is."""
    return recipe.with_name(f"{recipe.name}.lock")


def read(path: Path) -> Pins:
    """What a lock file says; nothing where there is none.

    Raises:
        RequestError: it is no lock file.
    """
    try:
        found = tomli.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _broken(path, str(error)) from error
    tables = found.get("hub", [])
    if not isinstance(tables, list):
        raise _broken(path, "`hub` is no list of tables")
    pins = [_pin(path, number, table) for number, table in enumerate(tables, 1)]
    return {pin.asked: pin for pin in pins}


def text(pins: Iterable[Pin], *, recipe: str) -> str:
    """The lock file with these answers of the recipe of that name."""
    parts = [_COMMENT.format(recipe=recipe)]
    for pin in sorted(pins, key=lambda pin: pin.asked):
        lines = [f"{key:<8} = {_quoted(value)}" for key, value in asdict(pin).items()]
        parts.append("\n".join(["[[hub]]", *lines, ""]))
    return "\n".join(parts)


def write(path: Path, pins: Iterable[Pin], *, recipe: str) -> None:
    """Write the lock file whole: a reader sees the old one or the new one.

    Raises:
        OSError: the folder cannot be written to.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        beside.write_text(text(pins, recipe=recipe), encoding="utf-8")
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def changes(then: Pins, now: Pins) -> list[str]:
    """`id old → new` for every answer that is another one now."""
    return [
        f"{pin.id} {pin.commit[:10]} → {now[asked].commit[:10]}"
        for asked, pin in then.items()
        if asked in now and now[asked].commit != pin.commit
    ]


def _pin(path: Path, number: int, table: Any) -> Pin:
    names = Pin.__dataclass_fields__
    values: dict[str, Any] = table if isinstance(table, dict) else {}
    wrong = [name for name in names if not isinstance(values.get(name), str)]
    if not wrong and values["kind"] not in _KINDS:
        wrong = ["kind"]
    if not wrong and not is_commit(values["commit"]):
        wrong = ["commit"]
    if wrong:
        raise _broken(path, f"no. {number} of its [[hub]] tables has no {wrong[0]} as it should be")
    return Pin(**{name: values[name] for name in names})


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _broken(path: Path, reason: str) -> RequestError:
    return RequestError(
        f"cannot read the lock file {path.name!r}: {reason}",
        hint="mend it, take it from version control, or delete it to have the hub asked again",
    )
