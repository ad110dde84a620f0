"""Formats of plain values: numbers, texts, containers of them, and containers that hold more than these."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlrecipe
from mlrecipe.builtin.formats import _tree
from mlrecipe.builtin.formats._items import Items
from mlrecipe.builtin.formats._shorten import shorten
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Summary
from mlrecipe.store import values
from mlrecipe.store.outputs import SMALL

if TYPE_CHECKING:
    from mlrecipe.builtin.formats.array import TensorsLayout

_FILE = "value.json"
_TEXT = "text.txt"
_RESERVED = "__metadata__"
"""The one name that safetensors keeps for itself."""


@mlrecipe.format(
    "json",
    types=(
        "builtins.NoneType",
        "builtins.bool",
        "builtins.int",
        "builtins.float",
        "builtins.bytes",
        "builtins.list",
        "builtins.tuple",
        "builtins.set",
        "builtins.frozenset",
        "datetime.date",
        "datetime.datetime",
    ),
)
class JsonFormat(Items):
    """A plain value as canonical JSON text; `1`, `1.0`, `True` and `"1"` stay what they are.

    A list or tuple may also hold tensors, arrays, tables, files and models: those have files of their own.
    """

    def save(self, value: Any, folder: Path) -> None:
        """Write the value.

        Raises:
            DataError: some part of it has a type that cannot be stored; the message says where.
        """
        _save(value, folder)

    def load(self, folder: Path) -> Any:
        """The value, in fresh containers."""
        return _load(folder)

    def describe(self, value: Any) -> Summary:
        """Its type, and the value itself, shortened."""
        if isinstance(value, list | tuple) and not _is_plain(value):
            return _tree.describe(value)
        return Summary(kind=type(value).__qualname__, text=_line(value))


@mlrecipe.format("text", types=("builtins.str",))
class TextFormat:
    """A text: a long one as a file of UTF-8, a short one as JSON."""

    def save(self, value: str, folder: Path) -> None:
        """Write the text.

        Raises:
            DataError: it holds lone surrogates, or is a subclass of `str`.
        """
        text = values.encode(value).encode()
        if len(text) <= SMALL:  # it will be in the record
            (folder / _FILE).write_bytes(text)
        else:
            (folder / _TEXT).write_bytes(value.encode())

    def load(self, folder: Path) -> str:
        """The text, its line ends as they were."""
        path = folder / _TEXT
        text: str = path.read_bytes().decode() if path.exists() else _load(folder)
        return text

    def describe(self, value: str) -> Summary:
        """Its beginning."""
        return Summary(kind="str", text=_line(value))


@mlrecipe.format("mapping", types=("builtins.dict",))
class MappingFormat:
    """A dict: JSON when its values are plain, safetensors when all are tensors, else a file for each part.

    The order of the keys is part of the value: it comes back, and another order has another digest.
    """

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
        if _holds_tensors(value):
            _tensors().save(value, folder)
        else:
            _save(value, folder)

    def load(self, folder: Path) -> dict[Any, Any]:
        """The dict in its order."""
        is_tensors = not ((folder / _FILE).exists() or (folder / _tree.FILE).exists())
        return dict(_tensors().load(folder) if is_tensors else _load(folder))

    def load_entry(self, folder: Path, entry: str) -> Any:
        """The value under one key; others with files of their own are not read.

        Raises:
            KeyError: there is none.
        """
        if (folder / _tree.FILE).exists():
            return _tree.load_entry(folder, entry)
        if (folder / _FILE).exists():
            return _load(folder)[entry]
        return _tensors().load_entry(folder, entry)

    def describe(self, value: dict[Any, Any]) -> Summary:
        """The value shortened, or what each entry is."""
        if _holds_tensors(value):
            return _tensors().describe(value)
        if not _is_plain(value):
            return _tree.describe(value)
        return Summary(kind="dict", text=_line(value))


def _save(value: Any, folder: Path) -> None:
    try:
        text = values.encode(value)
    except DataError:
        if not isinstance(value, list | tuple | dict):
            raise
        _tree.save(value, folder)
        return
    (folder / _FILE).write_text(text, encoding="utf-8", newline="")


def _load(folder: Path) -> Any:
    if (folder / _tree.FILE).exists():
        return _tree.load(folder)
    with (folder / _FILE).open(encoding="utf-8", newline="") as file:
        return values.decode(file.read())


def _tensors() -> TensorsLayout:
    # Only a process that holds or asks for tensors pays for torch.
    from mlrecipe.builtin.formats.array import TensorsLayout

    return TensorsLayout()


def _holds_tensors(value: dict[Any, Any]) -> bool:
    torch = sys.modules.get("torch")
    if torch is None or not value or _RESERVED in value:
        return False
    return all(type(name) is str and isinstance(item, torch.Tensor) for name, item in value.items())


def _is_plain(value: Any) -> bool:
    """Whether the value, which has been stored, is plain all through."""
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return type(value) in values.TYPES


def _line(value: Any) -> str:
    text = str(shorten(value)) if not isinstance(value, str) else repr(shorten(value))
    return text if len(text) <= 400 else text[:400] + "…"
