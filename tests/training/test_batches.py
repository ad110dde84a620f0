"""Which rows come together, in which order, and what each batch weighs."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
import pytest

from mlrecipe.errors import DataError
from mlrecipe.training.batching.arithmetic import Batching, arithmetic
from mlrecipe.training.batching.drawing import everything
from mlrecipe.training.batching.epochs import BySize, ByTokens, Epoch
from mlrecipe.training.batching.fill import Fill
from mlrecipe.training.batching.samplers import FileBatches, SortedBatches, TrainBatches


def lengths_of(count: int) -> np.ndarray:
    """Lengths as short texts have them: many short, a few long, none above 128."""
    random = np.random.default_rng(7)
    return np.minimum(random.lognormal(np.log(35), 0.6, count).astype(np.int64) + 2, 128)


def by_size(
    lengths: np.ndarray, *, batch_size: int = 8, limit: int | None = None, ranks: int = 1,
    seed: int = 1, bucket: bool = True,
) -> BySize:  # fmt: skip
    return BySize(
        lengths, arithmetic(batch_size, limit, ranks), seed=seed, bucket=bucket,
        drawing=everything(len(lengths)),
    )  # fmt: skip


def by_tokens(lengths: np.ndarray, **changes: Any) -> ByTokens:
    settings: dict[str, Any] = {"seed": 1, "epochs": 5, "drawing": everything(len(lengths))}
    return ByTokens(lengths, **{"budget": 1024, **settings, **changes})


def epoch_of(order: Any, number: int = 0, *, rank: int = 0) -> list[list[int]]:
    return [batch.tolist() for batch in order.epoch(number).batches(rank)]


def fill_of(lengths: np.ndarray, order: Any, number: int = 0) -> float:
    fill = Fill()
    for batch in order.epoch(number).batches(0):
        fill.add(lengths[batch])
    return fill.share


@pytest.mark.parametrize("bucket", [True, False])
@pytest.mark.parametrize(
    ("ranks", "rows"),
    [(1, 1), (1, 7), (1, 8), (1, 1001), (2, 2), (2, 7), (2, 8), (2, 9), (2, 1000), (2, 1001)],
)
@pytest.mark.parametrize("limit", [None, 2, 1])
def test_training_24_an_epoch_visits_every_row_once(
    bucket: bool, rows: int, ranks: int, limit: int | None
):
    """One process or two together see each row once, in equally many batches that none may lack."""
    order = by_size(lengths_of(rows), limit=limit, ranks=ranks, bucket=bucket)
    epochs = [epoch_of(order, rank=rank) for rank in range(ranks)]

    seen = [row for epoch in epochs for batch in epoch for row in batch]

    assert sorted(seen) == list(range(rows))
    assert {len(epoch) for epoch in epochs} == {len(order)}
    assert all(batch for epoch in epochs for batch in epoch)


@pytest.mark.parametrize("make", [by_size, by_tokens])
@pytest.mark.parametrize("ranks", [1, 2])
def test_glue_24_each_epoch_has_an_order_of_its_own_that_the_seed_decides(make: Any, ranks: int):
    """On each rank: the same seed gives the same order, another epoch or another seed another one."""
    share = {"ranks": ranks} if make is by_size else {"world_size": ranks}
    lengths = lengths_of(500)

    def orders(seed: int) -> list[list[list[list[int]]]]:
        order = make(lengths, seed=seed, **share)
        return [[epoch_of(order, n, rank=rank) for rank in range(ranks)] for n in range(3)]

    first = orders(1)

    assert first == orders(1)
    assert first != orders(2)
    for rank in range(ranks):
        assert len({str(epoch[rank]) for epoch in first}) == 3


@pytest.mark.parametrize(("ranks", "rows"), [(1, 1), (1, 1001), (2, 9), (2, 1001), (3, 1000)])
def test_training_24_batches_by_tokens_visit_every_row_once(ranks: int, rows: int):
    """Every epoch, in as many batches as every other, on one process or several."""
    lengths = lengths_of(rows)
    order = by_tokens(lengths, world_size=ranks)

    for number in range(5):
        epochs = [epoch_of(order, number, rank=rank) for rank in range(ranks)]
        seen = [row for epoch in epochs for batch in epoch for row in batch]
        assert sorted(seen) == list(range(rows))
        assert {len(epoch) for epoch in epochs} == {len(order)}
        assert all(batch for epoch in epochs for batch in epoch)


def test_batches_by_tokens_keep_to_their_budget():
    """Rows times the longest's tokens never exceed it, and the batches are nearly full."""
    lengths = lengths_of(3000)
    order = by_tokens(lengths)
    places = [lengths[b].max() * len(b) for n in range(5) for b in epoch_of(order, n)]

    assert max(places) <= 1024
    assert np.mean(places) > 0.9 * 1024
    assert fill_of(lengths, order) > 0.95


