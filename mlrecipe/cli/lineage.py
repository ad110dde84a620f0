"""`mlrecipe lineage`: where something came from, and where it went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from mlrecipe.cli import render
from mlrecipe.cli.options import Json
from mlrecipe.cli.session import Session
from mlrecipe.errors import RequestError
from mlrecipe.pipeline.lineage import Branch, Thing
from mlrecipe.pipeline.lineage import lineage as trace


def lineage(
    ctx: typer.Context,
    what: Annotated[
        str,
        typer.Argument(metavar="NODE|RUN|DIGEST", help="A node, a run, or the start of a digest."),
    ],
    recipe: Annotated[
        str | None,
        typer.Argument(
            metavar="[RECIPE]",
            help="The node's recipe; by default the only one here, else the one used last.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what a node's output, a run or a checkpoint was made from, and what was made from it.

    Reads records and run directories; asks nothing of any network.

    Examples: mlrecipe lineage tokens imdb.toml; mlrecipe lineage 3f9c2a
    """
    session, name = _session(recipe)
    found = trace(what, project=session.project, store=session.store, recipe=name)
    if as_json:
        render.document(
            {
                "subject": asdict(found.subject),
                "from": [asdict(branch) for branch in found.above],
                "to": [asdict(branch) for branch in found.below],
            }
        )
        return
    render.out(_line(found.subject))
    for title, branches in (("made from", found.above), ("used by", found.below)):
        render.out(f"\n{title}" + ("" if branches else ": nothing"))
        for text, thing in render_rows(branches):
            render.out(f"  {text}{_line(thing)}")


def _session(recipe: str | None) -> tuple[Session, str | None]:
    """The session, and the recipe's name where one is known."""
    try:
        session = Session.guessed(recipe)
    except RequestError:
        if recipe is not None:
            raise
        return Session.in_folder(), None
    return session, session.path.relative_to(session.project).as_posix()


def render_rows(branches: Sequence[Branch], indent: str = "") -> list[tuple[str, Thing]]:
    """The tree as lines: the drawn part and the thing."""
    found: list[tuple[str, Thing]] = []
    for position, branch in enumerate(branches):
        is_last = position == len(branches) - 1
        found.append((indent + ("└─ " if is_last else "├─ "), branch.thing))
        found += render_rows(branch.beyond, indent + ("   " if is_last else "│  "))
    return found


def _line(thing: Thing) -> str:
    digest = f"  {thing.digest[:12]}" if thing.digest else ""
    detail: Any = f"  ({thing.detail})" if thing.detail else ""
    kind = "" if thing.kind == "node" else f"{thing.kind} "
    return f"{kind}{thing.name}{digest}{render.styled(str(detail), 'dim')}"
