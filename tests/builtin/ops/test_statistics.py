"""The op `statistics`."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from mlrecipe import DataError
from mlrecipe.builtin.ops.load_files import load_files
from mlrecipe.builtin.ops.statistics import statistics


@pytest.fixture
def data():
    """Splits with every flaw that is looked for."""
    train = {
        "text": ["good film", "bad film", "good film", " ", None, "one two three four"],
        "label": ["pos", "neg", "pos", "pos", None, "neg"],
        "truncated": [False, True, False, False, False, False],
    }
    test = {
        "text": ["bad film", "unseen film", "good film"],
        "label": ["pos", "pos", "pos"],
        "truncated": [True, True, False],
    }
    return DatasetDict({"train": Dataset.from_dict(train), "test": Dataset.from_dict(test)})


def test_training_19_what_prepare_reports(data):
    """Label counts, train/test overlap, empty texts, truncation rate and length percentiles."""
    facts = statistics(data)

    train = facts["splits"]["train"]
    assert train.pop("length").pop("histogram") == {
        "edges": [0, 1, 2, 3, 4, 5], "rows": [2, 0, 3, 0, 1]
    }  # fmt: skip
    assert train == {
        "rows": 6,
        "labels": {
            "label": {
                "rows": {"neg": 2, "pos": 3}, "shares": {"neg": 0.4, "pos": 0.6}, "majority": 0.6,
                "unlabelled": 1,
            }
        },
        "texts": {"text": {"missing": 1, "empty": 1}},
        "duplicates": 1,
        "truncated": 1,
        "truncation_rate": 0.166667,
    }  # fmt: skip
    assert facts["splits"]["test"]["overlap"] == {"train": 2}
    assert facts["splits"]["test"]["truncation_rate"] == 0.666667
    assert facts["text"] == ["text"]
    assert facts["label"] == ["label"]


def test_glue_10_statistics_of_each_split(data):
    """Label counts, length percentiles and the truncation rate, in each split by itself."""
    splits = statistics(data)["splits"]

    assert [splits[n]["labels"]["label"]["rows"] for n in ("train", "test")] == [
        {"neg": 2, "pos": 3}, {"pos": 3}
    ]  # fmt: skip
    assert [
        tuple(
            splits[name]["length"][key] for key in ("p5", "p25", "p50", "p75", "p95", "p99", "max")
        )
        for name in ("train", "test")
    ] == [(0, 0, 2, 2, 4, 4, 4), (2, 2, 2, 2, 2, 2, 2)]
    assert [splits[n]["length"]["mean"] for n in ("train", "test")] == [1.67, 2.0]
    assert [(splits[n]["truncated"], splits[n]["truncation_rate"]) for n in ("train", "test")] == [
        (1, 0.166667), (2, 0.666667)
    ]  # fmt: skip


def test_glue_10_percentiles_are_lengths_that_occur():
    """As numpy gives them of all rows, across pieces of work."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, 400, 12_000)
    data = Dataset.from_dict({"input_ids": [[1] * n for n in lengths]})

    length = statistics(data)["splits"][""]["length"]

    for p in (5, 25, 50, 75, 95, 99):
        assert length[f"p{p}"] == np.percentile(lengths, p, method="inverted_cdf")
    assert (length["mean"], length["max"]) == (round(lengths.mean(), 2), lengths.max())
    low, *_ = length["histogram"]["edges"]
    assert low == 0
    assert sum(length["histogram"]["rows"]) == 12_000


def test_what_deserves_attention_is_said(data):
    """One sentence each."""
    assert statistics(data)["warnings"] == [
        "split 'test' has 2 rows that are in split 'train' too",
        "split 'train' has 1 row without a label",
        "split 'train' has 2 rows without text in 'text'",
        "split 'train' has 1 row that repeats an earlier one",
        "split 'test' has one label only, 'pos'",
    ]


def test_result_is_plain_json(data):
    """It can be stored as JSON and comes back equal."""
    facts = statistics(data)

    assert json.loads(json.dumps(facts)) == facts


def test_tokens_are_counted_where_there_are_some():
    """Lengths are of `input_ids` then."""
    data = Dataset.from_dict({"text": ["a b c", "d"], "input_ids": [[1] * 7, [1] * 3]})

    length = statistics(data)["splits"][""]["length"]

    assert (length["unit"], length["mean"], length["max"]) == ("tokens", 5.0, 7)


