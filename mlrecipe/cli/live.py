"""Live: what happens, as it happens: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO, cast

from mlrecipe import events
from mlrecipe.cli import render
from mlrecipe.cli.session import Settings
from mlrecipe.secrecy import redact

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

HEARTBEAT = 4.0
"""Seconds after which a plain log says that work goes on: with those between two looks, below 5."""

_STRETCH = 0.25
"""A stage's reminders come apart by this share of its time so far: an hour has some 25 lines."""

_EPOCHS = 8
"""The most epochs that each have a line; of more, every second, third … has one."""

_UNITS = {"tokens/s": "{:,.0f} tokens/s", "examples/s": "{:,.0f} examples/s", "rate": "rate {:.2g}"}
"""How numbers beside a bar are written that are no metrics."""


@contextmanager
def live(settings: Settings) -> Iterator[None]:
    """Show the events of the block on standard error."""
    kind = _Bars if render.has_color(sys.stderr) else _Plain
    shown = (_Silent if settings.is_quiet else kind)(shows_hits=settings.is_verbose)
    # What ops and libraries print is no result of the command.
    guarded = cast(TextIO, _Guarded(sys.stderr))
    with shown, events.listening(shown), redirect_stdout(guarded), redirect_stderr(guarded):
        yield


class _Guarded:
    """A stream that writes no secret, whoever prints it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            self._stream.write(redact(text))
        except OSError:  # nobody reads it any more: the work goes on
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@dataclass(slots=True)
class _Work:
    """A node or stage that is at work."""

    began: float
    said: float
    """When something was last said of it."""

    is_stage: bool = False

    start: int = 0
    """What was done before it began, by the run that it goes on with."""

    last: events.Progress | None = None
    task: TaskID | None = None
    """Its bar."""


class _Plain:
    """One line for what begins, ends or takes long; several nodes may be at work at once."""

    def __init__(self, *, shows_hits: bool = False) -> None:
        self._shows_hits = shows_hits
        self._lock = threading.Lock()
        self._works: dict[str, _Work] = {}
        self._said = time.monotonic()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> _Plain:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def __call__(self, event: events.Event) -> None:
        with self._lock:
            self._show(event)

    def _show(self, event: events.Event) -> None:
        match event:
            case events.NodeStarted(node=node, reason=reason):
                self._begin(node)
                self.line(f"{node}: running ({render.visible(reason)})")
            case events.NodeWaiting(node=node, holder=holder):
                self.line(f"{node}: waiting for {holder}, whose result will be used")
            case events.NodeFinished(node=node, status="run", seconds=seconds, rows=rows):
                self._end(node)
                self.line(f"{node}: done in {render.duration(seconds)}{_rows(rows, seconds)}")
            case events.NodeFinished(node=node, status="hit") if self._shows_hits:
                self.line(f"{node}: in the store")
            case events.NodeFailed(node=node):
                self._end(node)
                self.line(render.styled(f"{node}: failed", "red", to=sys.stderr))
            case events.StageStarted(stage=stage, facts=facts):
                self._begin_stage(stage)
                self.line(f"{stage}: {render.visible(facts)}")
            case events.EpochFinished() if self._shows_hits or _has_line(event):
                self.line(_epoch(event))
            case events.Note(text=text, level="warning", node=node):
                render.warn(_of(node, text))
            case events.Note(text=text, node=node):
                self.line(render.visible(_of(node, text)))
            case events.Progress(node=node):
                self.progress(event, node)

    def line(self, text: str) -> None:
        self._said = time.monotonic()
        render.say(text)

    def progress(self, event: events.Progress, node: str) -> None:
        work = self._work(node)
        if work is not None:
            _note(work, event)
            self._remind()

    def _work(self, node: str) -> _Work | None:
        """The work of a node; of none in particular, what began last."""
        if not node:
            return list(self._works.values())[-1] if self._works else None
        return self._works.get(node)

    def _begin_stage(self, stage: str) -> None:
        for subject in list(self._works):
            self._end(subject)
        self._begin(stage)
        self._works[stage].is_stage = True

    def _begin(self, subject: str) -> None:
        now = time.monotonic()
        self._works[subject] = _Work(began=now, said=now)
        if self._thread is None:
            self._thread = threading.Thread(target=self._beat, daemon=True)
            self._thread.start()

    def _end(self, subject: str) -> None:
        self._works.pop(subject, None)

    def _beat(self) -> None:
        """Say that work goes on when an op itself says nothing."""
        while not self._over.wait(0.5):
            with self._lock:
                self._remind()

    def _remind(self) -> None:
        """After a while without a line, say how far that is of which nothing was said for longest."""
        now = time.monotonic()
        if not self._works:
            return
        subject = min(self._works, key=lambda name: self._works[name].said)
        work = self._works[subject]
        if now - self._said < _pace(work, now):
            return
        work.said = now
        seconds = now - work.began
        far = _how_far(work.last, seconds, start=work.start) if work.last else "still running"
        ends = " left" in far
        self.line(f"{subject}: {far}" + ("" if ends else f", {render.duration(seconds)} so far"))


class _Silent(_Plain):
    def line(self, text: str) -> None:
        self._said = time.monotonic()


class _Bars(_Plain):
    """A bar for each that runs now, lines above them for what is done."""

    def __init__(self, *, shows_hits: bool = False) -> None:
        super().__init__(shows_hits=shows_hits)
        self._bars: RichProgress | None = None

    def __exit__(self, *_: object) -> None:
        super().__exit__(*_)
        for subject in list(self._works):
            self._end(subject)

    def line(self, text: str) -> None:
        self._said = time.monotonic()
        if self._bars is not None:
            self._bars.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            render.say(text)

    def progress(self, event: events.Progress, node: str) -> None:
        work = self._work(node)
        if self._bars is None or work is None or work.task is None:
            return
        _note(work, event)
        seconds = time.monotonic() - work.began
        speed = _speed(event.done - work.start, event.unit, seconds)
        note = "  ".join([speed, *_values(event.values)]).strip()
        self._bars.update(work.task, completed=event.done, total=event.total, note=note)

    def _begin(self, subject: str) -> None:
        if self._bars is None:
            self._bars = _make_bars()
            self._bars.start()
        now = time.monotonic()
        task = self._bars.add_task(subject, total=None, note="")
        self._works[subject] = _Work(began=now, said=now, task=task)

    def _end(self, subject: str) -> None:
        work = self._works.pop(subject, None)
        if self._bars is None or work is None or work.task is None:
            return
        self._bars.remove_task(work.task)
        if not self._works:
            self._bars.stop()
            self._bars = None


def _make_bars() -> RichProgress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    return Progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"), TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[note]}"), console=Console(stderr=True), transient=True,
    )  # fmt: skip


def _of(node: str, text: str) -> str:
    return f"{node}: {text}" if node else text


def _epoch(event: events.EpochFinished) -> str:
    values = "  ".join(_values(event.metrics))
    seconds = render.duration(event.seconds)
    return f"epoch {event.epoch}/{event.epochs}  step {event.step}  {values}  ({seconds})"


def _values(values: Mapping[str, float]) -> list[str]:
    return [_value(name, value) for name, value in values.items()]


def _value(name: str, value: float) -> str:
    if name == "memory":
        return render.size(int(value))
    return _UNITS[name].format(value) if name in _UNITS else f"{name} {value:.4f}"


def _has_line(event: events.EpochFinished) -> bool:
    """Whether an epoch is one of those that are shown: some, and the last."""
    every = -(-event.epochs // _EPOCHS)
    return every <= 1 or event.epoch % every == 0 or event.epoch == event.epochs


def _note(work: _Work, event: events.Progress) -> None:
    """Remember how far it is, and from where it began."""
    if work.last is None:
        work.start = event.done if work.is_stage and event.unit == "steps" else 0
    work.last = event


def _pace(work: _Work, now: float) -> float:
    """Seconds without a line after which something is said of it."""
    return max(HEARTBEAT, (now - work.began) * _STRETCH) if work.is_stage else HEARTBEAT


def _how_far(event: events.Progress, seconds: float, *, start: int = 0) -> str:
    total = f" of {event.total:,}" if event.total else ""
    done = event.done - start
    parts = [f"{event.done:,}{total} {event.unit}", _speed(done, event.unit, seconds)]
    if event.total and done > 0:
        parts.append(f"{render.duration(seconds * (event.total - event.done) / done)} left")
    return ", ".join(parts + _values(event.values))


def _speed(done: int, unit: str, seconds: float) -> str:
    speed = done / max(seconds, 1e-6)
    return f"{speed:,.0f} {unit}/s" if speed >= 10 else f"{speed:.1f} {unit}/s"


def _rows(rows: int | None, seconds: float) -> str:
    if not rows:
        return ""
    speed = f", {rows / seconds:,.0f} rows/s" if seconds >= 0.1 else ""
    return f", {rows:,} rows{speed}"
