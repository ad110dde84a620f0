"""The built-in model's parts in training, test and checkpoints, and what is said against them before."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.code.catalog import Catalog
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Parts
from mlrecipe.recipe.layers import Layer, merge
from mlrecipe.recipe.schema import Component, TestSpec
from mlrecipe.training import adalora
from mlrecipe.training.rules import models as rules_models
from mlrecipe.training.test import test as run_test
from tests.builtin.models.networks import HEAD, learn
from tests.training.parts import Watch, stop_and_resume, train, weights, write_encoder
from tests.training.tiny import LABELS, make_splits, write_tiny

FAST = {"optimizer": Component(use="AdamW", params={"lr": 2e-2, "weight_decay": 0.01})}
LORA = {"method": "lora", "r": 4, "alpha": 8, "dropout": 0.1, "target_modules": ["query", "value"]}


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder of two layers; read only."""
    folder = write_tiny(tmp_path_factory.mktemp("checkpoint"))
    write_encoder(folder)
    return folder


@pytest.mark.parametrize("method", ["lora", "prefix-tuning"])
def test_experiment_15_adapters_are_trained_saved_and_tested(
    checkpoint: Path, tmp_path: Path, method: str
):
    """A test of either checkpoint on the validation split gives what validation gave."""
    pytest.importorskip("peft")
    peft = LORA if method == "lora" else {"method": method, "num_virtual_tokens": 4}
    model = Transformer(checkpoint=str(checkpoint), peft=peft)

    report = train(model, tmp_path / "run", epochs=2, **FAST)

    for name, folder in report.checkpoints.items():
        record = json.loads((folder / "checkpoint.json").read_text())
        tested = run_test(
            task=TextClassification(labels=LABELS), model=model, spec=TestSpec(split="valid"),
            data=make_splits(valid=10), checkpoint=folder, folder=tmp_path,
        )  # fmt: skip
        expected = record["metrics"]["valid/loss"]
        assert tested.metrics["test/loss"] == pytest.approx(expected, abs=1e-6), name
        assert any(file.startswith("adapter/") for file in record["sha256"])
    if method == "lora":
        AutoModelForSequenceClassification.from_pretrained(report.model_folder)
        AutoModelForSequenceClassification.from_pretrained(report.checkpoints["last"])


@pytest.mark.parametrize(
    "settings",
    [LORA, {"method": "adalora", "init_r": 6, "target_r": 2, "tinit": 1, "tfinal": 2}],
    ids=["lora", "adalora"],
)
def test_an_adapter_resumes_as_if_it_had_not_been_stopped(
    checkpoint: Path, tmp_path: Path, settings: dict[str, Any]
):
    """Its weights and, with AdaLoRA, the ranks that it has shared out are the same bytes."""
    pytest.importorskip("peft")
    model = Transformer(checkpoint=str(checkpoint), peft=settings)

    whole = train(model, tmp_path / "whole", epochs=2, **FAST)
    resumed = stop_and_resume(model, tmp_path / "stopped", step=4, epochs=2, **FAST)

    expected, found = weights(whole), weights(resumed)
    assert expected.keys() == found.keys()
    assert all(torch.equal(value, found[name]) for name, value in expected.items())


def test_adalora_comes_down_to_its_budget(checkpoint: Path, tmp_path: Path):
    """From rank 6 to 2 on average by the end; the schedule knows how many steps there are."""
    pytest.importorskip("peft")
    settings = {"method": "adalora", "init_r": 6, "target_r": 2, "tinit": 1, "tfinal": 2}
    model = Transformer(checkpoint=str(checkpoint), peft=settings)
    watch = Watch()
    watch.look = lambda _, module: sum(
        map(sum, (module.network.peft_config["default"].rank_pattern or {}).values())
    )

    report = train(model, tmp_path / "run", epochs=2, watch=watch, **FAST)

    matrices = 4
    ranks = [seen for seen in watch.seen if seen]  # none is given in the first steps
    assert ranks[0] > ranks[-1] == 2 * matrices
    assert sorted(ranks, reverse=True) == ranks
    kept = weights(report)
    assert sum(len(value) for name, value in kept.items() if "lora_E" in name) == 2 * matrices