def test_different_tokens_are_counted():
    """Those that the split uses."""
    data = Dataset.from_dict({"input_ids": [[5, 7, 5], [7, 101], []]})

    assert statistics(data)["splits"][""]["vocabulary"] == 3


def test_what_is_much_longer_is_in_the_last_bin():
    """One long row does not make the other bins wide."""
    texts = ["a b c"] * 199 + ["w " * 5000]

    length = statistics(Dataset.from_dict({"text": texts}))["splits"][""]["length"]

    assert length["max"] == 5000
    assert length["histogram"] == {"edges": [0, 1, 2, 3, 4], "rows": [0, 0, 0, 200]}


def test_classes_by_name_with_none_left_out():
    """A class without rows counts 0; -1 is no label; one class alone is a warning."""
    features = Features({"text": Value("string"), "labels": ClassLabel(names=["a", "b"])})
    data = Dataset.from_dict({"text": ["x y", "z w"], "labels": [1, -1]}, features=features)

    facts = statistics(data)

    labels = facts["splits"][""]["labels"]["labels"]
    assert labels["rows"] == {"a": 0, "b": 1}
    assert labels["unlabelled"] == 1
    assert "the data has one label only, 'b'" in facts["warnings"]


@pytest.mark.parametrize(
    ("values", "expected", "unlabelled"),
    [
        ([1, 0, 1], {"0": 1, "1": 2}, 0),
        ([10, 9, None], {"9": 1, "10": 1}, 1),
        ([True, False, True], {"false": 1, "true": 2}, 0),
        ([["a"], ["a", "b", "a"], [], None], {"a": 2, "b": 1}, 1),
        ([None, None, None], {}, 3),
        (["b", "", " ", "a"], {"a": 1, "b": 1}, 2),
    ],
)
def test_labels_of_any_type(values, expected, unlabelled):
    """Counts by value, sorted; a label counts once in a row."""
    labels = statistics(Dataset.from_dict({"label": values}))["splits"][""]["labels"]["label"]

    assert labels["rows"] == expected
    assert list(labels["rows"]) == list(expected)
    assert labels["unlabelled"] == unlabelled


def test_numbers_to_predict():
    """Range, mean, deviation and a histogram with the same bins in every split; no number is no label."""
    splits = {
        "train": Dataset.from_dict({"label": [0.0, 2.5, 5.0, None, math.nan]}),
        "test": Dataset.from_dict({"label": [4.9]}),
    }

    facts = statistics(DatasetDict(splits))["splits"]

    train, test = (facts[name]["labels"]["label"] for name in ("train", "test"))
    assert train["range"] == {"min": 0.0, "mean": 2.5, "std": 2.5, "max": 5.0}
    assert train["unlabelled"] == 2
    assert train["histogram"]["edges"] == test["histogram"]["edges"]
    assert sum(train["histogram"]["rows"]) == 3
    assert test["histogram"]["rows"][19] == 1  # from 4.75 to below 5
    assert test["range"]["std"] == 0.0


@pytest.mark.parametrize(
    "values", [[1e18, 1e18 + 256], [1e-12, 2e-12], [-1e308, 1e308], [3.5, 3.5]]
)
def test_histograms_of_odd_numbers(values):
    """Every row is in a bin, however large, small or alike the numbers are."""
    labels = statistics(Dataset.from_dict({"label": values}))["splits"][""]["labels"]["label"]

    assert sum(labels["histogram"]["rows"]) == 2
    assert len(labels["histogram"]["rows"]) <= 22


def test_several_labels_in_a_row():
    """How many labels rows have; shares are of rows."""
    data = Dataset.from_dict({"label": [["a", "b"], ["a"], [], ["a", "a"]]})

    labels = statistics(data)["splits"][""]["labels"]["label"]

    assert labels["rows"] == {"a": 3, "b": 1}
    assert labels["shares"] == {"a": 0.75, "b": 0.25}
    assert labels["per_row"] == {"0": 1, "1": 2, "2": 1}
    assert "majority" not in labels


def test_several_labels_in_a_text():
    """What `separator` parts, without the white space around."""
    data = Dataset.from_dict({"label": ["a, b", "b,", "", None]})

    labels = statistics(data, separator=",")["splits"][""]["labels"]["label"]

    assert labels["rows"] == {"a": 1, "b": 2}
    assert labels["per_row"] == {"0": 1, "1": 1, "2": 1}
    assert labels["unlabelled"] == 1


