"""Layer-wise learning rates: which layer each parameter belongs to, and the rate that follows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModelForSequenceClassification

from mlrecipe import events
from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.errors import DataError
from mlrecipe.recipe.schema import Component
from mlrecipe.training.optimization.depth import places, plain
from tests.training.test_fit import log_of, train
from tests.training.test_optimization import HEAD, names_of, optimization

_SMALL = {
    "vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 3, "num_attention_heads": 2,
    "intermediate_size": 16, "max_position_embeddings": 16,
}  # fmt: skip
_DEBERTA = {
    "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "norm_rel_ebd": "layer_norm",
    "conv_kernel_size": 3,
}  # fmt: skip
_ENDS = {
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2,
}  # fmt: skip
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "bert": {}, "roberta": {}, "xlm-roberta": {}, "mpnet": {}, "electra": {"embedding_size": 4},
    "deberta-v2": _DEBERTA, "modernbert": _ENDS,
    "distilbert": {"dim": 8, "n_layers": 3, "n_heads": 2, "hidden_dim": 16},
}  # fmt: skip


def network(kind: str) -> nn.Module:
    config = AutoConfig.for_model(kind, **{**_SMALL, **ARCHITECTURES.get(kind, {})})
    return AutoModelForSequenceClassification.from_config(config)


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_the_layers_of_every_known_architecture_are_told_apart(kind: str):
    """Each layer has its number, what lies below the first is embeddings, the rest is the head."""
    found = places(name for name, _ in network(kind).named_parameters())

    assert set(found.values()) == {
        ("head", 0), ("layer 3", 1), ("layer 2", 2), ("layer 1", 3), ("embeddings", 4),
    }  # fmt: skip
    heads = {name.split(".")[0] for name, (place, _) in found.items() if place == "head"}
    trunk = {"bert", "model"} & heads  # the pooler of BERT and the last normalization of ModernBERT
    assert heads - trunk <= {"classifier", "pre_classifier", "pooler", "head"}
    assert all(place == "embeddings" for name, (place, _) in found.items() if "embed" in name)


@pytest.mark.parametrize(
    ("kind", "name", "place"),
    [
        ("bert", "bert.pooler.dense.weight", "head"),
        ("modernbert", "model.final_norm.weight", "head"),
        ("mpnet", "mpnet.encoder.relative_attention_bias.weight", "embeddings"),
        ("deberta-v2", "deberta.encoder.rel_embeddings.weight", "embeddings"),
        ("deberta-v2", "deberta.encoder.LayerNorm.weight", "embeddings"),
        ("electra", "electra.embeddings_project.weight", "embeddings"),
    ],
)
def test_what_is_in_no_layer_goes_to_the_end_that_it_is_at(kind: str, name: str, place: str):
    """What all layers share learns like the lowest."""
    assert places(n for n, _ in network(kind).named_parameters())[name][0] == place


def test_names_that_wrappers_have_changed_are_told_apart_too():
    """As torch.compile, FSDP and LoRA have them."""
    names = [
        "_orig_mod.bert.encoder.layer.0.output.dense.weight",
        "base_model.model.bert.encoder.layer.1.attention.self.query.lora_A.default.weight",
        "bert.embeddings._fsdp_wrapped_module.LayerNorm.bias",
        "base_model.model.classifier.modules_to_save.default.weight",
    ]

    assert [place for place, _ in places(names).values()] == [
        "layer 1", "layer 2", "embeddings", "head",
    ]  # fmt: skip
    assert [plain(name) for name in names[2:]] == [
        "bert.embeddings.LayerNorm.bias", "classifier.weight",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Linear(2, 2), "cannot tell the layers of this network by its names; known: bert,"),
        (network("albert"), "the layers of ALBERT share their weights"),
    ],
)
def test_layers_that_cannot_be_told_apart_are_an_error(module: nn.Module, message: str):
    """Nothing is left at a rate that nobody asked for."""
    with pytest.raises(DataError) as caught:
        optimization(layer_decay=0.9).check(module)

    assert message in str(caught.value)
    assert caught.value.key == "train.layer_decay"


def test_layer_decay_without_a_layer_to_act_on_is_an_error(tiny: Path):
    """Every rate is set by name; one layer that is not is enough."""
    module = Transformer(config=str(tiny)).build(HEAD)

    with pytest.raises(DataError, match="all that learns has its rate") as caught:
        optimization(layer_decay=0.9, lr_by_name={"classifier.*": 1e-2, "*": 1e-3}).check(module)

    assert caught.value.key == "train.layer_decay"
    optimization(layer_decay=0.9, lr_by_name={"bert.*": 1e-3}).check(module)
    optimization(lr_by_name={"*": 1e-3}).check(module)


def test_training_30_the_groups_equal_the_formula_and_are_printed(tiny: Path):
    """lr * decay ** distance from the head, for parameters that decay and for those that do not."""
    module = Transformer(config=str(tiny)).build(HEAD)
    made = optimization(lr=1e-3, layer_decay=0.5, weight_decay=0.1)

    groups = made.make_optimizer(module).param_groups
    rates = {name: g["lr"] for g in groups for name in names_of(module, g)}

    expected = {"bert.embeddings": 1e-3 * 0.5**3, "bert.encoder.layer.0": 1e-3 * 0.5**2,
                "bert.encoder.layer.1": 1e-3 * 0.5, "bert.pooler": 1e-3, "classifier": 1e-3}  # fmt: skip
    assert len(rates) == len(dict(module.named_parameters()))
    for name, rate in rates.items():
        assert rate == pytest.approx(next(r for top, r in expected.items() if name.startswith(top)))
    assert [(g["name"], g["weight_decay"]) for g in groups[:4]] == [
        ("head", 0.1), ("head, no decay", 0.0), ("layer 2", 0.1), ("layer 2, no decay", 0.0),
    ]  # fmt: skip
    assert made.describe(module) == (
        "learning rates: head 0.001, layer 2 0.0005, layer 1 0.00025, embeddings 0.000125"
    )


def test_training_30_frozen_layers_have_no_group_and_change_no_rate(tiny: Path):
    """The distance of a layer to the head is that in the whole network, also where the top one is frozen."""
    module = Transformer(config=str(tiny)).build(HEAD)
    module.bert.embeddings.requires_grad_(False)
    module.bert.encoder.layer[1].requires_grad_(False)
    made = optimization(lr=1e-3, layer_decay=0.5)
    optimizer = made.make_optimizer(module)

    module(torch.tensor([[2, 7, 3]])).logits.sum().backward()
    optimizer.step()

    assert {g["name"].split(",")[0]: g["lr"] for g in optimizer.param_groups} == {
        "head": 1e-3, "layer 1": 2.5e-4,
    }  # fmt: skip
    learning = {id(p) for p in module.parameters() if p.requires_grad}
    assert set(map(id, optimizer.state)) == learning
    assert " parameters do not learn" in str(made.describe(module))


def test_the_optimizers_own_rate_is_where_layers_start_from_when_the_recipe_has_none(tiny: Path):
    """AdamW's is 0.001."""
    module = Transformer(config=str(tiny)).build(HEAD)

    head = optimization(layer_decay=0.5).make_optimizer(module).param_groups[0]

    assert (head["name"], head["lr"]) == ("head", 1e-3)


