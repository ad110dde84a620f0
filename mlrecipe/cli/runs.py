"""`mlrecipe runs`: which runs there are, and removing one."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any

import typer

from mlrecipe.cli import amounts, render
from mlrecipe.cli.options import Json
from mlrecipe.cli.session import Session
from mlrecipe.errors import MlrecipeError, RequestError, did_you_mean
from mlrecipe.recipe.project import shown
from mlrecipe.runs import run as running
from mlrecipe.runs.manifest import RECIPE
from mlrecipe.runs.run import Run

_COLORS = {"finished": "green", "running": "cyan", "interrupted": "yellow"}

_STAGES = ("train", "test", "repeat")


def runs(ctx: typer.Context) -> None:
    """List the runs of this project, show what came of one, and remove some.

    Example: mlrecipe runs list
    """


def list_(
    recipe: Annotated[
        str | None,
        typer.Argument(metavar="[RECIPE]", help="Only of this recipe.", show_default=False),
    ] = None,
    stage: Annotated[
        str | None,
        typer.Option("--stage", metavar="train|test|repeat", help="Only of this stage.", show_default=False),
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option("--tag", metavar="TAG", help="Only with this tag (`run.tags`); may be given "
                     "several times.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """List runs, newest first: how they ended, what came of them, how old they are.

    Example: mlrecipe runs list imdb.toml --stage train
    """
    session = Session.in_folder()
    if stage not in (None, *_STAGES):
        raise RequestError(f"--stage: no stage {stage!r}", hint=did_you_mean(str(stage), _STAGES))
    name = None if recipe is None else _recipe_name(session, recipe)
    found = [
        run for run in running.every(session.project)
        if name in (None, run.facts.get("recipe")) and stage in (None, run.facts.get("stage"))
        and set(tag or ()) <= set(_tags(run))
    ]  # fmt: skip
    if as_json:
        render.document([_facts(run, session) for run in found])
        return
    if not found:
        render.say(_none(session, stage, name, tag))
        return
    lines = render.columns([_HEADER, *(_row(run) for run in found)])
    render.out(render.styled(lines[0], "bold"))
    for run, line in zip(found, lines[1:], strict=True):
        color = _COLORS.get(run.status, "red")
        render.out(line.replace(run.status, render.styled(run.status, color), 1))


def rm(
    ids: Annotated[
        list[str],
        typer.Argument(metavar="RUN...", help="Runs: an id, or how it ends.", show_default=False),
    ],
    is_sure: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove runs for good: all files in their directories, and nothing else.

    The store keeps what they were made from. Says what goes and asks before it
    does it; a run that is going on stays.

    Example: mlrecipe runs rm 20261121T160313Z-imdb-train-ee02
    """
    session = Session.in_folder()
    chosen = list({run.id: run for run in (running.find(session.project, i) for i in ids)}.values())
    for run in chosen:
        if run.status == "running":
            raise RequestError(f"run {run.id} is going on, as process {run.facts.get('pid')}")
    say = render.say if is_sure else render.out
    for run in chosen:
        _show(run, session, say)
    if not is_sure and not _asked(chosen):
        render.say("nothing was removed")
        raise typer.Exit(1)
    for run in chosen:
        _remove(run.folder)
        render.say(f"removed {shown(run.folder, here=session.here)}")


def _none(
    session: Session, stage: str | None, recipe: str | None, tags: Sequence[str] | None
) -> str:
    """That there is no such run, and which there are."""
    wanted = f"no {stage} runs" if stage else "no runs"
    wanted += f" of {recipe}" if recipe else ""
    wanted += f" with {' and '.join(map(repr, tags))}" if tags else ""
    counts = Counter(str(run.facts.get("stage")) for run in running.every(session.project))
    there = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    where = shown(session.project / running.FOLDER, here=session.here)
    return f"{wanted} in {where}" + (f"; there are: {there}" if there else "")


_HEADER = ("run", "stage", "recipe", "status", "metric", "age", "tags")


def _row(run: Run) -> Sequence[str]:
    facts, best = run.facts, _headline(run)
    metric = f"{best[0]} {best[1]:.4f}" if best else ""
    return (
        run.id, str(facts.get("stage", "")), str(facts.get("recipe", "")), run.status, metric,
        amounts.ago(_age(run)), ", ".join(_tags(run)),
    )  # fmt: skip


