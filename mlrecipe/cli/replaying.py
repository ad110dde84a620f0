"""`mlrecipe runs replay`: a run once more, of the same recipe, code and data, and whether it gives the same."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from mlrecipe.cli import differing, evaluate, render, stage, tested
from mlrecipe.cli.options import Jobs, Json
from mlrecipe.cli.session import Session, Settings, quiet_libraries
from mlrecipe.errors import RequestError
from mlrecipe.pipeline import present
from mlrecipe.pipeline.request import Request, open_request
from mlrecipe.recipe.project import shown
from mlrecipe.recipe.schema import Overrides
from mlrecipe.runs import differences, environment
from mlrecipe.runs import run as running
from mlrecipe.runs.differences import Difference
from mlrecipe.runs.manifest import CODE, RECIPE, inputs_of
from mlrecipe.runs.results import recipe_of
from mlrecipe.runs.run import Run
from mlrecipe.store.records import Record

_WEIGHTS = ".safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """A run and its repetition."""

    then: Run
    now: Run


def replay(
    ctx: typer.Context,
    run: differing.RunArgument,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Repeat it although code, data or libraries differ.")
    ] = False,
    without_test: Annotated[
        bool, typer.Option("--without-test", help="Of a training, do not repeat its test.")
    ] = False,
    jobs: Jobs = 1,
    as_json: Json = False,
) -> None:
    """Repeat a run as it was, and say whether it gives the same.

    A training is trained anew from its own resolved recipe, and its newest test
    made anew; of a test the same checkpoint is tested again. First code, data and
    libraries are compared with the run's: where they differ it is said how, and
    nothing is done. Exits with 1 where the metrics are not the same.

    Example: mlrecipe runs replay ee02
    """
    session = Session.in_folder()
    chosen = running.find(session.project, run)
    _check(chosen, session)
    session = Session(session.project / str(chosen.facts["recipe"]), here=session.here)
    request = _request(session, chosen, ctx.obj)
    _compare(session, chosen, request, ctx.obj, anyway=anyway)
    nodes = tested.nodes(request) if chosen.facts["stage"] == "test" else None
    records = stage.prepare(session, request, ctx.obj, nodes=nodes, jobs=jobs)
    _check_outputs(chosen, records, anyway=anyway)
    if chosen.facts["stage"] == "test":
        parent = running.find(session.project, str(chosen.facts["parent"]))
        pairs = [_retested(session, chosen, parent, ctx.obj, request=request, records=records)]
    else:
        again = stage.train(session, request, records, ctx.obj, facts={"replay_of": chosen.id})
        _tell_overrides(chosen, again)
        pairs = [_Pair(then=chosen, now=again)]
        test = None if without_test else differences.newest_test(chosen)
        if test is not None:
            pairs.append(_retested(session, test, again, ctx.obj))
    _close(session, pairs, as_json=as_json)


def _check(run: Run, session: Session) -> None:
    """Raise where a run cannot be repeated.

    Raises:
        RequestError: it is a group, has not finished, or what it needs is gone.
    """
    kind = run.facts.get("stage")
    if kind not in ("train", "test"):
        listing = f"mlrecipe runs list --where {shlex.quote(f'group={run.id}')}"
        hint = f"repeat one of its trainings: {listing}"
        raise RequestError(f"run {run.id} is a {kind} run", hint=hint)
    if run.status != "finished":
        recipe = shlex.quote(str(run.facts.get("recipe")))
        raise RequestError(
            f"run {run.id} is {run.status}: there is no result to repeat",
            hint=f"to go on with it: mlrecipe {kind} {recipe} --resume --run {run.id}",
        )
    if not (run.folder / RECIPE).is_file():
        raise RequestError(f"run {run.id} has no {RECIPE}: it cannot be repeated")
    if kind == "test":
        running.find(session.project, str(run.facts.get("parent"))).checkpoint(
            str(run.facts.get("checkpoint"))
        )


def _request(session: Session, run: Run, settings: Settings) -> Request:
    """The run's own recipe, under another name where its own is taken."""
    values = recipe_of(run)
    name = str(values.get("run", {}).get("name", "")) if run.facts["stage"] == "train" else ""
    free = running.free_name(session.project, f"{name}-replay") if name else ""
    sets = (f"run.name={free}",) if free else ()
    try:
        request = open_request(
            run.folder / RECIPE, Overrides(sets=sets), here=session.here,
            memo=session.store.memo, name=str(run.facts["recipe"]),
        )  # fmt: skip
    except RequestError:
        if (run.folder / CODE).is_dir():
            folder = shown(run.folder / CODE, here=session.here)
            render.say(f"the project's files that run {run.id} used are in {folder}")
        if "imported" in run.facts:
            render.say("its data come along when it is exported with --with-data")
        raise
    quiet_libraries(is_offline=settings.is_offline or not request.hub_ids)
    return request


