"""Jobs: the computations that a plan calls for, a node's or a shard's, each worked out and stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from mlrecipe import events
from mlrecipe.errors import DataError, MlrecipeError, OpError
from mlrecipe.graph import externals
from mlrecipe.interfaces import Fingerprint
from mlrecipe.pipeline import shards
from mlrecipe.pipeline.calls import call, placed
from mlrecipe.pipeline.cost import Cost, Meter, gone_by
from mlrecipe.pipeline.plan import Step, parts_with_inputs
from mlrecipe.pipeline.request import Request
from mlrecipe.pipeline.shards import Shard
from mlrecipe.store.records import Computation, Record
from mlrecipe.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One computation to have in the store."""

    step: Step
    inputs: Mapping[str, Record]
    """Node → record, for the node's inputs."""

    fingerprint: Fingerprint
    shard: Shard | None = None
    """The part of the node that it is; None for all of it."""

    since: str = ""
    """UTC time in ISO format before which a stored result does not count: for what is forced or never
    cached; empty where any counts."""

    @property
    def label(self) -> str:
        """What it is called in events and records: `tokens`, `tokens[2/7]`."""
        name = self.step.node.name
        return f"{name}[{self.shard}]" if self.shard else name

    @property
    def pieces(self) -> Iterator[Job]:
        """The jobs of the node's shards, none where it runs whole."""
        for shard in shards.shards_of(self.step, self.inputs):
            print_ = shards.fingerprint(self.step, self.inputs, shard)
            yield replace(self, fingerprint=print_, shard=shard)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a job ended: with a record or with an error."""

    job: Job
    record: Record | None = None
    ran: bool = False
    """Whether anything was computed for it."""

    error: MlrecipeError | None = None


def job_for(step: Step, inputs: Mapping[str, Record], fingerprint: Fingerprint) -> Job:
    """The job that makes a step's output now."""
    is_made_anew = step.is_forced or not step.node.is_cached
    since = now() if is_made_anew else ""
    return Job(step=step, inputs=inputs, fingerprint=fingerprint, since=since)


def settle(job: Job, request: Request, store: Store) -> Outcome:
    """Have the job's result in the store, computing it unless another process does meanwhile."""
    try:
        with store.lock(job.fingerprint, node=job.label):
            found = stored(job, store)
            if found is not None:
                reuse(job, request, store, found)
                return Outcome(job=job, record=found)
            record = _run(job, request, store)
        _tell(job, "run", record)
    except MlrecipeError as error:
        return Outcome(job=job, error=error)
    return Outcome(job=job, record=record, ran=True)


def stored(job: Job, store: Store) -> Record | None:
    """The job's result, if it is in the store already and counts."""
    if not job.step.node.is_cached and job.shard is None:
        return None
    record = store.record(job.fingerprint)
    return None if record is None or record.created < job.since else record


def reuse(job: Job, request: Request, store: Store, record: Record) -> None:
    """Note that a stored result is the job's."""
    latest = store.latest(request.name, job.label)
    if latest is None or latest.fingerprint != record.fingerprint:
        store.note_use(record, recipe=request.name, node=job.label)
    _tell(job, "hit", record)


def now() -> str:
    """The time, as records have it."""
    return datetime.now(timezone.utc).isoformat(timespec="microseconds")


def _run(job: Job, request: Request, store: Store) -> Record:
    node = job.step.node
    outside = [external for items in node.externals.values() for external in items]
    before = externals.stamps(outside)
    _check_planned(job, store)
    reasons = "; ".join(job.step.reasons)
    events.emit(events.NodeStarted(job.label, reasons))
    meter = Meter()
    with _scratch(job, store) as scratch:  # until the output is stored: it may be mapped from there
        made = [] if job.shard else _made(job, request, store)
        meter = Meter() if made else meter
        value = _value(job, request, store, made, scratch)
        _check_unchanged(job, before, externals.stamps(outside))
        computation = _computation(job, request, _together(meter.read(), made))
        return _publish(store, value, computation, replace=bool(job.since))