def test_adalora_keeps_what_it_knows_of_each_rank(checkpoint: Path):
    """The state has every entry's importance, in tensors and plain values."""
    pytest.importorskip("peft")
    model = Transformer(checkpoint=str(checkpoint), peft={"method": "adalora"})
    networks = [model.build(HEAD) for _ in range(2)]
    [kept], [fresh] = (adalora.callbacks(network) for network in networks)
    learn(networks[0], steps=1)
    networks[0].mlrecipe_adapter.wrapper.base_model.update_and_allocate(1)

    fresh.load_state_dict(kept.state_dict())

    known = fresh.state_dict()["exp_avg_ipt"]
    assert len(known) == 12
    assert all(torch.equal(known[n], v) for n, v in kept.state_dict()["exp_avg_ipt"].items())
    assert any(value.any() for value in known.values())


def test_training_30_frozen_parameters_have_no_state_in_the_optimizer(
    checkpoint: Path, tmp_path: Path
):
    """Nor are they in one of its groups; what learns is in one, once."""
    watch = Watch()

    def look(trainer, module):
        optimizer = trainer.optimizers[0]
        grouped = [id(p) for group in optimizer.param_groups for p in group["params"]]
        named = {id(p): name for name, p in module.network.named_parameters()}
        return {named[i] for i in grouped}, {named[id(p)] for p in optimizer.state}, len(grouped)

    watch.look = look
    train(Transformer(checkpoint=str(checkpoint), freeze_layers=1), tmp_path / "run", watch=watch)

    groups, state, count = watch.seen[-1]
    assert groups == state
    assert len(groups) == count
    assert not any("embeddings" in name or "layer.0" in name for name in groups)
    assert {"classifier.bias", "bert.pooler.dense.weight"} <= groups


def test_frozen_parts_stay_in_evaluation_mode_through_a_training(checkpoint: Path, tmp_path: Path):
    """Lightning switches modes around each validation."""
    watch = Watch()
    watch.look = lambda _, module: [
        module.network.bert.embeddings.training,
        module.network.bert.encoder.layer[0].output.dropout.training,
        module.network.bert.encoder.layer[1].output.dropout.training,
    ]

    model = Transformer(checkpoint=str(checkpoint), freeze_layers=1)
    train(model, tmp_path / "run", epochs=2, watch=watch)

    assert watch.seen == [[False, False, True]] * 10


def found(**tables: Any) -> dict[str, str]:
    """Key and message of every problem of a recipe with these tables."""
    tree = merge([Layer(name="r.toml", values=tables)])
    return {problem.key: problem.message for problem in rules_models.problems(tree, Catalog())}


UNFREEZE = {"slow": {"use": "gradual-unfreezing"}}
MISTAKES = [
    ({"frozen_dropout": True}, "model.frozen_dropout", "does nothing unless"),
    ({"freeze_layers": -1}, "model.freeze_layers", "-1 is not at least 0"),
    ({"reinit_layers": 0}, "model.reinit_layers", "0 is not at least 1"),
    ({"dropout": 1.5}, "model.dropout", "1.5 is not between 0 and 1"),
    ({"dropout": {"hidden": -0.5}}, "model.dropout", "-0.5 is not between 0 and 1"),
    ({"freeze_layers": "all", "reinit_layers": 1}, "model.reinit_layers", "have to learn"),
    ({"peft": {"r": 8}}, "model.peft", "needs `method`"),
    ({"peft": LORA, "freeze_layers": 1}, "model.freeze_layers", "does not go with `peft`"),
    ({"peft": LORA, "freeze": ["*"]}, "model.freeze", "does not go with `peft`"),
    ({"peft": LORA, "reinit_layers": 1}, "model.reinit_layers", "does not go with `peft`"),
    ({"config": "x", "checkpoint": None, "peft": LORA}, "model.peft", "give the model a `checkpoint`"),
    ({"config": "x", "checkpoint": None, "new_head": True}, "model.new_head", "does nothing without"),
    ({"config": "x", "checkpoint": None, "reinit_layers": 1}, "model.reinit_layers", "does nothing"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "key", "message"), MISTAKES)
