"""Exported models that tag words: the card, and the code in it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mlrecipe.cli.app import run as command
from mlrecipe.inference.exporting.model import export
from mlrecipe.runs import run as running
from mlrecipe.runs import snippets
from mlrecipe.runs.run import Run
from tests import sequences

pytestmark = pytest.mark.heavy

TINY = Path(__file__).parents[2] / "mlrecipe" / "data" / "tiny"
RECIPE = """
name = "words"

[nodes.sentences]
use   = "load-conll"
train = "data/eng.train.gz"
valid = "data/eng.testa"
test  = "data/eng.testb"

[nodes.tokens]
use    = "tokenize-words"
inputs = ["sentences"]
{tokenizer}

[model]
{model}

[task]
use       = "token-classification"
splitting = "whitespace"
{task}

[train]
data       = "tokens"
batch_size = 8
epochs     = 1
optimizer  = {{ use = "AdamW", lr = 5e-3 }}
"""
ENCODER = {
    "tokenizer": 'tokenizer = "tiny"', "model": 'use = "transformer"\nconfig = "tiny"', "task": "",
}  # fmt: skip
BILSTM = {
    "tokenizer": "", "model": 'use = "word-char-bilstm"\nhidden = 16\nbuckets = 50',
    "task": "crf = true",
}  # fmt: skip


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """The folder as the current one."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def trained(folder: Path, parts: dict[str, str]) -> tuple[Run, Path]:
    """A train run and the predictions of its test."""
    (folder / ".mlrecipe").mkdir()
    sequences.write_conll(folder / "data")
    shutil.copytree(TINY, folder / "tiny")
    (folder / "words.toml").write_text(RECIPE.format(**parts))
    with inside(folder):
        assert command(["run", "words.toml", "--json"]) == 0
    runs = {run.facts["stage"]: run for run in running.every(folder)}
    return runs["train"], runs["test"].folder / "predictions.arrow"


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    """A tagger made of an encoder; read only."""
    return trained(tmp_path_factory.mktemp("encoder"), ENCODER)


@pytest.fixture(scope="module")
def bilstm(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    """A tagger made of words and letters; read only."""
    return trained(tmp_path_factory.mktemp("bilstm"), BILSTM)


def code_of(card: str) -> str:
    """The first Python code of a card."""
    return card.split("```python\n")[1].partition("```")[0]


def test_the_code_of_the_card_gives_the_tags_of_the_test(
    encoder: tuple[Run, Path], tmp_path: Path
) -> None:
    """With plain transformers, for the words of the test's first row."""
    run, predictions = encoder
    done = export(run, tmp_path / "model")
    words = [word.text for word in sequences.SENTENCES[32]]
    code = code_of((done.folder / "README.md").read_text())
    assert "mlrecipe" not in code
    found: dict[str, Any] = {}

    with inside(done.folder):
        exec(code.replace("… …", " ".join(words)), found)

    with pa.ipc.open_stream(predictions) as stream:
        first = stream.read_all().slice(0, 1).to_pylist()[0]
    assert found["tags"] == first["prediction"]
    assert done.is_plain
    assert done.loads.startswith("AutoModelForTokenClassification.from_pretrained(")


def test_the_card_of_a_tagger_says_what_it_is(encoder: tuple[Run, Path], tmp_path: Path) -> None:
    """To the hub and to people."""
    text = (export(encoder[0], tmp_path / "model").folder / "README.md").read_text()

    front = text.split("---")[1]
    assert "pipeline_tag: token-classification" in front
    assert "type: token-classification" in front
    assert "text-classification" not in text
    assert "it gives a tag for each word, one of 5" in text or "one of 3" in text
    assert 'mlrecipe.load(".")' in text


def test_a_pipeline_of_transformers_finds_spans(encoder: tuple[Run, Path], tmp_path: Path) -> None:
    """The code for a task whose texts are split at punctuation."""
    done = export(encoder[0], tmp_path / "model")
    found: dict[str, Any] = {}
    code = snippets.spans(str(done.folder), pooling="mean").replace('"…"', '"ada left paris"')

    exec(code.replace("\ntag(", "\nspans = tag("), found)

    assert all("ada left paris"[s["start"] : s["end"]] for s in found["spans"])
    assert found["tag"].task == "token-classification"


def test_a_model_of_mlrecipe_is_exported_for_mlrecipe(
    bilstm: tuple[Run, Path], tmp_path: Path
) -> None:
    """The card does not say that transformers loads it; that of the run names the run."""
    run, _ = bilstm

    done = export(run, tmp_path / "model")

    text = (done.folder / "README.md").read_text()
    assert code_of(text).splitlines()[2] == 'predictor = mlrecipe.load(".")'
    assert "transformers" not in text.split("## Environment")[0]
    assert "library_name: mlrecipe" in text.split("---")[1]
    assert "pipeline_tag: token-classification" in text.split("---")[1]
    assert not done.is_plain
    assert done.loads == f"mlrecipe.load({str(done.folder)!r})"
    kind = json.loads((done.folder / "config.json").read_text())["model_type"]
    assert kind == "mlrecipe-word-char-bilstm"
    card = (run.folder / "model-card.md").read_text()
    assert f'mlrecipe.load("runs/{run.id}")' in card


def test_the_command_says_how_it_is_loaded(bilstm: tuple[Run, Path], tmp_path: Path) -> None:
    """In its last line."""
    run, _ = bilstm
    said = io.StringIO()

    with inside(run.folder.parents[1]), contextlib.redirect_stdout(said):
        assert command(["export", "model", run.id, "--output", str(tmp_path / "m")]) == 0

    assert said.getvalue().rstrip().splitlines()[-1].strip().startswith("mlrecipe.load(")
