"""Restoring: how Lightning's loops, loaders and metrics are put back to where a state was kept."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import torch.distributed as dist
from lightning_fabric.plugins import CheckpointIO
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from safetensors import safe_open
from torchmetrics import Metric

import mlrecipe
from mlrecipe.errors import TrainingError
from mlrecipe.training.keeping import states


class Clock:
    """Wall-clock time of a training, that before an interruption included."""

    def __init__(self) -> None:
        self._before = 0.0
        self._started = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Time so far."""
        return self._before + time.perf_counter() - self._started

    def state_dict(self) -> dict[str, Any]:
        """Time so far."""
        return {"seconds": self.seconds}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on counting."""
        self._before = float(state["seconds"])


class States(TorchCheckpointIO):
    """Reads states; whatever else is to be written or read goes to the strategy's own."""

    def __init__(self, other: CheckpointIO) -> None:
        self._other = other

    def load_checkpoint(self, path: Any, *args: Any, **options: Any) -> dict[str, Any]:
        """The state, or what else is there."""
        if (Path(path) / "state.json").is_file():
            return states.read(Path(path))
        found: dict[str, Any] = self._other.load_checkpoint(path, *args, **options)
        return found

    def save_checkpoint(self, *args: Any, **options: Any) -> None:
        """Have the other write it."""
        self._other.save_checkpoint(*args, **options)

    def remove_checkpoint(self, path: Any) -> None:
        """Have the other remove it."""
        self._other.remove_checkpoint(path)


def check_fits(state: Path, module: pl.LightningModule) -> None:
    """Raise unless a state is of this very model.

    Raises:
        TrainingError: parameters are others, or of other shapes.
    """
    here = {f"state_dict/{k}": list(v.shape) for k, v in module.state_dict().items()
            if isinstance(v, torch.Tensor)}  # fmt: skip
    with safe_open(state / states.WEIGHTS, framework="pt") as file:
        there = {name: list(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    there = {name: shape for name, shape in there.items() if name.startswith("state_dict/")}
    wrong = [name for name, shape in there.items() if here.get(name) != shape]
    if wrong:
        name = wrong[0]
        now = f"here it is {here[name]}" if name in here else "which is not there"
        raise TrainingError(
            f"the state is of another model: it has {name.partition('/')[2]!r} "
            f"of shape {there[name]}, {now}"
        )


def versions() -> dict[str, str]:
    """Of what the numbers depend on."""
    return {
        "mlrecipe": mlrecipe.__version__, "torch": torch.__version__,
        "pytorch_lightning": version("pytorch-lightning"),
    }  # fmt: skip


def can_keep(trainer: pl.Trainer, batch: int) -> bool:
    """Whether a training can go on from here: amid an epoch only if its loaders can be told where."""
    loaders = _loaders(trainer)
    return batch == 0 or all(_can_start_at(x) or hasattr(x, "load_state_dict") for x in loaders)


def _can_start_at(loader: Any) -> bool:
    return hasattr(getattr(loader, "sampler", None), "start_at")


def _loaders(trainer: pl.Trainer) -> list[Any]:
    combined = trainer.fit_loop._combined_loader
    return [] if combined is None else list(combined.flattened)


def find_place(trainer: pl.Trainer) -> None:
    """Have our loaders begin after the batches that were learnt."""
    loop = trainer.fit_loop
    batch = loop.epoch_loop.batch_progress.current.completed
    loaders = [loader for loader in _loaders(trainer) if _can_start_at(loader)]
    if batch >= trainer.num_training_batches:  # only the epoch's validation is left
        return
    for loader in loaders:
        loader.sampler.set_epoch(trainer.current_epoch)
        loader.sampler.start_at(batch)
    if loaders:
        assert loop._data_fetcher is not None
        iter(loop._data_fetcher)  # workers may have begun with the first epoch's rows


def go_on(trainer: pl.Trainer, *, trains_first: bool) -> None:
    """Have Lightning take the first step like any other: it would count one more, and skip schedules."""
    fit, epoch = trainer.fit_loop, trainer.fit_loop.epoch_loop

    def advance(fetcher: Any) -> None:
        del epoch.advance
        for loop in (fit, epoch, epoch.val_loop):
            loop._restarting = False
        if trains_first:
            epoch.advance(fetcher)

    epoch.advance = advance  # type: ignore[method-assign,assignment]


def settled(loops: Mapping[str, Any], *, at: str) -> dict[str, Any]:
    """The loops' counts as they were before the batch that has just been read."""
    settled = copy.deepcopy(dict(loops))
    progress = settled["fit_loop"]["epoch_loop.batch_progress"]
    for counts in (progress["total"], progress["current"]):
        counts.update(dict.fromkeys(("ready", "started", "processed"), counts["completed"]))
    if at == "batch":
        progress["is_last_batch"] = False
    return settled


def metrics_in(module: pl.LightningModule) -> dict[str, Any]:
    """What the module's metrics have counted, by their names."""
    return {
        name: {"states": {key: getattr(metric, key) for key in metric._defaults},
               "count": metric._update_count}
        for name, metric in module.named_modules() if isinstance(metric, Metric)
    }  # fmt: skip


def put_metrics(module: pl.LightningModule, kept: Mapping[str, Any]) -> None:
    """Have the metrics go on counting from there."""
    for name, metric in module.named_modules():
        if isinstance(metric, Metric) and name in kept:
            for key, value in kept[name]["states"].items():
                setattr(metric, key, _moved(value, metric.device))
            metric._update_count = kept[name]["count"]
            metric._computed = None


def gradients_of(module: pl.LightningModule) -> dict[str, torch.Tensor]:
    """Where the module steps by itself nobody knows whether what it has gathered was used."""
    if module.automatic_optimization:
        return {}
    return {name: p.grad for name, p in module.named_parameters() if p.grad is not None}


def put_gradients(module: pl.LightningModule, kept: Mapping[str, torch.Tensor]) -> None:
    """Have the parameters go on gathering from there."""
    for name, parameter in module.named_parameters():
        if name in kept:
            parameter.grad = kept[name].to(parameter.device)


def _moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, list):
        return [_moved(item, device) for item in value]
    return value.to(device) if isinstance(value, torch.Tensor) else value


def shared(own: dict[str, Any]) -> list[dict[str, Any]]:
    """What each process of the job has, in their order."""
    if not dist.is_available() or not dist.is_initialized() or dist.get_world_size() == 1:
        return [own]
    found: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(found, own)
    return found
