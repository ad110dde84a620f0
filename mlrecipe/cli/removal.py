"""`mlrecipe cache gc` and `rm`: making room in the store."""

from __future__ import annotations

import shlex
from collections import Counter
from typing import Annotated, Any

import typer

from mlrecipe.cli import amounts, render
from mlrecipe.cli.holdings import Recipe, Results, named, of_recipe, short, table
from mlrecipe.cli.live import live
from mlrecipe.cli.options import Json
from mlrecipe.cli.session import Session
from mlrecipe.cli.stores import looked_at
from mlrecipe.errors import RequestError
from mlrecipe.pipeline import roots
from mlrecipe.store import gc as collecting
from mlrecipe.store import usage
from mlrecipe.store.gc import Decision, Limits
from mlrecipe.store.usage import Census, Entry

Acts = Annotated[
    bool,
    typer.Option("--yes", "--delete", help="Do it; without this, only what it would do is shown."),
]
MaxSize = Annotated[
    str | None,
    typer.Option(
        "--max-size",
        metavar="SIZE",
        help="Stop when the store takes no more than this, such as 10GB; "
        "what was used longest ago goes first.",
        show_default=False,
    ),
]
OlderThan = Annotated[
    str | None,
    typer.Option(
        "--older-than",
        metavar="TIME",
        help="Remove only what was not used for this long, such as 30d.",
        show_default=False,
    ),
]
KeepRuns = Annotated[
    int | None,
    typer.Option(
        "--keep-runs",
        metavar="COUNT",
        min=0,
        help="Keep what this many runs were made from, the newest first; by default all runs.",
        show_default=False,
    ),
]
Grace = Annotated[
    str,
    typer.Option("--grace", metavar="TIME", help="Keep whatever was made or used in this time."),
]


def gc(
    ctx: typer.Context,
    acts: Acts = False,
    max_size: MaxSize = None,
    older_than: OlderThan = None,
    keep_runs: KeepRuns = None,
    grace: Grace = "1h",
    as_json: Json = False,
) -> None:
    """Make room in the store: remove results that nothing needs any more.

    What recipes use as they are and the newest result of each of their nodes
    stay; so does what runs were made from, what is pinned, what is in use or
    was a short while ago, and what any of these were made from.

    Examples: mlrecipe cache gc; mlrecipe cache gc --max-size 10GB --yes
    """
    session = looked_at(Session.in_folder())
    limits = Limits(
        max_bytes=None if max_size is None else amounts.size(max_size, "--max-size"),
        older_than=None if older_than is None else amounts.seconds(older_than, "--older-than"),
        grace=amounts.seconds(grace, "--grace"),
    )
    find = roots.finder(session.store, session.project, keep_runs=keep_runs)

    work = collecting.collect if acts else collecting.survey
    with live(ctx.obj):
        found, decision = work(session.store, find, limits)
    sizes = usage.sizes(session.store)
    after = sum(sizes.values()) if acts else decision.bytes - decision.freed
    over = 0 if limits.max_bytes is None else max(0, after - limits.max_bytes)
    if as_json:
        facts = _facts(decision, found, after=after, acts=acts)
        render.document(facts | {"bytes_index": sizes["index"], "bytes_over": over})
    else:
        _show_gc(decision, found, after=after, acts=acts, is_verbose=ctx.obj.is_verbose)
    if over:
        render.warn(_too_much(decision, after, after - over, sizes["index"], acts=acts))
        raise typer.Exit(1)