def _scratch(job: Job, store: Store) -> AbstractContextManager[Path | None]:
    """A folder for the op, if it takes one: making and removing one costs as much as a small op."""
    return store.scratch() if "scratch" in job.step.node.found.signature.params else nullcontext()


def _made(job: Job, request: Request, store: Store) -> list[Record]:
    """The records of the node's shards; those that are not in the store are made here."""
    records = []
    for piece in job.pieces:
        found = stored(piece, store)
        outcome = Outcome(job=piece, record=found) if found else settle(piece, request, store)
        if outcome.record is None:
            assert outcome.error is not None
            raise outcome.error
        records.append(outcome.record)
    return records


def _value(
    job: Job, request: Request, store: Store, made: list[Record], scratch: Path | None
) -> Any:
    node = job.step.node
    if not made:
        return call(node, request, store, job.inputs, scratch=scratch, shard=job.shard)
    try:
        return shards.join([store.load(record) for record in made])
    except DataError as error:
        named = DataError(error.message, key="shards", hint=error.hint)
        raise placed(named, node, request) from error


def _computation(job: Job, request: Request, cost: Cost) -> Computation:
    step, shard = job.step, job.shard
    parts = parts_with_inputs(step, job.inputs)
    return Computation(
        fingerprint=job.fingerprint,
        own=shards.own(step, shard) if shard else step.own,
        parts=parts | {"shard": [shard.index + 1, shard.count]} if shard else parts,
        recipe=request.name,
        node=job.label,
        op=step.node.spec.use,
        created=now(),
        seconds=cost.seconds,
        cpu_seconds=cost.cpu_seconds,
        peak_bytes=cost.peak_bytes,
    )


def _check_planned(job: Job, store: Store) -> None:
    """Refuse what changed between the plan, which has its digest, and now: other nodes may have run long."""
    node, planned = job.step.node, job.step.parts["files"]
    named = {key: [externals.again(e) for e in items] for key, items in node.externals.items()}
    found = externals.covered(named, store.memo)
    for key, pairs in found.items():
        differing = {
            name for name, _ in {tuple(p) for p in pairs} ^ {tuple(p) for p in planned[key]}
        }
        if differing:
            raise OpError(
                f"node {job.label!r}: {min(differing)!r} of {key!r} changed since the work was planned; "
                "nothing was recorded",
                hint="run again once the file is at rest",
            )


def _check_unchanged(
    job: Job, before: Mapping[str, str | None], after: Mapping[str, str | None]
) -> None:
    if changed := externals.changed(before, after):
        raise OpError(
            f"node {job.label!r}: {changed[0]!r} changed while it was read; nothing was recorded",
            hint="run again once the file is at rest",
        )


def _publish(store: Store, value: Any, computation: Computation, *, replace: bool) -> Record:
    try:
        return store.publish(value, computation, replace=replace)
    except DataError as error:  # the op gave what cannot be stored
        message = f"node {computation.node!r} (op {computation.op!r}): {error.message}"
        raise OpError(message, hint=error.hint) from error


def _together(joining: Cost, made: list[Record]) -> Cost:
    """Of CPU time the sum, of memory the most; of wall time what went by, for shards may run at once."""
    costs: list[Cost | Record] = [joining, *made]
    peaks = [cost.peak_bytes for cost in costs if cost.peak_bytes is not None]
    return Cost(
        seconds=joining.seconds + gone_by(map(_span, made)),
        cpu_seconds=sum(cost.cpu_seconds for cost in costs),
        peak_bytes=max(peaks) if len(peaks) == len(costs) else None,
    )


def _span(record: Record) -> tuple[float, float]:
    end = datetime.fromisoformat(record.created).timestamp()
    return end - record.seconds, end


def _tell(job: Job, status: str, record: Record) -> None:
    rows = record.summary.get("rows") or {}
    total = sum(rows.values()) if rows else None
    events.emit(events.NodeFinished(job.label, status, record.seconds, total))
