"""Predicting a file: what comes out, in which order, and how it compares with the test stage."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from mlrecipe import inference
from mlrecipe.errors import RequestError
from mlrecipe.inference.requests import run_of
from tests.inference.conftest import Project, make_texts, read_csv, write_csv
from tests.projects import Done
from tests.training.tiny import LABELS

Cli = Callable[..., Done]

WEIRD = ["", "   ", "😀🎉 good", "word1 " * 10_000, "naïve \t tab", "bad"]


def predict(project: Project, input: Path, output: Path, **options: object) -> inference.Predicted:
    return inference.predict_file(project.run, input, output, **options)  # type: ignore[arg-type]


def test_inference_34_gold_metrics_are_those_of_the_test_stage(here: Project, tmp_path: Path):
    """The file of the test split gives every metric of the test stage but the loss, to the last digit."""
    tested = json.loads((here.test.folder / "metrics.json").read_text())
    tested = tested.get("metrics", tested)

    found = predict(here, here.folder / "test.csv", tmp_path / "out.csv").metrics

    assert [*(f"test/{name}" for name in found), "test/loss"] == list(tested)  # the recipe's order
    assert len(set(found.values())) > 1
    for name, value in found.items():
        assert value == pytest.approx(tested[f"test/{name}"], abs=1e-12)


def test_inference_34_without_labels_there_are_no_metrics(here: Project, tmp_path: Path):
    """Neither where the column is missing nor where its cells are empty, and nothing is said against it."""
    texts = [text for text, _ in make_texts(5, seed=9)]
    bare = write_csv(tmp_path / "bare.csv", ["sentence"], [[text] for text in texts])
    empty = write_csv(tmp_path / "empty.csv", ["sentence", "label"], [[text, ""] for text in texts])

    for file in (bare, empty):
        done = predict(here, file, tmp_path / f"{file.stem}.jsonl")

        assert done.metrics == {}
        assert done.unlabelled == ""


@pytest.mark.parametrize("label", ["", "neutral"], ids=["missing", "unknown"])
def test_labels_of_some_rows_give_no_metrics_and_say_why(here: Project, tmp_path: Path, label: str):
    """All rows are predicted all the same."""
    rows = [
        (text, label if number == 3 else given)
        for number, (text, given) in enumerate(make_texts(6, seed=9))
    ]
    file = write_csv(tmp_path / "in.csv", ["sentence", "label"], rows)

    done = predict(here, file, tmp_path / "out.csv")

    assert done.metrics == {}
    assert "row 3" in done.unlabelled
    assert len(read_csv(tmp_path / "out.csv")) == 6


def test_glue_32_one_prediction_a_row_in_the_order_of_the_file(here: Project, tmp_path: Path):
    """Row numbers, label names and probabilities are those that the test stage has kept for the same file."""
    with pa.ipc.open_stream(here.test.folder / "predictions.arrow") as stream:
        kept = stream.read_all().to_pylist()

    predict(here, here.folder / "test.csv", tmp_path / "out.jsonl", batch_size=7)

    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    texts = [row["sentence"] for row in read_csv(here.folder / "test.csv")]
    assert [row["sentence"] for row in rows] == texts
    assert [row["row"] for row in rows] == list(range(len(texts)))
    assert [row["prediction"] for row in rows] == [row["prediction"] for row in kept]
    for row, other in zip(rows, kept, strict=True):
        assert list(row["probabilities"].values()) == pytest.approx(
            other["probabilities"], abs=1e-6
        )
        assert row["probability"] == max(row["probabilities"].values())


def test_inference_33_every_format_keeps_rows_and_columns(here: Project, tmp_path: Path):
    """CSV, TSV, JSON Lines, Parquet, Arrow and compressed files: all columns stay, then the new ones."""
    rows = [{"id": f"00{i}", "sentence": text, "note": 'a "b", c' if i % 2 else ""}
            for i, (text, _) in enumerate(make_texts(9, seed=4))]  # fmt: skip
    table = pa.Table.from_pylist(rows)
    inputs = {
        name: tmp_path / f"in.{name}"
        for name in ("csv", "tsv", "jsonl", "parquet", "csv.gz", "arrow")
    }
    write_csv(inputs["csv"], table.column_names, [list(row.values()) for row in rows])
    inputs["csv.gz"].write_bytes(gzip.compress(inputs["csv"].read_bytes()))
    lines = [
        "\t".join(row.values()) + "\n" for row in [dict(zip(rows[0], rows[0], strict=True)), *rows]
    ]
    inputs["tsv"].write_text("".join(lines))
    inputs["jsonl"].write_text("".join(json.dumps(row) + "\n" for row in rows))
    parquet.write_table(table, inputs["parquet"])
    with pa.ipc.new_file(str(inputs["arrow"]), table.schema) as writer:
        writer.write_table(table)

    found = {}
    for name, file in inputs.items():
        output = tmp_path / f"out-{name}.jsonl"
        predict(here, file, output)
        found[name] = [json.loads(line) for line in output.read_text().splitlines()]

    for name, made in found.items():
        assert [{key: row[key] for key in rows[0]} for row in made] == rows, name
        assert list(made[0]) == [*rows[0], "row", "prediction", "probability", "probabilities"]
        assert made == found["csv"]


@pytest.mark.parametrize("ending", ["csv", "tsv", "csv.gz", "jsonl.gz", "jsonl.zst", "parquet"])
def test_inference_33_what_is_written_is_read_again(here: Project, tmp_path: Path, ending: str):
    """The output of one prediction is a good input of the next, in every format; the columns stay."""
    rows = [[i, text] for i, (text, _) in enumerate(make_texts(7, seed=4))]
    file = write_csv(tmp_path / "in.csv", ["id", "sentence"], rows)

    predict(here, file, tmp_path / f"one.{ending}")
    predict(here, tmp_path / f"one.{ending}", tmp_path / "two.csv", prefix="again_")

    made = read_csv(tmp_path / "two.csv")
    assert [[int(row["id"]), row["sentence"]] for row in made] == rows
    assert [row["again_prediction"] for row in made] == [row["prediction"] for row in made]


def test_inference_33_pieces_do_not_show(
    here: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Read in pieces of 5 rows, the output and the metrics are those of one piece."""
    whole = predict(here, here.folder / "test.csv", tmp_path / "whole.csv")

    monkeypatch.setattr("mlrecipe.inference.reading.ROWS", 5)
    pieces = predict(here, here.folder / "test.csv", tmp_path / "pieces.csv")

    assert pieces.rows == whole.rows == 53
    assert pieces.metrics == pytest.approx(whole.metrics, abs=1e-12)
    for one, other in zip(
        read_csv(tmp_path / "whole.csv"), read_csv(tmp_path / "pieces.csv"), strict=True
    ):
        assert {**one, **dict.fromkeys(_numbers(one))} == {**other, **dict.fromkeys(_numbers(one))}
        assert [float(one[name]) for name in _numbers(one)] == pytest.approx(
            [float(other[name]) for name in _numbers(one)], abs=1e-6
        )


