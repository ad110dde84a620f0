"""Execution: running the steps of a plan, each result committed as it is there."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from mlrecipe.pipeline.jobs import Job, Outcome, settle
from mlrecipe.pipeline.plan import Plan
from mlrecipe.pipeline.request import Request
from mlrecipe.pipeline.results import Results
from mlrecipe.pipeline.schedule import Schedule
from mlrecipe.pipeline.share import cores
from mlrecipe.store.store import Store

__all__ = ["Results", "execute"]


class Crew(Protocol):
    """Whoever works jobs out."""

    @property
    def has_room(self) -> bool:
        """Whether another job can be begun."""

    @property
    def is_idle(self) -> bool:
        """Whether no job is begun that has not ended."""

    def begin(self, job: Job) -> None:
        """Begin a job; there must be room."""

    def wait(self) -> list[Outcome]:
        """The outcomes of the jobs that end next, at least one."""


def execute(plan: Plan, request: Request, store: Store, *, jobs: int = 1) -> Results:
    """Run what the plan says has to run; plugins must have been loaded.

    A node that fails does not stop the others: only what needs it is skipped. Every output is in the store
    as soon as its op is done, so that an interrupted execution goes on where it was.

    Args:
        plan: what to do.
        request: the recipe that it is the plan of.
        store: where results go.
        jobs: how many nodes or shards may run at once; 0: as many as there are cores. With more than one
            they run in processes of their own, even a single one; those open the same recipe anew.
    """
    results = Results()
    schedule = Schedule(plan, request, store, results)
    with _crew(plan, request, store, jobs or cores()) as crew:
        while True:
            while crew.has_room and (job := schedule.next()) is not None:
                crew.begin(job)
            if crew.is_idle:
                break
            for outcome in crew.wait():
                schedule.end(outcome)
    results.sort(plan)
    return results


def _crew(plan: Plan, request: Request, store: Store, jobs: int) -> AbstractContextManager[Crew]:
    at_most = sum(step.node.spec.shards for step in plan.steps if step.status != "hit")
    if jobs == 1 or not at_most:
        return nullcontext(_Here(request, store))
    from mlrecipe.pipeline.workers import Workers

    return Workers(min(jobs, at_most), request, store)


class _Here:
    """Works one job at a time out, in this process."""

    def __init__(self, request: Request, store: Store) -> None:
        self._request = request
        self._store = store
        self._job: Job | None = None

    @property
    def has_room(self) -> bool:
        return self._job is None

    @property
    def is_idle(self) -> bool:
        return self._job is None

    def begin(self, job: Job) -> None:
        self._job = job

    def wait(self) -> list[Outcome]:
        assert self._job is not None
        outcome = settle(self._job, self._request, self._store)
        self._job = None
        return [outcome]
