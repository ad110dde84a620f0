"""`mlrecipe cache`: what the store takes, and whether it is whole."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import typer

from mlrecipe import events
from mlrecipe.cli import amounts, render
from mlrecipe.cli.holdings import short, tell_unreadable
from mlrecipe.cli.live import live
from mlrecipe.cli.options import Json
from mlrecipe.cli.session import Session
from mlrecipe.cli.stores import looked_at
from mlrecipe.interfaces import Fingerprint
from mlrecipe.pipeline import roots
from mlrecipe.recipe.project import shown
from mlrecipe.store import usage
from mlrecipe.store.usage import Census, NodeKey
from mlrecipe.store.verify import Finding, Verification
from mlrecipe.store.verify import verify as read_everything

_LONG = 200_000_000
"""Bytes from which on reading takes a while."""


def cache() -> None:
    """Look after the store: what is in it, what it takes, whether it is whole; make room in it.

    Example: mlrecipe cache gc --max-size 10GB
    """


def du(as_json: Json = False) -> None:
    """Show what takes the space: which recipes, which runs, and what nothing needs.

    What several recipes use stands in a line of its own, so that the lines add up to the total.

    Example: mlrecipe cache du
    """
    session = looked_at(Session.in_folder())
    found = usage.census(session.store)
    facts = _usage(session, found)
    if as_json:
        render.document(facts)
    else:
        _show_usage(facts)
    tell_unreadable(found)


def verify(ctx: typer.Context, as_json: Json = False) -> None:
    """Read every byte of the store and compare it with what was written; exits 1 if anything is wrong.

    What is damaged is moved to the store's quarantine, and what is gone is noted as gone; the next run
    computes again what it needs of that. A second `verify` finds nothing any more.

    Example: mlrecipe cache verify
    """
    session = looked_at(Session.in_folder())
    began = time.perf_counter()
    with live(ctx.obj):
        report = read_everything(session.store, told=_Told())
    seconds = time.perf_counter() - began
    lost = {key for finding in report.findings for key in finding.users}
    damaged = {f.name for f in report.findings if f.kind in ("damaged record", "doubtful record")}
    prints = {Fingerprint(name) for name in damaged}
    needed = roots.to_compute(session.store, session.project, lost, prints)
    if as_json:
        render.document(_verified(report, seconds, needed))
    else:
        _show_verified(session, report, seconds, needed)
    if report.findings:
        raise typer.Exit(1)


def _usage(session: Session, found: Census) -> dict[str, Any]:
    parts = usage.sizes(session.store)
    gone = roots.recipes_gone(found, session.project)
    shares = usage.shares(found)
    unused = [share for share in shares if not share.recipes]
    return {
        "store": str(session.store.root),
        "bytes": sum(parts.values()),
        "recipes": [
            {
                "recipes": list(share.recipes), "results": share.results, "objects": share.objects,
                "bytes": share.bytes, "gone": sorted(gone & set(share.recipes)),
            }
            for share in shares if share.recipes
        ],
        "unreferenced": {
            "objects": sum(share.objects for share in unused),
            "bytes": sum(share.bytes for share in unused),
        },
        "parts": parts,
        "runs": _runs(session, found),
    }  # fmt: skip


def _runs(session: Session, found: Census) -> list[dict[str, Any]]:
    """What runs name of the objects; one may be named by several."""
    named = {
        run: {digest for _, digest in inputs if digest in found.objects}
        for run, inputs in roots.run_inputs(session.project)
    }
    counts: dict[str, int] = {}
    for digests in named.values():
        for digest in digests:
            counts[digest] = counts.get(digest, 0) + 1
    return [
        {
            "run": run,
            "objects": len(digests),
            "bytes": sum(found.objects[d].bytes for d in digests),
            "alone": sum(found.objects[d].bytes for d in digests if counts[d] == 1),
        }
        for run, digests in named.items()
    ]


def _show_usage(facts: dict[str, Any]) -> None:
    rows = []
    for share in facts["recipes"]:
        names = [f"{r} (gone)" if r in share["gone"] else r for r in share["recipes"]]
        label = ", ".join(names) if len(names) == 1 else f"shared by {', '.join(names)}"
        rows.append(
            (label, f"{share['results']:,}", f"{share['objects']:,}", render.size(share["bytes"]))
        )
    unused, parts = facts["unreferenced"], facts["parts"]
    if unused["objects"]:
        rows.append(("no result", "0", f"{unused['objects']:,}", render.size(unused["bytes"])))
    labels = {
        "records": "records, with small outputs", "index": "index", "temporary": "temporary",
        "quarantine": "quarantine", "trash": "trash", "other": "other",
    }  # fmt: skip
    rows += [(label, "", "", render.size(parts[k])) for k, label in labels.items() if parts[k]]
    rows.append(("total", "", "", render.size(facts["bytes"])))
    render.grid(("used by", "results", "objects", "size"), rows)
    if facts["runs"]:
        render.out()
        runs = [
            (
                run["run"],
                f"{run['objects']:,}",
                render.size(run["bytes"]),
                render.size(run["alone"]),
            )
            for run in facts["runs"]
        ]
        render.grid(("of this by run", "objects", "size", "in no other run"), runs)


class _Told:
    """Shows how far the reading is, where it takes a while."""

    def __init__(self) -> None:
        self._has_begun = False

    def __call__(self, done: int, total: int) -> None:
        if total < _LONG:
            return
        if not self._has_begun:
            self._has_begun = True
            events.emit(events.StageStarted("verify", f"{render.size(total)} to read"))
        events.emit(events.Progress(done // 10**6, total // 10**6, "MB"))


def _verified(report: Verification, seconds: float, needed: Sequence[NodeKey]) -> dict[str, Any]:
    return {
        "ok": not report.findings,
        "records": report.records,
        "objects": report.objects,
        "bytes": report.bytes,
        "seconds": round(seconds, 3),
        "findings": [
            {
                "kind": finding.kind, "name": finding.name, "problem": finding.problem,
                "users": [list(key) for key in finding.users], "moved": finding.moved,
                "settled": finding.is_settled,
            }
            for finding in report.findings
        ],
        "recompute": [list(key) for key in needed],
        "unreferenced": [
            {"digest": digest, "bytes": item.bytes} for digest, item in report.unreferenced.items()
        ],
    }  # fmt: skip


def _show_verified(
    session: Session, report: Verification, seconds: float, needed: Sequence[NodeKey]
) -> None:
    for finding in report.findings:
        render.out(_line(finding, session))
    if report.unreferenced:
        size = render.size(sum(item.bytes for item in report.unreferenced.values()))
        count = amounts.counted(len(report.unreferenced), "object")
        render.out(f"no record has {count} ({size}), which is no harm; gc removes that")
    read = (
        f"{amounts.counted(report.records, 'record')} and {amounts.counted(report.objects, 'object')}, "
        f"{render.size(report.bytes)} in {render.duration(seconds)}"
    )
    if not report.findings:
        render.out(f"everything is as it was written: {read}")
        return
    render.out(f"{amounts.counted(len(report.findings), 'problem')} in {read}")
    if any(finding.is_settled for finding in report.findings):
        render.say(_told_again(needed))
    left = sum(not finding.is_settled for finding in report.findings)
    if left:
        render.say(f"the next verify finds {amounts.counted(left, 'problem')} of these again")


def _told_again(needed: Sequence[NodeKey]) -> str:
    """What the loss costs."""
    if not needed:
        return "no recipe here, as it stands, needs what is lost; one that does computes it again"
    recipes: dict[str, list[str]] = {}
    for recipe, node in needed:
        recipes.setdefault(recipe, []).append(node)
    told = "; ".join(f"{', '.join(nodes)} of {recipe}" for recipe, nodes in recipes.items())
    return f"the next run computes again: {told}"


def _line(finding: Finding, session: Session) -> str:
    users = ", ".join(f"{node} of {recipe}" for recipe, node in finding.users)
    subject = "its record moved" if finding.kind == "missing object" else "moved"
    moved = f"; {subject} to {shown(finding.moved, here=session.here)}" if finding.moved else ""
    if not finding.is_settled and finding.kind != "stray file":
        moved = "; the store cannot be written, so that this stays as it is"
    name = finding.name if finding.kind == "stray file" else short(finding.name)
    return (
        f"{finding.kind} {name}" + (f" ({users})" if users else "") + f": {finding.problem}{moved}"
    )
