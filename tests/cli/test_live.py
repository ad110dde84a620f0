"""What is shown while work is done, with a clock that the test turns."""

from __future__ import annotations

from itertools import pairwise

import pytest

from mlrecipe import events
from mlrecipe.cli import live, works


class Clock:
    """A clock and an end: each wait turns the clock on, until it is over."""

    def __init__(self, until: float) -> None:
        self.now = 0.0
        self.until = until

    def monotonic(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        return self.now >= self.until

    def set(self) -> None:
        self.until = 0.0


@pytest.fixture
def lines(monkeypatch):
    """(time, line) of everything said."""
    clock = Clock(until=61.3)
    said: list[tuple[float, str]] = []
    monkeypatch.setattr(live, "time", clock)
    monkeypatch.setattr(live.render, "say", lambda text: said.append((clock.now, text)))
    monkeypatch.setattr(live.threading.Thread, "start", lambda self: None)  # the test beats
    monkeypatch.setattr(live.threading.Thread, "join", lambda self: None)
    return clock, said


@pytest.mark.parametrize("began", [0.0, 0.3, 0.49])
def test_training_21_a_silent_op_is_said_to_be_running_at_least_every_five_seconds(lines, began):
    """Whatever the phase of the clock."""
    clock, said = lines
    shown = live._Plain()
    shown._over = clock
    clock.now = began
    shown(events.NodeStarted("tokens", "never run before"))
    clock.now = 0.0 if began == 0 else 0.5

    shown._beat()

    times = [time for time, _ in said]
    gaps = [later - earlier for earlier, later in zip(times, [*times[1:], clock.now], strict=True)]
    assert max(gaps) <= 5.0
    assert said[1][1].startswith("tokens: still running, ")
    assert len(said) < 20


def test_training_21_an_op_that_tells_its_progress_is_shown_with_speed_and_time_left(lines):
    """Not at every call."""
    clock, said = lines
    shown = live._Plain()
    shown(events.NodeStarted("tokens", "never run before"))

    for done in range(0, 1001, 10):
        clock.now = done / 100
        shown(events.Progress(done, 1000))

    assert 2 <= len(said) <= 4
    assert "rows, 100 rows/s, " in said[1][1]
    assert said[1][1].endswith(" left")


def test_nothing_is_said_between_nodes(lines):
    """The beat stops with the node."""
    clock, said = lines
    shown = live._Plain()
    shown._over = clock
    shown(events.NodeStarted("tokens", "x"))
    shown(events.NodeFinished("tokens", "run", 2.0, 1000))

    shown._beat()

    assert [text for _, text in said] == [
        "tokens: running (x)", "tokens: done in 2.0 s, 1,000 rows, 500 rows/s",
    ]  # fmt: skip


def test_what_happens_has_a_line_each(lines):
    """Waiting, failing, notes, stages and epochs; hits have none."""
    _, said = lines
    shown = live._Plain()

    for event in [
        events.NodeFinished("a", "hit", 0.0, None),
        events.NodeWaiting("b", "pid 7 on alpha"),
        events.NodeFailed("b", "it broke"),
        events.Note("a sentence"),
        events.Note("beware", level="warning"),
        events.StageStarted("train", "10 rows"),
        events.EpochFinished(1, 3, 10, {"valid/loss": 0.25}, 61.0),
    ]:
        shown(event)

    assert [text for _, text in said] == [
        "b: waiting for pid 7 on alpha, whose result will be used", "b: failed", "a sentence",
        "warning: beware", "train: 10 rows",
        "epoch 1/3  step 10  valid/loss 0.2500  (1 min 01 s)",
    ]  # fmt: skip


def test_quiet_shows_warnings_only(lines):
    """Everything else is left out."""
    _, said = lines
    shown = live._Silent()

    for event in [events.NodeStarted("a", "x"), events.Note("beware", level="warning")]:
        shown(event)

    assert [text for _, text in said] == ["warning: beware"]


def test_several_nodes_at_work_are_each_said_to_be_running(lines):
    """In turn, and no more often in all than a single one would be."""
    clock, said = lines
    shown = live._Plain()
    shown._over = clock
    for node in ("a", "b", "c"):
        shown(events.NodeStarted(node, "x"))
    shown(events.Progress(10, 100, node="b"))

    shown._beat()

    reminders = [(time, text) for time, text in said if time]
    gaps = [later - earlier for (earlier, _), (later, _) in pairwise(reminders)]
    assert [text.partition(":")[0] for _, text in reminders[:6]] == ["a", "b", "c", "a", "b", "c"]
    assert reminders[1][1].startswith("b: 10 of 100 rows, ")
    assert min(gaps) >= works.HEARTBEAT
    assert max(gaps) <= 5.0


def test_what_ends_leaves_the_others_at_work(lines):
    """Only those are spoken of; notes say whose they are."""
    clock, said = lines
    shown = live._Plain()
    shown._over = clock
    shown(events.NodeStarted("a", "x"))
    shown(events.NodeStarted("b", "x"))
    shown(events.Note("ten rows kept", node="a"))
    shown(events.Note("none kept", level="warning", node="b"))
    shown(events.NodeFailed("b", "it broke"))

    shown._beat()

    assert [text for _, text in said[2:5]] == [
        "a: ten rows kept",
        "warning: b: none kept",
        "b: failed",
    ]
    assert {text.partition(":")[0] for _, text in said[5:]} == {"a"}


def test_each_node_at_work_has_its_bar(monkeypatch):
    """And loses it when it ends; the last one takes all away."""
    monkeypatch.setattr(live.render, "say", lambda text: None)
    shown = live._Bars()

    with shown:
        shown(events.NodeStarted("a", "x"))
        shown(events.NodeStarted("b", "x"))
        shown(events.Progress(5, 10, node="a"))
        bars = shown._bars
        assert bars is not None
        assert [(task.description, task.completed) for task in bars.tasks] == [("a", 5), ("b", 0)]
        shown(events.NodeFinished("a", "run", 1.0, None))
        assert [task.description for task in bars.tasks] == ["b"]
        shown(events.NodeFailed("b", "it broke"))
        assert shown._bars is None


def test_training_40_of_many_epochs_only_some_have_a_line(lines):
    """The last is one of them; with --verbose all are there."""
    _, said = lines
    for shows_hits in (False, True):
        said.clear()
        shown = live._Plain(shows_hits=shows_hits)
        for epoch in range(1, 101):
            shown(events.EpochFinished(epoch, 100, epoch, {}, 1.0))
        epochs = [int(text.split("/")[0].removeprefix("epoch ")) for _, text in said]
        assert epochs[-1] == 100
        assert len(epochs) == (100 if shows_hits else 8)


def test_training_40_a_long_stage_is_told_of_less_and_less_often(lines):
    """At first every five seconds; of an hour there are some twenty-five lines."""
    clock, said = lines
    clock.until = 3600.0
    shown = live._Plain()
    shown._over = clock
    shown(events.StageStarted("train", "10 rows"))
    shown(events.Progress(0, 7200, "steps"))

    own = clock.wait

    def wait(seconds: float) -> bool:
        is_over = own(seconds)
        if not is_over:
            shown(events.Progress(int(clock.now * 2), 7200, "steps", {"loss": 0.5}))
        return is_over

    clock.wait = wait
    shown._beat()

    times = [time for time, _ in said]
    assert max(b - a for a, b in pairwise(times) if b < 20) <= 5.0
    assert 15 <= len(said) <= 30
    assert said[-1][1].endswith(" left, loss 0.5000")


def test_a_step_is_shown_with_all_that_is_known_of_it(lines):
    """Loss, rate, tokens and examples in a second, memory, time left; a resumed run's speed is its own."""
    clock, said = lines
    shown = live._Plain()
    shown(events.StageStarted("train", "10 rows"))
    shown(events.Progress(500, 1000, "steps"))
    clock.now = 10.0
    values = {
        "loss": 0.25,
        "rate": 1.5e-5,
        "tokens/s": 12345.6,
        "examples/s": 321.0,
        "memory": 2.1e9,
    }

    shown(events.Progress(600, 1000, "steps", values))

    assert said[-1][1] == (
        "train: 600 of 1,000 steps, 10 steps/s, 40 s left, loss 0.2500, rate 1.5e-05, "
        "12,346 tokens/s, 321 examples/s, 2.1 GB"
    )


def test_the_epoch_at_which_training_stopped_early_has_a_line(lines):
    """Though it is none of those that were to have one; it comes before what is said next, and once."""
    _, said = lines
    shown = live._Plain()
    with shown:
        shown(events.StageStarted("train", "10 rows"))
        for epoch in range(1, 30):
            shown(events.EpochFinished(epoch, 100, epoch, {}, 1.0))

    assert [text.split("  ")[0] for _, text in said] == [
        "train: 10 rows", "epoch 13/100", "epoch 26/100", "epoch 29/100",
    ]  # fmt: skip


def test_no_time_left_is_told_of_the_first_steps(lines):
    """Processes start, and the first steps take long: what they took says nothing of the rest."""
    clock, said = lines
    shown = live._Plain()
    shown(events.StageStarted("train", "10 rows"))
    clock.now = 30.0  # the other processes start
    shown(events.Progress(0, 1000, "steps"))
    clock.now = 40.0
    shown(events.Progress(1, 1000, "steps", {"loss": 0.5}))
    assert said[-1][1] == "train: 1 of 1,000 steps, loss 0.5000, 40 s so far"

    clock.now = 55.0
    shown(events.Progress(200, 1000, "steps"))

    assert said[-1][1] == "train: 200 of 1,000 steps, 8.0 steps/s, 1 min 40 s left"


def test_training_40_members_of_a_series_are_told_of_in_brief(lines):
    """What is said of one stage or warned of once is not said of the next; epochs have no lines."""
    _, said = lines
    series = live.Series()
    for seed in range(3):
        shown = live._Plain(series=series)
        shown(events.StageStarted("train", f"{seed} rows"))
        shown(events.Note("beware", level="warning"))
        shown(events.EpochFinished(1, 1, 10, {}, 1.0))
        shown(events.Note(f"seed {seed} is odd"))

    assert [text for _, text in said] == [
        "train: 0 rows", "warning: beware", "seed 0 is odd", "seed 1 is odd", "seed 2 is odd",
    ]  # fmt: skip
