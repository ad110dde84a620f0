"""What can be said against a recipe's model and how it is trained before any work; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from mlrecipe.code.catalog import Catalog
from mlrecipe.errors import Problem
from mlrecipe.recipe.keys import table_at
from mlrecipe.recipe.layers import Tree
from mlrecipe.recipe.positions import KeyPath

Mistake = tuple[KeyPath, str]

_FREEZES = ("freeze", "freeze_layers")
_SHARDED = ("fsdp", "deepspeed")
_OF_WORDS = ("token-classification", "intent-and-slots")
_OF_PIECES = ("max_length", "stride", "revision")
"""Parameters of `tokenize-words` for what a tokenizer gives."""

_BILSTM = "word-char-bilstm"
_SIZES = {
    "word_dim": 1, "affix_dim": 1, "buckets": 1, "char_dim": 1, "char_filters": 1, "hidden": 1,
    "layers": 1, "word_bytes": 2,
}  # fmt: skip


def problems(tree: Tree, catalog: Catalog) -> list[Problem]:
    """Parameters of the built-in model that say nothing together, or that contradict each other."""
    model, train = table_at(tree.values, ("model",)), table_at(tree.values, ("train",))
    found = [*_unfreezing(model, train)]
    if model.get("use") == "transformer":
        found += [*_numbers(model), *_freezing(model), *_adapter(model)]
    if model.get("use") == _BILSTM:
        found += _sizes(model)
    task = table_at(tree.values, ("task",))
    found += [*_of_words(model, task), *_words_of(tree, model, task)]
    return [tree.problem(path, message) for path, message in found]


def packages(tree: Tree) -> list[Problem]:
    """An adapter is asked for and PEFT is not installed here."""
    if not table_at(tree.values, ("model", "peft")) or find_spec("peft"):
        return []
    message = "needs the package peft, which is not installed: pip install 'mlrecipe[peft]'"
    return [tree.problem(("model", "peft"), message)]


def _numbers(model: Mapping[str, Any]) -> Iterator[Mistake]:
    dropout = model.get("dropout")
    rates = dropout.values() if isinstance(dropout, Mapping) else [dropout]
    for rate in rates:
        if isinstance(rate, int | float) and not 0 <= rate <= 1:
            yield ("model", "dropout"), f"{rate!r} is not between 0 and 1"
    for key, least in (("freeze_layers", 0), ("reinit_layers", 1)):
        value = model.get(key)
        if isinstance(value, int) and value < least:
            yield ("model", key), f"{value!r} is not at least {least}"
    if model.get("new_head") is True and model.get("checkpoint") is None:
        yield ("model", "new_head"), "does nothing without `checkpoint`: every head is then new"
    if isinstance(model.get("reinit_layers"), int) and model.get("checkpoint") is None:
        yield ("model", "reinit_layers"), "does nothing without `checkpoint`: all layers are new"


def _freezing(model: Mapping[str, Any]) -> Iterator[Mistake]:
    freezes = [key for key in _FREEZES if model.get(key) not in (None, [])]
    if model.get("frozen_dropout") is True and not freezes:
        message = "does nothing unless `freeze` or `freeze_layers` freezes something"
        yield ("model", "frozen_dropout"), message
    if model.get("freeze_layers") == "all" and model.get("reinit_layers") is not None:
        yield ("model", "reinit_layers"), "new layers have to learn, and all are frozen"


def _adapter(model: Mapping[str, Any]) -> Iterator[Mistake]:
    peft = model.get("peft")
    if not isinstance(peft, Mapping):
        return
    if not isinstance(peft.get("method"), str):
        message = "needs `method`, such as `lora`, `adalora`, `ia3` or `prefix-tuning`"
        yield ("model", "peft"), message
    if model.get("checkpoint") is None:
        message = "an adapter is learnt on top of trained weights: give the model a `checkpoint`"
        yield ("model", "peft"), message
    for key in (*_FREEZES, "reinit_layers"):
        if model.get(key) not in (None, []):
            message = (
                "does not go with `peft`, under which nothing but the adapter and the head learns"
            )
            yield ("model", key), message


def _sizes(model: Mapping[str, Any]) -> Iterator[Mistake]:
    for key, least in _SIZES.items():
        value = model.get(key)
        if isinstance(value, int) and value < least:
            yield ("model", key), f"{value!r} is not at least {least}"
    for key in ("dropout", "word_dropout"):
        value = model.get(key)
        if isinstance(value, int | float) and not 0 <= value < 1:
            yield ("model", key), f"{value!r} is not from 0 up to less than 1"


def _of_words(model: Mapping[str, Any], task: Mapping[str, Any]) -> Iterator[Mistake]:
    """A network that tags words, for a built-in task that does not."""
    use = task.get("use")
    is_built_in = isinstance(use, str) and use.startswith(("text-", "multi-"))
    if model.get("use") == _BILSTM and is_built_in:
        yield ("model", "use"), f"{_BILSTM!r} tags words, and the task {use!r} does not"


def _words_of(tree: Tree, model: Mapping[str, Any], task: Mapping[str, Any]) -> Iterator[Mistake]:
    """Words in pieces of a tokenizer where the network reads letters, or the other way round."""
    data = table_at(tree.values, ("train",)).get("data")
    name = data.partition(".")[0] if isinstance(data, str) else ""
    node = table_at(tree.values, ("nodes", name))
    if node.get("use") != "tokenize-words" or task.get("use") not in _OF_WORDS:
        return
    path = ("nodes", name, "tokenizer")
    if model.get("use") == _BILSTM and node.get("tokenizer") is not None:
        yield path, f"the model {_BILSTM!r} reads the letters of words: leave it out"
    if model.get("use") == "transformer" and node.get("tokenizer") is None:
        yield path, "is needed: the model reads the pieces of its own tokenizer, not letters"
    if "tokenizer" not in node:  # a variant that takes it away may leave the rest as it is
        for key in node.keys() & set(_OF_PIECES):
            message = "does nothing without `tokenizer`: letters are read in one window"
            yield ("nodes", name, key), message


def _unfreezing(model: Mapping[str, Any], train: Mapping[str, Any]) -> Iterator[Mistake]:
    """What the callback `gradual-unfreezing` does not go with."""
    for name, table in table_at(train, ("callbacks",)).items():
        if not isinstance(table, Mapping) or table.get("use") != "gradual-unfreezing":
            continue
        path = ("train", "callbacks", name)
        if isinstance(every := table.get("epochs_per_layer"), int) and every < 1:
            yield (*path, "epochs_per_layer"), f"{every!r} is not at least 1"
        if model.get("freeze_layers") == "all":
            yield path, 'does nothing with `freeze_layers = "all"`: no layer ever learns'
        if train.get("compile") is True:
            message = (
                "does not go with `train.compile`: the network would be compiled for each epoch"
            )
            yield path, message
        strategy = table_at(train, ("trainer",)).get("strategy")
        if isinstance(strategy, str) and strategy.startswith(_SHARDED):
            yield path, f"does not go with the strategy {strategy!r}, which shards what learns"
