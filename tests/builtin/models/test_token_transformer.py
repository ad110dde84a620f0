"""Networks of Hugging Face that tag words: built, saved, loaded, with transitions and without."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForTokenClassification, BertConfig, BertForSequenceClassification

from mlrecipe import events
from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Head
from mlrecipe.training.optimization.depth import places
from tests.builtin.models.networks import IDS, learning, logits

TAGS = ("O", "B-PER", "I-PER")
HEAD = Head(problem_type="token_classification", labels=TAGS, scheme="IOB2", decoding="argmax")
CHAIN = Head(problem_type="token_classification", labels=TAGS, scheme="IOB2", decoding="crf")
JOINT = Head(
    problem_type="intent_and_slots", decoding="crf", scheme="IOB2",
    labels=("intent=ask", "intent=tell", "slots=O", "slots=B-x", "slots=I-x"),
    outputs={"intent": ("ask", "tell"), "slots": ("O", "B-x", "I-x")},
)  # fmt: skip


def build(checkpoint: Path, head: Head = HEAD, **params: Any) -> Any:
    torch.manual_seed(0)
    return Transformer(checkpoint=str(checkpoint), **params).build(head)


def learnt(network: Any) -> Any:
    """The network with other weights than it began with."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return network


@pytest.fixture
def saved(checkpoint: Path, tmp_path: Path) -> Path:
    """A checkpoint with a head for `TAGS` and their transitions."""
    folder = tmp_path / "saved"
    folder.mkdir()
    model = Transformer(checkpoint=str(checkpoint))
    model.save(learnt(build(checkpoint, CHAIN)), folder)
    return folder


def test_a_saved_folder_loads_with_plain_transformers(checkpoint: Path, tmp_path: Path):
    """Labels included; there are logits for each token."""
    network = learnt(build(checkpoint))
    Transformer(checkpoint=str(checkpoint)).save(network, tmp_path)

    loaded = AutoModelForTokenClassification.from_pretrained(tmp_path)

    assert torch.equal(logits(loaded), logits(network))
    assert logits(network).shape == (*IDS.shape, 3)
    assert loaded.config.id2label == dict(enumerate(TAGS))
    assert loaded.config.problem_type is None


def test_transitions_are_saved_and_loaded(saved: Path):
    """In the file with the other weights; plain transformers still loads encoder and classifier."""
    network = Transformer(checkpoint=str(saved)).load(saved)

    assert network.crf.transitions.abs().sum() > 0
    plain = AutoModelForTokenClassification.from_pretrained(saved)
    assert torch.equal(logits(plain), logits(network))
    again = saved.parent / "again"
    again.mkdir()
    Transformer(checkpoint=str(saved)).save(network, again)
    for name in ("model.safetensors", "config.json"):
        assert (again / name).read_bytes() == (saved / name).read_bytes()