def test_a_row_longer_than_the_budget_is_an_error():
    """It would never fit; the message says what would do."""
    with pytest.raises(DataError, match="row 1 alone has 9 tokens") as caught:
        by_tokens(np.array([4, 9]), budget=8)

    assert caught.value.key == "train.tokens_per_batch"
    assert "at least 9" in (caught.value.hint or "")


def test_glue_19_batch_arithmetic():
    """A device's share, over its limit, is taken in batches of the limit, else in halves of halves."""
    assert arithmetic(32, None, 1) == Batching(micro=32, accumulation=1)
    assert arithmetic(32, 64, 1) == Batching(micro=32, accumulation=1)
    assert arithmetic(32, 8, 1) == Batching(micro=8, accumulation=4)
    assert arithmetic(32, 8, 2) == Batching(micro=8, accumulation=2, world_size=2)
    assert arithmetic(24, 8, 1) == Batching(micro=8, accumulation=3)
    assert arithmetic(24, 10, 1) == Batching(micro=6, accumulation=4)
    assert arithmetic(64, 12, 2) == Batching(micro=8, accumulation=4, world_size=2)


@pytest.mark.parametrize(
    ("sizes", "key", "hint"),
    [
        ((32, None, 3), "train.batch_size", "30 and 33"),
        ((2, None, 4), "train.batch_size", "4"),
        ((30, 8, 1), "train.device_batch_size", "24 and 32, or `train.device_batch_size` of 6"),
        ((30, 8, 2), "train.device_batch_size", "16 and 32, or `train.device_batch_size` of 5"),
    ],
)
def test_glue_19_sizes_that_do_not_divide_are_an_error(sizes: tuple, key: str, hint: str):
    """It names the nearest sizes that work."""
    with pytest.raises(DataError) as caught:
        arithmetic(*sizes)

    assert caught.value.key == key
    assert hint in (caught.value.hint or "")


def test_batches_have_the_size_asked_for():
    """Only the last one, the rest, is smaller."""
    sizes = [len(b) for b in epoch_of(by_size(lengths_of(1001)))]

    assert sizes == [*[8] * 125, 1]


def test_an_accumulated_step_has_the_rows_of_a_plain_one():
    """However many batches or processes share a step."""
    lengths = lengths_of(100)
    steps = [set(batch) for batch in epoch_of(by_size(lengths, batch_size=16))]
    parts = epoch_of(by_size(lengths, batch_size=16, limit=4))
    shared = by_size(lengths, batch_size=16, limit=4, ranks=2)
    halves = [epoch_of(shared, rank=rank) for rank in range(2)]

    assert [len(part) for part in parts] == [4] * 25
    assert [{*chain(*parts[i : i + 4])} for i in range(0, 25, 4)] == steps
    assert [
        {*chain(*halves[0][i : i + 2], *halves[1][i : i + 2])} for i in range(0, 13, 2)
    ] == steps


@pytest.mark.parametrize("ranks", [1, 2, 3])
@pytest.mark.parametrize("limit", [None, 4, 2, 1])
@pytest.mark.parametrize("rows", [24, 25, 26, 31, 35, 45, 47])
def test_weights_make_a_step_the_mean_over_its_rows(rows: int, limit: int | None, ranks: int):
    """What Lightning makes of the batches' mean losses is then the mean over the rows of the step."""
    order = by_size(lengths_of(rows), batch_size=12, limit=limit, ranks=ranks)
    accumulation = arithmetic(12, limit, ranks).accumulation
    losses = np.random.default_rng(0).random(rows)
    epoch = order.epoch(0)
    batches = [list(epoch.batches(rank)) for rank in range(ranks)]

    for first in range(0, len(order), accumulation):
        chosen = range(first, min(first + accumulation, len(order)))
        seen = np.concatenate([batches[rank][i] for rank in range(ranks) for i in chosen])
        # Processes are averaged; batches are summed, each divided by the number of a whole step.
        made = sum(
            losses[batches[rank][i]].mean()
            * epoch.weight(i, rank, accumulation=accumulation, batches=len(order))
            for rank in range(ranks)
            for i in chosen
        ) / (ranks * accumulation)
        assert made == pytest.approx(losses[seen].mean())


