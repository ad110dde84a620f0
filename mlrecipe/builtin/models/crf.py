"""A linear-chain CRF: which sequence of tags goes with what a network says of each word.

Lafferty, McCallum and Pereira, "Conditional Random Fields", ICML 2001. The score of a sequence of tags is that
of its first tag, of its last, of each tag for its word and of each step from one tag to the next. All is
computed as logarithms, for a whole batch at a time, word after word.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from mlrecipe.tagging.schemes import Legal


class Crf(nn.Module):
    """Learns the transitions between tags. At first all of them are alike: each word is tagged by itself."""

    def __init__(self, tags: int) -> None:
        """Make the transitions between so many tags, all 0."""
        super().__init__()
        self.transitions = nn.Parameter(torch.zeros(tags, tags))
        """From a tag to the next one, shape (tags, tags)."""
        self.start = nn.Parameter(torch.zeros(tags))
        self.end = nn.Parameter(torch.zeros(tags))

    def log_likelihood(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """The logarithm of each row's probability of its tags, shape (rows,); 0 for a row without words.

        Args:
            emissions: what the network says of each word, shape (rows, words, tags).
            tags: ids, shape (rows, words); anything where there is no word.
            mask: true where there is a word, shape (rows, words); the words of a row come first.
        """
        return self._chain().log_likelihood(emissions, tags, mask)

    def decode(self, emissions: Tensor, mask: Tensor, legal: Legal | None = None) -> Tensor:
        """The ids of each row's most probable tags, (rows, words), -1 where there is no word.

        Arguments as for `log_likelihood`; `legal` leaves out sequences that a scheme does not allow, as long as
        it allows any.
        """
        return self._chain().but(legal, emissions).decode(emissions, mask)

    def marginals(self, emissions: Tensor, mask: Tensor, legal: Legal | None = None) -> Tensor:
        """The probability of each tag of each word over all sequences, shape (rows, words, tags).

        Arguments as for `decode`; 0 where there is no word.
        """
        return self._chain().but(legal, emissions).marginals(emissions, mask)

    def _chain(self) -> Chain:
        return Chain(self.transitions, self.start, self.end)


class Chain:
    """Scores of transitions, and what follows from them."""

    def __init__(self, transitions: Tensor, start: Tensor, end: Tensor) -> None:
        """Take scores of shape (tags, tags), from and to, and of the first and the last tag, (tags,)."""
        self._steps, self._start, self._end = transitions, start, end

    @classmethod
    def free(cls, emissions: Tensor) -> Chain:
        """All transitions alike, of as many tags as the emissions have."""
        tags = emissions.shape[-1]
        zeros = emissions.new_zeros(tags)
        return cls(emissions.new_zeros(tags, tags), zeros, zeros)

    def but(self, legal: Legal | None, emissions: Tensor) -> Chain:
        """This chain without what is not legal: that costs more than all emissions together can make up for.

        Not endlessly much, so that there is a best sequence also where none is legal.
        """
        if legal is None:
            return self
        words = max(1, emissions.shape[1])
        spread = 0.0
        for scores in (emissions.detach(), self._steps, self._start, self._end):
            spread += float((scores.max() - scores.min()).item()) if scores.numel() else 0.0
        cost = -(1e4 + 4 * words * spread)
        parts = ((self._steps, legal.follows), (self._start, legal.start), (self._end, legal.end))
        return Chain(*(scores + _cost(scores, allowed, cost) for scores, allowed in parts))

    def log_likelihood(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """As `Crf` has it."""
        emissions = functional.log_softmax(
            emissions, dim=-1
        )  # small numbers: the result is the same
        tags = tags.clamp(min=0)
        scores = self._score(emissions, tags, mask)
        total = self._forward(emissions, mask)[-1]
        found = scores - torch.logsumexp(total + self._end, dim=-1)
        return torch.where(mask[:, 0], found, 0.0)

    def decode(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """As `Crf` has it, by the algorithm of Viterbi."""
        best, origins = self._start + emissions[:, 0], []
        still = torch.arange(emissions.shape[-1], device=emissions.device).expand_as(best)
        for word in range(1, emissions.shape[1]):
            scores, origin = (best[:, :, None] + self._steps).max(dim=1)
            is_word = mask[:, word, None]
            best = torch.where(is_word, scores + emissions[:, word], best)
            best = best - best.amax(dim=-1, keepdim=True)  # only differences count
            origins.append(torch.where(is_word, origin, still))
        tag = (best + self._end).argmax(dim=-1)
        found = [tag]
        for origin in reversed(origins):
            tag = origin.gather(1, tag[:, None])[:, 0]
            found.append(tag)
        return torch.where(mask, torch.stack(found[::-1], dim=1), -1)

    def marginals(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """As `Crf` has it, by the forward and the backward algorithm."""
        emissions = functional.log_softmax(emissions, dim=-1)
        ahead = self._forward(emissions, mask, level=True)
        after = self._end.expand_as(ahead[0])
        behind = [after]
        for word in range(emissions.shape[1] - 1, 0, -1):
            given = self._steps + (after + emissions[:, word])[:, None, :]
            after = torch.where(mask[:, word, None], _level(torch.logsumexp(given, dim=2)), after)
            behind.append(after)
        both = torch.stack(ahead, dim=1) + torch.stack(behind[::-1], dim=1)
        return both.softmax(dim=-1) * mask[:, :, None]

    def _forward(self, emissions: Tensor, mask: Tensor, *, level: bool = False) -> list[Tensor]:
        """For each word the scores of all sequences that end in each tag there, each (rows, tags).

        Behind a row's last word they stay. With `level` those of a word come to 1 together, for which
        long rows need no large numbers.
        """
        scores = self._start + emissions[:, 0]
        found = [_level(scores) if level else scores]
        for word in range(1, emissions.shape[1]):
            paths = found[-1][:, :, None] + self._steps
            scores = torch.logsumexp(paths, dim=1) + emissions[:, word]
            scores = _level(scores) if level else scores
            found.append(torch.where(mask[:, word, None], scores, found[-1]))
        return found

    def _score(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """The score of each row's own tags, (rows,); of rows without words anything."""
        own = emissions.gather(2, tags[:, :, None])[:, :, 0]
        steps = self._steps[tags[:, :-1], tags[:, 1:]]
        last = (mask.sum(dim=1) - 1).clamp(min=0)
        ends = self._start[tags[:, 0]] + self._end[tags.gather(1, last[:, None])[:, 0]]
        # Not by products with the mask: what is endless there would be no number.
        own = torch.where(mask, own, 0.0).sum(dim=1)
        return own + torch.where(mask[:, 1:], steps, 0.0).sum(dim=1) + ends


def _level(scores: Tensor) -> Tensor:
    return scores - torch.logsumexp(scores, dim=-1, keepdim=True)


def _cost(
    scores: Tensor, allowed: Sequence[Sequence[bool]] | Sequence[bool], cost: float
) -> Tensor:
    may = torch.tensor(allowed, dtype=torch.bool, device=scores.device)
    return torch.where(may, 0.0, cost).to(scores)
