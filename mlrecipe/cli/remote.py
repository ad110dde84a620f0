"""`mlrecipe cache push` and `pull`: results that machines share through a remote."""

from __future__ import annotations

import time
from collections.abc import Collection
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from mlrecipe import events
from mlrecipe.cli import render
from mlrecipe.cli.copied import Done, report, row
from mlrecipe.cli.live import live
from mlrecipe.cli.options import NONE, Json, RecipeArgument
from mlrecipe.cli.session import Session, Settings
from mlrecipe.cli.stores import check, looked_at
from mlrecipe.errors import RequestError, did_you_mean
from mlrecipe.recipe.schema import Overrides
from mlrecipe.store.records import Record

RemoteArgument = Annotated[
    str,
    typer.Argument(
        metavar="REMOTE",
        help="A folder, or a URL such as s3://bucket/results.",
        show_default=False,
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be copied.")]
PushedNodes = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NODE]...", help="Only the results of these nodes.", show_default=False
    ),
]
PulledNodes = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NODE]...",
        help="Only these nodes and what they need; all by default.",
        show_default=False,
    ),
]
OfRecipe = Annotated[
    str | None,
    typer.Option(
        "--recipe",
        metavar="RECIPE",
        help="Only what this recipe, as it is now, has in the store.",
        show_default=False,
    ),
]
Replace = Annotated[
    bool,
    typer.Option(
        "--replace",
        help="Upload also what is there: mends what is damaged, and puts these results in the place of "
        "others of the same computations.",
    ),
]
Formats = Annotated[
    list[str] | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="Take outputs in this format of your own too, which must be safe to load from anywhere; "
        "may be given several times.",
        show_default=False,
    ),
]


def push(
    ctx: typer.Context,
    remote: RemoteArgument,
    nodes: PushedNodes = None,
    recipe: OfRecipe = None,
    overrides: Overrides = NONE,
    replace: Replace = False,
    is_dry: DryRun = False,
    as_json: Json = False,
) -> None:
    """Copy results to a remote: what recipes use as they are and the newest of every node.

    Only what is not there is copied.

    Examples: mlrecipe cache push s3://team/results; mlrecipe cache push /mnt/share/results --recipe imdb.toml
    """
    from mlrecipe.store.remote import Remote

    began = time.perf_counter()
    session = looked_at(Session.in_folder() if recipe is None else Session.of(recipe))
    if recipe is None and overrides != NONE:
        raise RequestError("a recipe is changed, but none is named", hint="name it with --recipe")
    _check_remote(remote, session, f"cache push REMOTE {remote}")
    if recipe is None:
        chosen = _newest(session, nodes or ())
    else:
        chosen = _of_recipe(session, nodes or (), overrides, ctx.obj)
    done = Done()
    place = Remote(remote, told=done.add)
    using = nullcontext() if is_dry or not chosen else session.store.using(chosen)
    with live(ctx.obj), using:
        done.begin("push", chosen, f"to {place.shown}")
        if chosen and not is_dry:
            place.make()
        moved = [
            place.push(session.store, record, replace=replace, is_dry=is_dry) for record in chosen
        ]
    rows = [row(m.record.node if m.record else "", m) for m in moved]
    report(rows, place.shown, ctx.obj, as_json=as_json, is_dry=is_dry, began=began)
    if any(m.status == "damaged" for m in moved):
        raise typer.Exit(1)


