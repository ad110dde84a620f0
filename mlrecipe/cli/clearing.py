"""`mlrecipe runs rm` and `prune`: making room among the runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer

from mlrecipe.cli import conditions, render
from mlrecipe.cli.options import Json
from mlrecipe.cli.runs import Where
from mlrecipe.cli.session import Session
from mlrecipe.errors import RequestError, did_you_mean
from mlrecipe.recipe.project import shown
from mlrecipe.runs import index, usage
from mlrecipe.runs import run as running
from mlrecipe.runs.run import Run
from mlrecipe.runs.usage import Piece

_WITHOUT_PARTS = 3
"""From so many runs on a removal is told in a line each."""

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def rm(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN]...", help="Runs: an id, or how it ends.", show_default=False),
    ] = None,
    where: Where = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="The runs that failed or crashed.")
    ] = False,
    is_sure: Yes = False,
    as_json: Json = False,
) -> None:
    """Remove runs for good: all files in their directories, and nothing else.

    The store keeps what they were made from. Says what goes and asks before it
    does it; a run that is going on stays. With --json but without --yes it only
    says what would go.

    Examples: mlrecipe runs rm 20261121T160313Z-imdb-train-ee02; mlrecipe runs rm --failed --where 'age>30d'
    """
    session = Session.in_folder()
    if not ids and not where and not failed:
        raise RequestError("which runs? name them, or choose with --where or --failed")
    found = _chosen(session, ids or (), where or (), failed=failed)
    chosen = [run for run in found if run.status != "running"]
    for run in found:
        if run.status == "running" and ids:
            raise RequestError(f"run {run.id} is going on, as process {run.facts.get('pid')}")
    sizes = {run.id: usage.size_of(run.folder) for run in chosen}
    if as_json:
        _tell_tests(session, chosen)
        facts = [_removal(run, sizes[run.id], session) for run in chosen]
        for run in chosen if is_sure else ():
            usage.remove(run.folder)
        _document(facts, is_sure=is_sure)
        return
    if not chosen:
        render.say("no run to remove")
        return
    say = render.say if is_sure else render.out
    for run in chosen:
        _show(run, sizes[run.id], session, say, with_parts=len(chosen) < _WITHOUT_PARTS)
    _tell_tests(session, chosen)
    what = "this run" if len(chosen) == 1 else f"these {len(chosen)} runs"
    if len(chosen) > 1:
        say(f"{len(chosen)} runs, {render.size(sum(sizes.values()))}")
    _ask(f"remove {what} for good?", is_sure=is_sure)
    for run in chosen:
        usage.remove(run.folder)
        render.say(f"removed {shown(run.folder, here=session.here)}")


def prune(
    ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]...", help="Only of these; by default of all.", show_default=False
        ),
    ] = None,
    where: Where = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            "--keep-checkpoints",
            metavar="NAME",
            help="Of finished trainings keep only these checkpoints, such as best; may be given several "
            "times. By default all are kept.",
            show_default=False,
        ),
    ] = None,
    is_sure: Yes = False,
    as_json: Json = False,
) -> None:
    """Make room without removing a run: states of finished runs, old validations, leftovers.

    Says what goes and asks before it does it. With --keep-checkpoints best the
    other checkpoints of finished trainings go, too. With --json but without --yes
    it only says what would go.

    Example: mlrecipe runs prune --keep-checkpoints best
    """
    session = Session.in_folder()
    runs = _chosen(session, ids or (), where or (), failed=False)
    _check_checkpoints(runs, keep)
    pieces = [(run, piece) for run in runs for piece in usage.superfluous(run, checkpoints=keep)]
    left = [] if ids or where else usage.leftovers(session.project)
    freed = sum(piece.bytes for piece in [*(p for _, p in pieces), *left])
    say = render.say if is_sure or as_json else render.out
    for line in render.columns(_rows(session, [*(p for _, p in pieces), *left])):
        say(line)
    if (freed or pieces or left) and not as_json:
        _ask(f"remove this, {render.size(freed)}?", is_sure=is_sure)
    is_done = is_sure or not as_json
    for run, piece in pieces if is_done else ():
        usage.discard(run, piece)
    for piece in left if is_done else ():
        usage.remove(piece.path)
    if as_json:
        gone = [*(p for _, p in pieces), *left]
        _document([_facts(session, piece) for piece in gone], is_sure=is_sure)
    elif freed or pieces or left:
        render.say(f"removed {render.size(freed)}")
    else:
        render.say("nothing to remove")


def _chosen(
    session: Session, ids: Iterable[str], where: Sequence[str], *, failed: bool
) -> list[Run]:
    """The runs that are named, of which the conditions hold; all, where none is named."""
    named = {run.id: run for run in (running.named(session.project, text) for text in ids)}
    if named and not where and not failed:
        return list(named.values())
    every = index.entries(session.project)
    found = [e for e in every if not named or e.id in named]
    if failed:
        found = [e for e in found if e.run.status in ("failed", "crashed")]
    return [e.run for e in (conditions.chosen(found, where) if found else found)]


def _check_checkpoints(runs: Sequence[Run], keep: Sequence[str] | None) -> None:
    """Raise where a name is that of no checkpoint, for then all would go.

    Raises:
        RequestError: it is.
    """
    known = {name for run in runs for name in usage.checkpoint_names(run)}
    for name in keep or ():
        if name not in known:
            hint = did_you_mean(name, known)
            raise RequestError(f"--keep-checkpoints: no run has a checkpoint {name!r}", hint=hint)


def _show(
    run: Run, size: int, session: Session, say: Callable[[str], None], *, with_parts: bool
) -> None:
    """What a run's removal takes away."""
    files = shown(run.folder, here=session.here)
    say(f"{files}: {run.facts.get('stage')} run of {run.facts.get('recipe')}, {run.status}, "
        f"{render.size(size)}")  # fmt: skip
    if with_parts:
        for line in render.columns((n, render.size(b)) for n, b in usage.parts(run.folder)):
            say(line)


