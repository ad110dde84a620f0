"""Formats of plain values: numbers, texts, containers of them, and dicts of tensors."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import mlrecipe
from mlrecipe.builtin.formats._shorten import shorten
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Format, Summary
from mlrecipe.store import values

_FILE = "value.json"


@mlrecipe.format(
    "json",
    types=(
        "builtins.NoneType",
        "builtins.bool",
        "builtins.int",
        "builtins.float",
        "builtins.str",
        "builtins.bytes",
        "builtins.list",
        "builtins.tuple",
        "builtins.set",
        "builtins.frozenset",
        "datetime.date",
        "datetime.datetime",
    ),
)
class JsonFormat:
    """A plain value as canonical JSON text; `1`, `1.0`, `True` and `"1"` stay what they are."""

    def save(self, value: Any, folder: Path) -> None:
        """Write the value.

        Raises:
            DataError: some part of it has a type that cannot be stored; the message says where.
        """
        (folder / _FILE).write_text(values.encode(value), encoding="utf-8", newline="")

    def load(self, folder: Path) -> Any:
        """The value, in fresh containers."""
        with (folder / _FILE).open(encoding="utf-8", newline="") as file:
            return values.decode(file.read())

    def describe(self, value: Any) -> Summary:
        """Its type, and the value itself, shortened."""
        return Summary(kind=type(value).__qualname__, text=_line(value))


@mlrecipe.format("mapping", types=("builtins.dict",))
class MappingFormat:
    """A dict: safetensors when all its values are tensors, else JSON."""

    def save(self, value: dict[Any, Any], folder: Path) -> None:
        """Write the dict in the layout that fits.

        Raises:
            DataError: a part of it cannot be stored, or it is a subclass of `dict`.
        """
        if type(value) is not dict:
            kind = f"{type(value).__module__}.{type(value).__qualname__}"
            raise DataError(
                f"value has type {kind!r}, which cannot be stored", hint="return dict(…)"
            )
        self._layout(_holds_tensors(value)).save(value, folder)

    def load(self, folder: Path) -> dict[Any, Any]:
        """The dict in its order."""
        loaded = self._layout(not (folder / _FILE).exists()).load(folder)
        return dict(loaded)

    def describe(self, value: dict[Any, Any]) -> Summary:
        """The value shortened, or each tensor's dtype and shape."""
        return self._layout(_holds_tensors(value)).describe(value)

    def _layout(self, is_tensors: bool) -> Format:
        if not is_tensors:
            return JsonFormat()
        # Only a process that holds or asks for tensors pays for torch.
        from mlrecipe.builtin.formats.array import TensorsLayout

        return TensorsLayout()


def _holds_tensors(value: dict[Any, Any]) -> bool:
    torch = sys.modules.get("torch")
    if torch is None or not value:
        return False
    return all(type(name) is str and isinstance(item, torch.Tensor) for name, item in value.items())


def _line(value: Any) -> str:
    text = str(shorten(value)) if not isinstance(value, str) else repr(shorten(value))
    return text if len(text) <= 400 else text[:400] + "…"
