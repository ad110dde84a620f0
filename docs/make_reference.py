"""Writes docs/reference/ from what the code itself says: run by `make docs`, and tested to be current.

usage: python docs/make_reference.py [--check]
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import typer

from mlrecipe.cli.app import COMMANDS, app
from mlrecipe.code.catalog import Catalog
from mlrecipe.code.defaults import REQUIRED, Unreadable
from mlrecipe.code.signatures import FILLED, Parameter, Signature
from mlrecipe.recipe import overrides
from mlrecipe.recipe.interpolate import FORMS
from mlrecipe.recipe.schema import DEFAULTS
from mlrecipe.recipe.shape import spec
from mlrecipe.registry import Kind

FOLDER = Path(__file__).parent / "reference"
TABLES = {
    "Recipe": "Top level",
    "Composition": "Recipes of several files, and variants",
    "NodeSpec": "`[nodes.<name>]`",
    "TrainSpec": "`[train]`",
    "TestSpec": "`[test]`",
    "EvaluateSpec": "`[evaluate]`",
}
SECTIONS: dict[Kind, str] = {
    "op": "Ops", "task": "Tasks", "model": "Models", "metric": "Metrics", "format": "Formats",
    "scheduler": "Schedulers",
}  # fmt: skip
FILLED_BY = {
    "seed": "the recipe's `seed`",
    "limit": "the recipe's `limit`",
    "scratch": "filled in",
}
FOREIGN: dict[Kind, str] = {
    "optimizer": "Optimizers, by their class names in `torch.optim`",
    "callback": "Callbacks, by their class names in `pytorch_lightning.callbacks`",
    "logger": "Loggers, by their class names in `pytorch_lightning.loggers`",
}


def main() -> int:
    """Write the pages, or with --check say which are not current."""
    pages = {"cli.md": cli(), "recipe.md": recipe(), "components.md": components()}
    stale = [name for name, text in pages.items() if _old(name) != text]
    if "--check" in sys.argv:
        for name in stale:
            sys.stderr.write(f"docs/reference/{name} is not current: run `make docs`\n")
        return 1 if stale else 0
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


def cli() -> str:
    """Every command with its arguments and options."""
    group = typer.main.get_command(app)
    lines = [
        "# The command line",
        "",
        str(group.help).strip(),
        "",
        "Global options, anywhere on the line:",
        "",
    ]
    lines += [*_options(group), ""]
    for name in COMMANDS:
        lines += _command(group, name, "## mlrecipe")
    lines += [
        "## Exit codes",
        "",
        "0 done; 1 the work failed; 2 the request was wrong (recipe, arguments, data); 130 interrupted",
        "(Ctrl-C); 143 terminated. Results go to standard output, progress and messages to standard error.",
        "",
        "## Environment",
        "",
        "`MLRECIPE_STORE`: folder of the store, instead of `.mlrecipe/store` in the project. `NO_COLOR`: no",
        "colours. `HF_HUB_OFFLINE=1`: as `--offline`.",
        "",
        "`MLRECIPE_INDEX`: `diskcache` (default) or `sqlite`, what the store's index is kept in; it can be",
        "deleted at any moment and is made anew from the records. For a store on a network file system it is",
        "in `$XDG_CACHE_HOME/mlrecipe` (`~/.cache/mlrecipe`), or in a folder of the user's own below that of",
        "temporary files if that is on a network too.",
        "",
        "`MLRECIPE_LOCKS`: `flock` (locks of the kernel) or `lease` (files that their holder writes to every",
        "5 seconds, and that a waiter takes over after 30 seconds of silence). By default, leases on network",
        "file systems and where locks of the kernel do not work, noted in `v1/leases/` of the store; `flock`",
        "everywhere else.",
        "",
    ]
    return "\n".join(lines)


def _command(group: object, name: str, title: str) -> list[str]:
    """One command, and the commands below it."""
    command = group.get_command(None, name)  # type: ignore[attr-defined]
    lines = [f"{title} {name}", "", _paragraphs(command.help), ""]
    below = command.list_commands(None) if hasattr(command, "list_commands") else []
    if not below:
        return [*lines, *_options(command), ""]
    for each in below:
        lines += _command(command, each, f"#{title} {name}")
    return lines


def recipe() -> str:
    """Every key of a recipe."""
    lines = [
        "# The recipe", "",
        "A recipe is a TOML file. `use` names a component (see [components](components.md)); the other keys of",
        "such a table are its parameters.", "",
    ]  # fmt: skip
    for name, title in TABLES.items():
        signature = spec(name)
        lines += [
            f"## {title}",
            "",
            f"{signature.doc}",
            "",
            "| key | type | default | |",
            "|---|---|---|---|",
        ]
        lines += [_row(p, name) for p in signature.params.values() if p.name != "params"]
        lines.append("")
    lines += [
        "## References", "",
        "| in a text | means |", "|---|---|",
        *(f"| `\"{form}\"` | {meaning} |" for form, meaning in FORMS.items()), "",
        "Paths are absolute: `${train.epochs}`, wherever it is written. Nothing is ever evaluated.", "",
        "## Overrides", "",
        *_sentences(overrides.DOC), "",
        "| on the command line | does |", "|---|---|",
        *(f"| `{form}` | {meaning} |" for form, meaning in overrides.FORMS.items()), "",
        "How files, variants and overrides come together: [composition](../explanation/composition.md).", "",
    ]  # fmt: skip
    return "\n".join(lines)


def components() -> str:
    """Everything a recipe can `use`."""
    catalog = Catalog()
    lines = [
        "# Components",
        "",
        "What a recipe can name with `use`. `mlrecipe list ops` shows the same.",
        "",
    ]
    for kind, title in SECTIONS.items():
        lines += [f"## {title}", ""]
        for name in catalog.names(kind):
            found = catalog.find(kind, name)
            assert found is not None
            lines += _component(name, found.signature)
    for kind, title in FOREIGN.items():
        names = ", ".join(f"`{name}`" for name in catalog.names(kind))
        lines += [f"## {title}", "", names, ""]
    return "\n".join(lines)


def _component(name: str, signature: Signature) -> list[str]:
    text = _paragraphs(re.split(r"\n\s*(?:Args|Raises):", signature.doc)[0])
    lines = [f"### {name}", "", text, ""]
    if signature.component == "op":
        inputs = [*signature.inputs, *(["any number more"] if signature.variadic else [])]
        lines += [f"Inputs: {', '.join(inputs) or 'none'}.", ""]
    if signature.params:
        lines += ["| parameter | type | default | |", "|---|---|---|---|"]
        lines += [_row(p, signature.component) for p in signature.params.values()] + [""]
    return lines


def _row(parameter: Parameter, table: str = "") -> str:
    kind = str(parameter.kind).replace("|", "\\|")
    doc = parameter.doc.replace("|", "\\|")
    return f"| `{parameter.name}` | {kind} | {_default(parameter, table)} | {doc} |"


def _default(parameter: Parameter, table: str) -> str:
    if table == "op" and parameter.name in FILLED:
        return FILLED_BY[parameter.name]
    if parameter.default is REQUIRED:
        return "required"
    if isinstance(parameter.default, Unreadable):
        known = DEFAULTS.get("train", {}).get(parameter.name) if table == "TrainSpec" else None
        return f"`{_toml(known)}`" if known else ""
    return "" if parameter.default in (None, "", [], {}) else f"`{_toml(parameter.default)}`"


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def _options(command: object) -> Iterator[str]:
    yield "| | |"
    yield "|---|---|"
    for parameter in command.params:  # type: ignore[attr-defined]
        if getattr(parameter, "hidden", False):
            continue
        names = ", ".join(parameter.opts)
        is_argument = parameter.param_type_name == "argument"
        shown = parameter.metavar or parameter.name if is_argument else names
        value = (
            ""
            if is_argument or getattr(parameter, "is_flag", False)
            else f" {parameter.metavar or parameter.name.upper()}"
        )
        yield f"| `{shown}{value}` | {(parameter.help or '').replace('|', chr(92) + '|')} |"


def _paragraphs(text: str | None) -> str:
    return "\n\n".join(" ".join(part.split()) for part in (text or "").split("\n\n"))


def _sentences(text: str) -> list[str]:
    return text.strip().splitlines()


def _old(name: str) -> str | None:
    path = FOLDER / name
    return path.read_text(encoding="utf-8") if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main())
