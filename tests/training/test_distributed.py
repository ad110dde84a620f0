"""Training and testing in two processes on a CPU, and what one process makes of the same."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from pytorch_lightning.strategies import DDPStrategy
from safetensors.torch import load_file
from torch.utils.data import DataLoader

from mlrecipe.cli.app import run as command
from mlrecipe.errors import DataError, TrainingError
from mlrecipe.interfaces import Head
from mlrecipe.scaffold.project import create
from mlrecipe.training import trainer as trainers
from mlrecipe.training.batching.samplers import FileBatches
from mlrecipe.training.devices import ranks
from mlrecipe.training.devices.dealing import Dealt, counts
from mlrecipe.training.devices.observer import Observer
from mlrecipe.training.predictions import Predictions, merge, part

pytestmark = pytest.mark.heavy

OWN = """\
from __future__ import annotations

from pathlib import Path

import mlrecipe
import pytorch_lightning as pl


@mlrecipe.op("noted")
def noted(rows):
    with open(Path(__file__).with_name("ran.txt"), "a") as file:
        file.write("x")
    return rows


@mlrecipe.op("tallied")
def tallied(predictions):
    rows = predictions.column("row")
    return {"rows": len(rows), "distinct": len(set(rows))}


@mlrecipe.callback("mishap")
class Mishap(pl.Callback):
    def __init__(self, *, rank: int = 1):
        self.rank = rank

    def on_train_batch_end(self, trainer, *args):
        print("something a library says")
        if trainer.global_step == 2 and trainer.global_rank == self.rank:
            raise ValueError("it broke")  # line 30
"""
SEEN = """\


@mlrecipe.callback("seen")
class Seen(pl.Callback):
    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        with open(Path(__file__).with_name(f"seen-{trainer.global_rank}.txt"), "a") as file:
            for ids in batch["input_ids"].tolist():
                file.write(f"{trainer.current_epoch} {[i for i in ids if i]}\\n")
"""
RECIPE = """\
name = "two"
plugins = ["own.py"]
limit = 150

[nodes.table]
use = "load-files"
train = "data/reviews.csv"

[nodes.noted]
use = "noted"
inputs = "table"
cache = false

[nodes.split]
use = "split"
inputs = ["noted"]
sizes = { valid = 0.1, test = 0.2 }

[nodes.tokens]
use = "tokenize"
inputs = ["split"]
tokenizer = "models/tiny"

[model]
use = "transformer"
config = "models/tiny"

[task]
use = "text-classification"
labels = ["negative", "positive"]
metrics = ["accuracy", "f1", "auroc"]

[train]
data = "tokens"
epochs = 2
batch_size = 16
eval_batch_size = 7
optimizer = { use = "SGD", lr = 0.1 }
trainer = { accelerator = "cpu", devices = 2, strategy = "ddp" }

[train.callbacks.seen]
use = "seen"

[test]
batch_size = 7

[evaluate.nodes.tallied]
use = "tallied"
inputs = ["predictions"]
"""
HEAD = Head(problem_type="single_label_classification", labels=("no", "yes"))
ONE = ["--set", "train.trainer.devices=1", "--set", "train.trainer.strategy=auto"]


def make_project(folder: Path) -> None:
    """The demo's data and network, without dropout: it would be another in each process."""
    create(folder)
    (folder / "own.py").write_text(OWN + SEEN)
    (folder / "two.toml").write_text(RECIPE)
    config = folder / "models" / "tiny" / "config.json"
    off = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    config.write_text(json.dumps(json.loads(config.read_text()) | off))


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project after `run` in two processes and then in one; 105 rows, 15 and 30, none of which divides."""
    folder = tmp_path_factory.mktemp("two")
    make_project(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert command(["run", "two.toml"]) == 0
        (folder / "both").mkdir()
        shutil.move(folder / "runs", folder / "both" / "runs")
        for file in ("ran.txt", "seen-0.txt", "seen-1.txt"):
            (folder / file).rename(folder / "both" / file)
        assert command(["run", "two.toml", *ONE]) == 0
        yield folder


def run_of(folder: Path, stage: str) -> Path:
    """The only run directory of a stage."""
    (found,) = folder.glob(f"runs/*-{stage}-*")
    return found


def read(path: Path) -> dict[str, Any]:
    """A JSON file."""
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def predictions_of(run: Path) -> pa.Table:
    with pa.ipc.open_stream(run / "predictions.arrow") as stream:
        return stream.read_all()


def test_recipe_42_two_processes_make_one_run_directory(job: Path) -> None:
    """One for each stage, with one `run.json` and one log; only the first process prepares and writes."""
    both, one = job / "both", job

    assert len(list((both / "runs").iterdir())) == 2
    for stage in ("train", "test"):
        assert read(run_of(both, stage) / "run.json")["status"] == "finished"
        names = {path.relative_to(run_of(both, stage)) for path in run_of(both, stage).rglob("*")}
        assert names == {
            path.relative_to(run_of(one, stage)) for path in run_of(one, stage).rglob("*")
        }
    assert (both / "ran.txt").read_text() == "x"


def test_experiment_28_the_log_has_no_row_twice(job: Path) -> None:
    """It has the rows that one process's log has."""
    logs = [run_of(folder, "train") / "logs" / "metrics.csv" for folder in (job / "both", job)]
    both, one = (list(csv.DictReader(log.read_text().splitlines())) for log in logs)

    assert len(both) == len(one) > 2
    for ours, theirs in zip(both, one, strict=True):
        assert ours.keys() == theirs.keys()
        for name, value in ours.items():
            assert bool(value) == bool(theirs[name])
            if value:
                assert float(value) == pytest.approx(float(theirs[name]), abs=1e-5), name


