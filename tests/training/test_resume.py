"""Trainings that were stopped and go on as if they had not been."""

from __future__ import annotations

import csv
import os
import random
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.precision import MixedPrecision

from mlrecipe import events
from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.errors import Terminated, TrainingError
from mlrecipe.recipe.schema import Component
from mlrecipe.training import parting
from mlrecipe.training.fit import FitReport, fit
from mlrecipe.training.keeping import states
from mlrecipe.training.signals import Stop
from tests.training import killed
from tests.training.tiny import LABELS, components, make_spec, make_splits, write_tiny

ROWS = 66
EVERYTHING = {**killed.SETTINGS, "resume_every": None, "eval_batch_size": 8}


class Signal(pl.Callback):
    """Sends this process a signal, as a user would, at a place of the training."""

    at: tuple[str, int] = ("", 0)
    number = signal.SIGINT
    times = 1

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self._send("batch", trainer.fit_loop.epoch_loop.batch_progress.total.ready)

    def on_validation_batch_end(self, trainer, *args):
        self._send("validation", trainer.global_step)

    def _send(self, place: str, count: int) -> None:
        if Signal.at == (place, count):
            for _ in range(Signal.times):
                os.kill(os.getpid(), Signal.number)


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    """One thread, and no signal unless the test asks for one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    Signal.at, Signal.number, Signal.times = ("", 0), signal.SIGINT, 1
    yield
    torch.set_num_threads(threads)


def train(
    tiny: Path, run: Path, *, state: Path | None = None, extra: dict[str, Any] | None = None,
    **changes: Any,
) -> FitReport:  # fmt: skip
    run.mkdir(exist_ok=True)
    callbacks = {"signal": Component(use="Signal"), **changes.pop("callbacks", {})}
    return fit(
        task=TextClassification(labels=LABELS), model=Transformer(config=str(tiny)),
        spec=make_spec(**changes, callbacks=callbacks), seed=1, data=make_splits(train=ROWS),
        folder=run, components=components({"Signal": Signal, **(extra or {})}), state=state,
    )  # fmt: skip


def newest(run: Path) -> Path:
    state = states.newest(run / states.FOLDER)
    assert state is not None
    return state


def stop(tiny: Path, run: Path, place: str, count: int, **changes: Any) -> Path:
    """Train until a signal comes; gives the state that was kept."""
    Signal.at = (place, count)
    with pytest.raises((KeyboardInterrupt, Terminated)):
        train(tiny, run, **changes)
    Signal.at = ("", 0)
    return newest(run)


@pytest.fixture(scope="module")
def whole(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, FitReport]:
    """A training that was not stopped."""
    run = tmp_path_factory.mktemp("whole")
    torch.set_num_threads(1)
    return run, train(tiny, run, **EVERYTHING)


@pytest.mark.parametrize(
    ("place", "count", "step"),
    [("batch", 3, 2), ("batch", 6, 3), ("batch", 17, 9), ("batch", 30, 16), ("validation", 12, 12)],
    ids=["in an accumulation", "in an epoch", "at its end", "at a validation", "in a validation"],
)  # fmt: skip
def test_training_32_a_stopped_training_ends_as_one_that_was_not(
    tiny: Path, tmp_path: Path, whole: tuple[Path, FitReport], place: str, count: int, step: int,
    request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    """Weights, averages, best and kept checkpoints and the log are the same bytes; no step is lost."""
    run = tmp_path / "run"
    state = stop(tiny, run, place, count, **EVERYTHING)
    facts = states.read_facts(state)

    report = train(tiny, run, state=state, **EVERYTHING)

    assert facts is not None
    assert facts.step == step
    assert facts.at == ("validation" if "validation" in request.node.callspec.id else "batch")
    assert killed.files_of(run) == killed.files_of(whole[0])
    assert report.steps == whole[1].steps
    assert report.best_metrics == whole[1].best_metrics
    assert report.batch_fill == whole[1].batch_fill


def test_training_32_a_process_killed_at_random_ends_as_one_that_was_not(
    tiny: Path, tmp_path: Path
) -> None:
    """Three times, whenever; every time it goes on from what it finds."""
    _kill_and_compare(tiny, tmp_path, times=3)


@pytest.mark.real
@pytest.mark.timeout(600)
def test_training_32_a_process_killed_at_random_twenty_times(tiny: Path, tmp_path: Path) -> None:
    """Likewise, twenty times."""
    for number in range(5):
        folder = tmp_path / str(number)
        folder.mkdir()
        _kill_and_compare(tiny, folder, times=4)


@pytest.mark.parametrize("writes", [2, 9, 24])
def test_a_process_killed_amid_a_write_ends_as_one_that_was_not(
    tiny: Path, tmp_path: Path, writes: int
) -> None:
    """Of a checkpoint or of a state, before it is renamed; what was there before serves."""
    whole, run = _folders(tmp_path)
    killed.train(tiny, whole)

    process = killed.start(tiny, run, writes=writes)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    killed.train(tiny, run)

    assert killed.files_of(run) == killed.files_of(whole)


def _kill_and_compare(tiny: Path, folder: Path, *, times: int) -> None:
    whole, run = _folders(folder)
    chance = random.Random()
    began = time.process_time()
    killed.train(tiny, whole)
    seconds = time.process_time() - began
    codes = []
    for _ in range(times):
        process = killed.start(tiny, run, seconds=chance.uniform(0.1, 0.6) * seconds)
        process.join()
        codes.append(process.exitcode)

    killed.train(tiny, run)

    assert -signal.SIGPROF in codes
    assert killed.files_of(run) == killed.files_of(whole)


def _folders(folder: Path) -> tuple[Path, Path]:
    for name in ("whole", "run"):
        (folder / name).mkdir()
    return folder / "whole", folder / "run"


def test_training_32_batches_in_parts_go_on_as_if_not_stopped(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each part draws its own dropout, in the order of the parts."""
    monkeypatch.setattr(parting, "_NUMBERS", 0)
    monkeypatch.setattr(parting, "_LEAST", 40)
    done = train(tiny, tmp_path / "whole", epochs=2)
    state = stop(tiny, tmp_path / "stopped", "batch", 6, epochs=2)
    again = train(tiny, tmp_path / "stopped", state=state, epochs=2)

    wanted, found = (
        (report.checkpoints["last"] / "model.safetensors").read_bytes() for report in (done, again)
    )
    assert found == wanted


