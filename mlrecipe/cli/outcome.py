"""`mlrecipe runs show`: what a run came to, with all tables of its test's report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from mlrecipe.cli import render, reported
from mlrecipe.cli.options import Json
from mlrecipe.cli.session import Session
from mlrecipe.errors import RequestError
from mlrecipe.recipe.project import shown
from mlrecipe.runs import run as running
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
    chosen = _newest(session) if run is None else running.find(session.project, run)
    runs = [chosen]
    if chosen.facts.get("stage") == "train" and (test := _test_of(session, chosen)) is not None:
        runs.append(test)
    if as_json:
        render.document([_facts(each, session) for each in runs])
        return
    for number, each in enumerate(runs):
        if number:
            render.out()
        _show(each, session)


def _show(run: Run, session: Session) -> None:
    facts = run.facts
    lines = [
        ("run", f"{shown(run.folder, here=session.here)}, {run.status}"),
        ("recipe", str(facts.get("recipe", ""))),
    ]
    if facts.get("stage") == "test" and "rows" in facts:
        what = (
            f"{facts.get('checkpoint')} checkpoint of {facts.get('parent')}, {facts['rows']:,} rows"
        )
        lines.append(("tested", what))
    if (run.folder / reported.FILE).is_file():
        lines.append(("report", shown(run.folder / reported.FILE, here=session.here)))
    for line in render.columns(lines):
        render.out(line)
    if found := _metrics(run):
        render.out()
        for line in render.columns(render.metrics(found)):
            render.out(line)
    reported.show(run, lines=_ALL)


def _newest(session: Session) -> Run:
    """The newest finished test run, else the newest run.

    Raises:
        RequestError: there is no run.
    """
    runs = list(running.every(session.project))
    tests = (r for r in runs if r.facts.get("stage") == "test" and r.status == "finished")
    found = next(tests, runs[0] if runs else None)
    if found is None:
        where = shown(session.project / running.FOLDER, here=session.here)
        raise RequestError(f"no runs in {where}", hint="mlrecipe run RECIPE makes some")
    return found


def _test_of(session: Session, run: Run) -> Run | None:
    tests = (r for r in running.every(session.project) if r.facts.get("parent") == run.id)
    return next(
        (r for r in tests if r.facts.get("stage") == "test" and r.status == "finished"), None
    )


def _facts(run: Run, session: Session) -> dict[str, Any]:
    report = _read(run, reported.FILE)
    return {
        "run": run.id, "stage": run.facts.get("stage"), "status": run.status,
        "folder": run.folder.relative_to(session.project).as_posix(), "metrics": _metrics(run),
        **({"report": report["splits"]} if "splits" in report else {}),
    }  # fmt: skip


def _metrics(run: Run) -> Mapping[str, float]:
    found = _read(run, "metrics.json").items()
    return {name: value for name, value in found if isinstance(value, int | float)}


def _read(run: Run, name: str) -> dict[str, Any]:
    try:
        found = json.loads((run.folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
