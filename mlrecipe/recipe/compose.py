"""Composition: which files and variants a recipe is made of, as layers, lowest first."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlrecipe.code import kinds
from mlrecipe.errors import Problem, RequestError, did_you_mean
from mlrecipe.recipe import files, keys
from mlrecipe.recipe.layers import Layer, remove
from mlrecipe.recipe.positions import KeyPath
from mlrecipe.recipe.project import shown
from mlrecipe.recipe.shape import spec
from mlrecipe.recipe.variants import Variants

_COMPOSITION = {"extends", "unset", "pick", "variant"}

FILE_ONLY = ("plugins", "relative_to", "extends", "variant")
"""Keys that only a file may have: they decide what is read, and where."""


@dataclass(slots=True)
class Composed:
    """The layers of a recipe's files, then those of its picked variants."""

    layers: list[Layer] = field(default_factory=list)
    variants: Variants = field(default_factory=Variants)
    problems: list[Problem] = field(default_factory=list)

    base: Path = Path()
    """Where the relative paths of the recipe itself start."""

    is_whole: bool = True
    """Whether everything that it names was found."""

    @property
    def is_readable(self) -> bool:
        """Whether every text could be read: else what is missing says nothing."""
        is_text = not any(p.message.startswith(files.INVALID) for p in self.problems)
        return is_text and self.is_whole


def compose(path: Path, picks: Sequence[str], *, here: Path, project: Path) -> Composed:
    """Everything that the recipe at `path` is made of, with `--pick`s applied.

    Raises:
        RequestError: there is no such file.
    """
    reader = _Reader(here, project)
    reader.add(path, shown(path, here=here), ())
    composed = reader.composed
    top = composed.layers
    composed.base = top[-1].folder or path.parent
    for layer in top:
        composed.variants.add_file(layer, here=here)
    chosen = composed.variants.choose(top, picks) if composed.is_readable else []
    below = list(top)
    for layer in chosen:
        _unset(layer, below, composed.problems)
        below.append(layer)
    composed.layers = below
    composed.problems += composed.variants.problems
    composed.is_whole = composed.is_whole and composed.variants.is_whole
    for layer in below:
        layer.values.pop("pick", None)
    return composed


class _Reader:
    """Reads a file and what it extends, each once, at its lowest place."""

    def __init__(self, here: Path, project: Path) -> None:
        self._here = here
        self._project = project
        self._closures: dict[str, list[Layer]] = {}
        self.composed = Composed()

    def add(self, path: Path, name: str, chain: tuple[tuple[str, str], ...]) -> list[Layer]:
        """The layers of a file and of all that it extends; those that are new go on top."""
        layer, problems = files.read(path, shown=name)
        self.composed.problems += problems
        layer.folder = self._folder(layer, path)
        inherited: list[Layer] = []
        for index, text in enumerate(self._listed(layer, "extends")):
            for below in self._extended(layer, path, index, text, chain):
                if not any(below is known for known in inherited):
                    inherited.append(below)
        self.composed.problems += wrong_types(layer, "pick", layer.values.get("pick", {}))
        if self.composed.is_whole:  # else what is not there may be in what could not be read
            _unset(layer, inherited, self.composed.problems)
        layer.values.pop("unset", None)
        self.composed.layers.append(layer)
        self._closures[os.path.realpath(path)] = [*inherited, layer]
        return [*inherited, layer]

    def _extended(
        self, layer: Layer, path: Path, index: int, text: str, chain: tuple[tuple[str, str], ...]
    ) -> list[Layer]:
        if "\0" in text:
            self._report(layer, index, f"{text!r} is no path")
            return []
        found = Path(os.path.normpath((path.parent / text).absolute()))
        real = os.path.realpath(found)
        origin = layer.origin(("extends", index))
        chain = (*chain, (os.path.realpath(path), f"{layer.name}:{origin.line}"))
        circle = [place for passed, place in chain if passed == real]
        if circle:
            places = [place for _, place in chain]
            loop = " → ".join([*places[places.index(circle[0]) :], shown(found, here=self._here)])
            self._report(layer, index, f"recipes extend each other in a circle: {loop}")
            return []
        if real in self._closures:
            return self._closures[real]
        try:
            return self.add(found, shown(found, here=self._here), chain)
        except RequestError as error:
            near = [str(p.relative_to(path.parent)) for p in _siblings(found, path)]
            hint = f"; {did_you_mean(text, near)}" if not found.is_file() and near else ""
            self._report(layer, index, f"{error}{hint}")
            return []

    def _report(self, layer: Layer, index: int, message: str) -> None:
        self.composed.is_whole = False
        self.composed.problems.append(layer.problem(("extends", index), message))

    def _listed(self, layer: Layer, key: str) -> list[str]:
        """The texts of a list that belongs to composition, which is taken out of the values."""
        value = layer.values.pop(key, [])
        wrong = wrong_types(layer, key, value)
        self.composed.problems += wrong
        self.composed.is_whole = self.composed.is_whole and not wrong
        return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []

    def _folder(self, layer: Layer, path: Path) -> Path:
        """Where the relative paths of a file start."""
        relative = layer.values.get("relative_to", "")
        return self._project / relative if isinstance(relative, str) and relative else path.parent


