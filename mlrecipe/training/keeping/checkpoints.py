"""Checkpoints: the best and the last model of a run, each a folder that serves alone."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from safetensors import SafetensorError
from torch import nn

from mlrecipe import events
from mlrecipe.errors import TrainingError
from mlrecipe.interfaces import Head
from mlrecipe.training.keeping.averaging import averaged
from mlrecipe.training.keeping.exchange import exchange, mend
from mlrecipe.training.keeping.records import RECORD, CheckpointRecord, digests, step_of
from mlrecipe.training.keeping.records import read_record as read_record  # noqa: PLC0414  # part of this module
from mlrecipe.training.keeping.states import sync
from mlrecipe.training.signals import Stop
from mlrecipe.training.watch import NotFinite

Save = Callable[[nn.Module, Path], None]


class Checkpoints(pl.Callback):
    """Keeps `best`, `best-2` … and `last` in a folder, each replaced whole, and `step-N` for good.

    With averaged weights these are what is kept: they are what was validated.
    """

    def __init__(
        self, folder: Path, save: Save, head: Head, *, monitor: str, mode: str, top_k: int = 1,
        save_every: int | None = None, stop: Stop | None = None,
    ) -> None:  # fmt: skip
        """Keep checkpoints in a folder.

        Args:
            folder: where to; need not exist.
            save: writes a network's files.
            head: what the model puts out.
            monitor: the metric that says which is best.
            mode: `min` or `max`.
            top_k: how many of the best are kept.
            save_every: optimizer steps between those that stay.
            stop: whether the user wants the training to end at once.
        """
        self.best_step: int | None = None
        self.best_metrics: dict[str, float] = {}
        self._folder = folder
        self._save = save
        self._head = head
        self._epoch = 0
        self._monitor = monitor
        self._is_better = float.__lt__ if mode == "min" else float.__gt__
        self._top_k = top_k
        self._save_every = save_every
        self._stop = stop or Stop()
        self._ranked: list[tuple[float, int]] = []
        self._kept_step = 0

    @property
    def best(self) -> Path:
        """Folder of the best checkpoint."""
        return self._folder / "best"

    @property
    def last(self) -> Path:
        """Folder of the last checkpoint."""
        return self._folder / "last"

    @property
    def kept(self) -> dict[str, Path]:
        """Every checkpoint's folder, by its name."""
        names = ["best", "last", *(f"best-{i}" for i in range(2, self._top_k + 1))]
        steps = sorted(self._folder.glob("step-*"))
        found = [*(self._folder / name for name in names), *steps]
        return {path.name: path for path in found if step_of(path) is not None}

    @property
    def best_value(self) -> float | None:
        """The monitored metric of the best checkpoint, where there was one."""
        return self.best_metrics.get(self._monitor)

    def state_dict(self) -> dict[str, Any]:
        """What the best were, and how good."""
        return {
            "ranked": list(self._ranked), "best_step": self.best_step, "epoch": self._epoch,
            "best_metrics": dict(self.best_metrics), "kept_step": self._kept_step,
        }  # fmt: skip

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there; folders that are newer will be written again."""
        self._ranked = [(float(value), int(step)) for value, step in state_dict["ranked"]]
        self.best_step, self._epoch = state_dict["best_step"], state_dict["epoch"]
        self.best_metrics = dict(state_dict["best_metrics"])
        self._kept_step = state_dict["kept_step"]

    def metrics(self, trainer: pl.Trainer) -> dict[str, float]:
        """The newest value of every metric."""
        return metrics_of(trainer)

    def write_weights(self, trainer: pl.Trainer, module: pl.LightningModule, folder: Path) -> None:
        """Write the files that the model's own `load` reads."""
        with averaged(trainer, module):
            self._save(module.get_submodule("network"), folder)

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Mend what a kill may have left."""
        if trainer.is_global_zero:
            for target in (*self._names(), self.last):
                mend(target)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep the model if it is among the best."""
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        value = self.metrics(trainer).get(self._monitor, math.nan)
        if math.isnan(value):
            return
        ahead = sum(not self._is_better(value, other) for other, _ in self._ranked)
        if ahead < self._top_k:
            self._ranked.insert(ahead, (value, trainer.global_step))
            del self._ranked[self._top_k :]
            self._keep_best(trainer, pl_module, is_first=ahead == 0)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any,
        batch_idx: int,
    ) -> None:  # fmt: skip
        """Keep the model of every N-th step."""
        step = trainer.global_step
        if self._save_every and step != self._kept_step and step % self._save_every == 0:
            self._kept_step = step
            self._write(self._folder / f"step-{step}", trainer, pl_module)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep what the epoch before has learnt."""
        if trainer.global_step:
            self._write(self.last, trainer, pl_module)
        self._epoch = trainer.current_epoch + 1

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep the last model; without a validated one it is the best as well."""
        self._write(self.last, trainer, pl_module)
        if self.best_step is None:
            self._ranked = [(math.nan, trainer.global_step)]
            self._keep_best(trainer, pl_module, is_first=True)

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Keep what was learnt until an interruption or an error."""
        if trainer.state.fn != "fit" or not trainer.global_step or self._stop.is_impatient:
            return
        if isinstance(exception, NotFinite) and exception.is_broken:
            return
        try:
            self._write(self.last, trainer, pl_module)
        except TrainingError as error:  # the exception itself is what the user is to see
            events.emit(events.Note(str(error), "warning"))

    def _names(self) -> list[Path]:
        """The folders of the best, best first."""
        return [self.best, *(self._folder / f"best-{i}" for i in range(2, self._top_k + 1))]

    def _keep_best(
        self, trainer: pl.Trainer, module: pl.LightningModule, *, is_first: bool
    ) -> None:
        if is_first:
            self.best_step = trainer.global_step
            self.best_metrics = self.metrics(trainer)
        fresh = self._folder / ".best.new"
        self._make(fresh, trainer, module)
        if trainer.is_global_zero:
            _arrange(self._names(), [step for _, step in self._ranked], fresh)

    def _write(self, target: Path, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        fresh = target.with_name(f".{target.name}.new")
        self._make(fresh, trainer, module)
        if trainer.is_global_zero:
            _put(fresh, target)

    def _make(self, fresh: Path, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Write a whole checkpoint into the folder `fresh`."""
        if not trainer.is_global_zero:
            return
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            fresh.mkdir(parents=True)
            self.write_weights(trainer, module, fresh)
            record = CheckpointRecord(
                step=trainer.global_step, epoch=self._epoch, metrics=self.metrics(trainer),
                head=self._head, sha256=digests(fresh),
            )  # fmt: skip
            text = json.dumps(asdict(record), indent=2) + "\n"
            (fresh / RECORD).write_text(text, encoding="utf-8")
            sync(fresh)
        except BaseException as error:
            shutil.rmtree(fresh, ignore_errors=True)
            if cause := _disk_error(error):
                where = fresh.name.strip(".").removesuffix(".new")
                raise TrainingError(
                    f"cannot write checkpoint {where!r} at step {trainer.global_step}: {cause}",
                    hint="what was written before is kept",
                ) from error
            raise


