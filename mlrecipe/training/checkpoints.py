"""Checkpoints: the best and the last model of a run, each a folder that serves alone."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import pytorch_lightning as pl
from torch import nn

from mlrecipe.errors import TrainingError
from mlrecipe.interfaces import Head

RECORD = "checkpoint.json"
Save = Callable[[nn.Module, Path], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointRecord:
    """What is known of a checkpoint; lies beside its weights as `checkpoint.json`."""

    step: int
    """Optimizer steps done."""

    epoch: int
    """The epoch that was on, from 1."""

    metrics: Mapping[str, float]
    """The newest metrics when it was written."""

    head: Head
    """What the model puts out."""

    sha256: Mapping[str, str]
    """Digest of every other file, by its name in the folder."""


class Checkpoints(pl.Callback):
    """Keeps `best` and `last` in a folder, each replaced whole."""

    def __init__(self, folder: Path, save: Save, head: Head, *, monitor: str, mode: str) -> None:
        self.best_step: int | None = None
        self.best_metrics: dict[str, float] = {}
        self._folder = folder
        self._save = save
        self._head = head
        self._epoch = 0
        self._monitor = monitor
        self._is_better = float.__lt__ if mode == "min" else float.__gt__

    @property
    def best(self) -> Path:
        """Folder of the best checkpoint."""
        return self._folder / "best"

    @property
    def last(self) -> Path:
        """Folder of the last checkpoint."""
        return self._folder / "last"

    @property
    def best_value(self) -> float | None:
        """The monitored metric of the best checkpoint, where there was one."""
        return self.best_metrics.get(self._monitor)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep the model as the best if its monitored metric is."""
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        value = metrics_of(trainer).get(self._monitor, math.nan)
        best = self.best_value
        if not math.isnan(value) and (best is None or self._is_better(value, best)):
            self._keep_best(trainer, pl_module)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep what the epoch before has learnt."""
        if trainer.global_step:
            self._write(self.last, trainer, pl_module)
        self._epoch = trainer.current_epoch + 1

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep the last model; without a validated one it is the best as well."""
        self._write(self.last, trainer, pl_module)
        if self.best_step is None:
            self._keep_best(trainer, pl_module)

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Keep what was learnt until an interruption or an error."""
        if trainer.state.fn == "fit" and trainer.global_step:
            self._write(self.last, trainer, pl_module)

    def _keep_best(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.best_step = trainer.global_step
        self.best_metrics = metrics_of(trainer)
        self._write(self.best, trainer, module)

    def _write(self, target: Path, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        fresh = target.with_name(f".{target.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        self._save(module.get_submodule("network"), fresh)
        record = CheckpointRecord(
            step=trainer.global_step, epoch=self._epoch, metrics=metrics_of(trainer),
            head=self._head, sha256=_digests(fresh),
        )  # fmt: skip
        (fresh / RECORD).write_text(json.dumps(asdict(record), indent=2) + "\n", encoding="utf-8")
        _replace(target, fresh)


def read_record(checkpoint: Path) -> CheckpointRecord:
    """What was written beside the checkpoint's weights, once its files have proved whole.

    Raises:
        TrainingError: there is no checkpoint, or a file is missing or changed.
    """
    try:
        data = json.loads((checkpoint / RECORD).read_text(encoding="utf-8"))
        head = data.pop("head")
        record = CheckpointRecord(
            **data, head=Head(problem_type=head["problem_type"], labels=tuple(head["labels"]))
        )
    except FileNotFoundError as error:
        raise TrainingError(f"there is no checkpoint in {str(checkpoint)!r}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"cannot read {str(checkpoint / RECORD)!r}: {error}") from error
    found = _digests(checkpoint)
    damaged = sorted(name for name, digest in record.sha256.items() if found.get(name) != digest)
    if damaged:
        raise TrainingError(
            f"checkpoint {str(checkpoint)!r} is damaged: {', '.join(damaged)} missing or changed"
        )
    return record


def metrics_of(trainer: pl.Trainer) -> dict[str, float]:
    """The newest value of every metric, as plain numbers; a metric's name has a stage before `/`."""
    newest = sorted(trainer.callback_metrics.items())
    return {name: float(value) for name, value in newest if "/" in name}


def _replace(target: Path, fresh: Path) -> None:
    """Put `fresh` where `target` is: a reader finds a whole folder, or for an instant none."""
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        os.rename(target, old)
    os.rename(fresh, target)
    shutil.rmtree(old, ignore_errors=True)


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != RECORD)
    return {path.relative_to(folder).as_posix(): _digest(path) for path in files}


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
