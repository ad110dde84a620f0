"""A store to test with, and other processes that use it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlrecipe.events import Event, listening
from mlrecipe.store import Store

Child = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store that is not on the disk yet."""
    made = Store(tmp_path / "store")
    yield made
    made.close()


@pytest.fixture
def heard() -> Iterator[list[Event]]:
    """The events of the test, as they come."""
    events: list[Event] = []
    with listening(events.append):
        yield events


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    """Starts a process that does something of `tests.store.child` with the test's store."""
    started: list[subprocess.Popen[str]] = []
    project = Path(__file__).parents[2]

    def start(what: str, *rest: str, root: Path = tmp_path / "store") -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.store.child", what, str(root), *rest],
            cwd=project,
            env=os.environ | {"PYTHONPATH": str(project)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
