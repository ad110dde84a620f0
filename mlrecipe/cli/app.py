"""The command line itself: commands, global options, and the one place where errors end."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

import mlrecipe
from mlrecipe.cli import render
from mlrecipe.cli.options import expanded
from mlrecipe.cli.session import Settings, quiet_libraries
from mlrecipe.errors import MlrecipeError, RequestError, Terminated, did_you_mean
from mlrecipe.training.devices import ranks

GLOBAL_FLAGS = {
    "--verbose": "is_verbose",
    "-v": "is_verbose",
    "--quiet": "is_quiet",
    "-q": "is_quiet",
    "--traceback": "shows_traceback",
    "--offline": "is_offline",
}

INTERRUPTED = 130

_HELP = """One TOML file per machine-learning experiment.

A recipe says where the data comes from, how it is prepared, which model learns it and how it is tested.
mlrecipe does the work, never the same work twice, and can say why.

Start with: mlrecipe new my-project
"""


COMMANDS = {
    "new": "new:new",
    "check": "check:check",
    "plan": "prepare:plan",
    "prepare": "prepare:prepare",
    "train": "train:train",
    "test": "train:test",
    "evaluate": "evaluate:evaluate",
    "run": "train:run",
    "predict": "predict:predict",
    "find": "find:find",
    "inspect": "inspect:inspect",
    "graph": "graph:graph",
    "lineage": "lineage:lineage",
    "show": "show:show",
    "options": "choices:options",
    "list": "listing:list_",
    "runs": "runs:runs",
    "report": "report:report",
    "score": "score:score",
    "export": "export:export",
    "cache": "cache:cache",
    "import": "importing:import_",
    "schema": "schema:schema",
    "completion": "shells:completion",
}
"""Command → module of `cli` and function, in the order in which one needs them."""

GROUPS = {
    "find": {"lr": "find:lr", "batch-size": "find:batch_size"},
    "runs": {
        "list": "runs:list_",
        "show": "outcome:show",
        "diff": "differing:diff",
        "compare": "compare:compare",
        "replay": "replaying:replay",
        "tag": "run_tags:tag",
        "export": "archives:export",
        "import": "archives:import_",
        "rm": "clearing:rm",
        "prune": "clearing:prune",
        "du": "run_sizes:du",
        "sync": "syncing:sync",
    },
    "score": {"glue": "score:glue"},
    "export": {"model": "export:model", "hub": "export:hub", "glue": "export:glue"},
    "cache": {
        "list": "holdings:list_",
        "du": "cache:du",
        "verify": "cache:verify",
        "gc": "removal:gc",
        "rm": "removal:rm",
        "pin": "holdings:pin",
        "push": "remote:push",
        "pull": "remote:pull",
    },
}
"""Command that has commands of its own → these, in the same way; its function only has its help."""


class _Commands(TyperGroup):
    """Commands whose modules are imported when they are asked for: `prepare` need not pay for `train`."""

    table = COMMANDS
    is_listed = False
    """Whether the commands are about to be listed: of each its name and what it does are enough."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.table)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        self.is_listed = True
        super().format_help(ctx, formatter)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in self.table and not args[0].startswith("-"):
            named = " ".join([*ctx.command_path.split()[1:], args[0]])
            raise RequestError(f"no command {named!r}", hint=did_you_mean(args[0], self.table))
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: Any, name: str) -> Any:
        if name not in self.table:
            return None
        module, _, function = self.table[name].partition(":")
        if self.is_listed:
            return TyperCommand(name, help=_about(module, function))
        found = getattr(importlib.import_module(f"mlrecipe.cli.{module}"), function)
        if self.table is COMMANDS and name in GROUPS:
            return _group(name, found)
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command(name)(expanded(found))
        return typer.main.get_command(alone)


def _about(module: str, function: str) -> str:
    """The first paragraph of a command's docstring, read from the source: importing all would take long."""
    source = Path(__file__).with_name(f"{module}.py").read_text(encoding="utf-8")
    text = source.partition(f"\ndef {function}(")[2].partition('"""')[2].partition('"""')[0]
    return " ".join(text.partition("\n\n")[0].split())


def _group(name: str, described: Callable[..., None]) -> Any:
    """A command that has commands of its own."""
    kind = type(f"_{name.title()}Commands", (_Commands,), {"table": GROUPS[name]})
    alone = typer.Typer(
        cls=kind, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
    )
    alone.callback()(described)
    group = typer.main.get_command(alone)
    group.name = name  # else the list of commands shows none
    return group


app = typer.Typer(
    cls=_Commands,
    help=_HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"mlrecipe {mlrecipe.__version__}")
        raise typer.Exit


@app.callback()
def options(
    ctx: typer.Context,
    is_verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say more: every node, every reason.")
    ] = False,
    is_quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say nothing but results and errors.")
    ] = False,
    shows_traceback: Annotated[
        bool, typer.Option("--traceback", help="Show the Python traceback of an error.")
    ] = False,
    is_offline: Annotated[
        bool, typer.Option("--offline", help="Never ask the hub, not even for ids in the recipe.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Global options; they may stand before or after the command."""
    ctx.obj = Settings(
        is_verbose=is_verbose, is_quiet=is_quiet, shows_traceback=shows_traceback,
        is_offline=is_offline,
    )  # fmt: skip


def main() -> None:
    """Run one command and exit: 0 done, 1 the work failed, 2 the request was wrong, 130 interrupted."""
    signal.signal(signal.SIGTERM, _terminate)
    if ranks.is_follower():
        _follow()
    code = 128 + signal.SIGTERM
    with suppress(Terminated):  # between the command's end and the next line
        try:
            code = run(sys.argv[1:])
        finally:  # what is left is Python's own end
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command; returns its exit code."""
    from typer._click.exceptions import ClickException

    render.begin()
    arguments = _flags_first(arguments)
    is_kept = next((a for a in arguments if a not in GLOBAL_FLAGS), "") != "predict"
    try:
        code = app(arguments, standalone_mode=False, prog_name="mlrecipe")
        render.flush()
    except MlrecipeError as error:
        if "--traceback" in arguments:
            render.traceback()
        render.error(error)
        return error.exit_code
    except ClickException as error:
        error.show()
        return 2
    except Terminated as signalled:
        render.interrupted(is_kept=is_kept)
        return 128 + int(signalled.args[0])
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except (BrokenPipeError, render.ReaderGone):
        return 0
    finally:
        _part()
    if code == INTERRUPTED:  # typer makes this of a Ctrl-C
        render.interrupted(is_kept=is_kept)
    return code if isinstance(code, int) else 0  # an int: of `typer.Exit`


def _part() -> None:
    """End the other processes, where there are any."""
    distributed = sys.modules.get("mlrecipe.training.devices.distributed")
    if distributed is not None:
        distributed.close()


def _follow() -> NoReturn:
    """Do what the first process of the job says, whatever the command is; say nothing."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the first process hears them too, and decides
        signal.signal(number, signal.SIG_IGN)
    if "--traceback" not in sys.argv:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
    quiet_libraries(is_offline="--offline" in sys.argv)
    from mlrecipe.training import follow

    follow.follow()


def _flags_first(arguments: list[str]) -> list[str]:
    """Global flags moved before the command, so that they may be typed anywhere."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    flags = [a for a in arguments[:end] if a in GLOBAL_FLAGS]
    rest = [a for a in arguments[:end] if a not in GLOBAL_FLAGS]
    return [*flags, *rest, *arguments[end:]]


def _terminate(number: int, frame: object) -> None:
    raise Terminated(number)
