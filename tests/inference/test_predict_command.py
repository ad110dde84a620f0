"""The command `predict`: which run is meant, what is said, and what a newcomer does wrong."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.inference.conftest import Project, read_csv, write_csv
from tests.projects import ROOT, Done

Cli = Callable[..., Done]


def test_the_run_is_found_by_recipe_id_end_and_folder(here: Project, cli: Cli, tmp_path: Path):
    """And by its test run; each says which run it takes."""
    run = here.run
    names = ["recipe.toml", "recipe", run.id, run.id[-4:], f"runs/{run.id}", f"runs/{here.test.id}"]
    for number, name in enumerate(names):
        done = cli("predict", name, "--input", "test.csv", "--output", tmp_path / f"{number}.csv")

        assert done.code == 0, done.err
        assert f"best checkpoint of run {run.id}" in done.err


def test_metrics_rows_and_place_are_shown(cli: Cli, tmp_path: Path):
    """Results on standard output, all else on standard error."""
    done = cli("predict", "recipe", "-i", "test.csv", "-o", tmp_path / "out.csv")

    assert [line.split()[0] for line in done.out.splitlines()] == [
        "accuracy",
        "f1",
        "auroc",
        "predicted",
        "output",
    ]
    assert "53 rows" in done.out


def test_json_is_one_document(here: Project, cli: Cli, tmp_path: Path):
    """With what a script wants to know."""
    done = cli("predict", "recipe", "-i", "test.csv", "-o", tmp_path / "out.csv", "--json")

    found = json.loads(done.out)
    assert found["run"] == here.run.id
    assert found["rows"] == 53
    assert set(found["metrics"]) == {"accuracy", "f1", "auroc"}


def test_inference_35_a_missing_text_column_is_refused_with_those_found(cli: Cli, tmp_path: Path):
    """Exit code 2, the columns that there are, a suggestion; no output."""
    file = write_csv(tmp_path / "in.csv", ["id", "sentense"], [[1, "good"]])

    done = cli("predict", "recipe", "-i", file, "-o", tmp_path / "out.csv")

    assert done.code == 2
    assert "no column 'sentence' with texts; it has 'id', 'sentense'" in done.err
    assert "did you mean 'sentense'?" in done.err
    assert not (tmp_path / "out.csv").exists()


def test_inference_35_a_file_with_other_delimiters_is_told_so(cli: Cli, tmp_path: Path):
    """One column named `id;sentence` is what semicolons look like; with `--delimiter` it works."""
    (tmp_path / "in.csv").write_text("id;sentence\n1;good\n")

    refused = cli("predict", "recipe", "-i", tmp_path / "in.csv", "-o", tmp_path / "out.csv")
    done = cli(
        "predict",
        "recipe",
        "-i",
        tmp_path / "in.csv",
        "-o",
        tmp_path / "out.csv",
        "--delimiter",
        ";",
    )

    assert refused.code == 2
    assert "--delimiter ';'" in refused.err
    assert done.code == 0
    assert (tmp_path / "out.csv").read_text().startswith("id;sentence;row;prediction")


def test_a_file_without_a_header_has_its_columns_named(cli: Cli, tmp_path: Path):
    """Its first row is a row."""
    (tmp_path / "in.tsv").write_text('good\t"1"\nbad\t2\n')
    files = ("-i", tmp_path / "in.tsv", "-o", tmp_path / "out.csv")

    done = cli("predict", "recipe", *files, "--columns", "sentence,id")

    assert done.code == 0
    rows = read_csv(tmp_path / "out.csv")
    assert [(row["sentence"], row["id"]) for row in rows] == [("good", '"1"'), ("bad", "2")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["recipe", "-i", "tset.csv", "-o", "x.csv"], "did you mean 'test.csv'?"),
        (["recipe", "-i", "test.csv", "-o", "x.docx"], "does not say what the file holds"),
        (["recipe", "-i", "test.csv", "-o", "x.arrow"], "arrow cannot be written"),
        (["recipe", "-i", "test.csv", "-o", "no/where/x.csv"], "there is no folder"),
        (["recipe", "-i", "-", "-o", "x.csv"], "--format"),
        (["recipe", "-i", "test.csv", "-o", "x.csv", "--checkpoint", "bset"], "did you mean 'best'?"),
        (["recipe", "-i", "test.csv", "-o", "x.csv", "--precision", "fp23"], "did you mean 'fp32'?"),
        (["recipe", "-i", "test.csv", "-o", "x.csv", "--format", "cvs"], "did you mean 'csv'?"),
        (["recip", "-i", "test.csv", "-o", "x.csv"], "nor a run; did you mean 'recipe.toml'?"),
        (["recipe", "-i", "test.csv", "-o", "-", "--json"], "standard output"),
        (["recipe", "-i", "test.csv", "-o", "x.parquet.gz"], "compresses by itself"),
    ],
)  # fmt: skip
def test_a_wrong_request_is_refused_with_what_to_do(here: Project, cli: Cli, arguments, said: str):
    """Exit code 2, one line, and no file."""
    done = cli("predict", *arguments)

    assert done.code == 2
    assert said in done.err
    assert not list(here.folder.glob("x.*"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('sentence\ngood\n"bad\n', "x.csv:3: the quotes of the row"),
        ("sentence,id\ngood,1\nbad\n", "x.csv:3: the row has 1 cell where 2"),
        ("", "x.csv: the file is empty"),
    ],
    ids=["quotes", "ragged", "empty"],
)
def test_a_broken_file_is_refused_with_its_line(cli: Cli, tmp_path: Path, text: str, said: str):
    """Nothing is written, not even the rows before; what is to be done is said in options of `predict`."""
    (tmp_path / "x.csv").write_text(text)

    done = cli("predict", "recipe", "-i", tmp_path / "x.csv", "-o", tmp_path / "out.csv")

    assert done.code == 2
    assert said in done.err
    assert "quoting" not in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]


def test_rows_go_through_pipes(here: Project, tmp_path: Path):
    """`-` and `-`: standard output has nothing but rows."""
    text = (here.folder / "test.csv").read_text()
    done = subprocess.run(
        [sys.executable, "-m", "mlrecipe", "predict", "recipe", "-i", "-", "-o", "-", "--format", "csv"],
        cwd=here.folder, env={"PYTHONPATH": str(ROOT), "PATH": ""}, input=text, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    (tmp_path / "out.csv").write_text(done.stdout)
    assert len(read_csv(tmp_path / "out.csv")) == 53
    assert "accuracy" in done.stderr


def test_predicting_needs_no_lightning(here: Project, tmp_path: Path):
    """Neither it nor its parts are imported."""
    code = f"""
