"""A user's own LightningModule and LightningDataModule, from the recipe to a tested checkpoint."""

from __future__ import annotations

import csv
import importlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomli
import torch
from safetensors.torch import load_file

from mlrecipe.cli.app import run as command
from mlrecipe.errors import RecipeError
from mlrecipe.pipeline.request import open_request
from mlrecipe.pipeline.stages import check_trainable_if_meant
from mlrecipe.training.checks import problems as training_problems
from tests.projects import heard

__all__ = ["heard"]
pytestmark = pytest.mark.heavy

PAGE = Path(__file__).parents[2] / "docs/how-to/own-lightning.md"
CPU = ["--set", 'train.trainer.accelerator="cpu"']
Run = Callable[..., Any]

ODD = '''
import mlrecipe
import pytorch_lightning as pl
import torch
from torch import nn


@mlrecipe.op("squares")
def squares(*, count: int = 24):
    """Numbers and their squares."""
    from datasets import Dataset, DatasetDict

    rows = [{"x": i / 10, "y": i * i / 100, "name": str(i)} for i in range(count)]
    return DatasetDict({name: Dataset.from_list(rows) for name in ("train", "valid", "test")})


class Base(pl.LightningModule):
    def __init__(self, *, logs: str = "val_loss", fails_at: int = -1):
        super().__init__()
        self.logs, self.fails_at = logs, fails_at
        self.seen = []

    def setup(self, stage):
        """Builds its layers late, two of them tied."""
        self.net = nn.Sequential(nn.Linear(1, 3), nn.Tanh(), nn.Linear(3, 1))
        self.same = self.net[0]

    def collate(self, rows):
        return {key: torch.stack([row[key] for row in rows])[:, None].float() for key in ("x", "y")}

    def get_extra_state(self):
        return {"answer": 42}

    def set_extra_state(self, state):
        self.answer = state["answer"]

    def training_step(self, batch, batch_idx):
        if self.trainer.global_step == self.fails_at:
            raise KeyboardInterrupt
        loss = nn.functional.mse_loss(self.net(batch["x"]), batch["y"])
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log(self.logs, nn.functional.mse_loss(self.net(batch["x"]), batch["y"]))

    def test_step(self, batch, batch_idx):
        self.log("answer", float(self.answer))
        self.log("rows", float(len(batch["x"])), reduce_fx="sum", batch_size=1)

    def configure_optimizers(self):
        optimizer = torch.optim.Adam(self.parameters(), lr=0.05)
        schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, factor=0.5)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "monitor": "train_loss"}}


@mlrecipe.module("odd")
class Odd(Base):
    """Builds its layers late, ties them, keeps a state of its own."""

    def __init__(self, *, logs: str = "val_loss", fails_at: int = -1):
        super().__init__(logs=logs, fails_at=fails_at)


@mlrecipe.module("whole", splits=True)
class Whole(Base):
    """Makes its loaders of what the recipe prepares."""

    def __init__(self):
        super().__init__()

    def train_dataloader(self):
        rows = self.splits["train"].with_format("torch")
        return torch.utils.data.DataLoader(rows, 8, collate_fn=self.collate)

    test_dataloader = train_dataloader


@mlrecipe.module("dropped")
class Dropped(Odd):
    """Random numbers in every step."""

    def __init__(self, *, fails_at: int = -1):
        super().__init__(fails_at=fails_at)

    def training_step(self, batch, batch_idx):
        batch = {**batch, "x": nn.functional.dropout(batch["x"], 0.5)}
        return super().training_step(batch, batch_idx)


@mlrecipe.module("nothing")
class Nothing:
    """Is no LightningModule."""

'''
WRONG = '''

@mlrecipe.task("wrong")
class Wrong(pl.LightningModule):
    """Has the decorator of tasks."""
'''
RECIPE = """
name = "odd"
plugins = ["odd.py"]

[nodes.numbers]
use = "squares"

[data]
use = "rows"
batch_size = 8

[task]
use = "odd"

[train]
data = "numbers"
epochs = 3
monitor = "val_loss"
trainer = { accelerator = "cpu" }
"""


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the example of the page; the current folder."""
    text = PAGE.read_text(encoding="utf-8")
    python, _ = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (recipe,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    (tmp_path / "line.py").write_text(python, encoding="utf-8")
    (tmp_path / "line.toml").write_text(recipe, encoding="utf-8")
    (tmp_path / ".mlrecipe").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with unusual modules and data of a node; the current folder."""
    (tmp_path / "odd.py").write_text(ODD, encoding="utf-8")
    (tmp_path / "odd.toml").write_text(RECIPE, encoding="utf-8")
    (tmp_path / ".mlrecipe").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command with `--json`; gives its document."""

    def call(*arguments: str) -> Any:
        capsys.readouterr()
        assert command([*arguments, "--json"]) == 0, capsys.readouterr().err
        return json.loads(capsys.readouterr().out)

    return call


def problems(path: str, *overrides: str) -> list[str]:
    """What `check` says against a recipe, a line each."""
    try:
        open_request(
            Path(path).absolute(), overrides, checks=[training_problems, check_trainable_if_meant]
        )
    except RecipeError as error:
        return str(error).splitlines()
    return []


def log_of(folder: Path) -> list[dict[str, str]]:
    """The rows of a run's CSV log."""
    with (folder / "logs" / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def weights(folder: Path, name: str = "last") -> bytes:
    """The bytes of a checkpoint's weights."""
    return (folder / "checkpoints" / name / "model.safetensors").read_bytes()


def test_glue_29_several_optimizers_hooks_and_schedules_of_a_module(line: Path, run: Run) -> None:
    """The page's example: both optimizers step, both schedules follow the module's own hook."""
    trained, tested = run("run", "line.toml", *CPU)

    rows = log_of(line / trained["folder"])
    rates = [float(row["lr-Adam"]) for row in rows if row["lr-Adam"]]
    assert rates == pytest.approx([0.1 * 0.9**epoch for epoch in range(len(rates))])
    assert len(rates) >= 2
    assert [float(row["lr-SGD"]) for row in rows if row["lr-SGD"]] == pytest.approx(rates)
    first, last = ([float(r["val_loss"]) for r in rows if r["val_loss"]][i] for i in (0, -1))
    assert last < first
    made = load_file(line / trained["folder"] / "checkpoints/best/model.safetensors")
    assert sorted(made) == ["first.bias", "first.weight", "second.bias", "second.weight"]
    assert list(tested["metrics"]) == ["test_loss"]
    assert tested["metrics"]["test_loss"] == pytest.approx(trained["metrics"]["val_loss"], rel=1e-5)


def test_a_modules_run_is_known_again_until_its_code_or_recipe_changes(
    line: Path, run: Run
) -> None:
    """`run` uses an equal run again; a changed parameter of [data] or line of code trains anew."""
    quick = [*CPU, "--set", "train.epochs=1"]
    known = run("run", "line.toml", *quick)
    assert run("run", "line.toml", *quick) == known

    other = run("run", "line.toml", *quick, "--set", "data.rows=32")
    assert other[0]["run"] != known[0]["run"]

    code = (line / "line.py").read_text()
    (line / "line.py").write_text(code.replace("nn.Linear(1, 4)", "nn.Linear(1, 4, bias=True)"))
    assert run("run", "line.toml", *quick)[0]["run"] != known[0]["run"]


def test_check_judges_a_module_without_importing_it(line: Path) -> None:
    """Wrong keys are found though importing the plugin would end the process."""
    (line / "line.py").write_text((line / "line.py").read_text() + "\nraise SystemExit\n")

    assert problems("line.toml") == []
    assert "did you mean 'lr'" in problems("line.toml", "task.lrr=1.0")[0]
    assert "did you mean 'rows'" in problems("line.toml", "data.row=1")[0]
    assert "expected an integer" in problems("line.toml", 'data.rows="many"')[0]
    assert (
        "unknown datamodule 'pints'; did you mean 'points'"
        in problems("line.toml", "data.use=pints")[0]
    )


@pytest.mark.parametrize(
    ("override", "key"),
    [("train.batch_size=8", "train.batch_size"), ("train.batching=tokens", "train.batching"),
     ("train.optimizer.lr=1.0", "train.optimizer"), ("train.scheduler.use=cosine", "train.scheduler"),
     ("train.layer_decay=0.9", "train.layer_decay"), ("train.strategy=mosbach", "train.strategy"),
     ("train.folds=3", "train.folds"), ("train.valid_split=dev", "train.valid_split"),
     ("train.compile=true", "train.compile"), ("test.split=dev", "test.split"),
     ("train.parts=whole", "train.parts"), ('test.keep=["x"]', "test.keep"),
     ("test.batch_size=1", "test.batch_size"), ("train.sampling=balanced", "train.sampling"),
     ('model={ use = "transformer", config = "x.json" }', "model"),
     ("train.trainer.devices=2", "train.trainer.devices"),
     ("train.trainer.precision=auto", "train.trainer.precision"),
     ("train.trainer.max_epochs=2", "train.trainer.max_epochs"),
     ('train.callbacks.thaw={ use = "gradual-unfreezing" }', "train.callbacks.thaw.use")],
)  # fmt: skip
def test_what_does_nothing_with_a_module_is_an_error(line: Path, override: str, key: str) -> None:
    """Keys that the module decides itself are refused, not ignored."""
    said = [p for p in problems("line.toml", override) if f"{key}: " in p]

    useless = not key.startswith(("train.trainer", "train.callbacks"))
    assert len(said) == 1
    assert not useless or any("does nothing with task 'line'" in problem for problem in said)


def test_a_limit_that_no_row_of_the_training_knows_is_told(
    line: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nodes that are there may be prepared with it, but the module brings its own data."""
    (line / "rows.csv").write_text("x,y\n1,2\n")
    with (line / "line.toml").open("a") as file:
        file.write('\n[nodes.rows]\nuse = "load-files"\ntrain = "rows.csv"\n')

    assert command(["train", "line.toml", *CPU, "--limit", "5"]) == 0

    said = " ".join(capsys.readouterr().err.split())
    assert "this training uses none of them; to see less of its own data set train.trainer." in said


def test_data_of_a_recipe_need_somebody_who_takes_them(odd: Path) -> None:
    """A node that nobody would see, [data] beside another task, splits without a node, the wrong decorator."""
    path = odd / "odd.toml"
    text = path.read_text()

    path.write_text(text.replace('[data]\nuse = "rows"\nbatch_size = 8\n', ""))
    assert "would never see it" in problems("odd.toml")[0]
    path.write_text(text.replace('data = "numbers"\n', ""))
    assert "training needs `data`" in problems("odd.toml")[0]
    path.write_text(text.replace('use = "odd"', 'use = "text-classification"'))
    assert any(
        "[data] goes with a task that is a LightningModule" in p for p in problems("odd.toml")
    )
    (odd / "odd.py").write_text(ODD + WRONG)
    path.write_text(text)
    assert any("registered with @mlrecipe.module" in problem for problem in problems("odd.toml"))


def test_a_module_may_call_its_splits_as_it_likes(odd: Path) -> None:
    """Where it is known which splits a node gives, none of them need be `train` or `valid`."""
    (odd / "a.csv").write_text("x,y\n1,1\n")
    text = (odd / "odd.toml").read_text()
    node = 'use = "load-files"\ntest = "a.csv"'
    (odd / "odd.toml").write_text(text.replace('use = "squares"', node))

    assert problems("odd.toml") == []


def test_rows_of_a_node_layers_made_late_tied_weights_and_extra_state(odd: Path, run: Run) -> None:
    """All of it comes back in the test stage, whose rows are each counted once."""
    trained, tested = run("run", "odd.toml")

    assert tested["metrics"] == {"answer": 42.0, "rows": 24.0}
    assert json.loads((odd / tested["folder"] / "run.json").read_text())["rows"] == 24
    kept = load_file(odd / trained["folder"] / "checkpoints/best/model.safetensors")
    assert len(kept) == 4  # the tied layer once


def test_a_module_makes_loaders_of_the_prepared_splits(odd: Path, run: Run) -> None:
    """Registered with `splits=True` it gets them as an attribute, and validates on nothing."""
    text = (odd / "odd.toml").read_text()
    text = text.replace('[data]\nuse = "rows"\nbatch_size = 8\n', "").replace(
        '"odd"\n\n[train]', '"whole"\n\n[train]'
    )
    (odd / "odd.toml").write_text(text.replace('monitor = "val_loss"', 'monitor = "train_loss"'))

    trained, tested = run("run", "odd.toml")

    assert list(trained["metrics"]) == ["train_loss"]
    assert tested["metrics"]["answer"] == 42.0


def test_the_best_of_a_metric_of_training_is_kept(odd: Path, run: Run) -> None:
    """Whatever is logged may be monitored, also what is known only when an epoch is over."""
    (trained,) = run(
        "train", "odd.toml", "--set", "train.monitor=train_loss", "--set", "train.top_k=2"
    )

    folder = odd / trained["folder"]
    losses = [float(row["train_loss"]) for row in log_of(folder) if row["train_loss"]]
    records = [json.loads((folder / "checkpoints" / name / "checkpoint.json").read_text())
               for name in ("best", "best-2")]  # fmt: skip
    assert [r["metrics"]["train_loss"] for r in records] == pytest.approx(sorted(losses)[:2])


def test_training_34_an_unknown_monitor_is_told_before_the_first_step(
    odd: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A batch is validated to see what the module logs; one that its code names needs no such trial."""
    assert command(["train", "odd.toml", "--set", "train.monitor=valid_loss"]) == 2

    said = capsys.readouterr().err
    assert "the module logs no metric 'valid_loss'; in validation it logs val_loss" in said
    assert "did you mean 'val_loss'?" in said
    assert "epoch 1/3" not in said
    assert not list(odd.glob("runs/*/logs/metrics.csv"))


def test_an_unknown_monitor_of_training_lists_what_the_module_logs(
    odd: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said after the first epoch: before, nobody knows what a module will log while it trains."""
    assert command(["train", "odd.toml", "--set", "train.monitor=train_los"]) == 2

    said = capsys.readouterr().err
    assert "logs no metric 'train_los'; it logs train_loss, val_loss" in said
    assert "epoch 2/3" not in said


@pytest.mark.parametrize(
    ("monitor", "is_doubtful"),
    [("val_loss", False), ("valid/loss", False), ("valid_loss", True), ("val/loss", True)],
)
def test_a_module_is_tried_only_where_its_code_does_not_name_the_metric(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, monitor: str, is_doubtful: bool
) -> None:
    """Nor for the default, which need not be there."""
    from mlrecipe.training.own import monitors

    text = 'import pytorch_lightning as pl\nclass Own(pl.LightningModule):\n    logs = "val_loss"\n'
    (tmp_path / "a_users_own.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("a_users_own").Own()

    assert monitors.is_doubtful(module, monitor) is is_doubtful


def test_without_a_monitor_the_last_is_the_best_and_it_is_said(
    odd: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """The default, `valid/loss`, may not be there; where it is it counts."""
    capsys.readouterr()
    assert command(["train", "odd.toml", "--unset", "train.monitor"]) == 0
    said = capsys.readouterr()
    (folder,) = odd.glob("runs/*")
    assert "the module logs no 'valid/loss'" in said.err
    assert weights(folder, "best") == weights(folder, "last")

    (trained,) = run(
        "train", "odd.toml", "--unset", "train.monitor", "--set", "task.logs=valid/loss"
    )
    record = json.loads((odd / trained["folder"] / "checkpoints/best/checkpoint.json").read_text())
    assert record["metrics"]["valid/loss"] == trained["metrics"]["valid/loss"]


def test_a_module_is_resumed_to_the_same_weights(odd: Path, run: Run) -> None:
    """Interrupted in its second epoch it goes on in place and ends as if it had not been."""
    (whole,) = run("train", "odd.toml", "--set", "task.use=dropped")
    stopped = ["--set", "task.use=dropped", "--set", "task.fails_at=4"]
    assert command(["train", "odd.toml", *stopped]) == 130
    (folder,) = [f for f in odd.glob("runs/*") if f.name != whole["run"]]
    # What makes it fail must not be in the way again.
    path = folder / "recipe.resolved.toml"
    path.write_text(path.read_text().replace("fails_at = 4", "fails_at = -1"))
    facts = json.loads((folder / "run.json").read_text())
    facts["fingerprint"] = json.loads((odd / whole["folder"] / "run.json").read_text())[
        "fingerprint"
    ]
    (folder / "run.json").write_text(json.dumps(facts))

    (resumed,) = run("train", "odd.toml", "--resume")

    assert resumed["run"] == folder.name
    assert weights(folder) == weights(odd / whole["folder"])


def test_accumulation_and_validation_by_steps_of_a_module(odd: Path, run: Run) -> None:
    """Lightning gathers the module's batches; `validate_every` counts optimizer steps."""
    (trained,) = run(
        "train", "odd.toml", "--set", "train.trainer.accumulate_grad_batches=3",
        "--set", "train.validate_every=1",
    )  # fmt: skip

    facts = json.loads((odd / trained["folder"] / "run.json").read_text())
    validations = [row for row in log_of(odd / trained["folder"]) if row["val_loss"]]
    assert (facts["steps"], len(validations)) == (3, 3)


def test_a_class_that_is_no_module_is_refused(
    odd: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The decorator alone makes none; no run is left."""
    assert command(["train", "odd.toml", "--set", "task.use=nothing"]) == 1

    assert "'nothing' is registered as a LightningModule and is none" in capsys.readouterr().err


def test_a_damaged_checkpoint_of_a_module_is_refused(odd: Path, run: Run) -> None:
    """Its files have digests as any other's."""
    (trained,) = run("train", "odd.toml", "--set", "train.epochs=1")
    path = odd / trained["folder"] / "checkpoints/best/rest.pt"
    torch.save({"rest": {}, "same": {}, "others": {}}, path)

    assert command(["test", "odd.toml"]) == 1


def test_a_modules_resolved_recipe_is_one_again(line: Path, run: Run) -> None:
    """Nothing is in it that would be an error for a module."""
    (trained,) = run("train", "line.toml", *CPU, "--set", "train.epochs=1")
    path = line / trained["folder"] / "recipe.resolved.toml"

    assert problems(str(path)) == []
    assert not {"batch_size", "optimizer", "batching"} & set(tomli.loads(path.read_text())["train"])


def test_the_test_of_a_module_refuses_what_check_refuses_and_proposes_no_split(
    line: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its loaders choose the rows: `test.split` is an error in the same words, and nothing to do next."""
    (trained,) = run("train", "line.toml", *CPU, "--set", "train.epochs=1")
    (said,) = problems("line.toml", "test.split=train")

    assert command(["test", "line.toml", "--run", trained["run"], "--set", "test.split=train"]) == 2
    assert said.partition("  ")[2] in capsys.readouterr().err
    assert [path.name for path in line.glob("runs/*")] == [trained["run"]]
    assert command(["test", "line.toml", "--run", trained["run"]]) == 0
    printed = capsys.readouterr().out
    assert "tested" in printed
    assert "next" not in printed


def test_a_limit_is_refused_where_no_node_reads_rows(line: Path) -> None:
    """Data of the module's own are not cut by it."""
    (said,) = problems("line.toml", "limit=5")

    assert "limit: does nothing with task 'line', a LightningModule" in said
    assert command(["train", "line.toml", "--limit", "5"]) == 2


def test_a_trial_of_a_module_without_nodes_says_nothing_of_a_limit(
    line: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is none to be given up."""
    assert command(["train", "line.toml", *CPU, "--fast-dev-run"]) == 0

    assert "rows will not do" not in capsys.readouterr().err


def test_a_limit_holds_where_a_module_takes_the_rows_of_a_node(odd: Path) -> None:
    """There it acts on the sources."""
    assert problems("odd.toml", "limit=5") == []


def test_a_run_of_another_recipe_is_not_tested(
    line: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message names the run's own recipe; the one in its directory is as good."""
    (trained,) = run("train", "line.toml", *CPU, "--set", "train.epochs=1")
    (line / "other.toml").write_text((line / "line.toml").read_text())
    name = trained["run"]

    assert command(["test", "other.toml", "--run", name]) == 2
    said = capsys.readouterr().err
    assert f"run {name} is one of line.toml, not of other.toml" in said
    assert f"mlrecipe test line.toml --run {name}" in said
    assert command(["test", f"{trained['folder']}/recipe.resolved.toml", "--run", name]) == 0
    (line / "line.toml").unlink()
    capsys.readouterr()
    assert command(["test", "other.toml", "--run", name]) == 2
    assert f"mlrecipe test {trained['folder']}/recipe.resolved.toml" in capsys.readouterr().err


def test_what_to_try_when_a_modules_loss_is_no_number_is_the_modules_own(
    line: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its recipe has no `train.optimizer`; the batch's path is that from the project."""
    assert command(["train", "line.toml", *CPU, "--set", "task.lr=1e30"]) == 1

    said = capsys.readouterr().err
    (folder,) = line.glob("runs/*")
    assert "train.optimizer" not in said
    assert "lower learning rate in the module's `configure_optimizers`" in said
    assert f"the batch is in runs/{folder.name}/not-finite" in said
