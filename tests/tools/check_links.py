"""Fail if a relative link in a Markdown page leads to no file or to no heading.

python tests/tools/check_links.py FILE_OR_FOLDER ...
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
CODE = re.compile(r"^(```|~~~).*?^\1\s*$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+\s+(.*?)\s*#*$", re.MULTILINE)


def main(names: list[str]) -> int:
    """The exit code; prints one line per broken link, else how many pages were read."""
    pages = [page for name in names for page in _pages(Path(name))]
    broken = [problem for page in pages for problem in problems(page)]
    print(*broken, sep="\n") if broken else print(f"{len(pages)} pages, every link leads somewhere")
    return 1 if broken else 0


def problems(page: Path) -> Iterator[str]:
    """`page: link` for each link that leads nowhere; links to other sites are not tried."""
    for link in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if "://" in link or link.startswith("mailto:"):
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield f"{page}: {link}"


def anchors(page: Path) -> set[str]:
    """The names that a link can use for the headings of a page."""
    text = re.sub(r"^(```|~~~).*?^\1\s*$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    titles = [title.replace("`", "").lower() for title in HEADING.findall(text)]
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}


def _pages(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(path.rglob("*.md"))
    return [path] if path.exists() else []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
