"""Groups: which parameters learn, how fast each, and whether it decays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from mlrecipe.errors import DataError, did_you_mean
from mlrecipe.training.optimization.depth import places, plain

ALL = "all"
"""The place of every parameter where nothing tells them apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Parameters that learn alike."""

    place: str
    """`all`, `head`, `layer 3`, `embeddings`, or the pattern of `train.lr_by_name` that they fit."""

    lr: float | None
    """Highest learning rate; None: the optimizer's own."""

    decays: bool
    """Whether weight decay acts on them."""

    parameters: dict[str, nn.Parameter]
    """By name."""

    @property
    def name(self) -> str:
        """What logs call it."""
        return self.place if self.decays else f"{self.place}, no decay"


def plan_groups(
    module: nn.Module,
    *,
    lr: float | None = None,
    layer_decay: float | None = None,
    lr_by_name: Mapping[str, float] | None = None,
) -> list[Group]:
    """What learns, by rate and decay, the head first; the rate of a group depends on names alone.

    A layer's rate is that of the layer above times `layer_decay`: with N layers that of the embeddings is
    `lr * layer_decay ** (N + 1)`, that of the head `lr`. A pattern of `lr_by_name` gives its rate as it
    stands; the first that fits holds. Biases and the weights of normalizations do not decay.

    Args:
        module: the network.
        lr: rate of the head, and of everything without `layer_decay`.
        layer_decay: factor from each layer to the one below.
        lr_by_name: glob pattern of parameter names → rate.

    Raises:
        DataError: the layers cannot be told apart, or a pattern fits no parameter that learns.
    """
    patterns = dict(lr_by_name or {})
    everything = dict(module.named_parameters())
    learning = {name: p for name, p in everything.items() if p.requires_grad}
    _require_fits(patterns, learning, everything)
    # Of all parameters, so that freezing some changes no rate of the others.
    ranks = places(everything) if layer_decay is not None else dict.fromkeys(everything, (ALL, 0))
    norms = _normalizations(module)
    found: dict[tuple[int, str, bool], Group] = {}
    for name, parameter in learning.items():
        place, distance = ranks[name]
        rate = lr if layer_decay is None or lr is None else lr * layer_decay**distance
        if (pattern := first_fit(name, patterns)) is not None:
            place, rate = pattern, patterns[pattern]
            distance = len(everything) + list(patterns).index(pattern)
        decays = name not in norms and not plain(name).endswith("bias")
        group = Group(place=place, lr=rate, decays=decays, parameters={})
        found.setdefault((distance, place, not decays), group).parameters[name] = parameter
    return [found[key] for key in sorted(found)]


def first_fit(name: str, patterns: Iterable[str]) -> str | None:
    """The first pattern that a parameter's name fits."""
    return next((p for p in patterns if fnmatchcase(plain(name), p)), None)


def group_dicts(
    groups: Sequence[Group], *, can_decay: bool = True, takes_rates: bool = True
) -> list[dict[str, Any]]:
    """The groups as torch's optimizers take them; one without weight decay gets those of a place as one."""
    made: dict[tuple[str, bool], dict[str, Any]] = {}
    for group in groups:
        decays = group.decays or not can_decay
        name = group.name if can_decay else group.place
        table = made.setdefault((group.place, decays), {"params": [], "name": name})
        table["params"] += group.parameters.values()
        if group.lr is not None and takes_rates:
            table["lr"] = group.lr
        if not decays:
            table["weight_decay"] = 0.0
    return list(made.values())


def _normalizations(module: nn.Module) -> set[str]:
    """Names of the parameters of normalization layers, told by the class: LayerNorm, RMSNorm, BatchNorm1d."""
    return {
        f"{owner}.{name}" if owner else name
        for owner, layer in module.named_modules()
        if "norm" in type(layer).__name__.lower()
        for name, parameter in layer.named_parameters(recurse=False)
        if parameter.ndim <= 1
    }


def _require_fits(
    patterns: Mapping[str, float],
    learning: Mapping[str, nn.Parameter],
    everything: Mapping[str, nn.Parameter],
) -> None:
    used = {first_fit(name, patterns) for name in learning}
    for pattern in patterns:
        if pattern in used:
            continue
        fitting = [name for name in everything if fnmatchcase(plain(name), pattern)]
        if not fitting:
            near = _nearest(pattern, learning)
            raise DataError(
                f"no parameter has a name like {pattern!r}", key="train.lr_by_name", hint=near
            )
        if any(name in learning for name in fitting):
            message = f"every parameter like {pattern!r} has its rate from a pattern before it"
            raise DataError(message, key="train.lr_by_name")
        message = f"no parameter like {pattern!r} learns: {fitting[0]!r}, for one, is frozen"
        raise DataError(message, key="train.lr_by_name")


def _nearest(pattern: str, names: Iterable[str]) -> str:
    """The names, or the modules that they are of, nearest to a pattern."""
    known = [plain(name) for name in names]
    modules = {name.rpartition(".")[0] for name in known}
    tops = {name.split(".")[0] for name in known}
    word = pattern.replace("*", "").strip(".")
    return did_you_mean(word, sorted({*tops, *modules, *known} - {""}))
