"""What of a network learns, and what stays as it is."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModelForSequenceClassification, BertModel

from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.errors import DataError
from tests.builtin.models.networks import HEAD, IDS, learn, learning

LAYER = "bert.encoder.layer"


def build(checkpoint: Path, **params: Any) -> nn.Module:
    torch.manual_seed(0)
    return Transformer(checkpoint=str(checkpoint), **params).build(HEAD)


def test_the_lowest_layers_and_all_below_them_are_frozen(checkpoint: Path):
    """The second layer, the pooler and the head learn; nothing of the rest moves."""
    network = build(checkpoint, freeze_layers=1)
    before = copy.deepcopy(network.state_dict())

    learn(network)

    moved = {n for n, v in network.state_dict().items() if not torch.equal(v, before[n])}
    parts = {name.rsplit(".", 2)[0] if LAYER not in name else name[:20] for name in moved}
    assert parts == {f"{LAYER}.1", "bert.pooler", "classifier"}
    assert moved <= learning(network)


def test_all_freezes_the_encoder_but_what_starts_at_random(checkpoint: Path, tmp_path: Path):
    """A pooler that the checkpoint has is frozen with the rest; a new one has to learn."""
    BertModel.from_pretrained(checkpoint, add_pooling_layer=False).save_pretrained(tmp_path)
    for path in checkpoint.glob("token*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    head = {"classifier.weight", "classifier.bias"}

    assert learning(build(checkpoint, freeze_layers="all")) == head
    assert learning(build(tmp_path, freeze_layers="all")) == head | {
        "bert.pooler.dense.weight", "bert.pooler.dense.bias",
    }  # fmt: skip


def test_patterns_freeze_by_name(checkpoint: Path):
    """Globs fit whole names; what they leave learns."""
    everything = learning(build(checkpoint))

    free = learning(build(checkpoint, freeze=["*.LayerNorm.*", "bert.embeddings.word*"]))

    frozen = everything - free
    assert frozen == {n for n in everything if "LayerNorm" in n or "word_embeddings" in n}


@pytest.mark.parametrize(
    ("params", "key", "message"),
    [
        ({"freeze": ["bert.embedding.*"]}, "freeze", r"bert\.embedding\.\*"),
        ({"freeze": ["*"]}, "freeze", "nothing is left to learn"),
        ({"freeze_layers": 3}, "freeze_layers", "not between 0 and the 2 layers"),
        ({"reinit_layers": 3}, "reinit_layers", "more than the 2 layers"),
    ],
)
def test_what_cannot_be_frozen_is_one_clear_error(checkpoint, params, key, message):
    """It names the parameter at fault."""
    with pytest.raises(DataError, match=message) as caught:
        build(checkpoint, **params)

    assert caught.value.key == key


def outputs(network: nn.Module, layer: int) -> torch.Tensor:
    """What a layer puts out in training."""
    seen = []
    hook = network.bert.encoder.layer[layer].register_forward_hook(
        lambda _, inputs, output: seen.append(output[0] if isinstance(output, tuple) else output)
    )
    network(input_ids=IDS)
    hook.remove()
    return seen[0]


def test_frozen_parts_do_not_drop_out_in_training(checkpoint: Path):
    """Whoever asks for training; layers that learn drop out as ever, and a copy does the same."""
    made = build(checkpoint, freeze_layers=1)

    for network in (made, copy.deepcopy(made)):
        network.train()
        network.bert.train()
        network.bert.encoder.layer[0].train()

        assert torch.equal(outputs(network, 0), outputs(network, 0))
        assert not torch.equal(outputs(network, 1), outputs(network, 1))
        assert not network.bert.embeddings.training


def test_frozen_dropout_keeps_dropout_on(checkpoint: Path):
    """Then the lowest layer's outputs differ from pass to pass."""
    network = build(checkpoint, freeze_layers=1, frozen_dropout=True).train()

    assert not torch.equal(outputs(network, 0), outputs(network, 0))
    assert not any("layer.0" in name for name in learning(network))


