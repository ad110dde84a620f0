"""Variants: named patches of a recipe in groups, of which one each may be picked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlrecipe.code import kinds
from mlrecipe.errors import Problem, did_you_mean
from mlrecipe.recipe import files
from mlrecipe.recipe.layers import Layer, copy
from mlrecipe.recipe.project import shown
from mlrecipe.recipe.schema import Group, Origin

FOLDER = "variants"
"""Beside a recipe: `variants/<group>/<option>.toml`."""

_NOT_HERE = ("extends", "variant", "pick", "relative_to")
"""Keys that a variant may not have."""


@dataclass(slots=True)
class _Choice:
    """What one option is made of, lowest first: files not yet read, and layers."""

    origin: Origin
    folder: Path | None = None
    """Where the recipe is that it stands beside, for a file."""

    parts: list[Layer | tuple[Path, str]] = field(default_factory=list)


class Variants:
    """All groups of a recipe with their options."""

    def __init__(self) -> None:
        self._groups: dict[str, dict[str, _Choice]] = {}
        self._picked: dict[str, str] = {}
        self._folders: set[Path] = set()
        self.problems: list[Problem] = []
        self.is_whole = True
        """Whether everything that is picked was found."""

    @property
    def groups(self) -> dict[str, Group]:
        """Every group, with what is picked of it."""
        return {
            name: Group(
                name=name,
                options={option: choice.origin for option, choice in sorted(options.items())},
                picked=self._picked.get(name),
            )
            for name, options in sorted(self._groups.items())
        }

    def add_file(self, layer: Layer, *, here: Path) -> None:
        """Note what the file of a layer declares, and what lies in `variants/` beside it."""
        is_moved = "relative_to" in layer.values  # a resolved recipe, kept elsewhere
        if layer.folder is not None and layer.folder not in self._folders and not is_moved:
            self._folders.add(layer.folder)
            self._add_folder(layer.folder / FOLDER, here)
        groups = layer.values.pop("variant", {})
        for group, options in self._tables(layer, ("variant",), groups):
            for option, patch in self._tables(layer, ("variant", group), options):
                prefix = ("variant", group, option)
                if not self._is_named(layer, group, option):
                    continue
                known = self._groups.get(group, {}).get(option)
                if known is not None and known.folder == layer.folder:
                    message = f"declared twice: also in {known.origin.file}"
                    self.problems.append(layer.problem(prefix, message))
                inline = Layer(
                    name=layer.name, values=dict(patch), text=layer.text, folder=layer.folder,
                    prefix=prefix, note=_note(group, option),
                )  # fmt: skip
                self._choice(group, option, inline.origin(())).parts.append(inline)

    def choose(self, top: Sequence[Layer], picks: Sequence[str]) -> list[Layer]:
        """The layers of what `pick` and `--pick` choose, in their order."""
        wanted: dict[str, tuple[str, Layer | None, int]] = {}
        for layer in top:
            table = layer.values.get("pick", {})
            for group, option in (table if isinstance(table, dict) else {}).items():
                if isinstance(option, str):
                    wanted[group] = (option, layer, 0)
        for number, text in enumerate(picks, 1):
            group, equals, option = text.partition("=")
            if not (group and equals and option):
                self._report(None, number, "", f"expected GROUP=OPTION, got {text!r}")
            else:
                wanted[group] = (option, None, number)
        found = []
        for group, (option, where, number) in wanted.items():
            found += self._chosen(group, option, where, number)
        return found

    def _chosen(self, group: str, option: str, layer: Layer | None, number: int) -> list[Layer]:
        options = self._groups.get(group)
        if options is None:
            hint = did_you_mean(group, self._groups)
            self._report(layer, number, group, f"no group of variants {group!r}; {hint}")
            return []
        if option not in options:
            names = ", ".join(sorted(options))
            near = did_you_mean(option, options)
            hint = f"{near} options: {names}" if near.startswith("did") else f"options: {names}"
            self._report(layer, number, group, f"group {group!r} has no option {option!r}; {hint}")
            return []
        self._picked[group] = option
        parts = options[option].parts
        found = [p if isinstance(p, Layer) else self._read(*p, group, option) for p in parts]
        return [self._checked(part) for part in found]

    def _read(self, path: Path, name: str, group: str, option: str) -> Layer:
        layer, problems = files.read(path, shown=name, note=_note(group, option))
        layer.folder = path.parents[2]  # of the recipe that it is a variant of
        self.problems += problems
        return layer

    def _checked(self, layer: Layer) -> Layer:
        layer.values = copy(layer.values)
        for key in _NOT_HERE:
            if key in layer.values:
                self.problems.append(layer.problem((key,), "has no place in a variant"))
                del layer.values[key]
        return layer

    def _add_folder(self, folder: Path, here: Path) -> None:
        if not folder.is_dir():
            return
        for path in sorted(folder.glob("*/*.toml")):
            name = shown(path, here=here)
            choice = self._choice(path.parent.name, path.stem, Origin(file=name, line=1))
            choice.folder = folder.parent
            choice.parts.append((path, name))
        for path in [*folder.glob("*.toml"), *folder.glob("*/*/**/*.toml")]:
            message = "belongs to no group: a variant is variants/<group>/<option>.toml"
            self.problems.append(Problem(message=message, file=shown(path, here=here), line=1))

    def _choice(self, group: str, option: str, origin: Origin) -> _Choice:
        return self._groups.setdefault(group, {}).setdefault(option, _Choice(origin))

    def _tables(
        self, layer: Layer, path: tuple[str, ...], value: Any
    ) -> list[tuple[str, Mapping[str, Any]]]:
        """The items of a table of tables; whatever else is a problem."""
        items = value if isinstance(value, dict) else {"": value}
        found: list[tuple[str, Mapping[str, Any]]] = []
        for name, below in items.items():
            if isinstance(value, dict) and isinstance(below, dict):
                found.append((name, below))
            else:
                at = (*path, name) if name else path
                message = f"expected [variant.<group>.<option>], got {kinds.describe(below)}"
                self.problems.append(layer.problem(at, message))
        return found

    def _is_named(self, layer: Layer, group: str, option: str) -> bool:
        """Whether `--pick group=option` can name the option; else a problem."""
        if group and option and "=" not in group:
            return True
        message = "a group and an option need names, and a group's has no `=`: --pick group=option"
        self.problems.append(layer.problem(("variant", group, option), message))
        return False

    def _report(self, layer: Layer | None, number: int, group: str, message: str) -> None:
        self.is_whole = False
        if layer is not None:
            self.problems.append(layer.problem(("pick", group), message))
        else:
            self.problems.append(Problem(message=message, file=f"--pick #{number}"))


def _note(group: str, option: str) -> str:
    return f"variant {group}={option}"
