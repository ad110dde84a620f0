"""The rules that keep the package readable: layers, docstrings, declared dependencies."""

from __future__ import annotations

import ast
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomli

from tests.libraries import HEAVY

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "mlrecipe"
MODULES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
HEAVY_FOLDERS = (
    "training",
    "inference",
    "recorder",
    "reporting",
    "report",
    "significance",
    *(f"builtin/{part}" for part in ("tasks", "models", "metrics", "formats")),
)
LIGHT = [m for m in MODULES if not m.relative_to(PACKAGE).as_posix().startswith(HEAVY_FOLDERS)]
MAX_LINES = 350
DISTRIBUTIONS = {
    "PIL": "pillow",
    "lightning_fabric": "pytorch-lightning",
    "pytorch_lightning": "pytorch-lightning",
    "tomli_w": "tomli-w",
    "yaml": "pyyaml",
}
"""Distributions whose name is not that of the module, or that hold two."""


def relative(path: Path) -> str:
    """The path as a test id."""
    return path.relative_to(ROOT).as_posix()


def test_import_contracts_hold():
    """Modules import from layers below their own, without cycles, and light layers stay light."""
    pytest.importorskip("importlinter")

    result = _python(
        "-c",
        "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_logo=True))",
    )

    assert result.returncode == 0, result.stdout + result.stderr


def test_light_modules_import_nothing_heavy():
    """Importing all but training and the built-in components loads no torch or its like."""
    names = [".".join(m.relative_to(ROOT).with_suffix("").parts) for m in LIGHT]
    imports = "; ".join(
        f"import {name.removesuffix('.__init__')}" for name in names if "__main__" not in name
    )

    result = _python(
        "-c", f"{imports}; import sys; print(*sorted(set(sys.modules) & set({HEAVY!r})))"
    )

    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == []


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_module_has_a_docstring(module):
    """Every module opens with a sentence on what it owns."""
    assert ast.get_docstring(_parse(module))


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_module_is_short(module):
    """A module beyond this length holds two ideas."""
    assert len(module.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize("module", TESTS, ids=relative)
def test_every_test_says_what_it_holds(module):
    """Each test has a docstring."""
    functions = [n for n in ast.walk(_parse(module)) if isinstance(n, ast.FunctionDef)]

    silent = [f.name for f in functions if f.name.startswith("test_") and not ast.get_docstring(f)]

    assert silent == []


def test_what_the_package_imports_is_declared():
    """Every third-party library that the package imports is in pyproject.toml."""
    project = tomli.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = [name for names in project["optional-dependencies"].values() for name in names]
    declared = {_distribution(text) for text in [*project["dependencies"], *optional]}

    imported = {name for module in MODULES for name in _imports(_parse(module))}
    foreign = imported - set(sys.stdlib_module_names) - {"mlrecipe"}

    assert {DISTRIBUTIONS.get(name, name.replace("_", "-")) for name in foreign} <= declared


def test_tests_cannot_reach_other_machines():
    """A connection out of a test fails at once, and not with an error that libraries swallow."""
    with pytest.raises(RuntimeError, match="may not use the network"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    with pytest.raises(RuntimeError, match="may not use the network"):
        socket.getaddrinfo("example.org", 80)


def test_version_is_in_the_changelog():
    """The version of the package has its section in CHANGELOG.md."""
    import mlrecipe

    headings = [
        line.split()[1]
        for line in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("## ")
    ]

    assert headings[0] == mlrecipe.__version__


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def _imports(tree: ast.Module) -> Iterator[str]:
    """The top-level names of all absolute imports, those in functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


def _distribution(requirement: str) -> str:
    """The name in `torch>=2.4`."""
    return requirement.partition("<")[0].partition(">")[0].partition("=")[0].strip()
