"""The op `breakpoint`: a prompt in the middle of the graph."""

from __future__ import annotations

import code
import contextlib
import copy
import sys
from typing import NoReturn, TypeVar

import mlrecipe
from mlrecipe import events

T = TypeVar("T")


@mlrecipe.op("breakpoint", cache=False)
def breakpoint_(data: T) -> T:
    """Open a Python prompt in which the input is `data`; the output is the input, unchanged.

    It runs every time. Without a terminal, as in a batch job, it only says that it was passed.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        events.emit(events.Note("breakpoint passed: there is no terminal to ask at"))
        return data
    # What is done to `data` itself at the prompt stays there; `exit()` must not close standard input.
    names = {"data": copy.copy(data), "exit": _leave, "quit": _leave}
    with contextlib.suppress(SystemExit):
        code.interact(banner=_banner(data), local=names, exitmsg="")
    return data


def _leave() -> NoReturn:
    raise SystemExit


def _banner(data: object) -> str:
    return f"data = {data!r}\nexit() or Ctrl-D goes on"
