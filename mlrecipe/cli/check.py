"""`mlrecipe check`: every mistake of a recipe, nothing run."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import typer

from mlrecipe.cli import render
from mlrecipe.cli.options import Json, Overrides, RecipeArgument
from mlrecipe.cli.session import Session
from mlrecipe.errors import Problem, RecipeError
from mlrecipe.pipeline import stages
from mlrecipe.pipeline.request import Request


def check(
    ctx: typer.Context, recipe: RecipeArgument, overrides: Overrides = None, as_json: Json = False
) -> None:
    """Find every mistake in a recipe; runs nothing.

    Reads the recipe, the signatures of what it uses and its plugins' source. Exits 2 when anything is wrong.

    Example: mlrecipe check imdb.toml
    """
    session = Session.of(recipe)
    try:
        request = session.open(overrides, settings=ctx.obj)
        if _is_for_training(request):
            stages.check_trainable(request)
    except RecipeError as error:
        if not as_json:
            raise
        render.document(
            {"recipe": session.shown, "problems": [_problem(p) for p in error.problems]}
        )
        raise typer.Exit(2) from None
    if as_json:
        render.document({"recipe": session.shown, "problems": []})
    else:
        render.out(f"{session.shown}: no problems ({_facts(request)})")


def _is_for_training(request: Request) -> bool:
    """Whether the recipe goes beyond data, so that all that training needs should be there."""
    recipe = request.loaded.recipe
    return bool(recipe.train.data) or (recipe.model is not None and recipe.task is not None)


def _problem(problem: Problem) -> dict[str, Any]:
    return asdict(problem)


def _facts(request: Request) -> str:
    recipe = request.loaded.recipe
    parts = [f"{len(recipe.nodes)} nodes"]
    if recipe.task is not None:
        parts.append(f"task {recipe.task.use}")
    if recipe.model is not None:
        parts.append(f"model {recipe.model.use}")
    return ", ".join(parts)