def rm(
    ctx: typer.Context,
    results: Results,
    recipe: Recipe = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be removed.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Remove the stored results of a node and its shards, needed or not; asks nothing.

    An output that other results have too stays.

    Examples: mlrecipe cache rm tokens --recipe imdb.toml; mlrecipe cache rm 3f2a91c0
    """
    session = looked_at(Session.in_folder())
    found = usage.census(session.store)
    entries = named(found, results, of_recipe(found, recipe, session))
    pinned = sorted(e.record.node for e in entries if e.record.fingerprint in found.pins)
    if pinned:
        hint = f"mlrecipe cache pin --remove {shlex.quote(pinned[0])}"
        raise RequestError(f"{pinned[0]!r} is pinned", hint=hint)
    work = collecting.foresee if dry_run else collecting.discard
    with live(ctx.obj):
        found, decision = work(session.store, [e.record.fingerprint for e in entries])
    if as_json:
        after = decision.bytes - decision.freed
        render.document(_facts(decision, found, after=after, acts=not dry_run))
        return
    _show_doomed(decision, found)
    for fingerprint, why in decision.kept.items():
        render.warn(f"{found.entries[fingerprint].record.node} ({short(fingerprint)}) stays: {why}")
    verb = "would remove" if dry_run else "removed"
    render.out(f"{verb} {_amount(decision)}")


def _facts(decision: Decision, found: Census, *, after: int, acts: bool) -> dict[str, Any]:
    removed = [
        {
            "recipe": e.record.recipe, "node": e.record.node, "fingerprint": e.record.fingerprint,
            "digest": e.record.digest, "frees": decision.frees[e.path],
        }
        for e in decision.doomed
    ]  # fmt: skip
    kept = [
        {
            "recipe": found.entries[f].record.recipe, "node": found.entries[f].record.node,
            "fingerprint": f, "reason": why,
        }
        for f, why in decision.kept.items()
    ]  # fmt: skip
    garbage = [{"path": item.path, "bytes": item.bytes} for item in decision.garbage]
    return {
        "done": acts, "bytes_before": decision.bytes, "bytes_after": after,
        "frees": decision.freed, "removed": removed, "garbage": garbage, "kept": kept,
    }  # fmt: skip


def _show_gc(
    decision: Decision, found: Census, *, after: int, acts: bool, is_verbose: bool
) -> None:
    _show_doomed(decision, found)
    if is_verbose:
        for fingerprint, why in decision.kept.items():
            record = found.entries[fingerprint].record
            render.out(f"  kept {record.node} of {record.recipe} ({short(fingerprint)}): {why}")
    if decision.kept:
        render.out(f"kept: {_kept(decision)}")
    verb = "removed" if acts else "would remove"
    then = "" if acts else " then"
    index = f", {render.size(decision.index)} of it index" if decision.index else ""
    render.out(f"{verb} {_amount(decision)}; the store takes {render.size(after)}{then}{index}")
    if not acts and (decision.doomed or decision.garbage):
        render.say("nothing was removed; do it with --yes")


def _too_much(decision: Decision, after: int, limit: int, index: int, *, acts: bool) -> str:
    """That the store stays larger than it should be, and what keeps it so."""
    verb = "takes" if acts else "would still take"
    kept = f"what stays: {_kept(decision)}" if decision.kept else "no result is left"
    return (
        f"the store {verb} {render.size(after)}, more than {render.size(limit)}, and nothing else may be "
        f"removed; {kept}; index: {render.size(index)}"
    )


def _kept(decision: Decision) -> str:
    counts = Counter(_class(why) for why in decision.kept.values())
    return ", ".join(f"{number:,} {why}" for why, number in counts.items())


def _show_doomed(decision: Decision, found: Census) -> None:
    if decision.doomed:
        rows = [_row(entry, decision, found) for entry in decision.doomed]
        table(("recipe", "node", "frees", "fingerprint", ""), rows)


def _row(entry: Entry, decision: Decision, found: Census) -> tuple[str, ...]:
    record, frees = entry.record, decision.frees[entry.path]
    is_shared = found.item(entry) is not None and frees == entry.bytes
    note = "its output is that of others too" if is_shared else ""
    return record.recipe, record.node, render.size(frees), short(record.fingerprint), note


def _amount(decision: Decision) -> str:
    parts = [amounts.counted(len(decision.doomed), "result")]
    if decision.garbage:
        parts.append(f"{amounts.counted(len(decision.garbage), 'leftover')} that no result has")
    return f"{' and '.join(parts)}, {render.size(decision.freed)}"


def _class(why: str) -> str:
    """What kind of reason it is, so that they can be counted."""
    classes = {
        "the newest of": "newest of their nodes", "run ": "named by runs",
        "an input of": "inputs of others", "young": "used a short while ago",
    }  # fmt: skip
    if " uses it for " in why:
        return "used by recipes as they are"
    return next((name for start, name in classes.items() if why.startswith(start)), why)