def test_weights_count_only_batches_that_are_made():
    """An epoch of the first three batches ends in a step of one; whole steps weigh 1."""
    epoch = Epoch(np.arange(16), np.full((4, 1), 4))

    weights = [epoch.weight(i, 0, accumulation=2, batches=3) for i in range(3)]

    assert weights == [1, 1, 2]


def test_seed_and_epoch_decide_the_order():
    """The same again is the same; another epoch or seed gives other batches."""
    lengths = lengths_of(500)
    for make in (by_size, by_tokens):
        first, again, other = make(lengths), make(lengths), make(lengths, seed=2)

        assert epoch_of(first, 3) == epoch_of(again, 3)
        assert epoch_of(first, 3) != epoch_of(first, 4)
        assert epoch_of(first, 3) != epoch_of(other, 3)


@pytest.mark.parametrize("make", [by_size, by_tokens])
def test_batches_come_in_no_order_of_length(make: Any):
    """Long and short batches alternate: neither leads."""
    lengths = lengths_of(2000)
    means = [lengths[b].mean() for b in epoch_of(make(lengths))]

    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.2


def test_epochs_differ_in_what_comes_together():
    """Also where all rows would fit one pool: else every epoch would have the same batches."""
    lengths = np.arange(400)
    order = by_size(lengths)
    first, second = ({frozenset(b) for b in epoch_of(order, n)} for n in (0, 1))

    assert len(first & second) < 5


def test_the_rest_is_of_any_length():
    """It comes last, and is neither always the shortest nor always the longest rows."""
    lengths = np.arange(404)
    order = by_size(lengths)
    rests = [lengths[epoch_of(order, number)[-1]].mean() for number in range(20)]

    assert min(rests) < 150
    assert max(rests) > 250


def test_training_22_buckets_fill_batches():
    """On short texts nine places in ten hold a token; by chance it would be about half."""
    lengths = lengths_of(5000)

    assert fill_of(lengths, by_size(lengths, batch_size=32)) >= 0.9
    assert fill_of(lengths, by_size(lengths, batch_size=32, bucket=False)) < 0.6


def test_training_23_buckets_leave_two_fifths_of_the_places():
    """Time goes by places: rows padded to the longest take 2.5 times as many as buckets do."""
    lengths = lengths_of(5000)
    places = sum(
        lengths[batch].max() * len(batch) for batch in epoch_of(by_size(lengths, batch_size=32))
    )

    assert len(lengths) * lengths.max() >= 2.5 * places


def test_fill_is_tokens_over_places():
    """Two rows of 4 and 2 tokens take 8 places, a row of 5 padded to 9 takes 9."""
    fill = Fill()

    fill.add(np.array([4, 2]))
    fill.add(np.array([5]), width=9)

    assert fill.share == (4 + 2 + 5) / (8 + 9)


def test_fill_goes_on_from_its_state():
    """What was counted before an interruption still counts."""
    before, after = Fill(), Fill()
    before.add(np.array([4, 2]))

    after.load_state_dict(before.state_dict())

    assert after.share == before.share == 6 / 8


def test_training_33_an_epoch_goes_on_at_any_batch():
    """The batches from there on are those of the epoch; the next pass is whole again."""
    batches = TrainBatches(by_size(lengths_of(100)))
    batches.set_epoch(2)
    whole = [batch.tolist() for batch in batches]

    batches.start_at(5)

    assert [batch.tolist() for batch in batches] == whole[5:]
    assert [batch.tolist() for batch in batches] == whole


def test_file_batches_keep_the_order_of_the_file():
    """A test's predictions come out row by row."""
    batches = FileBatches(10, batch_size=4)

    assert [batch.tolist() for batch in batches] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert len(batches) == 3


def test_sorted_batches_have_every_row_once():
    """Rows of like length together."""
    lengths = lengths_of(101)
    batches = [batch.tolist() for batch in SortedBatches(lengths, batch_size=8)]

    assert sorted(row for batch in batches for row in batch) == list(range(101))
    assert len(batches) == 13
    assert np.all(np.diff([lengths[batch].mean() for batch in batches]) >= 0)
