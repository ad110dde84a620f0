"""The op `load-tokens`."""

from __future__ import annotations

import json

import pytest
from datasets import ClassLabel, Dataset, Features, List, Value

from mlrecipe import DataError
from mlrecipe.builtin.ops.load_tokens import load_tokens

ROWS = [
    {"id": 1, "tokens": ["EU", "rejects"], "tags": ["B-ORG", "O"]},
    {"id": 2, "tokens": [], "tags": []},
    {"id": 3, "tokens": ["Peter", "Blackburn"], "tags": ["B-PER", "I-PER"]},
]
WORDS = [row["tokens"] for row in ROWS]
TAGS = [row["tags"] for row in ROWS]


def lines(rows) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


@pytest.fixture
def load(write):
    """A function that loads a text as the split `train`."""

    def load(text: str, name: str = "train.jsonl", **settings):
        return load_tokens(**{"train": write(name, text), **settings})["train"]

    return load


@pytest.mark.parametrize(
    ("tokens", "tags"), [("tokens", "tags"), ("words", "ner_tags"), ("tokens", "labels")]
)
def test_lists_of_words_and_tags(load, tokens, tags):
    """By the usual names, before other columns."""
    text = lines(ROWS).replace('"tokens"', f'"{tokens}"').replace('"tags"', f'"{tags}"')

    rows = load(text)

    assert rows[:] == {"tokens": WORDS, "tags": TAGS, "id": [1, 2, 3]}
    assert rows.features["tags"] == rows.features["tokens"] == List(Value("string"))


def test_names_of_columns_may_be_said(load):
    """The others stay, or those that are named."""
    text = lines([{"a": ["x", "y"], "b": ["N", "V"], "c": ["O", "O"], "d": 1}])

    assert load(text, tokens="a", tags="c").column_names == ["tokens", "tags", "b", "d"]
    assert load(text, tokens="a", tags="b", columns=["d"])[:] == {
        "tokens": [["x", "y"]], "tags": [["N", "V"]], "d": [1],
    }  # fmt: skip


CSV = 'text,tags,id\n"EU, rejects",B-ORG O,1\n"say ""hi""",O  O,2\n'


@pytest.mark.parametrize(
    ("name", "text", "settings"),
    [
        ("a.csv", CSV, {}),
        ("a.csv", CSV.replace("text,tags", "sentence,ner"), {}),
        ("a.csv", CSV.replace("text,tags", "a,b"), {"tokens": "a", "tags": "b"}),
        ("a.tsv", 'text\ttags\tid\nEU, rejects\tB-ORG O\t1\nsay "hi"\tO O\t2\n', {}),
        ("a.txt", 'text;tags;id\nEU, rejects;B-ORG O;1\nsay "hi";O O;2\n', {"delimiter": ";"}),
        ("a.jsonl", '{"text": "EU, rejects", "tags": "B-ORG O", "id": 1}\n'
         '{"text": "say \\"hi\\"", "tags": "O O", "id": 2}\n', {}),
    ],
)  # fmt: skip
def test_texts_with_as_many_tags(load, name, text, settings):
    """White space stands between words, and between tags."""
    rows = load(text, name, **settings)

    assert rows[:] == {
        "tokens": [["EU,", "rejects"], ["say", '"hi"']],
        "tags": [["B-ORG", "O"], ["O", "O"]],
        "id": [1, 2],
    }


def test_lists_written_as_texts_are_an_error(load):
    """As pandas writes them into CSV: their words would have brackets and commas."""
    text = "tokens,tags\n\"['a', 'b']\",\"['O', 'O']\"\n"

    with pytest.raises(DataError, match="column 'tokens' holds lists in brackets") as error:
        load(text, "a.csv")

    assert error.value.key == "tokens"


def test_numbers_as_words_and_tags_stay_texts(load):
    """A column of nothing but numbers is none of words otherwise."""
    assert load("text,tags\n7,1\n8,2\n", "a.csv")[:] == {
        "tokens": [["7"], ["8"]], "tags": [["1"], ["2"]],
    }  # fmt: skip


def test_tags_that_are_numbers_get_their_names(load):
    """Those that are given."""
    text = lines([{"tokens": ["a", "b"], "ner_tags": [0, 2]}])

    assert load(text, names=["O", "B-X", "I-X"])["tags"][0] == ["O", "I-X"]
    with pytest.raises(DataError, match="the tags in column 'ner_tags' are numbers") as error:
        load(text)
    assert error.value.key == "names"
    with pytest.raises(DataError, match="column 'ner_tags' has the tag 2, and 2 have names"):
        load(text, names=["O", "B-X"])


