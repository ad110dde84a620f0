"""Arguments and options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

RecipeArgument = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE",
        help="The recipe: a file here, or the name of one in the project's recipes/ folder.",
        show_default=False,
    ),
]

Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change one value of the recipe, such as train.batch_size=16; may be given several times.",
        show_default=False,
    ),
]

Force = Annotated[
    list[str] | None,
    typer.Option(
        "--force",
        metavar="NODE",
        help="Run this node even if its output is in the store; may be given several times.",
        show_default=False,
    ),
]

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
