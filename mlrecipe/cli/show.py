"""`mlrecipe show`: the recipe as it is resolved."""

from __future__ import annotations

import typer

from mlrecipe.cli import render
from mlrecipe.cli.options import Json, Overrides, RecipeArgument
from mlrecipe.cli.session import Session
from mlrecipe.recipe.resolved import resolved, to_toml


def show(
    ctx: typer.Context, recipe: RecipeArgument, overrides: Overrides = None, as_json: Json = False
) -> None:
    """Print the whole recipe: overrides applied, references resolved, defaults filled in.

    What is printed is itself a recipe: saved beside the first, it gives the same results.

    Example: mlrecipe show imdb.toml --set train.epochs=1
    """
    session = Session.of(recipe)
    request = session.open(overrides, settings=ctx.obj)
    values = resolved(request.loaded, request.catalog)
    if as_json:
        render.document(values)
    else:
        render.out(to_toml(values).rstrip())
