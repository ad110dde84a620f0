"""The file of ops that run a runway project's transforms: one function for each."""

from __future__ import annotations

import ast
import json
import keyword
import pprint
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mlrecipe.code import kinds
from mlrecipe.code.kinds import Kind
from mlrecipe.code.signatures import RESERVED
from mlrecipe.errors import RequestError
from mlrecipe.migration.old_ops import Setting, Transform

FILE = "runway_ops.py"

_TAKEN = (*RESERVED, "scratch", "limit", "data", "settings", "shim", "mlrecipe", "CONFIG")
_UNCOUNTED = re.compile(r"_?num_(proc|workers)")
_HEAD = '''"""Ops that run the transforms of the old runway project; their files stay as they are.

Written by `mlrecipe import runway`. An edit of an old file changes the fingerprint of the nodes that use it.
Files that a transform reads by itself are not watched: give its node another `version` when they change.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlrecipe
from mlrecipe.migration import shim
'''

Arity = Literal["none", "one", "many"]


@dataclass(slots=True)
class Wrapper:
    """An op around one transform, for nodes that give it so many inputs."""

    transform: Transform
    arity: Arity
    name: str
    """What a recipe writes after `use`."""

    settings: dict[str, Setting] = field(default_factory=dict)

    def parameter(self, setting: str) -> str:
        """The op's parameter for a setting: names that mlrecipe uses itself get an underscore."""
        is_taken = setting in _TAKEN or keyword.iskeyword(setting)
        return f"{setting}_" if is_taken else setting

    def accept(self, setting: str, value: Any) -> bool:
        """Whether the op can be given the value; its type and its parameters are made to fit."""
        found = self.settings.get(setting)
        if found is None and self.transform.is_open and setting.isidentifier():
            found = self.settings[setting] = Setting(default=ast.Constant(None))
        if found is not None and kinds.convert(value, found.kind)[1]:
            self.settings[setting] = Setting(default=found.default)
        return found is not None


def op_name(transform: str, taken: Iterable[str]) -> str:
    """`SplitHFDataset` as the name of an op: `split-hf-dataset`, other than those taken."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|_", "-", transform).lower()
    name, number, used = words.strip("-"), 1, set(taken)
    if name in used:
        name = f"runway-{name}"
    while name in used:
        number += 1
        name = f"runway-{words}-{number}"
    return name


def text(wrappers: Sequence[Wrapper], *, project: Path, config: Mapping[str, Any]) -> str:
    """The file of ops, to be put into the root of the project.

    Args:
        wrappers: the ops.
        project: root of the project.
        config: the whole configuration, for transforms that look into `global_config`.

    Raises:
        RequestError: an old file lies outside the project, or cannot be imported by its name.
    """
    parts = [_HEAD]
    if any(uses_config(wrapper) for wrapper in wrappers):
        literal = pprint.pformat(dict(config), width=100, sort_dicts=False)
        parts.append(f"CONFIG: dict[str, Any] = {literal}\n")
    parts += ["\n".join(["", *_function(wrapper, project), ""]) for wrapper in wrappers]
    return "\n".join(parts)


def uses_config(wrapper: Wrapper) -> bool:
    """Whether its transform looks into the whole configuration."""
    return "global_config" in wrapper.transform.uses


def _function(wrapper: Wrapper, project: Path) -> Iterator[str]:
    transform = wrapper.transform
    file = _inside(transform.file, project)
    uncounted = [n for n in wrapper.settings if _UNCOUNTED.fullmatch(n)]
    ignore = (
        f", ignore=({''.join(f'{_quoted(n)}, ' for n in uncounted).strip()})" if uncounted else ""
    )
    yield f"@mlrecipe.op({_quoted(wrapper.name)}{ignore})"
    yield f"def {wrapper.name.replace('-', '_')}("
    yield from (f"    {line}," for line in _parameters(wrapper))
    yield ") -> Any:"
    yield from _docstring(transform, file.as_posix())
    folder, helpers = _helpers(transform.file, project)
    yield from _watch(folder, helpers)
    where = [_quoted(file.as_posix())]
    if folder:
        where.append(f"folder={_quoted(folder)}")
    if helpers:
        where.append(f"watched=({''.join(f'{_quoted(h)}, ' for h in helpers).strip()})")
    yield f"    with shim.old_code(__file__, {', '.join(where)}):"
    yield f"        from .{'.'.join(file.with_suffix('').parts)} import {transform.name}"
    yield ""
    yield from (f"        {line}" for line in _call(wrapper))


def _parameters(wrapper: Wrapper) -> Iterator[str]:
    if wrapper.arity != "none":
        yield "*data: Any" if wrapper.arity == "many" else "data: Any"
    if wrapper.arity != "many":
        yield "*"
    for name, setting in wrapper.settings.items():
        default = ""
        if setting.default is not None:
            default = f" = {ast.unparse(setting.default) if setting.is_literal else 'None'}"
        kind = setting.kind if setting.is_literal else kinds.ANY
        yield f"{wrapper.parameter(name)}: {_annotation(kind)}{default}"
    if "use_dummy_data" in wrapper.transform.uses:
        yield "limit: int | None = None"
    yield "scratch: Path"


def _docstring(transform: Transform, file: str) -> Iterator[str]:
    doc = re.sub(r'[\\"]', "'", transform.doc)
    says = "".join(char if char.isprintable() else " " for char in doc).rstrip(".")
    lines = textwrap.wrap(f"{says}: `{transform.name}` of {file}." if says else
                          f"Run `{transform.name}` of {file}.", 94)  # fmt: skip
    if len(lines) == 1:
        yield f'    """{lines[0]}"""'
    else:
        yield f'    """{lines[0]}'
        yield from (f"    {line}" for line in lines[1:])
        yield '    """'