def pull(
    ctx: typer.Context,
    remote: RemoteArgument,
    recipe: RecipeArgument,
    nodes: PulledNodes = None,
    overrides: Overrides = NONE,
    formats: Formats = None,
    is_dry: DryRun = False,
    as_json: Json = False,
) -> None:
    """Copy from a remote what preparing a recipe would otherwise compute.

    Every byte is compared with the hash of what was written. What is damaged or missing there is computed.

    Example: mlrecipe cache pull s3://team/results imdb.toml
    """
    from mlrecipe.pipeline import sharing
    from mlrecipe.store.remote import Remote

    began = time.perf_counter()
    session = Session.of(recipe)
    check(session)
    _check_remote(remote, session, f"cache pull REMOTE {recipe} {remote}")
    request = session.open(overrides, settings=ctx.obj)
    _check_formats(formats or (), request.catalog.names("format"))
    if not is_dry:
        request = session.pin(request, settings=ctx.obj, nodes=nodes or (), with_stages=False)
    done = Done()
    place = Remote(remote, formats=formats or (), told=done.add)
    with live(ctx.obj):
        if not place.is_there:
            events.emit(events.Note(f"nothing was ever pushed to {place.shown}", level="warning"))
        offer = sharing.look(request, session.store, place, nodes=nodes or ())
        needed = [offer.records[name] for name in offer.needed()]
        lacking = [record for record in needed if session.store.damage(record)]
        done.begin("pull", lacking, f"from {place.shown}")
        got = sharing.take(offer, request, session.store, place, is_dry=is_dry)
    report(
        [row(g.node, g) for g in got], place.shown, ctx.obj,
        as_json=as_json, is_dry=is_dry, began=began,
    )  # fmt: skip


def _check_formats(given: Collection[str], known: Collection[str]) -> None:
    for name in given:
        if name not in known:
            raise RequestError(f"--format: no format {name!r}", hint=did_you_mean(name, known))


def _check_remote(remote: str, session: Session, meant: str) -> None:
    """Refuse what is no remote: a node, unless there is such a folder, a file, the store itself.

    Raises:
        RequestError: it is one of these.
    """
    from mlrecipe.pipeline import roots

    if "://" in remote:
        return
    path = Path(remote).expanduser()
    if not remote.strip() or path.is_file():
        what = "is a file, not a remote" if remote.strip() else "is no remote"
        raise RequestError(
            f"{remote!r} {what}", hint="name a folder, or a URL such as s3://bucket/x"
        )
    if path.is_dir() and session.store.root.is_dir() and path.samefile(session.store.root):
        raise RequestError(f"the remote {remote!r} is the store of this project itself")
    if "/" in remote or path.is_dir():
        return
    if remote in roots.known_nodes(session.store, session.project):
        raise RequestError(
            f"{remote!r} is a node, not a remote",
            hint=f"mlrecipe {meant}, where REMOTE is a URL or a folder such as ./{remote}",
        )


def _newest(session: Session, nodes: Collection[str]) -> list[Record]:
    """What each node of each recipe uses as it is, and its newest result, but for those of shards."""
    from mlrecipe.pipeline import roots
    from mlrecipe.store import usage

    found = usage.census(session.store)
    used = roots.current(session.store, session.project, found)
    known = {node for _, node in [*found.newest, *used] if usage.whole(node) == node}
    for node in nodes:
        if node not in known:
            raise RequestError(f"nothing is stored of {node!r}", hint=did_you_mean(node, known))
    pairs = [*found.newest.items(), *((key, f) for key, prints in used.items() for f in prints)]
    chosen = {
        f: None for (_, node), f in pairs if (not nodes or node in nodes) and f in found.entries
    }
    records = [found.entries[fingerprint].record for fingerprint in chosen]
    return sorted(
        (record for record in records if "shard" not in record.parts),
        key=lambda record: record.created,
    )


def _of_recipe(
    session: Session, nodes: Collection[str], overrides: Overrides, settings: Settings
) -> list[Record]:
    """The stored results of a recipe as it is now; says which nodes have none."""
    from mlrecipe.pipeline.plan import plan

    request = session.open(overrides, settings=settings)
    steps = plan(request, session.store, nodes=nodes).steps
    lacking = [step.node.name for step in steps if step.record is None]
    if lacking and not settings.is_quiet:
        render.say(f"not in the store: {', '.join(lacking)}; prepare the recipe first")
    return [step.record for step in steps if step.record is not None]
