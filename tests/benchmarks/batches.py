"""What batches cost and how full they are, at 1, 2, 4 and 8 times the rows; nothing is trained.

Makes rows with lengths as short texts have them, memory-mapped from a temporary folder. The order's cost is
that of planning an epoch, the loader's that of a whole pass, order and tensors, both in processor time.
`padded` is how many times as many places the rows take when all are padded to the longest. Exits with 1 when a
batch fill is under 90 %, or when a row costs more than twice as much at 8 times the rows.

usage: python -m tests.benchmarks.batches [--rows 8000] [--batch-size 32] [--workers 2]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
from datasets import Dataset, load_from_disk
from torch.utils.data import DataLoader

from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.interfaces import Head
from mlrecipe.recipe.schema import TrainSpec
from mlrecipe.training.data import TrainData

TIMES = (1, 2, 4, 8)
MODES = ("bucket", "tokens", "fixed", "shuffle")
FULL = ("bucket", "tokens")
LEAST_FILL, MOST_GROWTH = 0.9, 2.0
ROUNDS = 3
LONGEST = 128
TASK = TextClassification(labels=["a", "b"])
HEAD = Head(problem_type="single_label_classification", labels=("a", "b"))


def main() -> int:
    """Measure and print a Markdown table."""
    options = _options()
    datasets.disable_progress_bars()
    print("| batching | rows | batches | fill | padded | order, µs a row | loader, µs a row |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    missed, costs = [], {}
    with tempfile.TemporaryDirectory() as folder:
        for times in TIMES:
            rows = made(options.rows * times, Path(folder) / str(times))
            for mode in MODES:
                data = data_of(rows, mode, options.batch_size)
                order, loader = order_cost(data), loader_cost(data)
                costs[mode, times] = (order + loader) / len(rows)
                padded = len(rows) * LONGEST / (TASK.lengths(rows).sum() / data.fill.share)
                print(
                    f"| {mode} | {len(rows):,} | {len(data.batches):,} | {data.fill.share:.1%} "
                    f"| {padded:.2f} | {1e6 * order / len(rows):.2f} "
                    f"| {1e6 * loader / len(rows):.1f} |"
                )
                if mode in FULL and data.fill.share < LEAST_FILL:
                    missed.append(f"{mode} at {times} times the rows: fill {data.fill.share:.1%}")
        workers(load_from_disk(f"{folder}/1"), options)
    for mode in MODES:
        growth = costs[mode, TIMES[-1]] / costs[mode, 1]
        if growth > MOST_GROWTH:
            missed.append(f"{mode}: a row costs {growth:.1f} times as much at {TIMES[-1]} times")
    for what in missed:
        print(f"missed: {what}")
    return int(bool(missed))


def made(count: int, folder: Path) -> Dataset:
    """Encoded rows on disk, read from there."""
    random = np.random.default_rng(7)
    lengths = np.minimum(random.lognormal(np.log(35), 0.6, count).astype(np.int64) + 2, LONGEST)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    columns = {
        name: pa.ListArray.from_arrays(offsets, pa.array(values))
        for name, values in {
            "input_ids": random.integers(1, 30_000, lengths.sum()).astype(np.int32),
            "attention_mask": np.ones(lengths.sum(), np.int8),
        }.items()
    }
    Dataset(pa.table({**columns, "label": np.arange(count) % 2})).save_to_disk(folder)
    return TASK.encode(load_from_disk(str(folder)), HEAD, split="train")


def data_of(rows: Dataset, mode: str, batch_size: int) -> TrainData:
    """The rows as a training gets them."""
    sizes: dict[str, Any] = {"batch_size": batch_size}
    if mode == "tokens":
        sizes = {"tokens_per_batch": batch_size * LONGEST}
    spec = TrainSpec(batching=mode, epochs=3, **sizes)  # type: ignore[arg-type]
    return TrainData(task=TASK, spec=spec, seed=1, train=rows)


def order_cost(data: TrainData) -> float:
    """Seconds of the processor to plan an epoch."""

    def plan(number: int) -> None:
        data.batches.set_epoch(number)
        next(iter(data.batches))

    return best(plan, time.process_time)


def loader_cost(data: TrainData) -> float:
    """Seconds of the processor for a whole pass."""
    loader = data.train_dataloader()

    def run(number: int) -> None:
        data.batches.set_epoch(number + ROUNDS)
        exhaust(loader)

    return best(run, time.process_time)


def workers(raw: Dataset, options: argparse.Namespace) -> None:
    """What processes that make batches ahead would cost: the time of a pass, their start left out."""
    data = data_of(TASK.encode(raw, HEAD, split="train"), "bucket", options.batch_size)
    ours = data.train_dataloader()
    loader: DataLoader[Any] = DataLoader(
        ours.dataset, sampler=data.batches, batch_size=None, num_workers=options.workers,
        persistent_workers=True,
    )  # fmt: skip
    exhaust(loader)
    alone, helped = best(lambda _: exhaust(ours)), best(lambda _: exhaust(loader))
    print(
        f"\nA pass over {len(raw):,} rows: {alone:.2f} s without workers, {helped:.2f} s with "
        f"{options.workers}, {1e3 * alone / len(data.batches):.2f} ms a batch without."
    )


def exhaust(batches: Iterable[Any]) -> None:
    """Take every batch."""
    for _ in batches:
        pass


def best(work: Callable[[int], None], clock: Callable[[], float] = time.perf_counter) -> float:
    """The least seconds of several rounds."""
    seconds = []
    for number in range(ROUNDS):
        started = clock()
        work(number)
        seconds.append(clock() - started)
    return min(seconds)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=8_000)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--workers", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
