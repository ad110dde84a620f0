"""Adapters of PEFT in the built-in model."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import AutoModelForSequenceClassification, BertModel

from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.errors import DataError
from tests.builtin.models.networks import HEAD, learn, learning, logits

peft = pytest.importorskip("peft")

# PEFT asks transformers in a way that the newest one deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

LORA = {"method": "lora", "r": 4, "alpha": 8, "dropout": 0.1, "target_modules": ["query", "value"]}


def build(checkpoint: Path, **settings: Any) -> tuple[Transformer, nn.Module]:
    torch.manual_seed(0)
    model = Transformer(checkpoint=str(checkpoint), peft=settings)
    return model, model.build(HEAD)


def test_only_the_adapter_and_the_head_learn(checkpoint: Path):
    """With the settings of the recipe, whose short names stand for PEFT's."""
    network = build(checkpoint, **LORA)[1]

    assert all("lora_" in name or name.startswith("classifier.") for name in learning(network))
    layer = network.bert.encoder.layer[0].attention.self.query
    assert (layer.r["default"], layer.lora_alpha["default"]) == (4, 8)
    assert layer.lora_dropout["default"].p == 0.1
    assert not hasattr(network.bert.encoder.layer[0].attention.self.key, "lora_A")


def test_a_pooler_that_starts_at_random_learns_with_the_head(checkpoint: Path, tmp_path: Path):
    """Frozen, its random weights would stay."""
    BertModel.from_pretrained(checkpoint, add_pooling_layer=False).save_pretrained(tmp_path)
    for path in checkpoint.glob("token*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())

    network = build(tmp_path, **LORA)[1]

    assert any("pooler" in name for name in learning(network))
    assert not any("pooler" in name for name in learning(build(checkpoint, **LORA)[1]))


@pytest.mark.parametrize("method", ["lora", "adalora", "ia3", "loha", "vera"])
def test_a_mergeable_adapter_is_saved_merged_and_beside(
    checkpoint: Path, tmp_path: Path, method: str
):
    """Plain `from_pretrained` and PEFT's own way give what was learnt; the network is not changed."""
    model, network = build(checkpoint, method=method)
    learn(network)
    learnt, weights = logits(network), copy.deepcopy(network.state_dict())
    modes = [part.training for part in network.train().modules()]

    model.save(network, tmp_path)

    assert modes == [part.training for part in network.modules()]
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    base = Transformer(checkpoint=str(checkpoint)).build(HEAD)
    beside = peft.PeftModel.from_pretrained(copy.deepcopy(base), tmp_path / "adapter")
    for loaded in (plain, beside, model.load(tmp_path)):
        assert torch.allclose(logits(loaded), learnt, atol=1e-6)
    assert not torch.allclose(logits(base), learnt, atol=1e-3)
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(checkpoint)
    assert plain.config.id2label == {0: "negative", 1: "positive"}


@pytest.mark.parametrize("method", ["prefix-tuning", "prompt-tuning", "p-tuning"])
def test_what_cannot_be_merged_is_saved_beside_its_base(
    checkpoint: Path, tmp_path: Path, method: str
):
    """Nothing in the folder itself can be taken for the whole model."""
    model, network = build(checkpoint, method=method, num_virtual_tokens=3)
    learn(network)
    learnt = logits(network)

    model.save(network, tmp_path)

    assert torch.equal(logits(model.load(tmp_path)), learnt)
    assert not (tmp_path / "config.json").exists()
    base = AutoModelForSequenceClassification.from_pretrained(tmp_path / "base")
    start = Transformer(checkpoint=str(checkpoint))
    torch.manual_seed(0)
    assert torch.equal(logits(base), logits(start.build(HEAD)))


def test_an_adapter_that_does_not_merge_right_is_saved_beside_its_base(
    checkpoint: Path, tmp_path: Path
):
    """PEFT's ln-tuning forgets the head when it merges."""
    model, network = build(checkpoint, method="ln-tuning", target_modules=["LayerNorm"])
    learn(network)

    model.save(network, tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["adapter", "base"]
    assert torch.equal(logits(model.load(tmp_path)), logits(network))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "lorra"}, "no method 'lorra'.*did you mean 'lora'"),
        ({"method": "lora", "rr": 3}, "no setting 'rr'"),
        ({"method": "lora", "target_modules": ["nothing"]}, "PEFT refuses.*linear layers of it"),
        ({"method": "poly"}, "PEFT refuses: task_ids"),
        ({"method": "cpt"}, "PEFT refuses"),
        ({"method": "trainable-tokens"}, "does not let a new head learn"),
    ],
)
def test_what_peft_cannot_do_is_an_error_before_training(
    checkpoint: Path, settings: dict[str, Any], message: str
):
    """It blames the table."""
    with pytest.raises(DataError, match=message) as caught:
        build(checkpoint, **settings)

    assert caught.value.key == "peft"


def test_without_the_library_the_error_names_the_extra(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
):
    """It is not one of the packages that everybody installs."""
    monkeypatch.setitem(sys.modules, "peft", None)

    with pytest.raises(DataError, match=r"pip install 'mlrecipe\[peft\]'"):
        build(checkpoint, **LORA)


def test_a_network_with_an_adapter_is_never_fixed(checkpoint: Path):
    """Though its own weights do not learn, outputs of its layers change."""
    for settings in (LORA, {"method": "prefix-tuning"}):
        model, network = build(checkpoint, **settings)

        parts = model.parts(network)

        assert parts.fixed is None
        assert len(parts.layers) == 2
