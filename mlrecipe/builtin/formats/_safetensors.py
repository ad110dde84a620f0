"""Safetensors files: tensors and arrays by name, written canonically, read memory-mapped.

`safetensors` reads these files; it does not write them, because it needs a copy of every tensor that is not
contiguous, and to have the bytes hashed while they are written they must pass through here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlrecipe.errors import DataError
from mlrecipe.store.hashing import HashingFile

if TYPE_CHECKING:
    import torch

FILE = "data.safetensors"

RESERVED = "__metadata__"
"""The one name that no tensor may have."""

_DTYPES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16",
    "int64": "I64", "int32": "I32", "int16": "I16", "int8": "I8",
    "uint64": "U64", "uint32": "U32", "uint16": "U16", "uint8": "U8",
    "bool": "BOOL", "complex64": "C64",
    "float8_e4m3fn": "F8_E4M3", "float8_e4m3fnuz": "F8_E4M3FNUZ",
    "float8_e5m2": "F8_E5M2", "float8_e5m2fnuz": "F8_E5M2FNUZ",
}  # fmt: skip


def write(items: Mapping[str, Any], path: Path) -> None:
    """Write tensors, and arrays that `canonical` gave: the file depends on their values alone.

    Raises:
        DataError: a tensor is sparse, quantized, of a dtype without a name, or of a subclass.
    """
    parts = {name: _part(name, item) for name, item in items.items()}
    # Large elements first, so that each tensor is aligned.
    order = sorted(parts, key=lambda name: (-parts[name].itemsize, name))
    header, end = {}, 0
    for name in order:
        part = parts[name]
        offsets = [end, end + part.nbytes]
        header[name] = {"dtype": part.dtype, "shape": part.shape, "data_offsets": offsets}
        end += part.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with HashingFile(path) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in order:
            file.write(parts[name].data())


def read_arrays(path: Path) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    """Name and bytes of each entry, memory-mapped and read-only."""
    whole = np.asarray(np.memmap(path, mode="r"))
    start = 8 + int.from_bytes(whole[:8].tobytes(), "little")
    for name, facts in json.loads(whole[8:start].tobytes()).items():
        first, end = facts["data_offsets"]
        yield name, whole[start + first : start + end]


def canonical(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same values in C order, little-endian, with zeros between the fields of records.

    Raises:
        DataError: it holds Python objects, or is a subclass of `ndarray`.
    """
    if array.dtype.hasobject:
        raise DataError(
            f"an array of dtype {array.dtype} holds Python objects and cannot be stored",
            hint="use a numeric or fixed-length text dtype, or return a list",
        )
    if type(array) not in (np.ndarray, np.memmap):
        kind = type(array).__qualname__
        raise DataError(
            f"{kind!r} would come back as another type",
            hint="return a plain array, and a mask in an array of its own",
        )
    plain = np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")
    return _without_padding(plain) if plain.dtype.names else plain


def as_array(data: np.ndarray[Any, Any], dtype: str, shape: list[int]) -> np.ndarray[Any, Any]:
    """The array of which `data` are the bytes, as `read_arrays` gives them; not copied, read-only."""
    return data.view(np.dtype(dtype)).reshape(shape)


def check(tensor: torch.Tensor) -> None:
    """Raise for a tensor that would not come back equal.

    Raises:
        DataError: it is sparse, quantized, of a dtype without a name, or of a subclass.
    """
    torch = sys.modules["torch"]
    dtype = _name(tensor)
    if (
        type(tensor) is not torch.Tensor
        or tensor.layout != torch.strided
        or tensor.is_quantized
        or tensor.is_meta
        or dtype not in _DTYPES
    ):
        kind = f"{type(tensor).__qualname__}, {dtype}, {tensor.layout}, on {tensor.device}"
        hint = "return a dense one of a plain dtype: tensor.detach(), .to_dense(), .to(dtype)"
        raise DataError(f"a tensor ({kind}) cannot be stored", hint=hint)


class _Part:
    """One entry of a file: what its header says, and how to come by its bytes."""

    def __init__(self, dtype: str, shape: tuple[int, ...], itemsize: int, count: int) -> None:
        self.dtype = dtype
        self.shape = shape
        self.itemsize = itemsize
        self.nbytes = itemsize * count
        self.data: Callable[[], Any]


def _part(name: str, item: Any) -> _Part:
    if isinstance(item, np.ndarray):
        return _array_part(item)
    try:
        return _tensor_part(item)
    except DataError as error:
        raise DataError(f"{name!r}: {error.message}", hint=error.hint) from None


def _array_part(array: np.ndarray[Any, Any]) -> _Part:
    known = _DTYPES.get(array.dtype.name)
    if known is None:  # as bytes; its dtype is kept elsewhere
        part = _Part("U8", (array.nbytes,), 1, array.nbytes)
    else:
        part = _Part(known, array.shape, array.itemsize, array.size)
    part.data = lambda: array.reshape(-1).view(np.uint8) if array.nbytes else b""
    return part


def _tensor_part(tensor: torch.Tensor) -> _Part:
    check(tensor)
    shape, count = tuple(tensor.shape), tensor.numel()
    part = _Part(_DTYPES[_name(tensor)], shape, tensor.element_size(), count)
    part.data = lambda: _tensor_bytes(tensor) if count else b""
    return part


def _name(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _tensor_bytes(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    torch = sys.modules["torch"]
    plain = tensor.detach().resolve_conj().resolve_neg().cpu().contiguous()
    bytes_: np.ndarray[Any, Any] = plain.reshape(-1).view(torch.uint8).numpy()
    return bytes_


def _without_padding(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A copy with zeros in the bytes that belong to no field."""
    copy = np.zeros(array.shape, array.dtype)
    for name in array.dtype.names or ():
        field = array[name]
        copy[name] = _without_padding(field) if field.dtype.names else field
    return copy
