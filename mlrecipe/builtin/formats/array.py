"""Formats of arrays: NumPy's and torch's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

import mlrecipe
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Summary

_ARRAY = "array.npy"
_TENSORS = "data.safetensors"
_NAMES = "names.json"
_ALONE = "tensor"


@mlrecipe.format("numpy", types=("numpy.ndarray",))
class NumpyFormat:
    """A NumPy array as `.npy`; it comes back read-only and memory-mapped."""

    def save(self, value: np.ndarray[Any, Any], folder: Path) -> None:
        """Write the array in C order.

        Raises:
            DataError: it holds Python objects, or is a subclass of `ndarray`.
        """
        if value.dtype.hasobject:
            raise DataError(
                f"an array of dtype {value.dtype} holds Python objects and cannot be stored",
                hint="use a numeric or fixed-length text dtype, or return a list",
            )
        if type(value) not in (np.ndarray, np.memmap):
            raise DataError(f"{type(value).__qualname__!r} would come back as another type")
        np.save(folder / _ARRAY, np.asarray(value, order="C"), allow_pickle=False)

    def load(self, folder: Path) -> np.ndarray[Any, Any]:
        """The array, read-only."""
        path = folder / _ARRAY
        try:
            array = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
        except ValueError:  # nothing to map in an empty array
            array = np.load(path, allow_pickle=False)
        array.flags.writeable = False
        return array

    def describe(self, value: np.ndarray[Any, Any]) -> Summary:
        """Its dtype and shape."""
        return Summary(kind="ndarray", text=f"{value.dtype} {value.shape}")


@mlrecipe.format("tensor", types=("torch.Tensor",))
class TensorFormat:
    """One dense torch tensor as safetensors; it comes back on the CPU, without gradient."""

    def save(self, value: torch.Tensor, folder: Path) -> None:
        """Write the tensor.

        Raises:
            DataError: it is sparse, quantized, or of a subclass such as `Parameter`.
        """
        _save({_ALONE: value}, folder)

    def load(self, folder: Path) -> torch.Tensor:
        """The tensor; writing to it does not change the store."""
        return load_file(folder / _TENSORS)[_ALONE]

    def describe(self, value: torch.Tensor) -> Summary:
        """Its dtype and shape."""
        return Summary(kind="Tensor", text=_text(value))


class TensorsLayout:
    """A dict of tensors by name as one safetensors file, their order in `names.json`."""

    def save(self, value: dict[str, torch.Tensor], folder: Path) -> None:
        """Write the tensors.

        Raises:
            DataError: one of them is sparse, quantized, or of a subclass such as `Parameter`.
        """
        _save(value, folder)
        (folder / _NAMES).write_text(json.dumps(list(value)), encoding="utf-8")

    def load(self, folder: Path) -> dict[str, torch.Tensor]:
        """The tensors in their order."""
        tensors = load_file(folder / _TENSORS)
        names = json.loads((folder / _NAMES).read_text(encoding="utf-8"))
        return {name: tensors[name] for name in names}

    def describe(self, value: dict[str, torch.Tensor]) -> Summary:
        """Each tensor's dtype and shape."""
        schema = {name: _text(tensor) for name, tensor in value.items()}
        return Summary(kind="dict", schema=schema, text=f"{len(value)} tensors")


def _save(tensors: dict[str, torch.Tensor], folder: Path) -> None:
    for name, tensor in tensors.items():
        if (
            type(tensor) is not torch.Tensor
            or tensor.layout != torch.strided
            or tensor.is_quantized
        ):
            kind = f"{type(tensor).__qualname__}, {tensor.layout}"
            raise DataError(f"tensor {name!r} ({kind}) cannot be stored", hint="return a dense one")
    # Views of one storage become tensors of their own, as they will be after loading.
    own = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    try:
        save_file(own, folder / _TENSORS)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"the tensors cannot be stored: {error}") from error


def _text(tensor: torch.Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"
