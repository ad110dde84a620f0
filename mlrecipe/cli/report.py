"""`mlrecipe report`: one HTML file of a run, or of several side by side."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mlrecipe.cli import render
from mlrecipe.cli.options import Json
from mlrecipe.cli.session import Session, Settings, quiet_libraries
from mlrecipe.errors import MlrecipeError, RequestError
from mlrecipe.recipe.project import shown
from mlrecipe.runs import run as running
from mlrecipe.runs.run import Run
from mlrecipe.store.store import Store

NAME = "report.html"
"""The report's file in a run's directory."""

_PATIENCE = 2.0
"""Seconds after which it is told what is done."""

_OWN = re.compile(r"\d{8}T\d{6}Z-.*-([0-9a-f]{4})")
"""An id that the run was not given, and the letters that tell it from others."""

_LONGEST = 100
"""Characters of a file's name that ids are put into."""


def report(
    ctx: typer.Context,
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN...]",
            help="Runs: an id, or how it ends; several are compared. By default the newest test run.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", show_default=False,
            help="The file to write; by default report.html in the run's directory, of several "
            "one beside them in runs/.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Write one HTML file that shows a run: metrics with intervals, curves, mistakes, recipe, environment.

    The file needs nothing else and asks for nothing: send it to anyone. A
    train run is shown with its newest test, a test with its training, a group
    with all its trainings. Several runs are compared: what differs, and which
    differences are more than chance. No model is loaded. With --json the facts
    that the page is made of are printed instead.

    Examples: mlrecipe report ee02; mlrecipe report ee02 569c --output lr.html
    """
    session = Session.in_folder()
    if as_json and output is not None:
        raise RequestError("--json and --output cannot be combined")
    chosen = _chosen(session, runs or [])
    path = output or _place(session, chosen)
    quiet_libraries(is_offline=True)
    found, content = _made(chosen, _store(session), _teller(ctx.obj))
    if as_json:
        render.document(found)
        return
    from mlrecipe.pages import html

    _make_folder(path.parent)
    html.write(path, content, key="--output")
    _show(found, path, session)


def _make_folder(folder: Path) -> None:
    """Make the folder that a page goes to, where it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = "a file of that name is there" if folder.is_file() else error.strerror
        message = f"cannot make the folder {str(folder)!r}: {why}"
        raise RequestError(message, key="--output") from None


def _made(
    chosen: Sequence[Run], store: Store | None, tell: Callable[[str], None]
) -> tuple[dict[str, Any], str]:
    """The facts, and the page made of them."""
    from mlrecipe.report import facts, page, source

    each = source.sources(chosen)
    if len(each) == 1:
        one = facts.of_one(each[0], store, tell=tell)
        return one, page.of_one(one)
    several = facts.of_several(each, store, tell=tell)
    return several, page.of_several(several)


def _chosen(session: Session, named: Sequence[str]) -> list[Run]:
    """The runs that are named, each once; the newest test where none is.

    Raises:
        RequestError: one of them is not there, or there is none at all.
    """
    if named:
        found = [running.find(session.project, name) for name in named]
        return list({run.id: run for run in found}.values())
    every = list(running.every(session.project))
    tests = (r for r in every if r.facts.get("stage") == "test" and r.status == "finished")
    newest = next(tests, every[0] if every else None)
    if newest is None:
        where = shown(session.project / running.FOLDER, here=session.here)
        raise RequestError(f"no runs in {where}", hint="mlrecipe run RECIPE makes some")
    return [newest]


def _place(session: Session, chosen: Sequence[Run]) -> Path:
    """Where the page goes: into the run's directory, of several beside them."""
    if len(chosen) == 1:
        return chosen[0].folder / NAME
    ids = [run.id for run in chosen]
    found = [_OWN.fullmatch(name) for name in ids]
    ends = [each[1] for each in found if each]
    joined = "-".join(ends if len(set(ends)) == len(ids) else ids)
    if len(joined) > _LONGEST:
        joined = hashlib.sha256(joined.encode()).hexdigest()[:16]
    return session.project / running.FOLDER / f"report-{joined}.html"


def _store(session: Session) -> Store | None:
    """The project's store; None, with a warning, where it cannot be used."""
    try:
        return session.store
    except MlrecipeError as error:
        render.warn(str(error))
        return None


def _teller(settings: Settings) -> Callable[[str], None]:
    """Says what is done, once the whole takes more than a moment."""
    began = time.monotonic()

    def tell(text: str) -> None:
        if not settings.is_quiet and time.monotonic() - began > _PATIENCE:
            render.say(f"report: {text}")

    return tell


def _show(found: Mapping[str, Any], path: Path, session: Session) -> None:
    """Print what it came to, and where the page is."""
    from mlrecipe.report import verdict
    from mlrecipe.report.sections import comparison

    if "names" in found:
        pairs = list(zip(found["names"], found["runs"], strict=True))
        for line in render.columns([(n, about["runs"][-1]["run"]) for n, about in pairs]):
            render.out(line)
        for name, about in pairs:
            for text in about["warnings"]:
                render.warn(f"{name}: {text}")
        said = comparison.verdicts(found) or ["these runs cannot be compared row by row"]
        for text in (note for split in found["splits"] for note in split["notes"]):
            render.warn(text)
    else:
        for line in render.columns(verdict.summary(found)):
            render.out(line)
        said = [text for split in found["splits"] for text in verdict.remarks(split)]
        for text in found["about"]["warnings"]:
            render.warn(text)
    for text in said:
        render.out(f"  {text}")
    size = render.size(path.stat().st_size)
    render.out(f"  report: {shown(path, here=session.here)} ({size}, needs no network)")