def metrics_of(trainer: pl.Trainer) -> dict[str, float]:
    """The newest value of every metric, as plain numbers; a metric's name has a stage before `/`.

    Those of a stage stand in the order in which they are logged, which is the recipe's; its loss comes last.
    """
    newest = [
        (name, float(value)) for name, value in trainer.callback_metrics.items() if "/" in name
    ]
    return dict(sorted(newest, key=lambda pair: (pair[0].partition("/")[0], _is_loss(pair[0]))))


def _is_loss(name: str) -> bool:
    return name.partition("/")[2] == "loss"


def _put(fresh: Path, target: Path) -> None:
    """Put the folder `fresh` where `target` is, and remove that if a checkpoint was there."""
    exchange(fresh, target)
    if fresh.exists():
        _discard(fresh, name=target.name)


def _arrange(names: Sequence[Path], steps: Sequence[int], fresh: Path) -> None:
    """Give the checkpoints of these steps, one of which is `fresh`, these names in order.

    A step that is nowhere is left out: after a kill the disk may be ahead of what is remembered.
    """
    for name, step in zip(names, steps, strict=False):
        known = [fresh, *names]
        where = next((path for path in known if step_of(path) == step), None)
        if where is not None and where != name:
            exchange(where, name)
    if fresh.exists():
        _discard(fresh, name=names[0].name)


def _discard(folder: Path, *, name: str) -> None:
    """Remove a checkpoint that has been replaced; what was not written by a training stays."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        written = {RECORD, *record["sha256"]}
    except (OSError, ValueError, KeyError):
        written = set()
    for path in written:
        (folder / path).unlink(missing_ok=True)
    for path in sorted((p for p in folder.rglob("*") if p.is_dir()), reverse=True):
        with suppress(OSError):
            path.rmdir()
    try:
        folder.rmdir()
    except OSError:
        number = 1
        while (kept := folder.with_name(f"{name}.kept-{number}")).exists():
            number += 1
        os.rename(folder, kept)


def _disk_error(error: BaseException) -> str:
    """What the disk had against a file; safetensors has an error of its own for it."""
    if isinstance(error, OSError) and not isinstance(error, ConnectionError):
        return error.strerror or str(error)
    return str(error) if isinstance(error, SafetensorError) else ""
