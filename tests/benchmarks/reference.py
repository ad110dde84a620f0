"""Compare training here with plain `transformers.Trainer`, on real reviews and a real encoder.

Both learn from 2,000 reviews and are tested on 2,000 others (seeded, stratified, at most 128
tokens), with the same settings.

    python -m tests.benchmarks.reference --data FOLDER --model FOLDER --part losses
    python -m tests.benchmarks.reference --data FOLDER --model FOLDER --part seeds

`losses`: same initial weights, same batches, no dropout: the first 50 losses must agree within
1e-4. `seeds`: three pairs of runs as a user of each would start them; prints the test accuracies,
their paired differences with a 95 % interval (Student's t), and the time that each took.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import math
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytorch_lightning as pl
import torch
from datasets import Dataset
from torch.utils.data import DataLoader
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    PreTrainedTokenizerBase,
    Trainer,
    TrainingArguments,
)
from transformers.utils import logging

from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.interfaces import Head
from mlrecipe.recipe.schema import Component, TestSpec, TrainSpec
from mlrecipe.registry import Kind, registries
from mlrecipe.training.batching.arithmetic import arithmetic
from mlrecipe.training.batching.drawing import everything
from mlrecipe.training.batching.epochs import BySize
from mlrecipe.training.batching.rows import Rows
from mlrecipe.training.batching.samplers import TrainBatches
from mlrecipe.training.fit import FitReport, fit
from mlrecipe.training.test import test

T = TypeVar("T")

LABELS = ["neg", "pos"]
HEAD = Head(problem_type="single_label_classification", labels=tuple(LABELS))
ROWS = 2_000
MAX_LENGTH = 128
BATCH = 32
RATE = 5e-5
DECAY = 0.01
WARMUP = 0.06
CLIP = 1.0
STEPS = 50
TOLERANCE = 1e-4
SAMPLE_SEED = 615926
T_975 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}
"""The 97.5 % point of Student's t by degrees of freedom."""


def main() -> int:
    """Run one part; the exit code is 1 when its claim does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of train and test csv.gz")
    parser.add_argument("--model", type=Path, required=True, help="folder of the encoder")
    parser.add_argument("--part", choices=("losses", "seeds"), required=True)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    data = {name: read(options.data, name, tokenizer) for name in ("train", "test")}
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}")
    with tempfile.TemporaryDirectory() as scratch:
        if options.part == "losses":
            return compare_losses(options.model, data, Path(scratch))
        seeds = range(1, options.seeds + 1)
        return compare_seeds(options.model, data, Path(scratch), seeds, options.epochs, tokenizer)


def read(folder: Path, split: str, tokenizer: PreTrainedTokenizerBase) -> Dataset:
    """`ROWS` reviews of a split, as many of each label, tokenized."""
    with gzip.open(folder / f"{split}.csv.gz", "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    labels = np.array([LABELS.index(row["label"]) for row in rows])
    random = np.random.default_rng(SAMPLE_SEED)
    each = ROWS // len(LABELS)
    chosen = [random.choice(np.flatnonzero(labels == i), each, replace=False) for i in (0, 1)]
    order = random.permutation(np.concatenate(chosen))
    texts = [rows[i]["text"] for i in order]
    encoded = tokenizer(texts, truncation=True, max_length=MAX_LENGTH)
    return Dataset.from_dict({**encoded, "label": labels[order]})


def compare_losses(model: Path, data: Mapping[str, Dataset], scratch: Path) -> int:
    """The first losses of both, from the same weights over the same batches without dropout."""
    start = start_from(model, seed=1, folder=scratch / "start")
    theirs = losses_there(start, data["train"], scratch / "there")
    ours = losses_here(start, data, scratch / "here")
    gaps = [abs(a - b) for a, b in zip(ours, theirs, strict=True)]
    print(f"first and last loss here  {ours[0]:.6f} {ours[-1]:.6f}")
    print(f"first and last loss there {theirs[0]:.6f} {theirs[-1]:.6f}")
    print(f"largest difference of {len(gaps)} losses: {max(gaps):.2e} (at most {TOLERANCE:.0e})")
    return int(max(gaps) > TOLERANCE)


def losses_here(start: Path, data: Mapping[str, Dataset], folder: Path) -> list[float]:
    """Losses of mlrecipe's first steps."""
    seen: list[float] = []

    class Record(pl.Callback):
        def on_train_batch_end(self, *args: Any) -> None:
            seen.append(float(args[2]["loss"]))

    spec = spec_for(max_steps=STEPS, callbacks={"record": Component(use="Record")})
    train_here(start, data, folder, spec=spec, seed=1, extra={"Record": Record}, dropout=0.0)
    return seen


