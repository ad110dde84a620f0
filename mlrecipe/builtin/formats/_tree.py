"""Dicts, lists and tuples that hold more than plain values: tensors, arrays, tables, files, models.

`tree.json` has the containers, in their order, and the plain values; tensors and arrays are in one safetensors
file; every other value is in a folder of its own, written by the format of its type. Imports nothing heavy.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from mlrecipe.errors import DataError, StoreError
from mlrecipe.interfaces import Summary
from mlrecipe.registry import registries
from mlrecipe.store import formats, objects, values
from mlrecipe.store.outputs import SMALL

FILE = "tree.json"
_ARRAYS = "data.safetensors"

_TEXT = 80
"""Characters that `inspect` shows of an entry."""

_CONTAINERS = (dict, list, tuple)
_PLAIN_FORMATS = ("json", "mapping", "text")

Node = dict[str, Any]
"""A value in `tree.json`: an object with one key, which says what the value is."""


def save(value: Any, folder: Path) -> None:
    """Write the value.

    Raises:
        DataError: some part of it cannot be stored; the message says where it is.
    """
    writer = _Writer(folder)
    try:
        root = writer.node(value, "value")
    except RecursionError:
        raise DataError("the value is nested too deeply, or holds itself") from None
    writer.write_arrays()
    (folder / FILE).write_text(json.dumps(root, separators=(",", ":")), encoding="utf-8")


def load(folder: Path) -> Any:
    """The value, in fresh containers."""
    return _Reader(folder).value(_root(folder))


def load_entry(folder: Path, entry: str) -> Any:
    """The value under one key of a stored dict; the others are not read.

    Raises:
        KeyError: it is no dict, or has no such key.
    """
    wanted = values.encode(entry)
    for key, node in _root(folder).get("dict", []):
        if key == wanted:
            return _Reader(folder).value(node)
    raise KeyError(entry)


def describe(value: Any) -> Summary:
    """What each entry is; of tables among them also rows, types, label counts and first rows."""
    found = Summary(kind=type(value).__qualname__, text=f"{len(value)} entries")
    items = value.items() if isinstance(value, Mapping) else enumerate(value)
    for name, item in items:
        found = _with_entry(found, str(name), _describe(item))
    return found


class _Writer:
    """Writes the parts of one value."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._arrays: dict[str, Any] = {}
        self._count = 0

    def node(self, value: Any, path: str) -> Node:
        """The value as it stands in `tree.json`, its other parts written or kept for later."""
        node = self._part(value, path)
        return self._plain(value, path) if node is None else node

    def write_arrays(self) -> None:
        """Write all tensors and arrays."""
        if self._arrays:
            from mlrecipe.builtin.formats import _safetensors

            _safetensors.write(self._arrays, self._folder / _ARRAYS)

    def _part(self, value: Any, path: str) -> Node | None:
        """The node of a value; None for a plain one, which is written as a whole."""
        if type(value) in values.TYPES and type(value) not in _CONTAINERS:
            return None
        if type(value) not in _CONTAINERS:
            return self._leaf(value, path)
        keys: Any = value if type(value) is dict else range(len(value))
        places = {key: f"{path}[{key!r}]" for key in keys}
        parts = {key: self._part(value[key], places[key]) for key in keys}
        if all(part is None for part in parts.values()):
            return None
        nodes = {
            k: p if p is not None else self._plain(value[k], places[k]) for k, p in parts.items()
        }
        if type(value) is not dict:
            return {type(value).__name__: list(nodes.values())}
        return {"dict": [[values.encode(key, f"{path} key"), node] for key, node in nodes.items()]}

    def _plain(self, value: Any, path: str) -> Node:
        text = values.encode(value, path)
        if len(text) <= SMALL:
            return {"plain": text}
        name = self._name()
        (self._folder / f"{name}.json").write_text(text, encoding="utf-8", newline="")
        return {"file": name}

    def _leaf(self, value: Any, path: str) -> Node:
        try:
            kind = formats.choose(value)
            if kind in _PLAIN_FORMATS:  # a subclass of a plain type, which has no format of its own
                raise DataError("", hint=values.RETURNABLE)
        except DataError as error:
            name = f"{type(value).__module__}.{type(value).__qualname__}"
            message = f"{path} has type {name!r}, which cannot be stored"
            raise DataError(message, hint=error.hint) from None
        try:
            node = self._array(value, kind)
            return self._folder_of(value, kind) if node is None else node
        except DataError as error:
            raise DataError(f"{path}: {error.message}", hint=error.hint) from error

    def _array(self, value: Any, kind: str) -> Node | None:
        """The node of a tensor or an array that goes into the one file of all."""
        if kind not in ("tensor", "numpy"):
            return None
        from mlrecipe.builtin.formats import _safetensors

        node: Node
        if kind == "tensor":
            _safetensors.check(value)
            node = {"tensor": self._name()}
            self._arrays[node["tensor"]] = value
            return node
        array = _safetensors.canonical(value)
        if array.dtype.names or not array.itemsize:  # records have their own `.npy`
            return None
        node = {"array": [self._name(), array.dtype.str, list(array.shape)]}
        self._arrays[node["array"][0]] = array
        return node

    def _folder_of(self, value: Any, kind: str) -> Node:
        name = self._name()
        (self._folder / name).mkdir()
        registries["format"].get(kind)().save(value, self._folder / name)
        return {"format": [name, kind]}

    def _name(self) -> str:
        self._count += 1
        return str(self._count - 1)