def _numbers(row: dict[str, str]) -> list[str]:
    return [name for name in row if name.startswith("p") and name != "prediction"]


def test_inference_40_odd_texts_have_defined_answers(here: Project, tmp_path: Path):
    """Empty, blank, emoji, 10,000 words: each row is answered as it is alone, and what is odd is counted."""
    file = write_csv(tmp_path / "in.csv", ["sentence"], [[text] for text in WEIRD])
    done = predict(here, file, tmp_path / "out.jsonl")
    together = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]

    assert (done.rows, done.blank, done.truncated) == (len(WEIRD), 2, 1)
    predictor = inference.TablePredictor.of_run(here.run)
    alone = predictor.predict(pa.table({"sentence": [text]}) for text in WEIRD)
    for answer, row in zip(alone, together, strict=True):
        assert answer["prediction"].to_pylist() == [row["prediction"]]
        assert answer["probability"].to_pylist() == pytest.approx([row["probability"]], abs=1e-6)
    assert together[0]["probabilities"] == pytest.approx(together[1]["probabilities"])


def test_inference_40_a_missing_text_is_an_empty_one(here: Project, tmp_path: Path):
    """Null, a missing key and an empty text are answered alike and counted, half a character is no crash."""
    lines = ['{"sentence": ""}', '{"sentence": null}', '{"id": 3}', r'{"sentence": "\ud83d good"}']
    (tmp_path / "in.jsonl").write_text("\n".join(lines))

    done = predict(here, tmp_path / "in.jsonl", tmp_path / "out.jsonl")

    made = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert done.blank == 3
    assert made[0]["probabilities"] == made[1]["probabilities"] == made[2]["probabilities"]
    assert made[1]["sentence"] is None
    assert "sentence" not in made[2]
    assert made[3]["sentence"] == "\ud83d good"


