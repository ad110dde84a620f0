"""Resuming: what a training keeps so that it goes on as if it had never stopped, and how it does.

A state is taken before a batch, once the step before is whole, validation and all; or, when training is
to stop amid a validation, as it was before that. Lightning restores weights, optimizers, schedules, loops and
callbacks. It does not restore random numbers, metrics amid an epoch or the place in the data, and on the way
back it counts a step too many and leaves a schedule's step out (pytorch-lightning#11029, #19764): that is
done here.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytorch_lightning as pl
from pytorch_lightning.loggers.logger import Logger

from mlrecipe import events
from mlrecipe.errors import TrainingError
from mlrecipe.recipe.schema import TrainSpec
from mlrecipe.training.keeping import logs, randomness, states
from mlrecipe.training.keeping.averaging import learning
from mlrecipe.training.keeping.restoring import (
    Clock,
    States,
    can_keep,
    check_fits,
    find_place,
    go_on,
    gradients_of,
    metrics_in,
    put_gradients,
    put_metrics,
    settled,
    shared,
    versions,
)
from mlrecipe.training.signals import Stop
from mlrecipe.training.tracking import continuing

_OWN = "mlrecipe"
"""Under this key a state has what Lightning does not know of."""

_NEEDED = ("loops", "optimizer_states", "lr_schedulers")
_NOT_NEEDED = ("hyper_parameters", "hparams_name", "hparams_type")


class Counter(Protocol):
    """Something that counts, and can go on counting."""

    def state_dict(self) -> dict[str, Any]:
        """What was counted, as plain values and tensors."""

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Go on from there."""


