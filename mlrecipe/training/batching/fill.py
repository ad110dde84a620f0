"""How much of the batches is tokens and how much padding."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


class Fill:
    """Counts tokens and places."""

    def __init__(self) -> None:
        self._tokens = 0
        self._places = 0

    def add(self, lengths: NDArray[np.int64], *, width: int | None = None) -> None:
        """Count one batch of rows with these lengths, padded to `width` or else to the longest."""
        self._tokens += int(lengths.sum())
        self._places += (int(lengths.max(initial=0)) if width is None else width) * len(lengths)

    @property
    def share(self) -> float:
        """Tokens over places, from 0 to 1; 1 before any batch."""
        return self._tokens / self._places if self._places else 1.0

    @property
    def tokens(self) -> int:
        """Tokens counted."""
        return self._tokens

    def state_dict(self) -> dict[str, int]:
        """What was counted, as plain numbers."""
        return {"tokens": self._tokens, "places": self._places}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on counting from there."""
        self._tokens, self._places = state["tokens"], state["places"]
