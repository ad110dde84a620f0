"""Types of recipe values: read from annotations, checked without coercion."""

from __future__ import annotations

import ast
from datetime import date

import pytest

from mlrecipe.code import kinds
from mlrecipe.code.kinds import Kind, convert, parse


def kind(annotation: str) -> Kind:
    return parse(ast.parse(annotation, mode="eval").body)


FITTING = [
    ("Literal[-1, 0]", -1),
    ("Literal[Color.RED, 'a']", "b"),
    ("tuple[str, float]", ["a", 0.5]),
    ("tuple[int, ...]", [1, 2]),
    ("tuple[()]", []),
    ("int", 3),
    ("float", 2.5),
    ("str", ""),
    ("bool", False),
    ("int | None", None),
    ("Optional[int]", 3),
    ("Union[int, str]", "x"),
    ("list[int]", [1, 2]),
    ("Sequence[str]", ["a"]),
    ("dict[str, int]", {"a": 1}),
    ("dict[str, list[int]]", {"a": [1]}),
    ("Literal['a', 'b']", "b"),
    ("Literal[1, 2]", 2),
    ("Literal['auto'] | int", 7),
    ("Any", object),
    ("SomethingElse", 3),
    ("File", "data.csv"),
    ("list[File]", ["a", "b"]),
    ("Column", "text"),
    ("mlrecipe.Split", "train"),
    ("list[Column] | None", ["a", "b"]),
    ("'int | None'", 3),
    ("typing.Optional[typing.List[int]]", [1]),
    ("Annotated[int, 'doc']", 1),
]


@pytest.mark.parametrize(("annotation", "value"), FITTING)
def test_a_value_of_the_type_passes_unchanged(annotation, value):
    """What has the type is taken as it is."""
    assert convert(value, kind(annotation)) == (value, [])


UNFITTING = [
    ("int", "3", "expected an integer, got the text '3'"),
    ("int", 3.5, "expected an integer, got 3.5"),
    ("int", 3.0, "expected an integer, got 3.0"),
    ("int", True, "expected an integer, got true"),
    ("float", True, "expected a number, got true"),
    ("float", "1e-4", "expected a number, got the text '1e-4'"),
    ("bool", 1, "expected true or false, got 1"),
    ("bool", "no", "expected true or false, got the text 'no'"),
    ("str", 3, "expected text, got 3"),
    ("str", date(2023, 9, 16), "expected text, got the date 2023-09-16"),
    ("str", {}, "expected text, got a table"),
    ("list[int]", 3, "expected a list of integer, got 3"),
    ("dict[str, int]", [1], "expected a table, got a list"),
    ("int | None", "x", "expected an integer, got the text 'x'"),
    ("int | str", [1], "expected an integer or text, got a list"),
    ("File", 3, "expected the path of a file, got 3"),
    ("Column", 3, "expected the name of a column, got 3"),
    ("Split | None", [1], "expected the name of a split, got a list"),
]


@pytest.mark.parametrize(("annotation", "value", "message"), UNFITTING)
def test_a_value_of_another_type_is_refused(annotation, value, message):
    """Nothing is coerced: the message says what was expected and what was given."""
    assert [text for _, text in convert(value, kind(annotation))[1]] == [message]


@pytest.mark.parametrize("annotation", ["float", "float | None", "list[float]", "dict[str, float]"])
def test_an_integer_is_taken_for_a_float(annotation):
    """The one change made: 1 becomes 1.0 where a float is asked for."""
    value = {"list[float]": [1], "dict[str, float]": {"a": 1}}.get(annotation, 1)

    converted, problems = convert(value, kind(annotation))

    assert problems == []
    assert repr(converted) == repr(value).replace("1", "1.0")


def test_a_union_keeps_an_exact_type():
    """1 stays an integer where integers are allowed too."""
    assert repr(convert(1, kind("float | int"))[0]) == "1"


def test_problems_inside_a_value_have_their_path():
    """A wrong item of a list of tables is named by its index and key."""
    problems = convert({"a": [1, "x"], "b": 2}, kind("dict[str, list[int]]"))[1]

    assert [path for path, _ in problems] == [".a[1]", ".b"]


def test_a_wrong_choice_names_the_nearest():
    """A misspelt literal comes with what was probably meant."""
    problems = convert("buckt", kind("Literal['bucket', 'shuffle']"))[1]

    assert problems == [
        ("", "expected \"bucket\" | \"shuffle\", got the text 'buckt'; did you mean 'bucket'?")
    ]


@pytest.mark.parametrize("annotation", [a for a, _ in FITTING])
def test_a_kind_survives_json(annotation):
    """What is remembered of a signature is what was read."""
    assert kinds.from_json(kinds.to_json(kind(annotation))) == kind(annotation)


@pytest.mark.parametrize(
    ("annotation", "text", "only"),
    [
        ("str", True, True),
        ("str | None", True, True),
        ("Column | None", True, True),
        ("File", True, True),
        ("Literal['a']", True, True),
        ("int | str", True, False),
        ("int", False, False),
        ("list[str]", False, False),
    ],
)
def test_which_kinds_are_texts(annotation, text, only):
    """`--set` takes a text as it stands where only texts are values."""
    assert (kinds.accepts_text(kind(annotation)), kinds.is_text(kind(annotation))) == (text, only)


def test_sources_are_seen_through_lists_and_options():
    """A list of files is still files."""
    assert kinds.sources(kind("dict[str, list[File] | None]")) == "file"
    assert kinds.sources(kind("TokenizerSource | None")) == "tokenizer"
    assert kinds.sources(kind("list[str]")) is None
