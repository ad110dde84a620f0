"""`mlrecipe list`: what a recipe can use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mlrecipe.cli import render
from mlrecipe.cli.options import Json
from mlrecipe.cli.session import Session
from mlrecipe.code.catalog import Catalog, Found
from mlrecipe.code.defaults import REQUIRED
from mlrecipe.code.signatures import FILLED, Parameter, Signature
from mlrecipe.errors import RequestError, did_you_mean
from mlrecipe.registry import KINDS, Kind, registries

PLURALS: dict[str, Kind] = {f"{kind}s": kind for kind in KINDS}

_OF_WHAT = {
    "single_label_classification": "label", "multi_label_classification": "labels",
    "token_classification": "tags", "intent_and_slots": "intent and slots", "regression": "number",
}  # fmt: skip
"""Problem type → what a row has there, as `list metrics` says it."""


def list_(
    ctx: typer.Context,
    what: Annotated[
        str, typer.Argument(metavar="WHAT", help=f"One of: {', '.join(PLURALS)}.")
    ] = "",
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Show all about this one.")
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option("--recipe", metavar="RECIPE", help="Include this recipe's plugins."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List what recipes can use, with its documentation; nothing is imported.

    Examples: mlrecipe list ops; mlrecipe list ops tokenize
    """
    if not what:
        counts = {plural: len(Catalog().names(kind)) for plural, kind in PLURALS.items()}
        if as_json:
            render.document(counts)
        else:
            render.out("\n".join(render.columns((p, str(n)) for p, n in counts.items())))
        return
    plural = what if what in PLURALS else f"{what}s"
    if plural not in PLURALS:
        raise RequestError(
            f"nothing called {what!r} can be listed", hint=did_you_mean(what, PLURALS)
        )
    kind, catalog = PLURALS[plural], _catalog(ctx, recipe)
    if name is not None:
        _one(catalog, kind, name, as_json=as_json)
    else:
        _all(catalog, kind, as_json=as_json)


def _catalog(ctx: typer.Context, recipe: str | None) -> Catalog:
    if recipe is None:
        here = sorted(p for p in Path.cwd().glob("*.toml") if p.name != "pyproject.toml")
        if len(here) != 1:
            return Catalog()
        try:  # the only recipe here: its plugins belong to the list, its mistakes to `check`
            return Session(here[0].resolve(), here=Path.cwd()).open(None, settings=ctx.obj).catalog
        except RequestError:
            return Catalog()
    return Session.of(recipe).open(None, settings=ctx.obj).catalog


def _all(catalog: Catalog, kind: Kind, *, as_json: bool) -> None:
    found = {name: catalog.find(kind, name) for name in catalog.names(kind)}
    if as_json:
        render.document([_facts(name, item) for name, item in found.items() if item])
        return
    rows = [
        [name, *([_of(name, item)] if kind == "metric" else []), _first_line(item)]
        for name, item in found.items()
        if item
    ]
    for line in render.columns(rows):
        render.out(line)


def _one(catalog: Catalog, kind: Kind, name: str, *, as_json: bool) -> None:
    found = catalog.find(kind, name)
    if found is None:
        raise RequestError(f"no {kind} {name!r}", hint=did_you_mean(name, catalog.names(kind)))
    if as_json:
        render.document(_facts(name, found))
        return
    signature = found.signature
    render.out(f"{name} ({kind}, {found.plugin or found.target})")
    if signature.doc:
        render.out(_without_arguments(signature.doc))
    if signature.inputs or signature.variadic:
        more = ["…"] if signature.variadic else []
        render.out(f"\ninputs: {', '.join([*signature.inputs, *more])}")
    if signature.params:
        render.out("\nparameters:")
    for parameter in signature.params.values():
        default = _default(parameter, filled=FILLED if kind == "op" else ())
        render.out(f"  {parameter.name}: {parameter.kind}{default}")
        if parameter.doc:
            render.out(f"      {parameter.doc}")


def _facts(name: str, found: Found) -> dict[str, Any]:
    signature = found.signature
    return {
        "name": name,
        "kind": signature.component,
        "from": found.plugin or found.target,
        "doc": signature.doc,
        "inputs": list(signature.inputs),
        "parameters": [
            {
                "name": p.name,
                "type": str(p.kind),
                "required": p.default is REQUIRED and not _is_filled(signature, p),
                "default": None if p.default is REQUIRED else p.default,
                "doc": p.doc,
            }
            for p in signature.params.values()
        ],
    }


def _first_line(found: Found) -> str:
    return found.signature.doc.strip().partition("\n")[0] if found.signature.doc else ""


def _of(name: str, found: Found) -> str:
    """What a built-in metric is for, in words; nothing where that is not known."""
    if found.plugin:
        return ""
    types = registries["metric"].entry(name).types
    return ", ".join(words for kind, words in _OF_WHAT.items() if kind in types)


def _without_arguments(doc: str) -> str:
    return doc.partition("\nArgs:")[0].strip()


def _is_filled(signature: Signature, parameter: Parameter) -> bool:
    return signature.component == "op" and parameter.name in FILLED


def _default(parameter: Parameter, *, filled: Sequence[str] = ()) -> str:
    if parameter.name in filled:
        return (
            " (filled in)" if parameter.name == "scratch" else f" = the recipe's {parameter.name}"
        )
    if parameter.default is REQUIRED:
        return " (required)"
    if parameter.default is None:
        return ""
    shown = (
        str(parameter.default).lower()
        if isinstance(parameter.default, bool)
        else repr(parameter.default)
    )
    return f" = {shown}"
