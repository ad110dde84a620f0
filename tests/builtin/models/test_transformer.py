"""Networks of Hugging Face: built, saved, loaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertModel,
    pipeline,
)

from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Head
from tests.training.tiny import write_tiny

HEAD = Head(problem_type="single_label_classification", labels=("negative", "positive"))
NUMBER = Head(problem_type="regression", labels=("score",))
SEVERAL = Head(
    problem_type="multi_output_classification",
    labels=("intent=ask", "intent=tell", "topic=a", "topic=b"),
    outputs={"intent": ("ask", "tell"), "topic": ("a", "b")},
)
THREE = Head(problem_type="single_label_classification", labels=("a", "b", "c"))


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return write_tiny(tmp_path / "tiny")


@pytest.fixture
def encoder(tiny: Path) -> Path:
    """A checkpoint of an encoder without a head."""
    torch.manual_seed(0)
    BertModel(BertConfig.from_pretrained(tiny)).save_pretrained(tiny)
    return tiny


@pytest.fixture
def classifier(tiny: Path, tmp_path: Path) -> Path:
    """A checkpoint with a head for `HEAD`."""
    torch.manual_seed(0)
    model = Transformer(config=str(tiny))
    built = model.build(HEAD)
    torch.nn.init.normal_(built.classifier.bias)  # as training would leave it
    model.save(built, tmp_path / "classifier")
    return tmp_path / "classifier"


def save(model: Transformer, folder: Path, head: Head = HEAD) -> Path:
    folder.mkdir()
    model.save(model.build(head), folder)
    return folder


def logits(network: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return network.eval()(torch.tensor([[2, 5, 9, 3], [2, 8, 8, 3]])).logits


def test_a_saved_folder_serves_alone(encoder: Path, tmp_path: Path):
    """It loads with plain `from_pretrained` and in a pipeline, labels and tokenizer included."""
    model = Transformer(checkpoint=str(encoder))
    built = model.build(HEAD)
    folder = tmp_path / "saved"
    folder.mkdir()

    model.save(built, folder)

    loaded = AutoModelForSequenceClassification.from_pretrained(folder)
    assert torch.equal(logits(loaded), logits(built))
    assert loaded.config.id2label == {0: "negative", 1: "positive"}
    assert AutoTokenizer.from_pretrained(folder)("good bad")["input_ids"] == [2, 5, 8, 3]
    assert pipeline("text-classification", str(folder))("good")[0]["label"] in HEAD.labels
    assert (folder / "model.safetensors").is_file()
    assert not list(folder.glob("*.bin"))


def test_what_was_saved_is_what_loads(encoder: Path, tmp_path: Path):
    """`load` gives back the same weights."""
    model = Transformer(checkpoint=str(encoder))
    built = model.build(HEAD)
    model.save(built, tmp_path / "saved")

    loaded = model.load(tmp_path / "saved")

    assert torch.equal(logits(loaded), logits(built))


def test_an_encoder_gets_a_new_head_on_its_own_weights(encoder: Path):
    """The encoder's weights are those of the checkpoint; the head is as wide as the task."""
    built = Transformer(checkpoint=str(encoder)).build(THREE)

    kept = BertModel.from_pretrained(encoder).state_dict()
    assert all(torch.equal(kept[name], value) for name, value in built.bert.state_dict().items())
    assert logits(built).shape == (2, 3)


def test_a_configuration_gives_random_weights_that_follow_the_seed(tiny: Path):
    """Equal seeds give equal networks, other seeds others."""
    networks = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        networks.append(logits(Transformer(config=str(tiny / "config.json")).build(HEAD)))

    assert torch.equal(networks[0], networks[1])
    assert not torch.equal(networks[0], networks[2])


