"""Where the program starts: a TAB is answered before the command line itself is imported."""

from __future__ import annotations

import os
import sys

COMPLETE = "__complete"
"""First argument of what a shell's completion script runs."""


def main() -> None:
    """Run the command line and exit."""
    if sys.argv[1:2] == [COMPLETE]:
        from mlrecipe.cli import complete

        sys.exit(complete.main(sys.argv[2:]))
    from mlrecipe.cli import collector

    _open_closed()
    collector.search_rarely()
    try:
        for stream in (sys.stdout, sys.stderr):  # whatever cannot be shown is written out
            if stream is not None and stream.errors != "backslashreplace":
                stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        from mlrecipe.cli import app

        app.main()
    except KeyboardInterrupt:  # before anything was begun
        sys.stderr.write("interrupted\n")
        sys.exit(130)
    finally:
        collector.end()


def _open_closed() -> None:
    """Have the three standard streams lead somewhere, where whoever started this has closed one.

    Else the next file that is opened, of the store say, gets its number, and with it all that libraries print.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            stream = open(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