def test_an_epochs_mean_loss_counts_what_was_before_the_interruption(
    tiny: Path, tmp_path: Path, heard: list[events.Event]
) -> None:
    """The metrics amid an epoch go on counting."""
    train(tiny, tmp_path / "whole")
    (whole,) = [e for e in heard if isinstance(e, events.EpochFinished)]
    heard.clear()

    state = stop(tiny, tmp_path / "run", "batch", 5)
    train(tiny, tmp_path / "run", state=state)

    (epoch,) = [e for e in heard if isinstance(e, events.EpochFinished)]
    assert epoch.metrics == whole.metrics
    assert epoch.seconds < 1000


def test_training_33_early_stopping_goes_on_counting(tiny: Path, tmp_path: Path) -> None:
    """Nothing improves without a learning rate: the third validation without progress is the fourth."""
    still = {
        "epochs": 9, "optimizer": Component(use="SGD", params={"lr": 0.0}),
        "callbacks": {"stop": Component(use="EarlyStopping", params={"patience": 3})},
    }  # fmt: skip
    run = tmp_path / "run"
    state = stop(tiny, run, "batch", 25, **still)  # amid the third epoch

    report = train(tiny, run, state=state, **still)

    assert report.epochs == 4
    assert "has not improved" in report.stopped
    assert "in 3 validations" in report.stopped


