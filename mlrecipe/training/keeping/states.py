"""States: all that a training needs to go on, in folders that are whole or not there."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from mlrecipe.errors import TrainingError

FOLDER = "resume"
"""Where a run directory keeps its states."""

WEIGHTS = "weights.safetensors"
"""The file of a state that holds its weights."""

_FACTS, _REST = "state.json", "rest.pt"
_WEIGHT_KEYS = ("state_dict", "current_model_state")
"""Parts of a checkpoint of Lightning that are weights."""


_AS_IT_IS = (Tensor, bool, torch.dtype, torch.device, torch.Size)
_CASTS: Mapping[type, Callable[[Any], Any]] = {
    int: int, float: float, complex: complex, str: str, bytes: bytes, Path: str,
    np.generic: lambda value: value.item(),
    np.ndarray: lambda value: torch.from_numpy(value.copy()),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class StateFacts:
    """What a state says of itself; lies beside its weights as `state.json`."""

    step: int
    """Optimizer steps done."""

    epoch: int
    """The epoch that was on, from 0."""

    batch: int
    """Batches of it that were learnt."""

    at: str
    """`batch`: before the next batch; `validation`: before a validation."""

    versions: Mapping[str, str]
    """Of the libraries that computed it."""

    loggers: Mapping[str, Mapping[str, Any]]
    """What the recipe's loggers must be made with to go on, by their names in the recipe."""

    sizes: Mapping[str, int]
    """Bytes of every other file."""


def write(parent: Path, state: Mapping[str, Any], facts: Mapping[str, Any]) -> Path:
    """Write a state into a folder of its own under `parent`, then remove those before it.

    Raises:
        OSError: the disk is full, or the like; the states before it stay.
    """
    parent.mkdir(parents=True, exist_ok=True)
    fresh = parent / ".new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    try:
        weights, rest = _split(state)
        _save(lambda: save_file(weights, fresh / WEIGHTS))
        _save(lambda: torch.save(rest, fresh / _REST))
        sizes = {name: (fresh / name).stat().st_size for name in (WEIGHTS, _REST)}
        known = StateFacts(**facts, sizes=sizes)
        (fresh / _FACTS).write_text(json.dumps(asdict(known), indent=2) + "\n", encoding="utf-8")
        sync(fresh)
        before = list(_folders(parent))
        number = max((_number(folder) for folder in before), default=0) + 1
        done = parent / f"{number:06d}-step-{known.step}"
        os.rename(fresh, done)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    sync_folder(parent)
    for folder in before:
        shutil.rmtree(folder, ignore_errors=True)
    return done


def newest(parent: Path) -> Path | None:
    """The newest whole state under `parent`."""
    for folder in sorted(_folders(parent), key=_number, reverse=True):
        facts = read_facts(folder)
        if facts is not None and all(
            (folder / name).is_file() and (folder / name).stat().st_size == size
            for name, size in facts.sizes.items()
        ):
            return folder
    return None


def read_facts(folder: Path) -> StateFacts | None:
    """What a state says of itself, or None where it cannot be read."""
    try:
        return StateFacts(**json.loads((folder / _FACTS).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def read(folder: Path) -> dict[str, Any]:
    """The state in a folder, on the CPU.

    Raises:
        TrainingError: it cannot be read.
    """
    try:
        weights = load_file(folder / WEIGHTS)
        state: dict[str, Any] = torch.load(folder / _REST, map_location="cpu", weights_only=True)
    except Exception as error:  # the readers raise errors of many kinds
        raise TrainingError(f"cannot read the state in {str(folder)!r}: {error}") from error
    for key, names in state.pop("weights").items():
        state[key] = {name: weights[f"{key}/{kept}"] for name, kept in names.items()}
    for key, values in state.pop("extra", {}).items():
        state[key] |= values
    return state


def plain(value: Any, path: str) -> Any:
    """`value` as what `weights_only=True` loads again: plain values and tensors.

    Raises:
        TrainingError: it is, or holds, something else.
    """
    if value is None or isinstance(value, _AS_IT_IS):
        return value
    for kind, cast in _CASTS.items():  # classes that inherit from a plain one, NumPy's numbers
        if isinstance(value, kind):
            return cast(value)
    if isinstance(value, Mapping):
        return {plain(k, path): plain(v, f"{path}.{k}") for k, v in value.items()}
    if isinstance(value, list | tuple):
        items = [plain(item, f"{path}[{i}]") for i, item in enumerate(value)]
        return tuple(items) if isinstance(value, tuple) else items
    if isinstance(value, set | frozenset):
        return {plain(item, path) for item in value}
    raise TrainingError(f"{path} is a {type(value).__name__}, neither a plain value nor a tensor")


def sync(folder: Path) -> None:
    """Have the disk hold every file below a folder, and the folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        elif path.is_dir():
            sync_folder(path)
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Have the disk hold the names in a folder."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _split(state: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The weights under names of their own, and the rest, which says under which they were."""
    weights: dict[str, Tensor] = {}
    rest = {key: value for key, value in state.items() if key not in _WEIGHT_KEYS}
    rest["weights"] = {}
    for key in _WEIGHT_KEYS:
        if key not in state:
            continue
        names: dict[str, str] = {}
        kept: dict[tuple[Any, ...], str] = {}
        for name, tensor in state[key].items():
            if not isinstance(tensor, Tensor):  # a module's extra state
                rest.setdefault("extra", {}).setdefault(key, {})[name] = tensor
                continue
            # Tied weights are one tensor under several names, which safetensors does not take.
            shape = (tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride())
            same = (name,) if not tensor.numel() else (*shape, tensor.device)
            names[name] = kept.setdefault(same, name)
            if names[name] == name:
                weights[f"{key}/{name}"] = tensor.detach().to("cpu", copy=True).contiguous()
        rest["weights"][key] = names
    return weights, rest


def _save(write: Callable[[], None]) -> None:
    """Write a file; that the disk is full both libraries say in errors of their own."""
    try:
        write()
    except (RuntimeError, SafetensorError) as error:
        text = str(error).partition("\n")[0]
        raise OSError(errno.EIO, f"a file could not be written whole: {text}") from error


def _folders(parent: Path) -> Iterator[Path]:
    if parent.is_dir():
        yield from (path for path in parent.iterdir() if path.is_dir() and _number(path))


def _number(folder: Path) -> int:
    first = folder.name.partition("-")[0]
    return int(first) if first.isdigit() else 0
