"""Compare named entities here with a plain `transformers` script, at the same settings.

CoNLL-2003: the first 3,000 sentences to learn from, all of testa to judge by. The reference reads the files,
aligns words and pieces by `word_ids`, batches and judges by itself, as run_ner does: the label of a word at its
first piece, -100 at the others, `DataCollatorForTokenClassification`, `transformers.Trainer`, seqeval (strict).

    python -m tests.benchmarks.tagging --data CONLL --model FOLDER --part losses
    python -m tests.benchmarks.tagging --data CONLL --model FOLDER --part seeds [--epochs 3] [--seeds 3]

`losses`: same initial weights, same batches, no dropout: the first 50 losses must agree within 1e-4. `seeds`:
three pairs of runs as a user of each would start them; prints the span F1 of each, the paired differences with
a 95 % interval (Student's t), and the time that each took. CONLL is the folder with train.txt.gz and valid.txt
(IOB2).
"""

from __future__ import annotations

import argparse
import gzip
import math
import statistics
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pytorch_lightning as pl
import torch
from datasets import Dataset, DatasetDict
from seqeval.metrics import f1_score
from seqeval.scheme import IOB2
from torch.utils.data import DataLoader
from transformers import (
    AutoModelForTokenClassification,
    AutoTokenizer,
    DataCollatorForTokenClassification,
    PreTrainedTokenizerBase,
    Trainer,
)
from transformers.utils import logging

from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.ops.load_conll import load_conll
from mlrecipe.builtin.ops.tokenize_words import tokenize_words
from mlrecipe.builtin.tasks.token_classification import TokenClassification
from mlrecipe.recipe.schema import Component, TestSpec, TrainSpec
from mlrecipe.registry import Kind, registries
from mlrecipe.training.fit import FitReport, fit
from mlrecipe.training.test import test
from tests.benchmarks.reference import arguments_for, interval, timed

FILES = {"train": "train.txt.gz", "valid": "valid.txt"}
ROWS, BATCH, RATE, DECAY, WARMUP, CLIP, STEPS = 3_000, 32, 2e-4, 0.01, 0.06, 1.0, 50
"""The encoder is small, so its rate is ten times that of a base model; all for both alike."""

LENGTH = 256
"""Pieces; no sentence of train or testa has more, so that the reference, which cuts, loses no word."""

TOLERANCE = 1e-4
SCORE = "span-f1"
Sentence: TypeAlias = tuple[list[str], list[str]]
"""Words and their tags."""


def main() -> int:
    """Run one part; the exit code is 1 when its claim does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of CoNLL's files in IOB2")
    parser.add_argument("--model", type=Path, required=True, help="folder of the encoder")
    parser.add_argument("--part", choices=("losses", "seeds"), required=True)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=ROWS, help="sentences to learn from")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as scratch:
        versus = Versus(options.data, options.model, Path(scratch), rows=options.rows)
        if options.part == "losses":
            return versus.compare_losses()
        return versus.compare_seeds(range(1, options.seeds + 1), options.epochs)


def sentences(path: Path) -> Iterator[Sentence]:
    """The reference's own reader: first and last column, without the lines that begin a document."""
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    words: list[str] = []
    tags: list[str] = []
    for line in [*text.split("\n"), ""]:
        cells = line.split()
        if cells and cells[0] != "-DOCSTART-":
            words.append(cells[0])
            tags.append(cells[-1])
        elif words:
            yield words, tags
            words, tags = [], []


