"""`mlrecipe runs tag`: words to find a run by, given when it is already there."""

from __future__ import annotations

from typing import Annotated

import typer

from mlrecipe.cli import render
from mlrecipe.cli.options import Json
from mlrecipe.cli.session import Session
from mlrecipe.errors import RequestError, did_you_mean
from mlrecipe.runs import run as running


def tag(
    run: Annotated[str, typer.Argument(metavar="RUN", help="An id, or how it ends.", show_default=False)],
    tags: Annotated[
        list[str], typer.Argument(metavar="TAG...", help="The words.", show_default=False)
    ],
    removes: Annotated[bool, typer.Option("--remove", help="Take these tags away.")] = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Give a run tags, or take some away; `runs list --tag TAG` finds it by them.

    Nothing of what the run computed changes.

    Examples: mlrecipe runs tag ee02 final paper; mlrecipe runs tag ee02 paper --remove
    """
    session = Session.in_folder()
    chosen = running.find(session.project, run)
    known = running.tags_of(chosen)
    for word in tags:
        if not word.strip() or word != word.strip() or not word.isprintable():
            raise RequestError(f"{word!r} is no tag", hint="a tag is a word, such as final")
        if removes and word not in known:
            raise RequestError(
                f"run {chosen.id} has no tag {word!r}", hint=did_you_mean(word, known)
            )
    kept = [word for word in known if not removes or word not in tags]
    new = kept if removes else list(dict.fromkeys([*known, *tags]))
    if new != known:
        chosen.update(tags=new)
    if as_json:
        render.document({"run": chosen.id, "tags": new})
        return
    render.out(f"{chosen.id}: {', '.join(new) if new else 'no tags'}")
