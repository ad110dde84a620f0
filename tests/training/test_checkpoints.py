"""Which checkpoints are kept, and that none is ever half there or lost."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from mlrecipe import events
from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.errors import TrainingError
from mlrecipe.interfaces import Head
from mlrecipe.training.fit import fit
from mlrecipe.training.keeping import exchange
from mlrecipe.training.keeping.checkpoints import Checkpoints, read_record
from tests.training.tiny import LABELS, components, make_spec, make_splits

HEAD = Head(problem_type="single_label_classification", labels=("no", "yes"))


class Played:
    """Checkpoints that are told of validations, without a training."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.module = SimpleNamespace(get_submodule=lambda name: nn.Linear(1, 1))
        self.trainer = SimpleNamespace(
            is_global_zero=True, sanity_checking=False, global_step=0, current_epoch=0,
            state=SimpleNamespace(fn="fit"), callback_metrics={}, callbacks=[],
        )  # fmt: skip
        self.folder = folder
        self.checkpoints = Checkpoints(
            folder, self._save, HEAD, **{"monitor": "valid/f1", "mode": "max", **settings}
        )

    def validate(self, *values: float) -> Played:
        """One step and one validation for each value."""
        for value in values:
            self.trainer.global_step += 1
            self.trainer.callback_metrics = {"valid/f1": torch.tensor(value)}
            arguments: tuple[Any, Any] = (self.trainer, self.module)
            self.checkpoints.on_train_batch_end(*arguments, None, None, 0)
            self.checkpoints.on_validation_end(*arguments)
        return self

    def steps(self) -> dict[str, int]:
        """Each checkpoint's step, by its folder's name."""
        return {p.name: read_record(p).step for p in sorted(self.folder.iterdir())}

    def _save(self, module: nn.Module, folder: Path) -> None:
        (folder / "weights").write_text(str(self.trainer.global_step))


@pytest.fixture(params=["at once", "by renaming"])
def _ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a file system that can exchange two folders, and with one that cannot."""
    if request.param == "by renaming":
        monkeypatch.setattr(exchange, "_swap", lambda first, second: False)


@pytest.mark.usefixtures("_ways")
@pytest.mark.parametrize(
    ("values", "mode", "kept"),
    [
        ((0.1, 0.5, 0.3, 0.4), "max", {"best": 2, "best-2": 4, "best-3": 3}),
        ((0.1, 0.5, 0.3, 0.4), "min", {"best": 1, "best-2": 3, "best-3": 4}),
        ((0.2, 0.2, 0.1), "max", {"best": 1, "best-2": 2, "best-3": 3}),
        ((0.2, float("nan")), "max", {"best": 1}),
        ((0.1, 0.2, 0.3, 0.4, 0.5), "max", {"best": 5, "best-2": 4, "best-3": 3}),
    ],
)
def test_glue_26_the_best_are_kept_in_order(
    tmp_path: Path, values: Sequence[float], mode: str, kept: dict[str, int]
) -> None:
    """By the chosen metric, of equals the first; nothing else is left in the folder."""
    assert Played(tmp_path, top_k=3, mode=mode).validate(*values).steps() == kept


def test_every_nth_step_is_kept_for_good(tmp_path: Path) -> None:
    """Beside the best."""
    played = Played(tmp_path, save_every=2).validate(0.5, 0.4, 0.3, 0.2, 0.1)

    assert played.steps() == {"best": 1, "step-2": 2, "step-4": 4}
    assert set(played.checkpoints.kept) == {"best", "step-2", "step-4"}


def test_glue_28_what_others_wrote_is_never_deleted(tmp_path: Path) -> None:
    """A folder that has a checkpoint's name is put aside; a file beside the weights is kept, too."""
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "mine.txt").write_text("mine")
    played = Played(tmp_path).validate(0.1)
    (tmp_path / "best" / "notes").mkdir()
    (tmp_path / "best" / "notes" / "why.txt").write_text("why")
    (tmp_path / "other").mkdir()

    played.validate(0.2)

    assert read_record(tmp_path / "best").step == 2
    found = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.txt")}
    assert found == {"best.kept-1/mine.txt", "best.kept-2/notes/why.txt"}
    assert (tmp_path / "other").is_dir()


@pytest.mark.usefixtures("_ways")
def test_after_a_kill_a_disk_that_is_ahead_is_brought_in_order(tmp_path: Path) -> None:
    """The folders had moved on after the state was kept: each name comes to hold what it says."""
    values = (0.1, 0.3, 0.5, 0.4)
    played = Played(tmp_path, top_k=2).validate(*values[:2])
    state = played.checkpoints.state_dict()
    played.validate(*values[2:])
    assert played.steps() == {"best": 3, "best-2": 4}

    again = Played(tmp_path, top_k=2)
    again.trainer.global_step = 2
    again.checkpoints.load_state_dict(state)
    again.validate(*values[2:])

    assert again.steps() == {"best": 3, "best-2": 4}
    assert again.checkpoints.best_metrics["valid/f1"] == pytest.approx(0.5)


def test_a_kill_between_two_renames_is_mended(tmp_path: Path) -> None:
    """Where folders cannot be exchanged at once, the old one has another name for an instant."""
    played = Played(tmp_path).validate(0.1)
    os.rename(tmp_path / "best", tmp_path / ".best.old")

    played.checkpoints.on_fit_start(played.trainer, played.module)  # type: ignore[arg-type]

    assert played.steps() == {"best": 1}


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file can become larger: to who writes it is as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_leaves_the_checkpoint_before(tiny: Path, tmp_path: Path) -> None:
    """The error names the checkpoint and what the disk had against it; the old one stays whole."""
    model = Transformer(config=str(tiny))
    network = model.build(HEAD)
    played = Played(tmp_path / "checkpoints").validate(0.1)
    played.module.get_submodule = lambda name: network
    played.checkpoints._save = model.save

    with full_disk(20_000), pytest.raises(TrainingError, match="cannot write checkpoint 'best' at"):
        played.validate(0.2)

    assert played.steps() == {"best": 1}


def test_a_disk_that_is_full_in_the_end_does_not_hide_why_training_ended(
    tmp_path: Path, heard: list[events.Event]
) -> None:
    """What cannot be kept after an interruption is a warning."""

    def full(module: nn.Module, folder: Path) -> None:
        raise OSError(28, "No space left on device")

    played = Played(tmp_path).validate(0.1)
    played.checkpoints._save = full

    played.checkpoints.on_exception(played.trainer, played.module, KeyboardInterrupt())  # type: ignore[arg-type]

    (note,) = [e for e in heard if isinstance(e, events.Note)]
    assert note.text == (
        "cannot write checkpoint 'last' at step 1: No space left on device; "
        "what was written before is kept"
    )


def test_the_recipe_says_which_are_kept(tiny: Path, run: Path) -> None:
    """`top_k` and `save_every` of [train]; the report lists all, and each serves alone."""
    report = fit(
        task=TextClassification(labels=LABELS), model=Transformer(config=str(tiny)),
        spec=make_spec(epochs=3, top_k=2, save_every=10), seed=1, data=make_splits(), folder=run,
        components=components(),
    )  # fmt: skip

    assert set(report.checkpoints) == {"best", "best-2", "last", "step-10", "step-20"}
    assert read_record(report.checkpoints["step-20"]).step == 20
    steps = {read_record(report.checkpoints[name]).step for name in ("best", "best-2")}
    assert len(steps) == 2
    assert steps <= {8, 16, 24}
    Transformer(config=str(tiny)).load(report.checkpoints["best-2"])