def test_experiment_28_two_processes_validate_into_one_file(job: Path) -> None:
    """Each row of the split once, in order, and as one process has them; all know the metrics over it."""
    runs = [run_of(folder, "train") for folder in (job / "both", job)]
    both, one = (predictions_of(run / "validations" / "step-14") for run in runs)

    assert both["row"].to_pylist() == list(range(15))
    assert both.schema == one.schema
    for name in ("row", "label", "text"):
        assert both[name].to_pylist() == one[name].to_pylist()
    for ours, theirs in zip(both["probabilities"], one["probabilities"], strict=True):
        assert ours.as_py() == pytest.approx(theirs.as_py(), abs=1e-4)
    for run in runs:
        metrics = read(run / "metrics.json")
        assert (metrics["valid/tallied/rows"], metrics["valid/tallied/distinct"]) == (15, 15)
        assert len(list((run / "validations" / "step-14").iterdir())) == 1


def test_training_24_two_processes_see_each_row_once_an_epoch(job: Path) -> None:
    """Together they see what one does, about half each, and in another order in the second epoch."""
    halves = [(job / "both" / f"seen-{rank}.txt").read_text().splitlines() for rank in (0, 1)]
    alone = (job / "seen-0.txt").read_text().splitlines()

    assert sorted(halves[0] + halves[1]) == sorted(alone)
    assert len(alone) == 2 * 105
    assert abs(len(halves[0]) - len(halves[1])) <= 2
    for lines in (*halves, alone):
        first, second = ([x[2:] for x in lines if x[0] == epoch] for epoch in "01")
        assert first != second


def test_glue_27_two_processes_learn_what_one_does(job: Path) -> None:
    """Uneven last batches included: the gradient of a step is the mean over its rows, wherever they are."""
    weights = [
        load_file(run_of(f, "train") / "checkpoints" / "last" / "model.safetensors")
        for f in (job / "both", job)
    ]

    assert read(run_of(job / "both", "train") / "run.json")["steps"] == 14
    for name, tensor in weights[0].items():
        torch.testing.assert_close(tensor, weights[1][name], atol=1e-5, rtol=1e-4)


