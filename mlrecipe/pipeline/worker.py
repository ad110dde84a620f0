"""A worker: a process that works out the jobs that its driver names, one after the other.

It opens the same recipe anew, derives the fingerprint of each job itself and refuses what differs. What it
computes goes into the store; its driver is told no more than what it is called. It dies with its driver.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import sys
import threading
import time
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from mlrecipe import events, plugins
from mlrecipe.errors import MlrecipeError, OpError, Terminated
from mlrecipe.graph import fingerprint as prints
from mlrecipe.graph.graph import Node
from mlrecipe.pipeline import shards, wire
from mlrecipe.pipeline.explain import differences
from mlrecipe.pipeline.jobs import Job, settle
from mlrecipe.pipeline.plan import Step, fingerprint_of, parts_with_inputs
from mlrecipe.pipeline.printing import Printing
from mlrecipe.pipeline.request import Request, open_request
from mlrecipe.store.store import Store

_PACE = 0.1
"""Seconds between two tellings of how far an op is: some say it for every row."""

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Work until there is no more to do."""
    signal.signal(signal.SIGTERM, _terminate)
    _die_with_driver()
    line = _Line()
    try:
        with events.listening(line.event):
            _work(line)
    except (KeyboardInterrupt, Terminated):
        sys.exit(128 + signal.SIGTERM)


def _work(line: _Line) -> None:
    greeting = line.next()
    if greeting is None or os.getppid() != greeting["driver"]:
        return
    bench = _Bench(greeting)
    with bench.store.using(()):  # until the driver has noted itself what it was told of
        while (message := line.next()) is not None:
            line.answer(_answer(bench, message))


def _answer(bench: _Bench, message: wire.Message) -> wire.Message:
    """What the driver is told of a job that it named: nothing of its output but the digest."""
    try:
        outcome = settle(bench.job(message), bench.request, bench.store)
    except MlrecipeError as error:  # the recipe cannot be opened here, or is another
        return wire.error_to_json(error)
    if outcome.record is None:
        assert outcome.error is not None
        return wire.error_to_json(outcome.error)
    return {"digest": outcome.record.digest, "ran": outcome.ran}


class _Bench:
    """What the jobs of one driver have in common."""

    def __init__(self, greeting: wire.Message) -> None:
        self._greeting = greeting
        self.store = Store(Path(greeting["store"]))
        self._codes: prints.Codes = {}

    @cached_property
    def request(self) -> Request:
        """The driver's recipe, opened anew, with its plugins imported."""
        said = self._greeting
        request = open_request(
            Path(said["recipe"]), wire.overrides_of(said), here=Path(said["here"]),
            memo=self.store.memo, name=said["name"],
        )  # fmt: skip
        if said["pins"]:
            request = request.pinned(wire.pins_of(said))
        # What the code is now counts, and not what it is edited to while the jobs are done.
        for node in request.graph:
            self._parts(replace(node, externals={}), request)
        plugins.load(request.catalog.plugins, project=request.loaded.project)
        return request

    def job(self, message: wire.Message) -> Job:
        """The job that the driver means.

        Raises:
            OpError: it would be another one here.
        """
        inputs = wire.inputs_of(message)
        step = self._step(message)
        shard = wire.shard_of(message)
        found = shards.fingerprint(step, inputs, shard) if shard else fingerprint_of(step, inputs)
        if found != message["fingerprint"]:
            raise _refusal(step, parts_with_inputs(step, inputs), message["parts"])
        return Job(step=step, inputs=inputs, fingerprint=found, shard=shard, since=message["since"])

    def _step(self, message: wire.Message) -> Step:
        node = self.request.graph.nodes.get(message["node"])
        if node is None:
            raise OpError(f"node {message['node']!r} has gone from the recipe", hint=_AGAIN)
        parts = self._parts(node, self.request)
        return Step(
            node=node, status="run", reasons=tuple(message["reasons"]), parts=parts,
            own=prints.own_hash(parts),
        )  # fmt: skip

    def _parts(self, node: Node, request: Request) -> dict[str, Any]:
        project, recipe = request.loaded.project, request.loaded.recipe
        return prints.own_parts(
            node, project=project, memo=self.store.memo, codes=self._codes,
            strictness=recipe.library_versions,
        )  # fmt: skip


_AGAIN = "run again, with what is there now"


def _refusal(step: Step, here: dict[str, Any], there: dict[str, Any]) -> OpError:
    why = "; ".join(differences(here, there, step.node.found.signature.qualname)) or "it differs"
    return OpError(
        f"node {step.node.name!r} is not what it was when the command began ({why}); "
        "nothing was recorded",
        hint=_AGAIN,
    )


class _Line:
    """The pipes from and to the driver, which take the places of standard input and output."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._messages: queue.SimpleQueue[wire.Message | None] = queue.SimpleQueue()
        self._is_busy = self._is_over = False
        self._told = 0.0
        self._lock = threading.Lock()
        given, self._output = os.dup(0), os.dup(1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)  # what programs that an op starts print is no message
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - for as long as the process lives
        self._printing = Printing(lambda text: self.send({"print": text}))
        sys.stdout = sys.stderr = self._printing.stream
        threading.Thread(target=self._listen, args=(given,), daemon=True).start()

    def next(self) -> wire.Message | None:
        """The next thing that the driver wants; None when it wants nothing more."""
        self._is_busy = False
        message = self._messages.get()
        self._is_busy = True
        return None if self._is_over else message

    def send(self, message: wire.Message) -> None:
        """Tell the driver something."""
        if os.getpid() != self._pid:
            return  # a process that an op forked has no driver
        data = memoryview(wire.line(message))
        with self._lock:
            while data:
                data = data[os.write(self._output, data) :]

    def answer(self, message: wire.Message) -> None:
        """Tell the driver how a job ended, after all that was printed for it."""
        self._printing.end()
        self._is_busy = False  # before the driver knows: it may let go of this process at once
        self.send(message)

    def event(self, event: events.Event) -> None:
        """Pass an event on; of progress only so much as can be looked at."""
        if isinstance(event, events.Progress):
            if time.monotonic() - self._told < _PACE:
                return
            self._told = time.monotonic()
        else:
            self._printing.end()
        self.send(wire.event_to_json(event))

    def _listen(self, given: int) -> None:
        with os.fdopen(given, "rb") as lines:
            for line in lines:
                self._messages.put(json.loads(line))
        self._is_over = True
        is_busy = self._is_busy  # `None` makes it so as well
        self._messages.put(None)
        if is_busy:  # the driver is dead
            _kill_all()


def _die_with_driver() -> None:
    """Have Linux end this process when its driver is dead, even if no Python code can run here.

    As a rule the end of the pipe is seen first, and with this process all end that it started. That takes the
    lock of the interpreter, which an op may hold for long. So the kernel's signal on the driver's death
    leads to `alarm(1)`, whose signal a second later is deadly: handlers in C are given the signal's number.
    """
    if sys.platform != "linux":
        return
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        c = ctypes.CDLL(None)
        c.signal(int(signal.SIGHUP), c.alarm)
        c.prctl(_PR_SET_PDEATHSIG, int(signal.SIGHUP), 0, 0, 0)


def _kill_all() -> None:
    """End this process and all that it started."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


def _terminate(number: int, frame: object) -> None:
    raise Terminated(number)
