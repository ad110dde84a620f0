"""Rows per second of training, beside other trainers on the same rows, model and machine.

Each contender runs in a process of its own, in turns; its rate is over the steps after a warm-up, the best
of the rounds counts. Exits with 1 when a limit is missed.

    python -m tests.benchmarks.throughput sst2 --data GLUE/SST-2 --model FOLDER [--threads 1]
    python -m tests.benchmarks.throughput imdb --data IMDB --model FOLDER [--threads 1]

`padded` is the setting of PyMarlin's GLUE example and of run_glue: every row padded to the greatest length, in
a plain loop. `bare` is a plain loop over the very batches of mlrecipe; `mlrecipe whole` never takes them in
parts.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from mlrecipe.cli.session import quiet_libraries

BATCH, RATE, DECAY, WARMUP, CLIP, SEED = 32, 5e-5, 0.01, 0.06, 1.0, 7
WARM = 6
"""Steps before the clock starts."""

SETS: dict[str, dict[str, Any]] = {
    "sst2": {"rows": 8_000, "length": 128, "labels": ["0", "1"]},
    "imdb": {"rows": 1_000, "length": 512, "labels": ["neg", "pos"]},
}
CONTENDERS = (
    "mlrecipe",
    "mlrecipe whole",
    "bare",
    "grouped",
    "mlrecipe auto",
    "grouped bf16",
    "dynamic",
    "padded",
)
LIMITS: dict[str, list[tuple[str, str, float]]] = {
    "sst2": [
        ("mlrecipe", "padded", 9.0), ("mlrecipe", "grouped", 1.0), ("mlrecipe", "bare", 0.97),
        ("mlrecipe auto", "grouped", 1.6),
    ],
    "imdb": [("mlrecipe", "padded", 2.0)],
}  # fmt: skip
"""Contender, the one it is compared with, and at least how many times as fast it must be."""


def main() -> int:
    """Measure, print a Markdown table and the limits."""
    options = arguments()
    if options.contender:
        print(json.dumps(measure(options)))
        return 0
    best: dict[str, dict[str, float]] = {}
    for number in range(options.rounds):
        for contender in options.only.split(",") if options.only else CONTENDERS:
            if number and contender in ("padded", "dynamic"):
                continue  # slow, and far from its limit
            found = child(contender, options)
            if found["rate"] > best.get(contender, {"rate": 0.0})["rate"]:
                best[contender] = found
    report(best, options)
    met = [
        best[ours]["rate"] / best[theirs]["rate"] >= least
        for ours, theirs, least in LIMITS[options.set]
        if ours in best and theirs in best
    ]
    return int(not all(met))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("set", choices=SETS)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data set")
    parser.add_argument("--model", type=Path, required=True, help="folder of the encoder")
    parser.add_argument("--threads", type=int, default=0, help="of torch; 0: all")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--times", type=int, default=1, help="how many times the rows are taken")
    parser.add_argument("--only", help="contenders, with commas between")
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    return parser.parse_args()


def child(contender: str, options: argparse.Namespace) -> dict[str, float]:
    """One contender, measured in a process of its own."""
    threads = str(options.threads or os.cpu_count())
    command = [
        sys.executable, "-m", "tests.benchmarks.throughput", options.set, "--data", options.data,
        "--model", options.model, "--threads", threads, "--steps", str(options.steps),
        "--times", str(options.times), "--contender", contender,
    ]  # fmt: skip
    quiet_libraries(is_offline=True)  # as mlrecipe's command line does it; here for all
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(f"{contender}: {found['rate']:.1f} rows/s", file=sys.stderr, flush=True)
    return found


def report(best: dict[str, dict[str, float]], options: argparse.Namespace) -> None:
    """The table, and each limit."""
    print("| contender | rows/s | mlrecipe is faster by | batch fill |")
    print("|---|---:|---:|---:|")
    for name, found in best.items():
        ratio = best["mlrecipe"]["rate"] / found["rate"] if "mlrecipe" in best else math.nan
        print(f"| {name} | {found['rate']:.1f} | {ratio:.2f} | {found['fill']:.0%} |")
    print()
    for ours, theirs, least in LIMITS[options.set]:
        if ours in best and theirs in best:
            ratio = best[ours]["rate"] / best[theirs]["rate"]
            print(f"{ours} / {theirs}: {ratio:.2f}, at least {least}")


def measure(options: argparse.Namespace) -> dict[str, float]:
    """Rows per second and fill of one contender."""
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    torch.set_num_threads(options.threads)
    facts = SETS[options.set]
    data = read(options, **facts)
    mean = sum(map(len, data["input_ids"])) / len(data)
    clock = Clock(options.steps, mean)
    with tempfile.TemporaryDirectory() as folder:
        run = {
            "mlrecipe": mlrecipe_, "mlrecipe whole": mlrecipe_, "mlrecipe auto": mlrecipe_,
            "bare": bare, "grouped": trainer, "grouped bf16": trainer, "dynamic": loop, "padded": loop,
        }[options.contender]  # fmt: skip
        run(options, data, clock, Path(folder), options.contender, facts)
    return {"rate": clock.rate, "fill": clock.fill}


class Clock:
    """Counts tokens and places of the steps after the warm-up."""

    def __init__(self, steps: int, mean: float) -> None:
        self.last = WARM + steps
        self._mean = mean
        self._seen = self._tokens = self._places = 0
        self._started = self._ended = 0.0

    def step(self, mask: Any) -> None:
        """A step with this attention mask is done."""
        self._seen += 1
        if self._seen == WARM:
            self._started = time.perf_counter()
        elif WARM < self._seen <= self.last:
            self._ended = time.perf_counter()
            self._tokens += int(mask.sum())
            self._places += mask.numel()

    @property
    def rate(self) -> float:
        """Rows per second, were all of the mean length: some steps happen to hold shorter rows."""
        return self._tokens / self._mean / (self._ended - self._started)

    @property
    def fill(self) -> float:
        """Share of the places that hold a token."""
        return self._tokens / self._places


def read(options: argparse.Namespace, *, rows: int, length: int, labels: list[str]) -> Any:
    """The first rows of the train split, shuffled by a seed, tokenized."""
    import numpy as np
    from datasets import Dataset
    from transformers import AutoTokenizer

    pairs = list({"sst2": tsv, "imdb": reviews}[options.set](options.data))
    order = np.random.default_rng(SEED).permutation(len(pairs))[: rows * options.times]
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    texts = [pairs[i][0] for i in order]
    encoded = tokenizer(texts, truncation=True, max_length=length)
    return Dataset.from_dict({**encoded, "label": [labels.index(pairs[i][1]) for i in order]})


def tsv(folder: Path) -> Iterator[tuple[str, str]]:
    """Sentence and label."""
    with gzip.open(folder / "train.tsv.gz", "rt", encoding="utf-8", newline="\n") as file:
        next(file)
        for line in file:
            text, _, label = line.rstrip("\n").rpartition("\t")
            yield text, label


def reviews(folder: Path) -> Iterator[tuple[str, str]]:
    """Review and label."""
    with gzip.open(folder / "train.csv.gz", "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield row["text"], row["label"]


def mlrecipe_(
    options: Any, data: Any, clock: Clock, folder: Path, contender: str, facts: Any
) -> None:
    """As `mlrecipe train` does it."""
    import pytorch_lightning as pl

    from mlrecipe.builtin.models.transformer import Transformer
    from mlrecipe.builtin.tasks.text_classification import TextClassification
    from mlrecipe.recipe.schema import Component
    from mlrecipe.registry import registries
    from mlrecipe.training.fit import fit

    class Watch(pl.Callback):
        def on_train_batch_end(self, *found: Any) -> None:
            clock.step(found[3]["attention_mask"])

    def components(kind: Any, component: Any) -> Any:
        return Watch if component.use == "Watch" else registries[kind].get(component.use)

    precision = {"precision": "auto"} if contender.endswith("auto") else {}
    spec = spec_for(
        parts="whole" if contender.endswith("whole") else "auto",
        max_steps=clock.last,
        callbacks={"watch": Component(use="Watch")},
        trainer=precision,
    )
    fit(
        task=TextClassification(labels=facts["labels"]), spec=spec, seed=SEED,
        data={"train": data}, folder=folder, model=Transformer(checkpoint=str(options.model)),
        components=components,
    )  # fmt: skip


def spec_for(*, trainer: dict[str, Any], **changes: Any) -> Any:
    """The settings of the comparison."""
    from mlrecipe.recipe.schema import Component, TrainSpec

    return TrainSpec(
        data="tokens", valid_split="", batch_size=BATCH, epochs=3,
        optimizer=Component(use="AdamW", params={"lr": RATE, "weight_decay": DECAY}),
        scheduler=Component(use="linear", params={"warmup": WARMUP}),
        trainer={"gradient_clip_val": CLIP, "accelerator": "cpu", **trainer}, **changes,
    )  # fmt: skip


def bare(options: Any, data: Any, clock: Clock, folder: Path, contender: str, facts: Any) -> None:
    """A plain loop over the batches that mlrecipe makes."""
    from mlrecipe.builtin.tasks.text_classification import TextClassification
    from mlrecipe.training.data import TrainData

    task = TextClassification(labels=facts["labels"])
    rows = task.encode(data, task.head({"train": data}), split="train")
    loaded = TrainData(
        task=task, spec=spec_for(trainer={}), seed=SEED, train=rows
    ).train_dataloader()
    network = network_of(options, facts)
    plain(network, repeated(loaded), clock, fused=True)


def loop(options: Any, data: Any, clock: Clock, folder: Path, contender: str, facts: Any) -> None:
    """A plain loop, each batch padded to its longest row or all rows to the greatest length."""
    import torch
    from torch.utils.data import DataLoader
    from transformers import AutoTokenizer, DataCollatorWithPadding

    how: Any = {"padding": "max_length", "max_length": facts["length"]}
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    collate = DataCollatorWithPadding(tokenizer, **(how if contender == "padded" else {}))
    loader: DataLoader[Any] = DataLoader(
        data, batch_size=BATCH, shuffle=True, collate_fn=collate,
        generator=torch.Generator().manual_seed(SEED),
    )  # fmt: skip
    plain(network_of(options, facts), repeated(loader), clock, fused=False)


def plain(network: Any, batches: Iterable[Any], clock: Clock, *, fused: bool) -> None:
    """Forward, backward, clip, step."""
    import torch
    from transformers import get_linear_schedule_with_warmup

    decaying = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    groups = [{"params": decaying, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=RATE, fused=fused)
    schedule = get_linear_schedule_with_warmup(
        optimizer, math.ceil(WARMUP * clock.last), clock.last
    )
    network.train()
    for number, batch in enumerate(batches):
        if number == clock.last:
            return
        output = network(**batch)
        output.loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        clock.step(batch["attention_mask"])


def repeated(loader: Iterable[Any]) -> Iterator[Any]:
    """Epoch after epoch."""
    while True:
        yield from loader


def trainer(
    options: Any, data: Any, clock: Clock, folder: Path, contender: str, facts: Any
) -> None:
    """`transformers.Trainer` with its grouping by length."""
    from transformers import AutoTokenizer, DataCollatorWithPadding, Trainer, TrainingArguments

    class Timed(Trainer):
        def training_step(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            loss = super().training_step(model, inputs, *args, **kwargs)
            clock.step(inputs["attention_mask"])  # before the optimizer's step, each time alike
            return loss

    settings = TrainingArguments(
        output_dir=str(folder), per_device_train_batch_size=BATCH, max_steps=clock.last,
        learning_rate=RATE, weight_decay=DECAY, lr_scheduler_type="linear",
        warmup_steps=math.ceil(WARMUP * clock.last), max_grad_norm=CLIP, seed=SEED,
        save_strategy="no", report_to=[], disable_tqdm=True, logging_strategy="no", use_cpu=True,
        train_sampling_strategy="group_by_length", bf16=contender.endswith("bf16"),
    )  # fmt: skip
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    Timed(
        model=network_of(options, facts), args=settings, train_dataset=data,
        data_collator=DataCollatorWithPadding(tokenizer),
    ).train()  # fmt: skip


def network_of(options: Any, facts: Any) -> Any:
    """The encoder with a fresh head."""
    import torch
    from transformers import AutoModelForSequenceClassification

    torch.manual_seed(SEED)
    found: Callable[..., Any] = AutoModelForSequenceClassification.from_pretrained
    return found(options.model, dtype=torch.float32, num_labels=len(facts["labels"]))


if __name__ == "__main__":
    sys.exit(main())