def test_glue_23_labels_go_by_name_to_the_outputs_of_the_checkpoint(classifier: Path):
    """Each label keeps the output that was trained for it, whatever its case."""
    turned = Head(problem_type=HEAD.problem_type, labels=("Positive", "Negative"))

    built = Transformer(checkpoint=str(classifier)).build(turned)

    before = logits(AutoModelForSequenceClassification.from_pretrained(classifier))
    assert torch.equal(logits(built), before[:, [1, 0]])
    assert built.config.label2id == {"Positive": 0, "Negative": 1}


def test_glue_23_names_of_labels_are_saved(classifier: Path, tmp_path: Path):
    """In the task's order, both ways, whatever the checkpoint's was."""
    turned = Head(problem_type=HEAD.problem_type, labels=("positive", "negative"))

    folder = save(Transformer(checkpoint=str(classifier)), tmp_path / "saved", turned)

    config = json.loads((folder / "config.json").read_text())
    assert config["id2label"] == {"0": "positive", "1": "negative"}
    assert config["label2id"] == {"positive": 0, "negative": 1}


@pytest.mark.parametrize("count", [1, 2, 3])
def test_glue_22_the_head_is_as_wide_as_the_task(encoder: Path, count: int):
    """Three labels for MNLI, one number for STS-B."""
    kind = "regression" if count == 1 else HEAD.problem_type
    head = Head(problem_type=kind, labels=("entailment", "neutral", "contradiction")[:count])

    built = Transformer(checkpoint=str(encoder)).build(head)

    assert logits(built).shape == (2, count)
    assert built.config.num_labels == count
    assert built.config.problem_type == kind


def test_a_head_without_names_goes_by_position(classifier: Path):
    """`LABEL_0` says nothing, so the order is taken as it is."""
    config = json.loads((classifier / "config.json").read_text())
    config["id2label"] = {"0": "LABEL_0", "1": "LABEL_1"}
    config["label2id"] = {"LABEL_0": 0, "LABEL_1": 1}
    (classifier / "config.json").write_text(json.dumps(config))
    before = logits(AutoModelForSequenceClassification.from_pretrained(classifier))

    built = Transformer(checkpoint=str(classifier)).build(HEAD)

    assert torch.equal(logits(built), before)
    assert built.config.id2label == {0: "negative", 1: "positive"}


@pytest.mark.parametrize("labels", [("a", "b", "c"), ("good", "bad")])
def test_glue_22_a_head_for_other_labels_is_an_error(classifier: Path, labels: tuple[str, ...]):
    """The message has both lists of labels and what to set."""
    head = Head(problem_type=HEAD.problem_type, labels=labels)

    with pytest.raises(DataError, match="new_head = true") as caught:
        Transformer(checkpoint=str(classifier)).build(head)

    assert "['negative', 'positive']" in str(caught.value)
    assert caught.value.key == "new_head"


def test_glue_22_a_head_for_labels_is_none_for_a_number(classifier: Path):
    """The message says what the task wants in place of two labels."""
    with pytest.raises(DataError, match="the task has one output, the number 'score'") as caught:
        Transformer(checkpoint=str(classifier)).build(NUMBER)

    assert caught.value.key == "new_head"


def test_glue_22_a_head_for_a_number_goes_by_position(encoder: Path, tmp_path: Path):
    """Its one output is what the task wants, whatever the column is called; to labels it is no use."""
    saved = save(Transformer(checkpoint=str(encoder)), tmp_path / "number", NUMBER)
    before = logits(AutoModelForSequenceClassification.from_pretrained(saved))
    other = Head(problem_type="regression", labels=("similarity",))

    built = Transformer(checkpoint=str(saved)).build(other)

    assert torch.equal(logits(built), before)
    assert (built.config.id2label, built.config.problem_type) == ({0: "similarity"}, "regression")
    with pytest.raises(DataError, match="is for the one output 'score'"):
        Transformer(checkpoint=str(saved)).build(HEAD)


