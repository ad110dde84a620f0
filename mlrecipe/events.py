"""What happens while work is done: small facts that the command line draws and tests can collect."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened."""


@dataclass(frozen=True, slots=True)
class NodeStarted(Event):
    """A node's op begins to run."""

    node: str
    reason: str
    """Why it runs, as `plan` says it."""


@dataclass(frozen=True, slots=True)
class NodeWaiting(Event):
    """Another process computes the same node; this one waits and will reuse the result."""

    node: str
    holder: str


@dataclass(frozen=True, slots=True)
class NodeFinished(Event):
    """A node's output is in the store."""

    node: str
    status: str
    """`"hit"` (nothing ran) or `"run"`."""

    seconds: float
    rows: int | None
    """Rows of the output over all splits, where it has rows."""

    note: str = ""


@dataclass(frozen=True, slots=True)
class NodeFailed(Event):
    """A node's op raised; its dependents are skipped."""

    node: str
    message: str


@dataclass(frozen=True, slots=True)
class Progress(Event):
    """How far something is: an op's rows, a stage's steps."""

    done: int
    total: int | None
    unit: str = "rows"
    values: Mapping[str, float] = field(default_factory=dict)
    """Numbers worth showing beside the bar, such as the running loss."""

    node: str = ""
    """Whose it is, where several nodes are at work; by default that of what began last."""


@dataclass(frozen=True, slots=True)
class StageStarted(Event):
    """A stage (`"train"`, `"test"`) begins; `facts` is one line about what will be done."""

    stage: str
    facts: str


@dataclass(frozen=True, slots=True)
class EpochFinished(Event):
    """One pass over the train split, and the validation after it, are done."""

    epoch: int
    epochs: int
    step: int
    metrics: Mapping[str, float]
    seconds: float


@dataclass(frozen=True, slots=True)
class Note(Event):
    """A sentence for the user; `level` is `"info"` or `"warning"`."""

    text: str
    level: str = "info"

    node: str = ""
    """Whose it is, where several nodes are at work."""


_sink: ContextVar[Callable[[Event], None] | None] = ContextVar("mlrecipe_events", default=None)


def emit(event: Event) -> None:
    """Tell whoever listens; nothing happens when nobody does."""
    sink = _sink.get()
    if sink is not None:
        sink(event)


def progress(done: int, total: int | None = None, *, unit: str = "rows") -> None:
    """Say from within an op how far it is; cheap enough to call for every batch."""
    emit(Progress(done, total, unit))


def are_heard() -> bool:
    """Whether anybody listens."""
    return _sink.get() is not None


@contextmanager
def listening(sink: Callable[[Event], None]) -> Iterator[None]:
    """Send every event of the block to `sink`."""
    token = _sink.set(sink)
    try:
        yield
    finally:
        _sink.reset(token)


@contextmanager
def passing(change: Callable[[Event], Event | None]) -> Iterator[None]:
    """Send every event of the block on as `change` gives it; those of which it gives None are not sent."""
    outer = _sink.get()

    def pass_on(event: Event) -> None:
        changed = change(event)
        if changed is not None and outer is not None:
            outer(changed)

    with listening(pass_on):
        yield