class Resume(pl.Callback):
    """Keeps states while training goes on, stops it when it is asked to, and takes it up again.

    Comes before all other callbacks: before a batch they have then seen exactly those before it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        stop: Stop,
        every: int | None = None,
        counters: Mapping[str, Counter] | None = None,
        loggers: Callable[[], Mapping[str, Mapping[str, Any]]] = dict,
    ) -> None:
        """Keep states in a folder.

        Args:
            folder: of the states.
            stop: whether training is to stop.
            every: optimizer steps between two states, beside those at the start of each epoch.
            counters: what else is to go on, by name.
            loggers: gives what the recipe's loggers must be made with to go on.
        """
        self._folder = folder
        self._stop = stop
        self._every = every
        self._counters = dict(counters or {})
        self._readers: dict[str, Counter] = {}
        self._loggers = loggers
        self._read: dict[str, Any] = {}
        self._kept_step = 0
        self._loaded: dict[str, Any] | None = None
        self._before_validation: dict[str, Any] = {}
        self._epoch_random: dict[str, Any] = {}
        self._warned: set[str] = set()
        self.clock = Clock()

    @classmethod
    def of(cls, folder: Path, spec: TrainSpec, *, stop: Stop, loggers: Sequence[Logger]) -> Resume:
        """The one for a run directory; the first logger is the run's own, then come the recipe's."""
        named = dict(zip(spec.loggers, loggers[1:], strict=True))
        own = loggers[0]
        counters: dict[str, Counter] = {"log": own} if isinstance(own, logs.Log) else {}
        return cls(
            folder / states.FOLDER, stop=stop, every=spec.resume_every, counters=counters,
            loggers=lambda: continuing.ids_of(named),
        )  # fmt: skip

    def fit(
        self, trainer: pl.Trainer, module: pl.LightningModule, data: Any, state: Path | None
    ) -> None:
        """Have the Trainer fit the module, from a state on if there is one.

        Raises:
            TrainingError: the state is of another model.
        """
        self.clock = Clock()
        self._counters["clock"] = self.clock
        if state is None:
            trainer.fit(module, datamodule=data)
            return
        if (
            next(module.parameters(), None) is not None
        ):  # else its layers come late, and Lightning checks
            check_fits(state, module)
        for logger in trainer.loggers:
            if isinstance(logger, logs.Log):
                logger.begins_anew = False
        trainer.strategy.checkpoint_io = States(trainer.strategy.checkpoint_io)
        trainer.fit(module, datamodule=data, ckpt_path=str(state), weights_only=True)

    def watch(self, **readers: Counter) -> None:
        """Keep also what counts when a batch is read, and so is one batch ahead."""
        self._readers |= readers

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Remember what Lightning does not restore."""
        self._loaded = checkpoint.get(_OWN)

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Let a loader that draws its order by itself draw it again."""
        if self._loaded is not None:
            ranks = self._loaded["ranks"]
            randomness.put(ranks[trainer.global_rank % len(ranks)]["epoch_random"])

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Listen to signals, and put everything where it was."""
        self._stop.listen()
        if self._loaded is not None:
            self._restore(trainer, pl_module, self._loaded)
        self._look()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Remember what an order would be drawn from."""
        self._epoch_random = randomness.get()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Keep a state, or stop, if it is time to."""
        if self._loaded is not None:  # this is the place where it was kept
            randomness.put(self._own(trainer)["random"])
            self._loaded = None
            return
        if batch_idx % trainer.accumulate_grad_batches:
            return
        is_asked = self._is_asked(trainer)
        if (is_asked or self._is_due(trainer, batch_idx)) and can_keep(trainer, batch_idx):
            self._keep(trainer, pl_module, at="batch", own={
                "random": randomness.get(), "metrics": metrics_in(pl_module), "read": self._read,
                "epoch_random": self._epoch_random,
            })  # fmt: skip
        if is_asked:
            self._stop.obey()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any,
        batch_idx: int,
    ) -> None:  # fmt: skip
        """Note what was read so far."""
        self._look()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Remember how it was before, in case this is to stop amid."""
        if trainer.state.fn != "fit" or trainer.sanity_checking:
            return
        if self._loaded is not None:
            randomness.put(self._own(trainer)["random"])
            self._loaded = None
        self._before_validation = {
            "random": randomness.get(), "metrics": copy.deepcopy(metrics_in(pl_module)),
            "read": self._read, "epoch_random": self._epoch_random,
        }  # fmt: skip

    def on_validation_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        """Stop if it is asked for; the validation will be made again from its start."""
        if trainer.state.fn != "fit" or trainer.sanity_checking:
            return
        loop = trainer.fit_loop.epoch_loop
        is_last = trainer.max_steps != -1 and trainer.global_step >= trainer.max_steps
        if loop._should_accumulate() or is_last or not self._is_asked(trainer):
            return
        if can_keep(trainer, trainer.fit_loop.batch_idx):
            self._keep(trainer, pl_module, at="validation", own=self._before_validation)
        self._stop.obey()

    def _look(self) -> None:
        self._read = {name: reader.state_dict() for name, reader in self._readers.items()}

    def _is_asked(self, trainer: pl.Trainer) -> bool:
        """Whether this process was asked to stop, or any other of the job."""
        asked = self._stop.asked is not None
        return bool(trainer.strategy.reduce_boolean_decision(asked, all=False))

    def _is_due(self, trainer: pl.Trainer, batch: int) -> bool:
        step = trainer.global_step
        if not step or step == self._kept_step:
            return False
        return batch == 0 or (self._every is not None and step % self._every == 0)

    def _own(self, trainer: pl.Trainer) -> dict[str, Any]:
        """This process's part of what was loaded."""
        assert self._loaded is not None
        ranks = self._loaded["ranks"]
        found: dict[str, Any] = ranks[trainer.global_rank % len(ranks)]
        return found

    def _keep(
        self, trainer: pl.Trainer, module: pl.LightningModule, *, at: str, own: dict[str, Any]
    ) -> None:
        """Write a state; if that fails the one before stays, and training goes on."""
        self._kept_step = trainer.global_step
        with learning(trainer, module):  # what is dumped are the weights themselves, no copies
            state = trainer._checkpoint_connector.dump_checkpoint(weights_only=False)
            ranks = shared(states.plain(own, "what a process remembers"))
            if trainer.is_global_zero:
                self._write(trainer, module, state, at=at, ranks=ranks)

    def _write(
        self, trainer: pl.Trainer, module: pl.LightningModule, state: dict[str, Any], *, at: str,
        ranks: list[dict[str, Any]],
    ) -> None:  # fmt: skip
        state["loops"] = settled(state["loops"], at=at)
        state[_OWN] = {
            "at": at, "ranks": ranks, "gradients": gradients_of(module),
            "counters": {name: counter.state_dict() for name, counter in self._counters.items()},
            "callback_metrics": dict(trainer.callback_metrics),
        }  # fmt: skip
        done = trainer.fit_loop.epoch_loop.batch_progress.current.completed
        facts = {
            "step": trainer.global_step, "epoch": trainer.current_epoch, "batch": done, "at": at,
            "versions": versions(), "loggers": states.plain(dict(self._loggers()), "loggers"),
        }  # fmt: skip
        try:
            states.write(self._folder, self._plain(state), facts)
        except (OSError, TrainingError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            text = f"what --resume needs could not be kept at step {trainer.global_step}: {reason}"
            events.emit(events.Note(text, "warning"))

    def _plain(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The state without what `weights_only=True` would not load; says whose that is."""
        found: dict[str, Any] = {}
        for key, value in state.items():
            if key in _NOT_NEEDED or key.startswith("datamodule_"):
                continue
            if key in ("state_dict", "current_model_state"):
                found[key] = value
            elif key in (*_NEEDED, _OWN):
                found[key] = states.plain(value, key)
            elif key == "callbacks":
                found[key] = self._plain_parts(value)
            else:
                found |= self._plain_parts({key: value})
        return found

    def _plain_parts(self, values: Mapping[str, Any]) -> dict[str, Any]:
        found = {}
        for name, value in values.items():
            try:
                found[name] = states.plain(value, name)
            except TrainingError as error:
                if name not in self._warned:
                    text = f"{error}: --resume will not restore it"
                    events.emit(events.Note(text, "warning"))
                self._warned.add(name)
        return found

    def _restore(
        self, trainer: pl.Trainer, module: pl.LightningModule, loaded: dict[str, Any]
    ) -> None:
        own = self._own(trainer)
        put_metrics(module, own["metrics"])
        put_gradients(module, loaded["gradients"])
        for name, reader in self._readers.items():
            reader.load_state_dict(own["read"][name])
        for name, counter in self._counters.items():
            if name in loaded["counters"]:
                counter.load_state_dict(loaded["counters"][name])
        trainer._logger_connector._callback_metrics.update(loaded["callback_metrics"])
        self._epoch_random = own["epoch_random"]
        self._kept_step = trainer.global_step
        find_place(trainer)
        go_on(trainer, trains_first=loaded["at"] == "batch")


def continued(spec: TrainSpec, state: Path | None) -> TrainSpec:
    """The spec with loggers that go on where those of the state were."""
    facts = states.read_facts(state) if state is not None else None
    if facts is None:
        return spec
    return replace(spec, loggers=continuing.continued(spec.loggers, facts.loggers, step=facts.step))