@dataclass
class _Reader:
    """Reads the parts of one value."""

    folder: Path
    arrays: dict[str, Any] = field(default_factory=dict)
    """The bytes of each array, once one has been asked for."""

    def value(self, node: Node) -> Any:
        """What the node stands for."""
        ((kind, content),) = node.items()
        if kind not in _READERS:
            raise StoreError(f"{FILE} has a part of kind {kind!r}, which mlrecipe never writes")
        return _READERS[kind](self, content)

    def _dict(self, content: list[Any]) -> Any:
        return {values.decode(key): self.value(item) for key, item in content}

    def _list(self, content: list[Any]) -> Any:
        return [self.value(item) for item in content]

    def _tuple(self, content: list[Any]) -> Any:
        return tuple(self._list(content))

    def _plain(self, text: str) -> Any:
        return values.decode(text)

    def _file(self, name: str) -> Any:
        with self._own(name, ".json").open(encoding="utf-8", newline="") as file:
            return values.decode(file.read())

    def _format(self, content: list[str]) -> Any:
        name, kind = content
        return registries["format"].get(kind)().load(self._own(name))

    def _tensor(self, name: str) -> Any:
        from mlrecipe.builtin.formats.array import read_tensors

        return read_tensors(self.folder / _ARRAYS, [name])[name]

    def _array(self, content: list[Any]) -> Any:
        from mlrecipe.builtin.formats import _safetensors

        if not self.arrays:
            self.arrays = dict(_safetensors.read_arrays(self.folder / _ARRAYS))
        name, dtype, shape = content
        return _safetensors.as_array(self.arrays[name], dtype, shape)

    def _own(self, name: str, end: str = "") -> Path:
        """What this value wrote under a name, and never anything else.

        Raises:
            StoreError: it wrote no such thing.
        """
        path = self.folder / f"{name}{end}"
        # A format may write nothing at all, and folders without files are not listed.
        is_ours = name.isdecimal() and not path.is_symlink() and (
            path.name in self._names or (path.is_dir() and not os.listdir(path))
        )  # fmt: skip
        if not is_ours:
            raise StoreError(f"{FILE} names {name!r}, which does not belong to the value")
        return path

    @cached_property
    def _names(self) -> frozenset[str]:
        return objects.names_in(self.folder)


_READERS: Mapping[str, Callable[[_Reader, Any], Any]] = {
    "dict": _Reader._dict, "list": _Reader._list, "tuple": _Reader._tuple,
    "plain": _Reader._plain, "file": _Reader._file, "format": _Reader._format,
    "tensor": _Reader._tensor, "array": _Reader._array,
}  # fmt: skip
"""Kind of a part → how it is read; what a file in the store says is never the name of a method."""


def _root(folder: Path) -> Node:
    root: Any = json.loads((folder / FILE).read_text(encoding="utf-8"))
    if not isinstance(root, dict) or len(root) != 1:
        raise StoreError(f"{FILE} was not written by mlrecipe")
    return root


def _describe(value: Any) -> Summary:
    summary: Summary = registries["format"].get(formats.choose(value))().describe(value)
    text = summary.text
    return replace(summary, text=text[:_TEXT] + "…" * (len(text) > _TEXT))


def _with_entry(all_: Summary, name: str, entry: Summary) -> Summary:
    def prefixed(found: Mapping[str, Any]) -> dict[str, Any]:
        return {f"{name}.{key}" if key else name: item for key, item in found.items()}

    labels = {f"{name}.{column}": counts for column, counts in entry.labels.items()}
    told = f"{entry.kind} {entry.text}".strip()
    return replace(
        all_,
        rows={**all_.rows, **prefixed(entry.rows)},
        schema={**all_.schema, name: told, **prefixed(entry.schema)},
        labels={**all_.labels, **labels},
        statistics={**all_.statistics, **prefixed(entry.statistics)},
        sample={**all_.sample, **prefixed(entry.sample)},
    )
