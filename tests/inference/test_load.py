"""`mlrecipe.load`: a trained model in a script, whatever its task, and what it makes of odd items."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mlrecipe
from mlrecipe.errors import RequestError, TrainingError
from mlrecipe.inference import Predictor, predict_file
from mlrecipe.inference.exporting.model import export
from mlrecipe.inference.replies import Label
from mlrecipe.runs import run as running
from tests.inference.conftest import Project
from tests.projects import ROOT, Done

WEIRD = ["", "   ", "good", "😀 good 👩‍👩‍👧", "good " * 10_000, "\ud83d bad", "\x00", "e\u0301"]


@pytest.fixture(scope="module")
def predictor(trained: Project) -> Predictor:
    """The predictor of the trained run."""
    return mlrecipe.load(trained.run.folder)


def answers(predictor: Predictor, items: list[Any], **options: Any) -> list[Label]:
    """The answers of a model that gives a label."""
    made = predictor.predict(items, **options)
    assert all(isinstance(answer, Label) for answer in made)
    return made  # type: ignore[return-value]


def test_one_item_gives_an_answer_and_a_list_gives_a_list(predictor: Predictor):
    """In order; by itself an item has the answer that it has among others."""
    one = predictor.predict("good great word1")
    many = answers(predictor, ["good great word1", "bad", "good great word1"])

    assert isinstance(one, Label)
    assert one.label == many[0].label == many[2].label
    assert one.score == pytest.approx(many[0].score, abs=1e-6)
    assert one.score == pytest.approx(many[2].score, abs=1e-6)
    assert one.probabilities["positive"] > many[1].probabilities["positive"] + 1e-4
    assert predictor.predict([]) == []


def test_texts_rows_and_words_are_the_same_item(predictor: Predictor):
    """By the training's own column, by `text`, as words, out of a generator."""
    rows = [
        {"sentence": "bad word1"},
        {"text": "bad word1", "id": 3},
        ["bad", "word1"],
        "bad word1",
    ]

    made = answers(predictor, (row for row in rows))  # type: ignore[arg-type]
    alone = predictor.predict(tokens=["bad", "word1"])

    assert len({round(answer.score, 5) for answer in [*made, alone]}) == 1


def test_answers_are_those_of_the_command(predictor: Predictor, trained: Project, tmp_path: Path):
    """The same file, row by row; as plain JSON values."""
    predict_file(trained.run, trained.folder / "test.csv", tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]

    made = answers(predictor, [row["sentence"] for row in rows])

    assert [answer.label for answer in made] == [row["prediction"] for row in rows]
    for answer, row in zip(made, rows, strict=True):
        assert answer.to_dict()["probabilities"] == pytest.approx(row["probabilities"], abs=1e-6)
        assert json.loads(json.dumps(answer.to_dict())) == answer.to_dict()


def test_inference_32_top_labels_come_best_first_and_sum_to_one(predictor: Predictor):
    """All probabilities by default, the best by `top`; what makes no sense is refused."""
    every = predictor.predict("good word1")
    best = predictor.predict("good word1", top=1)

    assert isinstance(every, Label)
    assert isinstance(best, Label)
    assert list(every.probabilities.values()) == sorted(every.probabilities.values(), reverse=True)
    assert sum(every.probabilities.values()) == pytest.approx(1, abs=1e-6)
    assert every.score == every.probabilities[every.label]
    assert dict(best.probabilities) == {every.label: best.score}
    with pytest.raises(RequestError, match="top: 0 is not at least 1"):
        predictor.predict("good", top=0)


def test_inference_40_odd_texts_have_defined_answers(predictor: Predictor):
    """Empty, blank, emoji, 10,000 words, half a character: each as it is alone, empty as blank."""
    together = answers(predictor, WEIRD)

    for text, answer in zip(WEIRD, together, strict=True):
        alone = predictor.predict(text)
        assert isinstance(alone, Label)
        assert (alone.label, alone.score) == (answer.label, pytest.approx(answer.score, abs=1e-6))
    assert together[0].score == pytest.approx(together[1].score, abs=1e-6)


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (None, "give either items or `tokens`"),
        ([None], "item 0 is None, not a text"),
        (["good", 3], "item 1 is of type int: 3, not a text"),
        (b"good", r"of type bytes.*\.decode"),
        (("good", "bad"), "the item is a pair of texts, and the model reads one"),
        ([{}], "item 0 is a row without columns"),
        ({"id": 3}, r"no column 'sentence' with texts; it has 'id'"),
        ([["good", None]], "place 1 of item 0 is None"),
        (("good",), "the item is a tuple with 1 in it"),
        ({"sentence": 5}, "'sentence' of the item is of type int: 5, not a text"),
        ({"sentense": "good"}, "it has 'sentense'; rename 'sentense' to 'sentence'"),
        (
            [{"sentence": "good"}, {"sentense": "bad"}],
            "item 1 has no 'sentence', and others have one; it has 'sentense'; rename 'sentense'",
        ),
        (["good", {"id": 3}], "item 1 has no 'sentence'"),
        (np.array(5), "the item is of type int: 5"),
    ],
)
def test_an_item_that_is_none_says_so(predictor: Predictor, item: Any, said: str):
    """With its number; nothing of the command line is named."""
    with pytest.raises(RequestError, match=said) as caught:
        predictor.predict(item)
    assert "--" not in str(caught.value)


