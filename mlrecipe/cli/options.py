"""Arguments and options that several commands share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Annotated, Any

import typer

from mlrecipe.recipe.schema import Overrides

RecipeArgument = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE",
        help="The recipe: a file here, or the name of one in the project's recipes/ folder.",
        show_default=False,
    ),
]

NONE = Overrides()
"""Default of a command's parameter `overrides: Overrides`, which stands for four options; see `expanded`."""

_OVERRIDES = {
    "picks": Annotated[
        list[str] | None,
        typer.Option(
            "--pick",
            metavar="GROUP=OPTION",
            help="Choose a variant, such as model=tiny; may be given several times.",
            show_default=False,
        ),
    ],
    "files": Annotated[
        list[str] | None,
        typer.Option(
            "--set-file",
            metavar="FILE",
            help="Change all values that a TOML or JSON file has; may be given several times.",
            show_default=False,
        ),
    ],
    "unsets": Annotated[
        list[str] | None,
        typer.Option(
            "--unset",
            metavar="KEY",
            help="Take a key out of the recipe, so that its default holds; may be given several times.",
            show_default=False,
        ),
    ],
    "sets": Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change one value, such as train.batch_size=16; += and -= change a list; "
            "may be given several times.",
            show_default=False,
        ),
    ],
}

Force = Annotated[
    list[str] | None,
    typer.Option(
        "--force",
        metavar="NODE",
        help="Run this node even if its output is in the store; may be given several times.",
        show_default=False,
    ),
]

Update = Annotated[
    bool,
    typer.Option(
        "--update",
        help="Ask the hub again which commits the recipe's data sets and models are, and use those.",
    ),
]


def _jobs(text: str | int) -> int:
    with suppress(ValueError):
        if (count := int(text)) >= 0:
            return count
    raise typer.BadParameter(
        f"{str(text)!r} is no number of jobs: write 1 or more, or 0 for as many as there are cores"
    )


Jobs = Annotated[
    int,
    typer.Option(
        "--jobs",
        "-j",
        metavar="N",
        parser=_jobs,
        help="Run up to N nodes or shards at once, in processes of their own; 0: as many as there are cores.",
    ),
]

Limit = Annotated[
    int | None,
    typer.Option(
        "--limit",
        metavar="N",
        min=1,
        help="At most N rows of each source split: short for --set limit=N.",
        show_default=False,
    ),
]

FastDevRun = Annotated[
    bool,
    typer.Option(
        "--fast-dev-run",
        help="Only see whether it works: one batch of every stage, on few rows; nothing is kept.",
    ),
]

RunOption = Annotated[
    str | None,
    typer.Option(
        "--run",
        metavar="ID",
        help="Test this train run instead of the newest finished one; with --resume: go on with this test.",
    ),
]
ResumeTestOption = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on with the newest test of this recipe that was stopped: only its missing rows are tested.",
    ),
]
ResumeOption = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on with the newest interrupted train run of this recipe, where it was stopped.",
    ),
]
ResumedOption = Annotated[
    str | None,
    typer.Option("--run", metavar="ID", help="With --resume: this run instead of the newest."),
]
CheckpointOption = Annotated[
    str | None, typer.Option(metavar="best|last", help="Which checkpoint to test.")
]

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


def limited(overrides: Overrides, limit: int | None) -> Overrides:
    """The overrides with what `--limit` stands for."""
    if limit is None:
        return overrides
    return replace(overrides, sets=(*overrides.sets, f"limit={limit}"))


def expanded(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command with `--pick`, `--set-file`, `--unset` and `--set` in place of its `overrides`."""
    signature = inspect.signature(command, eval_str=True)
    if "overrides" not in signature.parameters:
        return command

    def run(**given: Any) -> Any:
        chosen = {name: tuple(given.pop(name) or ()) for name in _OVERRIDES}
        return command(**given, overrides=Overrides(**chosen))

    parameters: list[inspect.Parameter] = []
    for name, parameter in signature.parameters.items():
        if name != "overrides":
            parameters.append(parameter)
            continue
        for option, annotation in _OVERRIDES.items():
            parameters.append(parameter.replace(name=option, annotation=annotation, default=None))
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run
