"""Compare GLUE tasks here with run_glue's logic in plain `transformers`, at the same settings.

RTE and MRPC whole, CoLA and STS-B with 1,500 rows; the reference reads GLUE's files, pairs the columns, pads
and judges by itself, as run_glue does; `transformers.Trainer` trains it.

    python -m tests.benchmarks.glue rte --data GLUE --model FOLDER --part losses
    python -m tests.benchmarks.glue rte --data GLUE --model FOLDER --part seeds [--epochs 3]

`losses`: same initial weights, same batches, no dropout: the first 50 losses must agree within 1e-4. `seeds`:
three pairs of runs as a user of each would start them; prints the metrics on the dev set, their paired
differences with a 95 % interval (Student's t), and the time that each took.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from datasets import Dataset
from numpy.typing import NDArray
from scipy import stats
from sklearn import metrics as judged
from torch.utils.data import DataLoader
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    PreTrainedTokenizerBase,
    Trainer,
)
from transformers.utils import logging

from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.builtin.tasks.text_regression import TextRegression
from mlrecipe.interfaces import Head, Task
from mlrecipe.recipe.schema import Component, TestSpec, TrainSpec
from mlrecipe.registry import Kind, registries
from mlrecipe.training.fit import FitReport, fit
from mlrecipe.training.test import test
from tests.benchmarks.reference import arguments_for, interval, timed

BATCH, RATE, DECAY, WARMUP, CLIP, LENGTH, STEPS = 32, 2e-5, 0.01, 0.06, 1.0, 128, 50
"""As run_glue and its published table: 2e-5, batches of 32, 128 tokens; decay and warm-up for both alike."""

TOLERANCE = 1e-4
Judge = Callable[[NDArray[Any], NDArray[Any]], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exam:
    """A task of GLUE, as its files have it."""

    folder: str
    texts: tuple[int, ...]
    """Columns of the texts."""

    label: int
    """Column of the label."""

    labels: tuple[str, ...]
    """As they stand in the file, in the order of their ids; none: a number."""

    metrics: Mapping[str, Judge]
    """mlrecipe's name of each metric → that of scikit-learn or SciPy, of targets and predictions."""

    rows: int | None = None
    """The first so many rows to learn from."""

    header: bool = True


def _pearson(targets: NDArray[Any], found: NDArray[Any]) -> float:
    return float(stats.pearsonr(targets, found)[0])


def _spearman(targets: NDArray[Any], found: NDArray[Any]) -> float:
    return float(stats.spearmanr(targets, found)[0])


EXAMS = {
    "rte": Exam(
        folder="RTE", texts=(1, 2), label=3, labels=("entailment", "not_entailment"),
        metrics={"accuracy": judged.accuracy_score},
    ),
    "mrpc": Exam(
        folder="MRPC", texts=(3, 4), label=0, labels=("0", "1"),
        metrics={"accuracy": judged.accuracy_score, "f1": judged.f1_score},
    ),
    "cola": Exam(
        folder="CoLA", texts=(3,), label=1, labels=("0", "1"), rows=1_500, header=False,
        metrics={"matthews-corrcoef": judged.matthews_corrcoef},
    ),
    "stsb": Exam(
        folder="STS-B", texts=(7, 8), label=9, labels=(), rows=1_500,
        metrics={"pearson-corrcoef": _pearson, "spearman-corrcoef": _spearman},
    ),
}  # fmt: skip


