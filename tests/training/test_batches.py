"""Which rows come together, and in which order."""

from __future__ import annotations

import numpy as np
import pytest

from mlrecipe.training.batches import FileBatches, Fill, Share, SortedBatches, TrainBatches


def lengths_of(count: int) -> np.ndarray:
    """Lengths as short texts have them: many short, a few long, none above 128."""
    random = np.random.default_rng(7)
    return np.minimum(random.lognormal(np.log(35), 0.6, count).astype(np.int64) + 2, 128)


def epoch_of(batches: TrainBatches, epoch: int = 0) -> list[list[int]]:
    batches.set_epoch(epoch)
    return [batch.tolist() for batch in batches]


@pytest.mark.parametrize("bucket", [True, False])
@pytest.mark.parametrize(
    ("ranks", "rows"),
    [(1, 1), (1, 7), (1, 8), (1, 1001), (2, 2), (2, 7), (2, 8), (2, 9), (2, 1000), (2, 1001)],
)
def test_training_24_an_epoch_visits_every_row_once(bucket: bool, rows: int, ranks: int):
    """One process or two together see each row once, in equally many batches that none may lack."""
    parts = [
        TrainBatches(lengths_of(rows), batch_size=4, seed=1, bucket=bucket,
                     share=Share(rank=rank, world_size=ranks))
        for rank in range(ranks)
    ]  # fmt: skip

    epochs = [epoch_of(part) for part in parts]

    seen = [row for epoch in epochs for batch in epoch for row in batch]
    assert sorted(seen) == list(range(rows))
    assert {len(epoch) for epoch in epochs} == {len(parts[0])}
    assert all(batch for epoch in epochs for batch in epoch)


def test_batches_have_the_size_asked_for():
    """Only one batch, the rest, is smaller."""
    sizes = [len(b) for b in epoch_of(TrainBatches(lengths_of(1001), batch_size=8, seed=1))]

    assert sorted(sizes) == [1, *[8] * 125]


def test_seed_and_epoch_decide_the_order():
    """The same again is the same; another epoch or seed gives other batches."""
    lengths = lengths_of(500)
    first = TrainBatches(lengths, batch_size=8, seed=1)
    again = TrainBatches(lengths, batch_size=8, seed=1)
    other = TrainBatches(lengths, batch_size=8, seed=2)

    assert epoch_of(first, 3) == epoch_of(again, 3)
    assert epoch_of(first, 3) != epoch_of(first, 4)
    assert epoch_of(first, 3) != epoch_of(other, 3)


def test_batches_come_in_no_order_of_length():
    """Long and short batches alternate: neither leads."""
    lengths = lengths_of(2000)
    means = [lengths[b].mean() for b in epoch_of(TrainBatches(lengths, batch_size=8, seed=1))]

    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.2


def test_training_22_buckets_fill_batches():
    """On short texts nine places in ten hold a token; by chance it would be about half."""
    lengths = lengths_of(5000)

    def fill_of(*, bucket: bool) -> float:
        fill = Fill()
        for batch in TrainBatches(lengths, batch_size=32, seed=1, bucket=bucket):
            fill.add(lengths[batch])
        return fill.share

    assert fill_of(bucket=True) >= 0.9
    assert fill_of(bucket=False) < 0.6


def test_fill_is_tokens_over_places():
    """Two rows of 4 and 2 tokens take 8 places, a row of 5 takes 5."""
    fill = Fill()

    fill.add(np.array([4, 2]))
    fill.add(np.array([5]))

    assert fill.share == (4 + 2 + 5) / (8 + 5)


def test_file_batches_keep_the_order_of_the_file():
    """A test's predictions come out row by row."""
    batches = FileBatches(10, batch_size=4)

    assert [batch.tolist() for batch in batches] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert len(batches) == 3


def test_sorted_batches_share_every_row_once():
    """Two processes validate each row once between them."""
    lengths = lengths_of(101)
    parts = [
        SortedBatches(lengths, batch_size=8, share=Share(rank=rank, world_size=2))
        for rank in range(2)
    ]

    assert sorted(row for part in parts for batch in part for row in batch) == list(range(101))
    assert [len(part) for part in parts] == [len(list(part)) for part in parts]
