"""The small project that these tests work in, and commands run in it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mlrecipe.cli import app
from tests.projects import Done, Work, heard, work

__all__ = ["cli", "heard", "work"]


@pytest.fixture
def cli(
    work: Work, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """Runs a command in the project, in this process."""
    monkeypatch.chdir(work.folder)

    def call(*arguments: str) -> Done:
        code = app.run(list(arguments))
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return call
