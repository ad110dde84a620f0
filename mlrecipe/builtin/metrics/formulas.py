"""Formulas of metrics, in float64, with an answer for every case: 0 where nothing can be told apart."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mlrecipe.builtin.metrics.states import OfTally, Tally

BINS = 15
"""Bins of confidence of the calibration error."""


def precision(tally: Tally) -> Tensor:
    """Of each label the share of rows given it that have it."""
    return divide(tally.tp, tally.tp + tally.fp)


def recall(tally: Tally) -> Tensor:
    """Of each label the share of rows with it that were given it."""
    return divide(tally.tp, tally.tp + tally.fn)


def specificity(tally: Tally) -> Tensor:
    """Of each label the share of rows without it that were not given it."""
    return divide(tally.tn, tally.tn + tally.fp)


def negative_predictive_value(tally: Tally) -> Tensor:
    """Of each label the share of rows not given it that do not have it."""
    return divide(tally.tn, tally.tn + tally.fn)


def jaccard(tally: Tally) -> Tensor:
    """Of each label the rows rightly given it, among those given it or with it."""
    return divide(tally.tp, tally.tp + tally.fp + tally.fn)


def f1(tally: Tally) -> Tensor:
    """Of each label the harmonic mean of precision and recall."""
    return divide(2 * tally.tp, 2 * tally.tp + tally.fn + tally.fp)


def second(rate: OfTally, tally: Tally) -> Tensor:
    """The rate of the second label."""
    return rate(tally)[1]


def macro(rate: OfTally, tally: Tally) -> Tensor:
    """The plain mean over the labels that were given or are there."""
    return _mean_over(rate(tally), tally.tp + tally.fp + tally.fn > 0)


def over_labels(rate: OfTally, tally: Tally) -> Tensor:
    """The plain mean over all labels."""
    return rate(tally).mean()


def there(rate: OfTally, tally: Tally) -> Tensor:
    """The plain mean over the labels that are there."""
    return _mean_over(rate(tally), tally.tp + tally.fn > 0)


def weighted(rate: OfTally, tally: Tally) -> Tensor:
    """The mean over labels, each weighted by the rows that have it."""
    rows = tally.tp + tally.fn
    return divide((rate(tally) * rows).sum(), rows.sum())


def micro(rate: OfTally, tally: Tally) -> Tensor:
    """The rate of the decisions over all labels together."""
    return rate(summed(tally))


def summed(tally: Tally) -> Tally:
    """The counts over all labels together."""
    return Tally(
        tp=tally.tp.sum(), fp=tally.fp.sum(), tn=tally.tn.sum(), fn=tally.fn.sum()
    )  # fmt: skip


def correct(tally: Tally) -> Tensor:
    """Of each label the share of decisions that are right."""
    return divide(tally.tp + tally.tn, tally.tp + tally.fp + tally.tn + tally.fn)


def mistaken(tally: Tally) -> Tensor:
    """Of each label the share of decisions that are wrong."""
    return divide(tally.fp + tally.fn, tally.tp + tally.fp + tally.tn + tally.fn)


def missed(tally: Tally) -> Tensor:
    """Of rows with one label the share that was given another."""
    return divide(tally.fn.sum(), (tally.tp + tally.fn).sum())


def matthews(tally: Tally) -> Tensor:
    """Matthews correlation of labels given and there; 0 where either is the same in all rows."""
    given, there_ = tally.tp + tally.fp, tally.tp + tally.fn
    rows = there_.sum()
    both = tally.tp.sum() * rows - (given * there_).sum()
    spreads = [rows * rows - (part * part).sum() for part in (given, there_)]
    return divide(both, spreads[0].sqrt() * spreads[1].sqrt())


def matthews_of_decisions(tally: Tally) -> Tensor:
    """Matthews correlation of the decisions over all labels together."""
    all_ = summed(tally)
    yes_and_no = Tally(
        tp=torch.stack([all_.tn, all_.tp]), fp=torch.stack([all_.fn, all_.fp]),
        tn=torch.stack([all_.tp, all_.tn]), fn=torch.stack([all_.fp, all_.fn]),
    )  # fmt: skip
    return matthews(yes_and_no)


def kappa(tally: Tally) -> Tensor:
    """Cohen's kappa; 0 where all rows have one label and are given it."""
    given, there_ = tally.tp + tally.fp, tally.tp + tally.fn
    rows = there_.sum()
    chance = divide((given * there_).sum(), rows)
    return divide(tally.tp.sum() - chance, rows - chance)


Ordered = Callable[[Tensor, Tensor], Tensor]
"""A number of scores, (rows,), and whether what they speak for is there, (rows,)."""


