"""The op `load-dataset`."""

from __future__ import annotations

import json

import datasets
import pyarrow as pa
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from pyarrow import parquet

from mlrecipe import DataError
from mlrecipe.builtin.ops.load_dataset import load_dataset
from mlrecipe.builtin.ops.load_files import load_files

ROWS = {"text": ["a", "NA", "2020-01-01"], "label": [1, 0, 1], "score": [0.5, 1.0, 2.5]}
CSV = "text,label,score\na,1,0.5\nNA,0,1.0\n2020-01-01,1,2.5\n"


@pytest.fixture(autouse=True)
def quiet():
    """No progress bars from what the tests themselves write."""
    datasets.disable_progress_bars()


def in_hub_layout(folder, kind):
    (folder / "data").mkdir(parents=True)
    path = folder / "data" / f"train-00000-of-00001.{kind}"
    table = pa.table(ROWS)
    if kind == "parquet":
        parquet.write_table(table, path)
    elif kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
    elif kind == "saved":
        DatasetDict({"train": Dataset.from_dict(ROWS)}).save_to_disk(folder)
    else:
        path.write_text(CSV if kind == "csv" else CSV.replace(",", "\t"))
    return str(folder)


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet", "saved"])
def test_training_13_hub_layout_equals_files(kind, tmp_path, write, scratch):
    """Equal rows give equal tables, whether from a hub's folder or from a file."""
    expected = load_files(train=write("rows.csv", CSV))["train"]

    data = load_dataset(path=in_hub_layout(tmp_path / "hub", kind), scratch=scratch)["train"]

    assert data.with_format("arrow")[:].equals(expected.with_format("arrow")[:])
    assert data.data.schema.equals(expected.data.schema, check_metadata=True)
    assert data.split is expected.split is None


def test_splits_keep_the_names_of_the_hub(tmp_path, write, scratch):
    """`validation` stays `validation`; other files in the folder do not matter."""
    for name in ("train", "validation", "test"):
        write(f"hub/data/{name}-00000-of-00001.csv", CSV)

    data = load_dataset(path=str(tmp_path / "hub"), scratch=scratch)

    assert list(data) == ["train", "validation", "test"]


def test_classes_are_kept(tmp_path, scratch, classes):
    """A `ClassLabel` of a Parquet file or of `save_to_disk` stays one."""
    (tmp_path / "hub").mkdir()
    classes.to_parquet(str(tmp_path / "hub" / "train.parquet"))
    classes.save_to_disk(tmp_path / "saved")

    for folder in ("hub", "saved"):
        data = load_dataset(path=str(tmp_path / folder), scratch=scratch)["train"]
        assert data.features["label"] == ClassLabel(names=["neg", "pos"])
        assert data["label"][:] == [1, 0, 1]


def test_declared_features_count(tmp_path, write, scratch):
    """Types and classes of the README win over what the cells look like."""
    write("hub/train.csv", "code,label\n1,pos\n2,neg\n")
    write(
        "hub/README.md",
        "---\ndataset_info:\n  features:\n  - name: code\n    dtype: string\n  - name: label\n"
        "    dtype:\n      class_label:\n        names:\n          '0': neg\n          '1': pos\n---\n",
    )

    data = load_dataset(path=str(tmp_path / "hub"), scratch=scratch)["train"]

    assert data[:] == {"code": ["1", "2"], "label": [1, 0]}
    assert data.features == Features(
        {"code": Value("string"), "label": ClassLabel(names=["neg", "pos"])}
    )


def test_narrow_and_large_types_become_canonical(tmp_path, scratch):
    """What `save_to_disk` kept in other widths is as it would be from a file."""
    features = Features({"t": Value("large_string"), "n": Value("int8"), "x": Value("float32")})
    Dataset.from_dict({"t": ["a"], "n": [1], "x": [0.5]}, features=features).save_to_disk(
        tmp_path / "saved"
    )

    data = load_dataset(path=str(tmp_path / "saved"), scratch=scratch)["train"]

    assert [f.dtype for f in data.features.values()] == ["string", "int64", "float64"]


