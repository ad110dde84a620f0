"""Rows per second of the op `tokenize-words` against `datasets.map` with the usual loop over `word_ids()`.

Each measurement runs in a process of its own, the contenders take turns, the best of each counts. Ids and
labels of both must be equal piece by piece: a word's label at its first piece, -100 at all others. Exits with 1
when a target is missed.

    python -m tests.benchmarks.align --data CONLL2003 --tokenizer all-MiniLM-L6-v2
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
OURS, PEER = "mlrecipe", "datasets.map"
LEAST_RATIO = 1.5
IGNORED = -100


def main() -> int:
    """Measure and print a Markdown table."""
    arguments = _arguments()
    if arguments.child:
        print(json.dumps(_measure(arguments)))
        return 0
    with tempfile.TemporaryDirectory(prefix="bench-align-") as scratch:
        rows = _prepare(Path(arguments.data), arguments.rows, Path(scratch))
        missed = _compare(arguments, Path(scratch), rows)
    for target in missed:
        print(f"missed: {target}")
    return 1 if missed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", help="folder with eng.train.gz, as CoNLL-2003 has it")
    parser.add_argument("--tokenizer", required=True, help="folder of the tokenizer")
    parser.add_argument("--rows", type=int, default=14_041)
    parser.add_argument("--max-length", type=int, default=512)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--scratch", help=argparse.SUPPRESS)
    return parser.parse_args()


def _prepare(source: Path, count: int, scratch: Path) -> int:
    """The sentences as one Arrow file, so that both contenders read the same memory-mapped rows."""
    from datasets import ClassLabel, Dataset, Features, List, Value

    with gzip.open(source / "eng.train.gz", "rt", encoding="utf-8") as file:
        rows = list(_sentences(file))
    while len(rows) < count:
        rows += rows
    names = sorted({tag for _, tags in rows for tag in tags}, key=lambda tag: (tag != "O", tag))
    features = Features({"tokens": List(Value("string")), "tags": List(ClassLabel(names=names))})
    tokens, tags = zip(*rows[:count], strict=True)
    data = Dataset.from_dict({"tokens": list(tokens), "tags": list(tags)}, features=features)
    data.save_to_disk(scratch / "rows")
    return len(data)


def _sentences(lines: Iterator[str]) -> Iterator[tuple[list[str], list[str]]]:
    words: list[tuple[str, str]] = []
    for line in [*lines, ""]:
        cells = line.split()
        if cells and cells[0] != "-DOCSTART-":
            words.append((cells[0], cells[-1]))
        elif words:
            yield [word for word, _ in words], [tag for _, tag in words]
            words = []


def _compare(arguments: argparse.Namespace, scratch: Path, rows: int) -> list[str]:
    runs: dict[str, list[dict[str, Any]]] = {OURS: [], PEER: []}
    for _ in range(arguments.rounds):
        for name, found in runs.items():
            found.append(_run(arguments, name, scratch))
    missed = []
    print("| step | contender | rows/s | ratio |")
    print("|---|---|---:|---:|")
    for step, what in (("align", "alignment"), ("batch", "batching"), ("both", "both together")):
        best = {name: min(run[step] for run in found) for name, found in runs.items()}
        ratio = best[PEER] / best[OURS]
        for name in runs:
            shown = f"{ratio:.2f}" if name == OURS else ""
            print(f"| {what} | {name} | {rows / best[name]:,.0f} | {shown} |", flush=True)
        if ratio < LEAST_RATIO and step != "batch":
            missed.append(f"{LEAST_RATIO} times the rows/s of {PEER}: {what}")
    all_runs = [run for found in runs.values() for run in found]
    differing = [what for what in ("rows", "batches") if len({run[what] for run in all_runs}) > 1]
    return missed + [f"equal ids and labels of the {what}" for what in differing]


def _run(arguments: argparse.Namespace, name: str, scratch: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.align", "--child", name]
    command += ["--tokenizer", arguments.tokenizer, "--max-length", str(arguments.max_length)]
    command += ["--scratch", str(scratch), "--batch-size", str(arguments.batch_size)]
    with tempfile.TemporaryDirectory(prefix="bench-align-") as cache:
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "TOKENIZERS_PARALLELISM": "true",
            "HF_HUB_OFFLINE": "1",
            "HF_DATASETS_CACHE": cache,
            "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
            "TMPDIR": cache,
        }
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, cwd=ROOT
        )
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds of one contender, and hashes of what it made; the imports are not timed."""
    from datasets import load_from_disk

    data = load_from_disk(str(Path(arguments.scratch) / "rows"))
    contender = (_Ours if arguments.child == OURS else _Peer)(arguments)
    with tempfile.TemporaryDirectory() as folder:
        start = perf_counter()
        aligned = contender.align(data, Path(folder))
        between = perf_counter()
        batches = list(contender.batches(aligned))
        end = perf_counter()
        return {
            "align": between - start,
            "batch": end - between,
            "both": end - start,
            "rows": _hash(contender.labels(aligned)),
            "batches": _hash(contender.scattered(batch) for batch in batches),
        }


