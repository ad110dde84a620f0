"""The linear-chain CRF, against all sequences that there are."""

from __future__ import annotations

from itertools import pairwise, product

import pytest
import torch
from torch import Tensor

from mlrecipe.builtin.models.crf import Chain, Crf
from mlrecipe.tagging.schemes import Legal, transitions

TAGS, WORDS = 3, 4
COUNTS = [4, 2, 1, 0]
LABELS = {
    "IOB1": ["O", "B-x", "I-x", "B-y", "I-y"],
    "IOB2": ["O", "B-x", "I-x", "B-y", "I-y"],
    "BIOES": ["O", "B-x", "I-x", "E-x", "S-x", "B-y", "E-y", "S-y"],
    "BILOU": ["O", "B-x", "I-x", "L-x", "U-x", "B-y", "L-y", "U-y"],
}
NO_TWICE = Legal(
    start=[True, True, False], end=[True, False, True],
    follows=[[a != b for b in range(TAGS)] for a in range(TAGS)],
)  # fmt: skip


def chain(tags: int = TAGS, *, scale: float = 1.0) -> Crf:
    """With random transitions."""
    made = Crf(tags).double()
    torch.manual_seed(1)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=scale)
    return made


def said(*shape: int, scale: float = 1.0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64).mul(
        scale
    )


def mask_of(counts: list[int]) -> Tensor:
    return torch.arange(max(counts)) < torch.tensor(counts)[:, None]


def score(crf: Crf, emissions: Tensor, path: tuple[int, ...]) -> Tensor:
    """Added up word by word."""
    found = crf.start[path[0]] + crf.end[path[-1]]
    for word, tag in enumerate(path):
        found = found + emissions[word, tag]
    for before, after in pairwise(path):
        found = found + crf.transitions[before, after]
    return found


def paths(count: int, legal: Legal | None = None) -> list[tuple[int, ...]]:
    return [
        path
        for path in product(range(TAGS), repeat=count)
        if legal is None or is_legal(path, legal)
    ]


def is_legal(path: tuple[int, ...] | list[int], legal: Legal) -> bool:
    steps = pairwise(path)
    return (
        legal.start[path[0]] and legal.end[path[-1]] and all(legal.follows[a][b] for a, b in steps)
    )


def test_the_likelihood_is_that_among_all_sequences():
    """Rows of any number of words in one batch; a row without words has one sequence, which is sure."""
    crf, emissions = chain(), said(4, WORDS, TAGS)
    tags = torch.tensor([[0, 2, 1, 1], [1, 0, -100, -100], [2, -100, -100, -100], [-100] * 4])

    found = crf.log_likelihood(emissions, tags, mask_of(COUNTS))

    for row, count in enumerate(COUNTS[:3]):
        all_of = torch.stack([score(crf, emissions[row], path) for path in paths(count)])
        own = score(crf, emissions[row], tuple(tags[row, :count].tolist()))
        assert found[row].item() == pytest.approx((own - all_of.logsumexp(0)).item(), abs=1e-10)
    assert found[3] == 0


@pytest.mark.parametrize("legal", [None, NO_TWICE], ids=["all", "legal"])
def test_the_best_sequence_is_found(legal: Legal | None):
    """Of all, or of those that are allowed; -1 stands where there is no word."""
    crf, emissions = chain(), said(4, WORDS, TAGS)

    found = crf.decode(emissions, mask_of(COUNTS), legal).tolist()

    for row, count in enumerate(COUNTS[:3]):
        every = paths(count, legal)
        best = torch.stack([score(crf, emissions[row], path) for path in every]).argmax()
        assert found[row] == [*every[int(best)], *[-1] * (WORDS - count)]
    assert found[3] == [-1] * WORDS


@pytest.mark.parametrize("legal", [None, NO_TWICE], ids=["all", "legal"])
def test_probabilities_are_those_over_all_sequences(legal: Legal | None):
    """Of each tag of each word; 0 where there is no word."""
    crf, emissions = chain(), said(4, WORDS, TAGS)

    found = crf.marginals(emissions, mask_of(COUNTS), legal)

    for row, count in enumerate(COUNTS):
        expected = torch.zeros(WORDS, TAGS, dtype=torch.float64)
        every = paths(count, legal) if count else []
        weights = [score(crf, emissions[row], path) for path in every]
        for path, share in zip(
            every, torch.stack(weights).softmax(0) if every else [], strict=True
        ):
            for word, tag in enumerate(path):
                expected[word, tag] += share
        assert torch.allclose(found[row], expected, atol=1e-10)


def test_gradients_are_right():
    """Of what the network says and of all transitions, against small changes."""
    mask = mask_of(COUNTS)
    tags = torch.tensor([[0, 2, 1, 1], [1, 0, 0, 0], [2, 0, 0, 0], [0] * 4])
    given = [said(4, WORDS, TAGS), *(p.detach().clone() for p in chain().parameters())]

    def likelihood(emissions: Tensor, *scores: Tensor) -> Tensor:
        return Chain(*scores).log_likelihood(emissions, tags, mask)

    assert torch.autograd.gradcheck(likelihood, [tensor.requires_grad_() for tensor in given])


@pytest.mark.parametrize("scheme", LABELS)
def test_sequence_8_no_illegal_transition_is_emitted(scheme: str):
    """Whatever has been learnt: 200 rows of random weights, some very large."""
    labels = LABELS[scheme]
    legal, scale = transitions(labels, scheme), torch.logspace(-1, 2.5, 200).double()[:, None, None]
    crf, emissions = chain(len(labels), scale=5.0), said(200, 9, len(labels)) * scale
    counts = [1 + row % 9 for row in range(200)]

    found = crf.decode(emissions, mask_of(counts), legal).tolist()

    free = crf.decode(emissions, mask_of(counts)).tolist()
    assert all(is_legal(row[:count], legal) for row, count in zip(found, counts, strict=True))
    assert not all(is_legal(row[:count], legal) for row, count in zip(free, counts, strict=True))


def test_what_allows_nothing_leaves_the_best_sequence():
    """Where tags are missing a scheme may have none for a row: it has tags all the same."""
    legal = transitions(["B-x", "I-x"], "BIOES")

    found = chain(2).decode(said(1, 3, 2), mask_of([3]), legal)

    assert found.min() >= 0


def test_other_rows_and_padding_change_nothing():
    """A row alone gives what it gives among longer ones."""
    crf, emissions = chain().float(), said(4, WORDS, TAGS).float()
    mask = mask_of(COUNTS)

    alone = crf.marginals(emissions[1:2, :2], mask[1:2, :2])

    assert torch.allclose(alone, crf.marginals(emissions, mask)[1:2, :2], atol=1e-6)
    assert (
        crf.decode(emissions, mask)[1, :2].tolist()
        == crf.decode(emissions[1:2, :2], mask[1:2, :2])[0].tolist()
    )


def test_long_rows_keep_their_precision():
    """Of 3,000 words in 32 bits probabilities are those in 64."""
    crf, emissions = chain(), said(1, 3000, TAGS)
    mask = torch.ones(1, 3000, dtype=torch.bool)
    exact = crf.marginals(emissions, mask)

    found = crf.float().marginals(emissions.float(), mask)

    assert torch.allclose(found.double(), exact, atol=1e-4)
