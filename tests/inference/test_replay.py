"""Doing to new rows what a recipe did to those that it was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import dedent

import pytest
from datasets import ClassLabel, Dataset

from mlrecipe import plugins
from mlrecipe.errors import OpError, RequestError
from mlrecipe.inference.replay import Missing, Replay
from mlrecipe.inference.routes import routes
from mlrecipe.pipeline.request import open_request
from tests.inference.conftest import OPS
from tests.training.tiny import VOCABULARY, write_tiny

TOKENS = """
[nodes.tokens]
use = "tokenize"
inputs = ["{last}"]
tokenizer = "tiny"
max_length = 8
"""

FILES = """
name = "small"
plugins = ["ops.py"]

[nodes.files]
use = "load-files"
train = "train.csv"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with a tokenizer and ops of its own."""
    folder = tmp_path.resolve()
    (folder / ".mlrecipe").mkdir()
    (folder / "tiny").mkdir()
    write_tiny(folder / "tiny")
    (folder / "ops.py").write_text(OPS)
    (folder / "train.csv").write_text("sentence,gold\ngood,pos\nbad,neg\n")
    return folder


def ways_of(folder: Path, nodes: str, *, last: str = "files", text: str = "") -> list[Replay]:
    recipe = FILES + dedent(nodes) + TOKENS.format(last=last) + text
    (folder / "recipe.toml").write_text(recipe)
    request = open_request(folder / "recipe.toml", here=folder)
    plugins.load(request.catalog.plugins, project=folder)
    return [Replay(way, request, folder / "none") for way in routes(request.graph, "tokens")]


def replayed(way: Replay, rows: Dataset) -> Dataset:
    assert way.missing(rows.column_names) is None
    way.detect(rows.features)
    return way(rows)


def ids(*words: str) -> list[int]:
    return [2, *(VOCABULARY.get(word, 1) for word in words), 3]


CHOOSING = """
[nodes.small]
use = "filter"
inputs = ["files"]
column = "gold"
equals = "pos"

[nodes.apart]
use = "split"
inputs = ["small"]
source = "train"
target = "valid"
size = 0.5

[nodes.mixed]
use = "shuffle"
inputs = ["apart"]
"""


def test_ops_that_choose_rows_are_passed_over(folder: Path):
    """Filter, split and shuffle leave new rows all there and in their order."""
    (way,) = ways_of(folder, CHOOSING, last="mixed")

    made = replayed(way, Dataset.from_dict({"sentence": ["bad", "good", "bad"]}))

    assert made["input_ids"][:] == [ids("bad"), ids("good"), ids("bad")]


def test_an_op_of_ones_own_that_is_rowwise_is_done(folder: Path):
    """Its words in capitals are none that the tokenizer knows."""
    nodes = """
        [nodes.named]
        use = "rename"
        inputs = ["files"]
        columns = { sentence = "text", gold = "label" }

        [nodes.loud]
        use = "shout"
        inputs = ["named"]
    """
    (way,) = ways_of(folder, nodes, last="loud", text='text = "text"\n')

    made = replayed(way, Dataset.from_dict({"sentence": ["good"], "gold": ["pos"]}))

    assert made["input_ids"][:] == [ids("GOOD")]
    assert made["label"][:] == ["pos"]


def test_an_op_of_ones_own_that_is_not_rowwise_is_refused_by_name(folder: Path):
    """It is never guessed what it would do to new rows."""
    nodes = """
        [nodes.half]
        use = "every-other"
        inputs = ["files"]
    """
    with pytest.raises(RequestError, match=r"'half' \(op 'every-other'\) is not declared rowwise"):
        ways_of(folder, nodes, last="half")


def test_an_op_that_fails_on_new_rows_is_named(folder: Path):
    """With the line of the project that raised."""
    nodes = """
        [nodes.loud]
        use = "shout"
        inputs = ["files"]
    """
    (way,) = ways_of(folder, nodes, last="loud", text='text = "text"\n')

    with pytest.raises(OpError, match=r"'loud' \(op 'shout'\) failed at ops\.py:\d+: KeyError"):
        way(Dataset.from_dict({"other": ["good"]}))


@pytest.mark.parametrize(
    "labels", [["pos", "neg"], [None, None], None], ids=["there", "null", "none"]
)
def test_labels_are_mapped_where_they_are_there(folder: Path, labels: list[str] | None):
    """Without labels the op that maps them is left out."""
    nodes = """
        [nodes.mapped]
        use = "map-labels"
        inputs = ["files"]
        column = "gold"
        mapping = { pos = "positive", neg = "negative" }
    """
    (way,) = ways_of(folder, nodes, last="mapped")
    columns = {"sentence": ["good", "bad"]} | ({"gold": labels} if labels else {})

    made = replayed(way, Dataset.from_dict(columns))

    assert made["input_ids"][:] == [ids("good"), ids("bad")]
    if labels and labels[0]:
        assert made["gold"][:] == ["positive", "negative"]


def test_labels_that_cannot_be_mapped_are_left_out_and_told(folder: Path):
    """They are no reason not to predict."""
    nodes = """
        [nodes.mapped]
        use = "map-labels"
        inputs = ["files"]
        column = "gold"
        labels = ["neg", "pos"]
    """
    (way,) = ways_of(folder, nodes, last="mapped")

    made = replayed(way, Dataset.from_dict({"sentence": ["good"], "gold": ["neutral"]}))

    assert "gold" not in made.column_names
    assert "'neutral'" in way.refused_labels


JOINED = """
[nodes.other]
use = "load-files"
train = "train.csv"

