"""Losses of classification: cross-entropy with smoothed labels, weights of classes, focus on what is hard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from mlrecipe.errors import DataError, did_you_mean

BALANCED = "balanced"


def classification_loss(
    logits: Tensor,
    targets: Tensor,
    *,
    label_smoothing: float = 0.0,
    weights: Sequence[float] | None = None,
    focal_gamma: float = 0.0,
) -> Tensor:
    """The mean over the rows of what each loses; 0 for no rows.

    The mean is over rows also with weights (torch's own divides by the sum of the rows' weights): so a
    step's loss is the same however it is cut into batches, and a row of a heavy class counts as much
    whatever else is in its batch.

    Args:
        logits: shape (rows, labels).
        targets: label ids, shape (rows,).
        label_smoothing: share of each target that is spread evenly over all labels.
        weights: factor of each label's rows, in the order of the labels.
        focal_gamma: exponent of the focal loss (Lin et al. 2017, equation 5): a row's loss times
            (1 - p) ** gamma, with p the probability of its label; without smoothing.
    """
    if not len(targets):
        return logits.sum() * 0.0
    factors = None if weights is None else logits.new_tensor(list(weights))
    if focal_gamma:
        return _focal(logits, targets, factors, focal_gamma)
    if factors is None:
        return functional.cross_entropy(logits, targets, label_smoothing=label_smoothing)
    total = functional.cross_entropy(
        logits, targets, weight=factors, label_smoothing=label_smoothing, reduction="sum"
    )
    return total / len(targets)


def class_weights(
    given: str | Sequence[float] | Mapping[str, float],
    labels: Sequence[str],
    ids: NDArray[np.int64],
    *,
    split: str,
) -> tuple[float, ...]:
    """A weight for each label, in their order.

    `balanced` is n / (k * count) for n rows, k labels and the label's count: the mean over the rows is 1.
    `ids` are those of the rows to learn from.

    Raises:
        DataError: the weights are not those of the labels, or a label to be balanced has no row.
    """
    if isinstance(given, str):
        return _balanced(labels, ids, split=split)
    return chosen_weights(given, labels)


def chosen_weights(
    given: Sequence[float] | Mapping[str, float],
    labels: Sequence[str],
    *,
    key: str = "class_weights",
) -> tuple[float, ...]:
    """Weights that the recipe gives, in the order of the labels.

    Raises:
        DataError: they are not those of the labels; `key` is the parameter to blame.
    """
    if isinstance(given, Mapping):
        given = _by_label(given, labels, key=key)
    check_weights(list(given), count=len(labels), key=key)
    return tuple(float(weight) for weight in given)


def check_weights(
    given: Sequence[float] | Mapping[str, float], *, count: int | None, key: str = "class_weights"
) -> None:
    """Raise for weights that are negative, all 0, or not as many as there are labels, where that is known."""
    values = list(given.values()) if isinstance(given, Mapping) else list(given)
    if count is not None and len(values) != count:
        found = "is 1 weight" if len(values) == 1 else f"are {len(values)} weights"
        message = f"there {found} for {count} {'label' if count == 1 else 'labels'}"
        raise DataError(message, key=key, hint="give one for each, in their order")
    if any(not 0 <= value < float("inf") for value in values) or not any(values):
        message = f"weights are 0 or more, and not all 0: got {values!r}"
        raise DataError(message, key=key)


def _balanced(labels: Sequence[str], ids: NDArray[np.int64], *, split: str) -> tuple[float, ...]:
    counts = np.bincount(ids, minlength=len(labels))
    without = [label for label, count in zip(labels, counts, strict=True) if not count]
    if without:
        raise DataError(
            f"label {without[0]!r} has no row in split {split!r} to balance",
            key="class_weights",
            hint="give the weights yourself, as a table by label",
        )
    return tuple(float(len(ids) / (len(labels) * int(count))) for count in counts)


def _by_label(given: Mapping[str, float], labels: Sequence[str], *, key: str) -> list[float]:
    unknown = [name for name in given if name not in labels]
    if unknown:
        message = f"no label {unknown[0]!r} to weigh"
        raise DataError(message, key=key, hint=did_you_mean(unknown[0], labels))
    missing = [label for label in labels if label not in given]
    if missing:
        message = f"no weight for the label {missing[0]!r}"
        raise DataError(message, key=key, hint="give one for each label")
    return [given[label] for label in labels]


def _focal(logits: Tensor, targets: Tensor, factors: Tensor | None, gamma: float) -> Tensor:
    logs = functional.log_softmax(logits, dim=-1).gather(1, targets[:, None]).squeeze(1)
    # 1 - p without rounding to 0, where a power below 1 has no slope
    missing = (-torch.expm1(logs)).clamp_min(torch.finfo(logs.dtype).tiny)
    losses = -(missing**gamma) * logs
    return (losses if factors is None else losses * factors[targets]).mean()
