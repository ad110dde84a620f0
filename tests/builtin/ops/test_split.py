"""The op `split`."""

from __future__ import annotations

from collections import Counter

import pytest

from mlrecipe import DataError
from mlrecipe.builtin.ops.load_files import load_files
from mlrecipe.builtin.ops.split import split


def ids(data):
    return {name: part["id"][:] for name, part in data.items()}


def test_rows_move_to_a_new_split(reviews):
    """No row is lost, none is twice, and each part keeps its order."""
    data = ids(split(reviews, size=3, seed=1))

    assert list(data) == ["train", "valid", "test"]
    assert sorted(data["train"] + data["valid"]) == list(range(8))
    assert len(data["valid"]) == 3
    assert all(part == sorted(part) for part in data.values())
    assert data["test"] == [100, 101, 102, 103]


def test_same_seed_same_rows(reviews):
    """Another seed gives other rows."""
    drawn = [tuple(ids(split(reviews, size=3, seed=seed))["valid"]) for seed in (1, 1, 2, 3, 4)]

    assert drawn[0] == drawn[1]
    assert len(set(drawn)) > 1


def test_fraction_of_the_rows(reviews):
    """A fraction is rounded to whole rows, one at least."""
    assert len(split(reviews, size=0.25)["valid"]) == 2
    assert len(split(reviews, size=0.01)["valid"]) == 1


def test_stratified(reviews):
    """Each value has the same share in both parts."""
    for seed in range(5):
        data = split(reviews, size=4, stratify="label", seed=seed)
        assert Counter(data["valid"]["label"]) == {"neg": 2, "pos": 2}


def test_without_shuffling_the_last_rows_move(reviews):
    """Of each class too, when stratified."""
    assert ids(split(reviews, size=2, shuffle=False))["valid"] == [6, 7]
    assert ids(split(reviews, size=2, shuffle=False, stratify="label"))["valid"] == [3, 7]


def test_several_new_splits(reviews):
    """Fractions are of all rows, and no row is in two splits."""
    data = ids(split(reviews, sizes={"valid": 0.25, "extra": 1}, seed=1))

    assert list(data) == ["train", "valid", "extra", "test"]
    assert [len(part) for part in data.values()] == [5, 2, 1, 4]
    assert sorted(data["train"] + data["valid"] + data["extra"]) == list(range(8))


def test_plain_dataset_becomes_splits(reviews):
    """What is left has the source's name."""
    assert {n: len(p) for n, p in split(reviews["train"], size=2).items()} == {
        "train": 6, "valid": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("params", "key", "message"),
    [
        ({"size": 8}, "size", "8 rows, of which 8 cannot"),
        ({"size": 0}, "size", "at least 1"),
        ({"size": 1.0}, "size", "between 0 and 1"),
        ({}, "size", "one of size and sizes"),
        ({"size": 1, "sizes": {"a": 1}}, "size", "not both"),
        ({"sizes": {"a": 0.5, "b": 0.5}}, "sizes", "8 cannot be moved"),
        ({"sizes": {"test": 1}}, "sizes", "a split 'test' already"),
        ({"size": 1, "target": "test"}, "target", "a split 'test' already"),
        ({"size": 1, "source": "trian"}, "source", "did you mean 'train'"),
        ({"size": 1, "stratify": "lable"}, "stratify", "did you mean 'label'"),
    ],
)
def test_what_cannot_be_split(params, key, message, reviews):
    """The error names the parameter."""
    with pytest.raises(DataError, match=message) as error:
        split(reviews, **params)

    assert error.value.key == key


@pytest.mark.real
def test_imdb_is_split_as_usual(real_data):
    """24,000 / 1,000 / 25,000 reviews, both labels in each."""
    files = {name: str(real_data / f"imdb/{name}.csv.gz") for name in ("train", "test")}

    data = split(load_files(**files), size=1000, seed=615926)

    assert {n: len(p) for n, p in data.items()} == {"train": 24000, "valid": 1000, "test": 25000}
    assert all(400 < n < 600 for n in Counter(data["valid"]["label"]).values())
