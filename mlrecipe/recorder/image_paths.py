"""Images behind paths: a decorator that keeps images out of a data set's Arrow files. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

from mlrecipe.errors import DataError, did_you_mean
from mlrecipe.recorder import png

Change = Callable[..., Any]
"""A function for `datasets.Dataset.map`: a row, or a batch of rows, in; a dict of columns out."""


def image_paths(
    *columns: str,
    folder: str | Path,
    base: str | Path | None = None,
    outputs: Sequence[str] | None = None,
) -> Callable[[Change], Change]:
    """A decorator for a function that `datasets.Dataset.map` calls, with rows or with batches.

    The function gets images of Pillow where these columns have paths, or lists of paths. Each image that it
    returns, in whatever column, is written as PNG into `folder` and replaced by the name of its file there,
    which is the SHA-256 of its content; equal images are one file. The data set itself never holds images.

    Args:
        *columns: columns with paths of images; null stays None.
        folder: where images that the function returns are written: an op's `scratch`, returned beside the
            rows.
        base: where relative paths begin; by default the working directory.
        outputs: columns whose images are written; by default all that the function returns. In others the
            images that it was given become the paths again that they were, so that it may return its row.

    Raises:
        DataError: when the function is called: a column is not there, or a path leads to no image.
    """
    begin, into = Path(base) if base is not None else Path(), Path(folder)

    def decorate(function: Change) -> Change:
        @wraps(function)
        def changed(row: Mapping[str, Any], *arguments: Any, **named: Any) -> Any:
            exchange = _Exchange(begin, into)
            images = {column: exchange.opened(_of(row, column), column) for column in columns}
            returned = function({**row, **images}, *arguments, **named)
            if not isinstance(returned, Mapping):
                return returned
            return {
                name: exchange.written(value)
                if outputs is None or name in outputs
                else exchange.returned(value, name)
                for name, value in returned.items()
            }

        return changed

    return decorate


class _Exchange:
    """Gives images for paths and takes paths for images, during one call of a function."""

    def __init__(self, base: Path, folder: Path) -> None:
        self._base = base
        self._folder = folder
        self._given: dict[int, tuple[Any, Any]] = {}
        """By its id each image that was given, which lives as long, and its path."""

    def opened(self, path: Any, column: str) -> Any:
        """The image; of a list each; None stays None."""
        if path is None:
            return None
        if isinstance(path, list | tuple):
            return [self.opened(item, column) for item in path]
        image = self._open(path, column)
        self._given[id(image)] = (image, path)
        return image

    def written(self, value: Any) -> Any:
        """The name of the file for an image, now written; of a list each; what is no image stays."""
        if isinstance(value, list | tuple):
            return [self.written(item) for item in value]
        return png.write(png.encode(value), self._folder) if png.is_image(value) else value

    def returned(self, value: Any, column: str) -> Any:
        """The path that an image had; of a list each; what is no image stays.

        Raises:
            DataError: it is another image than those that were given.
        """
        if isinstance(value, list | tuple):
            return [self.returned(item, column) for item in value]
        if not png.is_image(value):
            return value
        if id(value) not in self._given:
            raise DataError(
                f"column {column!r} has a new image, and is not one of `outputs`",
                hint="add it, or leave the column out of what the function returns",
            )
        return self._given[id(value)][1]

    def _open(self, path: Any, column: str) -> Any:
        if not isinstance(path, str | Path):
            kind = type(path).__name__
            raise DataError(f"column {column!r} holds values of type {kind!r}, not paths of images")
        try:
            content = (self._base / path).read_bytes()
        except OSError as error:
            raise DataError(
                f"column {column!r}: there is no image {str(path)!r}",
                hint=f"relative paths begin in {str(self._base)!r}; `base` sets another folder",
            ) from error
        try:
            return png.decode(content)
        except DataError as error:
            message = f"column {column!r}: {str(path)!r}: {error.message}"
            raise DataError(message, hint=error.hint) from error


def _of(row: Mapping[str, Any], column: str) -> Any:
    if column not in row:
        raise DataError(f"there is no column {column!r}", hint=did_you_mean(column, list(row)))
    return row[column]