def _watch(folder: str, helpers: Sequence[str]) -> Iterator[str]:
    if helpers:
        yield f"    if TYPE_CHECKING:  # what the old file imports from {folder}/: its code counts too"
    for helper in helpers:
        above, _, name = ".".join([*Path(folder).parts, helper]).rpartition(".")
        yield f"        from .{above} import {name} as _  # noqa: F401"


def _call(wrapper: Wrapper) -> Iterator[str]:
    fixed = {n: s for n, s in wrapper.settings.items() if s.is_literal and not _is_none(s)}
    free = [n for n in wrapper.settings if n not in fixed]
    pairs = [f"{_quoted(name)}: {wrapper.parameter(name)}" for name in fixed]
    if free:
        names = ", ".join(f"{name}={wrapper.parameter(name)}" for name in free)
        pairs.append(f"**shim.given({names})")
    yield "settings: dict[str, Any] = {" if pairs else "settings: dict[str, Any] = {}"
    yield from (f"    {pair}," for pair in pairs)
    if pairs:
        yield "}"
    data = {"none": "None", "one": "data", "many": "list(data)"}[wrapper.arity]
    more = ", config=CONFIG" if uses_config(wrapper) else ""
    more += ", limit=limit" if "use_dummy_data" in wrapper.transform.uses else ""
    yield f"return shim.run({wrapper.transform.name}, settings, {data}, scratch=scratch{more})"


def _is_none(setting: Setting) -> bool:
    return isinstance(setting.default, ast.Constant) and setting.default.value is None


def _annotation(kind: Kind) -> str:
    """A type as Python writes it."""
    if kind.name in ("int", "float", "str", "bool"):
        return kind.name
    if kind.name == "none":
        return "None"
    if kind.name == "list":
        return f"list[{_annotation(kind.args[0])}]"
    if kind.name == "dict":
        return f"dict[str, {_annotation(kind.args[0])}]"
    if kind.name == "union":
        return " | ".join(_annotation(arg) for arg in kind.args)
    return "Any"


def _inside(path: Path, project: Path) -> Path:
    try:
        file = path.resolve().relative_to(project.resolve())
    except ValueError:
        message = f"{path} lies outside the project {str(project)!r}"
        hint = "write the recipe into the project: --output PROJECT/recipe.toml"
        raise RequestError(message, hint=hint) from None
    if not all(part.isidentifier() for part in file.with_suffix("").parts):
        message = f"{file} cannot be imported: its path is not made of Python names"
        raise RequestError(message, hint="rename it")
    return file


def _helpers(path: Path, project: Path) -> tuple[str, list[str]]:
    """The folder that an old file imports modules from by name, and those, with all they need.

    What is imported relative to the file or to the project is found anyway. `python src/main.py` puts
    `src` on the path: that is the first folder on the way to the file.
    """
    file = path.resolve().relative_to(project.resolve())
    folder = file.parts[0] if len(file.parts) > 2 else ""
    found: dict[str, Path] = {}
    pending = [path.resolve()] if folder else []
    while pending:
        for name in _imports(pending.pop()):
            place = _module(project.resolve() / folder, name)
            if name not in found and place and not _module(project.resolve(), name):
                found[name] = place
                pending.append(place)
    return folder, sorted(found)


def _imports(path: Path) -> Iterator[str]:
    """Modules that a file imports by absolute names, with the packages above them."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            parts = name.split(".")
            yield from (".".join(parts[:n]) for n in range(1, len(parts) + 1))


def _module(folder: Path, name: str) -> Path | None:
    stem = folder.joinpath(*name.split("."))
    places = (stem.with_suffix(".py"), stem / "__init__.py")
    return next((place for place in places if place.is_file()), None)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