def _removal(run: Run, size: int, session: Session) -> dict[str, Any]:
    path = run.folder.relative_to(session.project).as_posix()
    known = {key: run.facts.get(key) for key in ("stage", "recipe")}
    return {"run": run.id, "path": path, "bytes": size, **known, "status": run.status}


def _document(facts: Sequence[Mapping[str, Any]], *, is_sure: bool) -> None:
    """What went, or would go, as one JSON document."""
    if facts and not is_sure:
        render.say("nothing was removed; --yes removes it")
    render.document({
        "frees": sum(one["bytes"] for one in facts),
        "removed": list(facts) if is_sure else [], "would_remove": [] if is_sure else list(facts),
    })  # fmt: skip


def _tell_tests(session: Session, chosen: Sequence[Run]) -> None:
    """Say which runs stay that are tests of those that go, and cannot be made again."""
    ids = {run.id for run in chosen}
    for other in running.every(session.project):
        if other.facts.get("parent") in ids and other.id not in ids:
            which = "it" if len(ids) == 1 else other.facts["parent"]
            render.warn(f"{other.id} is a test of {which}, and stays; it can be repeated no more")


def _rows(session: Session, pieces: Sequence[Piece]) -> list[Sequence[str]]:
    return [
        (shown(piece.path, here=session.here), render.size(piece.bytes), piece.why)
        for piece in pieces
    ]


def _facts(session: Session, piece: Piece) -> dict[str, Any]:
    path = piece.path.relative_to(session.project).as_posix()
    return {"path": path, "bytes": piece.bytes, "why": piece.why}


def _ask(question: str, *, is_sure: bool) -> None:
    """Go on if the user wants it, else end the command with 1."""
    if is_sure:
        return
    answer = ""
    if sys.stdin.isatty() or not sys.stdin.closed:
        sys.stderr.write(f"{question} [y/N] ")
        sys.stderr.flush()
        answer = sys.stdin.readline()
    if answer.strip().lower() not in ("y", "yes"):
        render.say("nothing was removed")
        raise typer.Exit(1)
