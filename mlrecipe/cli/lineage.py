"""`mlrecipe lineage`: where something came from, and where it went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from mlrecipe.cli import render
from mlrecipe.cli.options import NONE, Json
from mlrecipe.cli.session import Session, Settings
from mlrecipe.errors import RequestError, did_you_mean
from mlrecipe.pipeline.lineage import Branch, Thing
from mlrecipe.pipeline.lineage import lineage as trace
from mlrecipe.pipeline.plan import plan
from mlrecipe.recipe.schema import Overrides
from mlrecipe.store.records import Record


def lineage(
    ctx: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="NODE|RUN|FILE|DIGEST",
            help="A node, a run, a file that a node read, or the start of a digest.",
        ),
    ],
    recipe: Annotated[
        str | None,
        typer.Argument(
            metavar="[RECIPE]",
            help="The node's recipe; by default the only one here, else the one used last.",
            show_default=False,
        ),
    ] = None,
    overrides: Overrides = NONE,
    as_json: Json = False,
) -> None:
    """Show what an output, a run, a file or a checkpoint was made from, and what was made from it.

    Of a node it is the output that was made or used last; with --set and its like, the one that the changed
    recipe gives. Reads records and run directories; asks nothing of any network.

    Examples: mlrecipe lineage tokens imdb.toml; mlrecipe lineage data/train.csv; mlrecipe lineage 3f9c2a
    """
    if recipe is not None and what.endswith(".toml") and not recipe.endswith(".toml"):
        raise RequestError("the node comes first", hint=f"mlrecipe lineage {recipe} {what}")
    session, name = _session(recipe)
    chosen = _chosen(what, session, ctx.obj, overrides) if overrides != NONE else what
    found = trace(chosen, project=session.project, store=session.store, recipe=name)
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


def _chosen(node: str, session: Session, settings: Settings, overrides: Overrides) -> Record:
    """The output of a node of the changed recipe."""
    request = session.open(overrides, settings=settings)
    if node not in request.graph.nodes:
        raise RequestError(
            f"no node {node!r}, and only of nodes does a change of the recipe choose the output",
            hint=did_you_mean(node, request.graph.nodes),
        )
    step = plan(request, session.store, nodes=[node]).by_node[node]
    if step.record is None:
        raise RequestError(
            f"no output of {node!r} with these changes is stored", hint="mlrecipe prepare makes it"
        )
    return step.record


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
