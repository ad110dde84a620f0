"""What can be said against a recipe's optimizer, rates and losses before any work; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from mlrecipe.code.catalog import Catalog
from mlrecipe.errors import Problem
from mlrecipe.recipe.keys import table_at
from mlrecipe.recipe.layers import Tree
from mlrecipe.recipe.positions import KeyPath

_CLIP = ("norm", "value")

Found = Iterator[tuple[KeyPath, str]]


def problems(tree: Tree, catalog: Catalog) -> list[Problem]:
    """What is wrong with how weights are to be updated; values of another type are left to the structure."""
    train = table_at(tree.values, ("train",))
    task = table_at(tree.values, ("task",))
    model = table_at(tree.values, ("model",))
    found = [*_rates(train), *_optimizer(train, model), *_clipping(train), *_losses(task)]
    return [tree.problem(path, message) for path, message in found]


def _rates(train: Mapping[str, Any]) -> Found:
    decay = train.get("layer_decay")
    if _is_number(decay) and not 0 < decay <= 1:
        message = f"{decay!r} is not above 0 and at most 1; 1 gives every layer the same rate"
        yield ("train", "layer_decay"), message
    for pattern, rate in table_at(train, ("lr_by_name",)).items():
        if _is_number(rate) and not rate > 0:
            message = f"{rate!r} is not above 0; to keep weights as they are freeze them"
            yield ("train", "lr_by_name", pattern), message


def _optimizer(train: Mapping[str, Any], model: Mapping[str, Any]) -> Found:
    use = table_at(train, ("optimizer",)).get("use")
    if use == "LBFGS":
        for key in ("layer_decay", "lr_by_name"):
            if train.get(key):
                yield ("train", key), "LBFGS has one learning rate for all parameters"
    if use == "SparseAdam" and model.get("use") == "transformer":
        message = "SparseAdam takes sparse gradients only, and this model's are dense; take Adam"
        yield ("train", "optimizer", "use"), message


def _clipping(train: Mapping[str, Any]) -> Found:
    trainer = table_at(train, ("trainer",))
    path: KeyPath = ("train", "trainer", "gradient_clip_algorithm")
    value, algorithm = trainer.get("gradient_clip_val"), trainer.get("gradient_clip_algorithm")
    if _is_number(value) and value < 0:
        message = f"{value!r} is below 0; 0 does not clip"
        yield ("train", "trainer", "gradient_clip_val"), message
    if algorithm is None:
        return
    if isinstance(algorithm, str) and algorithm not in _CLIP:
        yield path, f'{algorithm!r} is no way to clip gradients; known: "norm", "value"'
    elif value is None or (_is_number(value) and value == 0):
        yield path, "nothing is clipped without `gradient_clip_val`"


def _losses(task: Mapping[str, Any]) -> Found:
    if task.get("use") not in ("text-classification", "token-classification"):
        return
    for key in ("label_smoothing", "class_weights"):
        if task.get("crf") is True and task.get(key):
            message = "a CRF learns whole sequences: words have no losses of their own"
            yield ("task", key), message
    smoothing, gamma = task.get("label_smoothing", 0.0), task.get("focal_gamma", 0.0)
    if _is_number(smoothing) and not 0 <= smoothing < 1:
        yield ("task", "label_smoothing"), f"{smoothing!r} is not between 0 and 1"
    if _is_number(gamma) and not 0 <= gamma < float("inf"):
        yield ("task", "focal_gamma"), f"{gamma!r} is not at least 0"
    if _is_number(smoothing) and _is_number(gamma) and smoothing and gamma:
        message = "the focal loss is not defined for smoothed labels; leave one out"
        yield ("task", "focal_gamma"), message
    yield from weights(task.get("class_weights"), task.get("labels"), key="class_weights")


def weights(given: Any, labels: Any, *, key: str) -> Found:
    """What is wrong with weights that the task's key gives, in a list or by label."""
    path: KeyPath = ("task", key)
    names = [str(name) for name in labels] if isinstance(labels, list) else None
    if isinstance(given, Mapping):
        unknown = [name for name in given if names is not None and name not in names]
        missing = [name for name in names or () if name not in given]
        for name in unknown:
            yield (*path, name), f"no label {name!r} in `task.labels`"
        if missing:
            yield path, f"no weight for the label {missing[0]!r}; give one for each"
    elif isinstance(given, list) and names is not None and len(given) != len(names):
        found = "is 1 weight" if len(given) == 1 else f"are {len(given)} weights"
        yield path, f"there {found} for {len(names)} {'label' if len(names) == 1 else 'labels'}"
    values = list(given.values()) if isinstance(given, Mapping) else given
    if not isinstance(values, list) or not all(map(_is_number, values)):
        return
    if any(not 0 <= value < float("inf") for value in values) or not any(values):
        yield path, "weights are 0 or more, and not all 0"


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
