"""Taking a run up again: what it has kept for that, and the command that does it."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlrecipe import events
from mlrecipe.errors import MlrecipeError, RequestError, Terminated, TrainingError
from mlrecipe.pipeline.request import Request
from mlrecipe.recipe.project import shown
from mlrecipe.runs.kept import kept_rows
from mlrecipe.runs.run import Run
from mlrecipe.training.keeping import restoring, states


def state_of(run: Run) -> Path | None:
    """The state from which a run goes on; says which, and what is other than when it was kept.

    None: it had kept none, so it begins anew.
    """
    state = states.newest(run.folder / states.FOLDER)
    facts = states.read_facts(state) if state is not None else None
    if facts is None:
        events.emit(events.Note(f"train: run {run.id} had kept nothing yet; it begins anew"))
        return None
    place = f"step {facts.step:,}, epoch {facts.epoch + 1}"
    events.emit(events.Note(f"train: run {run.id} goes on from {place}"))
    now = restoring.versions()
    moved = [f"{k} {v} → {now.get(k)}" for k, v in facts.versions.items() if now.get(k) != v]
    if moved:
        text = f"not the same libraries as when the run was stopped: {', '.join(moved)}; the weights may differ"
        events.emit(events.Note(text, "warning"))
    return state


def step_of(state: Path | None) -> int:
    """Optimizer steps that had been made when a state was kept; 0 without one."""
    facts = states.read_facts(state) if state is not None else None
    return 0 if facts is None else facts.step


@contextmanager
def advising(run: Run, request: Request) -> Iterator[None]:
    """When the block does not end well, say how the run can be taken up again."""
    try:
        yield
    except RequestError:
        raise
    except (KeyboardInterrupt, Terminated, TrainingError) as error:
        state = states.newest(run.folder / states.FOLDER)
        if state is not None or not isinstance(error, TrainingError):
            events.emit(events.Note(_advice(run, request, state)))
        raise


@contextmanager
def advising_test(run: Run, request: Request) -> Iterator[None]:
    """When a test does not end well, say how it can go on, if it has kept any rows."""
    try:
        yield
    except RequestError:
        raise
    except (KeyboardInterrupt, Terminated, MlrecipeError):
        if rows := kept_rows(run):
            what = f"{rows:,} {'row is' if rows == 1 else 'rows are'} kept; to test the others"
            events.emit(events.Note(f"{what}: {_command('test', run, request)}"))
        raise


def forget(run: Run) -> None:
    """Remove what a finished run had kept: it is several times as large as the model."""
    shutil.rmtree(run.folder / states.FOLDER, ignore_errors=True)


def _advice(run: Run, request: Request, state: Path | None) -> str:
    facts = states.read_facts(state) if state is not None else None
    place = "the beginning" if facts is None else f"step {facts.step:,}"
    return f"to go on from {place}: {_command('train', run, request)}"


def _command(stage: str, run: Run, request: Request) -> str:
    recipe = shown(request.loaded.project / request.name, here=request.here)
    return f"mlrecipe {stage} {shlex.quote(recipe)} --resume --run {shlex.quote(run.id)}"