class _Peer:
    """What token classification does in the examples of transformers."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        from transformers import AutoTokenizer, DataCollatorForTokenClassification

        self._tokenizer = AutoTokenizer.from_pretrained(arguments.tokenizer)
        self._collate = DataCollatorForTokenClassification(self._tokenizer)
        self._max_length, self._batch_size = arguments.max_length, arguments.batch_size

    def align(self, data: Any, folder: Path) -> Any:
        return data.map(
            self._encode,
            batched=True,
            remove_columns=data.column_names,
            cache_file_name=str(folder / "map.arrow"),
        )

    def _encode(self, rows: Any) -> Any:
        found = self._tokenizer(
            rows["tokens"], truncation=True, max_length=self._max_length, is_split_into_words=True
        )
        labels = []
        for number, tags in enumerate(rows["tags"]):
            before, own = None, []
            for word in found.word_ids(batch_index=number):
                own.append(IGNORED if word is None or word == before else tags[word])
                before = word
            labels.append(own)
        found["labels"] = labels
        return found

    def batches(self, data: Any) -> Iterator[Any]:
        from torch.utils.data import DataLoader

        yield from DataLoader(data, batch_size=self._batch_size, collate_fn=self._collate)

    def labels(self, data: Any) -> Iterator[Sequence[Sequence[int]]]:
        return zip(data["input_ids"], data["labels"], strict=True)

    def scattered(self, batch: Any) -> Any:
        return [batch[name].tolist() for name in ("input_ids", "attention_mask", "labels")]


class _Ours:
    """The op, and the task's own batches."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        from transformers import AutoTokenizer

        import mlrecipe.builtin.catalog  # noqa: F401
        from mlrecipe.builtin.ops.tokenize_words import tokenize_words
        from mlrecipe.builtin.tasks.token_classification import TokenClassification

        AutoTokenizer.from_pretrained(arguments.tokenizer)
        self._tokenize, self._task = tokenize_words, TokenClassification()
        self._arguments = arguments

    def align(self, data: Any, folder: Path) -> Any:
        given = self._arguments
        tokens = self._tokenize(
            data, tokenizer=given.tokenizer, max_length=given.max_length, scratch=folder
        )
        head = self._task.head({"train": tokens})
        return self._task.encode(tokens, head, split="train")

    def batches(self, data: Any) -> Iterator[Any]:
        from mlrecipe.training.batching.rows import Rows

        rows = Rows(data, self._task.collate, lengths=self._task.lengths(data))
        size = self._arguments.batch_size
        for start in range(0, len(data), size):
            yield rows[list(range(start, min(start + size, len(data))))]

    def labels(self, data: Any) -> Iterator[Sequence[Sequence[int]]]:
        """Labels where the pieces are: that of a word at its first."""
        for row in data:
            found = [IGNORED] * len(row["input_ids"])
            for start, label in zip(row["word_starts"], row["labels"], strict=True):
                found[start] = label
            yield row["input_ids"], found

    def scattered(self, batch: Any) -> Any:
        import torch

        labels = torch.full_like(batch["input_ids"], IGNORED)
        is_word = batch["word_lengths"] > 0
        row = torch.arange(len(labels))[:, None].expand_as(is_word)
        labels[row[is_word], batch["word_starts"][is_word]] = batch["labels"][is_word]
        return [batch[n].tolist() for n in ("input_ids", "attention_mask")] + [labels.tolist()]


def _hash(values: Iterator[Any]) -> str:
    digest = sha256()
    for value in values:
        digest.update(json.dumps(value).encode())
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