class Versus:
    """The same training, here and there."""

    def __init__(self, data: Path, model: Path, scratch: Path, *, rows: int) -> None:
        self.model = model
        self.scratch = scratch
        self.tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(model)
        self.there = {name: list(sentences(data / file)) for name, file in FILES.items()}
        self.there["train"] = self.there["train"][:rows]
        self.here = self._prepared(data, rows)
        self.task, _ = TokenClassification(metrics=[SCORE]).settle(
            self.here["train"], split="train"
        )
        self.head = self.task.head({"train": self.here["train"]})
        counts = ", ".join(f"{len(rows):,} sentences of {name}" for name, rows in self.here.items())
        print(f"{counts}; {torch.get_num_threads()} threads, torch {torch.__version__}")

    def compare_losses(self) -> int:
        """The first losses of both, from the same weights over the same batches without dropout."""
        start = self._start(seed=1)
        spec = spec_for(max_steps=STEPS, callbacks={"record": Component(use="Record")})
        batches: list[Mapping[str, torch.Tensor]] = []
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

    def compare_seeds(self, seeds: range, epochs: int) -> int:
        """Span F1 and times of pairs of runs; each pair starts from the same weights."""
        gaps: list[float] = []
        seconds = {"here": 0.0, "there": 0.0}
        print("| seed | mlrecipe | reference | difference | seconds here | seconds there |")
        print("|---|---:|---:|---:|---:|---:|")
        for seed in seeds:
            start = self._start(seed=seed)
            turns = {"here": self._judged_here, "there": self._judged_there}
            found: dict[str, float] = {}
            spent: dict[str, float] = {}
            for where in list(turns)[:: 1 if seed % 2 else -1]:  # each is the first in turns
                work = partial(turns[where], start, seed=seed, epochs=epochs)
                found[where], spent[where] = timed(work)
                seconds[where] += spent[where]
            gaps.append(found["here"] - found["there"])
            print(f"| {seed} | {found['here']:.4f} | {found['there']:.4f} | {gaps[-1]:+.4f} | "
                  f"{spent['here']:.0f} | {spent['there']:.0f} |", flush=True)  # fmt: skip
        print(f"time: {seconds['here']:.0f} s against {seconds['there']:.0f} s")
        return self._conclude(gaps)

    def _conclude(self, gaps: list[float]) -> int:
        if len(gaps) < 2:
            print("one pair has no interval")
            return 0
        low, high = interval(gaps)
        holds = low <= 0 <= high
        print(f"{SCORE}: mean difference {statistics.mean(gaps):+.4f}, 95 % interval {low:+.4f} to "
              f"{high:+.4f}: {'holds' if holds else 'does NOT hold'} 0")  # fmt: skip
        return int(not holds)

    # The reference: plain transformers.

    def _encoded(self, split: str) -> Dataset:
        """Pieces of the split's words, the label of a word at its first piece, by the usual loop."""
        words = [words for words, _ in self.there[split]]
        encoded = self.tokenizer(
            words, is_split_into_words=True, truncation=True, max_length=LENGTH
        )
        labels = []
        for row, (_, tags) in enumerate(self.there[split]):
            last, ids = None, []
            for word in encoded.word_ids(row):
                first = word is not None and word != last
                ids.append(self.head.labels.index(tags[word]) if first else -100)
                last = word
            labels.append(ids)
        return Dataset.from_dict({**encoded, "labels": labels})

    def _losses_there(self, start: Path, batches: list[Mapping[str, torch.Tensor]]) -> list[float]:
        """Losses of the Trainer's first steps over the same sentences in the same order."""
        rows = self._encoded("train")
        collate = DataCollatorForTokenClassification(self.tokenizer)
        same = [collate([rows[number] for number in chosen]) for chosen in _rows_of(batches, rows)]
        seen: list[float] = []

        class Same(Trainer):
            def get_train_dataloader(self) -> DataLoader[Any]:
                return DataLoader(same, batch_size=None)  # type: ignore[arg-type]

            def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
                loss = super().training_step(*args, **kwargs)
                seen.append(float(loss))
                return loss

        arguments = arguments_for(self.scratch / "there", seed=1, steps=STEPS, max_steps=STEPS)
        arguments.learning_rate = RATE
        network = _network(start, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
        Same(model=network, args=arguments, train_dataset=rows).train()
        return seen

    def _judged_there(self, start: Path, *, seed: int, epochs: int) -> float:
        """Span F1 of the plain script, by seqeval over every word of testa."""
        train, valid = self._encoded("train"), self._encoded("valid")
        steps = epochs * math.ceil(len(train) / BATCH)
        arguments = arguments_for(
            self.scratch / f"there-{seed}", seed=seed, steps=steps, epochs=epochs
        )
        arguments.learning_rate = RATE
        trainer = Trainer(
            model=_network(start), args=arguments, train_dataset=train,
            data_collator=DataCollatorForTokenClassification(self.tokenizer),
        )  # fmt: skip
        trainer.train()
        output = trainer.predict(valid)
        found = [
            [self.head.labels[i] for i, gold in zip(ids, golds, strict=True) if gold != -100]
            for ids, golds in zip(output.predictions.argmax(-1), output.label_ids, strict=True)
        ]
        gold = [tags for _, tags in self.there["valid"]]
        return float(f1_score(gold, found, mode="strict", scheme=IOB2))

    # The same with mlrecipe.

    def _prepared(self, data: Path, rows: int) -> DatasetDict:
        """What the recipe's nodes give: files, words, pieces."""
        loaded = load_conll(train=str(data / FILES["train"]), valid=str(data / FILES["valid"]))
        loaded["train"] = loaded["train"].select(range(rows))
        folder = self.scratch / "tokens"
        folder.mkdir()
        return tokenize_words(loaded, tokenizer=str(self.model), max_length=LENGTH, scratch=folder)

    def _judged_here(self, start: Path, *, seed: int, epochs: int) -> float:
        """Span F1 of mlrecipe's own test of the same sentences."""
        name = f"here-{seed}"
        report = self._train_here(start, name, spec=spec_for(epochs=epochs), seed=seed)
        tested = test(
            task=self.task, model=Transformer(checkpoint=str(start)), spec=TestSpec(split="valid"),
            data=self.here, checkpoint=report.model_folder, folder=self.scratch / name,
        )  # fmt: skip
        return tested.metrics[f"test/{SCORE}"]

    def _train_here(
        self, start: Path, name: str, *, spec: TrainSpec, seed: int,
        extra: Mapping[str, Any] | None = None, dropout: float | None = None,
    ) -> FitReport:  # fmt: skip
        (self.scratch / name).mkdir()

        def components(kind: Kind, component: Component) -> Any:
            return (extra or {}).get(component.use) or registries[kind].get(component.use)

        return fit(
            task=self.task, spec=spec, seed=seed, data=self.here, folder=self.scratch / name,
            model=Transformer(checkpoint=str(start), dropout=dropout), components=components,
        )  # fmt: skip

    def _start(self, *, seed: int) -> Path:
        """The encoder with a fresh head, saved, so that both start from the same weights."""
        torch.manual_seed(seed)
        builder = Transformer(checkpoint=str(self.model))
        folder = self.scratch / f"start-{seed}"
        folder.mkdir()
        builder.save(builder.build(self.head), folder)
        return folder


def _rows_of(batches: list[Mapping[str, torch.Tensor]], rows: Dataset) -> Iterator[list[int]]:
    """The reference's rows with the pieces and labels of each batch: both must have aligned them alike."""
    numbers: dict[tuple[tuple[int, ...], tuple[int, ...]], list[int]] = {}
    for number, (ids, labels) in enumerate(zip(rows["input_ids"], rows["labels"], strict=True)):
        numbers.setdefault((tuple(ids), tuple(labels)), []).append(number)
    for batch in batches:
        labels = torch.full_like(batch["input_ids"], -100)
        words = batch["labels"] != -100
        row = torch.arange(len(labels))[:, None].expand_as(words)
        labels[row[words], batch["word_starts"][words]] = batch["labels"][words].to(labels.dtype)
        lengths = batch["attention_mask"].sum(dim=1).tolist()
        yield [
            numbers[tuple(ids[:length].tolist()), tuple(found[:length].tolist())][0]
            for ids, found, length in zip(batch["input_ids"], labels, lengths, strict=True)
        ]


def _network(start: Path, **settings: float) -> Any:
    read = AutoModelForTokenClassification.from_pretrained
    return read(start, dtype=torch.float32, **settings)


def spec_for(**changes: Any) -> TrainSpec:
    """The settings of the comparison for mlrecipe."""
    return TrainSpec(
        data="tokens", valid_split="", batch_size=BATCH,
        optimizer=Component(use="AdamW", params={"lr": RATE, "weight_decay": DECAY}),
        scheduler=Component(use="linear", params={"warmup": WARMUP}),
        trainer={"gradient_clip_val": CLIP, "accelerator": "cpu"}, **changes,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
