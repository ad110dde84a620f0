"""The layers of an encoder: where they are, and the highest of them made new."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import nn
from transformers import PreTrainedModel

from mlrecipe.builtin.models.heads import from_config
from mlrecipe.errors import DataError


def encoder_of(network: PreTrainedModel) -> nn.Module:
    """The part of a network below its head."""
    return cast(nn.Module, getattr(network, network.base_model_prefix))


def embeddings_of(network: PreTrainedModel) -> nn.Module:
    """What makes vectors of tokens."""
    inside: Any = getattr(encoder_of(network), "embeddings", None)
    return cast(nn.Module, inside if inside is not None else network.get_input_embeddings())


def layers_of(network: PreTrainedModel, *, key: str) -> tuple[nn.Module, ...]:
    """The encoder's layers, lowest first; `key` is the parameter that asks for them.

    Raises:
        DataError: it has no layers of their own, as ALBERT, which goes through one many times.
    """
    return tuple(cast(nn.ModuleList, encoder_of(network).get_submodule(_name(network, key))))


def above(network: PreTrainedModel, number: int, *, key: str) -> set[str]:
    """The names of all parameters above the lowest `number` layers: layers, pooler, head.

    What all layers share, such as relative positions, lies below.
    """
    encoder = encoder_of(network)
    list_name = _name(network, key)
    children = [name for name, _ in encoder.named_children()]
    after = set(children[children.index(list_name.partition(".")[0]) + 1 :])
    upper = {f"{list_name}.{i}" for i in range(number, len(layers_of(network, key=key)))}
    prefix = f"{network.base_model_prefix}."
    return {
        name
        for name, _ in network.named_parameters()
        if not name.startswith(prefix)
        or any(name.startswith(f"{prefix}{part}.") for part in (*after, *upper))
    }


def below(network: PreTrainedModel, *, key: str) -> tuple[nn.Parameter, ...]:
    """Parameters of the embeddings and of what all layers share."""
    higher = above(network, 0, key=key)
    return tuple(p for name, p in network.named_parameters() if name not in higher)


def renew_top(network: PreTrainedModel, number: int) -> set[str]:
    """Give the highest layers and the pooler fresh weights as configured; the names of these.

    Zhang et al. 2021, Revisiting Few-sample BERT Fine-tuning (arXiv 2006.05987): what the highest
    layers learnt of their first task is of no use to another.

    Raises:
        DataError: the encoder has fewer layers.
    """
    count = len(layers_of(network, key="reinit_layers"))
    if number > count:
        raise DataError(f"{number} is more than the {count} layers", key="reinit_layers")
    chosen = above(network, count - number, key="reinit_layers")
    fresh = from_config(network.config).state_dict()
    renewed = {name: parameter for name, parameter in _of_encoder(network) if name in chosen}
    with torch.no_grad():
        for name, parameter in renewed.items():
            parameter.copy_(fresh[name])
    return set(renewed)


def _of_encoder(network: PreTrainedModel) -> Iterator[tuple[str, nn.Parameter]]:
    prefix = f"{network.base_model_prefix}."
    return ((n, p) for n, p in network.named_parameters() if n.startswith(prefix))


def _name(network: PreTrainedModel, key: str) -> str:
    """The name of the encoder's list of layers in it."""
    config = network.config
    shared = getattr(config, "num_hidden_groups", None) is not None
    for name, module in encoder_of(network).named_modules():
        if isinstance(module, nn.ModuleList) and len(module) == config.num_hidden_layers:
            if shared:
                break
            return str(name)
    what = "shares its layers" if shared else "has no list of layers that is known here"
    raise DataError(f"a {config.model_type} {what}", key=key, hint="name parameters with `freeze`")
