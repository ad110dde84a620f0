"""`mlrecipe runs diff`: in what two runs differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from mlrecipe.cli import render
from mlrecipe.cli.options import Json
from mlrecipe.cli.session import Session
from mlrecipe.runs import differences
from mlrecipe.runs import run as running
from mlrecipe.runs.differences import ABOUT, Difference, Facts

_MOST = 20
"""Lines of one kind."""

_SAME = {
    "recipe": "the recipe", "code": "the code", "data": "the data", "environment": "the environment",
    "git": "the repository", "metrics": "the metrics",
}  # fmt: skip

RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="An id, or how it ends.", show_default=False)
]


def diff(
    a: Annotated[str, typer.Argument(metavar="RUN", help="A run.", show_default=False)],
    b: Annotated[str, typer.Argument(metavar="RUN", help="Another.", show_default=False)],
    has_all: Annotated[bool, typer.Option("--all", help="Show every line, however many.")] = False,
    as_json: Json = False,
) -> None:
    """Show in what two runs differ: recipe, code, data, environment, repository, metrics.

    Only what differs is shown. Of a train run the metrics of its newest finished
    test are compared, too. Whether a difference of metrics is more than chance:
    `mlrecipe runs compare`.

    Example: mlrecipe runs diff ee02 569c
    """
    session = Session.in_folder()
    one, two = (differences.facts_of(running.find(session.project, text)) for text in (a, b))
    found = differences.between(one, two)
    unsaid = differences.unknown(one, two)
    if as_json:
        render.document({**_facts(one, two, found), "unknown": unsaid})
        return
    render.out(f"{one.name} → {two.name}")
    show(found, most=len(found) if has_all else _MOST)
    same = [said for about, said in _SAME.items() if _is_same(about, one, two, found)]
    if same:
        render.say(f"no difference: {', '.join(same)}")
    if unsaid:
        render.say(f"not known: {', '.join(unsaid)}")


def show(found: Sequence[Difference], *, most: int = _MOST) -> None:
    """Print differences under a title for each kind."""
    for about in ABOUT:
        items = [item for item in found if item.about == about]
        if not items:
            continue
        render.out(render.styled(about, "bold"))
        for item in items[:most]:
            render.out(f"  {item}")
        if len(items) > most:
            render.out(f"  … {len(items) - most:,} more: --all")


def _is_same(about: str, one: Facts, two: Facts, found: Sequence[Difference]) -> bool:
    parts = [facts.parts.get(about) for facts in (one, two)]  # type: ignore[call-overload]
    return all(parts) and not any(item.about == about for item in found)


def _facts(one: Facts, two: Facts, found: Sequence[Difference]) -> dict[str, Any]:
    return {
        "a": one.name,
        "b": two.name,
        "differences": {
            about: [
                {"name": i.name, "a": i.then, "b": i.now, **({"note": i.note} if i.note else {})}
                for i in found
                if i.about == about
            ]
            for about in ABOUT
        },
    }
