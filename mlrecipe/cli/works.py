"""Works: what is going on, how far it is, and the words in which that is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlrecipe import events
from mlrecipe.cli import render

if TYPE_CHECKING:
    from rich.progress import TaskID

HEARTBEAT = 4.0
"""Seconds after which a plain log says that work goes on: with those between two looks, below 5."""

_STRETCH = 0.25
"""A stage's reminders come apart by this share of its time so far: an hour has some 25 lines."""

_EPOCHS = 8
"""The most epochs, or trainings, that each have a line; of more, every second, third … has one."""

_COUNTED = ("steps", "batches")
"""Units of a training; others count what comes in large pieces."""

_UNITS = {"tokens/s": "{:,.0f} tokens/s", "examples/s": "{:,.0f} examples/s", "rate": "rate {:.2g}"}
"""How numbers beside a bar are written that are no metrics."""

_ENOUGH = 5
"""Steps after which a time left is told: the first ones take longer than any that follow."""


@dataclass(slots=True)
class Work:
    """A node or stage that is at work."""

    began: float
    said: float
    """When something was last said of it."""

    is_stage: bool = False

    start: int = 0
    """What was done before it began, by the run that it goes on with."""

    clock: float = 0.0
    """When it began to do what is counted: processes are started, and models loaded, before."""

    last: events.Progress | None = None
    task: TaskID | None = None
    """Its bar."""


def of_node(node: str, text: str) -> str:
    """The text, with the node before it where there is one."""
    return f"{node}: {text}" if node else text


def epoch(event: events.EpochFinished) -> str:
    """An epoch's line."""
    metrics = "  ".join(values(event.metrics))
    seconds = render.duration(event.seconds)
    return f"epoch {event.epoch}/{event.epochs}  step {event.step}  {metrics}  ({seconds})"


def values(found: Mapping[str, float]) -> list[str]:
    """Numbers, each with what it is."""
    return [_value(name, value) for name, value in found.items()]


def _value(name: str, value: float) -> str:
    if name == "memory":
        return render.size(int(value))
    return _UNITS[name].format(value) if name in _UNITS else f"{name} {value:.4f}"


def has_line(event: events.EpochFinished) -> bool:
    """Whether an epoch is one of those that are shown."""
    return is_shown(event.epoch, event.epochs)


def is_shown(number: int, of: int) -> bool:
    """Whether one of many has a line: some, and the last."""
    every = -(-of // _EPOCHS)
    return every <= 1 or number % every == 0 or number == of


def note(work: Work, event: events.Progress, now: float) -> None:
    """Remember how far it is, and from where it began."""
    if work.last is None and work.is_stage and event.unit in _COUNTED:
        work.start, work.clock = event.done, now
    work.last = event


def pace(work: Work, seconds: float) -> float:
    """Seconds without a line after which something is said of it, so long after it began."""
    return max(HEARTBEAT, seconds * _STRETCH) if work.is_stage else HEARTBEAT


def how_far(work: Work, now: float) -> str:
    """How much is done, how fast, and how long the rest will take, once that can be told."""
    event, seconds = work.last, now - work.clock
    assert event is not None  # the caller looked
    total = f" of {event.total:,}" if event.total else ""
    done = event.done - work.start
    parts = [f"{event.done:,}{total} {event.unit}"]
    is_enough = done >= (_ENOUGH if event.unit in _COUNTED else 1)
    if is_enough:
        parts.append(speed(done, event.unit, seconds))
    if is_enough and event.total:
        parts.append(f"{render.duration(seconds * (event.total - event.done) / done)} left")
    return ", ".join(parts + values(event.values))


def speed(done: int, unit: str, seconds: float) -> str:
    """So much in a second."""
    each = done / max(seconds, 1e-6)
    return f"{each:,.0f} {unit}/s" if each >= 10 else f"{each:.1f} {unit}/s"


def rows_done(rows: int | None, seconds: float) -> str:
    """What a node that is done has made, and how fast; empty where that is no number of rows."""
    if not rows:
        return ""
    rate = f", {rows / seconds:,.0f} rows/s" if seconds >= 0.1 else ""
    return f", {rows:,} rows{rate}"