@pytest.mark.parametrize("top", ["3", 2.5, True])
def test_a_number_of_labels_is_whole(predictor: Predictor, top: Any):
    """Those of numpy are taken, texts and fractions refused."""
    with pytest.raises(RequestError, match=f"top: {top!r} is no whole number"):
        predictor.predict("good", top=top)
    assert predictor.predict(np.array("good"), top=np.int64(1)) == predictor.predict("good", top=1)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (None, "the model's path is None; name a recipe"),
        (5, "the model's path is of type int: 5"),
        ("", "an empty name means no model"),
        (".", "'.' is a folder, and neither that of a run nor an exported model"),
        ("train.csv", r"'train.csv' is neither a recipe \(.toml\) nor a run"),
    ],
)
def test_what_is_no_model_says_so(here: Project, path: Any, said: str):
    """Whatever is given; a file that is no recipe cannot be trained first."""
    with pytest.raises(RequestError, match=said):
        mlrecipe.load(path)
    with pytest.raises(RequestError, match="batch_size: '4' is no number of items"):
        mlrecipe.load("recipe", batch_size="4")  # type: ignore[arg-type]


def test_a_table_is_asked_for_its_rows(predictor: Predictor):
    """One column of texts is a list of them; a whole frame is not."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"sentence": ["good", "bad"]})

    assert len(predictor.predict(frame["sentence"])) == 2
    with pytest.raises(RequestError, match=r"to_dict\('records'\)"):
        predictor.predict(frame)
    assert len(predictor.predict(frame.to_dict("records"))) == 2


def variant(trained: Project, folder: Path, *, labels: list[str], word: str) -> Path:
    """A copy of the trained project whose run has other labels and an op of its own on the way."""
    shutil.copytree(trained.folder, folder, ignore=shutil.ignore_patterns("store", "*.csv"))
    ops = (folder / "ops.py").read_text()
    late = 'from .late import WORD\n\n    return data.map(lambda row: {"text": WORD})'
    ops = ops.replace('return data.map(lambda row: {"text": row["text"].upper()})', late)
    assert "from .late" in ops
    (folder / "ops.py").write_text(ops)
    (folder / "late.py").write_text(f"WORD = {word!r}\n")
    run = folder / "runs" / trained.run.id
    recipe = (run / "recipe.resolved.toml").read_text()
    node = '[nodes.loud]\nuse = "shout"\ninputs = ["named"]\n\n[nodes.mixed]\n'
    recipe = recipe.replace("[nodes.mixed]\n", node).replace(
        '"named",\n]\nsplits', '"loud",\n]\nsplits'
    )
    assert '"loud"' in recipe
    (run / "recipe.resolved.toml").write_text(recipe)
    record = run / "checkpoints" / "best" / "checkpoint.json"
    found = json.loads(record.read_text())
    record.write_text(json.dumps({**found, "head": {**found["head"], "labels": labels}}))
    return run


def test_inference_31_two_models_live_side_by_side(
    trained: Project, predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Each has its own labels and its own op of the same name, which imports late; in threads."""
    bad = variant(trained, tmp_path / "one", labels=["no", "yes"], word="bad awful")
    good = variant(trained, tmp_path / "two", labels=["down", "up"], word="good great")
    monkeypatch.chdir(tmp_path)

    first, second = mlrecipe.load(bad), mlrecipe.load(good)
    found: dict[Predictor, list[float]] = {first: [], second: []}

    def ask(predictor: Predictor) -> None:
        for _ in range(3):
            (answer,) = answers(predictor, ["whatever"])
            found[predictor].append(answer.probabilities[predictor.labels[1]])

    threads = [threading.Thread(target=ask, args=(each,)) for each in (first, second, first)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    low, high = answers(predictor, ["bad awful", "good great"])
    assert low.probabilities["positive"] < high.probabilities["positive"] - 1e-4
    assert found[first] == pytest.approx([low.probabilities["positive"]] * 6, abs=1e-6)
    assert found[second] == pytest.approx([high.probabilities["positive"]] * 3, abs=1e-6)
    assert (first.labels, second.labels) == (("no", "yes"), ("down", "up"))


SCRIPT = """
import sys
import mlrecipe

predictor = mlrecipe.load(sys.argv[1])
print(predictor.predict("good great").label)
print("typer" in sys.modules)
from mlrecipe.cli.app import run
print(run(["predict", sys.argv[1], "--input", "test.csv", "--output", sys.argv[2], "--quiet"]))
print(*sorted({"pytorch_lightning", "lightning", "lightning_fabric"} & set(sys.modules)))
"""


def test_predicting_needs_no_lightning(here: Project, tmp_path: Path):
    """Neither in a script, which has no part of the command line either, nor by the command."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(here.run.folder), str(tmp_path / "out.csv")],
        capture_output=True, text=True, check=False, cwd=here.folder,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    lines = done.stdout.split()
    assert [lines[0], lines[1], lines[-1]] == ["positive", "False", "0"]
    assert done.stderr == ""


def test_a_line_tells_how_far_it_is(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Where it is wanted and takes longer than a moment; it is gone at the end."""
    predictor.predict(["good"] * 40)
    assert capsys.readouterr().err == ""

    monkeypatch.setattr("mlrecipe.inference.hearing._PATIENCE", 0.0)
    predictor.predict(["good"] * 40, progress=True)

    shown = capsys.readouterr().err
    assert "of 40" in shown
    assert shown.endswith(" \r")


def test_a_text_file_has_the_texts_of_any_model(
    here: Project, cli: Callable[..., Done], predictor: Predictor, tmp_path: Path
):
    """One a line, in the column that the training's data had; one that looks like a table is told."""
    (tmp_path / "in.txt").write_text("good word1\n\n7\n")
    (tmp_path / "table.txt").write_text("id\tsentence\n1\tgood word1\n")

    done = cli("predict", "recipe", "-i", tmp_path / "in.txt", "-o", tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    told = cli("predict", "recipe", "-i", tmp_path / "table.txt", "-o", tmp_path / "table.csv")

    assert done.code == 0
    assert [row["sentence"] for row in rows] == ["good word1", "", "7"]
    for row, answer in zip(rows, answers(predictor, ["good word1", "", "7"]), strict=True):
        assert row["probability"] == pytest.approx(answer.score, abs=1e-5)
    assert "most lines of table.txt have tabs" in told.err


def test_a_model_is_found_by_recipe_run_and_checkpoint(here: Project):
    """By whatever names it on the command line too."""
    run = here.run
    names = ["recipe.toml", "recipe", run.id, f"runs/{run.id}", f"runs/{here.test.id}",
             f"runs/{run.id}/checkpoints/last"]  # fmt: skip

    for name in names:
        assert run.id in repr(mlrecipe.load(name))

    with pytest.raises(RequestError, match=r"neither a recipe here nor a run"):
        mlrecipe.load("nothing")
    with pytest.raises(RequestError, match=r"no checkpoint 'bset'.*did you mean 'best'"):
        mlrecipe.load("recipe", checkpoint="bset")
    with pytest.raises(RequestError, match="device: no device 'cuda:99' here"):
        mlrecipe.load("recipe", device="cuda:99")
    with pytest.raises(RequestError, match="did you mean 'bf16'"):
        mlrecipe.load("recipe", precision="bf-16")  # type: ignore[arg-type]


def test_a_damaged_checkpoint_is_not_loaded(trained: Project, tmp_path: Path):
    """Weights that are not those that were written."""
    run = variant(trained, tmp_path / "one", labels=["no", "yes"], word="bad")
    with (run / "checkpoints/best/model.safetensors").open("r+b") as file:
        file.seek(-4, 2)
        file.write(b"\0\0\0\1")

    with pytest.raises(TrainingError, match="damaged"):
        mlrecipe.load(run)


def test_warnings_come_as_pythons(trained: Project, tmp_path: Path):
    """An op that is no longer what the run was trained with."""
    run = variant(trained, tmp_path / "one", labels=["no", "yes"], word="bad")
    inputs = json.loads((run / "inputs.json").read_text())
    inputs["loud"] = {"code": "another"}
    (run / "inputs.json").write_text(json.dumps(inputs))

    with pytest.warns(UserWarning, match="the op 'shout'.*is not what run"):
        mlrecipe.load(run)


@pytest.fixture(scope="module")
def exported(trained: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The best checkpoint as a folder by itself; read only."""
    return export(trained.run, tmp_path_factory.mktemp("exported") / "model").folder


def test_an_exported_folder_answers_as_its_run_does(
    exported: Path, predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Wherever it lies, to the last digit; texts are named as in training."""
    moved = tmp_path / "a folder $x"
    shutil.copytree(exported, moved)
    monkeypatch.chdir(tmp_path)
    texts = ["good word1", "bad " * 40, "", {"sentence": "awful"}]

    made = mlrecipe.load("a folder $x").predict(texts)

    assert made == predictor.predict(texts)
    assert '"/' not in (moved / "mlrecipe.json").read_text()


def test_a_folder_without_its_preparation_is_refused(exported: Path, tmp_path: Path):
    """One that transformers wrote, one of a newer mlrecipe, one whose model needs its project's code."""
    bare = tmp_path / "bare"
    shutil.copytree(exported, bare, ignore=shutil.ignore_patterns("mlrecipe.json"))
    with pytest.raises(RequestError, match=r"has no mlrecipe\.json.*mlrecipe export model"):
        mlrecipe.load(bare)

    known = json.loads((exported / "mlrecipe.json").read_text())
    for change, said in (
        ({"version": 99}, "which is newer"),
        ({"needs": ["op 'shout'"]}, "needs the code of its project: op 'shout'"),
        ({"head": 3}, "cannot read"),
    ):
        (bare / "mlrecipe.json").write_text(json.dumps({**known, **change}))
        with pytest.raises(RequestError, match=said):
            mlrecipe.load(bare)


def test_an_export_that_is_not_whole_is_refused(exported: Path, tmp_path: Path):
    """Another tokenizer would answer otherwise; older folders do not say what they had, and cards may go."""
    known = json.loads((exported / "mlrecipe.json").read_text())
    assert known["files"] == [
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"
    ]  # fmt: skip
    part = tmp_path / "part"
    shutil.copytree(exported, part, ignore=shutil.ignore_patterns("README.md", "metrics.json"))
    mlrecipe.load(part)
    for name in ("tokenizer.json", "model.safetensors"):
        (part / name).rename(tmp_path / name)
        with pytest.raises(RequestError, match=rf"is not whole: it was exported with {name}"):
            mlrecipe.load(part)
        (tmp_path / name).rename(part / name)

    (part / "tokenizer.json").unlink()
    del known["files"]
    (part / "mlrecipe.json").write_text(json.dumps(known))
    with pytest.raises(RequestError, match=r"is not whole: it was exported with tokenizer\.json"):
        mlrecipe.load(part)


def test_a_damaged_export_says_so(exported: Path, tmp_path: Path):
    """One error, whatever is damaged."""
    folder = tmp_path / "damaged"
    shutil.copytree(exported, folder)
    weights = (folder / "model.safetensors").read_bytes()
    for part in (b"", weights[: len(weights) // 2]):
        (folder / "model.safetensors").write_bytes(part)
        with pytest.raises(TrainingError, match="cannot read the weights in"):
            mlrecipe.load(folder)

    known = json.loads((exported / "mlrecipe.json").read_text())
    nodes: dict[str, Any] = {**known["recipe"], "nodes": {"files": 3}}
    for made, said in (
        ({**known, "recipe": None}, "recipe is None"),
        ({**known, "columns": 5}, "columns is 5"),
        ({**known, "columns": {"files": 5}}, r"columns\.files is 5"),
        ({**known, "recipe": {**nodes, "nodes": {}}}, "recipe: no node"),
        ({**known, "recipe": nodes}, "recipe: "),
        ([], "it is no object"),
    ):
        (folder / "mlrecipe.json").write_text(json.dumps(made))
        with pytest.raises(RequestError, match=rf"mlrecipe\.json' is damaged: {said}"):
            mlrecipe.load(folder)


def test_a_folder_is_named_by_its_place(
    exported: Path, cli: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
):
    """On the command line too; one that is near is suggested, and a checkpoint is one of a run."""
    done = cli("predict", exported, "--text", "good", "--top", "1")

    assert len(done.out.split()) == 2
    monkeypatch.chdir(exported.parent)
    with pytest.raises(RequestError, match="did you mean 'model'"):
        mlrecipe.load("modle")
    with pytest.raises(RequestError, match="has one checkpoint, and no other 'last'"):
        mlrecipe.load("model", checkpoint="last")


def test_an_export_says_which_code_its_model_needs(trained: Project, tmp_path: Path):
    """An op of the project between the texts and the model."""
    run = running.read(variant(trained, tmp_path / "one", labels=["no", "yes"], word="bad"))
    assert run is not None

    folder = export(run, tmp_path / "model").folder

    with pytest.raises(RequestError, match="needs the code of its project: op 'shout'"):
        mlrecipe.load(folder)
