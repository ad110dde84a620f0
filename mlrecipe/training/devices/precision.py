"""Precision: Lightning's names and shorter ones, and the choice between fp32 and bf16 by a short probe."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins import MixedPrecision
from torch import Tensor, nn

from mlrecipe import events
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Task
from mlrecipe.recipe.schema import TrainSpec
from mlrecipe.training.devices import distributed
from mlrecipe.training.parting import parts_of
from mlrecipe.training.parting import places as places_of
from mlrecipe.training.rules.devices import AUTO, SHORT

KEY = "train.trainer.precision"
_FILE = "precision.json"
_FULL: Literal["32-true"] = "32-true"
_HALF: Literal["bf16-mixed"] = "bf16-mixed"

_SPOKEN = {_FULL: "fp32", _HALF: "bf16"}

_SECONDS = 1.5
"""About how long a probe may measure."""

_ROUNDS = 5
"""The most steps that are measured of each."""

_WORTH = 0.95
"""bf16 is taken where a step takes less than this share of the time: it is the less exact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What `precision = "auto"` came to, and why."""

    precision: str
    """Lightning's name."""

    reason: str
    """Why, in words."""

    device: str
    """Type of the device it was chosen for."""


def named(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The Trainer's arguments with Lightning's name of the precision; `auto` is left to be chosen later."""
    precision = arguments.get("precision")
    if precision == AUTO:
        return {**arguments, "precision": _FULL}
    if isinstance(precision, str) and precision in SHORT:
        return {**arguments, "precision": SHORT[precision]}
    return dict(arguments)


def check(trainer: pl.Trainer, arguments: Mapping[str, Any]) -> None:
    """Raise where Lightning would take another precision than it was asked for.

    Raises:
        DataError: fp16 on a CPU.
    """
    asked = str(arguments.get("precision"))
    if SHORT.get(asked, asked) in ("16", "16-mixed") and trainer.strategy.root_device.type == "cpu":
        hint = 'use "bf16", or "auto" to have it only where it is faster'
        raise DataError(f"{asked!r}: a CPU does not train in fp16", key=KEY, hint=hint)


def choose(
    trainer: pl.Trainer, task: Task, network: nn.Module, batch: Mapping[str, Tensor],
    places: int | None = None,
) -> Choice:  # fmt: skip
    """bf16 where forward and backward of a real batch are faster so; the network is left as it was.

    `places` are the most of a part of a batch, where it goes through the network in parts.
    """
    device = trainer.strategy.root_device
    if not _has_bf16(device):
        where = "this processor" if device.type == "cpu" else f"this {device.type} device"
        return Choice(precision=_FULL, reason=f"{where} has no bf16 arithmetic", device=device.type)
    try:
        full, half = _probe(task, network, batch, device, places)
    except torch.cuda.OutOfMemoryError:
        return Choice(precision=_HALF, reason="a batch in fp32 does not fit", device=device.type)
    names = (_HALF, _FULL) if half < full * _WORTH else (_FULL, _HALF)
    times = {_FULL: full, _HALF: half}
    reason = ", ".join(f"{_time(times[name])} in {_SPOKEN[name]}" for name in names)
    return Choice(precision=names[0], reason=f"a batch takes {reason}", device=device.type)


def settle(
    trainer: pl.Trainer, spec: TrainSpec, *, task: Task, network: nn.Module,
    sample: Callable[[], Mapping[str, Tensor]], folder: Path,
) -> Choice | None:  # fmt: skip
    """Choose once for a run, for all its processes and whenever it goes on; None where the recipe says it."""
    if spec.trainer.get("precision") != AUTO:
        return None
    choice = kept(folder)
    if choice is None or choice.device != trainer.strategy.root_device.type:
        places = places_of(trainer, network, spec)
        found = distributed.agreed(
            "precision", lambda: asdict(choose(trainer, task, network, sample(), places))
        )
        choice = Choice(**found)
        if trainer.is_global_zero:
            keep(folder, choice)
    use(trainer, choice)
    events.emit(events.Note(f"precision {choice.precision}: {choice.reason}"))
    return choice


def use_kept(trainer: pl.Trainer, arguments: Mapping[str, Any], folder: Path) -> None:
    """Have the Trainer compute in what was chosen for the run in a folder, if this is such a device too."""
    choice = kept(folder) if arguments.get("precision") == AUTO else None
    if choice is not None and choice.device == trainer.strategy.root_device.type:
        use(trainer, choice)


def facts(trainer: pl.Trainer, choice: Choice | None) -> dict[str, str]:
    """What a run says of its precision."""
    found = {"precision": str(trainer.precision)}
    return found if choice is None else {**found, "precision_chosen": choice.reason}


def use(trainer: pl.Trainer, choice: Choice) -> None:
    """Have the Trainer compute in the precision that was chosen."""
    if choice.precision == _HALF:
        trainer.strategy.precision_plugin = MixedPrecision(_HALF, trainer.strategy.root_device.type)


def keep(folder: Path, choice: Choice) -> None:
    """Write the choice into a run directory, for going on and for testing."""
    (folder / _FILE).write_text(json.dumps(asdict(choice), indent=2) + "\n", encoding="utf-8")


def kept(folder: Path) -> Choice | None:
    """The choice that was written into a run directory."""
    try:
        return Choice(**json.loads((folder / _FILE).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def _probe(
    task: Task, network: nn.Module, batch: Mapping[str, Tensor], device: torch.device,
    places: int | None,
) -> tuple[float, float]:  # fmt: skip
    """Seconds of a step in fp32 and in bf16: the least of several, taken in turn."""
    with _untouched(network, device) as moved:
        given = {name: tensor.to(device) for name, tensor in batch.items()}

        def step(is_half: bool) -> float:
            _wait(device)
            started = time.perf_counter()
            for part, share in parts_of(task, given, places):
                with torch.autocast(device.type, torch.bfloat16, enabled=is_half):
                    loss = task.step(moved, part).loss * share
                loss.backward()  # type: ignore[no-untyped-call]
            _wait(device)
            return time.perf_counter() - started

        return _least(step)


def _least(step: Callable[[bool], float]) -> tuple[float, float]:
    """The least time of each: of one step to warm up where that is long, else of more."""
    until = time.perf_counter() + _SECONDS
    first = (step(False), step(True))
    taken: list[tuple[float, float]] = []
    while len(taken) < _ROUNDS and time.perf_counter() < until:
        taken.append((step(False), step(True)))
    full, half = zip(*(taken or [first]), strict=True)
    return min(full), min(half)


@contextmanager
def _untouched(network: nn.Module, device: torch.device) -> Iterator[nn.Module]:
    """The network on the device; afterwards weights, buffers and random numbers are as before."""
    home = next(network.parameters()).device
    buffers = {name: tensor.clone() for name, tensor in network.named_buffers()}
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        try:
            yield network.to(device)
        finally:
            network.zero_grad(set_to_none=True)
            network.to(home)
            with torch.no_grad():
                for name, tensor in network.named_buffers():
                    tensor.copy_(buffers[name])


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    found = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return bool(found) or _on_arm()


def _on_arm() -> bool:
    """Whether an ARM processor says that it has bf16; torch does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return any(line.startswith("Features") and " bf16" in line for line in lines)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _time(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.2f} ms"
