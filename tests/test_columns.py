"""Which columns hold the texts and the label, when a recipe does not say."""

from __future__ import annotations

import pytest
from datasets import ClassLabel, Features, List, Value

from mlrecipe import columns
from mlrecipe.errors import DataError

CLASSES = ("text", "class")
NUMBERS = ("number", "class")


def kinds(**given: str) -> dict[str, str]:
    return given


def test_features_are_of_a_few_kinds():
    """Class labels and truth values are classes; input ids and lists of names are lists."""
    features = Features(
        {
            "a": Value("large_string"), "b": ClassLabel(names=["x"]), "c": Value("bool"),
            "d": Value("float32"), "e": List(Value("string")), "f": Value("binary"),
        }
    )  # fmt: skip

    found = columns.kinds_of(features)

    assert list(found.values()) == ["text", "class", "class", "number", "list", "other"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"text": "text", "sentence": "text"}, ("text",)),
        ({"text": "list", "sentence": "text"}, ("text",)),
        ({"premise": "text", "hypothesis": "text", "label": "class"}, ("premise", "hypothesis")),
        ({"question": "text", "sentence": "text", "idx": "class"}, ("question", "sentence")),
        ({"#1 String": "text", "#2 String": "text"}, ("#1 String", "#2 String")),
        ({"v1": "text", "v2": "text"}, ("v2",)),
        ({"id": "text", "Review": "text", "stars": "number"}, ("Review",)),
        ({"question": "text", "answer": "text"}, ("question",)),
        ({"question": "text", "answer": "text", "label": "text"}, ("question", "answer")),
        ({"plot": "text", "label": "text"}, ("plot",)),
    ],
)
def test_glue_8_texts_are_found_by_name(given: dict[str, str], expected: tuple[str, ...]):
    """`text` before pairs, pairs before single names, and the only one there is at last."""
    assert columns.find_texts(given) == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"headline": "text", "body": "text"}, "'headline' or 'body'"),
        ({"plot": "text", "cast": "text"}, "'plot' or 'cast'"),
        ({"n": "number", "label": "text"}, r"no column is like the texts; the columns: n \(number"),
        (
            {"sentence1": "text", "sentence2": "text", "query": "text", "passage": "text"},
            "'sentence1' with 'sentence2' or 'query' with 'passage'",
        ),
    ],
)
def test_texts_that_are_not_plain_are_an_error(given: dict[str, str], message: str):
    """It lists the columns and says what to write."""
    with pytest.raises(DataError, match=message) as caught:
        columns.find_texts(given)

    assert caught.value.key == "text"
    assert "text = " in str(caught.value.hint)


@pytest.mark.parametrize(
    ("given", "wanted", "expected"),
    [
        ({"label": "list", "class": "text"}, CLASSES, "label"),
        ({"v1": "text", "v2": "text"}, CLASSES, "v1"),
        ({"text": "text", "category": "text", "language": "text"}, CLASSES, "category"),
        ({"text": "text", "stance": "class", "is_spam": "class"}, CLASSES, "stance"),
        ({"text": "text", "input_ids": "list", "truncated": "class", "kind_of": "text"}, CLASSES,
         "kind_of"),
        ({"sentence1": "text", "sentence2": "text", "year": "class", "score": "number"}, NUMBERS,
         "score"),
        ({"text": "text", "label_text": "text", "price": "number"}, NUMBERS, "price"),
        ({"text": "text", "tags": "list", "input_ids": "list"}, ("list",), "tags"),
    ],
)  # fmt: skip
def test_glue_8_labels_are_found_by_name(
    given: dict[str, str], wanted: tuple[str, ...], expected: str
):
    """The clearest name wins, of a kind that fits; else the only column that is left."""
    assert columns.find_label(given, wanted=wanted) == expected


def test_lists_of_words_are_no_texts_but_have_an_op_of_their_own():
    """Whoever takes `tokenize` for them is told."""
    with pytest.raises(DataError, match="no column is like the texts") as caught:
        columns.find_texts({"tokens": "list", "tags": "list"})

    assert "'tokens' holds lists of words: take the op `tokenize-words`" in str(caught.value.hint)


def test_several_labels_are_sought_under_other_names():
    """Of a topic and of tags these are what a row may have several of."""
    given = kinds(review="text", topic="text", tags="text")

    assert columns.find_label(given, wanted=("text",), several=True) == "tags"
    assert columns.find_label(given, wanted=("text",)) == "topic"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"text": "text", "target": "class", "sentiment": "text"}, "'target' or 'sentiment'"),
        ({"text": "text", "a": "class", "b": "class"}, "'a' or 'b'"),
        ({"sms": "text", "input_ids": "list", "truncated": "class"}, "no column is like the label"),
    ],
)
def test_labels_that_are_not_plain_are_an_error(given: dict[str, str], message: str):
    """The texts themselves are never taken for labels."""
    with pytest.raises(DataError, match=message) as caught:
        columns.find_label(given, wanted=CLASSES)

    assert caught.value.key == "label"