def test_a_model_that_contradicts_itself_is_refused(model: dict, key: str, message: str):
    """By the key that does nothing or cannot hold."""
    model = {name: v for name, v in {"checkpoint": "c", **model}.items() if v is not None}

    [(where, what)] = found(model={"use": "transformer", **model}).items()

    assert where == key
    assert message in what


@pytest.mark.parametrize(
    ("model", "train", "message"),
    [
        ({"freeze_layers": "all"}, {}, "no layer ever learns"),
        ({}, {"compile": True}, "does not go with `train.compile`"),
        ({}, {"trainer": {"strategy": "fsdp"}}, "shards what learns"),
    ],
)
def test_what_gradual_unfreezing_does_not_go_with(model: dict, train: dict, message: str):
    """It is found before training."""
    model = {"use": "transformer", "checkpoint": "c", **model}

    [(where, what)] = found(model=model, train={"callbacks": UNFREEZE, **train}).items()

    assert where == "train.callbacks.slow"
    assert message in what


@pytest.mark.parametrize("odd", [3, "x", [1], {"use": "transformer", "peft": 3, "dropout": "x"}])
def test_values_of_another_type_are_left_to_the_structure(odd: Any):
    """Rules look at plain values of any type."""
    assert found(model=odd, train=odd) == {}


def test_a_sound_model_has_no_problems():
    """Whatever is set, so long as it fits."""
    model = {"use": "transformer", "checkpoint": "c", "freeze_layers": 3, "frozen_dropout": True,
             "dropout": {"hidden": 0.1}, "reinit_layers": 2, "new_head": True}  # fmt: skip

    assert found(model=model, train={"callbacks": UNFREEZE}) == {}


def test_a_missing_library_is_told_before_anything_is_computed(monkeypatch: pytest.MonkeyPatch):
    """With the extra that brings it."""
    monkeypatch.setattr(rules_models, "find_spec", lambda name: None)
    tree = merge([Layer(name="r.toml", values={"model": {"use": "transformer", "peft": LORA}})])

    [problem] = rules_models.packages(tree)

    assert (problem.key, "pip install 'mlrecipe[peft]'" in problem.message) == ("model.peft", True)


def test_a_model_without_parts_cannot_unfreeze_gradually(checkpoint: Path, tmp_path: Path):
    """A model of one's own says what its layers are."""

    class Plain:
        def __init__(self) -> None:
            inner = Transformer(checkpoint=str(checkpoint))
            self.build, self.save, self.load = inner.build, inner.save, inner.load

    callbacks = {"slow": Component(use="gradual-unfreezing")}
    with pytest.raises(DataError, match="needs a model that knows its layers"):
        train(Plain(), tmp_path / "run", callbacks=callbacks)


def test_parts_are_what_the_interface_promises(checkpoint: Path):
    """Others lean on these fields."""
    model = Transformer(checkpoint=str(checkpoint))

    assert isinstance(
        model.parts(model.build(TextClassification(labels=LABELS).head(make_splits()))), Parts
    )


def test_what_adalora_knows_goes_where_the_network_is(checkpoint: Path):
    """A state is read on the CPU, whatever device the training goes on with."""
    pytest.importorskip("peft")
    model = Transformer(checkpoint=str(checkpoint), peft={"method": "adalora"})
    networks = [model.build(HEAD) for _ in range(2)]
    [kept], [fresh] = (adalora.callbacks(network) for network in networks)
    learn(networks[0], steps=1)
    networks[0].mlrecipe_adapter.wrapper.base_model.update_and_allocate(1)
    fresh.load_state_dict(kept.state_dict())
    networks[1].to("meta")

    fresh.on_train_start(SimpleNamespace(estimated_stepping_batches=10), None)

    known = fresh.state_dict()["exp_avg_ipt"].values()
    assert known
    assert all(value.device.type == "meta" for value in known)