def test_several_columns_of_labels():
    """Each by itself, in warnings too."""
    data = Dataset.from_dict({"intent": ["a", "b"], "topic": ["x", "x"], "text": ["p q", "r s"]})

    facts = statistics(data, label=["intent", "topic"])

    labels = facts["splits"][""]["labels"]
    assert {name: found["rows"] for name, found in labels.items()} == {
        "intent": {"a": 1, "b": 1}, "topic": {"x": 2}
    }  # fmt: skip
    assert facts["text"] == ["text"]
    assert facts["warnings"] == ["the data has one label only, 'x' in 'topic'"]


def test_very_many_labels_are_only_counted():
    """How many different ones, exactly, across pieces."""
    rows = 25_000
    data = Dataset.from_dict({"label": [f"id {i % 12_345}" for i in range(rows)]})

    labels = statistics(data)["splits"][""]["labels"]["label"]

    assert labels == {"distinct": 12_345, "unlabelled": 0}


def test_labels_that_are_not_learned_are_a_warning():
    """A label that only the test split has cannot be predicted."""
    data = DatasetDict(
        train=Dataset.from_dict({"label": ["a", "b"]}),
        test=Dataset.from_dict({"label": ["c", "a"]}),
    )

    assert statistics(data)["warnings"] == [
        "split 'test' has labels that the train split has not: 'c'"
    ]


def test_every_two_splits_are_compared():
    """Once each; what is left of train is compared with train."""
    splits = {
        name: Dataset.from_dict({"text": texts})
        for name, texts in {
            "valid": ["b x", "c x"], "train": ["a x", "b x"], "test": ["b x", "c x", "d x"]
        }.items()
    }  # fmt: skip

    facts = statistics(DatasetDict(splits))["splits"]

    assert {name: facts[name].get("overlap") for name in facts} == {
        "valid": {"train": 1}, "train": None, "test": {"train": 1, "valid": 2}
    }  # fmt: skip


def test_texts_are_found(data):
    """Columns of single words, such as ids, are no texts; pairs are compared together."""
    pairs = Dataset.from_dict(
        {"id": ["a1", "a2", "a3"], "first": ["x y"] * 3, "second": ["p q", "r s", "p q"]}
    )

    facts = statistics(pairs)

    assert facts["text"] == ["first", "second"]
    assert facts["splits"][""]["duplicates"] == 1
    assert facts["splits"][""]["length"]["max"] == 4


def test_columns_can_be_named(data):
    """An unlabelled split is described without labels."""
    data["test"] = data["test"].remove_columns("label")

    facts = statistics(data, text=["text"], label="label")

    assert facts["splits"]["test"]["labels"] == {}
    assert facts["splits"]["test"]["overlap"] == {"train": 2}


