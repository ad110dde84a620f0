"""The documentation is current, and what it shows works."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mlrecipe.cli.app import COMMANDS
from mlrecipe.recipe.load import load

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_reference_is_current() -> None:
    """The generated pages are what the code would generate now."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs/make_reference.py"), "--check"],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip

    assert done.returncode == 0, done.stderr


def test_every_link_leads_somewhere() -> None:
    """Relative links between the pages name files that are there."""
    done = subprocess.run(
        [sys.executable, "tests/tools/check_links.py", "README.md", "CHANGELOG.md", "docs"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme(name: str) -> None:
    """The README's table names every command."""
    assert re.search(rf"`{name}`", (ROOT / "README.md").read_text())


def test_the_recipe_in_the_readme_is_one(tmp_path: Path) -> None:
    """What the README shows as a recipe has no problems of its own."""
    (found,) = re.findall(r"```toml\n(name = .*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    path = tmp_path / "imdb.toml"
    path.write_text(found)

    assert [str(problem) for problem in load(path).problems] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_commands_on_the_pages_exist(page: Path) -> None:
    """Every `mlrecipe …` line in a code block begins with a command that there is."""
    blocks = re.findall(r"```\n(.*?)```", page.read_text(), re.DOTALL)
    used = re.findall(r"^(?:\$ )?mlrecipe ([a-z]+)", "\n".join(blocks), re.MULTILINE)

    assert set(used) <= set(COMMANDS)
