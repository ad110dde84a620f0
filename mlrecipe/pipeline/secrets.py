"""Secrets: whether those that the coming work will read are set, asked before it begins."""

from __future__ import annotations

import os
from collections.abc import Iterable

from mlrecipe.errors import RecipeError
from mlrecipe.pipeline.request import Request
from mlrecipe.recipe.deferred import deferred_in
from mlrecipe.recipe.keys import table_at
from mlrecipe.recipe.positions import KeyPath


def check_secrets(request: Request, paths: Iterable[KeyPath]) -> None:
    """Raise unless every secret below one of the paths is set in the environment.

    Raises:
        RecipeError: with all that are not.
    """
    problems = []
    for path in paths:
        for below, text in deferred_in(table_at(request.loaded.values, path), path):
            problems += [
                request.tree.problem(below, f"the secret {name} is not set in the environment")
                for name in text.secrets
                if name not in os.environ
            ]
    if problems:
        raise RecipeError(problems, subject=request.name)
