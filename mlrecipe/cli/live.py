"""Live: what happens, as it happens: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO, cast

from mlrecipe import events
from mlrecipe.cli import render, works
from mlrecipe.cli.session import Settings
from mlrecipe.cli.works import Work
from mlrecipe.secrecy import redact

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress


@dataclass(slots=True)
class Series:
    """Stages that are members of one piece of work: what was said of one is not said of the next."""

    began: float = field(default_factory=time.monotonic)
    told: set[str] = field(default_factory=set)
    """Notes, and stages, of which something was said."""

    def is_new(self, what: str) -> bool:
        """Whether it was not said yet; from now on it was."""
        is_new = what not in self.told
        self.told.add(what)
        return is_new


@contextmanager
def live(settings: Settings, series: Series | None = None) -> Iterator[None]:
    """Show the events of the block on standard error; briefly, when it is one of a series."""
    kind = _Bars if render.has_color(sys.stderr) else _Plain
    of = None if settings.is_verbose else series
    shown = (_Silent if settings.is_quiet else kind)(shows_hits=settings.is_verbose, series=of)
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


class _Plain:
    """One line for what begins, ends or takes long; several nodes may be at work at once."""

    def __init__(self, *, shows_hits: bool = False, series: Series | None = None) -> None:
        self._shows_hits = shows_hits
        self._series = series
        self._unsaid: events.EpochFinished | None = None
        self._lock = threading.Lock()
        self._works: dict[str, Work] = {}
        self._said = time.monotonic()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> _Plain:
        return self

    def __exit__(self, problem: object = None, *_: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        if problem is None:
            self._tell_last()

    def __call__(self, event: events.Event) -> None:
        with self._lock:
            self._show(event)

    def _show(self, event: events.Event) -> None:
        match event:
            case events.NodeStarted(node=node, reason=reason):
                self._begin(node)
                self._tell_node(f"{node}: running ({render.visible(reason)})")
            case events.NodeWaiting(node=node, holder=holder):
                self.line(f"{node}: waiting for {holder}, whose result will be used")
            case events.NodeFinished(node=node, status="run", seconds=seconds, rows=rows):
                self._end(node)
                done = works.rows_done(rows, seconds)
                self._tell_node(f"{node}: done in {render.duration(seconds)}{done}")
            case events.NodeFinished(node=node, status="hit") if self._shows_hits:
                self.line(f"{node}: in the store")
            case events.NodeFailed(node=node):
                self._end(node)
                self.line(render.styled(f"{node}: failed", "red", to=sys.stderr))
            case events.StageStarted(stage=stage, facts=facts):
                self._begin_stage(stage)
                if self._is_news(stage):
                    self.line(f"{stage}: {render.visible(facts)}")
            case events.EpochFinished():
                self._epoch(event)
            case events.Note() if not self._is_news(event.text):
                pass
            case events.Note(text=text, level="warning", node=node):
                render.warn(works.of_node(node, text))
            case events.Note(text=text, node=node):
                self.line(render.visible(works.of_node(node, text)))
            case events.Progress(node=node):
                self.progress(event, node)

    def _tell_node(self, text: str) -> None:
        """Say that a node begins or ends; of a series only what takes long is said."""
        if self._series is None:
            self.line(text)

    def line(self, text: str) -> None:
        self._said = time.monotonic()
        render.say(text)

    def progress(self, event: events.Progress, node: str) -> None:
        work = self._work(node)
        if work is not None:
            works.note(work, event, time.monotonic())
            self._remind()

    def _work(self, node: str) -> Work | None:
        """The work of a node; of none in particular, what began last."""
        if not node:
            return list(self._works.values())[-1] if self._works else None
        return self._works.get(node)

    def _is_news(self, what: str) -> bool:
        return self._series is None or self._series.is_new(what)

    def _epoch(self, event: events.EpochFinished) -> None:
        """Show an epoch, if it is one of those that have a line; the last is, whenever that was."""
        if self._series is not None:
            return
        has_line = self._shows_hits or works.has_line(event)
        self._unsaid = None if has_line else event
        if has_line:
            self.line(works.epoch(event))

    def _tell_last(self) -> None:
        """Show the last epoch of a training that ended before it was due to."""
        if self._unsaid is not None:
            self.line(works.epoch(self._unsaid))
            self._unsaid = None

    def _begin_stage(self, stage: str) -> None:
        self._tell_last()
        for subject in list(self._works):
            self._end(subject)
        self._begin(stage)
        self._works[stage].is_stage = True

    def _begin(self, subject: str) -> None:
        now = time.monotonic()
        self._works[subject] = Work(began=now, said=now, clock=now)
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
        since = work.began if self._series is None else self._series.began
        if now - self._said < works.pace(work, now - since):
            return
        work.said = now
        far = works.how_far(work, now) if work.last else "still running"
        so_far = "" if " left" in far else f", {render.duration(now - work.began)} so far"
        self.line(f"{subject}: {far}{so_far}")


class _Silent(_Plain):
    def line(self, text: str) -> None:
        self._said = time.monotonic()


class _Bars(_Plain):
    """A bar for each that runs now, lines above them for what is done."""

    def __init__(self, *, shows_hits: bool = False, series: Series | None = None) -> None:
        super().__init__(shows_hits=shows_hits, series=series)
        self._bars: RichProgress | None = None

    def __exit__(self, problem: object = None, *_: object) -> None:
        super().__exit__(problem, *_)
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
        now = time.monotonic()
        works.note(work, event, now)
        speed = works.speed(event.done - work.start, event.unit, now - work.clock)
        note = "  ".join([speed, *works.values(event.values)]).strip()
        self._bars.update(work.task, completed=event.done, total=event.total, note=note)

    def _begin(self, subject: str) -> None:
        if self._bars is None:
            self._bars = _make_bars()
            self._bars.start()
        now = time.monotonic()
        task = self._bars.add_task(subject, total=None, note="")
        self._works[subject] = Work(began=now, said=now, clock=now, task=task)

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