def test_inference_40_a_file_without_rows_gives_one_without_rows(here: Project, tmp_path: Path):
    """The header is there, with the new columns."""
    (tmp_path / "in.csv").write_text("sentence\n")

    done = predict(here, tmp_path / "in.csv", tmp_path / "out.csv")

    assert done.rows == 0
    assert (tmp_path / "out.csv").read_text().startswith("sentence,row,prediction,probability,p_")


def test_inference_32_top_labels_come_best_first(here: Project, tmp_path: Path):
    """All of them sum to 1; one of them is the prediction with its probability."""
    file = here.folder / "test.csv"
    predict(here, file, tmp_path / "all.jsonl", top=5)
    predict(here, file, tmp_path / "one.csv", top=1)

    made = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    for row, flat in zip(made, read_csv(tmp_path / "one.csv"), strict=True):
        shares = [each["probability"] for each in row["top"]]
        assert sorted(each["label"] for each in row["top"]) == LABELS
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) == pytest.approx(1, abs=1e-6)
        assert "probabilities" not in row
        assert row["top"][0] == {"label": row["prediction"], "probability": row["probability"]}
        assert flat["top_1"] == row["prediction"]
        assert float(flat["top_1_probability"]) == row["probability"]


def test_a_column_that_is_there_is_never_overwritten(here: Project, tmp_path: Path):
    """An input with a column `prediction` is refused, and a prefix helps."""
    file = write_csv(tmp_path / "in.csv", ["sentence", "prediction"], [["good", "mine"]])

    with pytest.raises(RequestError, match=r"has a column 'prediction' already.*--prefix"):
        predict(here, file, tmp_path / "out.csv")

    predict(here, file, tmp_path / "out.csv", prefix="m_")
    (row,) = read_csv(tmp_path / "out.csv")
    assert row["prediction"] == "mine"
    assert row["m_prediction"] in LABELS


