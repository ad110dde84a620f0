"""Words from their bytes: the matrix of their letters, and hashes of what is telling of them.

A letter is a byte plus one; 0 is no letter. All is exact arithmetic on integers, so that a word has the same
numbers on every machine.
"""

from __future__ import annotations

import torch
from torch import Tensor

LETTERS = 257
"""How many different letters there are, no letter among them."""

FEATURES = ("word", "prefix", "suffix", "shape")
"""What is hashed: the whole word in lower case, its first and its last three bytes, and its shape."""

HASHES = 2
_PRIME = 2**31 - 1
_BASES = (1_103_515_245, 1_597_334_677)
_AFFIX, _RUN = 3, 4
_UPPER, _LOWER, _DIGIT, _OTHER = 300, 301, 302, 303


def letters_of(input_ids: Tensor, starts: Tensor, lengths: Tensor, *, most: int) -> Tensor:
    """The letters of each word, one row a word, filled up with 0; shape (words, longest).

    Of a word of more than `most` bytes the first and the last half of so many are taken.

    Args:
        input_ids: letters of each row, shape (rows, width).
        starts: where in its row each word begins, shape (rows, words).
        lengths: of each word in bytes, 0 where there is no word, shape (rows, words).
        most: letters of a word.
    """
    is_word = lengths > 0
    rows = is_word.nonzero()[:, 0]
    first, count = starts[is_word].long(), lengths[is_word].long()
    kept = count.clamp(max=most)
    place = torch.arange(int(kept.max()) if len(kept) else 1, device=input_ids.device)
    left_out = torch.where(place < most // 2, 0, (count - kept).unsqueeze(1))
    found = input_ids[
        rows.unsqueeze(1), (first.unsqueeze(1) + place + left_out).clamp(max=input_ids.shape[1] - 1)
    ]
    return torch.where(place < kept.unsqueeze(1), found.long(), 0)


def powers(most: int) -> Tensor:
    """The factors of each place in each hash, shape (hashes, most + 1)."""
    return torch.tensor([[pow(base, n, _PRIME) for n in range(1, most + 2)] for base in _BASES])


def hashes(letters: Tensor, factors: Tensor) -> dict[str, Tensor]:
    """Two hashes of every feature of each word, shape (words, hashes); none negative.

    Args:
        letters: of each word, shape (words, longest); how much they are filled up changes nothing.
        factors: what `powers` gives.
    """
    lower = torch.where((letters > ord("A")) & (letters <= ord("Z") + 1), letters + 32, letters)
    count = (letters > 0).sum(dim=1, keepdim=True)
    place = count - 1 - torch.arange(_AFFIX, device=letters.device)
    ends = torch.where(place >= 0, letters.gather(1, place.clamp(min=0)), 0)
    shape, places = _shape(letters)
    return {
        "word": _hash(lower, factors[:, : lower.shape[1]]),
        "prefix": _hash(letters[:, :_AFFIX], factors[:, : min(_AFFIX, letters.shape[1])]),
        "suffix": _hash(ends, factors[:, :_AFFIX]),
        "shape": _hash(shape, factors[:, places].transpose(0, 1)),
    }


def _hash(values: Tensor, factors: Tensor) -> Tensor:
    """A polynomial in each base: no sum is above 2**63, for values are below 2**9 and factors below 2**31."""
    return (values.unsqueeze(1) * factors).sum(dim=2) % _PRIME


def _shape(letters: Tensor) -> tuple[Tensor, Tensor]:
    """Kinds of letters in place of the letters, at most four alike in a row, and each one's place then."""
    byte = letters - 1
    kind = letters
    for low, high, name in (
        (65, 90, _UPPER),
        (97, 122, _LOWER),
        (48, 57, _DIGIT),
        (128, 255, _OTHER),
    ):
        kind = torch.where((byte >= low) & (byte <= high), name, kind)
    is_same = torch.zeros_like(kind, dtype=torch.bool)
    is_same[:, 1:] = kind[:, 1:] == kind[:, :-1]
    is_more = is_same.clone()  # as many as four before it are the same
    for back in range(1, _RUN):
        is_more[:, back:] &= is_same[:, :-back]
        is_more[:, :back] = False
    kept = (letters > 0) & ~is_more
    return torch.where(kept, kind, 0), (kept.cumsum(dim=1) - 1).clamp(min=0)
