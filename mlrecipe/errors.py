"""The errors that mlrecipe raises on purpose, and the exit code of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class MlrecipeError(Exception):
    """An error that a user can act on: what is wrong, where, and what to do."""

    exit_code = 1

    def __init__(self, message: str, *, key: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.key = key
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.key}: {self.message}" if self.key else self.message
        return f"{text}; {self.hint}" if self.hint else text


class RequestError(MlrecipeError):
    """The request was wrong (recipe, arguments, data): nothing was run."""

    exit_code = 2


class RegistryError(RequestError):
    """A component is unknown, or registered twice."""


class PluginError(RequestError):
    """A plugin file may not be loaded, or failed while it was imported."""


class DataError(RequestError):
    """The data is not what the recipe says of it: a missing column, an unknown label.

    Raised by ops, formats and tasks. `key` is the name of the parameter at fault (`"column"`); the
    pipeline turns it into the recipe's key (`nodes.tokens.column`) with its file and line.
    """


class OpError(MlrecipeError):
    """An op failed while it ran."""


class StoreError(MlrecipeError):
    """The store cannot be read or written as it should."""


class Terminated(BaseException):
    """The process was asked to end (SIGTERM); like KeyboardInterrupt, no plain `except` stops it."""


class TrainingError(MlrecipeError):
    """Training or testing failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with a request, and where."""

    message: str
    """What is wrong, with what was expected."""

    key: str = ""
    """Dotted key in the recipe, `nodes.tokens.max_length`; empty when none applies."""

    file: str = ""
    """Where the key was written: a recipe's path as the user knows it, or `--set #2`."""

    line: int = 0
    """Line in `file`, from 1; 0 when the place has no lines."""

    column: int = 0
    """Column in `line`, from 1; 0 when unknown."""

    is_absence: bool = False
    """Whether data are not on this machine, which matters only to who picked the variant that needs them."""

    @property
    def where(self) -> str:
        """`file:line:column`, as far as it is known."""
        parts = [self.file] + [str(n) for n in (self.line, self.column) if n]
        return ":".join(part for part in parts if part)

    def __str__(self) -> str:
        text = f"{self.key}: {self.message}" if self.key else self.message
        return f"{self.where}  {text}" if self.where else text


class RecipeError(RequestError):
    """Everything that is wrong with a recipe, in one error, sorted by place."""

    def __init__(self, problems: Sequence[Problem], *, subject: str = "the recipe") -> None:
        self.problems = tuple(sorted(problems, key=_order))
        self.subject = subject
        super().__init__("\n".join(str(problem) for problem in self.problems))


def _order(problem: Problem) -> tuple[str, int, int, int, str]:
    """By place, with `--set #10` after `--set #2`."""
    name, _, number = problem.file.partition("#")
    count = int(number) if number.isdigit() else 0
    return name, count, problem.line, problem.column, problem.key


_ALSO = {
    "bio": "iob2",
    "iob": "iob2",
    "bio2": "iob2",
    "iobes": "bioes",
    "biluo": "bilou",
    "bioul": "bilou",
}
"""What schemes of tags are called elsewhere: nearer in letters is another scheme."""


def suggest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate nearest to `name`, or None when nothing is near.

    One whose first words these are is, if there is just one: `pearson` is meant for `pearson-corrcoef`.
    """
    import difflib  # late: a plugin's `import mlrecipe` and a TAB go without

    folded = {candidate.lower().replace("_", "-"): candidate for candidate in candidates}
    typed = name.lower().replace("_", "-")
    if _ALSO.get(typed) in folded:
        return folded[_ALSO[typed]]
    near = [candidate for candidate in folded if typed and candidate.startswith(f"{typed}-")]
    if len(near) != 1:
        near = difflib.get_close_matches(typed, folded, n=1, cutoff=0.62)
    return folded[near[0]] if near else None


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """A half-sentence that helps: `did you mean 'x'?`, or what there is to choose from."""
    names = sorted(candidates)
    near = suggest(name, names)
    if near is not None:
        return f"did you mean {near!r}?"
    if not names:
        return "there are none"
    shown = ", ".join(names[:12]) + (f", … ({len(names)} in all)" if len(names) > 12 else "")
    return f"known: {shown}"