def _compare(
    session: Session, run: Run, request: Request, settings: Settings, *, anyway: bool
) -> None:
    """Say where code, data and environment are others than the run's.

    Raises:
        RequestError: they are, in what decides on the result, and that was not asked for.
    """
    recipe = request.loaded.recipe
    data = (
        recipe.train.data
        if run.facts["stage"] == "train"
        else recipe.test.data or recipe.train.data
    )
    nodes = [data.partition(".")[0]] if data else []
    then = differences.facts_of(run, about=("code", "data", "environment", "git"))
    now = present.facts(request, nodes, session.store.memo)
    found = [d for d in differences.between(then, now) if not differences.is_output(d)]
    deciding = [d for d in found if _decides(d)]
    beside = [d for d in found if not _decides(d)]
    if beside and not settings.is_quiet:
        more = f"; and {len(beside) - 6} more" if len(beside) > 6 else ""
        said = "; ".join(str(d) for d in beside[:6])
        render.say(f"replay: other than then, which need not matter: {said}{more}")
    if not deciding:
        return
    differing.show(deciding)
    if not anyway:
        raise RequestError(
            f"run {run.id} cannot be repeated as it was: {_kinds(deciding)} changed since",
            hint=_way_back(run, session, deciding),
        )
    render.warn(f"{_kinds(deciding)} changed since run {run.id}: the result may be another")


def _decides(item: Difference) -> bool:
    """Whether a result may hang on it: code, data, Python and the libraries that compute."""
    if item.about == "environment":
        computing = {name.lower().replace("_", "-") for name in environment.LIBRARIES}
        return item.name in ("python", *computing)
    return item.about in ("code", "data")


def _kinds(found: Sequence[Difference]) -> str:
    names = dict.fromkeys("libraries" if d.about == "environment" else d.about for d in found)
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _way_back(run: Run, session: Session, found: Sequence[Difference]) -> str:
    """What to do about it."""
    nonetheless = f"to repeat it nonetheless: mlrecipe runs replay {run.id} --anyway"
    if not any(d.about == "code" for d in found):
        return nonetheless
    commit = _json(run, "env.json").get("git", {}).get("commit")
    folder = shown(run.folder, here=session.here)
    if (run.folder / CODE).is_dir():
        return f"its files are in {folder}/{CODE}; {nonetheless}"
    if commit:
        patch = f", then git apply {folder}/git.patch there" * (run.folder / "git.patch").is_file()
        return f"its commit: git worktree add ../{run.id} {commit[:12]}{patch}; {nonetheless}"
    return nonetheless


def _check_outputs(run: Run, records: Mapping[str, Record], *, anyway: bool) -> None:
    """Raise where nodes gave something else than then, unless that was asked for.

    Raises:
        RequestError: they did.
    """
    then = inputs_of(run)
    moved = [n for n, r in records.items() if n in then and then[n].get("digest") != r.digest]
    if not moved:
        return
    message = f"the output of {', '.join(map(repr, moved))} is not what run {run.id} used"
    if not anyway:
        raise RequestError(message, hint="to repeat it nonetheless: --anyway")
    render.warn(message)


