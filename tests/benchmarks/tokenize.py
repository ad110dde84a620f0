"""Rows per second and memory of the op `tokenize` against `datasets.map` with the same tokenizer.

Each measurement runs in a process of its own, the contenders take turns, the best of each counts.
Exits with 1 when a target is missed.

    python tests/benchmarks/tokenize.py --data IMDB --tokenizer all-MiniLM-L6-v2
"""

# ruff: noqa: E402
from __future__ import annotations

import sys

# This folder comes first on a script's path: this file would hide Python's own `tokenize`.
del sys.path[0]

import argparse
import json
import os
import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).resolve().parents[2]
PEERS = {
    "datasets.map": {},
    "datasets.map, num_proc=2": {"num_proc": 2},
    "datasets.map, ids only": {"lean": True},
}
OURS = "tokenize"
FEW_ROWS = 5_000
LEAST_RATIO = 1.6
MOST_GROWTH_MB = 300


def main() -> int:
    """Measure and print a Markdown table."""
    arguments = _arguments()
    if arguments.child:
        print(json.dumps(_measure(arguments)))
        return 0
    missed = []
    with tempfile.TemporaryDirectory(prefix="bench-tokenize-") as scratch:
        _prepare(Path(arguments.data), arguments.rows, Path(scratch))
        print(
            "| max_length | contender | rows/s | ratio "
            f"| peak MB, {FEW_ROWS:,} rows | peak MB, {arguments.rows:,} rows |"
        )
        print("|---|---|---:|---:|---:|---:|")
        for max_length in arguments.max_length:
            missed += _compare(arguments, max_length, Path(scratch))
    for target in missed:
        print(f"missed: {target}")
    return 1 if missed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data", help="folder with *.csv.gz files that have columns text and label"
    )
    parser.add_argument("--tokenizer", required=True, help="folder of the tokenizer")
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--max-length", type=int, nargs="+", default=[256, 128])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--scratch", help=argparse.SUPPRESS)
    return parser.parse_args()


def _prepare(source: Path, rows: int, scratch: Path) -> None:
    """The data as one Arrow file, so that every contender reads the same memory-mapped rows."""
    import pyarrow as pa
    from pyarrow import csv

    options = csv.ParseOptions(newlines_in_values=True)
    tables = [csv.read_csv(path, parse_options=options) for path in sorted(source.glob("*.csv.gz"))]
    table = pa.concat_tables(tables).select(["text", "label"])
    while table.num_rows < rows:
        table = pa.concat_tables([table, table])
    for count in {FEW_ROWS, rows}:
        with pa.ipc.new_stream(scratch / f"{count}.arrow", table.schema) as stream:
            stream.write_table(table.slice(0, count), max_chunksize=1000)


def _compare(arguments: argparse.Namespace, max_length: int, scratch: Path) -> list[str]:
    names = [OURS, *PEERS]
    few = {n: _run(arguments, n, FEW_ROWS, max_length, scratch) for n in names}
    runs: dict[str, list[dict[str, object]]] = {name: [] for name in names}
    for _ in range(arguments.repeats):
        for name in names:
            runs[name].append(_run(arguments, name, arguments.rows, max_length, scratch))
    speed = {n: arguments.rows / min(run["seconds"] for run in runs[n]) for n in names}
    peak = {n: max(run["peak_mb"] for run in runs[n]) for n in names}
    for name in names:
        ratio = speed[OURS] / speed[name]
        print(
            f"| {max_length} | {name} | {speed[name]:,.0f} | {ratio:.2f} "
            f"| {few[name]['peak_mb']:,.0f} | {peak[name]:,.0f} |",
            flush=True,
        )
    missed = []
    if speed[OURS] < LEAST_RATIO * speed["datasets.map"]:
        missed.append(f"{LEAST_RATIO} times the rows/s of datasets.map at {max_length}")
    if peak[OURS] - few[OURS]["peak_mb"] > MOST_GROWTH_MB:
        missed.append(f"peak memory within {MOST_GROWTH_MB} MB of that at {FEW_ROWS:,} rows")
    if len({run["ids"] for each in runs.values() for run in each}) > 1:
        missed.append(f"equal ids at {max_length}")
    return missed


def _run(
    arguments: argparse.Namespace, name: str, rows: int, max_length: int, scratch: Path
) -> dict[str, object]:
    command = [sys.executable, __file__, "--child", name, "--tokenizer", arguments.tokenizer]
    command += ["--rows", str(rows), "--max-length", str(max_length), "--scratch", str(scratch)]
    with tempfile.TemporaryDirectory(prefix="bench-tokenize-") as cache:
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "TOKENIZERS_PARALLELISM": "false" if "num_proc" in name else "true",
            "HF_HUB_OFFLINE": "1",
            "HF_DATASETS_CACHE": cache,
            "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
            "TMPDIR": cache,
        }
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def _measure(arguments: argparse.Namespace) -> dict[str, object]:
    """Seconds, peak memory and a hash of the ids of one contender; the imports are not timed."""
    from datasets import Dataset
    from transformers import AutoTokenizer

    from mlrecipe.builtin.ops.tokenize import tokenize

    (max_length,) = arguments.max_length
    data = Dataset.from_file(str(Path(arguments.scratch) / f"{arguments.rows}.arrow"))
    tokenizer = AutoTokenizer.from_pretrained(arguments.tokenizer)
    with tempfile.TemporaryDirectory() as folder:
        start = perf_counter()
        if arguments.child == OURS:
            result = tokenize(
                data,
                tokenizer=arguments.tokenizer,
                max_length=max_length,
                scratch=Path(folder),
            )
        else:
            result = _map(data, tokenizer, max_length, Path(folder), **PEERS[arguments.child])
        seconds = perf_counter() - start
        peak = _peak_mb()
        return {"seconds": seconds, "peak_mb": peak, "ids": _hash(result)}


def _map(data, tokenizer, max_length, folder, *, num_proc=None, lean=False):
    options = {"return_attention_mask": False, "return_token_type_ids": False} if lean else {}
    return data.map(
        lambda rows: tokenizer(rows["text"], truncation=True, max_length=max_length, **options),
        batched=True,
        num_proc=num_proc,
        cache_file_name=str(folder / "map.arrow"),
    )


def _peak_mb() -> float:
    """The largest resident size so far; of a child process too, where that was larger."""
    import resource

    sizes = [
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    ]
    return max(sizes) / 1024


def _hash(data) -> str:
    digest = sha256()
    rows = data.select_columns("input_ids").with_format("numpy")
    for start in range(0, len(data), 1000):
        for ids in rows[start : start + 1000]["input_ids"]:
            digest.update(ids.astype("<i4").tobytes() + b"|")
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
