"""`mlrecipe export`: a trained model as a folder or on the hub, predictions as a submission to GLUE."""

from __future__ import annotations

import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlrecipe.cli import render
from mlrecipe.cli.amounts import counted
from mlrecipe.cli.options import Json
from mlrecipe.cli.predict import choose
from mlrecipe.cli.session import Session, quiet_libraries
from mlrecipe.errors import RequestError
from mlrecipe.recipe.project import shown
from mlrecipe.runs import run as running
from mlrecipe.runs.run import Run

if TYPE_CHECKING:
    from mlrecipe.inference.exporting.hub import Target

TrainedArgument = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE|RUN",
        help="A recipe, of which the newest finished train run is taken, or a train run: its id or folder.",
        show_default=False,
    ),
]
CheckpointOption = Annotated[
    str, typer.Option("--checkpoint", metavar="best|last", help="Which checkpoint of the run.")
]
LicenseOption = Annotated[
    str | None,
    typer.Option(
        "--license",
        metavar="NAME",
        help="A licence by the hub's name, such as mit, for the model card.",
        show_default=False,
    ),
]
RunsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RUN]...",
        help="Only of these runs; by default the newest of each task in this project.",
        show_default=False,
    ),
]


def export() -> None:
    """Take a trained model, or predictions, out of the project.

    Example: mlrecipe export model imdb.toml --output my-model
    """


def model(
    ctx: typer.Context,
    source: TrainedArgument,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="A folder of its own.", show_default=False)
    ],
    checkpoint: CheckpointOption = "best",
    license_name: LicenseOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a folder that is not empty, with all in it.")
    ] = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Write a folder that plain transformers loads, with a model card and the recipe.

    Example: mlrecipe export model imdb.toml --output my-model
    """
    chosen = trained(source, quiet=ctx.obj.is_quiet)
    from mlrecipe.inference.exporting import model as exporting

    done = exporting.export(
        chosen, output, checkpoint=checkpoint, force=force, license_name=license_name
    )
    if as_json:
        render.document({"run": chosen.id, "checkpoint": checkpoint, "folder": str(output),
                         "files": done.files, "is_plain": done.is_plain})  # fmt: skip
        return
    _list(done.files)
    place = shown(done.folder, here=Path.cwd())
    render.out()
    render.out(f"exported checkpoint {checkpoint} of run {chosen.id} to {place}")
    render.out(f"  {done.loads.replace(str(done.folder), str(place))}")


def hub(
    ctx: typer.Context,
    source: TrainedArgument,
    repo: Annotated[
        str,
        typer.Option(
            "--repo",
            metavar="ORG/NAME",
            help="The repository, made where it is not there.",
            show_default=False,
        ),
    ],
    private: Annotated[
        bool, typer.Option("--private", help="Make a new repository that others do not see.")
    ] = False,
    revision: Annotated[
        str | None,
        typer.Option(
            "--revision",
            metavar="BRANCH",
            help="A branch instead of the main one.",
            show_default=False,
        ),
    ] = None,
    checkpoint: CheckpointOption = "best",
    license_name: LicenseOption = None,
    is_sure: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Upload a trained model to the Hugging Face hub, as `export model` writes it.

    Shows what would go where and asks before anything is sent. The token is read
    from the environment variable HF_TOKEN, and kept nowhere.

    Example: mlrecipe export hub imdb.toml --repo me/imdb-minilm --private
    """
    quiet_libraries(is_offline=ctx.obj.is_offline)
    chosen = trained(source, quiet=ctx.obj.is_quiet)
    from mlrecipe.inference.exporting import hub as pushing
    from mlrecipe.inference.exporting import model as exporting

    target = pushing.Target(repo=repo, revision=revision, is_private=private)
    pushing.check(target)
    with tempfile.TemporaryDirectory(prefix="mlrecipe-export-") as scratch:
        done = exporting.export(
            chosen, Path(scratch) / "model", checkpoint=checkpoint, license_name=license_name, model=repo
        )  # fmt: skip
        _announce(done.files, exporting.local_paths(done.folder), target, pushing.address())
        if not is_sure and not _asked():
            render.say("nothing was uploaded")
            raise typer.Exit(1)
        message = f"Checkpoint {checkpoint} of mlrecipe run {chosen.id}"
        address = pushing.push(done.folder, target, message=message)
    if as_json:
        render.document({"run": chosen.id, "repo": repo, "commit": address, "files": done.files})
        return
    render.out(f"uploaded: {address}")


