"""GLUE's real files: every split that is there, to the row; run by `make test-real`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mlrecipe.builtin.ops.load_glue import load_glue

pytestmark = [pytest.mark.real, pytest.mark.heavy]

ROWS = {
    "cola": {"train": 8551, "validation": 1043, "test": 1063},
    "sst2": {"train": 67_349, "validation": 872, "test": 1821},
    "mrpc": {"train": 3668, "validation": 408, "test": 1725},
    "stsb": {"train": 5749, "validation": 1500, "test": 1379},
    "qnli": {"validation": 5463, "test": 5463},
    "rte": {"train": 2490, "validation": 277, "test": 3000},
    "wnli": {"train": 635, "validation": 71, "test": 146},
    "ax": {"test": 1104},
}
"""Rows of each split as GLUE gives them; of QNLI the train file is not there."""

MAJORITY = {"mrpc": (1, 68.38), "rte": (0, 52.71), "wnli": (0, 56.34)}
"""Task → the label that most dev rows have, by the hub's order, and their share in percent."""


@pytest.mark.parametrize("task", ROWS)
def test_glue_1_every_split_has_the_official_rows(
    real_data: Path, tmp_path: Path, task: str
) -> None:
    """None is bad, so `strict` passes; test rows carry the numbers of a submission."""
    data = load_glue(
        task=task, path=str(real_data / "glue"), splits=list(ROWS[task]), strict=True,
        scratch=tmp_path,
    )  # fmt: skip

    assert {name: len(split) for name, split in data.items()} == ROWS[task]
    assert data["test"]["idx"][:] == list(range(ROWS[task]["test"]))
    assert set(data["test"]["label"]) == ({None} if task == "stsb" else {-1})
    for name in set(data) - {"test"}:
        labels = np.asarray(data[name]["label"][:])
        assert labels.min() >= 0
        assert labels.max() <= (5 if task == "stsb" else 1)


@pytest.mark.parametrize("task", MAJORITY)
def test_glue_1_labels_are_in_the_hubs_order(real_data: Path, tmp_path: Path, task: str) -> None:
    """The label of most dev rows and its share are those that are published."""
    data = load_glue(
        task=task, path=str(real_data / "glue"), splits=["validation"], scratch=tmp_path
    )

    counts = np.bincount(data["validation"]["label"][:])

    label, share = MAJORITY[task]
    assert counts.argmax() == label
    assert round(100 * counts.max() / counts.sum(), 2) == share