[nodes.first]
use = "rename"
inputs = ["files"]
columns = { sentence = "text" }

[nodes.second]
use = "rename"
inputs = ["other"]
columns = { review = "text" }

[nodes.both]
use = "concat"
inputs = ["first", "second"]
"""


@pytest.mark.parametrize("column", ["sentence", "review", "text"])
def test_of_sources_put_together_the_one_that_fits_counts(folder: Path, column: str):
    """New rows may look like those of either, or like the whole."""
    (folder / "train.csv").write_text("sentence,review\ngood,bad\n")
    ways = ways_of(folder, JOINED, last="both", text='text = "text"\n')
    rows = Dataset.from_dict({column: ["good"]})

    (made, *_) = [way(rows) for way in ways if way.missing(rows.column_names) is None]

    assert made["input_ids"][:] == [ids("good")]


@pytest.mark.parametrize(
    ("names", "wanted"),
    [(["sentence", "id"], None), (["text"], None), (["id", "sentense"], "sentence")],
    ids=["as trained", "renamed already", "missing"],
)
def test_a_missing_column_goes_by_its_name_in_the_input(
    folder: Path, names: Sequence[str], wanted: str | None
):
    """Not by the one that the recipe gives it later."""
    nodes = """
        [nodes.named]
        use = "rename"
        inputs = ["files"]
        columns = { sentence = "text" }
    """
    (way,) = ways_of(folder, nodes, last="named", text='text = "text"\n')

    missing = way.missing(names)

    assert (missing.column if missing else None) == wanted


def test_of_pairs_both_columns_are_missing(folder: Path):
    """The error is to name the second too."""
    (folder / "train.csv").write_text("one,two,gold\ngood,fine,pos\nbad,worse,neg\n")
    (way,) = ways_of(folder, "", text='text = "one"\ntext_pair = "two"\n')

    assert way.missing(["a", "b"]) == Missing("one", "tokens", ("two",))


def test_columns_that_the_recipe_leaves_to_the_data_are_found(folder: Path):
    """The same for all pieces; texts that are missing there are empty ones."""
    (way,) = ways_of(folder, "")
    rows = Dataset.from_dict({"id": ["1", "2"], "sentence": ["good", None]})

    made = replayed(way, rows)

    assert way.texts(rows.column_names) == ["sentence"]
    assert made["input_ids"][:] == [ids("good"), ids()]


def test_texts_that_were_found_when_training_are_sought_by_their_names(folder: Path):
    """A column that looks more like texts in the new rows is none of the model's."""
    (way,) = ways_of(folder, "")
    seen = {"files": {"sentence": "string", "label": "string"}}
    known = Replay(way._route, way._request, way._checkpoint, trained=seen)
    rows = Dataset.from_dict({"text": ["bad"], "sentence": ["good"]})

    assert known.texts(rows.column_names) == ["sentence"]
    assert replayed(known, rows)["input_ids"][:] == [ids("good")]
    missing = known.missing(["text"])
    assert missing is not None
    assert missing.column == "sentence"