def test_glue_18_two_processes_test_as_one(
    job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same checkpoint gives the same bytes of predictions, in file order, and the same metrics."""
    folder = tmp_path / "copy"
    shutil.copytree(job, folder, ignore=shutil.ignore_patterns("runs", "both"))
    run = run_of(job / "both", "train")
    shutil.copytree(run, folder / "runs" / run.name)
    recipe = folder / "runs" / run.name / "recipe.resolved.toml"
    text = recipe.read_text()
    assert "devices = 2" in text
    recipe.write_text(text.replace("devices = 2", "devices = 1").replace('"ddp"', '"auto"'))
    monkeypatch.chdir(folder)

    assert command(["test", "two.toml"]) == 0

    both, one = run_of(job / "both", "test"), run_of(folder, "test")
    assert predictions_of(both)["row"].to_pylist() == list(range(30))
    assert predictions_of(both).equals(predictions_of(one))
    assert read(both / "metrics.json") == read(one / "metrics.json")


def test_glue_18_two_processes_validate_as_one(
    job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """15 rows in batches of 7 over two processes count 15 times: the metrics are those of a test of them."""
    folder = tmp_path / "copy"
    shutil.copytree(job, folder, ignore=shutil.ignore_patterns("runs", "both"))
    run = run_of(job / "both", "train")
    shutil.copytree(run, folder / "runs" / run.name)
    recipe = folder / "runs" / run.name / "recipe.resolved.toml"
    text = recipe.read_text()
    recipe.write_text(text.replace("devices = 2", "devices = 1").replace('"ddp"', '"auto"'))
    monkeypatch.chdir(folder)

    assert command(["test", "two.toml", "--set", "test.split=valid"]) == 0

    found = read(run_of(folder, "test") / "metrics.json")
    known = read(run / "metrics.json")
    for name in ("accuracy", "f1", "auroc"):
        assert found[f"test/{name}"] == known[f"valid/{name}"]
    assert found["test/loss"] == pytest.approx(known["valid/loss"], abs=1e-7)


def test_a_process_that_fails_ends_all_with_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The first process tells of the other's error; nothing else is printed, nobody is left."""
    make_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    started: list[subprocess.Popen[bytes]] = []
    monkeypatch.setattr(Observer, "start", lambda self: started.extend(self._processes))

    code = command(["train", "two.toml", "--set", 'train.callbacks.x={use="mishap"}'])

    out, said = capfd.readouterr()
    assert code == 1
    assert out == ""
    assert said.count("it broke") == 1
    assert "error: process 1 failed: training failed at own.py:30: ValueError: it broke" in said
    assert "Traceback" not in said
    assert said.count("something a library says") == 2  # the first process's two steps
    assert read(run_of(tmp_path, "train") / "run.json")["status"] == "failed"
    assert [process.poll() for process in started] != [None]


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_dealt_batches_are_those_of_one_process(size: int) -> None:
    """Each once over all processes, in equally many steps; a row that fills up does not count."""
    batches = FileBatches(11, batch_size=3)
    dealt = [Dealt(batches, rank=rank, world_size=size) for rank in range(size)]

    steps = [list(one) for one in dealt]

    assert len({len(one) for one in steps}) == 1
    assert all(len(rows) for one in steps for rows in one)
    counted = [tuple(steps[rank][step]) for step in range(len(dealt[0])) for rank in range(size)
               if dealt[rank].number(step) is not None]  # fmt: skip
    assert counted == [tuple(rows) for rows in batches]
    loaders: list[DataLoader[Any]] = [
        DataLoader(range(11), sampler=one, batch_size=None) for one in dealt
    ]
    kept = [counts(loader, step) for step in range(len(dealt[0])) for loader in loaders]
    assert sum(kept) == 4


def write_part(path: Path, numbers: list[list[int]]) -> None:
    with Predictions(path, HEAD) as predictions:
        for rows in numbers:
            scores = torch.tensor([[0.25, 0.75]] * len(rows))
            predictions.add(scores, torch.zeros(len(rows), dtype=torch.int64), rows=np.array(rows))


@pytest.mark.parametrize(
    ("second", "problem"),
    [([[2, 3]], ""), ([[1, 2, 3]], "missing or there twice"), ([], "of 2 rows instead of 5")],
    ids=["whole", "twice", "missing"],
)
def test_parts_are_merged_by_row(tmp_path: Path, second: list[list[int]], problem: str) -> None:
    """In file order, each row once; anything else is an error and gives no file."""
    path = tmp_path / "predictions.arrow"
    write_part(part(path, 0), [[0, 1], [4]])
    write_part(part(path, 1), second)

    if problem:
        with pytest.raises(TrainingError, match=problem):
            merge(path, world_size=2, rows=5)
        assert not path.exists()
        return
    merge(path, world_size=2, rows=5)
    assert predictions_of(tmp_path)["row"].to_pylist() == [0, 1, 2, 3, 4]
    assert [p.name for p in tmp_path.iterdir()] == ["predictions.arrow"]


TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "none",
    "WORLD_SIZE": "4",
    "MASTER_ADDR": "a",
    "MASTER_PORT": "1",
}
SLURM = {"SLURM_NTASKS": "8", "SLURM_JOB_NAME": "train", "SLURM_JOB_ID": "7"}


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0", "MASTER_ADDR": "a"}, None),
        (TORCHRUN | {"RANK": "0", "LOCAL_RANK": "0"}, ("torchrun", "0", True, 4)),
        (TORCHRUN | {"RANK": "3", "LOCAL_RANK": "1"}, ("torchrun", "3", False, 4)),
        (SLURM | {"SLURM_PROCID": "0"}, ("slurm", "0", True, 8)),
        (SLURM | {"SLURM_PROCID": "5", "SLURM_LOCALID": "1"}, ("slurm", "5", False, 8)),
        (SLURM | {"SLURM_PROCID": "5", "SLURM_JOB_NAME": "interactive"}, None),
        ({"NODE_RANK": "1", "MASTER_ADDR": "a"}, ("environment", "0 of node 1", False, None)),
        ({"NODE_RANK": "0", "MASTER_ADDR": "a", "WORLD_SIZE": "2"}, ("environment", "0", True, None)),
        ({ranks.JOB: "a:1", "LOCAL_RANK": "1"}, ("mlrecipe", "1", False, None)),
    ],
)  # fmt: skip
def test_a_process_knows_whether_it_leads(environ: dict[str, str], expected: Any) -> None:
    """By the variables of torchrun, of SLURM, of Lightning and of mlrecipe itself."""
    rank = ranks.own(environ)

    found = rank and (rank.launcher, rank.name, rank.is_first, rank.world_size)
    assert found == expected
    assert ranks.is_follower(environ) == (expected is not None and not expected[2])