def _facts(run: Run, session: Session) -> dict[str, Any]:
    best = _headline(run)
    return {
        "run": run.id,
        "folder": run.folder.relative_to(session.project).as_posix(),
        "stage": run.facts.get("stage"),
        "recipe": run.facts.get("recipe"),
        "status": run.status,
        "tags": _tags(run),
        "parent": run.facts.get("parent"),
        "started": run.facts.get("started"),
        "ended": run.facts.get("ended"),
        "seconds": run.facts.get("seconds"),
        "metric": {"name": best[0], "value": best[1]} if best else None,
        "metrics": _metrics(run),
    }


def _headline(run: Run) -> tuple[str, float] | None:
    """The one metric that says most: what the recipe monitors, in the run's own stage."""
    metrics = _metrics(run)
    if not metrics:
        return None
    last = _monitor(run).rpartition("/")[2]
    wanted = [_monitor(run), f"{run.facts.get('stage')}/{last}"]
    wanted += [f"{split}/{last}" for split in run.facts.get("splits", {})]
    others = [name for name in metrics if not name.endswith("loss") and not name.startswith("lr-")]
    name = next((n for n in [*wanted, *others, *metrics] if n in metrics), None)
    return None if name is None else (name, metrics[name])


def _monitor(run: Run) -> str:
    import tomli

    try:
        recipe = tomli.loads((run.folder / RECIPE).read_text(encoding="utf-8"))
        return str(recipe["train"]["monitor"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _metrics(run: Run) -> dict[str, float]:
    try:
        found = json.loads((run.folder / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    found = found if isinstance(found, dict) else {}
    return {name: value for name, value in found.items() if isinstance(value, int | float)}


def _tags(run: Run) -> list[str]:
    tags = run.facts.get("tags", [])
    return [str(tag) for tag in tags] if isinstance(tags, list) else []


def _age(run: Run) -> float:
    """Seconds since the run began."""
    try:
        began = datetime.fromisoformat(str(run.facts.get("started")))
    except ValueError:
        return 0.0
    began = began if began.tzinfo else began.replace(tzinfo=timezone.utc)
    return (datetime.now(timezone.utc) - began).total_seconds()


def _recipe_name(session: Session, recipe: str) -> str:
    """The name by which runs know a recipe; it need not be there any more."""
    known = {str(run.facts.get("recipe")) for run in running.every(session.project)}
    path = os.path.relpath(os.path.abspath(recipe), session.project)
    texts = [recipe, Path(path).as_posix(), f"recipes/{recipe}"]
    names = [*texts, *(f"{text}.toml" for text in texts)]
    found = next((name for name in names if name in known), None)
    if found is None:
        raise RequestError(f"no run of {recipe!r}", hint=f"runs are of: {', '.join(sorted(known))}")
    return found


def _show(run: Run, session: Session, say: Any) -> None:
    """What a run's removal takes away."""
    parts = list(_parts(run.folder))
    whole = sum(size for _, size in parts)
    files = shown(run.folder, here=session.here)
    say(f"{files}: {run.facts.get('stage')} run of {run.facts.get('recipe')}, {run.status}, "
        f"{render.size(whole)}")  # fmt: skip
    for line in render.columns((name, render.size(size)) for name, size in parts):
        say(line)
    for other in running.every(session.project):
        if other.facts.get("parent") == run.id:
            render.warn(f"{other.id} is a test of it, and stays")


def _parts(folder: Path) -> Iterator[tuple[str, int]]:
    """What lies in a run directory, and how much it takes; links are not followed."""
    for path in sorted(folder.iterdir()) if not folder.is_symlink() else ():
        if path.is_symlink() or not path.is_dir():
            yield path.name, path.lstat().st_size
        else:
            files = (Path(top, name) for top, _, names in os.walk(path) for name in names)
            yield f"{path.name}/", sum(file.lstat().st_size for file in files)


def _asked(chosen: Sequence[Run]) -> bool:
    """Whether the user wants it."""
    if not sys.stdin.isatty() and sys.stdin.closed:
        return False
    what = "this run" if len(chosen) == 1 else f"these {len(chosen)} runs"
    sys.stderr.write(f"remove {what} for good? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _remove(folder: Path) -> None:
    """Remove a run directory, first out of the list of runs, so that no half of it is one.

    Raises:
        MlrecipeError: it cannot be removed.
    """
    aside = folder.with_name(f".{folder.name}.removed")
    try:
        if folder.is_symlink():
            folder.unlink()
            return
        os.rename(folder, aside)
        shutil.rmtree(aside)
    except OSError as error:
        raise MlrecipeError(f"cannot remove {str(folder)!r}: {error.strerror}") from error
