"""The op `load-slots`."""

from __future__ import annotations

import pytest

from mlrecipe import DataError
from mlrecipe.builtin.ops.load_slots import load_slots

FILES = {
    "seq.in": "play jazz now\nfind a cheap hotel \n",
    "seq.out": "O B-genre O\nO O B-price B-what \n",
    "label": "PlayMusic\nBookHotel\n",
}


@pytest.fixture
def root(write):
    """A folder with two splits."""
    for split in ("train", "dev"):
        for name, text in FILES.items():
            path = write(f"data/{split}/{name}", text)
    write("data/readme.txt", "none")
    return path.rpartition("/dev/")[0]


def test_splits_are_the_folders(root):
    """Train first; each with words, their slots, and the intent."""
    data = load_slots(path=root)

    assert list(data) == ["train", "dev"]
    assert data["dev"][:] == {
        "tokens": [["play", "jazz", "now"], ["find", "a", "cheap", "hotel"]],
        "tags": [["O", "B-genre", "O"], ["O", "O", "B-price", "B-what"]],
        "intent": ["PlayMusic", "BookHotel"],
    }


def test_folders_by_the_names_of_splits(root):
    """Whatever they are called."""
    data = load_slots(train=f"{root}/train", valid=f"{root}/dev", limit=1)

    assert {name: len(rows) for name, rows in data.items()} == {"train": 1, "valid": 1}


def test_tags_are_converted_on_the_way(root):
    """As `load-conll` does."""
    assert load_slots(path=root, to="BIOES")["train"]["tags"][0] == ["O", "S-genre", "O"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("seq.out", "O B-genre O\nO O B-price\n",
         "dev/seq.out:2: row 2 has 4 words and 3 tags"),
        ("seq.out", "O B-genre O O\nO O B-price\n",
         "dev/seq.out:1: row 1 has 3 words and 4 tags"),
        ("seq.in", "play\nfind a cheap hotel\n", "dev/seq.out:1: row 1 has 1 word and 3 tags"),
        ("label", "PlayMusic\n", "dev/label: it has 1 line, .*dev/seq.in has 2"),
        ("seq.out", FILES["seq.out"] + "O\n", "dev/seq.out: it has 3 lines, .*dev/seq.in has 2"),
        ("label", "\nBookHotel\n", "dev/seq.out:1: row 1 has no intent in label"),
    ],
)  # fmt: skip
def test_sequence_2_counts_that_differ_are_named(root, write, name, text, message):
    """File, row and both counts."""
    write(f"data/dev/{name}", text)

    with pytest.raises(DataError, match=message) as error:
        load_slots(path=root)

    assert error.value.key == "path"


def test_empty_lines_at_the_end_are_no_rows(root, write):
    """Nor is it an error if one file has more of them."""
    write("data/dev/label", FILES["label"] + "\n\n")

    assert len(load_slots(path=root)["dev"]) == 2


def test_a_folder_without_the_files_says_what_is_expected(root, write):
    """And, where it is a split itself, what names it."""
    with pytest.raises(
        DataError, match=r"no folder in .*train' has seq.in, seq.out, label"
    ) as error:
        load_slots(path=f"{root}/train")
    assert error.value.hint == "train, valid and test name the folders of splits"
    with pytest.raises(DataError, match=r"the folder '.*data' has no file 'seq.in'") as error:
        load_slots(train=root)
    assert (error.value.key, error.value.hint) == ("train", "`path` names a folder of splits")


def test_folders_are_named_once():
    """By path or by split, but by one."""
    with pytest.raises(DataError, match="no folder is named"):
        load_slots()
    with pytest.raises(DataError, match="path and test both name folders"):
        load_slots(path="a", test="b")