def one_label_each(rate: Ordered, scores: Tensor, targets: Tensor) -> Tensor:
    """The rate of the second of two labels; of more the mean of each against the rest, where it is there."""
    ids = targets[:, 0].long()
    if scores.shape[1] == 2:
        return rate(scores[:, 1], ids == 1)
    return each_label(rate, scores, torch.nn.functional.one_hot(ids, scores.shape[1]))


def each_label(rate: Ordered, scores: Tensor, targets: Tensor) -> Tensor:
    """The plain mean of the rate over the labels that some rows have and some have not."""
    has = targets.bool()
    told = [i for i in range(scores.shape[1]) if 0 < int(has[:, i].sum()) < len(has)]
    if not told:  # nothing can be ordered: the rate of one label tells what that comes to
        return rate(scores[:, 0], has[:, 0])
    return torch.stack([rate(scores[:, i], has[:, i]) for i in told]).mean()


def auroc(scores: Tensor, has: Tensor) -> Tensor:
    """The chance that a row with the label has the higher score than one without; 0.5 without such pairs."""
    ours, others = has.sum().double(), (~has).sum().double()
    above = ranks(scores)[has].sum() - ours * (ours + 1) / 2
    return divide(above, ours * others, empty=0.5)


def average_precision(scores: Tensor, has: Tensor) -> Tensor:
    """The mean of the precision at each row with the label; 0 where there is none."""
    _, place, count = torch.unique(scores, return_inverse=True, return_counts=True)
    found = torch.bincount(place, weights=has.double(), minlength=len(count)).flip(0)
    precisions = divide(found.cumsum(0), count.flip(0).cumsum(0).double())
    return divide((found * precisions).sum(), found.sum())


def calibration_error(scores: Tensor, targets: Tensor) -> Tensor:
    """The mean over 15 equal bins of confidence of their gap to the share that is right, by their rows."""
    confidence, given = scores.max(dim=1)
    right = (given == targets[:, 0].long()).double()
    edges = torch.linspace(0, 1, BINS + 1, dtype=torch.float64)[1:-1]
    gaps = scores.new_zeros(BINS).scatter_add_(
        0, torch.bucketize(confidence, edges, right=True), right - confidence
    )
    return gaps.abs().sum() / len(scores)


def pearson(scores: Tensor, targets: Tensor) -> Tensor:
    """Pearson's correlation; 0 where either is the same in all rows."""
    if is_constant(scores) or is_constant(targets):
        return scores.new_zeros(())
    ours, theirs = scores - scores.mean(), targets - targets.mean()
    norms = [torch.linalg.vector_norm(side) for side in (ours, theirs)]
    product: Tensor = (ours / norms[0] * (theirs / norms[1])).sum()
    return product.clamp(-1, 1)


def spearman(scores: Tensor, targets: Tensor) -> Tensor:
    """Pearson's correlation of the ranks."""
    return pearson(ranks(scores.reshape(-1)), ranks(targets.reshape(-1)))


def mean_squared_error(scores: Tensor, targets: Tensor) -> Tensor:
    """The mean of the squared differences."""
    return (scores - targets).square().mean()


def root_mean_squared_error(scores: Tensor, targets: Tensor) -> Tensor:
    """The root of the mean of the squared differences."""
    return mean_squared_error(scores, targets).sqrt()


def mean_absolute_error(scores: Tensor, targets: Tensor) -> Tensor:
    """The mean of the differences, without their sign."""
    return (scores - targets).abs().mean()


def r2(scores: Tensor, targets: Tensor) -> Tensor:
    """The explained share of the targets' variance; of targets all the same 1 where all are met, else 0."""
    left = (scores - targets).square().sum()
    if is_constant(targets):
        return (left == 0).double() if len(targets) > 1 else scores.new_zeros(())
    return 1 - left / (targets - targets.mean()).square().sum()


def explained_variance(scores: Tensor, targets: Tensor) -> Tensor:
    """As `r2`, of differences from which their mean is taken."""
    return r2(scores - scores.mean(), targets - targets.mean())


def ranks(values: Tensor) -> Tensor:
    """Ranks from 1 on; equal values, (rows,), share the mean of theirs."""
    _, place, count = torch.unique(values, return_inverse=True, return_counts=True)
    last = count.cumsum(0).double()
    middle: Tensor = last - (count.double() - 1) / 2
    return middle[place]


def is_constant(values: Tensor) -> bool:
    """Whether all are the same number."""
    return bool((values == values.reshape(-1)[:1]).all())


def divide(part: Tensor, whole: Tensor, *, empty: float = 0.0) -> Tensor:
    """The share, `empty` where the whole is 0."""
    return torch.where(whole != 0, part / whole.where(whole != 0, 1.0), empty)


def _mean_over(values: Tensor, is_counted: Tensor) -> Tensor:
    return divide((values * is_counted).sum(), is_counted.sum().double())
