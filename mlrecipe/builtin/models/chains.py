"""Chains of tags: what a network that tags words notes in its configuration, and its part for transitions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import safe_open
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils.hub import cached_file

from mlrecipe.builtin.models.crf import Crf
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Head

NOTE = "mlrecipe_head"
"""The setting of a configuration that says what its network tells of each word; others have none."""

PART = "crf"
"""The submodule with the transitions between tags."""

_KINDS = ("token_classification", "intent_and_slots")
_FILE, _INDEX = "model.safetensors", "model.safetensors.index.json"


def is_of_words(head: Head) -> bool:
    """Whether words get labels, and not only their row."""
    return head.problem_type in _KINDS


def tags_of(head: Head) -> tuple[str, ...]:
    """The tags among the labels of a head of words: the last of them."""
    return tuple(head.outputs.values())[-1] if head.outputs else head.labels


def transitions_of(head: Head) -> int:
    """Between how many tags the network learns transitions; 0: none."""
    return len(tags_of(head)) if is_of_words(head) and head.decoding == "crf" else 0


def note(config: PreTrainedConfig, head: Head) -> None:
    """Write into a configuration what its network is to tell of words; of one that tells nothing, nothing."""
    if is_of_words(head):
        kept = {"problem_type": head.problem_type, "crf_tags": transitions_of(head)}
        setattr(config, NOTE, kept)
    elif hasattr(config, NOTE):
        delattr(config, NOTE)


def noted(config: PreTrainedConfig) -> Mapping[str, Any]:
    """What `note` wrote; nothing where a network tells only of rows."""
    return cast(Mapping[str, Any], getattr(config, NOTE, None) or {})


def attach(network: PreTrainedModel) -> None:
    """Give a network the part for transitions that its configuration speaks of."""
    count = int(noted(network.config).get("crf_tags", 0))
    if count:
        setattr(network, PART, Crf(count))


def restore(
    network: nn.Module, source: str, *, revision: str | None, order: Sequence[int] | None = None
) -> None:
    """Take the transitions that a checkpoint holds.

    Args:
        network: with the part for them.
        source: folder or hub id of the checkpoint.
        revision: of the hub id.
        order: for each tag its number in the checkpoint; by default its own.

    Raises:
        DataError: it holds none, or those of other tags.
    """
    part = cast(nn.Module, getattr(network, PART))
    stored = _stored(source, revision)
    wanted = part.state_dict()
    if {name: value.shape for name, value in stored.items()} != {
        name: value.shape for name, value in wanted.items()
    }:
        raise DataError(
            f"{source!r} does not hold the transitions between its tags", key="checkpoint"
        )
    places = torch.tensor(list(order) if order is not None else range(len(stored["start"])))
    for name, value in stored.items():
        stored[name] = value[places][:, places] if value.dim() == 2 else value[places]
    part.load_state_dict(stored)


def _stored(source: str, revision: str | None) -> dict[str, Tensor]:
    """The transitions in a checkpoint's files of weights, by their names in the part."""
    find = partial(
        cached_file, source, revision=revision, _raise_exceptions_for_gated_repo=False,
        _raise_exceptions_for_missing_entries=False, _raise_exceptions_for_connection_errors=False,
    )  # fmt: skip
    names = {_FILE}
    if (index := find(_INDEX)) is not None:
        places = json.loads(Path(index).read_text(encoding="utf-8"))["weight_map"]
        names = {file for name, file in places.items() if name.startswith(f"{PART}.")}
    found = {}
    for file in [path for name in sorted(names) if (path := find(name)) is not None]:
        with safe_open(file, framework="pt") as weights:
            for name in weights.keys():  # noqa: SIM118 (no mapping)
                if name.startswith(f"{PART}."):
                    found[name.removeprefix(f"{PART}.")] = weights.get_tensor(name).float()
    return found