def glue(
    runs: RunsArgument = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the tables go.")
    ] = Path("glue-submission"),
    archive: Annotated[
        bool, typer.Option("--zip", help="Put them into submission.zip as well.")
    ] = False,
    partial: Annotated[
        bool, typer.Option("--partial", help="Leave out tasks that have no predictions.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Write over files that are there already.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write the files of a submission to GLUE from the predictions of test runs.

    Eleven tables, AX from a test of an MNLI model on it; each must have exactly
    the rows of its test set.

    Example: mlrecipe export glue --output submission --zip
    """
    session = Session.in_folder()
    from mlrecipe.inference.exporting import submission

    candidates = named_runs(session, runs)
    chosen = submission.choose(candidates)
    if runs:
        warn_of_unused(
            candidates, [found.run for found in chosen.values()], "predictions for a test set"
        )
    written = submission.write(chosen, output, partial=partial, force=force, archive=archive)
    if as_json:
        tasks = {
            task: {"run": c.run.id, "file": submission.TABLES[task].file}
            for task, c in chosen.items()
        }
        render.document({"folder": str(output), "files": [p.name for p in written], "tasks": tasks})
        return
    for line in render.columns(
        (submission.TABLES[task].file, task, found.run.id) for task, found in chosen.items()
    ):
        render.out(line)
    missing = [task for task in submission.TABLES if task not in chosen]
    if missing:
        render.warn(f"left out: {', '.join(missing)}; GLUE takes a whole submission only")
    place = shown(output.resolve(), here=Path.cwd())
    render.out(f"\nwrote {counted(len(written), 'file')} to {place}")


def trained(argument: str, *, quiet: bool = False) -> Run:
    """The train run that an argument means, as for `predict`; says which.

    Raises:
        RequestError: there is none, or none that has come to an end.
    """
    found = choose(argument, here=Path.cwd())
    if found.facts.get("stage") != "train":
        stage = found.facts.get("stage")
        message = f"run {found.id} is a {stage} run, and holds no model"
        raise RequestError(message, hint="name one of its train runs")
    if found.status != "finished":
        if found.status != "interrupted":
            raise RequestError(f"run {found.id} is {found.status}")
        render.warn(f"run {found.id} was interrupted: it has learnt a part of what it should")
    elif not quiet:
        render.say(f"export: run {found.id}")
    return found


def named_runs(session: Session, names: list[str] | None) -> list[Run]:
    """The runs of those names, or all of the project, newest first."""
    if not names:
        return list(running.every(session.project))
    chosen = {run.id: run for run in (running.find(session.project, name) for name in names)}
    return [run for run in running.every(session.project) if run.id in chosen]


def warn_of_unused(named: Sequence[Run], used: Sequence[Run], what: str) -> None:
    """Say which of the runs that were named count for nothing."""
    ids = {run.id for run in used}
    for run in named:
        if run.id not in ids:
            render.warn(
                f"run {run.id} is left out: it has no {what} of GLUE, or a newer one named has"
            )


def _announce(files: dict[str, int], paths: list[str], target: Target, address: str) -> None:
    """Say what would be sent, where to, and what of this machine can be read in it."""
    for line in render.columns((name, render.size(size)) for name, size in files.items()):
        render.say(line)
    if paths:
        shown_ = ", ".join(shlex.quote(path) for path in paths[:3]) + (
            ", …" if len(paths) > 3 else ""
        )
        render.warn(f"the card and the recipe name paths of this machine: {shown_}")
    where = f"{address}/{target.repo}" + (f", branch {target.revision}" if target.revision else "")
    who = "seen by its owners alone" if target.is_private else "seen by everybody"
    size = render.size(sum(files.values()))
    render.say(f"{counted(len(files), 'file')}, {size}, to {where}; a new repository is {who}")


def _asked() -> bool:
    """Whether the user wants it."""
    sys.stderr.write("upload them? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _list(files: dict[str, int]) -> None:
    for line in render.columns((name, render.size(size)) for name, size in files.items()):
        render.out(line)