def test_transitions_that_are_missing_are_one_clear_error(saved: Path):
    """The folder says that there are some."""
    from safetensors.torch import load_file, save_file

    weights = load_file(saved / "model.safetensors")
    kept = {name: value for name, value in weights.items() if not name.startswith("crf.")}
    save_file(kept, saved / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(DataError, match="does not hold the transitions"):
        Transformer(checkpoint=str(saved)).load(saved)


def test_tags_go_by_name_to_the_outputs_and_transitions_of_the_checkpoint(saved: Path):
    """Whatever their order in the task."""
    order = [1, 2, 0]
    turned = Head(
        problem_type="token_classification", labels=tuple(TAGS[i] for i in order), scheme="IOB2",
        decoding="crf",
    )  # fmt: skip
    before = Transformer(checkpoint=str(saved)).load(saved)

    network = build(saved, turned)

    assert torch.allclose(logits(network), logits(before)[..., order], atol=1e-5)
    assert torch.equal(network.crf.transitions, before.crf.transitions[order][:, order])
    assert torch.equal(network.crf.start, before.crf.start[order])


def test_intent_and_slots_have_their_outputs_side_by_side(checkpoint: Path, tmp_path: Path):
    """Transitions are between slots alone; they find their slots in another order, too."""
    network = learnt(build(checkpoint, JOINT))
    Transformer(checkpoint=str(checkpoint)).save(network, tmp_path)
    turned = Head(
        problem_type="intent_and_slots", decoding="crf", scheme="IOB2",
        labels=("intent=tell", "intent=ask", "slots=I-x", "slots=O", "slots=B-x"),
        outputs={"intent": ("tell", "ask"), "slots": ("I-x", "O", "B-x")},
    )  # fmt: skip

    again = build(tmp_path, turned)

    assert logits(network).shape == (*IDS.shape, 5)
    assert network.crf.transitions.shape == (3, 3)
    assert torch.allclose(logits(again), logits(network)[..., [1, 0, 4, 2, 3]], atol=1e-5)
    assert torch.equal(again.crf.start, network.crf.start[[2, 0, 1]])


def test_a_head_for_other_tags_is_an_error(saved: Path):
    """`new_head` learns a new one, transitions too."""
    other = Head(problem_type="token_classification", labels=("O", "X", "Y"), decoding="crf")

    with pytest.raises(DataError, match="new_head = true"):
        build(saved, other)

    network = build(saved, other, new_head=True)
    assert not network.crf.transitions.any()


def test_transitions_that_the_task_does_not_want_are_dropped_in_a_word(saved: Path):
    """The rest of the head stays."""
    told: list[Any] = []
    with events.listening(told.append):
        network = build(saved)

    assert not hasattr(network, "crf")
    assert torch.equal(logits(network), logits(Transformer(checkpoint=str(saved)).load(saved)))
    assert any("transitions" in event.text for event in told)


def test_a_head_for_texts_is_not_taken_for_one_of_words(checkpoint: Path, tmp_path: Path):
    """Though its weights have the same names and shapes; and the other way round."""
    config = BertConfig.from_pretrained(checkpoint, num_labels=3)
    theirs = BertForSequenceClassification(config)
    theirs.save_pretrained(tmp_path)
    for path in checkpoint.glob("token*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())

    network = build(tmp_path)

    assert not torch.equal(network.classifier.weight, theirs.classifier.weight)
    word = "bert.embeddings.word_embeddings.weight"
    assert torch.equal(network.state_dict()[word], theirs.state_dict()[word])


def test_a_tagger_gives_its_encoder_to_a_task_on_texts(saved: Path, tmp_path: Path):
    """Its head and what it says of words is gone."""
    head = Head(problem_type="single_label_classification", labels=("a", "b", "c"))
    folder = tmp_path / "texts"
    folder.mkdir()

    network = build(saved, head)
    Transformer(checkpoint=str(saved)).save(network, folder)

    assert logits(network).shape == (2, 3)
    assert not hasattr(network, "crf")
    assert "mlrecipe_head" not in json.loads((folder / "config.json").read_text())


def test_frozen_layers_leave_head_and_transitions_to_learn(checkpoint: Path):
    """Layers, their decay and fresh top layers go on as for texts."""
    network = build(checkpoint, CHAIN, freeze_layers="all")

    crf = {"crf.transitions", "crf.start", "crf.end"}
    assert learning(network) == crf | {"classifier.weight", "classifier.bias"}
    found = places(name for name, _ in network.named_parameters())
    assert {found[name] for name in crf} == {("head", 0)}
    before = network.bert.encoder.layer[1].output.dense.weight
    fresh = build(checkpoint, CHAIN, reinit_layers=1).bert.encoder.layer[1].output.dense.weight
    assert not torch.equal(before, fresh)


def test_a_frozen_encoder_keeps_the_vector_of_each_token(checkpoint: Path):
    """For texts one vector of a row is enough, for words it is not."""
    model = Transformer(checkpoint=str(checkpoint), freeze_layers="all")
    network = model.build(HEAD).eval()
    trunk = model.trunk(network)
    batch = {"input_ids": IDS, "attention_mask": torch.ones_like(IDS)}

    states = trunk.record(batch, lambda: network(**batch))

    assert not trunk.is_pooled
    assert states.shape == (*IDS.shape, 32)
    with torch.no_grad():
        again = trunk.replay(states, lambda: network(**batch).logits)
    assert torch.equal(again, logits(network))


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
def test_an_adapter_learns_beside_head_and_transitions(checkpoint: Path, tmp_path: Path):
    """Saved merged: it loads as any other."""
    pytest.importorskip("peft")
    model = Transformer(checkpoint=str(checkpoint), peft={"method": "lora", "r": 2})
    network = learnt(model.build(CHAIN))

    model.save(network, tmp_path)

    loaded = model.load(tmp_path)
    assert any("crf" in name for name in learning(network))
    assert torch.allclose(logits(loaded), logits(network), atol=1e-5)
    assert torch.equal(loaded.crf.transitions, network.crf.transitions)
    assert loaded.crf.transitions.any()
    plain = AutoModelForTokenClassification.from_pretrained(tmp_path)
    assert torch.equal(logits(plain), logits(loaded))


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
def test_an_adapter_that_cannot_be_merged_keeps_transitions(checkpoint: Path, tmp_path: Path):
    """They lie with the adapter, beside its base."""
    pytest.importorskip("peft")
    peft = {"method": "prefix-tuning", "num_virtual_tokens": 3}
    model = Transformer(checkpoint=str(checkpoint), peft=peft)
    network = learnt(model.build(CHAIN))

    model.save(network, tmp_path)

    loaded = model.load(tmp_path)
    assert torch.equal(logits(loaded), logits(network))
    assert torch.equal(
        loaded.get_base_model().crf.transitions, network.get_base_model().crf.transitions
    )
    assert network.get_base_model().crf.transitions.any()


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
@pytest.mark.parametrize("method", ["prompt-tuning", "p-tuning"])
def test_an_adapter_that_moves_places_is_an_error(checkpoint: Path, method: str):
    """Words would be read at others' places."""
    pytest.importorskip("peft")

    with pytest.raises(DataError, match="puts tokens before each text") as caught:
        build(checkpoint, peft={"method": method, "num_virtual_tokens": 3})

    assert caught.value.key == "peft"


def test_two_builds_with_one_seed_are_equal(checkpoint: Path):
    """Transitions and head included."""
    first, again = (copy.deepcopy(build(checkpoint, CHAIN).state_dict()) for _ in range(2))

    assert all(torch.equal(value, again[name]) for name, value in first.items())
