"""`mlrecipe plan` and `mlrecipe prepare`: what the data graph would do, and doing it."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlrecipe.cli import render
from mlrecipe.cli.amounts import counted
from mlrecipe.cli.options import NONE, Force, Jobs, Json, Limit, RecipeArgument, Update, limited
from mlrecipe.cli.session import Session, Settings
from mlrecipe.cli.statistics import of_output, show_statistics, warn
from mlrecipe.pipeline.plan import Plan, Step
from mlrecipe.pipeline.plan import plan as make_plan
from mlrecipe.pipeline.request import Request
from mlrecipe.recipe.schema import Overrides
from mlrecipe.store.records import Record

if TYPE_CHECKING:
    from mlrecipe.cli.live import Series
    from mlrecipe.pipeline.derived import Foreseen

Nodes = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NODE]...",
        help="Only these nodes and what they need; all by default.",
        show_default=False,
    ),
]

_COLORS = {"hit": "green", "run": "yellow", "maybe": "cyan"}


def plan(
    ctx: typer.Context,
    recipe: RecipeArgument,
    nodes: Nodes = None,
    overrides: Overrides = NONE,
    limit: Limit = None,
    force: Force = None,
    as_json: Json = False,
) -> None:
    """Show what prepare would do and why; runs nothing.

    hit: the output is in the store. run: it will run. maybe: that depends on what an input gives.

    Example: mlrecipe plan imdb.toml --set nodes.tokens.max_length=64
    """
    from mlrecipe.pipeline.derived import foresee
    from mlrecipe.pipeline.standing import told

    session = Session.of(recipe)
    request = session.open(limited(overrides, limit), settings=ctx.obj)
    planned = make_plan(request, session.store, nodes=nodes or (), force=force or ())
    if not all(external.commit for _, external in request.on_hub()):
        from mlrecipe.pipeline.hub import hedged

        planned = hedged(planned, is_offline=ctx.obj.is_offline)
    foreseen = [] if nodes else list(foresee(request, session.store, planned))
    planned = told(planned, session.store)
    if as_json:
        steps = [*map(_step, planned.steps), *map(_derived, foreseen)]
        render.document({"recipe": request.name, "steps": steps})
        return
    if not planned.steps:
        render.out(f"{session.shown} has no nodes")
        return
    lines = [(step.node.name, step.status, step.reasons) for step in planned.steps]
    lines += [(item.name, item.status, item.reasons) for item in foreseen]
    width = max(len(name) for name, *_ in lines)
    for name, status, reasons in lines:
        colored = render.styled(f"{status:<5}", _COLORS[status])
        render.out(f"  {name:<{width}}  {colored}  {_reasons(reasons)}")
    if not ctx.obj.is_quiet:
        for line in _wholes(planned):
            render.say(line)


def _wholes(planned: Plan) -> list[str]:
    """Modules of which every change counts, because something in them cannot be followed."""
    found: dict[str, list[str]] = {}
    for step in planned.steps:
        for file, why in step.parts.get("whole", {}).items():
            found.setdefault(f"{file} counts as a whole ({why} cannot be followed)", []).append(
                step.node.name
            )
    return [f"note: {what}, for {', '.join(names)}" for what, names in found.items()]


def prepare(
    ctx: typer.Context,
    recipe: RecipeArgument,
    nodes: Nodes = None,
    overrides: Overrides = NONE,
    limit: Limit = None,
    force: Force = None,
    update: Update = False,
    jobs: Jobs = 1,
) -> None:
    """Run the data graph: only what is not in the store.

    Example: mlrecipe prepare imdb.toml
    """
    session = Session.of(recipe)
    request = session.open(limited(overrides, limit), settings=ctx.obj)
    request = session.pin(
        request, settings=ctx.obj, update=update, nodes=nodes or (), with_stages=False
    )
    records = carry_out(session, request, ctx.obj, nodes=nodes or (), force=force or (), jobs=jobs)
    report(session, records)


def report(session: Session, records: Mapping[str, Record], *, has_tables: bool = True) -> None:
    """Print what the recipe's nodes of the op `statistics` found; without tables only what they warn of."""
    for name, record in records.items():
        if record.op == "statistics":
            value = session.store.load(record)
            if has_tables:
                show_statistics(name, value)
            elif found := of_output(record.op, value):
                warn(name, found)


def carry_out(
    session: Session,
    request: Request,
    settings: Settings,
    *,
    nodes: Collection[str] = (),
    force: Collection[str] = (),
    jobs: int = 1,
    series: Series | None = None,
) -> Mapping[str, Record]:
    """Plan and execute; says in one line what was done, or nothing where it is one of a series.

    Raises:
        MlrecipeError: a node failed; what finished is in the store.
    """
    began = time.perf_counter()
    planned = make_plan(request, session.store, nodes=nodes, force=force)
    if planned.is_done:
        session.remember()
        if settings.is_verbose:
            for step in planned.steps:
                render.say(f"{step.node.name}: in the store ({_reasons(step.reasons)})")
        if not settings.is_quiet and series is None:
            render.say(f"{session.shown}: {counted(len(planned.steps), 'node')}, all in the store")
        found = {step.node.name: step.record for step in planned.steps if step.record is not None}
        session.store.note_uses(found, recipe=request.name)
        return found
    hits = [step.record for step in planned.steps if step.record is not None]
    with session.store.using(hits) as is_there:
        if not is_there:  # gone for long and not needed, or a gc was quicker
            planned = make_plan(request, session.store, nodes=nodes, force=force)
        return _execute(session, request, settings, planned, began, jobs, series)


def _execute(
    session: Session, request: Request, settings: Settings, planned: Plan, began: float,
    jobs: int, series: Series | None,
) -> Mapping[str, Record]:  # fmt: skip
    from mlrecipe.cli.live import live
    from mlrecipe.pipeline.execute import execute
    from mlrecipe.pipeline.secrets import check_secrets

    todo = [step.node.name for step in planned.steps if step.status != "hit"]
    check_secrets(request, [request.graph.nodes[name].path for name in todo])
    session.load_plugins(request)
    session.store.tidy()
    session.store.told.clear()  # while the work was planned nobody listened
    with live(settings, series):
        results = execute(planned, request, session.store, jobs=jobs)
    session.remember()
    hits = len(results.records) - len(results.ran)
    parts = [f"{len(results.ran)} run", f"{hits} in the store"]
    if results.failures:
        parts.append(f"{len(results.failures)} failed, {len(results.skipped)} not reached")
    seconds = render.duration(time.perf_counter() - began)
    if not settings.is_quiet and series is None:
        count = counted(len(planned.steps), "node")
        render.say(f"{session.shown}: {count} ({', '.join(parts)}) in {seconds}")
    results.raise_failures()
    return results.records


def _step(step: Step) -> dict[str, Any]:
    return {
        "node": step.node.name,
        "op": step.node.spec.use,
        "status": step.status,
        "reasons": list(step.reasons),
        "fingerprint": step.record.fingerprint if step.record else None,
        "whole_modules": dict(step.parts.get("whole", {})),
    }


def _derived(item: Foreseen) -> dict[str, Any]:
    """A value that training derives, as a step."""
    return {
        "node": item.name,
        "op": item.name.partition("(")[0],
        "status": item.status,
        "reasons": list(item.reasons),
        "fingerprint": item.record.fingerprint if item.record else None,
        "whole_modules": {},
    }


def _reasons(reasons: Sequence[str]) -> str:
    shown = list(reasons[:4])
    if len(reasons) > 4:
        shown.append(f"and {len(reasons) - 4} more")
    return "; ".join(shown)
