"""`mlrecipe show`: the recipe as it is resolved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from mlrecipe.cli import render
from mlrecipe.cli.options import NONE, Json, RecipeArgument
from mlrecipe.cli.session import Session, Settings
from mlrecipe.errors import RequestError
from mlrecipe.pipeline.explain import shorten
from mlrecipe.pipeline.request import Request
from mlrecipe.pipeline.stages import differences
from mlrecipe.recipe.origins import annotated, origins
from mlrecipe.recipe.resolved import recipe_hash, resolved, to_toml, written
from mlrecipe.recipe.schema import Overrides


def show(
    ctx: typer.Context,
    recipe: RecipeArgument,
    overrides: Overrides = NONE,
    with_origin: Annotated[
        bool, typer.Option("--origin", help="Say on each line where its value was written.")
    ] = False,
    other: Annotated[
        str | None,
        typer.Option(
            "--diff",
            metavar="OTHER",
            help="Show only in what this recipe (with the overrides given) differs from another.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print the whole recipe: files and variants merged, references resolved, defaults filled in.

    What is printed is itself a recipe: saved beside the first, it gives the same results.

    Examples: mlrecipe show imdb.toml --set train.epochs=1; mlrecipe show imdb.toml --origin;
    mlrecipe show imdb.toml --pick model=tiny --diff imdb.toml
    """
    if other is not None and with_origin:
        raise RequestError("--diff and --origin cannot be combined")
    request = Session.of(recipe).open(overrides, settings=ctx.obj)
    values = resolved(request.loaded, request.catalog)
    if other is not None:
        _diff(request, values, other, ctx.obj, as_json=as_json)
    elif as_json:
        text = written(values)
        facts = {"recipe": text, "origins": origins(request.tree)}
        render.document(facts if with_origin else text)
    elif with_origin:
        render.out(annotated(to_toml(values), request.tree))
    else:
        render.out(to_toml(values).rstrip())


def _diff(
    request: Request, values: Mapping[str, Any], other: str, settings: Settings, *, as_json: bool
) -> None:
    session = Session.of(other)
    that = session.open(None, settings=settings)
    found = differences(resolved(that.loaded, that.catalog), values)
    if as_json:
        same = recipe_hash(request.loaded, request.catalog) == recipe_hash(
            that.loaded, that.catalog
        )
        changes = [{"key": key, "other": old, "this": new} for key, old, new in found]
        render.document({"other": session.shown, "equal": same, "changes": changes})
        return
    if not found:
        render.out(f"no difference from {session.shown}")
    for key, old, new in found:
        render.out(f"  {key}: {_value(old)} → {_value(new)}")


def _value(value: Any) -> str:
    return "(not set)" if value is None else shorten(value, 300)