def test_glue_23_the_outputs_of_several_columns_go_by_name(encoder: Path, tmp_path: Path):
    """Columns and labels may come in another order; the library is told of no problem type."""
    saved = save(Transformer(checkpoint=str(encoder)), tmp_path / "several", SEVERAL)
    before = logits(AutoModelForSequenceClassification.from_pretrained(saved))
    turned = Head(
        problem_type=SEVERAL.problem_type, labels=SEVERAL.labels[2:] + SEVERAL.labels[:2],
        outputs={"topic": ("a", "b"), "intent": ("ask", "tell")},
    )  # fmt: skip

    built = Transformer(checkpoint=str(saved)).build(turned)

    assert torch.equal(logits(built), before[:, [2, 3, 0, 1]])
    assert built.config.problem_type is None


@pytest.mark.parametrize("labels", [("a", "b", "c"), ("good", "bad"), ("negative", "positive")])
def test_glue_22_a_new_head_drops_the_one_of_the_checkpoint(
    classifier: Path, labels: tuple[str, ...]
):
    """The encoder stays, the head's weights are others."""
    head = Head(problem_type=HEAD.problem_type, labels=labels)
    before = AutoModelForSequenceClassification.from_pretrained(classifier)

    built = Transformer(checkpoint=str(classifier), new_head=True).build(head)

    word = "bert.embeddings.word_embeddings.weight"
    assert torch.equal(built.state_dict()[word], before.state_dict()[word])
    assert built.classifier.weight.shape == (len(labels), 32)
    assert not torch.equal(built.classifier.weight[:2], before.classifier.weight)


def test_a_checkpoint_in_half_precision_trains_in_single(encoder: Path):
    """The weights' own type is that of a download, not of a training."""
    BertModel.from_pretrained(encoder).half().save_pretrained(encoder)

    built = Transformer(checkpoint=str(encoder)).build(HEAD)

    assert {parameter.dtype for parameter in built.parameters()} == {torch.float32}


def test_dropout_may_differ_by_part(tiny: Path):
    """Each part named has its own, the others that of the configuration."""
    built = Transformer(config=str(tiny), dropout={"attention": 0.0, "classifier": 0.4}).build(HEAD)

    assert built.dropout.p == 0.4
    assert built.bert.encoder.layer[0].attention.self.dropout.p == 0.0
    assert built.bert.encoder.layer[0].output.dropout.p == 0.1


def test_attention_is_computed_as_asked(encoder: Path, tmp_path: Path):
    """The ways agree; what is loaded for a test computes it in the same way."""
    built = {
        name: Transformer(checkpoint=str(encoder), attn_implementation=name)
        for name in ("eager", "sdpa")
    }
    networks = {}
    for name, model in built.items():
        torch.manual_seed(0)
        networks[name] = model.build(HEAD)

    assert networks["eager"].config._attn_implementation == "eager"
    assert torch.allclose(logits(networks["eager"]), logits(networks["sdpa"]), atol=1e-6)
    built["eager"].save(networks["eager"], tmp_path / "saved")
    assert built["eager"].load(tmp_path / "saved").config._attn_implementation == "eager"


def test_gradient_checkpointing_gives_the_same_gradients(
    encoder: Path, capfd: pytest.CaptureFixture[str]
):
    """Dropout included; layers are run twice, and nothing is printed."""
    gradients = []
    calls = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        model = Transformer(checkpoint=str(encoder), gradient_checkpointing=checkpointing)
        built = model.build(HEAD).train()
        first = built.bert.encoder.layer[0].attention
        first.register_forward_hook(lambda *_, on=checkpointing: calls.append(on))
        torch.manual_seed(1)
        built(torch.tensor([[2, 5, 9, 3], [2, 8, 8, 3]])).logits[:, 0].sum().backward()
        gradients.append(built.bert.embeddings.word_embeddings.weight.grad)

    assert torch.equal(*gradients)
    assert calls == [False, True, True]
    assert capfd.readouterr() == ("", "")


