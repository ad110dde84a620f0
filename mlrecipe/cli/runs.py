"""`mlrecipe runs`: which runs there are."""

from __future__ import annotations

import math
import os
import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mlrecipe.cli import amounts, conditions, listed, naming, render
from mlrecipe.cli.options import Json
from mlrecipe.cli.session import Session
from mlrecipe.errors import RequestError, did_you_mean
from mlrecipe.recipe.project import shown
from mlrecipe.runs import index, usage
from mlrecipe.runs import run as running
from mlrecipe.runs.index import Entry

_COLORS = {"finished": "green", "running": "cyan", "interrupted": "yellow"}

_STAGES = ("train", "test", "repeat")

Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="CONDITION",
        help="Only runs for which it holds, such as 'valid/accuracy>0.9 and lr<=1e-4' or "
        "'status=crashed': facts, metrics and keys of the recipe; may be given several times.",
        show_default=False,
    ),
]


def runs(ctx: typer.Context) -> None:
    """List the runs of this project, compare, repeat, move and remove them.

    Example: mlrecipe runs list
    """


def list_(
    recipe: Annotated[
        str | None,
        typer.Argument(metavar="[RECIPE]", help="Only of this recipe.", show_default=False),
    ] = None,
    stage: Annotated[
        str | None,
        typer.Option("--stage", metavar="train|test|repeat", help="Only of this stage.", show_default=False),
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option("--tag", metavar="TAG", help="Only with this tag (`run.tags`); may be given "
                     "several times.", show_default=False),
    ] = None,
    where: Where = None,
    sort: Annotated[
        str | None,
        typer.Option("--sort", metavar="KEY[-]", help="By a fact, metric or key of the recipe; "
                     "with a minus behind it the largest first.", show_default=False),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", metavar="N", min=1, help="Only the first N.", show_default=False),
    ] = None,
    all_keys: Annotated[
        bool, typer.Option("--all-keys", help="Show every key that differs, however wide that is.")
    ] = False,
    has_sizes: Annotated[
        bool, typer.Option("--sizes", help="Show how much each takes on disk.")
    ] = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """List runs, newest first: how they ended, what came of them, and in which keys they differ.

    Examples: mlrecipe runs list imdb.toml; mlrecipe runs list --where 'accuracy>0.9' --sort accuracy-
    """
    session = Session.in_folder()
    if stage not in (None, *_STAGES):
        raise RequestError(f"--stage: no stage {stage!r}", hint=did_you_mean(str(stage), _STAGES))
    every = index.entries(session.project)
    name = None if recipe is None else _recipe_name(session, recipe, every)
    found = [
        entry for entry in every
        if name in (None, entry.run.facts.get("recipe"))
        and stage in (None, entry.run.facts.get("stage")) and set(tag or ()) <= set(entry.tags)
    ]  # fmt: skip
    among = found
    found = conditions.chosen(found, where or ()) if found else found
    found = _sorted(found, sort, among)[:limit]
    sizes = {e.id: usage.size_of(e.run.folder) for e in found} if has_sizes else None
    if as_json:
        size = (sizes or {}).get
        render.document([listed.facts(e, _folder(e, session), size(e.id)) for e in found])
    elif not found:
        render.say(_none(session, every, stage, name, tag, where))
    else:
        names = [*conditions.names_in(where or ()), *([sort.removesuffix("-")] if sort else [])]
        keys = [naming.key_of(name, among, name) for name in names]
        _show_list(
            found, all_keys=all_keys, sizes=sizes, first=[key for key in keys if key is not None],
            taken=naming.taken(among),
        )  # fmt: skip


def _show_list(
    found: Sequence[Entry], *, all_keys: bool, sizes: Mapping[str, int] | None, first: Sequence[str],
    taken: Collection[str],
) -> None:  # fmt: skip
    """Print the table: as wide as the terminal, and whole where it goes elsewhere."""
    is_cut = sys.stdout.isatty() or "COLUMNS" in os.environ
    width = shutil.get_terminal_size((120, 24)).columns
    shown_ = listed.table(
        found, width=width - len(_INDENT) + listed.GAP if is_cut else None, has_all=all_keys,
        sizes=sizes, first=first, taken=taken,
    )  # fmt: skip
    lines = render.columns([shown_.header, *shown_.rows], indent=_INDENT)
    render.out(render.styled(lines[0], "bold"))
    for entry, line in zip(found, lines[1:], strict=True):
        status = entry.run.status
        color = _COLORS.get(status, "red")
        render.out(line.replace(status, render.styled(status, color), 1))
    if shown_.same:
        _note(f"all: {', '.join(f'{k} {v}' for k, v in shown_.same.items())}", width)
    if shown_.dropped:
        _note(f"no room for: {', '.join(shown_.dropped)}", width)
    if shown_.left_out:
        named = ", ".join(shown_.left_out[:6]) + (", …" if len(shown_.left_out) > 6 else "")
        keys = amounts.counted(len(shown_.left_out), "more key")
        verb = "differs" if len(shown_.left_out) == 1 else "differ"
        _note(f"{keys} {verb}, shown by --all-keys: {named}", width)


def _note(text: str, width: int) -> None:
    """A remark below the table, in as many lines as it takes."""
    for line in textwrap.wrap(text, width, subsequent_indent=_INDENT, break_on_hyphens=False):
        render.say(line)


_INDENT = "  "


def _sorted(found: list[Entry], sort: str | None, among: Sequence[Entry]) -> list[Entry]:
    """The runs by a value, named as it is among others; those that have none come last."""
    if sort is None or not found:
        return found
    key = sort.removesuffix("-")
    values = naming.values_of(key, among, f"--sort {sort}")
    having = [entry for entry in found if not _is_none(values[entry.id])]
    having.sort(key=lambda e: _order(values[e.id]), reverse=sort.endswith("-"))
    return [*having, *(entry for entry in found if _is_none(values[entry.id]))]


def _is_none(value: Any) -> bool:
    """Whether it is nothing to sort by: NaN is not."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _order(value: Any) -> tuple[bool, float, str]:
    """Numbers by size, then the rest by their text."""
    is_number = isinstance(value, int | float)
    return not is_number, float(value) if is_number else 0.0, str(value)


def _folder(entry: Entry, session: Session) -> str:
    return f"{running.FOLDER}/{entry.id}"


def _none(
    session: Session, every: Sequence[Entry], stage: str | None, recipe: str | None,
    tags: Sequence[str] | None, where: Sequence[str] | None,
) -> str:  # fmt: skip
    """That there is no such run, and which there are."""
    wanted = f"no {stage} runs" if stage else "no runs"
    wanted += f" of {recipe}" if recipe else ""
    wanted += f" with {' and '.join(map(repr, tags))}" if tags else ""
    wanted += f" where {' and '.join(where)}" if where else ""
    known = {word for entry in every for word in entry.tags}
    strange = next((word for word in tags or () if word not in known), None)
    near = f"; {did_you_mean(strange, known)}" if strange is not None and known else ""
    counts = Counter(str(entry.run.facts.get("stage")) for entry in every)
    there = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    place = shown(session.project / running.FOLDER, here=session.here)
    return f"{wanted} in {place}" + (f"; there are: {there}" if there else "") + near


def _recipe_name(session: Session, recipe: str, every: Sequence[Entry]) -> str:
    """The name by which runs know a recipe; it need not be there any more."""
    known = {str(entry.run.facts.get("recipe")) for entry in every}
    path = os.path.relpath(os.path.abspath(recipe), session.project)
    texts = [recipe, Path(path).as_posix(), f"recipes/{recipe}"]
    names = [*texts, *(f"{text}.toml" for text in texts)]
    found = next((name for name in names if name in known), None)
    if found is None:
        raise RequestError(f"no run of {recipe!r}", hint=f"runs are of: {', '.join(sorted(known))}")
    return found
