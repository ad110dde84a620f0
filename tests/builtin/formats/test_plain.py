"""Plain values become canonical JSON text and come back with every type."""

from __future__ import annotations

import math
import subprocess
import sys
from collections import OrderedDict, namedtuple
from datetime import date, datetime, timedelta, timezone
from enum import IntEnum
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mlrecipe import DataError
from mlrecipe.errors import StoreError
from mlrecipe.registry import registries
from mlrecipe.store.values import decode, encode

VALUES = [
    None, True, False, 0, 1, -1, 2**70, -(2**40_000), 1.0, -0.0, 1e300, 5e-324, 0.1, 1e16,
    math.inf, -math.inf, "", "1", "naïve 電影 🙂", "\x00\n\u2028", "$tuple", b"", b"\xff\x00",
    [], [1, [2.0, ["3", [None]]]], (), (1,), (1, (2, [3])), set(), {1, 2, 3}, frozenset({(1, "a")}),
    {}, {"b": 1, "a": [2]}, {1: "a", "1": "b", None: "c", (1, 2): "d"}, {"$tuple": [1]},
    {"$": 1, "x": 2}, {"a": {"b": {"c": (1, {2})}}}, date(2020, 2, 29),
    datetime(2020, 1, 2, 3, 4, 5, 678901), datetime(2020, 1, 1, tzinfo=timezone.utc),
    datetime(2020, 1, 1, tzinfo=timezone(timedelta(hours=-3, minutes=-30))),
]  # fmt: skip


class Color(IntEnum):
    """An int that is not only an int."""

    RED = 1


class Easy(dict[str, Any]):
    """A dict with attributes."""


def typed(value: Any) -> Any:
    """The value with the type of every part, so that equal means equal in type too."""
    if isinstance(value, dict):
        return dict, [(typed(key), typed(item)) for key, item in value.items()]
    if isinstance(value, list | tuple):
        return type(value), [typed(item) for item in value]
    if isinstance(value, set | frozenset):
        return type(value), {repr(typed(item)) for item in value}
    return type(value), str(value) if isinstance(value, float) else value


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_a_value_comes_back_equal_in_value_and_type(value: Any) -> None:
    """Nothing is turned into something near: tuples stay tuples, 1 is not True."""
    text = encode(value)

    assert typed(decode(text)) == typed(value)
    assert encode(decode(text)) == text


def test_nan_comes_back() -> None:
    """Not a number is a number too."""
    assert math.isnan(decode(encode({"loss": math.nan}))["loss"])


def test_store_09_values_of_four_types_give_four_texts() -> None:
    """1, 1.0, True and "1" are four values."""
    assert len({encode(value) for value in (1, 1.0, True, "1")}) == 4


def test_the_order_of_a_dict_is_part_of_its_value() -> None:
    """Insertion order comes back, so it is in the text."""
    assert list(decode(encode({"b": 1, "a": 2}))) == ["b", "a"]
    assert encode({"b": 1, "a": 2}) != encode({"a": 2, "b": 1})


def test_store_02_the_order_of_a_set_is_not(tmp_path: Path) -> None:
    """A set's text is the same in every process, whatever the hash seed."""
    value = "{'a', 'b', 'c', 'd', ('e', 1)}"
    code = f"from mlrecipe.store.values import encode; print(encode({value}))"
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[3])},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }

    assert len(texts) == 1


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"a": [1, 2, {"b": object()}]}, r"value\['a'\]\[2\]\['b'\].*builtins.object"),
        ([(1, Color.RED)], r"value\[0\]\[1\].*Color"),
        ({"x": OrderedDict(a=1)}, r"value\['x'\].*OrderedDict"),
        (Easy(a=1), r"value has type.*Easy"),
        ({Color.RED: 1}, r"value key .*Color"),
        ([namedtuple("Pair", "a b")(1, 2)], r"value\[0\].*Pair"),
        (["\ud800"], r"value\[0\] is not valid text"),
        ([datetime(2020, 1, 1, tzinfo=ZoneInfo("UTC"))], r"value\[0\] has the time zone"),
        (1j, "builtins.complex"),
    ],
)
def test_store_11_what_cannot_be_stored_is_named_with_its_place(value: Any, place: str) -> None:
    """The message leads to the part at fault, and no subclass is quietly made plain."""
    with pytest.raises(DataError, match=place):
        encode(value)


def test_the_error_lists_what_a_node_may_return() -> None:
    """Whoever reads it knows what to do."""
    with pytest.raises(DataError, match="a node may return None, bool, int"):
        encode(object())


def test_a_value_that_holds_itself_is_an_error() -> None:
    """Endless nesting ends in a sentence."""
    value: list[Any] = []
    value.append(value)

    with pytest.raises(DataError, match="holds itself"):
        encode(value)


@pytest.mark.parametrize("text", ["", "{", '{"$nope":1}', '{"$tuple":1}', '{"$date":"x"}'])
def test_text_that_was_not_written_by_encode_is_refused(text: str) -> None:
    """Damage is an error, never another value."""
    with pytest.raises(StoreError):
        decode(text)


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_the_formats_keep_every_plain_value(value: Any, tmp_path: Path) -> None:
    """What the registry chooses for a value's type saves and loads it."""
    chosen = format_of(value)
    chosen.save(value, tmp_path)

    assert typed(chosen.load(tmp_path)) == typed(value)
    assert chosen.describe(value).kind == type(value).__name__


def format_of(value: Any) -> Any:
    """The format registered for the value's exact type."""
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    (name,) = [entry.name for entry in registries["format"] if kind in entry.types]
    return registries["format"].get(name)()


def test_the_same_names_and_types_are_in_the_catalog_and_at_the_classes() -> None:
    """What is known before import is what the decorators say."""
    before = {entry.name: entry.types for entry in registries["format"] if entry.loaded is None}
    for name in before:
        registries["format"].get(name)

    assert {entry.name: entry.types for entry in registries["format"]} | before == {
        entry.name: entry.types for entry in registries["format"]
    }


@pytest.mark.heavy
def test_a_dict_of_tensors_is_safetensors_in_its_order(tmp_path: Path) -> None:
    """Names, order, dtypes and values come back."""
    import torch

    value = {
        "b": torch.arange(6, dtype=torch.bfloat16).reshape(2, 3).T,
        "a": torch.ones((), dtype=torch.int64),
        "empty": torch.zeros(0, 4),
    }
    chosen = format_of(value)
    chosen.save(value, tmp_path)

    again = chosen.load(tmp_path)

    assert (tmp_path / "data.safetensors").exists()
    assert list(again) == ["b", "a", "empty"]
    assert all(torch.equal(again[name], value[name]) for name in value)
    assert [again[name].dtype for name in value] == [item.dtype for item in value.values()]
    assert chosen.describe(value).schema["b"] == "bfloat16 (3, 2)"


def test_a_subclass_of_dict_is_refused(tmp_path: Path) -> None:
    """It would come back as a plain dict."""
    with pytest.raises(DataError, match="OrderedDict"):
        format_of({}).save(OrderedDict(a=1), tmp_path)


def test_plain_values_need_no_heavy_library() -> None:
    """Saving a dict imports no torch."""
    code = (
        "import sys, tempfile, pathlib; from mlrecipe.builtin.formats.plain import MappingFormat;"
        "folder = pathlib.Path(tempfile.mkdtemp()); MappingFormat().save({'a': 1}, folder);"
        "assert MappingFormat().load(folder) == {'a': 1}; import shutil; shutil.rmtree(folder);"
        "print(sorted({'torch', 'numpy', 'pyarrow', 'datasets', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == "[]"
