"""Heads of classifiers: what a checkpoint's predicts, and making it predict a task's labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import nn
from transformers import (
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    PreTrainedConfig,
    PreTrainedModel,
)

from mlrecipe.builtin.models import chains
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Head


def describe(config: PreTrainedConfig, head: Head) -> None:
    """Write the head's labels and problem type into a configuration."""
    config.id2label = dict(enumerate(head.labels))
    config.label2id = {label: i for i, label in enumerate(head.labels)}
    # Of several outputs the library knows nothing: to it they are one long row of logits.
    is_theirs = not head.outputs and not chains.is_of_words(head)
    config.problem_type = cast(Any, head.problem_type if is_theirs else None)
    chains.note(config, head)


def auto(config: PreTrainedConfig) -> Any:
    """The library's class that makes a network of a configuration with a head written into it."""
    if chains.noted(config):
        return AutoModelForTokenClassification
    return AutoModelForSequenceClassification


def from_config(config: PreTrainedConfig, **options: Any) -> PreTrainedModel:
    """A network with random weights."""
    made = auto(config).from_config(config, trust_remote_code=False, **options)
    chains.attach(made)
    return cast(PreTrainedModel, made)


def brings_head(config: PreTrainedConfig, head: Head | None = None) -> bool:
    """Whether a checkpoint of this configuration has a trained head, of the kind of `head` if given."""
    of_words, of_texts = "ForTokenClassification", "ForSequenceClassification"
    kinds = (of_words, of_texts)
    if head is not None:
        kinds = (of_words if chains.is_of_words(head) else of_texts,) * 2
    return any(name.endswith(kinds) for name in config.architectures or ())


def match(config: PreTrainedConfig, head: Head, checkpoint: str) -> tuple[int, ...] | None:
    """For each label of `head` the checkpoint's output that means it; None when it has no head.

    Labels go by name, whatever their case. A head whose labels have no names (`LABEL_0` …) goes by
    position, and so does the one output of a regression.

    Raises:
        DataError: the checkpoint's head is for other labels.
    """
    if not brings_head(config, head):
        return None
    theirs = _names(config)
    if head.problem_type == "regression" and len(theirs) == 1:
        return (0,)
    if sorted(theirs) == sorted(head.labels) and len(set(theirs)) == len(theirs):
        return tuple(theirs.index(label) for label in head.labels)
    names = [name.casefold() for name in theirs]
    wanted = [label.casefold() for label in head.labels]
    if sorted(names) == sorted(wanted) and len(set(wanted)) == len(wanted):
        return tuple(names.index(label) for label in wanted)
    if len(names) == len(wanted) and names == [f"label_{i}" for i in range(len(names))]:
        return tuple(range(len(names)))
    raise DataError(
        f"the head of {checkpoint!r} is for {_of(theirs)}, the task has {_wanted(head)}",
        key="new_head",
        hint="set `new_head = true` to learn a new head",
    )


def reorder(module: PreTrainedModel, order: Sequence[int]) -> None:
    """Move the rows of the last layer so that output i is what output `order[i]` was."""
    if list(order) == list(range(len(order))):
        return
    layer = _last_layer(module, len(order))
    with torch.no_grad():
        layer.weight.copy_(layer.weight[list(order)].clone())
        if layer.bias is not None:
            layer.bias.copy_(layer.bias[list(order)].clone())


def renew(module: PreTrainedModel) -> None:
    """Give everything outside of the encoder fresh random weights."""
    fresh = from_config(module.config)
    weights = fresh.state_dict()
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if not name.startswith(f"{module.base_model_prefix}."):
                parameter.copy_(weights[name])


def _of(labels: Sequence[str]) -> str:
    if len(labels) == 1:
        return f"the one output {labels[0]!r}"
    return f"the {len(labels)} labels {list(labels)!r}"


def _wanted(head: Head) -> str:
    if head.problem_type == "regression":
        return f"one output, the number {head.labels[0]!r}"
    return _of(head.labels)


def _names(config: PreTrainedConfig) -> list[str]:
    """Names of the checkpoint's outputs, in their order."""
    names = {int(i): str(name) for i, name in (config.id2label or {}).items()}
    return [names[i] for i in sorted(names)]


def _last_layer(module: PreTrainedModel, outputs: int) -> nn.Linear:
    """The linear layer outside of the encoder that gives the logits."""
    encoder = f"{module.base_model_prefix}."
    layers = [
        layer
        for name, layer in module.named_modules()
        if isinstance(layer, nn.Linear)
        and layer.out_features == outputs
        and not name.startswith(encoder)
    ]
    if not layers:
        raise DataError(
            f"the head of {type(module).__name__} cannot be put into another order",
            key="new_head",
            hint="list the task's labels in the checkpoint's order, or set `new_head = true`",
        )
    return layers[-1]
