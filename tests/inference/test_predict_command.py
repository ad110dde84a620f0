"""The command `predict`: which run is meant, what is said, and what a newcomer does wrong."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlrecipe.runs import run as running
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
    assert "rename 'sentense' to 'sentence' in the input" in done.err
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        (
            ["id", "body", "label"],
            "rename 'body' to 'sentence' in the input; node 'tokens' reads it",
        ),
        (["title", "body", "label"], "name the column with the texts so; node 'tokens' reads it"),
        (["id", "label"], "name the column with the texts so; node 'tokens' reads it"),
    ],
)
def test_a_column_is_to_be_renamed_only_where_it_is_plain_which(
    cli: Cli, tmp_path: Path, names: list[str], hint: str
):
    """The one column of texts that is there; a label is none."""
    row = {"id": 1, "title": "fine", "body": "good", "label": "positive"}
    file = write_csv(tmp_path / "in.csv", names, [[row[name] for name in names]])

    done = cli("predict", "recipe", "-i", file, "-o", tmp_path / "out.csv")

    assert (done.code, hint in done.err) == (2, True), done.err


def test_rows_without_labels_are_said_to_be_of_the_input(cli: Cli, tmp_path: Path):
    """It has no splits."""
    rows = [["good", "positive"], ["bad", ""]]
    file = write_csv(tmp_path / "in.csv", ["sentence", "label"], rows)

    done = cli("predict", "recipe", "-i", file, "-o", tmp_path / "out.csv")

    assert "1 of 2 rows of the input has no label in column 'label'" in done.out + done.err


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


def test_quotes_around_the_cells_of_tsv_are_told_of(cli: Cli, tmp_path: Path):
    """With the way to take them off, which works as it is said; a quote here and there is text."""
    (tmp_path / "in.tsv").write_text('sentence\tid\n"good"\t1\n"bad, ""so"" bad"\t2\nwell\t3\n')
    (tmp_path / "few.tsv").write_text('sentence\tid\n"good"\t1\nbad\t2\n"well" done\t3\n')
    out = ("-o", tmp_path / "out.jsonl", "--overwrite")

    plain = cli("predict", "recipe", "-i", tmp_path / "in.tsv", *out)
    few = cli("predict", "recipe", "-i", tmp_path / "few.tsv", *out)
    (way,) = re.findall(r"--format .*", plain.err)
    mended = cli("predict", "recipe", "-i", tmp_path / "in.tsv", *out, *shlex.split(way))

    assert (
        "warning: most cells of column sentence of in.tsv begin and end with a double" in plain.err
    )
    assert "warning" not in few.err + mended.err
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    texts = [json.loads(line)["sentence"] for line in lines]
    assert texts == ["good", 'bad, "so" bad', "well"]


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


def test_an_op_that_was_changed_after_the_training_is_told(
    trained: Project, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """By its name and place, in `predict` and in `test`; as long as it is what it was, there is no word."""
    folder = tmp_path / "copy"
    shutil.copytree(trained.folder, folder, ignore=shutil.ignore_patterns("runs"))
    node = '[nodes.loud]\nuse = "shout"\ninputs = ["named"]\n\n[nodes.mixed]'
    recipe = (folder / "recipe.toml").read_text().replace("[nodes.mixed]", node)
    recipe = recipe.replace('inputs = ["named"]\nsplits', 'inputs = ["loud"]\nsplits')
    (folder / "recipe.toml").write_text(recipe.replace("epochs = 2", "epochs = 1"))
    monkeypatch.chdir(folder)
    predict = ["predict", "recipe.toml", "-i", "test.csv", "--overwrite", "-o", tmp_path / "o.csv"]

    first = [cli("run", "recipe.toml"), cli(*predict)]
    ops = (folder / "ops.py").read_text()
    (folder / "ops.py").write_text(ops.replace(".upper()", ".lower()"))
    then = [cli("test", "recipe.toml"), cli(*predict)]

    assert [done.code for done in (*first, *then)] == [0, 0, 0, 0]
    assert not any("is not what run" in done.err for done in first)
    run = running.newest(folder, stage="train", recipe="recipe.toml")
    assert run is not None
    said = f"the op 'shout' (ops.py:8) is not what run {run.id} was trained with"
    for done in then:
        assert f"{said}: predictions may be others" in " ".join(done.err.split())
