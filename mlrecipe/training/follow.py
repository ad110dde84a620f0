"""Following: what a process of a job does that is not its first: the same stages, silently."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

from mlrecipe import plugins
from mlrecipe.errors import Terminated
from mlrecipe.pipeline.places import store_root
from mlrecipe.pipeline.request import open_request
from mlrecipe.recipe.project import project_of
from mlrecipe.runs import manifest
from mlrecipe.store.records import from_bytes
from mlrecipe.store.store import Store
from mlrecipe.training.devices import distributed
from mlrecipe.training.devices.job import Order

_POLL = 0.5
"""Seconds between two looks at whether the process that started this one lives."""


def main() -> None:
    """Follow the orders of the process that started this one, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    follow()


def follow() -> NoReturn:
    """Do what the job's first process says, until it says no more; then the process exits.

    It prints nothing and writes nothing: what there is to say of a failure, the first process says.
    """
    job = distributed.join(os.environ)
    while (order := job.hear()).stage != "end":
        try:
            _carry_out(order)
        except (KeyboardInterrupt, Terminated):  # all stop, as the first was asked to
            _exit(0)
        except BaseException as error:
            job.fail(str(error) or type(error).__name__)
            if "--traceback" in sys.argv:
                raise
            _exit(1)
    _exit(0)  # at once: the first process is gone or about to go, and would answer no farewell


def _carry_out(order: Order) -> None:
    from mlrecipe.training import stages

    folder = Path(order.folder)
    project = project_of(folder)
    store = Store(store_root(project))
    request = open_request(
        folder / manifest.RECIPE, here=Path.cwd(), memo=store.memo, name=order.recipe
    )
    plugins.load(request.catalog.plugins, project=project)
    found = {name: from_bytes(text.encode()) for name, text in order.records.items()}
    stages.take_part(request, found, store, order)


def _exit(code: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _end_with_parent(parent: int) -> None:
    """Whatever this process waits for: nobody needs it once the one that started it is gone."""
    while os.getppid() == parent:
        time.sleep(_POLL)
    os._exit(1)