def test_a_training_prints_its_rates_once_and_logs_that_of_the_head(tiny: Path, run: Path):
    """A line when training starts; the log's rate is the recipe's own."""
    seen: list[events.Event] = []
    with events.listening(seen.append):
        train(
            tiny, run, layer_decay=0.5, lr_by_name={"*.pooler.*": 0.01},
            scheduler=Component(use="constant"),
        )  # fmt: skip

    notes = [e.text for e in seen if isinstance(e, events.Note) and "rates" in e.text]
    assert notes == [
        "learning rates: head 0.002, layer 2 0.001, layer 1 0.0005, embeddings 0.00025, *.pooler.* 0.01"
    ]
    logged = [float(row["learning_rate"]) for row in log_of(run) if row["learning_rate"]]
    assert logged == pytest.approx([0.002] * len(logged))
    assert logged


def test_a_mistake_in_the_rates_leaves_no_step_made(tiny: Path, run: Path):
    """It is found when the network is there, before training starts."""
    seen: list[events.Event] = []
    with (
        events.listening(seen.append),
        pytest.raises(DataError, match="did you mean 'classifier'"),
    ):
        train(tiny, run, lr_by_name={"clasifier.*": 0.01})

    assert not [e for e in seen if isinstance(e, events.StageStarted)]
