"""A project with runs, and commands run in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import cli
from tests.projects import Done, Work, work
from tests.report.left import leave_test, leave_training, one_label

__all__ = ["cli", "work"]


@pytest.fixture
def runs(work: Work, cli: Callable[..., Done]) -> Path:
    """A project with a training, t-0001, and its test, s-0002."""
    leave_training(work.folder, "t-0001")
    leave_test(work.folder, "s-0002", one_label(), parent="t-0001", metrics={"test/accuracy": 0.8})
    return work.folder
