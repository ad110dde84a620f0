"""Recorders come back equal, however they were built."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlrecipe import DataError, Recorder
from mlrecipe.builtin.formats.recorder import RecorderFormat

pytestmark = pytest.mark.heavy

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
CELLS = (
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    TEXT,
    st.booleans(),
    st.binary(max_size=3),
    st.lists(TEXT, max_size=3),
    st.fixed_dictionaries({"a": st.integers(0, 3), "b": st.lists(st.floats(), max_size=2)}),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


@st.composite
def columns(draw: st.DrawFn) -> dict[str, list[Any]]:
    """Columns of equal length, each of one kind, with nulls."""
    rows = draw(st.integers(1, 6))
    names = draw(st.lists(TEXT.filter(bool), min_size=1, max_size=3, unique=True))
    return {
        name: draw(st.lists(st.none() | draw(st.sampled_from(CELLS)), min_size=rows, max_size=rows))
        for name in names
    }


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(columns(), st.dictionaries(TEXT, JSON, max_size=3), st.sampled_from(["", "test", "é"]))
def test_experiment_18_a_recorder_comes_back_equal(found, statistics, split):
    """Rows logged one by one or at once have the same bytes, and load as they were."""
    whole, single = (Recorder(statistics=statistics, split=split) for _ in range(2))
    whole.log_batch(**found)
    for row in zip(*found.values(), strict=True):
        single.log(**dict(zip(found, row, strict=True)))

    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        RecorderFormat().save(whole, Path(one))
        RecorderFormat().save(single, Path(other))

        assert RecorderFormat().load(Path(one)) == whole == single
        assert contents(one) == contents(other)


def test_pieces_of_arrow_leave_no_trace(tmp_path):
    """Rows that were chosen from others are stored like rows of their own."""
    many, few = Recorder(), Recorder()
    many.log_batch(x=range(100), words=[[str(n)] * (n % 3) for n in range(100)])
    few.log_batch(x=[7, 8], words=[["7"], ["8"] * 2])
    for name, value in (("many", many.take([7, 8])), ("few", few)):
        (tmp_path / name).mkdir()
        RecorderFormat().save(value, tmp_path / name)

    assert contents(tmp_path / "many") == contents(tmp_path / "few")


def test_statistics_that_were_put_in_by_hand_are_json_too(tmp_path):
    """What `record` would refuse is refused at the latest when it is stored."""
    recorder = Recorder()
    recorder.statistics["where"] = tmp_path
    RecorderFormat().save(recorder, tmp_path)
    assert RecorderFormat().load(tmp_path).statistics == {"where": tmp_path.as_posix()}

    recorder.statistics["what"] = object()
    (tmp_path / "again").mkdir()
    with pytest.raises(DataError, match="'what' is a value of type 'object'"):
        RecorderFormat().save(recorder, tmp_path / "again")


def contents(folder: str | Path) -> dict[str, bytes]:
    """The bytes of each file."""
    return {path.name: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}