@pytest.mark.parametrize(
    ("name", "text"),
    [("t.jsonl", lines([{"tokens": ["x", "y"], "tags": ["0", "2"]}])), ("t.csv", "tokens,tags\nx y,0 2\n")],
)  # fmt: skip
def test_tags_that_are_numbers_written_out_get_their_names(load, name, text):
    """In JSON as in CSV; names that are of no use are an error."""
    assert load(text, name, names=["O", "B-X", "I-X"])["tags"][0] == ["O", "I-X"]
    with pytest.raises(DataError, match="has the tag 2, and 2 have names"):
        load(text, name, names=["O", "B-X"])
    with pytest.raises(DataError, match="has the tag 'B-X', which is no number") as error:
        load(text.replace("2", "B-X"), name, names=["O", "B-X"])
    assert error.value.key == "names"


def test_a_row_that_mixes_words_and_numbers_is_named(load):
    """In words that are no Python."""
    rows = [{"tokens": ["a", "b"], "tags": ["O", "O"]}, {"tokens": ["a", 1], "tags": ["O", "O"]}]

    with pytest.raises(
        DataError, match="mixes values of several types: texts and numbers"
    ) as error:
        load(lines(rows))

    assert "object" not in error.value.message


def test_tags_of_a_parquet_file_have_the_names_that_it_gives_them(tmp_path):
    """As the hub writes its data sets."""
    features = Features(
        {"tokens": List(Value("string")), "ner_tags": List(ClassLabel(names=["O", "B-X"])),
         "kind": ClassLabel(names=["web", "news"])}
    )  # fmt: skip
    rows = Dataset.from_dict(
        {"tokens": [["a", "b"]], "ner_tags": [[1, 0]], "kind": [1]}, features=features
    )
    rows.to_parquet(tmp_path / "a.parquet")

    found = load_tokens(test=str(tmp_path / "a.parquet"))["test"]

    assert found[0] == {"tokens": ["a", "b"], "tags": ["B-X", "O"], "kind": 1}
    assert found.features["kind"] == features["kind"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.jsonl", lines([*ROWS, {"id": 4, "tokens": ["a", "b"], "tags": ["O"]}]),
         "a.jsonl: row 4 has 2 words and 1 tag"),
        ("a.csv", CSV + "one two,O O O,3\n", "a.csv: row 3 has 2 words and 3 tags"),
        ("a.csv", CSV + "one two,,3\n", "a.csv: row 3 has 2 words and 0 tags"),
    ],
)  # fmt: skip
def test_sequence_2_counts_that_differ_are_named(load, name, text, message):
    """File, row and both counts."""
    with pytest.raises(DataError) as error:
        load(text, name)

    assert error.value.message.endswith(message)
    assert error.value.key == "train"


def test_sequence_2_the_row_is_that_of_the_file(write):
    """Also behind the first ten thousand, and in a second file."""
    rows = [{"tokens": ["a"], "tags": ["O"]}] * 10_001
    bad = write("b.jsonl", lines([*rows, {"tokens": ["a"], "tags": []}]))

    with pytest.raises(DataError, match=r"b\.jsonl: row 10,002 has 1 word and 0 tags"):
        load_tokens(train=[write("a.jsonl", lines(rows[:3])), bad])


def test_a_split_without_tags_has_no_column_of_them(write):
    """Whether they are missing or null; some rows without are an error."""
    labelled = write("a.jsonl", lines(ROWS))
    for row in ({"tokens": ["a"]}, {"tokens": ["a"], "tags": None}):
        data = load_tokens(train=labelled, test=write("b.jsonl", lines([row, row])))
        assert data["test"][:] == {"tokens": [["a"], ["a"]]}
        with pytest.raises(DataError, match="row 4 of split 'train' has no tags"):
            load_tokens(train=write("c.jsonl", lines([*ROWS, row])))


@pytest.mark.parametrize(
    ("settings", "key"),
    [({"tokens": "token"}, "tokens"), ({"tags": "tag"}, "tags"), ({"columns": ["di"]}, "columns"),
     ({"scheme": "IOB2"}, "scheme"), ({"tokens": "id"}, "tokens")],
)  # fmt: skip
def test_a_wrong_setting_is_named(load, settings, key):
    """With its key."""
    with pytest.raises(DataError) as error:
        load(lines(ROWS), **settings)

    assert error.value.key == key


def test_which_column_has_the_tags_must_be_clear(load):
    """Else the error says what they could be."""
    text = lines([{"tokens": ["a"], "a": ["O"], "b": ["O"]}])

    with pytest.raises(DataError, match="which column holds the tags") as error:
        load(text)

    assert error.value.key == "tags"
    with pytest.raises(DataError, match="it has another column 'tags'") as error:
        load(lines([{"tokens": ["a"], "tags": ["O"], "ner": ["O"]}]), tags="ner")


def test_a_limit_holds_for_every_split(write):
    """The first rows of each."""
    path = write("a.jsonl", lines(ROWS))

    data = load_tokens(train=[path, write("b.jsonl", lines(ROWS))], test=path, limit=4)

    assert {name: len(rows) for name, rows in data.items()} == {"train": 4, "test": 3}


def test_tags_are_converted_on_the_way(load):
    """As `load-conll` does."""
    assert load(lines(ROWS), to="BILOU")["tags"][:] == [["U-ORG", "O"], [], ["B-PER", "L-PER"]]
