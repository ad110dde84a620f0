"""The canonical encoding: what makes two parameter values the same, and what has no encoding."""

from __future__ import annotations

import math
import subprocess
import sys
from collections import OrderedDict
from dataclasses import dataclass
from datetime import date, datetime, time, timezone
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from mlrecipe.errors import RequestError
from mlrecipe.graph.encode import digest, encode


@dataclass(frozen=True)
class Size:
    width: int
    height: int


@dataclass(frozen=True)
class Area:
    width: int
    height: int


@dataclass
class Loose:
    width: int


class Colour(Enum):
    RED = 1
    BLUE = 2


def test_store_9_values_of_different_types_have_different_digests():
    """1, 1.0, True and "1" are four values."""
    assert len({digest(value) for value in (1, 1.0, True, "1")}) == 4


def test_store_9_the_order_of_a_dict_does_not_count():
    """Two spellings of one table have one digest."""
    one = {"a": 1, "b": {"c": 2, "d": [3]}}
    other = {"b": {"d": [3], "c": 2}, "a": 1}

    assert digest(one) == digest(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1, 23], [12, 3]),
        (["ab", "c"], ["a", "bc"]),
        ([1], [True]),
        ([1], (1,)),
        ([[1], 2], [[1, 2]]),
        ([], [[]]),
        ([], {}),
        (None, ""),
        ("a", b"a"),
        (0.0, -0.0),
        (0, 0.0),
        (255, -1),
        (2**70, 2**70 + 1),
        ({1}, frozenset({1})),
        ({1}, [1]),
        ({"a": 1, "b": 2}, {"a": 2, "b": 1}),
        ({"a": "b"}, {"b": "a"}),
        (date(2026, 1, 2), "2026-01-02"),
        (date(2026, 1, 2), datetime(2026, 1, 2)),
        (datetime(2026, 1, 2, tzinfo=timezone.utc), datetime(2026, 1, 2)),
        (time(1, 2), time(1, 2, 3)),
        (Size(1, 2), Size(2, 1)),
        (Size(1, 2), Area(1, 2)),
        (Size(1, 2), {"width": 1, "height": 2}),
        (Colour.RED, Colour.BLUE),
        (Colour.RED, 1),
    ],
)
def test_unequal_values_have_unequal_encodings(one, other):
    """No two values share an encoding because of where one item ends and the next begins."""
    assert encode(one) != encode(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"b", "a", "c"}, {"c", "b", "a"}),
        (Size(1, 2), Size(width=1, height=2)),
        (math.nan, -math.nan),
        (2**200, 1 << 200),
        ("é\udc80", "é\udc80"),
    ],
)
def test_equal_values_have_equal_encodings(one, other):
    """Sets have no order, and every NaN is one NaN."""
    assert encode(one) == encode(other)


def test_store_2_a_set_has_one_digest_under_every_hash_seed():
    """What Python does with PYTHONHASHSEED does not reach a fingerprint."""
    code = (
        "from mlrecipe.graph.encode import digest;"
        "print(digest({'words': {'a', 'b', 'c', 'd'}, 'x': 1}))"
    )

    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(digests) == 1


def test_an_encoding_never_changes():
    """Fingerprints of yesterday are those of tomorrow: this digest is written down."""
    value = {"a": [1, 1.5, True, None, "é", b"\0"], "b": (date(2026, 1, 2), {2, 1}), "c": -(2**65)}

    assert digest(value) == "a723a23890d9372914bd55f48f940e2c52101d677132b7d8018511621b24879c"


@pytest.mark.heavy
def test_store_10_arrays_differ_by_dtype_shape_and_each_element():
    """An array's type, shape and every element count; how it lies in memory does not."""
    import numpy as np

    base = np.zeros((2, 3, 4), dtype="int32")
    changed = base.copy()
    changed[1, 2, 3] = 1
    others = [base.astype("int64"), base.astype("uint32"), base.reshape(4, 3, 2), changed, base[0]]

    digests = {digest(array) for array in (base, *others, base.tolist(), np.int32(0), 0)}

    assert len(digests) == 9
    assert digest(np.asfortranarray(changed)) == digest(changed)
    assert digest(changed.astype(">i4")) == digest(changed)
    assert digest(np.float64(1.0)) != digest(1.0)


@pytest.mark.heavy
def test_store_10_tensors_differ_by_dtype_shape_and_each_element():
    """As for arrays; views, gradients and bfloat16 have no say or no trouble."""
    import torch

    base = torch.zeros(2, 3, 4)
    changed = base.clone()
    changed[1, 2, 3] = 1
    others = [base.double(), base.bfloat16(), base.reshape(4, 3, 2), changed, base[0], base.numpy()]

    digests = {digest(value) for value in (base, *others, torch.tensor(0.0))}

    assert len(digests) == 8
    assert digest(changed.transpose(0, 2).contiguous().transpose(0, 2)) == digest(changed)
    assert digest(changed.clone().requires_grad_()) == digest(changed)


def _itself() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("value", "path", "hint"),
    [
        ({"a": [0, 1, 2, object()]}, "params['a'][3]", "frozen dataclass"),
        ({"a": (lambda: 0,)}, "params['a'][0]", "use none"),
        ({"p": Path("x")}, "params['p']", "`File`"),
        ({"s": Size(1, Loose(2))}, "params['s'].height", "frozen=True"),  # type: ignore[arg-type]
        ({"o": OrderedDict(a=1)}, "params['o']", "use none"),
        ({(1, Path("x")): 1}, "key (1, PosixPath('x')) of params[1]", "`File`"),
        ({"c": 1j}, "params['c']", "use none"),
    ],
)
def test_store_11_what_cannot_be_hashed_is_named_by_its_path(value, path, hint):
    """The error says which part of which parameter is at fault and what to do."""
    with pytest.raises(RequestError) as caught:
        digest(value, path="params")

    assert caught.value.key == path
    assert hint in (caught.value.hint or "")


def test_store_11_a_value_that_holds_itself_is_refused():
    """A cycle ends in an error rather than in a crash."""
    with pytest.raises(RequestError, match="contains itself"):
        digest(_itself())


@pytest.mark.heavy
def test_store_11_arrays_of_objects_are_refused():
    """An array of Python objects has no bytes of its own."""
    import numpy as np

    with pytest.raises(RequestError, match="object") as caught:
        digest({"a": [np.array([object()])]}, path="params")

    assert caught.value.key == "params['a'][0]"