def test_an_empty_split():
    """It has no lengths and is a warning."""
    data = DatasetDict({"train": Dataset.from_dict({"text": ["a b"]}).select([])})

    assert statistics(data) == {
        "text": ["text"],
        "label": [],
        "splits": {
            "train": {
                "rows": 0, "labels": {}, "texts": {"text": {"missing": 0, "empty": 0}},
                "duplicates": 0,
            }
        },
        "warnings": ["split 'train' has no rows"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("params", "key"),
    [
        ({"text": "txt"}, "text"),
        ({"label": "lab"}, "label"),
        ({"text": "truncated"}, "text"),
        ({"num_workers": 0}, "num_workers"),
    ],
)
def test_unknown_columns(params, key, data):
    """The error names the parameter."""
    with pytest.raises(DataError) as error:
        statistics(data, **params)

    assert error.value.key == key


@pytest.mark.real
def test_imdb_has_the_repetitions_it_is_known_for(real_data):
    """96 repeated reviews in train, 199 in test, 123 in both."""
    files = {name: str(real_data / f"imdb/{name}.csv.gz") for name in ("train", "test")}

    facts = statistics(load_files(**files))["splits"]

    assert facts["train"]["labels"]["label"]["rows"] == {"neg": 12500, "pos": 12500}
    assert (facts["train"]["duplicates"], facts["test"]["duplicates"]) == (96, 199)
    assert facts["test"]["overlap"] == {"train": 123}


@pytest.fixture
def tagged():
    """Rows of words with tags, some of them in both splits."""
    train = {
        "tokens": [
            ["Ada", "Lovelace", "wrote"],
            ["it", "rained"],
            ["Ada", "Lovelace", "wrote"],
            [],
        ],
        "tags": [["B-PER", "I-PER", "O"], ["O", "O"], ["B-PER", "I-PER", "O"], []],
        "pos": [["N", "N", "V"], ["P", "V"], ["N", "N", "V"], []],
        "intent": ["tell", "tell", "tell", "ask"],
    }
    test = {
        "tokens": [["it", "rained"], ["in", "Rome"]],
        "tags": [["O", "O"], ["O", "B-LOC"]],
        "pos": [["P", "V"], ["A", "N"]],
        "intent": ["tell", "ask"],
    }
    return DatasetDict({"train": Dataset.from_dict(train), "test": Dataset.from_dict(test)})


def test_of_tagged_words_lengths_and_tags_are_counted(tagged):
    """A tag for each word, a label for each row; words are what the rows are compared by."""
    found = statistics(tagged)

    train, test = (found["splits"][name] for name in ("train", "test"))
    assert (found["text"], found["label"]) == (["tokens"], ["tags", "intent"])
    assert train["labels"]["tags"] == {
        "rows": {"B-PER": 2, "I-PER": 2, "O": 4}, "shares": {"B-PER": 0.25, "I-PER": 0.25, "O": 0.5},
        "majority": 0.5, "unlabelled": 0,
    }  # fmt: skip
    assert train["labels"]["intent"]["rows"] == {"ask": 1, "tell": 3}
    assert {k: train["length"][k] for k in ("unit", "mean", "max")} == {
        "unit": "words", "mean": 2.0, "max": 3
    }  # fmt: skip
    assert (train["texts"], train["duplicates"]) == ({"tokens": {"missing": 0, "empty": 1}}, 1)
    assert test["overlap"] == {"train": 1}
    assert (
        "split 'test' has labels in 'tags' that the train split has not: 'B-LOC'"
        in (found["warnings"])
    )


def test_tokens_in_two_windows_count_once():
    """So do special tokens not at all: what counts is what the words have."""
    rows = Dataset.from_dict(
        {
            "tokens": [["a", "b", "c"], [], ["d"]],
            "input_ids": [[1, 5, 6, 2, 1, 6, 7, 7, 2], [1, 2], [1, 8, 2]],
            "windows": [[4, 5], [2], [3]],
            "word_lengths": [[1, 1, 2], [], [1]],
        }
    )

    (facts,) = statistics(rows)["splits"].values()

    assert {key: facts["length"][key] for key in ("unit", "mean", "p5", "max")} == {
        "unit": "tokens", "mean": 1.67, "p5": 0, "max": 4
    }  # fmt: skip
    assert facts["vocabulary"] == 6


def test_letters_are_no_tokens(tagged):
    """Where `tokenize-words` had no tokenizer lengths are in words."""
    ids = [
        [byte + 1 for word in row for byte in word.encode()] for row in tagged["train"]["tokens"]
    ]
    lengths = [[len(word) for word in row] for row in tagged["train"]["tokens"]]
    rows = tagged["train"].add_column("input_ids", ids).add_column("word_lengths", lengths)

    (facts,) = statistics(rows)["splits"].values()

    assert (facts["length"]["unit"], facts["length"]["max"]) == ("words", 3)
    assert "vocabulary" not in facts


def test_lists_of_labels_beside_words_are_no_tags_where_their_number_differs(tagged):
    """Several labels of a row count once in it."""
    rows = tagged["train"].remove_columns(["tags", "pos", "intent"])
    rows = rows.add_column("labels", [["a", "b"], ["a"], ["a"], ["b"]])

    (facts,) = statistics(rows)["splits"].values()

    assert facts["labels"]["labels"]["rows"] == {"a": 3, "b": 2}
    assert facts["labels"]["labels"]["per_row"] == {"1": 3, "2": 1}


def test_empty_cells_are_no_label():
    """A split whose cells are all empty has no labels, and no warning says that they are strange."""
    splits = {
        "train": Dataset.from_dict({"text": ["x y", "z w"], "label": ["a", "b"]}),
        "test": Dataset.from_dict({"text": ["u v"], "label": [""]}),
    }

    found = statistics(DatasetDict(splits))

    assert found["splits"]["test"]["labels"]["label"]["unlabelled"] == 1
    assert not [text for text in found["warnings"] if "label" in text]
