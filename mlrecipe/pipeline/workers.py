"""Workers, as their driver sees them: processes that work jobs out, and end with it, however it ends."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import IO, Any

from mlrecipe import events
from mlrecipe.errors import MlrecipeError, OpError, StoreError
from mlrecipe.pipeline import blame, share, wire
from mlrecipe.pipeline.jobs import Job, Outcome
from mlrecipe.pipeline.request import Request
from mlrecipe.store.outputs import VERIFY
from mlrecipe.store.store import Store

GRACE = 3.0
"""Seconds that a worker has for leaving things tidy once it is told to stop."""

_POLL = 0.5
"""Seconds between two looks at whether a worker is alive, beside listening to it."""

_CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT)
"""What code that trusts its input may die of."""

# The driver's own path for modules, and not its folder: a file there may be called like any library.
_START = (
    "import sys; sys.path[:] = sys.argv[1:]; sys.argv[1:] = []; "
    "from mlrecipe.pipeline import worker; worker.main()"
)


class Workers:
    """Up to `limit` workers, each started when there is a job that no other is free for."""

    def __init__(self, limit: int, request: Request, store: Store) -> None:
        self._limit = limit
        self._request = request
        self._store = store
        self._workers: list[_Worker] = []
        self._waiting: list[Job] = []
        """Begun, but there was no process to be had for it."""
        self._lost: list[Outcome] = []
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self._dismiss()
        finally:
            self._stop()
            self._selector.close()

    @property
    def has_room(self) -> bool:
        """Whether another job can be begun."""
        if self._waiting or self._lost:
            return False
        return self._free() is not None or len(self._workers) < self._limit

    @property
    def is_idle(self) -> bool:
        """Whether no job is begun that has not ended."""
        is_free = all(worker.job is None for worker in self._workers)
        return is_free and not self._waiting and not self._lost

    def begin(self, job: Job) -> None:
        """Begin a job; there must be room."""
        while (worker := self._free()) is not None:
            with contextlib.suppress(BrokenPipeError):
                worker.begin(job)
                return
            self._drop(worker)  # it has died since its last job
        try:
            worker = _Worker(
                self._request, self._store, threads=max(1, share.cores() // self._limit)
            )
        except OSError as error:
            self._go_without(job, error.strerror or str(error))
            return
        self._workers.append(worker)
        self._selector.register(worker.output, selectors.EVENT_READ, worker)
        with contextlib.suppress(BrokenPipeError):  # then `wait` finds it dead
            worker.begin(job)

    def wait(self) -> list[Outcome]:
        """The outcomes of the jobs that end next, at least one; tells meanwhile what happens."""
        outcomes, self._lost = self._lost, []
        outcomes = outcomes or self._listen()
        if self._waiting:
            self.begin(self._waiting.pop())
        return outcomes

    def _listen(self) -> list[Outcome]:
        while True:
            ended = [worker for worker in self._workers if worker.has_ended]
            heard = [key.data for key, _ in self._selector.select(_POLL)]
            outcomes = [outcome for worker in heard for outcome in worker.listen()]
            # A process that a dead worker left behind may keep its pipe open: then nothing is heard.
            for worker in [
                w for w in self._workers if w.is_closed or (w in ended and w not in heard)
            ]:
                outcomes += worker.lost()
                self._drop(worker)
            if outcomes:
                return outcomes

    def _go_without(self, job: Job, why: str) -> None:
        """Have the job wait for one of the processes that there are; where there is none, it has failed."""
        if self._workers:
            self._limit = len(self._workers)
            self._waiting.append(job)
            text = f"no more than {self._limit} of the processes can be started ({why})"
            events.emit(events.Note(text, level="warning"))
            return
        error = OpError(
            f"node {job.label!r}: no process can be started for it: {why}",
            hint="without --jobs it needs none",
        )
        self._lost.append(Outcome(job=job, error=error))

    def _free(self) -> _Worker | None:
        return next((worker for worker in self._workers if worker.job is None), None)

    def _drop(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        self._selector.unregister(worker.output)
        worker.kill()

    def _dismiss(self) -> None:
        """Let workers that have nothing to do end by themselves."""
        for worker in self._workers:
            worker.dismiss()
        self._await(GRACE)

    def _stop(self) -> None:
        """End what is still there, with all that it started."""
        left = [worker for worker in self._workers if not worker.has_ended]
        try:
            for worker in left:
                worker.process.terminate()
            self._await(GRACE)
        finally:  # also at a second Ctrl-C
            for worker in left:
                worker.kill()
            for worker in self._workers:
                worker.close()

    def _await(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        for worker in self._workers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.process.wait(max(0.0, end - time.monotonic()))


class _Worker:
    """One process, and the job that it is at."""

    def __init__(self, request: Request, store: Store, *, threads: int) -> None:
        self.job: Job | None = None
        self.is_closed = False
        """Whether it has closed its end of the pipe, as it does by dying."""
        self._store = store
        self._heard = b""
        self.process = subprocess.Popen(
            [sys.executable, "-c", _START, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | share.environment(threads),
            bufsize=0,
            start_new_session=True,  # a Ctrl-C at the terminal is the driver's to pass on
        )
        with contextlib.suppress(BrokenPipeError):  # then `wait` finds it dead
            self._send(wire.greeting(request, store, driver=os.getpid()))

    @property
    def output(self) -> IO[bytes]:
        """What it says."""
        assert self.process.stdout is not None
        return self.process.stdout

    @property
    def has_ended(self) -> bool:
        """Whether the process is no more."""
        return self.process.poll() is not None

    def begin(self, job: Job) -> None:
        """Have it begin a job.

        Raises:
            BrokenPipeError: it is dead.
        """
        self._send(wire.job_to_json(job))
        self.job = job

    def listen(self) -> Iterator[Outcome]:
        """Pass on what it has said by now; gives how its job ended, if it has."""
        data = os.read(self.output.fileno(), 1 << 16)
        self.is_closed = not data
        *lines, self._heard = (self._heard + data).split(b"\n")
        for line in lines:
            yield from self._take(json.loads(line))

    def lost(self) -> list[Outcome]:
        """What became of its job, now that it is dead."""
        if self.job is None:
            return []
        code = self.process.wait()
        name = self.job.label
        why = f"signal {-code} ({_signal(-code)})" if code < 0 else f"exit code {code}"
        why = f"node {name!r}: the process that worked on it died of {why}"
        hint = "perhaps memory was short: run fewer at once with --jobs" if code == -9 else None
        error: MlrecipeError = OpError(why, hint=hint)
        if -code in _CRASHES and (
            damaged := blame.damaged(self.job.step.node, self.job.inputs, self._store)
        ):
            error = StoreError(f"{why}; {damaged}", hint=VERIFY)
        return [self._end(Outcome(job=self.job, error=error))]

    def dismiss(self) -> None:
        """Tell it that there is nothing more to do."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()

    def kill(self) -> None:
        """End it at once, with all processes that it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.close()

    def close(self) -> None:
        """Let go of a process that has ended or is about to."""
        self.dismiss()
        self.process.wait()
        self.output.close()

    def _send(self, message: wire.Message) -> None:
        assert self.process.stdin is not None
        data = memoryview(wire.line(message))
        while data:
            data = data[self.process.stdin.write(data) :]

    def _take(self, message: wire.Message) -> Iterator[Outcome]:
        job = self.job
        if job is None:  # a thread that an op has left behind speaks on: nobody knows of which node
            if "print" in message:
                sys.stderr.write(f"{message['print']}\n")
            return
        if "event" in message:
            event = wire.event_of(message, node=job.label)
            # Of what is wrong with the store the driver has warned, before it gave the job away.
            if not isinstance(event, events.Note) or event.text not in self._store.told:
                events.emit(event)
        elif "print" in message:
            sys.stderr.write(f"{job.label}: {message['print']}\n")
        elif "error" in message:
            yield self._end(Outcome(job=job, error=wire.error_of(message)))
        else:
            yield self._end(self._outcome(job, message))

    def _outcome(self, job: Job, message: dict[str, Any]) -> Outcome:
        record = self._store.record(job.fingerprint)
        if record is not None and record.digest == message["digest"]:
            return Outcome(job=job, record=record, ran=message["ran"])
        error = StoreError(
            f"the output of {job.label!r} was taken away or replaced as soon as it was stored",
            hint="run again",
        )
        return Outcome(job=job, error=error)

    def _end(self, outcome: Outcome) -> Outcome:
        self.job = None
        return outcome


def _signal(number: int) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    return "unknown"
