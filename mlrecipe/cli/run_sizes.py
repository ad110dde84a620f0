"""`mlrecipe runs du`: what runs take on disk."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mlrecipe.cli import render
from mlrecipe.cli.options import Json
from mlrecipe.cli.session import Session
from mlrecipe.recipe.project import shown
from mlrecipe.runs import run as running
from mlrecipe.runs import usage

_KINDS = ("checkpoints/", "resume/", "validations/")


def du(
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, help="Show the N largest.")
    ] = 20,
    as_json: Json = False,
) -> None:
    """Show what runs take on disk, the largest first, and what `runs prune` would free.

    Example: mlrecipe runs du
    """
    session = Session.in_folder()
    runs = [(run, dict(usage.parts(run.folder))) for run in running.every(session.project)]
    runs.sort(key=lambda item: sum(item[1].values()), reverse=True)
    pieces = [piece for run, _ in runs for piece in usage.superfluous(run)]
    freed = sum(p.bytes for p in [*pieces, *usage.leftovers(session.project)])
    whole = sum(sum(parts.values()) for _, parts in runs)
    if as_json:
        found: list[dict[str, Any]] = [
            {"run": run.id, "status": run.status, "bytes": sum(parts.values()), "parts": parts}
            for run, parts in runs
        ]
        render.document({"bytes": whole, "prune_frees": freed, "runs": found})
        return
    if not runs:
        render.say(f"no runs in {shown(session.project / running.FOLDER, here=session.here)}")
        return
    rows = [[run.id, *_row(parts)] for run, parts in runs[:limit]]
    if len(runs) > limit:
        rest: dict[str, int] = {}
        for _, parts in runs[limit:]:
            rest = {k: rest.get(k, 0) + parts.get(k, 0) for k in {*rest, *parts}}
        rows.append([f"… {len(runs) - limit:,} more", *_row(rest)])
    total: dict[str, int] = {}
    for _, parts in runs:
        total = {k: total.get(k, 0) + parts.get(k, 0) for k in {*total, *parts}}
    render.grid(
        ["run", "size", *(k.rstrip("/") for k in _KINDS), "rest"], [*rows, ["all", *_row(total)]]
    )
    if freed:
        render.say(f"mlrecipe runs prune would free {render.size(freed)}")


def _row(parts: dict[str, int]) -> list[str]:
    known = [parts.get(kind, 0) for kind in _KINDS]
    whole = sum(parts.values())
    return [render.size(n) if n else "" for n in (whole, *known, whole - sum(known))]
