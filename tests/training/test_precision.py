"""Precision: its names, and the choice by a probe."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mlrecipe import events
from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.code.catalog import Catalog
from mlrecipe.errors import DataError
from mlrecipe.interfaces import StepOutput
from mlrecipe.recipe.layers import Layer, Tree, merge
from mlrecipe.recipe.schema import TestSpec
from mlrecipe.training import trainer as trainers
from mlrecipe.training.devices import precision
from mlrecipe.training.devices.precision import Choice
from mlrecipe.training.fit import FitReport, fit
from mlrecipe.training.rules import devices as rules_devices
from mlrecipe.training.test import test as run_test
from tests.training.tiny import LABELS, components, make_spec, make_splits


def train(tiny: Path, folder: Path, **trainer: Any) -> FitReport:
    folder.mkdir(exist_ok=True)
    return fit(
        task=TextClassification(labels=LABELS), model=Transformer(config=str(tiny)),
        spec=make_spec(trainer={"accelerator": "cpu", **trainer}), seed=1,
        data=make_splits(train=16, valid=8), components=components(), folder=folder,
    )  # fmt: skip


def tree_of(trainer: dict[str, Any]) -> Tree:
    """A recipe with this `[train.trainer]`."""
    return merge([Layer(name="r.toml", values={"train": {"trainer": trainer}})])


@pytest.mark.parametrize(
    ("name", "lightning"),
    [("bf16", "bf16-mixed"), ("fp32", "32-true"), ("fp64", "64-true"), ("bf16-true", "bf16-true"),
     (32, "32-true"), (None, "32-true")],
)  # fmt: skip
def test_glue_27_one_key_sets_the_precision(run: Path, name: Any, lightning: str) -> None:
    """By short names and by Lightning's own."""
    with trainers.quiet():
        made = trainers.make_trainer(
            folder=run, callbacks=[], loggers=[], accelerator="cpu", precision=name
        )

    assert made.precision == lightning


@pytest.mark.parametrize("name", ["fp16", "16-mixed", 16])
def test_glue_27_fp16_on_a_cpu_is_refused(run: Path, name: Any) -> None:
    """Lightning would take bf16 instead, and hardly say so."""
    with trainers.quiet(), pytest.raises(DataError, match="does not train in fp16") as caught:
        trainers.make_trainer(
            folder=run, callbacks=[], loggers=[], accelerator="cpu", precision=name
        )

    assert caught.value.key == "train.trainer.precision"


def test_glue_27_bf16_trains_and_weights_stay_fp32(tiny: Path, run: Path) -> None:
    """The run says what it was computed in."""
    report = train(tiny, run, precision="bf16")

    assert report.precision == {"precision": "bf16-mixed"}
    loaded = Transformer().load(report.model_folder)
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}


class Slow:
    """A task whose step takes what a clock of its own says: `seconds` by whether autocast is on."""

    def __init__(self, seconds: Mapping[bool, float]) -> None:
        self.seconds = seconds
        self.now = 0.0
        self.steps = 0

    def step(self, module: nn.Module, batch: Mapping[str, Tensor]) -> StepOutput:
        self.now += self.seconds[torch.is_autocast_enabled("cpu")]
        self.steps += 1
        scores = module(batch["x"])
        return StepOutput(scores.sum(), scores, torch.zeros(len(scores)))


def probe(
    run: Path, monkeypatch: pytest.MonkeyPatch, *, full: float, half: float, has_bf16: bool = True
) -> tuple[Choice, Slow]:
    """The choice where a step takes so many seconds."""
    task = Slow({False: full, True: half})
    monkeypatch.setattr(precision, "_has_bf16", lambda device: has_bf16)
    monkeypatch.setattr(precision.time, "perf_counter", lambda: task.now)
    network = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout())
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    random = torch.get_rng_state()
    with trainers.quiet():
        made = trainers.make_trainer(folder=run, callbacks=[], loggers=[], accelerator="cpu")

    choice = precision.choose(made, task, network, {"x": torch.ones(3, 4)})  # type: ignore[arg-type]

    assert all(torch.equal(t, before[name]) for name, t in network.state_dict().items())
    assert all(p.grad is None for p in network.parameters())
    assert torch.equal(torch.get_rng_state(), random)
    return choice, task


@pytest.mark.parametrize(
    ("full", "half", "chosen"),
    [(0.2, 0.1, "bf16-mixed"), (0.1, 0.2, "32-true"), (0.1, 0.1, "32-true"), (0.1, 0.098, "32-true")],
    ids=["faster", "slower", "equal", "hardly faster"],
)  # fmt: skip
def test_training_28_bf16_only_where_the_probe_is_faster(
    run: Path, monkeypatch: pytest.MonkeyPatch, full: float, half: float, chosen: str
) -> None:
    """Both are timed on the real network, which is left as it was; the reason has both times."""
    choice, task = probe(run, monkeypatch, full=full, half=half)

    assert choice.precision == chosen
    assert f"{full * 1000:,.0f} ms in fp32" in choice.reason
    assert f"{half * 1000:,.0f} ms in bf16" in choice.reason
    assert task.now <= 3.0


