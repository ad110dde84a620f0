"""What every test gets: no network, no settings of the machine, a project to work in.

The environment is set while this file is imported, before any test module can import a library that
reads it.
"""

from __future__ import annotations

import importlib.util
import os
import socket
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.libraries import HEAVY

MISSING = frozenset(name for name in HEAVY if importlib.util.find_spec(name) is None)
collect_ignore = ["training", "builtin/ops"] if MISSING else []  # their conftest.py imports them
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0", "::", "", socket.gethostname()})
REAL = ("MLRECIPE_TEST_DATA", "MLRECIPE_TEST_MODEL")

_caches = tempfile.TemporaryDirectory(prefix="mlrecipe-tests-")

for name in [key for key in os.environ if key.startswith("MLRECIPE_") and key not in REAL]:
    del os.environ[name]
os.environ.update(
    HF_HOME=_caches.name,
    HF_HUB_OFFLINE="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    HF_HUB_DISABLE_PROGRESS_BARS="1",
    TOKENIZERS_PARALLELISM="false",  # it warns after every fork, and the cores are taken
    WANDB_MODE="offline",
    NO_COLOR="1",
    COLUMNS="100",  # messages wrap the same in every terminal
    OMP_NUM_THREADS="1",  # one core per pytest worker; also one order of every sum
    MKL_NUM_THREADS="1",
)


def pytest_configure(config: pytest.Config) -> None:
    """Refuse the network from here on, imports of test modules included."""
    sys.addaudithook(_refuse_network)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Drop the caches of this session."""
    _caches.cleanup()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip `heavy` tests where the libraries are not installed."""
    if not MISSING:
        return
    skip = pytest.mark.skip(reason=f"not installed: {', '.join(sorted(MISSING))}")
    for item in items:
        if item.get_closest_marker("heavy"):
            item.add_marker(skip)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Skip a test module that imports a library that is not installed."""
    report = yield
    missing = [name for name in MISSING if f"No module named '{name}'" in report.longreprtext]
    if report.failed and missing:
        report.outcome = "skipped"
        report.longrepr = (report.nodeid, 0, f"not installed: {missing[0]}")
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Skip a test that turns out to need a library that is not installed."""
    report = yield
    missing = _missing_library(call.excinfo.value) if call.excinfo else None
    if report.failed and missing:
        report.outcome = "skipped"
        report.longrepr = (str(item.path), 0, f"not installed: {missing}")
    return report


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An empty project; the test stays in the folder where pytest was started."""
    folder = tmp_path / "project"
    (folder / ".mlrecipe").mkdir(parents=True)
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets, for tests marked `real`."""
    return _folder_from("MLRECIPE_TEST_DATA")


@pytest.fixture(scope="session")
def real_model() -> Path:
    """The folder of a small pretrained encoder, all-MiniLM-L6-v2, for tests marked `real`."""
    return _folder_from("MLRECIPE_TEST_MODEL")


def _folder_from(variable: str) -> Path:
    folder = Path(os.environ.get(variable) or "nowhere").resolve()
    if not folder.is_dir():
        pytest.skip(f"{variable} names no folder")
    return folder


def _missing_library(error: BaseException | None) -> str | None:
    """The library that is not installed and led to `error`, through any chain of causes."""
    while error is not None:
        name = (getattr(error, "name", None) or "").partition(".")[0]
        if isinstance(error, ModuleNotFoundError) and name in MISSING:
            return name
        error = error.__cause__ or error.__context__
    return None


def _refuse_network(event: str, args: tuple[Any, ...]) -> None:
    """Stop connections to other machines; an audit hook sees those of all Python code."""
    if event == "socket.connect":
        host = args[1][0] if isinstance(args[1], tuple) else "localhost"  # a path: a Unix socket
    elif event == "socket.getaddrinfo":
        host = args[0]
    else:
        return
    name = host.decode() if isinstance(host, bytes) else host or ""
    if name not in LOOPBACK:
        # Not an OSError: libraries take those for a network that is down, and go on.
        raise RuntimeError(f"tests may not use the network: {event} {name!r}")
