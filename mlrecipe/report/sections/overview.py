"""The top of the page: what was run, whether it is whole, and what it came to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlrecipe.pages import html
from mlrecipe.pages.amounts import counted, duration
from mlrecipe.pages.html import Markup


def lead(about: Mapping[str, Any]) -> Markup:
    """One line under the title."""
    newest = about["runs"][-1]
    parts = [about["recipe"], f"{newest['stage']} run {newest['run']}", _day(newest)]
    tags = [Markup(f'<span class="tag">{html.text(tag)}</span>') for tag in about["tags"]]
    return html.paragraph(" · ".join(part for part in parts if part), *tags, kind="lead")


def parts(about: Mapping[str, Any], verdict: Sequence[str]) -> Iterator[Markup]:
    """The verdict, what speaks against it, and a table of facts."""
    if verdict:
        yield html.paragraph(" ".join(verdict), kind="verdict")
    else:
        yield html.paragraph(
            "Nothing was measured on labelled rows: there is no verdict.", kind="verdict"
        )
    yield from (html.warning(text) for text in about["warnings"])
    yield html.facts(list(_facts(about)))


def _facts(about: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for run in about["runs"]:
        yield str(run["stage"]), " · ".join(_run(run, about))
    for name in ("recipe", "model", "task", "data", "seed", "device"):
        if about.get(name) not in (None, ""):
            yield name, about[name]
    yield "code", _commit(about["git"])


def _run(run: Mapping[str, Any], about: Mapping[str, Any]) -> Iterator[str]:
    yield str(run["run"])
    yield str(run["status"])
    if day := _day(run):
        yield day
    if run["seconds"] is not None:
        yield f"took {duration(run['seconds'])}"
    if run["stage"] == "test" and run["rows"] is not None:
        yield f"{about['checkpoint']} checkpoint, {counted(run['rows'], 'row')}"


def _day(run: Mapping[str, Any]) -> str:
    """`2026-11-21 16:03 UTC`."""
    started = str(run.get("started") or "")
    return f"{started[:16].replace('T', ' ')} UTC" if len(started) >= 16 else ""


def _commit(git: Mapping[str, Any]) -> str:
    if not git:
        return "in no git repository: the state of the code is not known"
    state = "with changes that are not committed" if git.get("dirty") else "clean"
    branch = f" on {git['branch']}" if git.get("branch") else ""
    return f"commit {str(git.get('commit', ''))[:12]}{branch}, {state}"
