"""Draws: the same on every machine for the same seed, made of the raw bits of PCG64.

numpy keeps the stream of its bit generators for good, and that of what is built on them only within a version.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mlrecipe.errors import DataError
from mlrecipe.reporting.part import Ids, Numbers

_CELLS = 1 << 18
"""Numbers that are held at once, of rows times resamples: 2 MB of float64, which stay near the processor."""

_FEW = 8
"""Kinds of rows are few where there are so many times more rows."""


def bits_of(seed: int, *, purpose: int) -> np.random.PCG64:
    """A stream of bits of its own for each purpose.

    Raises:
        DataError: the seed is negative.
    """
    check_seed(seed)
    return np.random.PCG64([seed, purpose])


def check_seed(seed: int) -> None:
    """Raise for a seed that there is not.

    Raises:
        DataError: it is negative.
    """
    if seed < 0:
        raise DataError(f"{seed!r} is no seed", key="seed", hint="take a whole number from 0 on")


def at_once(width: int, resamples: int) -> Iterator[int]:
    """How many resamples to make, again and again, until there are all of them."""
    size = max(_CELLS // max(width, 1), 1)
    for start in range(0, resamples, size):
        yield min(size, resamples - start)


def weights(rows: int, resamples: int, seed: int) -> Iterator[Numbers]:
    """How often each row is drawn in each resample, (resamples, rows), some resamples at a time."""
    bits = bits_of(seed, purpose=0)
    for count in at_once(rows, resamples):
        yield _counted(_places(bits, count, rows), rows)


def kinds(counts: Ids, resamples: int, seed: int) -> Iterator[Numbers]:
    """How often each kind of row is drawn in each resample, (resamples, kinds), some at a time.

    As many rows are drawn as there are; `counts`, (kinds,), says how many of them are of a kind.
    """
    rows = int(counts.sum())
    if len(counts) * _FEW <= rows:
        random = np.random.Generator(bits_of(seed, purpose=1))
        for count in at_once(len(counts), resamples):
            yield random.multinomial(rows, counts / rows, size=count).astype(np.float64)
        return
    bits = bits_of(seed, purpose=0)
    which = np.repeat(np.arange(len(counts)), counts)
    for count in at_once(rows, resamples):
        yield _counted(which[_places(bits, count, rows)], len(counts))


def halves(counts: Ids, resamples: int, seed: int) -> Iterator[Numbers]:
    """Of each kind of row how many come up heads, each with a chance of a half: (resamples, kinds)."""
    rows = int(counts.sum())
    if len(counts) * _FEW <= rows:
        random = np.random.Generator(bits_of(seed, purpose=2))
        for count in at_once(len(counts), resamples):
            yield random.binomial(counts, 0.5, size=(count, len(counts))).astype(np.float64)
        return
    bits = bits_of(seed, purpose=3)
    starts = np.concatenate([[0], counts.cumsum()[:-1]])
    for count in at_once(rows, resamples):
        heads = _coins(bits, count, rows)
        if len(counts) < rows:
            heads = np.add.reduceat(heads, starts, axis=1)
        yield heads


def coins(rows: int, resamples: int, seed: int) -> Iterator[Numbers]:
    """0 or 1 for each row, (resamples, rows), some resamples at a time."""
    bits = bits_of(seed, purpose=3)
    for count in at_once(2 * rows, resamples):
        yield _coins(bits, count, rows)


def every_choice(rows: int) -> Numbers:
    """All ways to choose 0 or 1 for each row, (2 ** rows, rows)."""
    numbers = np.arange(1 << rows)[:, None] >> np.arange(rows)
    return (numbers & 1).astype(np.float64)


def _places(bits: np.random.PCG64, resamples: int, rows: int) -> NDArray[np.int64]:
    """Rows drawn with replacement, (resamples, rows); a row's chance is right to 2 ** -32."""
    size = resamples * rows
    raw = np.asarray(bits.random_raw((size + 1) // 2), "<u8").view("<u4")
    places = (raw[:size].astype(np.uint64) * np.uint64(rows)) >> np.uint64(32)
    found: NDArray[np.int64] = places.astype(np.int64).reshape(resamples, rows)
    return found


def _coins(bits: np.random.PCG64, resamples: int, rows: int) -> Numbers:
    size = resamples * rows
    raw = np.asarray(bits.random_raw((size + 63) // 64), np.uint64).astype("<u8")
    found = np.unpackbits(raw.view(np.uint8), count=size, bitorder="little")
    return found.reshape(resamples, rows).astype(np.float64)


def _counted(places: NDArray[np.int64], count: int) -> Numbers:
    """How often each place is there, resample by resample: (resamples, count)."""
    resamples = len(places)
    flat = (places + np.arange(resamples)[:, None] * count).reshape(-1)
    found = np.bincount(flat, minlength=resamples * count)
    return found.reshape(resamples, count).astype(np.float64)
