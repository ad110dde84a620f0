"""`mlrecipe test`: which train run is tested, and what of its recipe may be changed for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlrecipe.cli.session import Session
from mlrecipe.code.catalog import Catalog
from mlrecipe.errors import Problem, RecipeError, RequestError
from mlrecipe.graph.graph import check_paths
from mlrecipe.interfaces import Fingerprint
from mlrecipe.pipeline.request import Request
from mlrecipe.recipe.compose import compose
from mlrecipe.recipe.layers import Tree
from mlrecipe.recipe.schema import Overrides
from mlrecipe.runs import run as running
from mlrecipe.runs.manifest import RECIPE, inputs_of, overrides_of
from mlrecipe.runs.run import Run
from mlrecipe.store.records import Record
from mlrecipe.training import checks


def check_overrides(overrides: Overrides) -> None:
    """What a model was trained with is not changed by testing it; what is picked says which run is meant.

    Raises:
        RequestError: something else than [test] is overridden.
    """
    for text in overrides.typed:
        if not text.startswith(("--set test.", "--unset test.", "--pick ")):
            raise RequestError(
                f"{text}: a test uses the recipe that its run was trained with; "
                "only keys of [test] can be changed"
            )


def problems(tree: Tree, catalog: Catalog) -> list[Problem]:
    """What is wrong with [test]; the rest was good enough to train with."""
    found = checks.problems(tree, catalog)
    return [problem for problem in found if problem.key.partition(".")[0] == "test"]


def nodes(request: Request) -> list[str]:
    """The node that is tested on, if there is one: what else was trained on need not be there any more."""
    recipe = request.loaded.recipe
    name = (recipe.test.data or recipe.train.data).partition(".")[0]
    return [name] if name else []


def kept(session: Session, request: Request, parent: Run) -> Mapping[str, Record]:
    """Records of the outputs that a run was trained on, if they serve for files that are gone; else none.

    Raises:
        RecipeError: a file that is needed is gone, and the run was not trained on what was made of it, or
            that is no longer in the store.
    """
    used = nodes(request)
    needed = request.graph.upto(used).nodes if used else {}
    gone = [
        problem
        for problem in check_paths(request.tree, request.catalog, request.loaded.base)
        if problem.key.startswith(tuple(f"nodes.{name}." for name in needed))
    ]
    if not gone:
        return {}
    said = inputs_of(parent)
    prints = {name: Fingerprint(said[name]["fingerprint"]) for name in needed if name in said}
    found = {name: session.store.remembered(print_) for name, print_ in prints.items()}
    whole = all(session.store.record(prints[name]) for name in used if name in prints)
    if set(found) != set(needed) or None in found.values() or not whole:
        raise RecipeError(gone, subject=session.shown)
    return {name: record for name, record in found.items() if record is not None}


def choose(session: Session, run_id: str | None, picks: Sequence[str] = ()) -> Run:
    """The train run to test: the one named, or the recipe's newest that is finished.

    Args:
        session: of the recipe.
        run_id: names a run.
        picks: each as `--pick` has it; only runs of these variants are looked at.

    Raises:
        RequestError: there is none, for metrics of an untrained model are never given; or it is no run
            of this recipe.
        RecipeError: a variant that is picked is not there.
    """
    if run_id is not None:
        if picks:
            message = "--run names the run, and --pick would choose another"
            raise RequestError(message, hint="leave one of them out")
        return _named(session, run_id)
    name = session.path.relative_to(session.project).as_posix()
    check_picks(session, picks)
    mine = [run for run in running.every(session.project) if run.facts.get("recipe") == name]
    for run in mine:
        is_finished = (run.facts.get("stage"), run.status) == ("train", "finished")
        if is_finished and is_picked(session, run, picks):
            return run
    why = f"; its newest run, {mine[0].id}, is {mine[0].status}" if mine and not picks else ""
    options = "".join(f" --pick {text}" for text in picks)
    raise RequestError(
        f"{session.shown} has no finished train run{f' with{options}' if picks else ''} to test{why}",
        hint=f"train it first: mlrecipe train {session.shown}{options}",
    )


def _pair(text: str) -> tuple[str, str]:
    group, _, option = text.partition("=")
    return group, option


def check_picks(session: Session, picks: Sequence[str]) -> None:
    """Raise for variants that the recipe does not have."""
    if not picks:
        return
    problems = compose(session.path, picks, here=session.here, project=session.project).problems
    wrong = [problem for problem in problems if (problem.file or "").startswith("--pick")]
    if wrong:
        raise RecipeError(wrong, subject=session.shown)


def is_picked(session: Session, run: Run, picks: Sequence[str]) -> bool:
    """Whether a train run was one of these variants, by what its command line and the recipe picked."""
    if not picks:
        return True
    wanted = dict(_pair(text) for text in picks)
    then = session.groups(Overrides(picks=overrides_of(run).picks))
    return all(group in then and then[group].picked == option for group, option in wanted.items())


def among(session: Session, run: Run) -> str:
    """Which training of how many a run is, and how to choose another; empty where it is the only one."""
    group = run.facts.get("group")
    if group is None:
        return ""
    members = _members(session, str(group))
    number = f"it is {run.facts.get('member')}, the newest of {len(members)} trainings of {group}"
    return f"{number}; another: --run ID, all: mlrecipe run {session.shown}"


def _members(session: Session, group: str) -> list[Run]:
    """The finished trainings of a group, the newest first."""
    return [run for run in running.every(session.project)
            if run.facts.get("group") == group and run.status == "finished"]  # fmt: skip


def _named(session: Session, run_id: str) -> Run:
    chosen = running.find(session.project, run_id)
    if chosen.facts.get("stage") != "train":
        members = ", ".join(run.id for run in _members(session, chosen.id)[:5])
        hint = f"its trainings are {members}" if members else None
        message = f"run {chosen.id} is a {chosen.facts.get('stage')} run, not a train run"
        raise RequestError(message, hint=hint)
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
