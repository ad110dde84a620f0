"""Execution: running the steps of a plan, each result committed as it is there."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from mlrecipe import events
from mlrecipe.errors import DataError, MlrecipeError, OpError, RecipeError
from mlrecipe.graph import externals
from mlrecipe.graph.graph import Node
from mlrecipe.interfaces import Fingerprint
from mlrecipe.pipeline import blame
from mlrecipe.pipeline.plan import Plan, Step, fingerprint_of, parts_with_inputs
from mlrecipe.pipeline.request import Request
from mlrecipe.recipe.deferred import reveal
from mlrecipe.registry import registries
from mlrecipe.store.records import Computation, Record
from mlrecipe.store.store import Store


@dataclass(slots=True)
class Results:
    """What executing a plan gave."""

    records: dict[str, Record] = field(default_factory=dict)
    """Node → record, for every node that has one."""

    ran: list[str] = field(default_factory=list)
    """Nodes whose op ran, in order."""

    failures: dict[str, MlrecipeError] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    """Nodes not run because one that they need failed."""

    def raise_failures(self) -> None:
        """Raise what went wrong, if anything did.

        Raises:
            MlrecipeError: the failure, or one error with all of them.
        """
        errors = list(self.failures.values())
        if len(errors) == 1:
            raise errors[0]
        if errors and all(isinstance(error, RecipeError) for error in errors):
            raise RecipeError([p for e in errors if isinstance(e, RecipeError) for p in e.problems])
        if errors:
            raise OpError("\n".join(str(error) for error in errors))


def execute(plan: Plan, request: Request, store: Store) -> Results:
    """Run what the plan says has to run; plugins must have been loaded.

    A node that fails does not stop the others: only what needs it is skipped. Every output is in the store
    as soon as its op is done, so that an interrupted execution goes on where it was.
    """
    results = Results()
    for step in plan.steps:
        if any(i.node not in results.records for i in step.node.inputs):
            results.skipped.append(step.node.name)
            continue
        try:
            results.records[step.node.name] = _settle(step, request, store, results)
        except MlrecipeError as error:
            results.failures[step.node.name] = error
            events.emit(events.NodeFailed(step.node.name, str(error)))
    return results


def _settle(step: Step, request: Request, store: Store, results: Results) -> Record:
    """The record of a step: the stored one where it may be reused, else a new one."""
    fingerprint = fingerprint_of(step, results.records)
    planned = step.record
    if planned is not None and planned.fingerprint == fingerprint:
        return _reuse(step, request, store, planned)
    if (record := _reusable(step, store, fingerprint)) is not None:
        return _reuse(step, request, store, record)
    began = _now()
    with store.lock(fingerprint, node=step.node.name):
        record = _made_meanwhile(step, store, fingerprint, began)
        if record is not None:
            return _reuse(step, request, store, record)
        record = _run(step, request, store, results, fingerprint)
    results.ran.append(step.node.name)
    _tell(step, "run", record)
    return record


def _reuse(step: Step, request: Request, store: Store, record: Record) -> Record:
    latest = store.latest(request.name, step.node.name)
    if latest is None or latest.fingerprint != record.fingerprint:
        store.note_use(record, recipe=request.name, node=step.node.name)
    _tell(step, "hit", record)
    return record


def _reusable(step: Step, store: Store, fingerprint: Fingerprint) -> Record | None:
    if step.is_forced or not step.node.is_cached:
        return None
    return store.record(fingerprint)


def _made_meanwhile(
    step: Step, store: Store, fingerprint: Fingerprint, began: str
) -> Record | None:
    """What another process made while this one waited for it."""
    record = store.record(fingerprint) if step.node.is_cached else None
    if step.is_forced and record is not None and record.created < began:
        return None
    return record


def _run(
    step: Step, request: Request, store: Store, results: Results, fingerprint: Fingerprint
) -> Record:
    node = step.node
    outside = [external for items in node.externals.values() for external in items]
    before = externals.stamps(outside)
    events.emit(events.NodeStarted(node.name, "; ".join(step.reasons)))
    started, cpu = time.perf_counter(), time.process_time()
    with store.scratch() as scratch:  # until the output is stored: it may be mapped from there
        value = _attempt(node, request, store, results.records, scratch)
        _check_unchanged(node, before, externals.stamps(outside))
        computation = Computation(
            fingerprint=fingerprint,
            own=step.own,
            parts=parts_with_inputs(step, results.records),
            recipe=request.name,
            node=node.name,
            op=node.spec.use,
            created=_now(),
            seconds=time.perf_counter() - started,
            cpu_seconds=time.process_time() - cpu,
        )
        return _publish(store, value, computation, replace=step.is_forced or not node.is_cached)


def _attempt(
    node: Node, request: Request, store: Store, records: Mapping[str, Record], scratch: Path
) -> Any:
    """What the op returns; what it raises becomes an error that names the node."""
    try:
        return _call(node, store, records, scratch)
    except DataError as error:
        raise _placed(error, node, request) from error
    except MlrecipeError:
        raise
    except Exception as error:
        raise _failed(error, node, request.loaded.project) from error


def _check_unchanged(
    node: Node, before: Mapping[str, str | None], after: Mapping[str, str | None]
) -> None:
    changed = [path for path, text in after.items() if text != before[path]]
    if changed:
        raise OpError(
            f"node {node.name!r}: {changed[0]!r} changed while it was read; nothing was recorded",
            hint="run again once the file is at rest",
        )


def _publish(store: Store, value: Any, computation: Computation, *, replace: bool) -> Record:
    try:
        return store.publish(value, computation, replace=replace)
    except DataError as error:  # the op gave what cannot be stored
        message = f"node {computation.node!r} (op {computation.op!r}): {error.message}"
        raise OpError(message, hint=error.hint) from error


def _call(node: Node, store: Store, records: Mapping[str, Record], scratch: Path) -> Any:
    function = registries["op"].get(node.spec.use)
    values = [_input(store, records[i.node], i.entry, node) for i in node.inputs]
    arguments: dict[str, Any] = copy.deepcopy(reveal(node.arguments))
    if "scratch" in node.found.signature.params:
        arguments["scratch"] = scratch
    try:
        return function(*values, **arguments)
    except SystemExit as error:  # an op does not decide how the command ends
        raise OpError(
            f"node {node.name!r} (op {node.spec.use!r}) called sys.exit({error.code!r})"
        ) from error


def _input(store: Store, record: Record, entry: str, node: Node) -> Any:
    """A fresh copy of an input: what one node does to it no other ever sees."""
    value = store.load(record)
    if not entry:
        return value
    try:
        return value[entry]
    except (KeyError, TypeError, IndexError):
        known = ", ".join(map(str, value)) if isinstance(value, Mapping) else "none"
        raise DataError(
            f"the output of {record.node!r} has no entry {entry!r}; it has: {known}", key="inputs"
        ) from None


def _placed(error: DataError, node: Node, request: Request) -> RecipeError:
    """The error of an op about its data, at the place of the parameter that it names."""
    path = ("nodes", node.name) + ((error.key,) if error.key else ())
    message = f"{error.message}; {error.hint}" if error.hint else error.message
    problem = request.tree.problem(path, message)
    return RecipeError([problem], subject=request.tree.layers[-1].name)


def _failed(error: Exception, node: Node, project: Path) -> OpError:
    """The error of an op's own code, with the line of the project where it came from."""
    return OpError(
        f"node {node.name!r} (op {node.spec.use!r}) failed at {blame.cause_of(error, project)}",
        hint=blame.HINT,
    )


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="microseconds")


def _tell(step: Step, status: str, record: Record) -> None:
    rows = record.summary.get("rows") or {}
    total = sum(rows.values()) if rows else None
    events.emit(events.NodeFinished(step.node.name, status, record.seconds, total))
