"""Where the program starts: a TAB is answered before the command line itself is imported."""

from __future__ import annotations

import sys

COMPLETE = "__complete"
"""First argument of what a shell's completion script runs."""


def main() -> None:
    """Run the command line and exit."""
    if sys.argv[1:2] == [COMPLETE]:
        from mlrecipe.cli import complete

        sys.exit(complete.main(sys.argv[2:]))
    from mlrecipe.cli import collector

    collector.search_rarely()
    try:
        for stream in (sys.stdout, sys.stderr):  # whatever the terminal cannot show is written out
            if stream is not None and stream.encoding.lower() not in ("utf-8", "utf8"):
                stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        from mlrecipe.cli import app

        app.main()
    except KeyboardInterrupt:  # before anything was begun
        sys.stderr.write("interrupted\n")
        sys.exit(130)
    finally:
        collector.end()
