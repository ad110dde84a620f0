"""Freezing: parameters that do not learn, and parts that behave the same in training as in use."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from fnmatch import fnmatchcase
from types import MethodType
from typing import Literal

from torch import nn
from transformers import PreTrainedModel

from mlrecipe.builtin.models import layers
from mlrecipe.errors import DataError, did_you_mean


def freeze(
    network: PreTrainedModel,
    *,
    patterns: Sequence[str],
    lowest: int | Literal["all"] | None,
    fresh: Collection[str],
) -> None:
    """Let parameters no longer learn.

    Args:
        network: what to freeze in.
        patterns: globs of parameter names.
        lowest: so many layers from below and all below them, or the whole encoder.
        fresh: parameters of the encoder that start at random: `lowest` does not freeze them.

    Raises:
        DataError: a pattern fits nothing, there are fewer layers, or nothing is left to learn.
    """
    frozen = _matching(network, patterns)
    if lowest is not None:
        frozen |= _below(network, lowest) - set(fresh)
    for name, parameter in network.named_parameters():
        if name in frozen:
            parameter.requires_grad_(False)
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise DataError("nothing is left to learn", key="freeze")


def hold(network: nn.Module) -> None:
    """Keep each wholly frozen part in evaluation mode, whoever asks for training: no dropout."""
    for part in _frozen_parts(network):
        for module in part.modules():
            # A method of the object itself is copied with it, as averaging of weights does.
            module.__dict__["train"] = MethodType(_stay, module)
        part.eval()


def fixed_layers(network: PreTrainedModel) -> int | None:
    """How many of the lowest layers, all below them included, neither learn nor drop out.

    None when not even the embeddings do so, or when there are no layers to speak of.
    """
    learning = {name for name, p in network.named_parameters() if p.requires_grad}
    try:
        count = len(layers.layers_of(network, key="freeze_layers"))
        lowest = next(
            (n for n in range(count, -1, -1)
             if learning <= layers.above(network, n, key="freeze_layers")), None,
        )  # fmt: skip
    except DataError:
        return None
    if lowest is None:
        return None
    found = layers.layers_of(network, key="freeze_layers")[:lowest]
    parts = (layers.embeddings_of(network), *found)
    return lowest if all("train" in part.__dict__ for part in parts) else None


def _matching(network: nn.Module, patterns: Sequence[str]) -> set[str]:
    names = [name for name, _ in network.named_parameters()]
    found: set[str] = set()
    for pattern in patterns:
        fitting = {name for name in names if fnmatchcase(name, pattern)}
        if not fitting:
            raise DataError(
                f"no parameter has a name that {pattern!r} fits",
                key="freeze",
                hint=did_you_mean(pattern, names),
            )
        found |= fitting
    return found


def _below(network: PreTrainedModel, lowest: int | Literal["all"]) -> set[str]:
    names = {name for name, _ in network.named_parameters()}
    if lowest == "all":
        return {name for name in names if name.startswith(f"{network.base_model_prefix}.")}
    count = len(layers.layers_of(network, key="freeze_layers"))
    if not 0 <= lowest <= count:
        raise DataError(
            f"{lowest} is not between 0 and the {count} layers",
            key="freeze_layers",
            hint='`"all"` freezes the whole encoder, its pooler included',
        )
    return names - layers.above(network, lowest, key="freeze_layers")


def _frozen_parts(module: nn.Module) -> Iterator[nn.Module]:
    """The largest parts that have parameters and none that learns."""
    parameters = list(module.parameters())
    if parameters and not any(parameter.requires_grad for parameter in parameters):
        yield module
        return
    for child in module.children():
        yield from _frozen_parts(child)


def _stay(part: nn.Module, mode: bool = True) -> nn.Module:
    return nn.Module.train(part, False)
