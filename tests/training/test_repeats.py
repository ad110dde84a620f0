"""Folds, what a fold's model predicts, and what several trainings come to."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.errors import DataError
from mlrecipe.training import repeats
from tests.projects import work
from tests.training.tiny import LABELS, make_spec, make_splits

__all__ = ["work"]

TASK = TextClassification(labels=LABELS)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=60), st.integers(2, 8), st.integers(0, 9))
def test_folds_share_rows_and_labels_out_evenly(classes, folds, seed):
    """Counts of a fold, and of each label in it, differ by one at most."""
    numbers = repeats.deal(np.array(classes), folds, seed=seed)

    assert set(numbers) <= set(range(1, folds + 1))
    for label in [None, *set(classes)]:
        inside = numbers if label is None else numbers[np.array(classes) == label]
        counts = [int((inside == fold).sum()) for fold in range(1, folds + 1)]
        assert max(counts) - min(counts) <= 1


def test_folds_are_drawn_by_the_seed():
    """The same again for the same seed, others for another."""
    classes = np.arange(50) % 2

    first, again, other = (repeats.deal(classes, 5, seed=seed) for seed in (3, 3, 4))

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_each_row_is_validated_in_one_fold_and_learnt_from_in_the_others():
    """The test split stays, the valid split is another."""
    data = make_splits(train=23, valid=5, test=4)
    parts = [
        repeats.part(TASK, make_spec(folds=4, fold=fold), data, seed=1) for fold in (1, 2, 3, 4)
    ]

    def texts(rows):
        return [tuple(ids) for ids in rows["input_ids"]]

    whole = sorted(texts(data["train"]))
    assert sorted(text for part in parts for text in texts(part["valid"])) == whole
    for part in parts:
        assert sorted([*texts(part["train"]), *texts(part["valid"])]) == whole
        assert part["test"] is data["test"]
        assert len(part["valid"].data.table) == len(part["valid"])
        assert set(part["valid"]["label"]) == set(LABELS)


def test_without_a_fold_the_splits_stay():
    """As they are."""
    data = make_splits(train=8)

    assert repeats.part(TASK, make_spec(), data, seed=1) is data


def test_more_folds_than_rows_are_refused():
    """With the key."""
    with pytest.raises(DataError, match="5 folds need as many rows") as caught:
        repeats.part(TASK, make_spec(folds=5, fold=1), make_splits(train=4), seed=1)

    assert caught.value.key == "train.folds"


def test_a_summary_has_mean_and_deviation_of_what_all_report():
    """The deviation is that of a sample; one alone has none."""
    found = repeats.summary([{"a": 1.0, "b": 0.5}, {"a": 3.0}])

    assert found == {"a": {"mean": 2.0, "std": pytest.approx(2**0.5), "values": [1.0, 3.0]}}
    assert repeats.summary([{"a": 1.0}])["a"]["std"] is None


@pytest.mark.parametrize(
    ("setting", "key", "words"),
    [
        (["train.repeat=0"], "train.repeat", "at least 1, got 0"),
        (["train.folds=1"], "train.folds", "at least 2, got 1"),
        (["train.top_k=0"], "train.top_k", "at least 1, got 0"),
        (["train.device_batch_size=0"], "train.device_batch_size", "at least 1, got 0"),
        (["train.fold=1"], "train.fold", "does nothing without `folds`"),
        (["train.folds=3", "train.fold=4"], "train.fold", "counted from 1 to 3"),
        (["train.folds=3", "train.valid_split="], "train.folds", "`valid_split` must name that"),
    ],
)
def test_check_refuses_repeats_that_are_none(work, setting, key, words):
    """Before anything is prepared, and once: what is too low, as with other counts, is said by one rule."""
    from mlrecipe.errors import RecipeError
    from mlrecipe.pipeline.request import open_request
    from mlrecipe.training.checks import problems

    with pytest.raises(RecipeError) as caught:
        open_request(work.folder / "recipe.toml", setting, here=work.folder, checks=[problems])

    (found,) = (problem for problem in caught.value.problems if problem.key == key)
    assert words in found.message


def test_a_member_without_a_number_does_not_end_the_summary():
    """As Pearson's correlation of a training that collapsed."""
    found = repeats.summary([{"a": 1.0}, {"a": float("nan")}, {"a": 3.0}])["a"]

    assert math.isnan(found["mean"])
    assert math.isnan(found["std"])