def test_training_33_the_sampler_goes_on_amid_an_epoch(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the network is given after the interruption is what it would have been given: no row twice."""
    seen: list[bytes] = []
    step = TextClassification.step

    def recorded(self, module, batch):
        if module.training:
            seen.append(batch["input_ids"].numpy().tobytes())
        return step(self, module, batch)

    monkeypatch.setattr(TextClassification, "step", recorded)
    train(tiny, tmp_path / "whole", epochs=2)
    whole = list(seen)
    seen.clear()

    state = stop(tiny, tmp_path / "run", "batch", 5, epochs=2)
    train(tiny, tmp_path / "run", state=state, epochs=2)

    assert seen == whole


def test_glue_25_scaler_and_schedule_are_restored(tiny: Path, tmp_path: Path) -> None:
    """A scaler that grows every second step, and the learning rate of every step."""
    rates: list[float] = []

    class Watch(pl.Callback):
        def on_before_zero_grad(self, trainer, pl_module, optimizer):
            rates.append(optimizer.param_groups[0]["lr"])

        def on_train_end(self, trainer, pl_module):
            rates.append(trainer.precision_plugin.scaler.get_scale())

    def settings() -> dict[str, Any]:
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0, growth_interval=2)
        precision = MixedPrecision("16-mixed", "cpu", scaler)
        return {
            "epochs": 2, "callbacks": {"watch": Component(use="Watch")}, "extra": {"Watch": Watch},
            "trainer": {"accelerator": "cpu", "plugins": [precision]},
        }  # fmt: skip

    train(tiny, tmp_path / "whole", **settings())
    whole = list(rates)
    rates.clear()

    state = stop(tiny, tmp_path / "run", "batch", 5, **settings())
    train(tiny, tmp_path / "run", state=state, **settings())

    assert rates == whole
    assert rates[-1] > 2**8
    assert killed.files_of(tmp_path / "run") == killed.files_of(tmp_path / "whole")


def test_a_state_is_safetensors_and_plain_values(tiny: Path, tmp_path: Path) -> None:
    """Nothing in it runs code when it is read; the folder holds these files and no other state."""
    state = stop(tiny, tmp_path / "run", "batch", 12, **EVERYTHING)

    rest = torch.load(state / "rest.pt", weights_only=True)

    assert sorted(p.name for p in state.iterdir()) == [
        "rest.pt",
        "state.json",
        "weights.safetensors",
    ]
    assert [p.name for p in state.parent.iterdir()] == [state.name]
    assert {"loops", "optimizer_states", "lr_schedulers", "callbacks", "mlrecipe"} <= rest.keys()
    assert not {"state_dict", "current_model_state"} & rest.keys()


def test_a_state_that_was_cut_short_is_not_taken(tiny: Path, tmp_path: Path) -> None:
    """The newest whole one counts."""
    state = stop(tiny, tmp_path / "run", "batch", 12, epochs=2)
    damaged = state.with_name("000999-step-99")
    damaged.mkdir()
    for file in state.iterdir():
        (damaged / file.name).write_bytes(file.read_bytes()[:-1])

    assert newest(tmp_path / "run") == state


def test_a_state_of_another_model_is_refused(tiny: Path, tmp_path: Path) -> None:
    """Before a step is made; the message names a parameter and both shapes."""
    state = stop(tiny, tmp_path / "run", "batch", 3)
    other = write_tiny(tmp_path / "other", type_vocab_size=3)

    with pytest.raises(TrainingError, match=r"another model.*\[2, 32\], here it is \[3, 32\]"):
        train(other, tmp_path / "run", state=state)


def test_a_callback_whose_state_is_not_plain_is_named(
    tiny: Path, tmp_path: Path, heard: list[events.Event]
) -> None:
    """All else is kept."""

    class Odd(pl.Callback):
        def state_dict(self):
            return {"object": self}

    odd = {"callbacks": {"odd": Component(use="Odd")}, "extra": {"Odd": Odd}}
    state = stop(tiny, tmp_path / "run", "batch", 3, **odd)
    report = train(tiny, tmp_path / "run", state=state, **odd)

    warnings = [e.text for e in heard if isinstance(e, events.Note) and e.level == "warning"]
    assert any("Odd.object is a Odd" in text and "not restore it" in text for text in warnings)
    assert report.steps == 9


@contextmanager
def _full_disk(size: int) -> Iterator[None]:
    """No file can become larger: to who writes it is as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_leaves_the_state_before(
    tiny: Path, tmp_path: Path, heard: list[events.Event]
) -> None:
    """Training goes on, with a warning; the older state stays whole."""
    folder = tmp_path / "resume"
    facts = {"epoch": 0, "batch": 1, "at": "batch", "versions": {}, "loggers": {}}
    state = {"state_dict": {"weight": torch.ones(5000)}, "loops": {}}
    first = states.write(folder, state, {**facts, "step": 1})

    for name in ("state_dict", "callbacks"):  # once in the weights, once in the rest
        big = {**state, name: {"x": torch.ones(50_000)}}
        with _full_disk(40_000), pytest.raises(OSError, match=r"large|written whole"):
            states.write(folder, big, {**facts, "step": 2})

        assert states.newest(folder) == first
        assert [path.name for path in folder.iterdir()] == [first.name]


@pytest.mark.parametrize("name", ["fsync", "rename"])
def test_a_state_takes_the_place_of_the_one_before_only_when_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Whatever ends the write before its last move, the older state is there."""
    facts = {"epoch": 0, "batch": 1, "at": "batch", "versions": {}, "loggers": {}}
    state = {"state_dict": {"weight": torch.ones(5)}, "loops": {}}
    first = states.write(tmp_path, state, {**facts, "step": 1})

    def end(*args: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, name, end)
        with pytest.raises(KeyboardInterrupt):
            states.write(tmp_path, state, {**facts, "step": 2})

    assert states.newest(tmp_path) == first
    second = states.write(tmp_path, state, {**facts, "step": 2})
    assert [path.name for path in tmp_path.iterdir()] == [second.name]


def test_a_state_that_cannot_be_written_does_not_end_the_training(
    tiny: Path, tmp_path: Path, heard: list[events.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is a warning that says why."""

    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(states, "write", full)

    report = train(tiny, tmp_path / "run", epochs=2)

    assert report.steps == 18
    notes = [e.text for e in heard if isinstance(e, events.Note)]
    assert "what --resume needs could not be kept at step 9: No space left on device" in notes


def test_sigterm_stops_after_the_step_and_stays_sigterm(tiny: Path, tmp_path: Path) -> None:
    """The state is that of the step that was on; the signals are given back."""
    Signal.at, Signal.number = ("batch", 3), signal.SIGTERM
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        with pytest.raises(Terminated):
            train(tiny, tmp_path / "run")
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)

    facts = states.read_facts(newest(tmp_path / "run"))
    assert facts is not None
    assert facts.step == 3