def _tell_overrides(run: Run, again: Run) -> None:
    """Note in the repetition what the run's own command line had changed: its recipe has that already."""
    then, now = (_json(each, "command.json") for each in (run, again))
    again.write("command.json", {**now, "overrides": then.get("overrides", [])})


def _retested(
    session: Session, test: Run, parent: Run, settings: Settings, *,
    request: Request | None = None, records: Mapping[str, Record] | None = None,
) -> _Pair:  # fmt: skip
    """The test of another training, or of the same once more, as it was made."""
    request = request or _request(session, test, settings)
    if records is None:
        records = stage.prepare(session, request, settings, nodes=tested.nodes(request))
    done = stage.judge(
        session, request, records, parent, settings, checkpoint=test.facts.get("checkpoint")
    )
    evaluate.after(session, request, [done], settings)
    return _Pair(then=test, now=done.update(replay_of=test.id))


def _close(session: Session, pairs: Sequence[_Pair], *, as_json: bool) -> None:
    """Say whether the results are the same.

    Raises:
        typer.Exit: with 1, where they are not.
    """
    metrics = [(name, then, now) for pair in pairs for name, then, now in _metrics(pair)]
    moved = [item for item in metrics if not _is_equal(item[1], item[2])]
    weights = _weights(pairs[0])
    if as_json:
        render.document({
            "run": pairs[0].then.id, "replay": pairs[0].now.id, "identical": not moved,
            "runs": [{"then": pair.then.id, "now": pair.now.id} for pair in pairs],
            "weights_identical": weights,
            "metrics": [{"name": n, "then": a, "now": b} for n, a, b in metrics],
        })  # fmt: skip
    else:
        _show(session, pairs, metrics, moved, weights)
    if moved:
        raise typer.Exit(1)


def _show(
    session: Session, pairs: Sequence[_Pair], metrics: Sequence[tuple[str, Any, Any]],
    moved: Sequence[tuple[str, Any, Any]], weights: bool | None,
) -> None:  # fmt: skip
    render.out()
    if metrics:
        rows = [
            [n, _number(a), _number(b), "" if _is_equal(a, b) else _by(a, b)] for n, a, b in metrics
        ]
        render.grid(["metric", "then", "now", "difference"], rows)
        render.out()
    count = len(metrics)
    if moved:
        verdict = f"different: {len(moved)} of {count} metrics are not the same"
    else:
        verdict = f"identical: all {count} metrics" if count != 1 else "identical: its one metric"
    if weights is not None:
        verdict += (
            "; the weights are the same, byte for byte" if weights else "; the weights differ"
        )
    lines = [("result", verdict)]
    lines += [("run", shown(pair.now.folder, here=session.here)) for pair in pairs]
    if moved:
        lines.append(("next", f"mlrecipe runs diff {pairs[0].then.id} {pairs[0].now.id}"))
    for line in render.columns(lines):
        render.out(line)


def _metrics(pair: _Pair) -> list[tuple[str, Any, Any]]:
    then, now = (_json(run, "metrics.json") for run in (pair.then, pair.now))
    names = [*then, *(name for name in now if name not in then)]
    return [(name, then.get(name), now.get(name)) for name in names]


def _weights(pair: _Pair) -> bool | None:
    """Whether the weights of both runs' best checkpoints are the same; None where that cannot be told."""
    each = [
        {name: digest for name, digest in found.items() if name.endswith(_WEIGHTS)}
        for run in (pair.then, pair.now)
        if (found := _json(run, "outputs.json").get("best", {}).get("sha256"))
    ]
    return each[0] == each[1] if len(each) == 2 and each[0] else None


def _is_equal(a: Any, b: Any) -> bool:
    return bool(a == b) or all(isinstance(x, float) and math.isnan(x) for x in (a, b))


def _number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, int | float) else "none"


def _by(a: Any, b: Any) -> str:
    is_told = isinstance(a, int | float) and isinstance(b, int | float)
    return f"{b - a:+.2g}" if is_told else "only in one"


def _json(run: Run, name: str) -> dict[str, Any]:
    try:
        found = json.loads((run.folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
