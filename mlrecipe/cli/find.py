"""`mlrecipe find`: a learning rate or a batch size that does, found on a copy of the network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlrecipe import events
from mlrecipe.cli import render
from mlrecipe.cli.live import live
from mlrecipe.cli.options import NONE, Jobs, Json, Limit, RecipeArgument, limited
from mlrecipe.cli.prepare import carry_out
from mlrecipe.cli.session import Session, Settings
from mlrecipe.errors import DataError, RequestError
from mlrecipe.pipeline import stages
from mlrecipe.pipeline.request import Request
from mlrecipe.pipeline.secrets import check_secrets
from mlrecipe.recipe.own import is_module
from mlrecipe.recipe.schema import Overrides

if TYPE_CHECKING:
    from mlrecipe.training.finding.bench import Bench
    from mlrecipe.training.finding.finders import Rates, Sizes

_WIDTH, _HEIGHT = 60, 10
_LOW, _HIGH, _STEPS = 1e-5, 0.1, 400
"""What is named where nothing was found: a narrower range than the defaults, in more steps."""


def find() -> None:
    """Find a learning rate or a batch size for a recipe; no run is made or changed.

    Example: mlrecipe find lr imdb.toml
    """


def lr(
    ctx: typer.Context,
    recipe: RecipeArgument,
    low: Annotated[float, typer.Option("--low", metavar="RATE", help="First rate.")] = 1e-6,
    high: Annotated[float, typer.Option("--high", metavar="RATE", help="Last rate.")] = 1.0,
    steps: Annotated[int, typer.Option("--steps", metavar="N", min=10, help="Steps.")] = 200,
    overrides: Overrides = NONE,
    limit: Limit = None,
    jobs: Jobs = 1,
    as_json: Json = False,
) -> None:
    """Find a learning rate: it rises from step to step until the loss does too (Smith 2017).

    Suggested is the rate at which the loss falls steepest.

    Example: mlrecipe find lr imdb.toml
    """
    if not 0 < low < high:
        raise RequestError(f"--low {low:g} must be above 0 and below --high {high:g}")
    session = Session.of(recipe)
    with _bench(session, limited(overrides, limit), ctx.obj, jobs=jobs, what="find lr") as make:
        from mlrecipe.training.finding import finders

        found = finders.find_rate(make(), low=low, high=high, steps=steps)
    if as_json:
        render.document({
            "suggestion": found.suggestion,
            "set": None if found.suggestion is None else _rate(found),
            "rates": found.rates.tolist(), "losses": found.losses.tolist(),
        })  # fmt: skip
        return
    for line in curve(found):
        render.out(line)
    render.out()
    if found.suggestion is None:
        render.out("the loss falls at none of these rates: " + nowhere(low, high, steps))
        return
    render.out(f"the loss falls steepest at {found.suggestion:g}")
    render.out(f"  --set {_rate(found)}")


def batch_size(
    ctx: typer.Context,
    recipe: RecipeArgument,
    most: Annotated[
        int, typer.Option("--most", metavar="N", min=1, help="The largest size to try.")
    ] = 256,
    seconds: Annotated[
        float, typer.Option("--seconds", metavar="S", help="Seconds after which no larger one is tried.")
    ] = 120.0,
    overrides: Overrides = NONE,
    limit: Limit = None,
    jobs: Jobs = 1,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Find how many rows a device takes at once: steps of more and more rows, all as long as the longest.

    Example: mlrecipe find batch-size imdb.toml
    """
    session = Session.of(recipe)
    changed = limited(overrides, limit)
    with _bench(session, changed, ctx.obj, jobs=jobs, what="find batch-size") as make:
        from mlrecipe.training.finding import finders
        from mlrecipe.training.memory import MARGIN

        made = make()
        found = finders.find_size(made, most=most, seconds=seconds)
        spec = made.spec
    sets = setting(found, batching=spec.batching, batch_size=spec.batch_size)
    if as_json:
        render.document({
            "fits": found.best, "set": sets, "width": found.width, "budget": found.budget,
            "tried": [{"size": t.size, "memory": t.memory} for t in found.tried],
            "ended": found.ended,
        })  # fmt: skip
        return
    rows = [["rows", "memory"], *[[f"{t.size:,}", render.size(t.memory)] for t in found.tried]]
    render.grid(rows[0], rows[1:])
    render.out()
    if not found.best:
        render.out(f"not even one row of {found.width} tokens fits: {found.ended}")
        return
    render.out(
        f"{found.best:,} rows of {found.width} tokens, the longest there are, fit: a step with them took "
        f"{render.size(found.tried[-1].memory)} of {render.size(found.budget)}"
    )
    render.out(f"(of the memory {MARGIN:.0%} is left free; {found.ended})")
    if sets is None:
        render.out(
            f"a whole step of train.batch_size = {spec.batch_size} fits: nothing need be set"
        )
    else:
        render.out(f"  --set {sets}")