def test_what_the_folder_holds_now_is_loaded(tmp_path, write, scratch):
    """A file that changed since the last load, even in a kind that `datasets` reads, is read anew."""
    for number in ("one", "two"):
        write("hub/train.txt", f"{number}\n")
        (scratch / number).mkdir()

        data = load_dataset(path=str(tmp_path / "hub"), scratch=scratch / number)

        assert data["train"][:] == {"text": [number]}
        assert list((scratch / number).rglob("*.arrow"))


def test_configurations(tmp_path, write, scratch):
    """One is chosen by name; a wrong or missing name lists them."""
    write("hub/a.csv", "x,y\n1,2\n")
    write("hub/b.csv", "x,y\n3,4\n")
    write(
        "hub/README.md",
        "---\nconfigs:\n- config_name: one\n  data_files: a.csv\n"
        "- config_name: two\n  data_files: b.csv\n---\n",
    )
    path = str(tmp_path / "hub")

    assert load_dataset(path=path, name="two", scratch=scratch)["train"]["x"][:] == [3]
    for name in (None, "three"):
        with pytest.raises(DataError, match=r"\['one', 'two'\]") as error:
            load_dataset(path=path, name=name, scratch=scratch)
        assert error.value.key == "name"


def test_settings_of_a_readme_for_pandas_are_followed(tmp_path, write, scratch):
    """Where a README says how pandas is to read the files, `datasets` reads them."""
    write("hub/train.csv", "# comment\nx,y\n1,2\n")
    write(
        "hub/README.md",
        "---\nconfigs:\n- config_name: one\n  data_files: train.csv\n  skiprows: 1\n---\n",
    )

    data = load_dataset(path=str(tmp_path / "hub"), scratch=scratch)

    assert data["train"][:] == {"x": [1], "y": [2]}


def test_one_split_some_columns_few_rows(tmp_path, write, scratch):
    """`split`, `columns` and `limit` narrow what is loaded, saved or not."""
    write("hub/train.csv", CSV)
    write("hub/test.csv", CSV)
    DatasetDict({"train": Dataset.from_dict(ROWS), "test": Dataset.from_dict(ROWS)}).save_to_disk(
        tmp_path / "saved"
    )

    for folder in ("hub", "saved"):
        data = load_dataset(
            path=str(tmp_path / folder),
            split="test",
            columns=["label", "text"],
            limit=2,
            scratch=scratch,
        )
        assert {n: s[:] for n, s in data.items()} == {
            "test": {"label": [1, 0], "text": ["a", "NA"]}
        }


@pytest.mark.parametrize("folder", ["hub", "saved"])
@pytest.mark.parametrize(
    ("params", "hint"),
    [({"split": "tain"}, "did you mean 'train'?"), ({"columns": ["txt"]}, "did you mean 'text'?")],
)
def test_unknown_splits_and_columns(folder, params, hint, tmp_path, write, scratch):
    """The error names the parameter and the nearest name."""
    write("hub/train.csv", CSV)
    Dataset.from_dict(ROWS).save_to_disk(tmp_path / "saved")

    with pytest.raises(DataError) as error:
        load_dataset(path=str(tmp_path / folder), scratch=scratch, **params)

    assert error.value.key == next(iter(params))
    assert error.value.hint == hint


def test_hub_out_of_reach(scratch):
    """Offline, a hub id is one clear error that says what to do."""
    with pytest.raises(DataError, match="cannot be reached") as error:
        load_dataset(path="stanfordnlp/imdb", scratch=scratch)

    assert error.value.key == "path"
    assert "drop --offline" in error.value.hint
    assert "local folder" in error.value.hint


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [("hub/hub.py", "raise SystemExit", "scripts"), ("hub/x.unknown", "", "data files found")],
)
def test_folders_that_cannot_be_loaded(name, content, message, tmp_path, write, scratch):
    """Code is not run, and a folder without data files is an error."""
    write(name, content)

    with pytest.raises(DataError, match=message) as error:
        load_dataset(path=str(tmp_path / "hub"), scratch=scratch)

    assert error.value.key == "path"


def test_a_broken_saved_folder_is_an_error(tmp_path, scratch, classes):
    """Its parameter is named."""
    classes.save_to_disk(tmp_path / "saved")
    (tmp_path / "saved" / "data-00000-of-00001.arrow").unlink()

    with pytest.raises(DataError, match="cannot read") as error:
        load_dataset(path=str(tmp_path / "saved"), scratch=scratch)

    assert error.value.key == "path"
