"""`mlrecipe runs export` and `import`: runs in one file, from project to project."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mlrecipe import events
from mlrecipe.cli import amounts, render
from mlrecipe.cli.live import live
from mlrecipe.cli.options import Json
from mlrecipe.cli.session import Session
from mlrecipe.errors import RequestError
from mlrecipe.pipeline.request import Request, open_request
from mlrecipe.recipe.project import shown
from mlrecipe.runs import archive, intake, usage
from mlrecipe.runs import run as running
from mlrecipe.runs.manifest import CODE, RECIPE
from mlrecipe.runs.run import Run

_ENDS = (".tar.gz", ".tgz")
_MB = 10**6


def export(
    ctx: typer.Context,
    ids: Annotated[
        list[str],
        typer.Argument(metavar="RUN...", help="Runs: an id, or how it ends.", show_default=False),
    ],
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FILE.tar.gz", help="The archive; by default named like "
                     "the run, here.", show_default=False),
    ] = None,
    with_data: Annotated[
        bool, typer.Option("--with-data", help="Put in the files of the project that the runs read.")
    ] = False,
    without_checkpoints: Annotated[
        bool, typer.Option("--without-checkpoints", help="Leave the weights out.")
    ] = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Put runs into one archive, which `runs import` takes into another project.

    With a training go its finished tests, with a test its training, with a group
    its trainings. Paths of this machine and secrets are taken out of texts.

    Example: mlrecipe runs export ee02 -o imdb.tar.gz
    """
    session = Session.in_folder()
    named = [running.find(session.project, text) for text in ids]
    runs = list({run.id: run for each in named for run in archive.family(each)}.values())
    to = session.here / (output or f"{named[0].id}.tar.gz")
    _check_place(to)
    data, outside = _data(session, runs) if with_data else ({}, [])
    with live(ctx.obj):
        told = _told("export", _facts(runs), sum(usage.size_of(run.folder) for run in runs))
        packed = archive.pack(
            to, runs, project=session.project, data=data, has_checkpoints=not without_checkpoints,
            told=told,
        )  # fmt: skip
    for text in packed.absolute:
        render.warn(f"a recipe names {text}: it must be there, too, where the run is repeated")
    for text in outside:
        render.warn(
            f"{text} lies outside the project or in its runs/, or is hidden: it is not in the archive"
        )
    if as_json:
        render.document({
            "archive": shown(to, here=session.here), "bytes": packed.size, "files": packed.files,
            "runs": [run.id for run in runs], "data": sorted(data), "cleaned": list(packed.cleaned),
        })  # fmt: skip
        return
    lines = [("archive", f"{shown(to, here=session.here)}, {render.size(packed.size)}")]
    lines += [("run", f"{run.id}, {run.status}") for run in runs]
    lines += [("data", name) for name in sorted(data)]
    if packed.cleaned:
        said = f"paths of this machine, or secrets, replaced in {amounts.counted(len(packed.cleaned), 'file')}"
        lines.append(("cleaned", said))
    lines.append(("next", f"mlrecipe runs import {to.name}, in another project"))
    for line in render.columns(lines):
        render.out(line)


def import_(
    ctx: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="An archive of `runs export`.", show_default=False)
    ],
    as_json: Json = False,
) -> None:
    """Take the runs of an archive into this project: all of them, or none.

    Every byte is compared with the digest of what was packed; nothing is
    overwritten, and nothing of it is executed.

    Example: mlrecipe runs import imdb.tar.gz
    """
    session = Session.in_folder()
    path = session.here / file
    with live(ctx.obj):
        size = path.stat().st_size if path.is_file() else 0
        taken = intake.unpack(path, session.project, told=_told("import", file, size))
    for name in taken.kept:
        render.warn(f"{name} is in this project with other content, which is kept")
    if as_json:
        render.document({
            "runs": [run.id for run in taken.runs], "files": taken.files,
            "data": list(taken.data), "data_kept": list(taken.kept),
        })  # fmt: skip
        return
    lines: list[tuple[str, str]] = []
    for run in taken.runs:
        folder = shown(run.folder, here=session.here)
        lines.append(("run", f"{folder}, {run.facts.get('stage')}, {run.status}"))
        if (run.folder / CODE).is_dir():
            lines.append(("code", f"{folder}/{CODE}: to repeat the run, copy it into the project"))
    lines += [("data", name) for name in taken.data]
    lines.append(("next", f"mlrecipe runs show {taken.runs[0].id}"))
    for line in render.columns(lines):
        render.out(line)


def _check_place(to: Path) -> None:
    """Raise where no archive can be written.

    Raises:
        RequestError: its name, or the folder, is none for it.
    """
    if not to.name.endswith(_ENDS):
        stem = re.sub(r"\.(zip|tar|gz|bz2|xz|7z|rar)$", "", to.name.removesuffix(".tar.xz"))
        raise RequestError(
            f"--output: {to.name!r} is no .tar.gz", hint=f"name it {f'{stem}.tar.gz'!r}"
        )
    if to.is_dir() or not to.parent.is_dir():
        raise RequestError(f"--output: cannot write {str(to)!r}: no such folder")
    if to.exists():
        raise RequestError(f"--output: {to.name!r} is there already", hint="name another file")


def _data(session: Session, runs: Iterable[Run]) -> tuple[dict[str, Path], list[str]]:
    """Path in the project → file, of all that the runs' recipes read; and what lies outside."""
    found: dict[str, Path] = {}
    outside: list[str] = []
    root = session.project.resolve()
    for run in runs:
        if not (run.folder / RECIPE).is_file():
            continue
        request = open_request(
            run.folder / RECIPE, here=session.here, memo=session.store.memo,
            name=str(run.facts.get("recipe")),
        )  # fmt: skip
        for path in _files(request):
            real = path.resolve()
            inside = real.relative_to(root).parts if real.is_relative_to(root) else (".",)
            is_run = inside[0].casefold() == running.FOLDER
            if is_run or not all(map(intake.is_plain, inside)):
                outside.append(str(path))
            else:
                found["/".join(inside)] = real
    return found, sorted(set(outside))


def _files(request: Request) -> Iterable[Path]:
    """Every file that a recipe's nodes, model and task name."""
    recipe = request.loaded.recipe
    kinds = (("model", recipe.model), ("task", recipe.task), ("datamodule", recipe.data))
    named = [node.externals for node in request.graph]
    named += [request.bound(kind, c).externals for kind, c in kinds if c is not None]  # type: ignore[arg-type]
    for table in named:
        for items in table.values():
            for external in items:
                yield from (Path(path) for _, path in external.files)


def _facts(runs: Sequence[Run]) -> str:
    return amounts.counted(len(runs), "run")


def _told(stage: str, facts: str, total: int) -> Any:
    """What tells how far the work is."""
    done = 0

    def tell(size: int) -> None:
        nonlocal done
        done += size
        events.emit(events.Progress(done // _MB, max(total, done) // _MB, "MB"))

    events.emit(events.StageStarted(stage, facts))
    return tell
