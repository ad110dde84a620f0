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
    from mlrecipe.cli import app

    app.main()