def test_nothing_is_left_of_an_output_that_failed(
    here: Project, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Ctrl-C after the first piece: neither the file nor a part of it; one that was there stays as it was."""
    monkeypatch.setattr("mlrecipe.inference.reading.ROWS", 5)
    real = inference.TablePredictor.scores
    seen = []

    def interrupted(self: inference.TablePredictor, piece: object) -> object:
        seen.append(piece)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return real(self, piece)  # type: ignore[arg-type]

    monkeypatch.setattr("mlrecipe.inference.tables.TablePredictor.scores", interrupted)
    (tmp_path / "out.csv").write_text("mine")

    with pytest.raises(KeyboardInterrupt):
        predict(here, here.folder / "test.csv", tmp_path / "out.csv", overwrite=True)

    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    assert (tmp_path / "out.csv").read_text() == "mine"
    seen.clear()
    names = ["--input", here.folder / "test.csv", "--output", tmp_path / "out.csv"]
    done = cli("predict", "recipe.toml", *names, "--overwrite")
    assert done.code == 130
    assert done.err.splitlines()[-1] == "interrupted: no file was written"


def test_an_output_that_is_there_is_replaced_only_when_asked(here: Project, tmp_path: Path):
    """Nor is the input ever the output."""
    (tmp_path / "out.csv").write_text("mine")
    file = here.folder / "test.csv"

    with pytest.raises(RequestError, match=r"is there already.*--overwrite"):
        predict(here, file, tmp_path / "out.csv")
    with pytest.raises(RequestError, match="would replace the input"):
        predict(here, file, file, overwrite=True)

    predict(here, file, tmp_path / "out.csv", overwrite=True)
    assert len(read_csv(tmp_path / "out.csv")) == 53


def test_the_run_serves_alone(trained: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Without the data that it was trained on, the store, the first model folder, and with another recipe."""
    import shutil

    folder = tmp_path / "copy"
    shutil.copytree(trained.folder, folder, ignore=shutil.ignore_patterns("store", "*.csv", "tiny"))
    (folder / "recipe.toml").write_text('name = "other"\n')
    monkeypatch.chdir(tmp_path)

    run = run_of(str(folder / "runs" / trained.run.id), project=tmp_path)
    inference.predict_file(run, trained.folder / "test.csv", "out.csv")

    expected = tmp_path / "expected.csv"
    predict(trained, trained.folder / "test.csv", expected)
    assert read_csv(tmp_path / "out.csv") == read_csv(expected)


def test_a_predictor_takes_tables_and_gives_tables(here: Project):
    """As many rows each, numbered on; what a file gives in Parquet."""
    predictor = inference.TablePredictor.of_run(here.run)
    tables = [pa.table({"sentence": ["good", "bad"]}), pa.table({"sentence": ["word1"]})]

    made = list(predictor.predict(tables))

    assert [table["row"].to_pylist() for table in made] == [[0, 1], [2]]
    assert made[0].column_names == ["row", "prediction", "probability", "probabilities"]
    assert list(made[0]["probabilities"][0].as_py()) == LABELS


def test_half_precision_is_near(here: Project, tmp_path: Path):
    """bf16 has two to three digits; it is another answer than that of fp32."""
    full = predict(here, here.folder / "test.csv", tmp_path / "full.csv")
    half = predict(here, here.folder / "test.csv", tmp_path / "half.csv", precision="bf16")

    one, other = (
        [float(row["p_positive"]) for row in read_csv(tmp_path / f"{name}.csv")]
        for name in ("full", "half")
    )
    assert half.rows == full.rows
    assert one != other
    assert one == pytest.approx(other, abs=0.05)


class Bare:
    """A task without what predicting is made of."""

    def __init__(self, task: object) -> None:
        self._task = task

    def __getattr__(self, name: str) -> object:
        if name in ("inputs", "scores", "is_labelled"):
            raise AttributeError(name)
        return getattr(self._task, name)


def test_a_task_that_cannot_predict_takes_rows_with_labels(here: Project):
    """Without labels it is refused, and the error says what the task lacks."""
    known = inference.TablePredictor.of_run(here.run)
    bare = inference.TablePredictor(
        task=Bare(known._task), network=known._network, head=known.head, ways=known._ways
    )  # type: ignore[arg-type]
    rows = {"sentence": ["good", "bad"]}

    (made,) = bare.predict([pa.table({**rows, "label": LABELS})])
    (same,) = known.predict([pa.table(rows)])

    assert made.equals(same)
    with pytest.raises(RequestError, match="predicts no rows without labels"):
        list(bare.predict([pa.table(rows)]))


def test_a_line_end_of_old_within_a_cell_is_quoted(here: Project, tmp_path: Path):
    """A lone carriage return would end the row for every reader of CSV."""
    (tmp_path / "in.jsonl").write_text(json.dumps({"sentence": "good\rbad", "id": ""}) + "\n")

    predict(here, tmp_path / "in.jsonl", tmp_path / "out.csv")

    (row,) = read_csv(tmp_path / "out.csv")
    assert (row["sentence"], row["id"], row["row"]) == ("good\rbad", "", "0")


def test_a_text_that_a_whole_piece_lacks_is_empty(
    here: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """As among others: it does not matter where the file is cut into pieces."""
    monkeypatch.setattr("mlrecipe.inference.reading.ROWS", 2)
    (tmp_path / "in.jsonl").write_text('{"sentence": "good"}\n{"sentence": "bad"}\n{"id": 3}\n')

    done = predict(here, tmp_path / "in.jsonl", tmp_path / "out.jsonl")

    assert (done.rows, done.blank) == (3, 1)


def test_labels_that_come_late_give_no_metrics_and_say_why(
    here: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Also where the first piece of the file has none at all."""
    monkeypatch.setattr("mlrecipe.inference.reading.ROWS", 2)
    rows = [(text, label if n > 1 else "") for n, (text, label) in enumerate(make_texts(4, seed=9))]
    file = write_csv(tmp_path / "in.csv", ["sentence", "label"], rows)

    done = predict(here, file, tmp_path / "out.csv")

    assert done.metrics == {}
    assert done.unlabelled == "rows before 2 have no label"