def setting(found: Sizes, *, batching: str, batch_size: int) -> str | None:
    """What to set so that training takes no more than fits; None: nothing."""
    if batching == "tokens":
        return f"train.tokens_per_batch={found.best * found.width}"
    if found.best >= batch_size:
        return None
    parts = [t.size for t in found.tried if batch_size % t.size == 0]
    return f"train.device_batch_size={parts[-1]}" if parts else None


def curve(found: Rates) -> list[str]:
    """The losses over the rates, drawn with characters."""
    if not len(found.losses):
        return ["no step gave a loss that is a number"]
    last = len(found.losses) - 1
    columns = sorted({round(i * last / (_WIDTH - 1)) for i in range(_WIDTH)})
    low, first = float(found.losses.min()), float(found.losses[0])
    top = min(
        float(found.losses.max()), max(2 * first - low, first * 1.01)
    )  # the fall is what counts
    heights = [(min(float(found.losses[i]), top) - low) / max(top - low, 1e-12) for i in columns]
    lines = []
    for row in range(_HEIGHT - 1, -1, -1):
        label = {_HEIGHT - 1: f"{top:.4g}", 0: f"{low:.4g}"}.get(row, "")
        marks = ["*" if round(h * (_HEIGHT - 1)) == row else " " for h in heights]
        lines.append(f"{label:>9} |{''.join(marks)}".rstrip())
    ends = f"{found.rates[0]:.2g}", f"{found.rates[-1]:.2g}"
    lines.append(f"{'':>9} +{'-' * len(columns)}")
    lines.append(
        f"{'loss':>9}  {ends[0]}{ends[1]:>{max(len(columns) - len(ends[0]), 1)}}  learning rate"
    )
    return lines


def nowhere(low: float, high: float, steps: int) -> str:
    """What to do where a test of these rates saw the loss fall nowhere."""
    if low >= _LOW and high <= _HIGH and steps >= _STEPS:
        return "look at the data, or try more --steps"
    narrower = f"--low {_LOW:g} --high {_HIGH:g} --steps {max(steps, _STEPS)}"
    return (
        f"try a narrower range and more steps, {narrower}; if it still does not, look at the data"
    )


def _rate(found: Rates) -> str:
    return f"train.optimizer.lr={found.suggestion:g}"


@contextmanager
def _bench(
    session: Session, overrides: Overrides, settings: Settings, *, jobs: int, what: str
) -> Iterator[Callable[[], Bench]]:
    """What sets the recipe's training up; its work is shown."""
    request = session.open(overrides, settings=settings, checks=[stages.check_trainable])
    if is_module(request.loaded.values, request.catalog):
        raise RequestError(f"a module of your own takes its own steps: `{what}` cannot make them")
    check_secrets(request, [("model",), ("task",), ("train",)])
    name = request.loaded.recipe.train.data.partition(".")[0]
    request = session.pin(request, settings=settings, nodes=[name])
    records = carry_out(session, request, settings, nodes=[name], jobs=jobs)
    with live(settings):
        from contextlib import ExitStack

        from mlrecipe.training.conduct import blaming, learning
        from mlrecipe.training.finding import bench

        session.load_plugins(request)
        with ExitStack() as stack, _placing(request), blaming(what, request):
            given: Mapping[str, Any] = learning(request, records, session.store).keywords  # type: ignore[attr-defined]
            recipe = request.loaded.recipe
            seed = recipe.seed if recipe.train.seed is None else recipe.train.seed

            def make() -> Bench:
                names = ("task", "model", "spec", "data", "components")
                made = bench.bench(**{key: given[key] for key in names}, seed=seed)
                events.emit(events.StageStarted("find", f"{what} on a copy of the network"))
                return stack.enter_context(made)

            yield make


@contextmanager
def _placing(request: Request) -> Iterator[None]:
    try:
        yield
    except DataError as error:
        raise stages.placed(error, request) from error