def main() -> int:
    """Run one part of one task; the exit code is 1 when its claim does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("task", choices=EXAMS)
    parser.add_argument("--data", type=Path, required=True, help="folder of GLUE's folders")
    parser.add_argument("--model", type=Path, required=True, help="folder of the encoder")
    parser.add_argument("--part", choices=("losses", "seeds"), required=True)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=RATE, help="of learning, the greatest")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    exam = EXAMS[options.task]
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    data = {name: read(exam, options.data, name, tokenizer) for name in ("train", "dev")}
    print(f"{options.task}: {len(data['train'])} rows, {torch.get_num_threads()} threads")
    with tempfile.TemporaryDirectory() as scratch:
        versus = Versus(exam, data, tokenizer, Path(scratch), rate=options.rate)
        if options.part == "losses":
            return versus.compare_losses(options.model)
        return versus.compare_seeds(options.model, range(1, options.seeds + 1), options.epochs)


def read(exam: Exam, folder: Path, split: str, tokenizer: PreTrainedTokenizerBase) -> Dataset:
    """A split's rows, tokenized: every line is a row, quotes are text."""
    text = (folder / exam.folder / f"{split}.tsv").read_text(encoding="utf-8-sig")
    lines = [line for line in text.split("\n") if line][exam.header :]
    rows = [line.rstrip("\r").split("\t") for line in lines]
    if split == "train":
        rows = rows[: exam.rows]
    texts = [[row[column] for row in rows] for column in exam.texts]
    encoded = tokenizer(*texts, truncation=True, max_length=LENGTH)
    names = [row[exam.label] for row in rows]
    labels = [exam.labels.index(name) for name in names] if exam.labels else list(map(float, names))
    return Dataset.from_dict({**encoded, "label": labels})


