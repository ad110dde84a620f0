"""`mlrecipe test`: which train run is tested, and what of its recipe may be changed for it."""

from __future__ import annotations

from mlrecipe.cli.session import Session
from mlrecipe.code.catalog import Catalog
from mlrecipe.errors import Problem, RequestError
from mlrecipe.recipe.layers import Tree
from mlrecipe.recipe.schema import Overrides
from mlrecipe.runs import run as running
from mlrecipe.runs.manifest import RECIPE
from mlrecipe.runs.run import Run
from mlrecipe.training import checks


def check_overrides(overrides: Overrides) -> None:
    """What a model was trained with is not changed by testing it.

    Raises:
        RequestError: something else than [test] is overridden.
    """
    for text in overrides.typed:
        if not text.startswith(("--set test.", "--unset test.")):
            raise RequestError(
                f"{text}: a test uses the recipe that its run was trained with; "
                "only keys of [test] can be changed"
            )


def problems(tree: Tree, catalog: Catalog) -> list[Problem]:
    """What is wrong with [test]; the rest was good enough to train with."""
    found = checks.problems(tree, catalog)
    return [problem for problem in found if problem.key.partition(".")[0] == "test"]


def choose(session: Session, run_id: str | None) -> Run:
    """The train run to test: the one named, or the recipe's newest that is finished.

    Raises:
        RequestError: there is none, for metrics of an untrained model are never given; or it is no run
            of this recipe.
    """
    if run_id is not None:
        return _named(session, run_id)
    name = session.path.relative_to(session.project).as_posix()
    found = running.newest(session.project, stage="train", recipe=name)
    if found is None:
        others = [r for r in running.every(session.project) if r.facts.get("recipe") == name]
        why = f"; its newest run, {others[0].id}, is {others[0].status}" if others else ""
        raise RequestError(
            f"{session.shown} has no finished train run to test{why}",
            hint=f"train it first: mlrecipe train {session.shown}",
        )
    return found


def _named(session: Session, run_id: str) -> Run:
    chosen = running.find(session.project, run_id)
    if chosen.facts.get("stage") != "train":
        raise RequestError(f"run {chosen.id} is a {chosen.facts.get('stage')} run, not a train run")
    name = session.path.relative_to(session.project).as_posix()
    recipe = str(chosen.facts.get("recipe"))
    own = chosen.folder / RECIPE
    if recipe == name or session.path.resolve() == own.resolve():
        return chosen
    is_there = (session.project / recipe).is_file()
    path = recipe if is_there else own.relative_to(session.project).as_posix()
    raise RequestError(
        f"run {chosen.id} is one of {recipe}, not of {name}",
        hint=f"test it with its own recipe: mlrecipe test {path} --run {chosen.id}",
    )
