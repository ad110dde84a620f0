"""To how many places batches are padded: a few widths only, where each new shape costs a compilation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import nn

from mlrecipe.errors import DataError

MOST = 8
"""Shapes of batches at most."""

_MULTIPLE = 8
_CANDIDATES = 512


class Widths:
    """A few widths, the widest that of the longest row."""

    def __init__(self, values: NDArray[np.int64]) -> None:
        self._values = values

    def above(self, longest: int) -> int:
        """The smallest width that takes a row of so many tokens."""
        return int(self._values[np.searchsorted(self._values, longest)])

    @property
    def values(self) -> list[int]:
        """All widths, rising."""
        return [int(value) for value in self._values]


def fixed(width: int) -> Widths:
    """One width for every batch."""
    return Widths(np.array([width]))


def check_places(width: int | None, module: nn.Module) -> None:
    """Raise where batches are to be padded to more places than the network has.

    Raises:
        DataError: it names how many there are.
    """
    for name, layer in module.named_modules():
        if isinstance(layer, nn.Embedding) and name.endswith("position_embeddings"):
            # RoBERTa and its kin count positions from the one after that of padding.
            below = 0 if layer.padding_idx is None else layer.padding_idx + 1
            places = layer.num_embeddings - below
            if width is not None and width > places:
                message = f"the model takes {places} tokens at most, not {width}"
                raise DataError(message, key="train.pad_to")


def few(lengths: NDArray[np.int64], *, most: int) -> Widths:
    """At most so many widths, chosen so that rows of these lengths get the least padding in all."""
    candidates = _candidates(int(lengths.max(initial=1)))
    counts = np.bincount(np.searchsorted(candidates, lengths), minlength=len(candidates))
    upto = np.concatenate([[0], np.cumsum(counts)]).astype(np.float64)
    # places[i, j]: those of rows that are above candidate i and fit candidate j, padded to j.
    rows = np.triu(upto[None, 1:] - upto[:, None][:-1])
    places = np.where(np.tri(len(candidates), k=-1, dtype=bool), np.inf, rows * candidates)
    best, cuts = places[0], []
    for _ in range(min(most, len(candidates)) - 1):
        # The widths before end below i, so row i of `places` goes on from best[i - 1].
        total = np.concatenate([[np.inf], best[:-1]])[:, None] + places
        cut = total.argmin(axis=0)
        fewer = total[cut, np.arange(len(candidates))] >= best
        cuts.append(np.where(fewer, 0, cut))
        best = np.where(fewer, best, total[cut, np.arange(len(candidates))])
    return Widths(candidates[_chosen(cuts, len(candidates) - 1)])


def _chosen(cuts: list[NDArray[np.int64]], last: int) -> list[int]:
    """Walk back from the widest through where each width's rows begin."""
    chosen = [last]
    for cut in reversed(cuts):
        if begin := int(cut[chosen[0]]):
            chosen.insert(0, begin - 1)
    return chosen


def _candidates(longest: int) -> NDArray[np.int64]:
    """Multiples of 8 below the longest, and the longest itself; coarser where there would be very many."""
    step = _MULTIPLE * -(-longest // (_MULTIPLE * _CANDIDATES))
    return np.array([*range(step, longest, step), max(longest, 1)], dtype=np.int64)
