"""A training in a process of its own, which can be killed at any moment."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import torch

from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.recipe.schema import Component
from mlrecipe.training.fit import fit
from mlrecipe.training.keeping import states
from tests.training.tiny import LABELS, components, make_spec, make_splits

# A server that has imported everything once: processes then start in no time.
_context = multiprocessing.get_context("forkserver")
PRELOAD = [__name__, "tests.training.stopped"]
_context.set_forkserver_preload(PRELOAD)

SETTINGS: dict[str, Any] = {
    "epochs": 3, "batch_size": 8, "device_batch_size": 4, "validate_every": 4, "resume_every": 3,
    "save_every": 7, "top_k": 2,
    "callbacks": {
        "stop": Component(use="EarlyStopping", params={"patience": 50}),
        "average": Component(use="EMAWeightAveraging", params={"decay": 0.9}),
    },
}  # fmt: skip
"""Accumulated steps, validations amid epochs, averages, checkpoints of all kinds."""

_SLOW = ("fsync", "rename")


def start(
    tiny: Path, run: Path, *, writes: int | None = None, seconds: float | None = None
) -> multiprocessing.process.BaseProcess:
    """Train in a new process, from the newest state on.

    The process dies amid its `writes`-th write, or once it has computed for so many seconds, wherever it
    is: the kernel ends it, as with `kill -9`.
    """
    process = _context.Process(target=_main, args=(tiny, run, writes, seconds), daemon=True)
    process.start()
    return process


def train(tiny: Path, run: Path) -> None:
    """The same training, uninterrupted or from the newest state on."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        fit(
            task=TextClassification(labels=LABELS), model=Transformer(config=str(tiny)),
            spec=make_spec(**SETTINGS), seed=1, data=make_splits(train=66), folder=run,
            components=components(), state=states.newest(run / states.FOLDER),
        )  # fmt: skip
    finally:
        torch.set_num_threads(threads)


def files_of(run: Path) -> dict[str, bytes]:
    """All that the training left: each checkpoint's files and the log."""
    found = [*(run / "checkpoints").rglob("*"), run / "logs" / "metrics.csv"]
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in found if path.is_file()}


def _main(tiny: Path, run: Path, writes: int | None, seconds: float | None) -> None:
    import mlrecipe.builtin.catalog  # noqa: F401

    if writes is not None:
        _die_amid(writes)
    if seconds is not None:  # of the process's own time: on a busy machine they come later
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, seconds)
    train(tiny, run)


def _die_amid(writes: int) -> None:
    """Kill this process in place of the `writes`-th call that would make a write last."""
    left = [writes]
    for name in _SLOW:
        original = getattr(os, name)

        def call(*args: Any, original: Any = original, **options: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*args, **options)

        setattr(os, name, call)
