"""`mlrecipe.load` and `predict` where words have tags: spans to the character, long texts, files."""

from __future__ import annotations

import json
import os
import re
import runpy
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from pyarrow import parquet

import mlrecipe
from mlrecipe import events
from mlrecipe.cli.app import run as command
from mlrecipe.errors import RequestError
from mlrecipe.inference import Predictor, predict_file, tagged
from mlrecipe.inference.exporting.model import export
from mlrecipe.inference.passes import batches
from mlrecipe.inference.replies import Frame, Tags
from mlrecipe.inference.words import join, split
from mlrecipe.interfaces import Head
from mlrecipe.runs import run as running
from mlrecipe.runs.run import Run
from tests.inference.conftest import read_csv, write_csv
from tests.projects import ROOT, Done
from tests.sequences import PEOPLE, PLACES, VERBS
from tests.training.tiny import write_tiny

RECIPE = """
name = "people"
seed = 5

[nodes.files]
use = "load-files"
train = "train.jsonl"
valid = "train.jsonl"
test = "test.jsonl"

[nodes.tokens]
use = "tokenize-words"
inputs = ["files"]
{tokens}
[model]
{model}
[task]
{task}
[train]
data = "tokens"
batch_size = 8
{train}
trainer = {{ accelerator = "cpu" }}

[test]
batch_size = 4
"""
BYTES = {
    "tokens": "", "model": 'use = "word-char-bilstm"\n',
    "task": 'use = "token-classification"\nsplitting = "punctuation"\n',
    "train": 'epochs = 6\noptimizer = { use = "AdamW", lr = 1e-2 }\n',
}  # fmt: skip
WINDOWS = {
    "tokens": 'tokenizer = "tiny"\nmax_length = 16\nstride = 4\n',
    "model": 'use = "transformer"\nconfig = "tiny"\n',
    "task": 'use = "intent-and-slots"\nintent = "intent"\nslots = "tags"\n',
    "train": 'max_steps = 2\noptimizer = { use = "AdamW", lr = 1e-3 }\n',
}
WEIRD = [
    "", "   ", "😀", "👩‍👩‍👧 Ada  Lovelace\tvisited\nLondon.", "नमस्ते Ada", "\ud83d London", "e\u0301 Oslo",
    "Ada Lovelace left Paris. " * 60, "\u200b", "London",
]  # fmt: skip


def sentences() -> list[dict[str, object]]:
    """Who did what where; words, tags, and whether it is about one or two."""
    rows = []
    for number, (one, verb, place) in enumerate(product(PEOPLE, VERBS, PLACES)):
        other = PEOPLE[(number + 1) % len(PEOPLE)]
        words, tags = [*one, verb, place, "."], ["B-PER", "I-PER", "O", "B-LOC", "O"]
        if number % 2:
            words = [*one, "and", *other, *words[2:]]
            tags = ["B-PER", "I-PER", "O", "B-PER", "I-PER", *tags[2:]]
        intent = "two" if number % 2 else "one"
        rows.append({"tokens": words, "tags": tags, "intent": intent})
    return rows


def mixed() -> list[dict[str, object]]:
    """Some of them, a third of which are told to name nobody: not all that is predicted is right."""
    rows = sentences()[:11]
    empty = [{**row, "tags": ["O"] * len(row["tags"])} for row in rows]  # type: ignore[arg-type]
    return [empty[n] if n % 3 == 1 else row for n, row in enumerate(rows)]


def write_jsonl(path: Path, rows: list[dict[str, object]]) -> Path:
    """Write JSON Lines."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


def train(folder: Path, settings: dict[str, str], verb: str = "run") -> Run:
    """The train run of a recipe in a folder of its own."""
    (folder / ".mlrecipe").mkdir()
    (folder / "tiny").mkdir()
    write_tiny(folder / "tiny")
    write_jsonl(folder / "train.jsonl", sentences())
    write_jsonl(folder / "test.jsonl", mixed())
    (folder / "people.toml").write_text(RECIPE.format(**settings))
    before = Path.cwd()
    os.chdir(folder)
    try:
        assert command([verb, "people.toml", "--quiet"]) == 0
    finally:
        os.chdir(before)
    found = running.newest(folder, stage="train", recipe="people.toml")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A tagger that knows its people and places; read only."""
    return train(tmp_path_factory.mktemp("people").resolve(), BYTES)


@pytest.fixture(scope="module")
def predictor(people: Run) -> Predictor:
    """Its predictor."""
    return mlrecipe.load(people.folder)


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """An encoder with windows of 16 tokens, for intents and slots, that has learnt next to nothing."""
    return train(tmp_path_factory.mktemp("windows").resolve(), WINDOWS, verb="train")


