"""In which keys recipes differ; a table that only some of them have is one key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

THERE = "there"
"""What stands for the value of a whole table, where others have none."""

Values = Mapping[str, Any]
"""Dotted key of a recipe → its value as JSON has it; a table has values, or is empty and itself one."""

_PART = re.compile(r'"(?:[^"\\]|\\.)*"|[^."]+')


def varying(recipes: Sequence[Values]) -> list[str]:
    """Keys that some recipe lacks, or whose values are not the same in all, in the recipes' order.

    Of a table that some recipes lack there is its own key alone (`evaluate.nodes.scaled`), and those keys in
    it in which the others differ. A table of nothing but tables, such as `nodes`, is told by these.
    """
    shapes = {frozenset(recipe) for recipe in recipes}
    known = [{above for key in shape for above in _above(key)} | shape for shape in shapes]
    keys = dict.fromkeys(key for recipe in recipes for key in recipe)
    own = {above[-1] for key in keys if (above := _above(key))} | keys.keys()
    found: dict[str, None] = {}
    for key in keys:
        candidates = (above for above in (*_above(key), key) if above in own)
        top = next((c for c in candidates if any(c not in k for k in known)), None)
        if top is None or top == key:
            if top == key or _differs(key, recipes):
                found[key] = None
        elif top not in found:
            found |= dict.fromkeys(_of_table(top, recipes))
    return list(found)


def value(recipe: Values, key: str) -> Any:
    """What a recipe has under a key: a value, `THERE` for a table, None for nothing."""
    if key in recipe:
        return recipe[key]
    return THERE if any(name.startswith(f"{key}.") for name in recipe) else None


def values(recipes: Iterable[Values], keys: Iterable[str]) -> dict[str, list[Any]]:
    """Key → `value` of each recipe; of recipes with the same keys one is looked through for tables."""
    each, found = list(recipes), {}
    shapes: list[tuple[str, ...]] = []
    for key in keys:
        held = [recipe.get(key) for recipe in each]
        if None in held:
            shapes = shapes or [tuple(recipe) for recipe in each]
            tables = {shape: value(dict.fromkeys(shape), key) for shape in set(shapes)}
            held = [
                tables[shape] if one is None else one
                for one, shape in zip(held, shapes, strict=True)
            ]
        found[key] = held
    return found


def table(recipe: Values, key: str) -> Any:
    """As `value`, but a table with its values, by what stands behind the key."""
    if key in recipe:
        return recipe[key]
    start = f"{key}."
    return {name[len(start) :]: v for name, v in recipe.items() if name.startswith(start)} or None


def _of_table(top: str, recipes: Sequence[Values]) -> Iterator[str]:
    """The keys that tell of a table that only some have; its only key, where it has one."""
    keys = [k for k in dict.fromkeys(chain.from_iterable(recipes)) if k.startswith(f"{top}.")]
    inside = ({key: recipe[key] for key in keys if key in recipe} for recipe in recipes)
    having = [values for values in inside if values]
    yield keys[0] if len(keys) == 1 else top
    yield from varying(having)


def _differs(key: str, recipes: Iterable[Values]) -> bool:
    """Whether values of a key differ that all have, be it as a table: of that its keys tell."""
    held = [recipe.get(key, {}) for recipe in recipes]
    return held.count(held[0]) < len(held)


def _above(key: str) -> list[str]:
    """The tables that a key is in, the outermost first."""
    parts = _PART.findall(key)
    return [".".join(parts[:count]) for count in range(1, len(parts))]
