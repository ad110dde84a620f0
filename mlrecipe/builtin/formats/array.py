"""Formats of arrays: NumPy's and torch's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file

import mlrecipe
from mlrecipe.builtin.formats import _safetensors
from mlrecipe.interfaces import Summary
from mlrecipe.store.hashing import HashingFile

_ARRAY = "array.npy"
_NAMES = "names.json"
_ALONE = "tensor"


@mlrecipe.format("numpy", types=("numpy.ndarray",))
class NumpyFormat:
    """A NumPy array as `.npy`; it comes back read-only, memory-mapped, in C order and little-endian."""

    def save(self, value: np.ndarray[Any, Any], folder: Path) -> None:
        """Write the array.

        Raises:
            DataError: it holds Python objects, or is a subclass of `ndarray`.
        """
        with HashingFile(folder / _ARRAY) as file:
            array = _safetensors.canonical(value)
            np.lib.format.write_array(file, array, allow_pickle=False)

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
    """One dense torch tensor as safetensors; it comes back memory-mapped on the CPU, without gradient."""

    def save(self, value: torch.Tensor, folder: Path) -> None:
        """Write the tensor.

        Raises:
            DataError: it is sparse, quantized, or of a subclass such as `Parameter`.
        """
        _safetensors.write({_ALONE: value}, folder / _safetensors.FILE)

    def load(self, folder: Path) -> torch.Tensor:
        """The tensor; writing to it does not change the store."""
        return load_file(folder / _safetensors.FILE)[_ALONE]

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
        _safetensors.write(value, folder / _safetensors.FILE)
        (folder / _NAMES).write_text(json.dumps(list(value)), encoding="utf-8")

    def load(self, folder: Path) -> dict[str, torch.Tensor]:
        """The tensors in their order."""
        tensors = load_file(folder / _safetensors.FILE)
        names = json.loads((folder / _NAMES).read_text(encoding="utf-8"))
        return {name: tensors[name] for name in names}

    def load_entry(self, folder: Path, entry: str) -> torch.Tensor:
        """One of the tensors.

        Raises:
            KeyError: none has that name.
        """
        if entry not in json.loads((folder / _NAMES).read_text(encoding="utf-8")):
            raise KeyError(entry)
        return read_tensors(folder / _safetensors.FILE, [entry])[entry]

    def describe(self, value: dict[str, torch.Tensor]) -> Summary:
        """Each tensor's dtype and shape."""
        schema = {name: _text(tensor) for name, tensor in value.items()}
        return Summary(kind="dict", schema=schema, text=f"{len(value)} tensors")


def read_tensors(path: Path, names: list[str]) -> dict[str, torch.Tensor]:
    """Tensors of a safetensors file, memory-mapped; writing to them does not change the file."""
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in names}


def _text(tensor: torch.Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"