@pytest.mark.parametrize(
    ("arguments", "environ", "key", "message"),
    [
        ({"strategy": "ddp_spawn", "devices": 2}, {}, "strategy", "copies of this one"),
        ({"devices": 2}, TORCHRUN | {"RANK": "0", "LOCAL_RANK": "0"}, "devices",
         "torchrun started 4 processes, and the recipe asks for 2"),
    ],
)  # fmt: skip
def test_processes_that_cannot_work_together_are_refused(
    run: Path, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any], environ: dict[str, str],
    key: str, message: str,
) -> None:  # fmt: skip
    """Copies of this process, and another number than the recipe's."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    with trainers.quiet(), pytest.raises(DataError, match=message) as caught:
        trainers.make_trainer(folder=run, callbacks=[], loggers=[], accelerator="cpu", **arguments)

    assert caught.value.key == f"train.trainer.{key}"


def test_the_first_process_may_do_something_alone(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the stages that all carry out, one device needs one process."""
    for name, value in (TORCHRUN | {"RANK": "0", "LOCAL_RANK": "0"}).items():
        monkeypatch.setenv(name, value)

    with trainers.quiet():
        made = trainers.make_trainer(
            folder=run, callbacks=[], loggers=[], accelerator="cpu", devices=1
        )

    assert made.world_size == 1


def test_a_strategy_may_be_a_table(run: Path) -> None:
    """It names a class of Lightning and its parameters; one that there is not has a nearest name."""
    table = {"use": "DDPStrategy", "find_unused_parameters": True}
    with trainers.quiet():
        made = trainers.make_trainer(
            folder=run, callbacks=[], loggers=[], accelerator="cpu", devices=2, strategy=table,
            profiler={"use": "SimpleProfiler"},
        )  # fmt: skip
        with pytest.raises(DataError, match="no 'DDPStratgy' here") as caught:
            trainers.make_trainer(
                folder=run, callbacks=[], loggers=[], strategy={"use": "DDPStratgy"}
            )

    assert isinstance(made.strategy, DDPStrategy)
    assert made.strategy._ddp_kwargs["find_unused_parameters"] is True
    assert made.world_size == 2
    assert caught.value.key == "train.trainer.strategy.use"
    assert "did you mean 'DDPStrategy'" in str(caught.value)


