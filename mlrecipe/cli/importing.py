"""`mlrecipe import`: a recipe from the configuration of another framework."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlrecipe.cli import render
from mlrecipe.cli.options import Json
from mlrecipe.errors import RequestError, did_you_mean

if TYPE_CHECKING:
    from mlrecipe.migration.runway import Imported

FRAMEWORKS = ("runway", "hydra")


def import_(
    ctx: typer.Context,
    framework: Annotated[
        str, typer.Argument(metavar="FRAMEWORK", help=f"One of: {', '.join(FRAMEWORKS)}.")
    ],
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="The evaluated (JSON) or resolved (YAML) configuration."
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Where to write the recipe, - for standard output."),
    ] = None,
    ops: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH",
            help="File or folder with old ops of runway, to run unedited; may be given several times.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")] = False,
    as_json: Json = False,
) -> None:
    """Make a recipe from a configuration of runway_for_ml or of Hydra and Lightning.

    It is written beside the file. Every key that it has no place for is listed, with the reason.

    Examples: mlrecipe import runway config.json --ops src/data_ops; mlrecipe import hydra config.yaml
    """
    from mlrecipe.migration import project
    from mlrecipe.recipe.project import shown as as_known

    _check(framework, ops, output, as_json=as_json)
    beside = (
        file.with_suffix(".toml") if file.name else file
    )  # a folder such as `.` is refused below
    recipe = None if output == "-" else Path(output) if output else beside
    if framework == "runway":
        written = project.import_runway(file, recipe=recipe, ops=ops or (), force=force)
    else:
        written = project.import_hydra(file, recipe=recipe, force=force)
    imported = written.imported
    if as_json:
        dropped = [{"key": d.key, "value": d.value, "why": d.why} for d in imported.dropped]
        render.document(
            {"recipe": str(written.recipe), "dropped": dropped, "warnings": imported.warnings}
        )
        return
    if written.recipe is None:
        render.out(imported.text.removesuffix("\n"))
    for path in written.files:
        render.out(f"  {as_known(path.resolve(), here=Path.cwd())}")
    if not ctx.obj.is_quiet:
        _tell(imported)


def _check(framework: str, ops: list[Path] | None, output: str | None, *, as_json: bool) -> None:
    if framework not in FRAMEWORKS:
        message = f"nothing called {framework!r} can be imported"
        raise RequestError(message, hint=did_you_mean(framework, FRAMEWORKS))
    if ops and framework != "runway":
        raise RequestError("--ops is for runway: it names the folder of its old ops")
    if as_json and output == "-":
        raise RequestError("--json and --output - both want standard output", hint="leave one out")


def _tell(imported: Imported) -> None:
    from mlrecipe.migration.draft import shown
    from mlrecipe.migration.ledger import by_reason

    for warning in imported.warnings:
        render.warn(warning)
    if imported.dropped:
        render.say(f"\nnot carried over, each with all below it: {len(imported.dropped)}")
    for reason, items in by_reason(imported.dropped).items():
        render.say(f"\n  {reason}")
        rows = [(item.key, shown(item.value), detail) for item, detail in items]
        for line in render.columns(rows, indent="    "):
            render.say(line)
