"""Schedules: which jobs of a plan can be begun, and what becomes of the rest as others end."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace

from mlrecipe import events
from mlrecipe.errors import MlrecipeError
from mlrecipe.interfaces import Fingerprint
from mlrecipe.pipeline import jobs
from mlrecipe.pipeline.jobs import Job, Outcome
from mlrecipe.pipeline.plan import Plan, Step, fingerprint_of, settled
from mlrecipe.pipeline.request import Request
from mlrecipe.pipeline.results import Results
from mlrecipe.store.records import Record
from mlrecipe.store.store import Store


class Schedule:
    """Gives jobs in the order of the plan, as soon as what they need is there; fills the results."""

    def __init__(self, plan: Plan, request: Request, store: Store, results: Results) -> None:
        self._request = request
        self._store = store
        self._results = results
        self._waiting = {step.node.name: step for step in plan.steps}
        self._ready: deque[Job] = deque()
        self._begun: set[Fingerprint] = set()
        """Nodes that are being worked on: an equal one waits, and is then a hit."""
        self._missing: dict[str, tuple[Job, set[Fingerprint]]] = {}
        """Node → its job, and those of its shards that are not done."""

    def next(self) -> Job | None:
        """A job that can be begun now; None when there is none before others end."""
        while not self._ready and self._advance():
            pass
        return self._ready.popleft() if self._ready else None

    def end(self, outcome: Outcome) -> None:
        """Take note of how a job ended."""
        job, name = outcome.job, outcome.job.step.node.name
        if outcome.error is not None:
            self._fail(job, outcome.error)
        elif job.shard is not None:
            self._end_shard(job)
        elif outcome.record is not None:
            self._begun.discard(job.fingerprint)
            self._results.records[name] = outcome.record
            if outcome.ran:
                self._results.ran.append(name)

    def _advance(self) -> bool:
        """Move the first step on that can be; whether there was one."""
        for name, step in self._waiting.items():
            if self._is_lost(step):
                self._results.skipped.append(name)
            elif not self._begin(step):
                continue
            del self._waiting[name]
            return True
        return False

    def _is_lost(self, step: Step) -> bool:
        gone = self._results.failures.keys() | set(self._results.skipped)
        return any(i.node in gone for i in step.node.inputs)

    def _begin(self, step: Step) -> bool:
        """Find the step's result or make its jobs ready; False where it has to wait."""
        inputs = self._inputs(step)
        if inputs is None:
            return False
        fingerprint = fingerprint_of(step, inputs)
        if fingerprint in self._begun:
            return False
        job = jobs.job_for(step, inputs, fingerprint)
        try:
            self._find_or_prepare(job)
        except MlrecipeError as error:
            self._fail(job, error)
        return True

    def _inputs(self, step: Step) -> Mapping[str, Record] | None:
        """The records of the step's inputs, if all are there."""
        records = self._results.records
        names = [i.node for i in step.node.inputs]
        return {name: records[name] for name in names} if records.keys() >= set(names) else None

    def _find_or_prepare(self, job: Job) -> None:
        planned = job.step.record
        is_planned = planned is not None and planned.fingerprint == job.fingerprint
        found = planned if is_planned else jobs.stored(job, self._store)
        if found is not None:
            jobs.reuse(job, self._request, self._store, found)
            self._results.records[job.step.node.name] = found
            return
        self._begun.add(job.fingerprint)
        job = replace(job, step=settled(job.step, self._request, self._store, job.inputs))
        missing = [piece for piece in job.pieces if jobs.stored(piece, self._store) is None]
        if missing:
            self._missing[job.step.node.name] = job, {piece.fingerprint for piece in missing}
        self._ready.extend(missing or [job])

    def _end_shard(self, shard: Job) -> None:
        name = shard.step.node.name
        if name in self._missing:  # else another of its shards failed
            job, missing = self._missing[name]
            missing.discard(shard.fingerprint)
            if not missing:
                del self._missing[name]
                self._ready.appendleft(job)

    def _fail(self, job: Job, error: MlrecipeError) -> None:
        """Note a failure; nothing more of that node is begun."""
        name = job.step.node.name
        events.emit(events.NodeFailed(job.label, str(error)))
        whole, _ = self._missing.pop(name, (job, set()))
        self._begun.discard(whole.fingerprint)
        self._ready = deque(other for other in self._ready if other.step.node.name != name)
        if name not in self._results.failures:
            self._results.failures[name] = error
            if job.shard is not None:
                events.emit(events.NodeFailed(name, str(error)))