def test_columns_that_are_not_there_need_not_be_kept(folder: Path):
    """`keep` names the label, which new rows lack; class labels stay class labels."""
    (way,) = ways_of(folder, "", text='keep = ["gold"]\n')

    bare = replayed(way, Dataset.from_dict({"sentence": ["good"]}))
    rows = Dataset.from_dict({"sentence": ["good"], "gold": [1]})
    named = replayed(way, rows.cast_column("gold", ClassLabel(names=["neg", "pos"])))

    assert bare.column_names == ["input_ids", "truncated"]
    assert named.features["gold"].names == ["neg", "pos"]


TAGGED = """
name = "small"

[nodes.files]
use = "load-files"
train = "train.jsonl"

[nodes.bioes]
use = "convert-tags"
inputs = ["files"]
target = "BIOES"

[nodes.tokens]
use = "tokenize-words"
inputs = ["bioes"]
tokenizer = "tiny"
max_length = 8
"""


def way_of_words(
    folder: Path, *, nodes: str = TAGGED, checkpoint: str = "none", **trained: dict[str, str]
) -> Replay:
    (folder / "train.jsonl").write_text('{"tokens": ["good"], "tags": ["O"]}\n')
    (folder / "recipe.toml").write_text(nodes)
    request = open_request(folder / "recipe.toml", here=folder)
    (way,) = routes(request.graph, "tokens")
    return Replay(way, request, folder / checkpoint, trained=trained)


def test_words_without_tags_are_tokenized(folder: Path):
    """Tags that are not there are not converted; those that are there are."""
    rows = Dataset.from_dict({"tokens": [["good", "bad"], []], "id": [1, 2]})
    way = way_of_words(folder)

    made = replayed(way, rows)
    tagged = replayed(way, rows.add_column("tags", [["B-X", "I-X"], []]))

    assert made["input_ids"][:] == [ids("good", "bad"), ids()]
    assert made["word_starts"][:] == [[1, 2], []]
    assert tagged["tags"][0] == ["B-X", "E-X"]


def test_tags_that_cannot_be_converted_are_left_out_and_told(folder: Path):
    """They are no reason not to predict."""
    way = way_of_words(folder, nodes=TAGGED.replace('"BIOES"', '"BIOES"\nsource = "IOB2"'))

    made = replayed(way, Dataset.from_dict({"tokens": [["good"]], "tags": [["I-X"]]}))

    assert "tags" not in made.column_names
    assert "I-X" in way.refused_labels


def test_words_that_are_missing_are_none(folder: Path):
    """A row without a list has no words, and what is missing in a list is an unknown word."""
    way = way_of_words(folder)
    rows = Dataset.from_dict({"tokens": [["good", None], None, ["bad"]]})

    made = replayed(way, rows)

    assert made["input_ids"][:] == [[2, VOCABULARY["good"], 1, 3], ids(), ids("bad")]
    assert made["word_lengths"][:] == [[1, 1], [], [1]]


def test_words_that_were_found_when_training_are_sought_by_their_name(folder: Path):
    """Columns of new rows that look more like words are none of the model's."""
    way = way_of_words(folder, bioes={"words": "list<string>", "tags": "list<string>"})
    rows = Dataset.from_dict({"tokens": [["bad"]], "words": [["good"]]})

    assert replayed(way, rows)["input_ids"][:] == [ids("good")]
    missing = way.missing(["tokens"])
    assert missing is not None
    assert missing.column == "words"


def test_what_was_tokenized_before_is_tokenized_anew(folder: Path):
    """New rows may have the columns that the op makes."""
    way = way_of_words(folder)
    rows = Dataset.from_dict({"tokens": [["bad"]], "input_ids": [[7]], "windows": [[1]]})

    assert replayed(way, rows)["input_ids"][:] == [ids("bad")]


def test_words_are_their_bytes_where_the_recipe_has_no_tokenizer(folder: Path):
    """As in the training."""
    way = way_of_words(folder, nodes=TAGGED.replace('tokenizer = "tiny"\n', ""))

    made = replayed(way, Dataset.from_dict({"tokens": [["ab", "c"]]}))

    assert made["input_ids"][:] == [[98, 99, 100]]


def test_the_tokenizer_beside_the_weights_is_the_one_used_for_words(folder: Path):
    """That of the recipe may have changed, or be gone."""
    nodes = TAGGED + '[model]\nuse = "transformer"\nconfig = "tiny"\n'
    way = way_of_words(folder, nodes=nodes, checkpoint="weights")
    (folder / "tiny").rename(folder / "weights")

    made = replayed(way, Dataset.from_dict({"tokens": [["good"]]}))

    assert made["input_ids"][:] == [ids("good")]