@pytest.mark.parametrize(
    ("params", "fixed"),
    [
        ({}, None),
        ({"freeze_layers": 0}, 0),
        ({"freeze_layers": 1}, 1),
        ({"freeze_layers": "all"}, 2),
        ({"freeze_layers": 1, "frozen_dropout": True}, None),
        ({"freeze": ["bert.encoder.layer.0.*"]}, None),
        ({"freeze": ["bert.embeddings.*", "bert.encoder.layer.0.*"]}, 1),
        ({"freeze": ["bert.embeddings.*", "bert.encoder.layer.1.*"]}, 0),
    ],
)
def test_a_model_knows_how_far_up_nothing_changes(
    checkpoint: Path, params: dict, fixed: int | None
):
    """Whichever way it was frozen; with dropout on, nothing is fixed."""
    model = Transformer(checkpoint=str(checkpoint), **params)
    network = model.build(HEAD)

    parts = model.parts(network)

    assert parts.fixed == fixed
    assert parts.encoder is network.bert
    assert parts.embeddings is network.bert.embeddings
    assert parts.layers == tuple(network.bert.encoder.layer)
    assert {id(p) for p in parts.below} == {id(p) for p in network.bert.embeddings.parameters()}


SMALL = {
    "vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2,
    "intermediate_size": 16, "max_position_embeddings": 20, "num_labels": 2,
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("roberta", {}),
        ("distilbert", {"dim": 16, "n_layers": 3, "n_heads": 2, "hidden_dim": 16}),
        ("electra", {"embedding_size": 8}),
        ("deberta-v2", {"relative_attention": True, "position_buckets": 4}),
        ("mpnet", {}),
        ("modernbert", {"pad_token_id": 0, "global_attn_every_n_layers": 2}),
    ],
)
def test_other_architectures_have_their_layers_found(kind: str, settings: dict, tmp_path: Path):
    """With two of three frozen, the top layer and what is above learn; all below is fixed."""
    names = {"vocab_size", "max_position_embeddings"} if kind == "distilbert" else set(SMALL)
    config = AutoConfig.for_model(kind, **{n: SMALL[n] for n in names}, **settings)
    AutoModelForSequenceClassification.from_config(config).save_pretrained(tmp_path)
    model = Transformer(config=str(tmp_path), freeze_layers=2)

    network = model.build(HEAD)

    parts = model.parts(network)
    assert len(parts.layers) == 3
    assert parts.fixed == 2
    assert learning(parts.layers[2]) == {name for name, _ in parts.layers[2].named_parameters()}
    assert not any(learning(layer) for layer in parts.layers[:2])
    assert not any(parameter.requires_grad for parameter in parts.below)
    above = {"classifier", "head", "pre_classifier", "pooler", "bert.pooler", "model.final_norm"}
    rest = {n for n in learning(network) if ".layer" not in n and "layers" not in n}
    assert rest
    assert all(any(part in name for part in above) for name in rest), rest


def test_shared_layers_cannot_be_frozen_one_by_one(tmp_path: Path):
    """ALBERT goes through one layer many times."""
    config = AutoConfig.for_model("albert", embedding_size=8, **SMALL)
    config.save_pretrained(tmp_path)

    with pytest.raises(DataError, match="shares its layers"):
        Transformer(config=str(tmp_path), freeze_layers=1).build(HEAD)


def test_top_layers_and_the_pooler_start_anew(checkpoint: Path):
    """As configured: normal weights, biases zero, normalizations one; what is below is untouched."""
    plain, network = build(checkpoint), build(checkpoint, reinit_layers=1)

    changed = {
        name.removeprefix("bert.").rsplit(".", 1)[0]
        for name, value in network.state_dict().items()
        if not torch.equal(value, plain.state_dict()[name]) and "classifier" not in name
    }
    dense = network.bert.encoder.layer[1].intermediate.dense
    assert {name.split(".")[0] for name in changed} == {"encoder", "pooler"}
    assert not any("layer.0" in name for name in changed)
    assert dense.weight.std().item() == pytest.approx(plain.config.initializer_range, rel=0.1)
    assert not dense.bias.any()


def test_layers_that_start_anew_learn_though_they_are_among_the_lowest(checkpoint: Path):
    """Of two layers the upper starts at random: frozen it would stay so."""
    network = build(checkpoint, freeze_layers=2, reinit_layers=1)

    free = learning(network)
    assert any(name.startswith(f"{LAYER}.1.") for name in free)
    assert not any(name.startswith((f"{LAYER}.0.", "bert.embeddings.")) for name in free)
