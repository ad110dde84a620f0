"""One stage carried out, under the display: nodes prepared, a training, a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlrecipe.cli.live import Series, live
from mlrecipe.cli.prepare import carry_out
from mlrecipe.cli.session import Session, Settings
from mlrecipe.pipeline.request import Request
from mlrecipe.runs.run import Run
from mlrecipe.store.records import Record


def prepare(
    session: Session,
    request: Request,
    settings: Settings,
    *,
    nodes: Sequence[str] | None = None,
    force: Sequence[str] = (),
    jobs: int = 1,
) -> Mapping[str, Record]:
    """Records of nodes; by default of those that training and testing use."""
    chosen = used(request) if nodes is None else nodes
    if not chosen:  # a module that brings its own data
        return {}
    return carry_out(session, request, settings, nodes=chosen, force=force, jobs=jobs)


def used(request: Request) -> list[str]:
    """The nodes that training and testing use."""
    recipe = request.loaded.recipe
    names = [name.partition(".")[0] for name in (recipe.train.data, recipe.test.data) if name]
    return list(dict.fromkeys(names))


def train(
    session: Session, request: Request, records: Mapping[str, Record], settings: Settings, *,
    resumed: Run | None = None, facts: Mapping[str, Any] | None = None,
    series: Series | None = None, then_tests: bool = False,
) -> Run:  # fmt: skip
    """A training: a new one, or what is left of the one that is resumed."""
    with live(settings, series):
        from mlrecipe.training import stages as training

        session.load_plugins(request)
        return training.train(
            request, records, session.store, resumed=resumed, facts=facts, then_tests=then_tests
        ).run


def judge(
    session: Session, request: Request, records: Mapping[str, Record], parent: Run,
    settings: Settings, *, checkpoint: str | None = None, series: Series | None = None,
    resumed: Run | None = None,
) -> Run:  # fmt: skip
    """A test of a train run's checkpoint: a new one, or what is left of the one that is resumed."""
    with live(settings, series):
        from mlrecipe.training import stages as training

        session.load_plugins(request)
        return training.test(
            request, records, session.store, parent=parent, checkpoint=checkpoint, resumed=resumed
        ).run
