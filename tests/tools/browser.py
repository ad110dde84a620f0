"""A real browser: what it makes of a page, and pictures of pages and of what a terminal shows.

usage: python tests/tools/browser.py PAGE PICTURE [--width 1100] [--height 1400] [--dark]
"""

from __future__ import annotations

import argparse
import html
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FINDER = Path(__file__).with_name("chromium.sh")
_CONSOLE = re.compile(r"CONSOLE[:(]")
_STYLE = (
    "body{margin:0;padding:18px 22px;background:#15171a;color:#e4e7eb;display:inline-block}"
    "pre{font:15px/1.45 'DejaVu Sans Mono',monospace;margin:0;white-space:pre}b{color:#fff}"
    ".typed{color:#74a6dc}"
)


class NoBrowser(Exception):
    """There is none to be had; the text says why."""


@dataclass(frozen=True)
class Opened:
    """A page as the browser shows it."""

    content: str
    """The document after it was loaded."""

    console: list[str]
    """What the browser had to complain about."""


@cache
def chromium() -> str:
    """The path of the browser, installed if that can be done.

    Raises:
        NoBrowser: it cannot.
    """
    done = subprocess.run([str(FINDER)], capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        raise NoBrowser(done.stderr.strip() or "there is no Chromium")
    return done.stdout.strip()


def opened(page: Path) -> Opened:
    """Open a page, without any network."""
    done = _run("--enable-logging=stderr", "--dump-dom", page.resolve().as_uri())
    return Opened(done.stdout, [line for line in done.stderr.splitlines() if _CONSOLE.search(line)])


def widths(pages: Sequence[Path], *, width: int) -> list[int]:
    """How many pixels wide each page is in a window of that width.

    The pages themselves run nothing: copies of them, in frames, say how wide they became.
    """
    listen = "onmessage = e => document.body.dataset[`w${e.data[0]}`] = e.data[1]"
    frames = [f'<iframe src="{i}.html" style="width:{width}px;height:800px"></iframe>'
              for i in range(len(pages))]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        for place, page in enumerate(pages):
            say = f"parent.postMessage([{place}, document.documentElement.scrollWidth], '*')"
            content = page.read_text(encoding="utf-8")
            content = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", content)
            copy = Path(folder) / f"{place}.html"
            copy.write_text(content.replace("</body>", f"<script>{say}</script></body>"), "utf-8")
        outer = Path(folder) / "outer.html"
        body = f"<style>iframe{{border:0}}</style><script>{listen}</script>{''.join(frames)}"
        outer.write_text(f"<!DOCTYPE html><body>{body}</body>", "utf-8")
        found = dict(re.findall(r'data-w(\d+)="(\d+)"', opened(outer).content))
    return [int(found[str(place)]) for place in range(len(pages))]


def picture(
    page: Path, path: Path, *, width: int = 1100, height: int = 1400, dark: bool = False
) -> None:
    """A picture of the top of a page, as PNG."""
    looks = ["--blink-settings=preferredColorScheme=0"] if dark else []
    size = f"--window-size={width},{height}"
    _run(
        *looks, size, "--hide-scrollbars", f"--screenshot={path.resolve()}", page.resolve().as_uri()
    )
    if not path.is_file():
        raise NoBrowser("the browser made no picture")


def terminal(command: str, shown: str, path: Path, *, width: int, height: int) -> None:
    """A picture of a command and of what it printed."""
    content = f'<b class="typed">$ {html.escape(command)}</b>\n{html.escape(shown.rstrip())}'
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "terminal.html"
        page.write_text(
            f'<!DOCTYPE html><meta charset="utf-8"><style>{_STYLE}</style><pre>{content}</pre>',
            encoding="utf-8",
        )
        picture(page, path, width=width, height=height)


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The browser, headless, in a profile of its own that is thrown away."""
    with tempfile.TemporaryDirectory() as profile:
        return subprocess.run(
            [chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--disable-extensions", "--disable-background-networking", "--disable-dev-shm-usage",
             "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}",
             "--virtual-time-budget=5000", *arguments],
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip


def main() -> int:
    """Take one picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--width", type=int, default=1100)
    parser.add_argument("--height", type=int, default=1400)
    parser.add_argument("--dark", action="store_true")
    given = parser.parse_args()
    try:
        picture(given.page, given.picture, width=given.width, height=given.height, dark=given.dark)
    except NoBrowser as error:
        print(f"no picture: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