def losses_there(start: Path, train: Dataset, folder: Path) -> list[float]:
    """Losses of the Trainer's first steps, over the batches of mlrecipe's sampler."""
    task = TextClassification(labels=LABELS)
    rows = task.encode(train, HEAD, split="train")
    lengths = task.lengths(rows)
    order = BySize(
        lengths, arithmetic(BATCH, None, 1), seed=1, drawing=everything(len(lengths))
    )  # fmt: skip
    batches = TrainBatches(order)
    loader: DataLoader[Any] = DataLoader(
        Rows(rows, task.collate, lengths=lengths), sampler=batches, batch_size=None
    )
    seen: list[float] = []

    class Same(Trainer):
        def get_train_dataloader(self) -> DataLoader[Any]:
            return loader

        def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
            loss = super().training_step(*args, **kwargs)
            seen.append(float(loss))
            return loss

    network = Transformer(checkpoint=str(start), dropout=0.0).build(HEAD)
    arguments = arguments_for(folder, seed=1, steps=STEPS, max_steps=STEPS)
    Same(model=network, args=arguments, train_dataset=rows).train()
    return seen


def compare_seeds(
    model: Path, data: Mapping[str, Dataset], scratch: Path, seeds: range, epochs: int,
    tokenizer: PreTrainedTokenizerBase,
) -> int:  # fmt: skip
    """Accuracies and times of pairs of runs; each pair starts from the same weights."""
    differences, here_seconds, there_seconds = [], 0.0, 0.0
    for seed in seeds:
        start = start_from(model, seed=seed, folder=scratch / f"start-{seed}")

        def here(start: Path = start, seed: int = seed) -> float:
            folder = scratch / f"here-{seed}"
            return accuracy_here(start, data, folder, seed=seed, epochs=epochs)

        def there(start: Path = start, seed: int = seed) -> float:
            folder = scratch / f"there-{seed}"
            return accuracy_there(start, data, folder, tokenizer, seed=seed, epochs=epochs)

        first_here = seed % 2 == 1  # neither always runs on the warmer machine
        if first_here:
            (a, seconds_a), (b, seconds_b) = timed(here), timed(there)
        else:
            (b, seconds_b), (a, seconds_a) = timed(there), timed(here)
        differences.append(a - b)
        here_seconds += seconds_a
        there_seconds += seconds_b
        times = f"mlrecipe {a:.4f} in {seconds_a:.0f} s, Trainer {b:.4f} in {seconds_b:.0f} s"
        print(f"seed {seed}: {times}, difference {a - b:+.4f}", flush=True)
    low, high = interval(differences)
    holds = low <= 0 <= high
    print(f"mean difference {statistics.mean(differences):+.4f}, 95 % interval {low:+.4f} to "
          f"{high:+.4f}: {'holds' if holds else 'does NOT hold'} 0")  # fmt: skip
    print(f"time, training and test: {here_seconds:.0f} s against {there_seconds:.0f} s, "
          f"{there_seconds / here_seconds:.2f} times as fast")  # fmt: skip
    return int(not holds)


