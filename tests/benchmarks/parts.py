"""Seconds of a step's forward and backward pass, whole and in parts that the processor's caches hold.

    python -m tests.benchmarks.parts --model FOLDER [--threads 1]

32 rows of 128, 256 and 512 tokens through an encoder with a classifier, in fp32. Exits with 1 when rows of 512
are not at least 1.5 times faster in parts, as training takes them by itself, than whole.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers.utils import logging

from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.cli.session import quiet_libraries
from mlrecipe.interfaces import Head
from mlrecipe.training import parting

ROWS, WIDTHS, LEAST = 32, (128, 256, 512), 1.5
TASK = TextClassification(labels=["0", "1"])


def main() -> int:
    """Measure, print a Markdown table and the limit."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path, required=True, help="folder of the encoder")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    logging.disable_progress_bar()
    head = Head(problem_type="single_label_classification", labels=("0", "1"))
    network = Transformer(checkpoint=str(options.model)).build(head).train()
    own = parting.most(network)
    print("| tokens of a row | whole | 8 rows | 4 rows | 2 rows | 1 row | as training does |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    for width in WIDTHS:
        taken = [seconds(network, width, rows * width) for rows in (ROWS, 8, 4, 2, 1)]
        taken.append(seconds(network, width, own))
        print(f"| {width} | " + " | ".join(f"{each:.1f}" for each in taken) + " |", flush=True)
    ratio = taken[0] / taken[-1]
    print(f"\n512 tokens: {ratio:.2f} times faster in parts, at least {LEAST}")
    return int(ratio < LEAST)


def seconds(network: nn.Module, width: int, places: int) -> float:
    """Wall-clock time of one step, after a part to warm up."""
    parts: Sequence[parting.Part] = TASK.separate(batch_of(width), places)
    learn(network, parts[:1])
    network.zero_grad()
    started = time.perf_counter()
    learn(network, parts)
    return time.perf_counter() - started


def learn(network: nn.Module, parts: Sequence[parting.Part]) -> None:
    """Forward and backward, one part after the other."""
    for part, share in parts:
        (TASK.step(network, part).loss * share).backward()  # type: ignore[no-untyped-call]


def batch_of(width: int) -> dict[str, Tensor]:
    """Rows of random tokens."""
    random = torch.Generator().manual_seed(1)
    ids = torch.randint(1000, 20000, (ROWS, width), generator=random)
    labels = torch.randint(0, 2, (ROWS,), generator=random)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}


if __name__ == "__main__":
    quiet_libraries(is_offline=True)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