def test_training_28_never_bf16_on_a_device_without_it(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not even tried, however fast it might seem."""
    choice, task = probe(run, monkeypatch, full=2.0, half=0.1, has_bf16=False)

    assert choice.precision == "32-true"
    assert "no bf16 arithmetic" in choice.reason
    assert task.steps == 0


def test_training_28_the_choice_is_said_kept_and_used_again(
    tiny: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run goes on, and is tested, in what was chosen when it began: nothing is probed again."""
    chosen = Choice(precision="bf16-mixed", reason="a batch takes less", device="cpu")
    monkeypatch.setattr(precision, "choose", lambda *_: chosen)
    said: list[events.Event] = []
    with events.listening(said.append):
        report = train(tiny, run, precision="auto")
    monkeypatch.delattr(precision, "choose")

    again = train(tiny, run, precision="auto")
    seen: list[torch.dtype] = []
    step = TextClassification.step

    def noted(self: Any, module: nn.Module, batch: Any) -> StepOutput:
        seen.append(
            torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32
        )
        return step(self, module, batch)

    monkeypatch.setattr(TextClassification, "step", noted)
    (tmp_path / "test").mkdir()
    run_test(
        task=TextClassification(), model=Transformer(), spec=TestSpec(), data=make_splits(test=4),
        checkpoint=report.model_folder, folder=tmp_path / "test",
        trainer={"accelerator": "cpu", "precision": "auto"},
    )  # fmt: skip

    expected = {"precision": "bf16-mixed", "precision_chosen": "a batch takes less"}
    assert report.precision == again.precision == expected
    assert json.loads((run / "precision.json").read_text())["precision"] == "bf16-mixed"
    assert events.Note("precision bf16-mixed: a batch takes less") in said
    assert seen == [torch.bfloat16]


def test_training_28_a_choice_for_another_device_is_made_anew(
    tiny: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was faster on a GPU need not be so on a CPU."""
    precision.keep(run, Choice(precision="bf16-mixed", reason="was faster", device="cuda"))
    fresh = Choice(precision="32-true", reason="is faster", device="cpu")
    monkeypatch.setattr(precision, "choose", lambda *_: fresh)

    assert train(tiny, run, precision="auto").precision["precision"] == "32-true"


def test_deterministic_is_passed_on(tiny: Path, run: Path) -> None:
    """Torch then refuses what it cannot do in one order; on a CPU training works."""
    on = []

    def noted(self: Any, *args: Any) -> Any:
        on.append(torch.are_deterministic_algorithms_enabled())
        return step(self, *args)

    step = TextClassification.step
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TextClassification, "step", noted)
        try:
            train(tiny, run, deterministic=True)
        finally:
            torch.use_deterministic_algorithms(False)

    assert set(on) == {True}


@pytest.mark.parametrize(
    ("trainer", "key", "message"),
    [
        ({"precision": "bf-16"}, "precision", "did you mean 'bf16"),
        ({"precision": "17"}, "precision", "no precision '17'"),
        (
            {"precision": "bf8"},
            "precision",
            "known: auto, fp16, bf16, fp32, fp64, 16-true, 16-mixed, bf16-true, bf16-mixed, 32-true, "
            "64-true, 64, 32, 16, transformer-engine, transformer-engine-float16",
        ),
        ({"precision": "fp16", "accelerator": "cpu"}, "precision", "a CPU does not train in fp16"),
        ({"precision": 16, "accelerator": "cpu"}, "precision", "a CPU does not train in fp16"),
        ({"strategy": "ddp_spawn"}, "strategy", "copies of this one"),
        ({"strategy": "ddp_notebook"}, "strategy", "copies of this one"),
        ({"strategy": "fsdp"}, "strategy", "a network in pieces cannot be saved and resumed yet"),
        ({"devices": 0}, "devices", "0 is no number of devices"),
        ({"devices": -1, "accelerator": "cpu"}, "devices", "say how many"),
        ({"num_nodes": 0}, "num_nodes", "0 is not at least 1"),
    ],
)
def test_mistakes_are_found_before_any_work(
    trainer: dict[str, Any], key: str, message: str
) -> None:
    """With the key, in words."""
    (problem,) = rules_devices.problems(tree_of(trainer), Catalog())

    assert problem.key == f"train.trainer.{key}"
    assert message in problem.message


@pytest.mark.parametrize(
    "trainer",
    [
        {"precision": "auto"}, {"precision": "fp16"}, {"precision": 16}, {"precision": "bf16-mixed"},
        {"accelerator": "cpu", "devices": 2, "strategy": "ddp"}, {"devices": -1}, {"devices": "auto"},
        {"devices": [0, 2], "num_nodes": 2, "strategy": "ddp"},
    ],
)  # fmt: skip
def test_what_lightning_can_do_is_not_refused(trainer: dict[str, Any]) -> None:
    """One GPU, several, several machines, processes on a CPU."""
    assert rules_devices.problems(tree_of(trainer), Catalog()) == []
