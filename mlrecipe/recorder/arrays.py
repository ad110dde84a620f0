"""Values as Arrow columns and as JSON: Python's own, NumPy's, torch's and pandas', images and paths."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from enum import Enum
from itertools import chain
from pathlib import PurePath
from typing import Any

import numpy as np
import pyarrow as pa

from mlrecipe.errors import DataError
from mlrecipe.recorder import images, png

_PLAIN = frozenset({type(None), bool, int, float, str, bytes})

Column = Any  # pa.Array or pa.ChunkedArray


def column(name: str, values: Any) -> Column:
    """The values as a column: a list, an array, a tensor, a series or a column of Arrow.

    An array of shape (rows, …) becomes lists. Images of Pillow become PNG bytes, paths texts.

    Raises:
        DataError: they are no sequence, or Arrow has no one type for them.
    """
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return _decoded(values)
    if hasattr(values, "detach"):
        values = _of_tensor(values)
    if type(values).__module__.partition(".")[0] == "pandas":
        values = _of_series(values)
    try:
        if isinstance(values, np.ndarray):
            return _of_numpy(name, values)
        return _decoded(pa.array(_listed(name, values)))
    except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
        raise _mixed(name, values, error) from error


def plain(value: Any) -> Any:
    """The value without what only NumPy, torch, Pillow or a class of one's own knows; lists are copied."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Enum):
        return plain(value.value)
    if png.is_image(value):
        return images.encode(value)
    if isinstance(value, PurePath):
        return value.as_posix()
    return _of_numbers(value)


def _of_numbers(value: Any) -> Any:
    """Of a scalar of NumPy the number, of an array or a tensor lists of numbers; other values as they are."""
    found = _of_tensor(value) if hasattr(value, "detach") else value
    return found.tolist() if isinstance(found, np.generic | np.ndarray) else found


def json_value(value: Any, name: str) -> Any:
    """The value as JSON has it; dates become texts, NaN and infinities stay.

    Raises:
        DataError: JSON cannot hold it, as with bytes.
    """
    value = plain(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {key: json_value(item, f"{name}.{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [json_value(item, name) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((json_value(item, name) for item in value), key=json.dumps)
    kind = type(value).__name__
    raise DataError(
        f"{name!r} is a value of type {kind!r}, which JSON cannot hold",
        hint="give a number, a text, or a list or dict of them",
    )


def _listed(name: str, values: Any) -> list[Any]:
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise DataError(
            f"column {name!r} is one value of type {type(values).__name__!r}, not a value for each row",
            hint="log(…) takes one row; log_batch(…) takes a list for each column",
        )
    found = list(values)
    kinds = set(map(type, found))
    if kinds <= _PLAIN:
        return found
    inner = chain.from_iterable(value for value in found if type(value) is list)
    if kinds <= _PLAIN | {list} and set(map(type, inner)) <= _PLAIN:
        return found
    return [plain(value) for value in found]


def _of_tensor(tensor: Any) -> Any:
    """A tensor of torch as an array of NumPy, which has no bfloat16."""
    here = tensor.detach().cpu()
    return (here.float() if str(here.dtype) == "torch.bfloat16" else here).numpy()


def _of_series(series: Any) -> Any:
    """Floats of NumPy keep their NaN; in other types NaN, NaT and NA are what pandas has for nothing."""
    if isinstance(series.dtype, np.dtype) and series.dtype.kind in "fiub":
        return series.to_numpy()
    return [None if _is_missing(value) else value for value in series]


def _is_missing(value: Any) -> bool:
    return type(value).__name__ in ("NAType", "NaTType") or (
        isinstance(value, float) and math.isnan(value)
    )


def _of_numpy(name: str, values: Any) -> Column:
    if values.ndim == 0:
        raise DataError(
            f"column {name!r} is one number, not a value for each row",
            hint="log(…) takes one row",
        )
    if values.dtype == object:
        return _decoded(pa.array(_listed(name, values.tolist())))
    if values.ndim == 1:
        # Arrow would look at the array's own memory, which may change later.
        return pa.array(values.tolist() if values.dtype.kind in "US" else values.copy())
    inner = _of_numpy(name, np.ascontiguousarray(values).reshape(-1, *values.shape[2:]))
    ends = np.arange(len(values) + 1, dtype=np.int32) * np.int32(values.shape[1])
    return pa.ListArray.from_arrays(pa.array(ends), inner)


def _decoded(values: Column) -> Column:
    """Without the dictionaries of Arrow, which would make a type of their own."""
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values


def _mixed(name: str, values: Any, error: Exception) -> DataError:
    kinds = sorted({type(v).__name__ for v in values if v is not None})
    if len(kinds) > 1:
        what = f"holds values of several kinds: {', '.join(kinds)}"
    else:
        what = f"cannot be stored: {str(error).partition(chr(10))[0]}"
    return DataError(f"column {name!r} {what}", hint="give every row one kind of value")
