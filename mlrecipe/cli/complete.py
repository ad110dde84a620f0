"""Shell completion: answers a TAB; where nothing can be told, nothing is offered, and never an error."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlrecipe.cli.candidates import SOURCES, Candidate, Context, find
from mlrecipe.code import signatures

# What most lines are made of, so that they need not wait for the commands to be imported. All else is asked
# of the commands themselves, and a test compares the two.
ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "check": ("RECIPE...",), "plan": ("RECIPE", "NODE..."), "prepare": ("RECIPE", "NODE..."),
    "train": ("RECIPE",), "test": ("RECIPE",), "run": ("RECIPE",), "inspect": ("NODE", "RECIPE"),
    "show": ("RECIPE",), "options": ("RECIPE", "PREFIX"), "list": ("WHAT", "NAME"),
}  # fmt: skip
"""Command → what its help calls its arguments."""

OPTIONS: Mapping[str, str] = {
    "--set": "KEY=VALUE", "--unset": "KEY", "--pick": "GROUP=OPTION", "--set-file": "FILE",
    "--force": "NODE", "--jobs": "N", "-j": "N", "--run": "ID", "--recipe": "RECIPE", "--json": "",
    "--verbose": "", "--quiet": "", "--traceback": "", "--offline": "", "--update": "", "-v": "", "-q": "",
}  # fmt: skip
"""Option → what its help calls its value; empty where it takes none."""

_BEFORE = ("time", "command", "exec", "nohup", "sudo", "env")
"""Words that may stand before the program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """A line up to the cursor, as the shell will read it."""

    words: list[str]
    """Words without their quotes; the last is the one at the cursor."""

    raw: str
    """The word at the cursor as it is typed."""

    quote: str = ""
    """The quotation mark that is still open."""

    opened: int = 0
    """How much of the word at the cursor stands before that mark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What a command accepts, as its own signature says."""

    arguments: tuple[str, ...] = ()
    options: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Option → what its value is called, and what it is for."""

    commands: Mapping[str, str] = field(default_factory=dict)
    """Commands below it, and what they do."""


def main(arguments: Sequence[str]) -> int:
    """Write the candidates for `SHELL LINE [WORD]`, a line each; `WORD` is what bash would replace."""
    try:
        shell, line, *word = arguments
        typed = read(line)
        found = [c for c in complete(typed.words, here=Path.cwd()) if c.text.isprintable()]
        if shell == "bash":
            lines = [_for_bash(c.text, typed, word[0] if word else typed.raw) for c in found]
        else:
            lines = [f"{c.text}\t{_short(c.about)}" for c in found]
        sys.stdout.write("".join(f"{line}\n" for line in lines if line))
        sys.stdout.flush()
    except Exception:  # noqa: BLE001 - nothing is offered rather than an error printed
        return 1
    return 0


def read(line: str) -> Typed:
    """The words of a line that may end within one, within quotes too."""
    words, raws, quote, opened = [""], [""], "", 0
    escaped = False
    for char in line:
        if not quote and not escaped and char.isspace():
            if raws[-1]:
                words.append("")
                raws.append("")
            continue
        raws[-1] += char
        if escaped:
            words[-1] += char if not quote or char in '"\\$`' else "\\" + char
            escaped = False
        elif char == "\\" and quote != "'":
            escaped = True
        elif char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote, opened = char, len(words[-1])
        else:
            words[-1] += char
    while words[1:] and (words[0] in _BEFORE or re.match(r"\w+=", words[0])):
        del words[0]
    return Typed(words=words[1:] or [""], raw=raws[-1], quote=quote, opened=opened)


def complete(words: Sequence[str], *, here: Path) -> list[Candidate]:
    """What the last of the words after `mlrecipe` may become."""
    *before, word = words
    line = _Line(here)
    for text in before:
        line.add(text)
    return line.candidates(word)


class _Line:
    """Follows a line word by word."""

    def __init__(self, here: Path) -> None:
        self.context = Context(here=here)
        self._path: list[str] = []
        self._waiting = ""
        self._takes_options = True

    def add(self, word: str) -> None:
        """Take in a word that is complete."""
        if self._waiting:
            self.context.options.append((self._waiting, word))
            self._waiting = ""
        elif word == "--" and self._takes_options:
            self._takes_options = False
        elif word.startswith("-") and word != "-" and self._takes_options:
            name, equals, value = word.partition("=")
            if equals:
                self.context.options.append((name, value))
            elif self._value_of(name):
                self._waiting = name
        elif not self._path or self._has_commands():
            self._path.append(word)
            self.context.command = word
        else:
            self.context.arguments.append(word)

    def candidates(self, word: str) -> list[Candidate]:
        """What a word that comes next may become."""
        self.context.recipe = self._recipe()
        if self._waiting:
            return find(self.context, self._value_of(self._waiting), word)
        if word.startswith("-") and self._takes_options:
            name, equals, value = word.partition("=")
            if equals:
                found = find(self.context, self._value_of(name), value)
                return [Candidate(f"{name}={c.text}", c.about) for c in found]
            options = self._accepted().options
            return [Candidate(o, about) for o, (_, about) in options.items() if o.startswith(word)]
        if not self._path or self._has_commands():
            commands = self._accepted().commands if self._path else top_commands()
            return [Candidate(c, about) for c, about in commands.items() if c.startswith(word)]
        return find(self.context, self._argument(len(self.context.arguments)), word)

    def _recipe(self) -> str | None:
        """The recipe that is named: by an argument, or by an option."""
        named = self.context.given("--recipe")
        for number, text in enumerate(self.context.arguments):
            if self._argument(number) == "RECIPE":
                return text
        return named[-1] if named else None

    def _argument(self, number: int) -> str:
        names = self._arguments()
        name = names[min(number, len(names) - 1)] if names else ""
        is_last = number >= len(names)
        return "" if is_last and not name.endswith("...") else name.removesuffix("...")

    def _arguments(self) -> tuple[str, ...]:
        known = ARGUMENTS.get(self._path[0]) if self._path else None
        return known if known is not None else self._accepted().arguments

    def _value_of(self, option: str) -> str:
        if option in OPTIONS:
            return OPTIONS[option]
        return self._accepted().options.get(option, ("", ""))[0]

    def _has_commands(self) -> bool:
        return self._path[0] not in ARGUMENTS and bool(self._accepted().commands)

    def _accepted(self) -> Accepted:
        return accepted(self._path)


def accepted(path: Sequence[str]) -> Accepted:
    """What the command at `path` accepts; the options of mlrecipe itself may stand anywhere."""
    from typer.main import get_command

    from mlrecipe.cli.app import app

    command: Any = get_command(app)
    params = list(command.params)
    for name in path:
        command = command.get_command(None, name) if hasattr(command, "get_command") else None
        params += command.params if command is not None else []
    options = [p for p in params if p.param_type_name == "option" and not p.hidden]
    below = command.list_commands(None) if hasattr(command, "list_commands") else []
    return Accepted(
        arguments=tuple(_metavar(p) for p in params if p.param_type_name == "argument"),
        options={o: (_metavar(p), p.help or "") for p in options for o in p.opts}
        | {"--help": ("", "Show what the command does.")},
        commands={name: _first_line(command.get_command(None, name).help) for name in below},
    )


def top_commands() -> dict[str, str]:
    """The commands and what they do, read from source: importing them all would take longer."""
    here = Path(__file__).parent
    tree = ast.parse((here / "app.py").read_text(encoding="utf-8"))
    (table,) = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "COMMANDS"
    ]
    found = {}
    for name, target in table.items():
        module, _, function = target.partition(":")
        path = here / f"{module}.py"
        signature = signatures.of(path.read_text(encoding="utf-8"), str(path), function)
        found[name] = _first_line(signature.doc if signature else "")
    return found


def _first_line(doc: str | None) -> str:
    return (doc or "").partition("\n")[0]


def _metavar(param: Any) -> str:
    """`[NODE]...` as `NODE...`, or what the help says after `One of:`; empty for a flag."""
    if getattr(param, "is_flag", False):
        return ""
    name = re.sub(r"[\[\]]", "", param.metavar or param.type.name.upper())
    choices = re.match(r"One of: ([\w, -]+)\.", getattr(param, "help", None) or "")
    return choices[1].replace(", ", "|") if choices and name not in SOURCES else name


def _for_bash(text: str, typed: Typed, word: str) -> str | None:
    """What bash is to put in place of `word`: the part of the word at the cursor that it breaks off."""
    if typed.quote == "'":
        return text[typed.opened :] if "'" not in text else None
    if typed.quote:
        return re.sub(r'(["\\$`])', r"\\\1", text[typed.opened :])
    if not typed.raw.endswith(word):
        return None
    kept = read(f"mlrecipe {typed.raw[: len(typed.raw) - len(word)]}").words[-1]
    return _escaped(text[len(kept) :])


def _escaped(text: str) -> str:
    return re.sub(r"([\s\\'\"`$&|;<>()\[\]{}*?!#])", r"\\\1", text)


def _short(about: str) -> str:
    """The first sentence on one line."""
    text = " ".join(about.split()).partition(". ")[0].rstrip(".")
    return text if len(text) <= 70 else text[:69] + "…"
