"""A tiny model's files, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.projects import heard
from tests.training.tiny import write_tiny

__all__ = ["heard"]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Configuration and tokenizer of the tiny model; read only."""
    return write_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """An empty run directory."""
    folder = tmp_path / "run"
    folder.mkdir()
    return folder
