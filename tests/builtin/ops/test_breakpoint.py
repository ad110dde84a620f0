"""The op `breakpoint`."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

from mlrecipe.builtin.ops.breakpoint import breakpoint_
from mlrecipe.code import signatures

SCRIPT = """
import sys
from mlrecipe.builtin.ops.breakpoint import breakpoint_
data = {"rows": 3}
result = breakpoint_(data)
print("still", result is data and data == {"rows": 3} and not sys.stdin.closed)
"""


def test_without_a_terminal_it_is_passed(reviews, notes, monkeypatch, tmp_path):
    """The input goes through, and that is said."""
    (tmp_path / "in").touch()
    with open(tmp_path / "in") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)

        assert breakpoint_(reviews) is reviews

    assert notes == ["breakpoint passed: there is no terminal to ask at"]


def test_at_a_terminal_it_asks():
    """The input is `data`; leaving the prompt goes on, and what was done there stays there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdin=theirs, stdout=theirs, stderr=theirs,
        cwd=Path(__file__).parents[3], close_fds=True,
    )  # fmt: skip
    os.close(theirs)

    os.write(ours, b"data['rows'] * 111\ndata.clear()\nexit()\n")
    seen = _all_output(ours)

    assert process.wait(timeout=60) == 0
    assert "data = {'rows': 3}" in seen
    assert "333" in seen
    assert "still True" in seen


def test_it_is_never_cached():
    """The decorator says so, for those who read it from source."""
    path = Path(sys.modules[breakpoint_.__module__].__file__)

    (signature,) = signatures.scan(path.read_text(encoding="utf-8"), str(path))

    assert signature.options == {"cache": False}


def _all_output(terminal):
    """What the process wrote until it closed its terminal."""
    seen = b""
    while True:
        try:
            block = os.read(terminal, 1024)
        except OSError:  # Linux: the other side is closed
            break
        if not block:
            break
        seen += block
    os.close(terminal)
    return seen.decode()
