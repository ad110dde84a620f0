"""Making what a recipe names: a component's class called with the parameters that have a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lightning_fabric.utilities.exceptions import MisconfigurationException

from mlrecipe.errors import DataError
from mlrecipe.recipe.schema import Component


def given(component: Component) -> dict[str, Any]:
    """The parameters that have a value: None stands for what mlrecipe knows better."""
    return {name: value for name, value in component.params.items() if value is not None}


def make(kind: Callable[..., Any], name: str, params: Mapping[str, Any], *, key: str) -> Any:
    """What a component's class makes of its parameters.

    Raises:
        DataError: it does not take them.
    """
    try:
        return kind(**params)
    except (TypeError, ValueError, MisconfigurationException) as error:
        raise DataError(f"{name} refuses its parameters: {error}", key=key) from error
