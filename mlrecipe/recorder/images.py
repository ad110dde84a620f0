"""Images in columns of Arrow: the bytes of PNG files, or the paths of such files beside a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from mlrecipe.recorder import png

FIELD = "image"
"""The one field of the struct that an image is."""

KIND = pa.struct({FIELD: pa.binary()})
"""The type of a column of images: the bytes of a PNG file each."""

FOLDER = "images"
"""Folder of the images beside a table."""


def encode(image: Any) -> dict[str, bytes]:
    """The image of Pillow as a value of type `KIND`."""
    return {FIELD: png.encode(image)}


def decode(value: Any) -> Any:
    """The image of Pillow in a value of type `KIND`, of a list each; None stays None.

    Raises:
        DataError: Pillow is not installed.
    """
    if isinstance(value, list):
        return [decode(item) for item in value]
    content = None if value is None else value[FIELD]
    return None if content is None else png.decode(content)


def is_of_images(kind: pa.DataType) -> bool:
    """Whether a column of this type holds images, or lists of them."""
    return is_of_images(kind.value_type) if _is_list(kind) else bool(kind == KIND)


def columns(schema: pa.Schema) -> list[str]:
    """The names of the columns with images."""
    return [field.name for field in schema if is_of_images(field.type)]


def moved_out(table: pa.Table, folder: Path) -> pa.Table:
    """The table with paths, `images/<SHA-256>.png`, where it had images, which are now in `folder`.

    Equal images share a file.
    """

    def path(value: Any) -> str:
        return f"{FOLDER}/{png.write(value[FIELD], folder / FOLDER)}"

    for name in columns(table.schema):
        table = _replaced(table, name, pa.string(), path)
    return table


def moved_in(table: pa.Table, names: Iterable[str], folder: Path) -> pa.Table:
    """The table with the images of `folder` where the columns of these names had their paths."""

    def content(path: str) -> dict[str, bytes]:
        # What a stored table says never leads out of its folder.
        return {FIELD: (folder / FOLDER / Path(path).name).read_bytes()}

    for name in names:
        table = _replaced(table, name, KIND, content)
    return table


def _replaced(
    table: pa.Table, name: str, kind: pa.DataType, change: Callable[[Any], Any]
) -> pa.Table:
    old = table.column(name)
    target = _like(old.type, kind)
    chunks = [pa.array(_each(chunk.to_pylist(), change), target) for chunk in old.chunks]
    place = table.schema.get_field_index(name)
    return table.set_column(place, name, pa.chunked_array(chunks, type=target))


def _like(old: pa.DataType, kind: pa.DataType) -> pa.DataType:
    """The type with images, or paths, instead of the other."""
    return pa.list_(_like(old.value_type, kind)) if _is_list(old) else kind


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _each(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, list):
        return [_each(item, change) for item in value]
    return None if value is None or value == {FIELD: None} else change(value)