class Versus:
    """One task, here and there."""

    def __init__(
        self,
        exam: Exam,
        data: Mapping[str, Dataset],
        tokenizer: PreTrainedTokenizerBase,
        scratch: Path,
        *,
        rate: float,
    ) -> None:
        self.exam = exam
        self.data = data
        self.tokenizer = tokenizer
        self.scratch = scratch
        self.rate = rate
        self.task = self._task()
        self.head: Head = self.task.head({"train": data["train"]})

    def compare_losses(self, model: Path) -> int:
        """The first losses of both, from the same weights over the same batches without dropout."""
        start = self._start(model, seed=1)
        spec = spec_for(self.rate, max_steps=STEPS, callbacks={"record": Component(use="Record")})
        batches: list[Any] = []
        ours: list[float] = []

        class Record(pl.Callback):
            def on_train_batch_end(self, *args: Any) -> None:
                ours.append(float(args[2]["loss"]))
                batches.append(args[3])

        self._train_here(start, "here", spec=spec, seed=1, extra={"Record": Record}, dropout=0.0)
        theirs = self._losses_there(start, batches)
        gap = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
        print(f"first and last loss here  {ours[0]:.6f} {ours[-1]:.6f}")
        print(f"first and last loss there {theirs[0]:.6f} {theirs[-1]:.6f}")
        print(f"largest difference of {len(ours)} losses: {gap:.2e} (at most {TOLERANCE:.0e})")
        return int(gap > TOLERANCE)

    def compare_seeds(self, model: Path, seeds: range, epochs: int) -> int:
        """Metrics and times of pairs of runs; each pair starts from the same weights."""
        names = list(self.exam.metrics)
        gaps: dict[str, list[float]] = {name: [] for name in names}
        seconds = {"here": 0.0, "there": 0.0}
        print("| seed | " + " | ".join(f"mlrecipe: {n} | reference: {n}" for n in names) + " |")
        for seed in seeds:
            start = self._start(model, seed=seed)
            turns = {"here": self._judged_here, "there": self._judged_there}
            found: dict[str, Mapping[str, float]] = {}
            for where in list(turns)[:: 1 if seed % 2 else -1]:  # each is the first in turns
                work = partial(turns[where], start, seed=seed, epochs=epochs)
                found[where], spent = timed(work)
                seconds[where] += spent
            for name in names:
                gaps[name].append(found["here"][name] - found["there"][name])
            cells = (f"{found['here'][n]:.4f} | {found['there'][n]:.4f}" for n in names)
            print(f"| {seed} | " + " | ".join(cells) + " |", flush=True)
        holds = [self._conclude(name, differences) for name, differences in gaps.items()]
        print(f"time: {seconds['here']:.0f} s against {seconds['there']:.0f} s")
        return int(not all(holds))

    def _conclude(self, name: str, differences: list[float]) -> bool:
        low, high = interval(differences)
        holds = low <= 0 <= high
        print(f"{name}: mean difference {statistics.mean(differences):+.4f}, 95 % interval {low:+.4f} to "
              f"{high:+.4f}: {'holds' if holds else 'does NOT hold'} 0")  # fmt: skip
        return holds

    def _losses_there(self, start: Path, batches: list[Any]) -> list[float]:
        """Losses of the Trainer's first steps over the same batches."""
        seen: list[float] = []

        class Same(Trainer):
            def get_train_dataloader(self) -> DataLoader[Any]:
                return DataLoader(batches, batch_size=None)  # type: ignore[arg-type]

            def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
                loss = super().training_step(*args, **kwargs)
                seen.append(float(loss))
                return loss

        arguments = arguments_for(self.scratch / "there", seed=1, steps=STEPS, max_steps=STEPS)
        arguments.learning_rate = self.rate
        network = self._network(start, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
        Same(model=network, args=arguments, train_dataset=self.data["train"]).train()
        return seen

    def _judged_there(self, start: Path, *, seed: int, epochs: int) -> Mapping[str, float]:
        """Metrics of run_glue's way."""
        steps = epochs * math.ceil(len(self.data["train"]) / BATCH)
        arguments = arguments_for(
            self.scratch / f"there-{seed}", seed=seed, steps=steps, epochs=epochs
        )
        arguments.learning_rate = self.rate
        trainer = Trainer(
            model=self._network(start), args=arguments, train_dataset=self.data["train"],
            data_collator=DataCollatorWithPadding(self.tokenizer),
        )  # fmt: skip
        trainer.train()
        output = trainer.predict(self.data["dev"])
        logits, targets = output.predictions, output.label_ids
        found = logits.argmax(axis=1) if self.exam.labels else np.squeeze(logits, axis=1)
        return {name: float(judge(targets, found)) for name, judge in self.exam.metrics.items()}

    def _judged_here(self, start: Path, *, seed: int, epochs: int) -> Mapping[str, float]:
        """Metrics of mlrecipe."""
        name = f"here-{seed}"
        report = self._train_here(start, name, spec=spec_for(self.rate, epochs=epochs), seed=seed)
        tested = test(
            task=self.task, model=Transformer(checkpoint=str(start)), spec=TestSpec(split="dev"),
            data=self.data, checkpoint=report.model_folder, folder=self.scratch / name,
        )  # fmt: skip
        return {name: tested.metrics[f"test/{name}"] for name in self.exam.metrics}

    def _train_here(
        self, start: Path, name: str, *, spec: TrainSpec, seed: int,
        extra: Mapping[str, Any] | None = None, dropout: float | None = None,
    ) -> FitReport:  # fmt: skip
        (self.scratch / name).mkdir()

        def components(kind: Kind, component: Component) -> Any:
            return (extra or {}).get(component.use) or registries[kind].get(component.use)

        return fit(
            task=self.task, spec=spec, seed=seed, data=self.data, folder=self.scratch / name,
            model=Transformer(checkpoint=str(start), dropout=dropout), components=components,
        )  # fmt: skip

    def _task(self) -> Task:
        names = list(self.exam.metrics)
        if not self.exam.labels:
            return TextRegression(metrics=names)
        return TextClassification(labels=list(self.exam.labels), metrics=names)

    def _start(self, model: Path, *, seed: int) -> Path:
        """The encoder with a fresh head, saved, so that both start from the same weights."""
        torch.manual_seed(seed)
        builder = Transformer(checkpoint=str(model))
        folder = self.scratch / f"start-{seed}"
        folder.mkdir()
        builder.save(builder.build(self.head), folder)
        return folder

    def _network(self, start: Path, **settings: float) -> Any:
        read = AutoModelForSequenceClassification.from_pretrained
        return read(start, dtype=torch.float32, **settings)


def spec_for(rate: float, **changes: Any) -> TrainSpec:
    """The settings of the comparison for mlrecipe."""
    return TrainSpec(
        data="tokens", valid_split="", batch_size=BATCH,
        optimizer=Component(use="AdamW", params={"lr": rate, "weight_decay": DECAY}),
        scheduler=Component(use="linear", params={"warmup": WARMUP}),
        trainer={"gradient_clip_val": CLIP, "accelerator": "cpu"}, **changes,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
