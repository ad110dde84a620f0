"""Requests: the recipe of a train run, as far as predicting needs it; nothing heavy is imported."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from mlrecipe.errors import RecipeError, RequestError, suggest
from mlrecipe.graph import graph as graphing
from mlrecipe.pipeline import lockfile
from mlrecipe.pipeline.request import Request
from mlrecipe.recipe.load import load
from mlrecipe.recipe.own import is_module
from mlrecipe.recipe.project import find_recipe, project_of, shown
from mlrecipe.runs import run as running
from mlrecipe.runs.manifest import RECIPE
from mlrecipe.runs.run import Run

EXPORTED = "mlrecipe.json"
"""Beside exported weights: how their rows are prepared."""

NAMES = "name a recipe, a run, or a folder that `mlrecipe export model` wrote"
"""What to do where a name is that of no model."""

_TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "spiece.model")


def request_of(run: Run) -> Request:
    """The request that a run was made from; the data that it was trained on need not be there any more.

    Raises:
        RecipeError: its recipe cannot be read any more, or a component of the project is gone.
        RequestError: it is no train run, or one of a `LightningModule`.
    """
    if run.facts.get("stage") != "train":
        raise RequestError(f"run {run.id} is a {run.facts.get('stage')} run, not a train run")
    return read_request(run.folder / RECIPE, name=str(run.facts["recipe"]), of=f"run {run.id}")


def read_request(path: Path, *, name: str, of: str) -> Request:
    """The request of a resolved recipe, whose data need not be there.

    Args:
        path: its file.
        name: what it is known by.
        of: whose it is, for errors.

    Raises:
        RecipeError: it cannot be read any more, or a component of the project is gone.
        RequestError: it is of a `LightningModule`.
    """
    loading = load(path, here=Path.cwd())
    if loading.loaded is None or loading.problems:
        raise RecipeError(loading.problems, subject=loading.shown)
    loaded, catalog = loading.loaded, loading.catalog
    if is_module(loaded.values, catalog):
        task = loaded.values["task"]["use"]
        message = f"the task {task!r} of {of} is a LightningModule, which says nothing of new rows"
        raise RequestError(message, hint="`predict` takes models that a task and a model describe")
    request = Request(
        loaded=loaded, graph=graphing.build(loaded, catalog), catalog=catalog, tree=loading.tree,
        here=Path.cwd(), name=name,
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


def choose(text: str, *, here: Path, of_recipe: Callable[[Path], Run] | None = None) -> Run:
    """The train run that an argument means: a run's id or folder, or a recipe's newest finished one.

    Args:
        text: the argument.
        here: where relative paths start from.
        of_recipe: the run of the recipe at a path; by default `newest`.

    Raises:
        RequestError: there is none.
    """
    if not text.strip():
        raise RequestError("an empty name means no model", hint=NAMES)
    if running.read(here / text) is not None:
        return run_of(str(here / text), project=project_of(here))
    no_model = f"{text!r} is a folder, and neither that of a run nor an exported model"
    if Path(text).name in ("", ".."):  # which would be the end of any run's id
        raise RequestError(no_model, hint=NAMES)
    try:
        path = find_recipe(text, here=here)
    except RequestError as no_recipe:
        if Path(text).suffix == ".toml":
            raise
        try:
            return run_of(text, project=project_of(here))
        except RequestError as no_run:
            hints = (_near_folder(text, here), no_recipe.hint, no_run.hint)
            hint = next((h for h in hints if h and h.startswith("did")), None)
            message = f"{text!r} is neither a recipe here nor a run"
            if (here / text).is_dir():
                message = no_model
            if "means" in no_run.message:
                message = no_run.message
            raise RequestError(message, hint=hint or "mlrecipe runs list shows them") from None
    if path.suffix != ".toml":
        raise RequestError(f"{text!r} is neither a recipe (.toml) nor a run", hint=NAMES)
    return of_recipe(path) if of_recipe is not None else newest(path, here=here)


def _near_folder(text: str, here: Path) -> str | None:
    """What to say where a name is near that of an exported model."""
    folder = (here / text).parent
    places = folder.iterdir() if folder.is_dir() else ()
    near = suggest(Path(text).name, [p.name for p in places if (p / EXPORTED).is_file()])
    return f"did you mean {near!r}?" if near is not None else None


def newest(path: Path, *, here: Path) -> Run:
    """The newest finished train run of the recipe at `path`.

    Raises:
        RequestError: there is none.
    """
    project = project_of(path.parent)
    name = path.relative_to(project).as_posix()
    found = running.newest(project, stage="train", recipe=name)
    if found is None:
        place = shown(path, here=here)
        message = f"{place} has no finished train run"
        raise RequestError(message, hint=f"train it first: mlrecipe train {place}")
    return found


def is_of_model(tokenizer: str, request: Request, checkpoint: Path) -> bool:
    """Whether a tokenizer is the model's, so that it lies beside the weights."""
    model = request.loaded.recipe.model
    if model is None or not any((checkpoint / name).is_file() for name in _TOKENIZER):
        return False
    given = request.bound("model", model).values
    named = given.get("tokenizer") or given.get("checkpoint") or given.get("config")
    if not isinstance(named, str):
        return False
    base = request.loaded.base  # what is not there any more may stand as it was written
    places = {os.path.normpath(base / named), os.path.normpath((base / named).parent)}
    return tokenizer == named or os.path.normpath(base / tokenizer) in places
