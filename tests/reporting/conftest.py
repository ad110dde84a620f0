"""What the tests of reports share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.tiny import write_tiny


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Configuration and tokenizer of the tiny model; read only."""
    return write_tiny(tmp_path_factory.mktemp("tiny"))