import sys
from mlrecipe.cli.app import run
code = run(["predict", "recipe", "-i", "test.csv", "-o", {str(tmp_path / "out.csv")!r}, "--quiet"])
print(code, [name for name in sys.modules if "lightning" in name.partition(".")[0]], file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=here.folder, env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    found = done.stderr.splitlines()[-1]
    assert found.startswith("0 ")
    assert "pytorch_lightning" not in found
    assert "lightning_fabric" not in found


def test_training_40_a_run_ends_with_all_that_one_needs(
    trained: Project, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """At most 40 lines: metrics, paths, examples/s, fill and a predict command, which works as it stands."""
    shutil.copytree(trained.folder, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")

    done = cli("run", "recipe.toml", "--set", "train.epochs=1", "--set", "train.seed=8")

    lines = done.out.splitlines() + done.err.splitlines()
    assert done.code == 0
    assert len(lines) <= 40
    for word in (
        "valid/accuracy",
        "test/accuracy",
        "examples/s",
        "% full",
        "predictions.arrow",
        "checkpoints/best",
    ):
        assert word in done.out
    last = done.out.splitlines()[-1].split()
    assert last[0] == "next"
    assert last[1:3] == ["mlrecipe", "predict"]
    typed = (
        " ".join(last[2:]).replace("FILE", "test.csv", 1).replace("FILE", str(tmp_path / "out.csv"))
    )
    assert cli(*typed.split()).code == 0
    assert len(read_csv(tmp_path / "out.csv")) == 53
