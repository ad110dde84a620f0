"""A store to test with, and other processes that use it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlrecipe.events import Event, listening
from mlrecipe.store import Store, leases

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
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(project), *_extra()])},
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


@pytest.fixture
def custom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Has every Python process started from here run a few lines first."""
    folder = tmp_path / "custom"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *_extra()]))

    def add(lines: str) -> None:
        with open(folder / "sitecustomize.py", "a") as file:
            file.write(f"{lines}\n")

    return add


@pytest.fixture
def pace(custom: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets how fast leases are, here and in other processes."""

    def set_(beat: float = 0.05, patience: float = 2.0) -> None:
        made = leases.Pace(beat=beat, patience=patience, poll=0.02)
        monkeypatch.setattr(leases, "PACE", made)
        custom("from mlrecipe.store import leases")
        custom(f"leases.PACE = leases.{made!r}")

    return set_


@pytest.fixture(params=["flock", "lease"])
def locking(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, pace: Callable[..., None]
) -> str:
    """Each kind of lock, here and in other processes."""
    monkeypatch.setenv("MLRECIPE_LOCKS", request.param)
    if request.param == "lease":
        pace()
    return str(request.param)


@pytest.fixture
def quick_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: waits for the disk tell nothing of a kill."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as name:
        yield Path(name)


def _extra() -> list[str]:
    """What is on the path of new processes."""
    return [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