def accuracy_here(
    start: Path, data: Mapping[str, Dataset], folder: Path, *, seed: int, epochs: int
) -> float:
    """Test accuracy after training with mlrecipe."""
    report = train_here(start, data, folder, spec=spec_for(epochs=epochs), seed=seed)
    tested = test(
        task=TextClassification(labels=LABELS), model=Transformer(checkpoint=str(start)),
        spec=TestSpec(), data=data, checkpoint=report.model_folder, folder=folder,
    )  # fmt: skip
    return tested.metrics["test/accuracy"]


def accuracy_there(
    start: Path, data: Mapping[str, Dataset], folder: Path, tokenizer: PreTrainedTokenizerBase,
    *, seed: int, epochs: int,
) -> float:  # fmt: skip
    """Test accuracy after training with the Trainer."""
    network = AutoModelForSequenceClassification.from_pretrained(start, dtype=torch.float32)
    steps = epochs * math.ceil(ROWS / BATCH)
    trainer = Trainer(
        model=network, args=arguments_for(folder, seed=seed, steps=steps, epochs=epochs),
        train_dataset=data["train"], data_collator=DataCollatorWithPadding(tokenizer),
    )  # fmt: skip
    trainer.train()
    output = trainer.predict(data["test"])
    return float((output.predictions.argmax(axis=1) == output.label_ids).mean())


def train_here(
    start: Path, data: Mapping[str, Dataset], folder: Path, *, spec: TrainSpec, seed: int,
    extra: Mapping[str, Any] | None = None, dropout: float | None = None,
) -> FitReport:  # fmt: skip
    """One training with mlrecipe."""
    folder.mkdir()

    def components(kind: Kind, component: Component) -> Any:
        return (extra or {}).get(component.use) or registries[kind].get(component.use)

    return fit(
        task=TextClassification(labels=LABELS), spec=spec, seed=seed, data=data, folder=folder,
        model=Transformer(checkpoint=str(start), dropout=dropout), components=components,
    )  # fmt: skip


def spec_for(**changes: Any) -> TrainSpec:
    """The settings of the comparison for mlrecipe."""
    return TrainSpec(
        data="tokens", valid_split="", batch_size=BATCH,
        optimizer=Component(use="AdamW", params={"lr": RATE, "weight_decay": DECAY}),
        scheduler=Component(use="linear", params={"warmup": WARMUP}),
        trainer={"gradient_clip_val": CLIP, "accelerator": "cpu"}, **changes,
    )  # fmt: skip


def arguments_for(
    folder: Path, *, seed: int, steps: int, epochs: int = 3, max_steps: int = -1
) -> TrainingArguments:
    """The settings of the comparison for the Trainer, which takes `steps` steps in all."""
    return TrainingArguments(
        output_dir=str(folder), per_device_train_batch_size=BATCH, per_device_eval_batch_size=64,
        num_train_epochs=epochs, max_steps=max_steps, learning_rate=RATE, weight_decay=DECAY,
        lr_scheduler_type="linear", warmup_steps=math.ceil(WARMUP * steps), max_grad_norm=CLIP,
        seed=seed, save_strategy="no", report_to=[], disable_tqdm=True, logging_strategy="no",
        use_cpu=True,
    )  # fmt: skip


def start_from(model: Path, *, seed: int, folder: Path) -> Path:
    """The encoder with a fresh head, saved, so that both can start from the same weights."""
    torch.manual_seed(seed)
    builder = Transformer(checkpoint=str(model))
    folder.mkdir()
    builder.save(builder.build(HEAD), folder)
    return folder


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What the work gives, and its seconds."""
    started = time.perf_counter()
    return work(), time.perf_counter() - started


def interval(differences: list[float]) -> tuple[float, float]:
    """The 95 % interval of the mean of the differences, by Student's t."""
    mean = statistics.mean(differences)
    spread = statistics.stdev(differences) / math.sqrt(len(differences))
    reach = T_975[len(differences) - 1] * spread
    return mean - reach, mean + reach


if __name__ == "__main__":
    sys.exit(main())
