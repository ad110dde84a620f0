"""Models and tokenizers of transformers as outputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlrecipe import DataError
from mlrecipe.errors import StoreError
from mlrecipe.registry import registries
from mlrecipe.store import Store
from tests.builtin.formats import samples
from tests.store.pages import computation

pytestmark = pytest.mark.heavy


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A new store."""
    return Store(tmp_path / "store")


def test_store_17_a_tokenizer_that_was_used_has_the_digest_that_it_had(store, tmp_path):
    """Calls leave padding and truncation behind, and where it was loaded from is no part of it."""
    fresh, used = samples.tokenizer(tmp_path), samples.tokenizer(tmp_path)
    used.save_pretrained(tmp_path / "elsewhere")
    used(["one two three", "four"], padding=True, truncation=True, max_length=3)
    elsewhere = type(used).from_pretrained(tmp_path / "elsewhere", padding_side="left")

    found = [store.publish(t, computation(str(n))) for n, t in enumerate((fresh, used, elsewhere))]

    assert found[0].digest == found[1].digest == found[2].digest
    text = ["one two three", "four"]
    assert store.load(found[1])(text).data == fresh(text).data


def test_what_a_tokenizer_was_set_to_comes_back(store, tmp_path):
    """Added words and sides."""
    value = samples.tokenizer(tmp_path)
    value.truncation_side = "left"

    loaded = store.load(store.publish(value, computation()))

    assert (loaded.padding_side, loaded.truncation_side) == ("left", "left")
    assert loaded.added_tokens_encoder == value.added_tokens_encoder
    assert loaded.model_max_length == value.model_max_length


def test_publishing_a_tokenizer_leaves_it_as_it_was(store, tmp_path):
    """An output is not changed by being stored."""
    value = samples.tokenizer(tmp_path)
    value(["one two three"], truncation=True, max_length=3)
    before = value.backend_tokenizer.to_str()

    store.publish(value, computation())

    assert value.backend_tokenizer.to_str() == before


def test_a_stored_model_is_a_folder_that_transformers_reads_without_pickle(store, tmp_path):
    """Safetensors and JSON, nothing else."""
    from transformers import AutoModelForSequenceClassification

    record = store.publish(samples.model(tmp_path), computation())
    folder = store.object_folder(record.digest)

    found = AutoModelForSequenceClassification.from_pretrained(folder / "model")

    assert samples.same(found, store.load(record))
    assert {p.suffix for p in folder.rglob("*") if p.is_file()} == {".json", ".safetensors"}


def test_store_20_where_a_model_was_loaded_from_is_no_part_of_it(store, tmp_path):
    """Equal weights and settings are one object."""
    value = samples.model(tmp_path)
    for name in ("one", "two"):
        value.save_pretrained(tmp_path / name)
    found = {
        store.publish(type(value).from_pretrained(tmp_path / name), computation(name)).digest
        for name in ("one", "two")
    }

    assert found == {store.publish(value, computation()).digest}


def test_a_model_comes_back_ready_to_be_used(store, tmp_path):
    """In evaluation mode, with a head for its labels, in its precision."""
    import torch

    loaded = store.load(store.publish(samples.model(tmp_path), computation()))

    assert not loaded.training
    assert loaded.config.id2label == {0: "böse", 1: "gut"}
    assert loaded.dtype == torch.bfloat16


def test_a_class_of_one_s_own_is_refused(store, tmp_path):
    """Loading it would need code that is not in the store."""
    from transformers import BertForSequenceClassification

    class Own(BertForSequenceClassification):
        pass

    value = samples.model(tmp_path)
    value.__class__ = Own

    with pytest.raises(DataError, match="'Own' is no class of transformers") as caught:
        store.publish(value, computation())
    assert "state_dict" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["AutoModel", "pipeline", "os", "Nothing", "BertConfig"])
def test_store_41_a_planted_class_is_refused(store, tmp_path, name):
    """Only models and tokenizers of transformers are made from a name in a file."""
    folder = tmp_path / "object"
    folder.mkdir()
    chosen: Any = registries["format"].get("transformers-model")()
    chosen.save(samples.model(tmp_path), folder)
    (folder / "class.json").write_text(json.dumps({"transformers": name}))

    with pytest.raises(StoreError, match=f"no PreTrainedModel called '{name}'"):
        chosen.load(folder)


def test_store_41_weights_in_pickle_are_not_read(tmp_path):
    """Whatever lies in the folder, only safetensors are loaded."""
    import torch

    chosen: Any = registries["format"].get("transformers-model")()
    value = samples.model(tmp_path)
    folder = tmp_path / "object"
    folder.mkdir()
    chosen.save(value, folder)
    (folder / "model" / "model.safetensors").unlink()
    torch.save(value.state_dict(), folder / "model" / "pytorch_model.bin")

    with pytest.raises(OSError, match="safetensors"):
        chosen.load(folder)


def test_weights_that_do_not_fit_are_an_error_not_a_guess(tmp_path):
    """transformers would make up what is missing."""
    from safetensors.torch import load_file, save_file

    chosen: Any = registries["format"].get("transformers-model")()
    folder = tmp_path / "object"
    folder.mkdir()
    chosen.save(samples.model(tmp_path), folder)
    weights = load_file(folder / "model" / "model.safetensors")
    weights.pop("classifier.weight")
    (folder / "model" / "model.safetensors").unlink()
    save_file(weights, folder / "model" / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(StoreError, match=r"missing keys: classifier\.weight"):
        chosen.load(folder)
