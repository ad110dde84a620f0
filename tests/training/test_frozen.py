"""Frozen parts: computed once, kept, and put in their place, with the results that there would be without."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from datasets import Dataset
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForSequenceClassification

from mlrecipe import events
from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Task
from mlrecipe.pipeline.derived import Derivation
from mlrecipe.recipe.schema import Component, TrainSpec
from mlrecipe.training.batching.rows import Rows
from mlrecipe.training.fit import FitReport, fit
from mlrecipe.training.frozen import layers as frozen
from mlrecipe.training.keeping import states
from tests.training.tiny import (
    LABELS,
    PLACES,
    VOCABULARY,
    components,
    make_spec,
    make_splits,
    write_tokenizer,
)  # fmt: skip

TRAINER = pl.Trainer(
    accelerator="cpu", devices=1, logger=False, enable_checkpointing=False, barebones=False,
    enable_progress_bar=False, enable_model_summary=False,
)  # fmt: skip
LAYERS = 3
SHARED: dict[str, Any] = {
    "vocab_size": len(VOCABULARY), "hidden_size": 16, "num_hidden_layers": LAYERS,
    "num_attention_heads": 2, "intermediate_size": 32, "pad_token_id": 0,
    "max_position_embeddings": PLACES + 2, "hidden_dropout_prob": 0.2,
    "attention_probs_dropout_prob": 0.2, "classifier_dropout": 0.2,
}  # fmt: skip
CONFIGS: dict[str, dict[str, Any]] = {
    "bert": {},
    "roberta": {},
    "xlm-roberta": {},
    "electra": {"embedding_size": 8},
    "mpnet": {},
    "albert": {"embedding_size": 8},
    "deberta-v2": {
        "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "conv_kernel_size": 3,
        "position_buckets": 8, "norm_rel_ebd": "layer_norm", "share_att_key": True,
    },
    "distilbert": {
        "dim": 16, "n_layers": LAYERS, "n_heads": 2, "hidden_dim": 32, "dropout": 0.2,
        "attention_dropout": 0.2, "seq_classif_dropout": 0.2,
    },
    "modernbert": {
        "classifier_dropout": 0.2, "mlp_dropout": 0.2, "embedding_dropout": 0.2, "local_attention": 8,
        "cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3,
        "global_attn_every_n_layers": 2,
    },
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Kept:
    """Keeps derived values in memory, as the store does on the disk."""

    def __init__(self, folder: Path) -> None:
        self.values: dict[str, np.ndarray[Any, Any]] = {}
        self.made: list[Derivation] = []
        self._folder = folder

    def has(self, derivation: Derivation) -> bool:
        return str(derivation.facts) in self.values

    def get(self, derivation: Derivation) -> Any:
        key = str(derivation.facts)
        if key not in self.values:
            self._folder.mkdir(exist_ok=True)
            self.values[key] = np.array(derivation.make(self._folder))
            assert self.values[key].nbytes == derivation.bytes
            self.made.append(derivation)
        return self.values[key]


class Losses(pl.Callback):
    """The loss of each step, and how often layers ran in the epochs."""

    def __init__(self, stop_at: int | None = None) -> None:
        self._stop_at = stop_at
        self.train: list[float] = []
        self.calls: dict[str, int] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for name, module in pl_module.named_modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                module.register_forward_hook(lambda m, i, o, name=name: self._count(name))

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        self.train.append(float(outputs["loss"]))
        if trainer.global_step == self._stop_at:
            os.kill(os.getpid(), signal.SIGINT)

    def _count(self, name: str) -> None:
        self.calls[name] = self.calls.get(name, 0) + 1


def write_config(folder: Path, kind: str, **changes: Any) -> Path:
    """A tiny configuration of an architecture, and a tokenizer."""
    config = AutoConfig.for_model(kind, **{**SHARED, **CONFIGS[kind], **changes})
    config.save_pretrained(folder)
    write_tokenizer(folder)
    return folder


def train(
    model: Any,
    folder: Path,
    derive: Kept | None,
    *,
    stop_at: int | None = None,
    state: Path | None = None,
    **changes: Any,
) -> tuple[FitReport, Losses]:
    """Train for ten steps of 8 rows and more, validated twice."""
    folder.mkdir(exist_ok=True)
    losses = Losses(stop_at)
    callback = {"losses": Component(use="losses")}
    spec: TrainSpec = make_spec(**{
        "epochs": 2, "batch_size": 8, "optimizer": Component(use="AdamW", params={"lr": 1e-2}),
        "callbacks": callback | changes.pop("callbacks", {}), **changes,
    })  # fmt: skip
    report = fit(
        task=TextClassification(labels=LABELS), model=model, spec=spec, seed=3, state=state,
        data=make_splits(train=44, valid=10), folder=folder,
        components=components({"losses": lambda: losses}), derive=derive,
    )  # fmt: skip
    return report, losses


def settled(
    model: Any, kept: Kept | None, splits: Mapping[str, Dataset]
) -> tuple[Task, nn.Module, Mapping[str, Dataset]]:
    """Task, network and rows as `fit` uses them."""
    task = TextClassification(labels=LABELS)
    head = task.head(splits)
    encoded = {name: task.encode(rows, head, split=name) for name, rows in splits.items()}
    torch.manual_seed(7)
    network = model.build(head).train()
    spec = make_spec()
    found = frozen.plan(
        task=task, model=model, network=network, spec=spec, encoded=encoded, callbacks=[],
        derive=kept,
    )  # fmt: skip
    if found is None:
        return task, network, encoded
    assert found.settle(TRAINER, network, pays=True)
    return found.task, network, found.encoded


def learn(
    task: Task, network: nn.Module, rows: Mapping[str, Dataset]
) -> tuple[list[float], Tensor]:
    """The losses of ten steps, and the scores of the validation rows after them."""
    learning = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=1e-2)
    order = np.random.default_rng(5).permutation(80) % len(rows["train"])
    batches = Rows(rows["train"], task.collate, lengths=task.lengths(rows["train"]))
    torch.manual_seed(3)
    losses = []
    for step in range(10):
        output = task.step(network, batches[order[8 * step : 8 * step + 8]])
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
        losses.append(output.loss.item())
    network.eval()
    valid = Rows(rows["valid"], task.collate, lengths=task.lengths(rows["valid"]))
    with torch.no_grad():
        scores = task.step(network, valid[np.arange(len(rows["valid"]))]).scores
    return losses, scores


@pytest.mark.long
@pytest.mark.parametrize("kind", CONFIGS)
def test_training_31_steps_and_scores_are_those_without_it(kind: str, tmp_path: Path) -> None:
    """Within 1e-5, for each architecture that is known and however many of its layers are frozen."""
    config = write_config(tmp_path, kind)
    splits = make_splits(train=24, valid=10)
    del splits["test"]
    several = [0, 1, 2, LAYERS, "all"] if kind == "bert" else [0, 1, 2, "all"]
    for layers in ["all"] if kind == "albert" else several:
        model = Transformer(config=str(config), freeze_layers=layers)
        kept = Kept(tmp_path / "kept")

        losses, scores = learn(*settled(model, None, splits))
        found, given = learn(*settled(model, kept, splits))

        assert [d.part for d in kept.made][:2] == ["train", "valid"], layers
        assert found == pytest.approx(losses, abs=1e-5), layers
        torch.testing.assert_close(given, scores, atol=1e-5, rtol=0)


def test_where_the_head_takes_the_mean_it_alone_is_kept(tmp_path: Path) -> None:
    """One vector for each row, over its real tokens."""
    config = write_config(tmp_path, "modernbert", classifier_pooling="mean")
    model = Transformer(config=str(config), freeze_layers="all")
    splits, kept = make_splits(train=24, valid=10), Kept(tmp_path / "kept")

    losses, scores = learn(*settled(model, None, splits))
    found, given = learn(*settled(model, kept, splits))

    assert [value.shape for value in kept.values.values()] == [(24, 16), (10, 16), (22, 16)]
    assert found == pytest.approx(losses, abs=1e-5)
    torch.testing.assert_close(given, scores, atol=1e-5, rtol=0)


def test_only_real_tokens_are_kept_and_of_a_whole_encoder_one(tmp_path: Path) -> None:
    """In float32: as many vectors as the rows have tokens, or as there are rows."""
    config = write_config(tmp_path, "bert")
    splits = {name: rows for name, rows in make_splits().items() if name != "test"}
    tokens = sum(len(ids) for ids in splits["train"]["input_ids"])

    for layers, count in ((1, tokens), ("all", 64)):
        kept = Kept(tmp_path / "kept")
        settled(Transformer(config=str(config), freeze_layers=layers), kept, splits)

        first = next(iter(kept.values.values()))
        assert (first.shape, first.dtype) == ((count, 16), np.float32)


@pytest.mark.parametrize(
    ("changes", "is_kept"),
    [
        ({}, True),
        ({"dropout": 0.0}, True),
        ({"freeze_layers": 2}, False),
        ({"config_overrides": {"layer_norm_eps": 1e-3}}, False),
        ({"attn_implementation": "eager"}, False),
    ],
    ids=["same", "dropout", "layers", "config", "attention"],
)
def test_what_decides_over_the_outputs_names_them(
    changes: dict[str, Any], is_kept: bool, tmp_path: Path
) -> None:
    """And nothing else does: dropout is off there."""
    config = write_config(tmp_path, "bert")
    kept, splits = Kept(tmp_path / "kept"), make_splits(train=8, valid=4, test=4)
    options = {"config": str(config), "freeze_layers": 1}
    settled(Transformer(**options), kept, splits)

    settled(Transformer(**(options | changes)), kept, splits)

    assert (len(kept.made) == 3) == is_kept


def test_other_weights_or_rows_have_outputs_of_their_own(tmp_path: Path) -> None:
    """Their content counts, not where they come from; a learning head does not."""
    config = write_config(tmp_path, "bert")
    model = Transformer(config=str(config), freeze_layers=1)
    splits = make_splits(train=8, valid=4, test=4)
    kept = Kept(tmp_path / "kept")
    _, network, encoded = settled(model, None, splits)

    def made() -> int:
        task, spec = TextClassification(labels=LABELS), make_spec()
        found = frozen.plan(
            task=task, model=model, network=network, spec=spec, encoded=encoded, callbacks=[],
            derive=kept,
        )  # fmt: skip
        assert found is not None
        assert found.settle(TRAINER, network, pays=True)
        return len(kept.made)

    parameters = dict(network.named_parameters())
    assert made() == 3
    for name, total in (
        ("classifier.weight", 3), ("bert.encoder.layer.1.output.dense.bias", 3),
        ("bert.encoder.layer.0.output.dense.bias", 6),
    ):  # fmt: skip
        with torch.no_grad():
            parameters[name].add_(0.1)
        assert made() == total, name
    encoded = {**encoded, "valid": encoded["valid"].select(range(3))}
    assert made() == 7


def test_recording_leaves_network_and_random_numbers_as_they_were(tmp_path: Path) -> None:
    """What is drawn afterwards is what would have been."""
    config = write_config(tmp_path, "bert")
    model = Transformer(config=str(config), freeze_layers=1)
    splits = make_splits(train=8, valid=4, test=4)
    _, before, _ = settled(model, None, splits)
    drawn = torch.rand(3)

    _, network, _ = settled(model, Kept(tmp_path / "kept"), splits)

    assert torch.equal(torch.rand(3), drawn)
    assert [m.training for m in network.modules()] == [m.training for m in before.modules()]
    assert all("forward" not in module.__dict__ for module in network.modules())


def test_training_31_an_epoch_runs_nothing_of_a_frozen_encoder(tmp_path: Path) -> None:
    """Nor does validation; what is saved is the whole model, which transformers loads as it is."""
    config = write_config(tmp_path / "config", "bert")
    model = Transformer(config=str(config), freeze_layers="all")

    plain, expected = train(model, tmp_path / "plain", None)
    report, found = train(model, tmp_path / "kept", Kept(tmp_path))

    assert any(".encoder." in name for name in expected.calls)
    assert {name.removeprefix("network.") for name in found.calls} == {
        "bert.pooler.dense", "classifier",
    }  # fmt: skip
    assert report.best_metrics == pytest.approx(plain.best_metrics, abs=1e-5)
    assert found.train == pytest.approx(expected.train, abs=1e-5)
    read = [
        AutoModelForSequenceClassification.from_pretrained(r.model_folder).state_dict()
        for r in (plain, report)
    ]
    assert read[0].keys() == read[1].keys()
    for name, tensor in read[0].items():
        torch.testing.assert_close(read[1][name], tensor, atol=1e-5, rtol=0)


def test_each_token_of_a_batch_gets_its_own_outputs(tmp_path: Path) -> None:
    """Through a training with buckets, accumulation and layers above that learn."""
    config = write_config(tmp_path / "config", "deberta-v2")
    model = Transformer(config=str(config), freeze_layers=1, gradient_checkpointing=True)
    changes = {"device_batch_size": 4, "epochs": 1, "batching": "fixed"}

    plain, expected = train(model, tmp_path / "plain", None, **changes)
    report, found = train(model, tmp_path / "kept", Kept(tmp_path), **changes)

    assert found.train == pytest.approx(expected.train, abs=1e-5)
    assert report.best_metrics == pytest.approx(plain.best_metrics, abs=1e-5)


def test_in_mixed_precision_the_outputs_are_those_of_that_precision(tmp_path: Path) -> None:
    """They were computed in it."""
    config = write_config(tmp_path / "config", "roberta")
    model = Transformer(config=str(config), freeze_layers=2)
    changes = {"trainer": {"accelerator": "cpu", "precision": "bf16-mixed"}, "epochs": 1}

    _, expected = train(model, tmp_path / "plain", None, **changes)
    _, found = train(model, tmp_path / "kept", kept := Kept(tmp_path), **changes)

    assert kept.made[0].facts["precision"] == "bf16-mixed"
    assert found.train == pytest.approx(expected.train, abs=1e-3)


def test_a_resumed_training_ends_in_the_same_bytes(tmp_path: Path) -> None:
    """The outputs come from where the interrupted one had them."""
    config = write_config(tmp_path / "config", "bert")
    model = Transformer(config=str(config), freeze_layers=1)
    kept, run = Kept(tmp_path), tmp_path / "run"
    whole, _ = train(model, tmp_path / "whole", kept)

    with pytest.raises(KeyboardInterrupt):
        train(model, run, kept, stop_at=4)
    report, _ = train(model, run, kept, state=states.newest(run / states.FOLDER))

    assert len(kept.made) == 2
    files = [r.checkpoints["last"] / "model.safetensors" for r in (whole, report)]
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize(
    ("kind", "options", "changes", "why"),
    [
        (
            "bert",
            {},
            {"callbacks": {"x": Component(use="gradual-unfreezing")}},
            "GradualUnfreezing",
        ),
        (
            "bert",
            {},
            {"trainer": {"accelerator": "cpu", "precision": "64-true"}},
            "precision 64-true",
        ),
        ("convbert", {"head_ratio": 1, "embedding_size": 16}, {}, "a frozen convbert"),
    ],
    ids=["unfreezing", "precision", "architecture"],
)
def test_what_cannot_be_kept_is_computed_and_said(
    kind: str, options: Any, changes: Any, why: str, tmp_path: Path, heard: Any
) -> None:
    """Training goes on as usual."""
    CONFIGS.setdefault(kind, {})
    config = write_config(tmp_path / "config", kind, **options)
    model = Transformer(config=str(config), freeze_layers=1)
    kept = Kept(tmp_path)

    train(model, tmp_path / "run", kept, epochs=1, **changes)

    assert not kept.made
    (said,) = [e.text for e in heard if isinstance(e, events.Note) and "frozen layers" in e.text]
    assert why in said


@pytest.mark.parametrize(
    ("options", "changes"),
    [
        ({"freeze_layers": None}, {}),
        ({"frozen_dropout": True}, {}),
        ({}, {"cache_frozen": False}),
        ({}, {"compile": True}),
        ({}, {"max_steps": 2}),
        ({}, {"trainer": {"accelerator": "cpu", "fast_dev_run": 1}}),
    ],
    ids=["nothing frozen", "dropout", "not wanted", "compiled", "few steps", "one batch"],
)
def test_nothing_is_kept_where_it_is_not_wanted_or_does_not_pay(
    options: dict[str, Any], changes: dict[str, Any], tmp_path: Path
) -> None:
    """Such as a training that does not see all rows."""
    config = write_config(tmp_path / "config", "bert")
    model = Transformer(**({"config": str(config), "freeze_layers": 1} | options))
    kept, splits = Kept(tmp_path), make_splits(train=24, valid=4, test=4)
    _, network, encoded = settled(model, None, splits)
    spec = make_spec(**changes)

    found = frozen.plan(
        task=TextClassification(labels=LABELS), model=model, network=network, spec=spec,
        encoded=encoded, callbacks=[], derive=kept,
    )  # fmt: skip

    assert found is None or not found.settle(TRAINER, network, pays=frozen.pays(spec, 24))
    assert not kept.made


def test_a_task_that_needs_more_than_the_head_does_is_left_alone(
    tmp_path: Path, heard: Any
) -> None:
    """A few rows are tried before: what would give something else is computed as usual."""

    class Longer(TextClassification):
        def step(self, module: Any, batch: Any) -> Any:
            output = super().step(module, batch)
            width = batch["input_ids"].shape[1]
            return replace(output, scores=output.scores / width)

    config = write_config(tmp_path / "config", "bert")
    model = Transformer(config=str(config), freeze_layers="all")
    kept = Kept(tmp_path)
    task = Longer(labels=LABELS)
    _, network, encoded = settled(model, None, make_splits(train=8, valid=4, test=4))
    found = frozen.plan(
        task=task, model=model, network=network, spec=make_spec(), encoded=encoded, callbacks=[],
        derive=kept,
    )  # fmt: skip

    assert found is not None
    assert not found.settle(TRAINER, network, pays=True)
    assert any("gives something else" in e.text for e in heard if isinstance(e, events.Note))


def test_a_callback_that_lets_frozen_layers_learn_is_told_what_to_do(tmp_path: Path) -> None:
    """Their stored outputs would be those of other weights."""
    config = write_config(tmp_path, "bert")
    model = Transformer(config=str(config), freeze_layers=1)
    task, network, rows = settled(model, Kept(tmp_path), make_splits(train=8, valid=4, test=4))
    next(network.parameters()).requires_grad_(True)

    with pytest.raises(DataError, match="a callback lets layers learn") as caught:
        learn(task, network, rows)

    assert caught.value.key == "train.cache_frozen"
