"""Configurations that are not as they should be are converted too, or refused."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import tomli
import yaml

from mlrecipe.errors import RequestError
from mlrecipe.migration import hydra, runway
from tests.migration.configs import HYDRA
from tests.migration.configs import runway as config

ODD = (None, [None], {"a": None}, "x", 3)


@pytest.mark.long
@pytest.mark.parametrize(
    ("convert", "values"),
    [(runway.convert, config()), (hydra.convert, yaml.safe_load(HYDRA))],
    ids=["runway", "hydra"],
)
def test_experiment_38_odd_values_lose_no_key_either(convert, values):
    """Whatever stands in whatever place, the recipe is TOML and every leaf is accounted for."""
    for path in list(_paths(values))[1:]:
        for odd in ODD:
            try:
                done = convert(_with(values, path, odd), file="c.json")
            except RequestError:
                continue

            tomli.loads(done.text)
            assert all(map(done.ledger.is_settled, done.ledger.leaves())), (path, odd)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _paths(below, (*path, key))


def _with(values: dict[str, Any], path: tuple[Any, ...], odd: Any) -> dict[str, Any]:
    changed = copy.deepcopy(values)
    table = changed
    for key in path[:-1]:
        table = table[key]
    table[path[-1]] = odd
    return changed