def test_dropout_and_overrides_reach_the_network(tiny: Path):
    """Dropout is set everywhere; any setting of the configuration can be changed."""
    model = Transformer(config=str(tiny), dropout=0.3, config_overrides={"num_hidden_layers": 1})

    built = model.build(HEAD)

    rates = {m.p for m in built.modules() if isinstance(m, torch.nn.Dropout)}
    assert rates == {0.3}
    assert len(built.bert.encoder.layer) == 1


@pytest.mark.parametrize(
    ("params", "key", "message"),
    [
        ({}, "checkpoint", "neither is given"),
        ({"checkpoint": "/nowhere/at-all"}, "checkpoint", "does not exist"),
        ({"checkpoint": "someone/no-such-model"}, "checkpoint", "someone/no-such-model"),
        ({"config": "TINY", "config_overrides": {"num_layer": 1}}, "config_overrides", "num_layer"),
        ({"config": "TINY", "dropout": 7.0}, "dropout", "7.0 is not between 0 and 1"),
        ({"config": "TINY", "dropout": {"hidden": -1.0}}, "dropout", "-1.0 is not between 0 and 1"),
        (
            {"config": "TINY", "dropout": {"pooler": 0.1}},
            "dropout",
            "a bert has no dropout 'pooler'; it has: hidden, attention, classifier",
        ),
        ({"config": "TINY", "attn_implementation": "fastest"}, "attn_implementation", "'fastest'"),
        (
            {"config": "TINY", "attn_implementation": "flash_attention_2"},
            "attn_implementation",
            "a bert cannot compute attention by 'flash_attention_2'",
        ),
    ],
    ids=[
        "no source",
        "no folder",
        "no network",
        "unknown setting",
        "dropout",
        "dropout of a part",
        "no such part",
        "no such attention",
        "attention not here",
    ],
)
def test_what_cannot_be_built_is_one_clear_error(tiny: Path, params: dict, key: str, message: str):
    """It names the parameter at fault."""
    params = {name: str(tiny) if value == "TINY" else value for name, value in params.items()}

    with pytest.raises(DataError, match=message) as caught:
        Transformer(**params).build(HEAD)

    assert caught.value.key == key


def test_a_checkpoint_without_a_tokenizer_is_an_error(encoder: Path):
    """It is found before training, for the saved model would be of no use."""
    for path in encoder.glob("token*"):
        path.unlink()

    with pytest.raises(DataError, match="has no tokenizer") as caught:
        Transformer(checkpoint=str(encoder)).build(HEAD)

    assert caught.value.key == "checkpoint"


def test_the_tokenizer_may_come_from_elsewhere(encoder: Path, tmp_path: Path):
    """Then its files are the ones that are saved."""
    shutil.copytree(write_tiny(tmp_path / "other"), tmp_path / "words")
    for path in encoder.glob("token*"):
        path.unlink()
    model = Transformer(checkpoint=str(encoder), tokenizer=str(tmp_path / "words"))

    folder = save(model, tmp_path / "saved")

    assert AutoTokenizer.from_pretrained(folder)("good")["input_ids"] == [2, 5, 3]


def test_building_and_saving_print_nothing(
    encoder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    """The library's warnings of new weights and its progress bars are kept back."""
    save(Transformer(checkpoint=str(encoder)), tmp_path / "saved")

    assert capfd.readouterr() == ("", "")


def test_labels_that_differ_in_case_alone_go_by_their_whole_names(encoder: Path, tmp_path: Path):
    """A checkpoint of the same task keeps its head, in any order of the labels."""
    head = Head(problem_type=HEAD.problem_type, labels=("US", "us"))
    folder = save(Transformer(checkpoint=str(encoder)), tmp_path / "saved", head)
    turned = Head(problem_type=HEAD.problem_type, labels=("us", "US"))

    built = Transformer(checkpoint=str(folder)).build(turned)

    before = logits(AutoModelForSequenceClassification.from_pretrained(folder))
    assert torch.equal(logits(built), before[:, [1, 0]])
