"""Cleaning: texts of a run without what is this machine's or nobody else's business."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlrecipe.recipe.keys import dotted, leaves
from mlrecipe.runs.manifest import RECIPE
from mlrecipe.runs.results import recipe_of
from mlrecipe.runs.run import Run
from mlrecipe.secrecy import conceal, redact

_TEXTS = {
    ".json", ".toml", ".md", ".patch", ".lock", ".csv", ".txt", ".py", ".html", ".yaml", ".yml", ".log",
}  # fmt: skip
_LONGEST = 8 * 2**20
"""Bytes of the longest text that is looked through."""

_SECRET = re.compile(r"\$\{secret:([A-Za-z_][A-Za-z0-9_]*)\}")
_TOKENS = re.compile(
    r"hf_[A-Za-z0-9]{30,}|sk-[A-Za-z0-9_-]{20,}|gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,}"
    r"|AKIA[0-9A-Z]{16}|xox[abprs]-[A-Za-z0-9-]{10,}|(?<=://)[^/\s:@\"']+:[^/\s@\"']+(?=@)"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----",
    re.DOTALL,
)
"""What secrets look like that services give out: of the hub, of GitHub, of AWS, in addresses, keys."""


class Cleaner:
    """Takes the project's and the user's folder, and secrets, out of texts.

    Secrets are those that the runs' recipes name, as far as they are set here, and what looks like one.
    """

    def __init__(self, project: Path, runs: Sequence[Run]) -> None:
        self._folders = [(str(project), "."), (str(project.resolve()), ".")]
        home = os.path.expanduser("~")
        if home not in ("/", "~", ""):
            self._folders.append((home, "~"))
        for run in runs:
            _conceal(run)
        self.absolute = sorted({text for run in runs for text in self._outside(run)})
        """Absolute paths that stay in the recipes: `nodes.reviews.path /data/imdb`."""

    def text(self, path: Path) -> bytes | None:
        """What a file is to say, or None where it may stay as it is."""
        if path.suffix not in _TEXTS or path.stat().st_size > _LONGEST:
            return None
        try:
            before = path.read_bytes().decode("utf-8")
        except ValueError:  # no text
            return None
        after = self._clean(before)
        return None if after == before else after.encode()

    def _clean(self, text: str) -> str:
        for folder, instead in self._folders:
            inside = "" if instead == "." else f"{instead}/"
            start = rf"(?:(?<![\w.~/-])|(?<=file://)){re.escape(folder)}"
            text = re.sub(f"{start}/", inside, text)
            text = re.sub(rf"{start}(?![\w.-])", instead, text)
        return _TOKENS.sub("***", redact(text))

    def _outside(self, run: Run) -> list[str]:
        found = []
        for key, value in leaves(recipe_of(run)):
            texts: list[Any] = value if isinstance(value, list) else [value]
            found += [
                f"{dotted(key)} {text}"
                for text in map(self._clean, filter(_is_text, texts))
                if os.path.isabs(text) or text.startswith("~/")
            ]
        return found


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _conceal(run: Run) -> None:
    """See to it that the secrets which a run's recipe names are taken out of every text."""
    path = run.folder / RECIPE
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    for name in _SECRET.findall(text):
        if value := os.environ.get(name):
            conceal(value)