def wrong_types(layer: Layer, key: str, value: Any) -> list[Problem]:
    """What is wrong with the type of a key of composition."""
    wrong = kinds.convert(value, spec("Composition").params[key].kind)[1]
    return [layer.problem((key, *_steps(below)), message) for below, message in wrong]


def _unset(layer: Layer, inherited: Sequence[Layer], problems: list[Problem]) -> None:
    """Take what a layer unsets out of the layers that it builds on."""
    names = layer.values.pop("unset", [])
    problems += wrong_types(layer, "unset", names)
    for index, text in enumerate(names if isinstance(names, list) else []):
        if not isinstance(text, str):
            continue
        path = keys.parse(text)
        if not path:
            message = f"expected a key such as train.scheduler, got {text!r}"
            problems.append(layer.problem(("unset", index), message))
        elif not remove(inherited, path):
            message = f"nothing that is inherited has {text!r}; {near(inherited, path)}"
            problems.append(layer.problem(("unset", index), message))


def near(layers: Sequence[Layer], path: KeyPath) -> str:
    """What there is beside a key that no layer has."""
    for depth in range(len(path) - 1, -1, -1):
        tables = [keys.table_at(layer.values, path[:depth]) for layer in layers]
        found = {name for table in tables for name in table} - _COMPOSITION
        if found and str(path[depth]) not in found:
            return keys.nearest(path[:depth], str(path[depth]), found)
    return "nothing is inherited"


def _steps(below: str) -> list[str | int]:
    """`[0].x` as the steps 0 and x."""
    parts = below.replace("[", ".").replace("]", "").split(".")
    return [int(part) if part.isdigit() else part for part in parts if part]


def _siblings(found: Path, path: Path) -> list[Path]:
    folder = found.parent if found.parent.is_dir() else path.parent
    names = [p for p in sorted(folder.glob("*.toml")) if p.name != "pyproject.toml" and p != path]
    return [p for p in names if p.is_relative_to(path.parent)]


def plugin_names(layers: Sequence[Layer]) -> list[tuple[Layer, int, Any]]:
    """Every plugin that a layer names: those of all files count, none is replaced."""
    found = []
    for layer in layers:
        names = layer.values.get("plugins", [])
        found += [
            (layer, i, name) for i, name in enumerate(names if isinstance(names, list) else [])
        ]
    return found


def settings_layer(text: str, *, here: Path) -> tuple[Layer, list[Problem]]:
    """The layer of a `--set-file`, and what is wrong with it."""
    path = (here / text).absolute()
    name = f"--set-file {text}"
    if path.suffix not in (".toml", ".json"):
        message = f"expected a .toml or .json file, got {text!r}"
        return Layer(name=name, values={}), [Problem(message=message, file=name)]
    try:
        layer, problems = (files.read_json if path.suffix == ".json" else files.read)(
            path, shown=shown(path, here=here)
        )
    except RequestError as error:
        message = str(error).replace("no such recipe", "no such file")
        return Layer(name=name, values={}), [Problem(message=message, file=name)]
    layer.note = "--set-file"
    for key in (*FILE_ONLY, "unset", "pick"):
        if key in layer.values:
            problems.append(layer.problem((key,), "belongs into a recipe, not into a --set-file"))
            del layer.values[key]
    return layer, problems