def mlrecipe(*arguments: str, launcher: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    code = "from mlrecipe.cli.entry import main; main()"
    script = Path("mlrecipe.py.txt")  # torchrun takes a file
    script.write_text(code)
    return subprocess.run(
        [*launcher, sys.executable, str(script), *arguments], capture_output=True, text=True,
        timeout=100, check=False, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip


@pytest.mark.real
@pytest.mark.timeout(300)
def test_torchrun_gives_one_run_and_the_same_numbers(
    job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What torchrun starts does what mlrecipe's own processes do: one run directory, one voice."""
    make_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--standalone",
                "--nproc-per-node", "2", "--no-python")  # fmt: skip

    done = mlrecipe("run", "two.toml", launcher=torchrun)

    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "runs").iterdir())) == 2
    assert done.stderr.count("train: 105 rows") == 1
    for stage in ("train", "test"):
        found = [read(run_of(f, stage) / "metrics.json") for f in (tmp_path, job / "both")]
        assert found[0] == found[1]


@pytest.mark.real
@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_two_processes_go_on_where_they_were_stopped(
    job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """The weights are bit for bit those of two processes that were never stopped; none is left."""
    make_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    own = (tmp_path / "own.py").read_text()
    kill = f"__import__('os').kill(__import__('os').getpid(), {int(number)})"
    stop = own.replace('raise ValueError("it broke")', kill)
    (tmp_path / "own.py").write_text(stop)
    stopping = ("--set", 'train.callbacks.x={use="mishap",rank=0}')

    first = mlrecipe("train", "two.toml", *stopping)
    assert first.returncode == 128 + number, first.stderr
    assert read(run_of(tmp_path, "train") / "run.json")["status"] == "interrupted"
    (tmp_path / "own.py").write_text(stop.replace("trainer.global_step == 2", "False"))
    again = mlrecipe("train", "two.toml", "--resume")

    assert again.returncode == 0, again.stderr
    files = [run_of(f, "train") / "checkpoints" / "last" / "model.safetensors"
             for f in (tmp_path, job / "both")]  # fmt: skip
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.real
@pytest.mark.timeout(300)
def test_a_killed_process_ends_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`kill -9` of another process is told of by the first, with how to go on from what was kept."""
    make_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    own = (tmp_path / "own.py").read_text()
    kill = "__import__('os').kill(__import__('os').getpid(), 9)"
    (tmp_path / "own.py").write_text(own.replace('raise ValueError("it broke")', kill))

    done = mlrecipe("train", "two.toml", "--set", 'train.callbacks.x={use="mishap"}',
                    "--set", "train.resume_every=1")  # fmt: skip

    assert done.returncode == 1
    run = run_of(tmp_path, "train")
    assert f": mlrecipe train two.toml --resume --run {run.name}\nerror: " in done.stderr
    assert (
        "error: process 1 ended by signal SIGKILL; all processes of the job were ended"
        in done.stderr
    )
    assert read(run_of(tmp_path, "train") / "run.json")["status"] == "failed"


DEADLY = """\


import os

import torchmetrics


class Deadly(torchmetrics.MeanMetric):
    def update(self, scores, targets):
        super().update(float(len(targets)))
        order = Path(__file__).with_name("kill")
        if order.exists() and self._update_count == 2 and os.environ["LOCAL_RANK"] == "1":
            os.kill(os.getpid(), 9)


@mlrecipe.metric("deadly")
def deadly(head):
    return Deadly()
"""


@pytest.mark.real
@pytest.mark.timeout(300)
def test_experiment_39_a_test_of_two_processes_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One is killed; the rows of both stay, and the end is that of a test that was not stopped."""
    make_project(tmp_path)
    (tmp_path / "own.py").write_text(OWN + SEEN + DEADLY)
    recipe = tmp_path / "two.toml"
    recipe.write_text(recipe.read_text().replace('"auroc"]', '"auroc", "deadly"]'))
    monkeypatch.chdir(tmp_path)
    assert command(["run", "two.toml"]) == 0
    whole = run_of(tmp_path, "test")
    (tmp_path / "kill").touch()

    stopped = command(["test", "two.toml"])
    said = capsys.readouterr().err
    (tmp_path / "kill").unlink()
    again = command(["test", "two.toml", "--resume"])

    assert (stopped, again) == (1, 0)
    assert "process 1 ended by signal SIGKILL" in said
    assert "rows are kept; to test the others: mlrecipe test two.toml --resume" in said
    assert "rows of it are tested already" in capsys.readouterr().err
    (run,) = (path for path in tmp_path.glob("runs/*-test-*") if path != whole)
    for name in ("predictions.arrow", "metrics.json", "report.json"):
        assert (run / name).read_bytes() == (whole / name).read_bytes(), name
    assert [path.name for path in run.glob("predictions*")] == ["predictions.arrow"]