@pytest.mark.parametrize(
    ("given", "wanted", "hint"),
    [
        ({"text": "text", "id": "class", "price": "number"}, CLASSES,
         "column 'price' holds numbers: take the task `text-regression` with `label = \"price\"`"),
        ({"text": "text", "genres": "list"}, CLASSES,
         "`multi-label-classification` with `label = \"genres\"`"),
        ({"text": "text", "genre": "text"}, NUMBERS,
         "column 'genre' holds labels: take the task `text-classification` with `label = \"genre\"`"),
        ({"message": "text", "tags": "text"}, ("list",), "`label = \"tags\"` and `separator = \",\"`"),
        ({"message": "text", "spam": "class", "ad": "class"}, ("list",),
         "`labels_from = [\"spam\", \"ad\"]`"),
        ({"message": "text", "tags": "list"}, ("text",), "leave `separator` out"),
        ({"text": "text"}, CLASSES, "need a column with what is to be learned"),
    ],
)  # fmt: skip
def test_no_label_that_fits_names_the_best_column_and_its_task(
    given: dict[str, str], wanted: tuple[str, ...], hint: str
):
    """The columns that `tokenize` makes are not spoken of."""
    made = kinds(input_ids="list", truncated="class", token_type_ids="list")
    several = wanted in (("list",), ("text",))

    with pytest.raises(DataError, match="no column is like the label") as caught:
        columns.find_label({**given, **made}, wanted=wanted, several=several)

    assert hint in str(caught.value.hint)
    assert not any(name in caught.value.message for name in made)


def test_names_alone_say_whether_there_may_be_pairs():
    """`tokenize` writes token types for pairs only."""
    assert columns.may_have_pairs(None)
    assert columns.may_have_pairs(["premise", "hypothesis", "label"])
    assert not columns.may_have_pairs(["text", "sentence1", "sentence2"])
    assert not columns.may_have_pairs(["message", "label"])


@pytest.mark.parametrize(
    ("names", "texts", "label"),
    [
        (["text", "label"], True, True),
        (["label"], False, True),
        (["text", "input_ids", "id"], True, False),
        (["input_ids", "truncated"], False, False),
        (["plot", "mood"], True, True),
    ],
)
def test_names_alone_say_what_surely_is_not_there(names: list[str], texts: bool, label: bool):
    """What may be there is not spoken of."""
    assert columns.may_have_texts(names) is texts
    assert columns.may_have_label(names) is label


def test_what_lists_hold_is_told_of_lists_only():
    """Strings, class labels and numbers are told apart."""
    features = Features(
        {
            "a": Value("string"), "b": List(Value("string")), "c": List(ClassLabel(names=["x"])),
            "d": List(Value("float32")), "e": List(List(Value("string"))),
        }
    )  # fmt: skip

    found = columns.lists_of(features)

    assert found == {"b": "text", "c": "class", "d": "number", "e": "list"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"words": "text", "tokens": "text", "tags": "text"}, "tokens"),
        ({"Words": "text", "forms": "text"}, "Words"),
        ({"tokens": "class", "line": "text", "ner_tags": "text"}, "line"),
        ({"seq_in": "text", "seq_out": "text"}, "seq_in"),
    ],
)
def test_words_are_found_by_name(given: dict[str, str], expected: str):
    """`tokens` before other names, and lists of strings that are no tags by their name at last."""
    assert columns.find_words(given) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"tokens": "text", "tags": "text", "labels": "class", "pos": "text"}, "tags"),
        ({"tokens": "text", "pos_tags": "class", "chunk_tags": "class", "ner_tags": "class"}, "ner_tags"),
        ({"words": "text", "upos": "text"}, "upos"),
        ({"line": "text", "kinds": "text"}, "kinds"),
        ({"tokens": "text", "labels": "class", "input_ids": "class", "windows": "class"}, "labels"),
    ],
)  # fmt: skip
def test_tags_are_found_by_name(given: dict[str, str], expected: str):
    """`tags` before other names, parts of speech and chunks last; what `tokenize-words` makes is none."""
    assert columns.find_tags(given, words="line") == expected


@pytest.mark.parametrize(
    ("find", "given", "message"),
    [
        ("words", {"a": "text", "b": "text"}, r"which column holds the words\? it could be 'a' or 'b'"),
        ("words", {"tags": "text", "x": "class"}, r"no column is like the words; .* tags \(list of text"),
        ("words", {}, "no column is like the words; the columns with lists: none"),
        ("tags", {"tokens": "text", "pos": "text", "chunk": "text"}, "'pos' or 'chunk'"),
        ("tags", {"tokens": "text", "windows": "class"}, r"lists: tokens \(list of text\);"),
    ],
)  # fmt: skip
def test_words_and_tags_that_are_not_plain_are_an_error(
    find: str, given: dict[str, str], message: str
):
    """It lists the columns with lists, and what to write."""
    with pytest.raises(DataError, match=message) as caught:
        getattr(columns, f"find_{find}")(given)

    assert caught.value.key == find


def test_names_alone_say_whether_there_may_be_words_and_tags():
    """What may be there is not spoken of."""
    assert columns.may_have_words(["tokens", "tags"])
    assert columns.may_have_tags(["tokens", "kinds"])
    assert not columns.may_have_words(["tags", "id", "input_ids"])
    assert not columns.may_have_tags(["tokens", "id", "windows", "word_starts"])
