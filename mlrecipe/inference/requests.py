"""Requests: the recipe of a train run, as far as predicting needs it; nothing heavy is imported."""

from __future__ import annotations

from pathlib import Path

from mlrecipe.errors import RecipeError, RequestError
from mlrecipe.graph import graph as graphing
from mlrecipe.pipeline import lockfile
from mlrecipe.pipeline.request import Request
from mlrecipe.recipe.load import load
from mlrecipe.recipe.own import is_module
from mlrecipe.recipe.project import project_of
from mlrecipe.runs import run as running
from mlrecipe.runs.manifest import RECIPE
from mlrecipe.runs.run import Run


def request_of(run: Run) -> Request:
    """The request that a run was made from; the data that it was trained on need not be there any more.

    Raises:
        RecipeError: its recipe cannot be read any more, or a component of the project is gone.
        RequestError: it is no train run, or one of a `LightningModule`.
    """
    if run.facts.get("stage") != "train":
        raise RequestError(f"run {run.id} is a {run.facts.get('stage')} run, not a train run")
    path = run.folder / RECIPE
    loading = load(path, here=Path.cwd())
    if loading.loaded is None or loading.problems:
        raise RecipeError(loading.problems, subject=loading.shown)
    loaded, catalog = loading.loaded, loading.catalog
    if is_module(loaded.values, catalog):
        task = loaded.values["task"]["use"]
        message = f"the task {task!r} of run {run.id} is a LightningModule, which says nothing of new rows"
        raise RequestError(message, hint="`predict` takes models that a task and a model describe")
    request = Request(
        loaded=loaded, graph=graphing.build(loaded, catalog), catalog=catalog, tree=loading.tree,
        here=Path.cwd(), name=str(run.facts["recipe"]),
    )  # fmt: skip
    return request.pinned(lockfile.read(lockfile.place(path))) if request.on_hub() else request


def run_of(text: str, *, project: Path) -> Run:
    """The train run of an id or a folder; of a test run, the one that it tested.

    Raises:
        RequestError: there is none, or more than one.
    """
    folder = Path(text)
    found = running.read(folder.resolve()) if folder.is_dir() else None
    run = found or running.find(project, text)
    if run.facts.get("stage") == "test" and run.facts.get("parent"):
        return running.find(project_of(run.folder.parent), str(run.facts["parent"]))
    return run
