"""`mlrecipe runs show`: what a run came to, with all tables of its test's report."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from mlrecipe.cli import amounts, naming, render, reported
from mlrecipe.cli.options import Json
from mlrecipe.cli.session import Session
from mlrecipe.errors import RequestError
from mlrecipe.recipe.project import shown
from mlrecipe.runs import run as running
from mlrecipe.runs import usage
from mlrecipe.runs.facts import numbers
from mlrecipe.runs.manifest import RECIPE
from mlrecipe.runs.run import Run

_ALL = 1_000_000
"""Lines that no table has."""


def show(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            help="An id, or how it ends; by default the newest test run.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what a run came to: its metrics, and every table of a test's report, however long.

    Of a train run its newest finished test has the tables. `report.json` of the test
    run has more: examples of errors, the rows that went worst.

    Example: mlrecipe runs show
    """
    session = Session.in_folder()
    every = list(running.every(session.project))
    chosen = _newest(session, every) if run is None else running.named(session.project, run)
    runs = [chosen]
    if chosen.facts.get("stage") == "train" and (test := _test_of(every, chosen)) is not None:
        runs.append(test)
    if as_json:
        render.document([_facts(each, session, every) for each in runs])
        return
    for number, each in enumerate(runs):
        if number:
            render.out()
        _show(each, session, every)


def _show(run: Run, session: Session, every: Sequence[Run]) -> None:
    lines = [("run", f"{shown(run.folder, here=session.here)}, {run.status}")]
    lines += [(name, text) for name, text in _lines(run, every) if text]
    if (run.folder / reported.FILE).is_file():
        lines.append(("report", shown(run.folder / reported.FILE, here=session.here)))
    for line in render.columns(lines):
        render.out(line)
    if found := _metrics(run):
        render.out()
        for line in render.columns(render.metrics(found)):
            render.out(line)
    reported.show(run, lines=_ALL)


def _lines(run: Run, every: Sequence[Run]) -> Iterator[tuple[str, str]]:
    """What is known of a run beside its metrics; what is not known is empty."""
    facts = run.facts
    yield "recipe", str(facts.get("recipe", ""))
    if run.odd:
        yield "damaged", f"its run.json has no {', '.join(run.odd)} that can be read"
    if facts.get("stage") == "test" and "rows" in facts:
        yield "tested", amounts.tested(run)
    elif facts.get("parent"):
        yield "test of", str(facts["parent"])
    yield "cause", " ".join(str(facts.get("cause", "")).split())
    yield "kept", _kept(run)
    yield "to go on", _to_go_on(run)
    yield "tests", ", ".join(each.id for each in _below(every, run, "parent"))
    yield "group", f"{facts['group']}, as {facts.get('member')}" if "group" in facts else ""
    yield "trainings", ", ".join(each.id for each in _below(every, run, "group"))
    yield "replay of", str(facts.get("replay_of", ""))
    yield "imported", _imported(facts.get("imported"))
    yield "tags", ", ".join(running.tags_of(run))
    yield "began", _began(run)
    yield "git", _git(run)
    yield "files", _files(run)


def _kept(run: Run) -> str:
    """How much of a test that did not end is there."""
    if run.facts.get("stage") != "test" or run.status in ("finished", "running"):
        return ""
    from mlrecipe.runs.kept import kept_rows

    rows = kept_rows(run)
    return amounts.counted(rows, "row") + " of it are predicted" if rows else "no row was predicted"


def _to_go_on(run: Run) -> str:
    """The command that goes on with a run that was stopped."""
    if run.status not in ("interrupted", "crashed") or not (run.folder / RECIPE).is_file():
        return ""
    stage, recipe = run.facts.get("stage"), shlex.quote(str(run.facts.get("recipe")))
    return (
        f"mlrecipe {stage} {recipe} --resume --run {run.id}" if stage in ("train", "test") else ""
    )


def _below(every: Sequence[Run], run: Run, fact: str) -> list[Run]:
    """The runs that name a run as their parent, or their group."""
    return [other for other in every if other.facts.get(fact) == run.id]


def _imported(facts: Any) -> str:
    return f"from {facts.get('from')}, {facts.get('time')}" if isinstance(facts, dict) else ""


def _began(run: Run) -> str:
    began, took = naming.moment(run.facts.get("started")), naming.seconds(run)
    if began is None:
        return ""
    lasted = "" if took is None else f", took {render.duration(took)}"
    return f"{began:%Y-%m-%d %H:%M:%S} UTC{lasted}"


def _git(run: Run) -> str:
    state = _of_git(run)
    if "commit" not in state:
        return ""
    more = " and what is in git.patch" if (run.folder / "git.patch").is_file() else ""
    more = more or " with changes" * bool(state.get("dirty"))
    return f"{str(state['commit'])[:12]} ({state.get('branch')}){more}"


def _of_git(run: Run) -> dict[str, Any]:
    state = _read(run, "env.json").get("git")
    return state if isinstance(state, dict) else {}


def _files(run: Run) -> str:
    """How much the run takes, and what of it takes most."""
    parts = sorted(usage.parts(run.folder), key=lambda part: -part[1])
    most = ", ".join(f"{name} {render.size(size)}" for name, size in parts[:3])
    return f"{render.size(sum(size for _, size in parts))}: {most}, …"


def _newest(session: Session, runs: Sequence[Run]) -> Run:
    """The newest finished test run, else the newest run.

    Raises:
        RequestError: there is no run.
    """
    tests = (r for r in runs if r.facts.get("stage") == "test" and r.status == "finished")
    found = next(tests, runs[0] if runs else None)
    if found is None:
        where = shown(session.project / running.FOLDER, here=session.here)
        raise RequestError(f"no runs in {where}", hint="mlrecipe run RECIPE makes some")
    return found


def _test_of(every: Sequence[Run], run: Run) -> Run | None:
    tests = (r for r in _below(every, run, "parent") if r.facts.get("stage") == "test")
    return next((r for r in tests if r.status == "finished"), None)


def _facts(run: Run, session: Session, every: Sequence[Run]) -> dict[str, Any]:
    report, facts = _read(run, reported.FILE), run.facts
    return {
        "run": run.id, "stage": facts.get("stage"), "status": run.status,
        "folder": run.folder.relative_to(session.project).as_posix(), "metrics": _metrics(run),
        **{
            key: facts.get(key)
            for key in ("name", "recipe", "parent", "group", "checkpoint", "replay_of", "cause",
                        "started", "ended")
        },
        "seconds": naming.seconds(run), "tags": running.tags_of(run),
        "tests": [each.id for each in _below(every, run, "parent")],
        "git": _of_git(run),
        "files": dict(usage.parts(run.folder)),
        **({"report": report["splits"]} if "splits" in report else {}),
    }  # fmt: skip


def _metrics(run: Run) -> Mapping[str, float]:
    return numbers(_read(run, "metrics.json"))


def _read(run: Run, name: str) -> dict[str, Any]:
    try:
        found = json.loads((run.folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
