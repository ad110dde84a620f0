"""`--fast-dev-run`: one batch of every stage, in seconds, and nothing kept of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from mlrecipe.cli import render
from mlrecipe.cli.live import live
from mlrecipe.cli.session import Session, Settings
from mlrecipe.errors import RequestError
from mlrecipe.pipeline.request import Request
from mlrecipe.recipe.keys import table_at
from mlrecipe.recipe.schema import Overrides
from mlrecipe.runs.run import Run
from mlrecipe.store.records import Record

ROWS = 100
"""Rows of each source split that a trial is content with."""

_ONE_BATCH = (
    "train.epochs=1", "train.trainer.limit_train_batches=1", "train.trainer.limit_val_batches=1",
)  # fmt: skip
_LEFT_OUT = ("max_steps", "validate_every", "save_every", "resume_every", "repeat")

Prepare = Callable[[Request], Mapping[str, Record]]


def train(
    session: Session, overrides: Overrides, settings: Settings, *, prepare: Prepare,
    needs_test: bool, as_json: bool,
) -> None:  # fmt: skip
    """Train one batch, validate one and test one, on few rows; on all where few will not do."""
    request = session.open(overrides, settings=settings)
    changed = changes(request, overrides)
    recipe = request.loaded.recipe
    is_limited = recipe.limit is not None or not recipe.nodes  # no nodes: a module's own data
    limits = [()] if is_limited else [(f"limit={rows_needed(request)}",), ()]
    for position, limit in enumerate(limits):
        tried = replace(changed, sets=(*changed.sets, *limit))
        try:
            found = _train(session, tried, settings, prepare=prepare, needs_test=needs_test)
            break
        except RequestError as error:
            if position + 1 == len(limits):
                raise
            first = str(error).partition("\n")[0]
            _say(
                settings, f"{limit[0].partition('=')[2]} rows will not do ({first}); all are taken"
            )
    _close(found, as_json=as_json)


def test(
    session: Session, request: Request, records: Mapping[str, Record], parent: Run,
    settings: Settings, *, checkpoint: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Test one batch with a checkpoint of a run."""
    weights = parent.checkpoint(checkpoint or request.loaded.recipe.test.checkpoint)
    with live(settings):
        from mlrecipe.training.finding import trial

        session.load_plugins(request)
        found = trial.test(request, records, session.store, checkpoint=weights)
    _close(found, as_json=as_json)


test.__test__ = False  # type: ignore[attr-defined]  # not a test for pytest


def changes(request: Request, overrides: Overrides) -> Overrides:
    """What is overridden in a trial, beside what the user overrides; but for the limit."""
    train = table_at(request.loaded.values, ("train",))
    unset = [f"train.{key}" for key in _LEFT_OUT if key in train]
    typed = {text.partition("=")[0].rstrip("+-").strip() for text in overrides.sets}
    again = [
        f"{key}=1" if key == "train.repeat" else f"{key}=${{none}}" for key in unset if key in typed
    ]
    unset = [key for key in unset if key not in typed]
    if train.get("loggers"):
        unset.append("train.loggers")
    if train.get("folds") is not None and train.get("fold") is None:
        again.append("train.fold=1")  # one alone, for its rows to validate on may be all there are
    return replace(
        overrides,
        unsets=(*overrides.unsets, *unset),
        sets=(*overrides.sets, *again, *_ONE_BATCH),
    )


def rows_needed(request: Request) -> int:
    """Rows of each source split that leave some over for every split that a node takes out of them."""
    taken = 0
    for node in request.loaded.recipe.nodes.values():
        sizes = node.params.get("sizes")
        wanted = list(sizes.values()) if isinstance(sizes, Mapping) else []
        taken += sum(n for n in [node.params.get("size"), *wanted] if isinstance(n, int))
    return taken + ROWS


def _train(
    session: Session, overrides: Overrides, settings: Settings, *, prepare: Prepare,
    needs_test: bool,
) -> dict[str, Mapping[str, float]]:  # fmt: skip
    request = session.open(overrides, settings=settings)
    records = prepare(request)
    with live(settings):
        from mlrecipe.training.finding import trial

        session.load_plugins(request)
        return trial.train(request, records, session.store, needs_test=needs_test)


def _close(found: Mapping[str, Mapping[str, float]], *, as_json: bool) -> None:
    if as_json:
        render.document([{"stage": stage, "metrics": found[stage]} for stage in found])
        return
    stages = ", ".join("train, validate" if stage == "train" else stage for stage in found)
    render.out(f"one batch of every stage worked ({stages}); nothing was kept")


def _say(settings: Settings, text: str) -> None:
    if not settings.is_quiet:
        render.say(text)
