"""Where the program starts."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.projects import ROOT


def test_a_name_that_is_no_utf_8_is_written_out() -> None:
    """As other characters that cannot be shown."""
    code = (
        "from mlrecipe.cli import app, entry, render\n"
        "app.main = lambda: render.out('caf\\udce9.csv')\nentry.main()"
    )
    env = os.environ | {"PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8:strict"}

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=env, check=False
    )

    assert (done.returncode, done.stdout) == (0, "caf\\udce9.csv\n")
