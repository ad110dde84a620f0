"""The environment of a run."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from mlrecipe.runs import environment as describing
from mlrecipe.runs.environment import LIBRARIES, environment


def test_experiment_36_every_package_is_named_with_its_version() -> None:
    """Those that the numbers depend on twice: by their modules' names, too."""
    found = environment()

    assert found["packages"]["pytest"] == pytest.__version__
    assert set(found["libraries"]) == set(LIBRARIES)
    assert found["libraries"]["mlrecipe"]


def test_experiment_36_devices_are_read_from_the_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is imported or woken for it; the version of CUDA is that of a torch that is there already."""
    for number in range(2):
        folder = tmp_path / "gpus" / f"0000:0{number}:00.0"
        folder.mkdir(parents=True)
        (folder / "information").write_text("Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 16\n")
    (tmp_path / "version").write_text("NVRM version: NVIDIA UNIX Module  570.1\nGCC version: 12\n")
    monkeypatch.setattr(describing, "_GPUS", tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    torch = SimpleNamespace(version=SimpleNamespace(cuda="12.8"))
    monkeypatch.setitem(sys.modules, "torch", torch)

    found = environment()["accelerator"]

    assert found == {
        "cuda": "12.8", "driver": "NVIDIA UNIX Module  570.1",
        "devices": ["NVIDIA H100 80GB HBM3"] * 2, "visible": "1",
    }  # fmt: skip


def test_without_a_device_nothing_is_said_of_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is no error."""
    monkeypatch.setattr(describing, "_GPUS", tmp_path / "none")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delitem(sys.modules, "torch", raising=False)

    assert environment()["accelerator"] == {}
