"""`mlrecipe check`: every mistake of a recipe, or of a folder of recipes, nothing run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from mlrecipe.cli import render
from mlrecipe.cli.amounts import counted
from mlrecipe.cli.options import NONE, Json
from mlrecipe.cli.session import Session, Settings
from mlrecipe.errors import Problem, RecipeError, RequestError
from mlrecipe.pipeline import evaluation, stages
from mlrecipe.pipeline.request import Request
from mlrecipe.recipe.project import recipes_in
from mlrecipe.recipe.schema import Overrides

RecipesArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="RECIPE...",
        help="Recipes, or folders of them.",
        show_default=False,
    ),
]


def check(
    ctx: typer.Context,
    recipes: RecipesArgument,
    overrides: Overrides = NONE,
    as_json: Json = False,
) -> None:
    """Find every mistake in a recipe, or in all recipes of a folder; runs nothing.

    Reads the recipe with the files that it extends and every variant, the signatures of what it uses and its
    plugins' source. Exits 2 when anything is wrong.

    Examples: mlrecipe check imdb.toml; mlrecipe check recipes/ --json
    """
    sessions = list(_sessions(recipes))
    found: list[tuple[Session, Request | None, Sequence[Problem]]] = [
        (session, *_checked(session, overrides, ctx.obj)) for session in sessions
    ]
    reports = [
        {"recipe": session.shown, "problems": [_problem(p) for p in problems]}
        for session, _, problems in found
    ]
    if as_json:
        is_one = len(recipes) == 1 and not Path(recipes[0]).is_dir()
        render.document(reports[0] if is_one else {"recipes": reports})
    else:
        for session, request, problems in found:
            _print(session, request, problems)
    if any(problems for _, _, problems in found):
        raise typer.Exit(2)


def _sessions(recipes: Sequence[str]) -> Iterator[Session]:
    """A session for every recipe that is named, or lies in a folder that is named."""
    here = Path.cwd()
    for text in recipes:
        if not Path(text).is_dir():
            yield Session.of(text)
            continue
        paths = recipes_in(Path(text))
        if not paths:
            raise RequestError(f"no recipes in the folder {text!r}")
        for path in paths:
            yield Session(path.resolve(), here=here)


def _checked(
    session: Session, overrides: Overrides, settings: Settings
) -> tuple[Request | None, Sequence[Problem]]:
    """The request if it could be made, and all problems: its own, then those of variants not picked."""
    request, problems = _opened(session, overrides, settings)
    found = list(problems)
    if any((problem.file or "").startswith("--pick") for problem in problems):
        return request, problems  # what is meant is not known
    for group in session.groups(overrides).values():
        for option in group.options:
            if option == group.picked:
                continue
            pick = f"{group.name}={option}"
            other = replace(overrides, picks=(*overrides.picks, pick))
            for problem in _opened(session, other, settings)[1]:
                if problem.is_absence or problem in problems:
                    continue
                if not _is_known(problem, found):
                    note = f"with --pick {pick}: {problem.message}"
                    found.append(replace(problem, message=note))
    return request, RecipeError(found).problems


def _is_known(problem: Problem, found: Sequence[Problem]) -> bool:
    """Whether another variant has led to the same problem already."""
    return any(
        (p.file, p.line, p.column, p.key)
        == (problem.file, problem.line, problem.column, problem.key)
        and p.message.endswith(problem.message)
        for p in found
    )


def _opened(
    session: Session, overrides: Overrides, settings: Settings
) -> tuple[Request | None, Sequence[Problem]]:
    checks = [stages.check_trainable_if_meant, evaluation.runs_of(session.project)]
    try:
        return session.open(overrides, settings=settings, checks=checks), ()
    except RecipeError as error:
        return None, error.problems


def _print(session: Session, request: Request | None, problems: Sequence[Problem]) -> None:
    if problems:
        render.error(RecipeError(problems, subject=session.shown))
    elif request is not None:
        render.out(f"{session.shown}: no problems ({_facts(request)})")


def _problem(problem: Problem) -> dict[str, Any]:
    return {key: value for key, value in asdict(problem).items() if key != "is_absence"}


def _facts(request: Request) -> str:
    recipe = request.loaded.recipe
    parts = [counted(len(recipe.nodes), "node")]
    if recipe.evaluate.nodes:
        parts.append(counted(len(recipe.evaluate.nodes), "evaluation node"))
    if recipe.task is not None:
        parts.append(f"task {recipe.task.use}")
    if recipe.model is not None:
        parts.append(f"model {recipe.model.use}")
    if recipe.data is not None:
        parts.append(f"data {recipe.data.use}")
    return ", ".join(parts)