def test_a_second_signal_stops_at_once_and_breaks_nothing(tiny: Path, tmp_path: Path) -> None:
    """Nothing more is written: the state of the epoch's start, and no half a checkpoint."""
    run = tmp_path / "run"
    Signal.times = 2

    state = stop(tiny, run, "batch", 12, epochs=3)

    facts = states.read_facts(state)
    assert facts is not None
    assert facts.step == 9
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["best", "last"]
    report = train(tiny, run, state=state, epochs=3)
    assert report.steps == 27


def test_a_signal_in_the_last_step_changes_nothing(tiny: Path, tmp_path: Path) -> None:
    """The training is whole; whoever started it is told to stop."""
    Signal.at = ("batch", 9)
    stop_ = Stop()
    run = tmp_path / "run"
    run.mkdir()

    report = fit(
        task=TextClassification(labels=LABELS), model=Transformer(config=str(tiny)),
        spec=make_spec(callbacks={"s": Component(use="Signal")}, valid_split=""), seed=1,
        data=make_splits(train=ROWS), folder=run, components=components({"Signal": Signal}),
        stop=stop_,
    )  # fmt: skip

    assert report.steps == 9
    assert stop_.asked == signal.SIGINT


def test_a_loader_that_cannot_be_told_its_place_goes_on_from_its_epoch(
    tiny: Path, tmp_path: Path
) -> None:
    """A module and data of the user's own: shuffled by torch's generator, it ends with the same weights."""
    whole, run = _folders(tmp_path)
    _own(whole, kill_at=None)
    with pytest.raises(KeyboardInterrupt):
        _own(run, kill_at=7)
    facts = states.read_facts(newest(run))
    weights = _own(run, kill_at=None, state=newest(run))

    assert facts is not None
    assert (facts.epoch, facts.batch) == (1, 0)
    assert torch.equal(weights, _own(whole, kill_at=None))


def _own(run: Path, *, kill_at: int | None, state: Path | None = None) -> torch.Tensor:
    from mlrecipe.training.keeping.resume import Resume
    from mlrecipe.training.trainer import make_trainer, quiet
    from mlrecipe.training.trainer import run as run_trainer

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(2, 1)

        def training_step(self, batch, batch_idx):
            self.log("loss", self.layer(batch[0]).square().mean(), on_epoch=True)
            return self.layer(torch.dropout(batch[0], 0.5, train=True)).square().mean()

        def on_train_batch_end(self, *args):
            if self.trainer.global_step == kill_at:
                os.kill(os.getpid(), signal.SIGINT)

        def configure_optimizers(self):
            return torch.optim.AdamW(self.parameters(), lr=0.1)

    pl.seed_everything(1, verbose=False)
    module = Module()
    rows = torch.utils.data.TensorDataset(torch.randn(40, 2))
    data = pl.LightningDataModule()
    data.train_dataloader = lambda: torch.utils.data.DataLoader(rows, batch_size=8, shuffle=True)
    stop_ = Stop()
    keeper = Resume(run / "resume", stop=stop_)
    with quiet(), stop_.guarding():
        trainer = make_trainer(
            folder=run, callbacks=[keeper], loggers=[], accelerator="cpu", max_epochs=3
        )
        run_trainer(lambda: keeper.fit(trainer, module, data, state))
    return module.layer.weight.detach().clone()


def test_the_log_can_lose_a_half_written_line(tiny: Path, tmp_path: Path) -> None:
    """A kill amid a write of the log leaves the rows before it."""
    run = tmp_path / "run"
    often = {"epochs": 3, "trainer": {"accelerator": "cpu", "log_every_n_steps": 1}}
    state = stop(tiny, run, "batch", 12, **often)
    log = run / "logs" / "metrics.csv"
    with log.open("a") as file:
        file.write("0,0.1\n7,")

    train(tiny, run, state=state, **often)

    with log.open(newline="") as file:
        steps = [int(row["step"]) for row in csv.DictReader(file) if row["train/loss"]]
    assert steps == list(range(27))