@pytest.fixture
def cli(
    people: Run, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """Runs a command in the tagger's project."""
    monkeypatch.chdir(people.folder.parent.parent)

    def call(*arguments: str | Path) -> Done:
        capfd.readouterr()
        code = command([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Done(code, captured.out, captured.err)

    return call


def tags_of(answer: object) -> Tags:
    """The answer, which has tags."""
    assert isinstance(answer, Tags)
    return answer


def test_sequence_10_spans_are_the_text_to_the_character(predictor: Predictor):
    """White space, emoji and line ends between words and around them stay as they are."""
    text = " 👩‍👩‍👧 .\nAda  Lovelace visited\nLondon."
    answer = tags_of(predictor.predict(text))

    assert [(span.label, span.text) for span in answer.spans[-2:]] == [
        ("PER", "Ada  Lovelace"),
        ("LOC", "London"),
    ]
    assert answer.text == text
    for span in answer.spans:
        assert text[span.start : span.end] == span.text
        first, behind = span.words
        assert answer.offsets[first][0] == span.start
        assert answer.offsets[behind - 1][1] == span.end
        assert span.score == pytest.approx(np.mean(answer.scores[first:behind]))


def test_sequence_10_tags_without_prefixes_are_spans_too():
    """Runs of one tag, each recovered to the character; `O` is none."""
    head = Head(
        problem_type="token_classification", labels=("O", "author", "title"), scheme="plain"
    )
    worded = split("Smith,  J. A  book .", "whitespace")
    ids = [1, 1, 2, 2, 0]
    scores = np.array([[number, *np.eye(3)[number]] for number in ids], np.float32)

    answer = tags_of(tagged.answer(head, scores, worded))

    found = [(span.label, span.text, span.start, span.words) for span in answer.spans]
    assert found == [("author", "Smith,  J.", 0, (0, 2)), ("title", "A  book", 11, (2, 4))]


def test_words_that_are_known_are_taken_as_they_are(predictor: Predictor):
    """Not split again; the text is theirs with spaces between, whichever way they are given."""
    words = ["Ada", "Lovelace", "visited", "Oslo", "."]

    answer = tags_of(predictor.predict(tokens=words))

    assert answer.tokens == tuple(words)
    assert answer.text == "Ada Lovelace visited Oslo ."
    assert answer.spans[0].text == "Ada Lovelace"
    assert answer.spans[1].words == (3, 4)
    same = predictor.predict([words, {"tokens": words}, {"id": 7, "text": answer.text}])
    assert [tags_of(each).tags for each in same] == [answer.tags] * 3


def test_sequence_3_odd_texts_have_a_tag_for_each_word(predictor: Predictor):
    """And inference.40: together as alone, without words no tags, half a character is no crash."""
    together = predictor.predict(WEIRD)

    for text, each in zip(WEIRD, together, strict=True):
        answer, alone = tags_of(each), tags_of(predictor.predict(text))
        assert answer.text == text
        assert answer.tokens == tuple(split(text, "punctuation").words)
        assert len(answer.tags) == len(answer.scores) == len(answer.tokens)
        assert answer.tags == alone.tags
        assert answer.scores == pytest.approx(alone.scores, abs=1e-5)
    assert tags_of(together[0]).to_dict() == {
        "text": "", "tokens": [], "tags": [], "scores": [], "offsets": [], "spans": [],
    }  # fmt: skip
    assert tags_of(predictor.predict("Ada  left")).to_dict()["offsets"] == [[0, 3], [5, 9]]


def test_inference_32_the_best_tags_of_each_word_sum_to_one(predictor: Predictor):
    """Best first; none unless they are asked for."""
    answer = tags_of(predictor.predict("Ada Lovelace visited Oslo.", top=99))
    best = tags_of(predictor.predict("Ada Lovelace visited Oslo.", top=1))

    assert len(answer.probabilities) == 5
    for tag, score, shares, one in zip(
        answer.tags, answer.scores, answer.probabilities, best.probabilities, strict=True
    ):
        assert set(shares) == set(predictor.labels)
        assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
        assert list(shares.values()) == sorted(shares.values(), reverse=True)
        assert dict(one) == {tag: score}
    assert "probabilities" not in tags_of(predictor.predict("Ada")).to_dict()


def test_sequence_6_of_10000_words_each_has_a_tag(windows: Run):
    """Through windows of 16 tokens, with an intent; short texts beside the long one are as they are alone."""
    predictor = mlrecipe.load(windows.folder)
    texts = ["good word1", "good bad word2 word3 " * 2_500, ""]

    made = predictor.predict(texts)

    assert all(isinstance(answer, Frame) for answer in made)
    lengths = [len(a.slots.tags) for a in made if isinstance(a, Frame)]
    assert lengths == [2, 10_000, 0]
    for text, answer in zip(texts, made, strict=True):
        alone = predictor.predict(text, top=2)
        assert isinstance(alone, Frame)
        assert isinstance(answer, Frame)
        assert alone.slots.tags == answer.slots.tags
        assert sum(alone.intent.probabilities.values()) == pytest.approx(1, abs=1e-5)
        assert json.loads(json.dumps(alone.to_dict())) == alone.to_dict()


def test_intents_and_slots_are_columns_of_their_own(windows: Run, tmp_path: Path):
    """Flat and nested, with the metrics where both are there; those of the predictor."""
    rows = sentences()[:3]
    write_jsonl(tmp_path / "in.jsonl", [{"id": n, **row} for n, row in enumerate(rows)])

    done = predict_file(windows, tmp_path / "in.jsonl", tmp_path / "out.csv", top=2)
    predict_file(windows, tmp_path / "in.jsonl", tmp_path / "out.jsonl", top=1)

    flat = read_csv(tmp_path / "out.csv")
    assert [name for name in flat[0] if name not in ("id", "row", *rows[0])] == [
        "prediction_intent", "probability_intent", "top_intent",
        "prediction_tags", "probability_tags", "spans_tags", "top_tags",
    ]  # fmt: skip
    nested = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    made = mlrecipe.load(windows.folder).predict([row["tokens"] for row in rows])  # type: ignore[misc]
    for one, other, answer in zip(flat, nested, made, strict=True):
        assert isinstance(answer, Frame)
        assert one["prediction_intent"] == other["prediction_intent"] == answer.intent.label
        assert json.loads(one["prediction_tags"]) == other["prediction_tags"]
        assert other["prediction_tags"] == list(answer.slots.tags)
        assert len(json.loads(one["top_tags"])[0]) == 2
    assert "intent/accuracy" in done.metrics


def test_inference_34_metrics_of_tags_are_those_of_the_test(people: Run, tmp_path: Path):
    """From JSON Lines with tags, and from CSV with lists as JSON or with spaces between."""
    found = running.newest(people.folder.parent.parent, stage="test", recipe="people.toml")
    assert found is not None
    known = json.loads((found.folder / "metrics.json").read_text())
    known = {key.removeprefix("test/"): value for key, value in known.items() if "loss" not in key}
    rows = mixed()
    listed = [[json.dumps(row["tokens"]), json.dumps(row["tags"])] for row in rows]
    spaced = [[" ".join(row["tokens"]), " ".join(row["tags"])] for row in rows]  # type: ignore[arg-type]
    inputs = [
        write_jsonl(tmp_path / "in.jsonl", rows),
        write_csv(tmp_path / "in.csv", ["tokens", "tags"], listed),
        write_csv(tmp_path / "text.csv", ["text", "tags"], spaced),
    ]

    for number, path in enumerate(inputs):
        done = predict_file(people, path, tmp_path / f"{number}.jsonl")

        assert dict(done.metrics) == pytest.approx(known, abs=1e-6)
        assert (done.rows, done.unlabelled) == (11, "")


def test_a_text_file_is_a_text_a_line(predictor: Predictor, people: Run, tmp_path: Path):
    """Windows' line ends, empty lines, no end at the end: as many rows, each with what the line says."""
    lines = ["Ada Lovelace left Paris.", "", "12", "  London", "😀"]
    (tmp_path / "in.txt").write_bytes("\r\n".join(lines).encode())

    done = predict_file(people, tmp_path / "in.txt", tmp_path / "out.jsonl")

    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert done.rows == len(rows) == 5
    assert [row["text"] for row in rows] == lines
    for row, answer in zip(rows, predictor.predict(lines), strict=True):
        assert row["tokens"] == list(tags_of(answer).tokens)
        assert row["prediction"] == list(tags_of(answer).tags)
        assert row["probability"] == pytest.approx(tags_of(answer).scores, abs=1e-5)
        assert [span["text"] for span in row["spans"]] == [s.text for s in tags_of(answer).spans]
    assert rows[1]["prediction"] == rows[1]["spans"] == []


def test_rows_with_words_and_rows_with_texts_are_mixed(
    predictor: Predictor, people: Run, tmp_path: Path
):
    """A row without words is split as a text is; what has neither is counted as blank."""
    rows: list[dict[str, object]] = [
        {"tokens": ["Ada", "Lovelace"]}, {"text": "Ada Lovelace left."}, {"tokens": []},
        {"tokens": ["", " "]}, {"text": ""}, {},
    ]  # fmt: skip

    done = predict_file(people, write_jsonl(tmp_path / "in.jsonl", rows), tmp_path / "out.jsonl")
    made = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]

    assert [len(row["prediction"]) for row in made] == [2, 4, 0, 2, 0, 0]
    asked = tags_of(predictor.predict("Ada Lovelace left."))
    assert made[1]["prediction"] == list(asked.tags)
    assert [span["text"] for span in made[1]["spans"]] == [span.text for span in asked.spans]
    assert done.blank == 4


def test_blank_lines_are_counted_where_words_have_tags(people: Run, tmp_path: Path):
    """Nothing, or nothing but white space."""
    (tmp_path / "in.txt").write_text("Ada left\n\n  \nOslo\n")

    assert predict_file(people, tmp_path / "in.txt", tmp_path / "out.csv").blank == 2


def test_columns_of_conll_are_no_texts(people: Run, tmp_path: Path):
    """By the file's name an error that says what to write, by its lines a warning."""
    (tmp_path / "in.conll").write_text("Ada NNP B-PER\nleft VBD O\n")
    with pytest.raises(RequestError, match=r"is CoNLL.*JSON Lines.*\.txt"):
        predict_file(people, tmp_path / "in.conll", tmp_path / "out.jsonl")

    said: list[events.Event] = []
    for text in ("Ada NNP B-PER\nleft VBD O\n\n. . O\n", "Ada left O\nAda was here\n. .\n"):
        (tmp_path / "in.txt").write_text(text)
        with events.listening(said.append):
            predict_file(people, tmp_path / "in.txt", tmp_path / "out.jsonl", overwrite=True)
    warned = [event.text for event in said if isinstance(event, events.Note)]
    assert [text for text in warned if "CoNLL" in text] == warned
    assert len(warned) == 1


def test_an_output_is_told_the_endings_that_can_be_written(people: Run, tmp_path: Path):
    """Not those that can only be read."""
    (tmp_path / "in.txt").write_text("Ada\n")

    with pytest.raises(RequestError, match=r"known endings: \.csv, ") as caught:
        predict_file(people, tmp_path / "in.txt", tmp_path / "out.xml")
    assert ".txt" not in str(caught.value.hint)


def test_very_long_rows_are_not_put_among_short_ones():
    """All of them would be filled up to its length; others are as many as there may be."""
    assert batches([1, 2, 900, 1000, 1024], 4) == [4, 1]
    assert batches([3] * 5 + [1500, 2900, 60_000], 64) == [5, 2, 1]
    assert batches([], 4) == []


def test_words_one_after_the_other_take_one_thread(predictor: Predictor):
    """Two that wait for each other at every word would be hundreds of times slower on busy cores."""
    layer = next(m for m in predictor._tables._network.modules() if isinstance(m, torch.nn.LSTM))
    before, seen = torch.get_num_threads(), []
    handle = layer.register_forward_pre_hook(lambda *_: seen.append(torch.get_num_threads()))
    try:
        torch.set_num_threads(2)
        predictor.predict("Ada left.")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
        handle.remove()
    assert seen == [1]


def test_flat_files_have_lists_as_json(people: Run, tmp_path: Path):
    """And Parquet has them as lists; of words that stand in the input no second column is made."""
    rows = [{"tokens": ["Ada", "Lovelace", "left", "Oslo"], "id": 1}, {"tokens": [], "id": 2}]
    write_jsonl(tmp_path / "in.jsonl", rows)

    predict_file(people, tmp_path / "in.jsonl", tmp_path / "out.csv", top=2)
    predict_file(people, tmp_path / "in.jsonl", tmp_path / "out.parquet", top=2)

    flat = read_csv(tmp_path / "out.csv")
    assert list(flat[0]) == ["tokens", "id", "row", "prediction", "probability", "spans", "top"]
    whole = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    for one, other in zip(flat, whole, strict=True):
        for name in ("prediction", "probability", "spans", "top"):
            assert json.loads(one[name]) == other[name]
    assert [span["label"] for span in whole[0]["spans"]] == ["PER", "LOC"]


def test_an_input_without_words_or_texts_is_refused(people: Run, tmp_path: Path):
    """What there is, and what to name; a number is no list of words."""
    (tmp_path / "in.jsonl").write_text('{"a": [1], "b": 2}\n')
    with pytest.raises(RequestError, match=r"no column 'tokens' with words.*'a', 'b'.*'text'"):
        predict_file(people, tmp_path / "in.jsonl", tmp_path / "out.jsonl")

    (tmp_path / "in.jsonl").write_text('{"tokens": 3}\n')
    with pytest.raises(RequestError, match=r"'tokens' of row 0 is no list of words: 3"):
        predict_file(people, tmp_path / "in.jsonl", tmp_path / "out.jsonl")


def test_a_single_text_is_shown_with_its_spans(cli: Callable[..., Done]):
    """Without a file; several below each other, and as one JSON document."""
    done = cli("predict", "people.toml", "--text", "Ada Lovelace left Oslo.", "-t", "")

    lines = done.out.splitlines()
    assert lines[0] == "Ada Lovelace left Oslo."
    assert lines[1].split()[:4] == ["PER", "Ada", "Lovelace", "0-12"]
    assert lines[2].split()[:3] == ["LOC", "Oslo", "18-22"]
    assert lines[3:] == ["", "(no words)"]
    words = cli("predict", "people.toml", "-t", "Ada left", "--top", "2").out.splitlines()[-2:]
    assert [line.split()[0] for line in words] == ["Ada", "left"]
    assert len(words[0].split()) == 5
    found = json.loads(cli("predict", "people.toml", "-t", "Ada", "--json").out)
    assert found["answers"][0]["tokens"] == ["Ada"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--text", "a", "--input", "x.csv"], "--text shows its answer"),
        (["--input", "test.jsonl"], "--output is missing; give --input and --output, or --text"),
        ([], "--input is missing"),
        (["--text", "a", "--top", "0"], "--top"),
        (["--text", "a", "--prefix", "x_"], "--prefix is for a file"),
        (["--text", "a", "--overwrite"], "--overwrite is for a file"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    cli: Callable[..., Done], options: list[str], said: str
):
    """With what to give; exit code 2."""
    done = cli("predict", "people.toml", *options)

    assert done.code == 2
    assert said in done.err


def test_the_pipeline_of_the_page_prints_what_the_page_says(
    people: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Its own command, on an exported folder."""
    page = (ROOT / "docs/how-to/pipeline.md").read_text()
    (script,) = re.findall(r"```python\n(# people\.py\n.*?)```", page, re.DOTALL)
    (text,) = re.findall(r'python people\.py people-model "(.*)"', page)
    (printed,) = re.findall(r"prints\n\n```\n(.*?)```", page, re.DOTALL)
    (tmp_path / "people.py").write_text(script)
    folder = export(people, tmp_path / "people-model").folder
    monkeypatch.setattr("sys.argv", ["people.py", str(folder), text])

    runpy.run_path(str(tmp_path / "people.py"), run_name="__main__")

    assert capsys.readouterr().out == printed


def test_words_with_spaces_keep_their_place():
    """What was given as one word is one."""
    worded = join(["New York", "is"])
    head = Head(problem_type="token_classification", labels=("O", "B-LOC"), scheme="IOB2")
    scores = np.array([[1, 0.1, 0.9], [0, 0.9, 0.1]], np.float32)

    answer = tags_of(tagged.answer(head, scores, worded))

    assert answer.spans[0].text == "New York"
    assert answer.spans[0].words == (0, 1)


def test_pieces_of_mixed_rows_have_the_same_columns(
    people: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Rows with texts alone, after rows with words, stand below the same header."""
    monkeypatch.setattr("mlrecipe.inference.reading.ROWS", 2)
    rows: list[dict[str, object]] = [
        {"tokens": ["Ada"], "text": ""},
        {"tokens": ["Oslo"], "text": ""},
        {"text": "Ada left."},
    ]

    predict_file(people, write_jsonl(tmp_path / "in.jsonl", rows), tmp_path / "out.csv")

    last = read_csv(tmp_path / "out.csv")[2]
    assert None not in last
    assert len(json.loads(last["probability"])) == 3


def test_a_row_without_a_text_is_an_empty_one(predictor: Predictor):
    """Whatever else is in the row: no other column is taken for the text."""
    found = predictor.predict([{"text": None, "id": "Ada"}, {"text": None}])

    assert [tags_of(each).tokens for each in found] == [(), ()]
    with pytest.raises(RequestError, match="'text' of item 0 is of type float: nan, not a text"):
        predictor.predict([{"text": float("nan"), "id": "Ada"}])
