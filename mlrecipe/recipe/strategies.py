"""Strategies: known sets of training settings, as a layer just above the defaults."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlrecipe.errors import Problem
from mlrecipe.recipe.keys import dotted, table_at
from mlrecipe.recipe.layers import Layer, Tree
from mlrecipe.recipe.positions import KeyPath

_LR: KeyPath = ("train", "optimizer", "lr")

# Mosbach, Andriushchenko and Klakow: On the Stability of Fine-tuning BERT (ICLR 2021, arXiv 2006.04884).
# The values are those of the authors' own configurations for RTE, github.com/uds-lsv/bert-stable-fine-tuning
# at 37c0bfe, examples/bert_stable_fine_tuning/configs/rte: for BERT of their baseline, `…lr_2e-05_adamW_
# bias-correct_early-stopping_20`. Those for RoBERTa and ALBERT try rates from 1e-5 to 3e-5 and 3 epochs;
# here it is the smallest rate and the baseline's epochs. torch's AdamW always has bias correction.
_MOSBACH: dict[str, Any] = {
    "epochs": 20,
    "batch_size": 16,
    "optimizer": {"use": "AdamW", "betas": [0.9, 0.999], "eps": 1e-6, "weight_decay": 0.01},
    "scheduler": {"use": "linear", "warmup": 0.1},
    "trainer": {"gradient_clip_val": 1.0},
}
_BY_ARCHITECTURE: dict[str, dict[str, Any]] = {
    "bert": {"optimizer": {"lr": 2e-5}},
    "roberta": {
        "optimizer": {"lr": 1e-5, "betas": [0.9, 0.98], "weight_decay": 0.1},
        "trainer": {"gradient_clip_val": 0.0},
    },
    "albert": {"optimizer": {"lr": 1e-5, "weight_decay": 0.0}},
}
_WITHOUT_DROPOUT = ("albert",)


def is_late(tree: Tree) -> bool:
    """Whether a strategy is asked for that is only known once references are resolved."""
    model = table_at(tree.values, ("model",))
    texts = [table_at(tree.values, ("train",)).get("strategy"), *model.values()]
    return any(isinstance(text, str) and "${" in text for text in texts)


def apply(tree: Tree, base: Path) -> list[Problem]:
    """Put the settings of the recipe's strategy where it says nothing itself; what is wrong with it.

    `base` is where relative paths start that no other file gives.
    """
    train = table_at(tree.values, ("train",))
    if train.get("strategy") != "mosbach":
        return []
    architecture = _architecture(tree, base)
    settings = _merged(_MOSBACH, _BY_ARCHITECTURE.get(architecture or "", {}))
    if architecture not in _BY_ARCHITECTURE and _takes_lr(tree) and not _is_given(tree, _LR):
        return [tree.problem(("train", "strategy"), _unknown(architecture))]
    layer = Layer(name="strategy mosbach", values={"train": settings})
    if architecture in _WITHOUT_DROPOUT and _has_dropout(tree):
        layer.values["model"] = {"dropout": 0.0}
    _underlay(tree, layer)
    return []


def _unknown(architecture: str | None) -> str:
    known = ", ".join(_BY_ARCHITECTURE)
    if architecture is None:
        what = "the model's architecture is not known here, for it has no local `config.json`"
    else:
        what = f"it has no learning rate for the architecture {architecture!r}"
    return f"{what}; it knows {known}: set {dotted(_LR)!r} yourself"


def _takes_lr(tree: Tree) -> bool:
    """Whether the strategy's optimizer is the one that holds."""
    use = table_at(tree.values, ("train", "optimizer")).get("use")
    return bool(use == _MOSBACH["optimizer"]["use"])


def _has_dropout(tree: Tree) -> bool:
    """Whether the model is the built-in one, which can be told to have no dropout."""
    return table_at(tree.values, ("model",)).get("use") == "transformer"


def _architecture(tree: Tree, base: Path) -> str | None:
    """The `model_type` of the model's local configuration."""
    model = table_at(tree.values, ("model",))
    for key in ("checkpoint", "config"):
        text = model.get(key)
        if not isinstance(text, str) or not text or "${" in text:
            continue
        layer = tree.sources.get(("model", key))
        folder = (layer.folder if layer is not None else None) or base
        path = os.path.join(folder, os.path.expanduser(text))
        path = os.path.join(path, "config.json") if os.path.isdir(path) else path
        try:
            with open(path, encoding="utf-8") as file:
                found = json.load(file)
        except (OSError, ValueError):
            continue
        kind = found.get("model_type") if isinstance(found, dict) else None
        return kind if isinstance(kind, str) else None
    return None


def _merged(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: {**low[key], **high.get(key, {})} if isinstance(low[key], dict) else low[key]
        for key in low
    }


def _underlay(tree: Tree, layer: Layer) -> None:
    """Put a layer between the defaults and everything else."""
    tree.layers.insert(1, layer)
    _fill_table(tree, tree.values, layer.values, (), layer)


def _fill_table(
    tree: Tree, table: dict[str, Any], settings: Mapping[str, Any], path: KeyPath, layer: Layer
) -> None:
    if "use" in settings and table.get("use", settings["use"]) != settings["use"]:
        return  # another component than the strategy's: its parameters say nothing
    for key, value in settings.items():
        if not isinstance(value, dict):
            _fill(tree, table, key, value, (*path, key), layer)
        elif isinstance(below := table.setdefault(key, {}), dict):
            _fill_table(tree, below, value, (*path, key), layer)


def _fill(
    tree: Tree, table: dict[str, Any], key: str, value: Any, path: KeyPath, layer: Layer
) -> None:
    if not _is_given(tree, path):
        table[key] = value
        tree.sources[path] = layer


def _is_given(tree: Tree, path: KeyPath) -> bool:
    """Whether a file or the command line says it."""
    layer = tree.sources.get(path)
    return layer is not None and layer.name != "default"
