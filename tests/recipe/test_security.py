"""A recipe is data: it names components, and never leads to code that the project did not declare."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

import mlrecipe
from mlrecipe.recipe.load import load
from mlrecipe.recipe.schema import Overrides

PACKAGE = Path(mlrecipe.__file__).parent
CONFIG = ["recipe", "code", "graph", "migration", "cli"]

DOTTED = ["os.system", "builtins:eval", "import:torch.optim.AdamW", "torch.optim.AdamW", "logging.os.system",
          "mlrecipe.builtin.ops.split:split", "ops.py:numbers", "__main__.numbers"]  # fmt: skip


@pytest.mark.parametrize("name", DOTTED)
@pytest.mark.parametrize(
    "key", ["nodes.first.use", "model.use", "train.optimizer.use", "train.callbacks.x.use"]
)
def test_recipe_36_no_dotted_path_is_looked_up(work, name, key):
    """Components are registered names; a path to some object is an unknown name."""
    loading = load(
        work.folder / "recipe.toml", Overrides(sets=(f"{key}={name}",)), here=work.folder
    )

    assert any(f"unknown {kind} {name!r}" in str(p) for p in loading.problems
               for kind in ("op", "model", "optimizer", "callback"))  # fmt: skip


def test_recipe_36_public_classes_are_registered_by_their_bare_names(work):
    """Torch's and Lightning's own are names like any other."""
    sets = (
        "train.optimizer.use=SGD",
        "train.callbacks.x.use=Timer",
        "train.loggers.y.use=CSVLogger",
    )

    loading = load(work.folder / "recipe.toml", Overrides(sets=sets), here=work.folder)

    assert loading.problems == []


def _calls(path: Path) -> set[str]:
    """Names of everything that a module calls or imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            found.add(ast.unparse(node.func))
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def test_recipe_37_nothing_on_the_way_of_a_recipe_evaluates_or_unpickles():
    """No eval, exec, compile, pickle or marshal, and YAML only where it is read safely."""
    banned = {"eval", "exec", "compile", "pickle", "marshal", "dill", "cloudpickle", "shelve", "yaml.load",
              "yaml.unsafe_load", "__import__", "builtins.eval", "builtins.exec"}  # fmt: skip
    paths = [path for name in CONFIG for path in (PACKAGE / name).rglob("*.py")]

    found = {str(path.relative_to(PACKAGE)): _calls(path) & banned for path in paths}

    assert len(paths) > 60
    assert {path: names for path, names in found.items() if names} == {}


CODE = "__import__('pathlib').Path('evil').touch()"


@pytest.mark.parametrize(
    "text",
    [
        CODE,
        f"${{{CODE}}}",
        f"!!python/object/apply:os.system ['{CODE}']",
        "cos\nsystem\n(S'x'\ntR.",
    ],
)
def test_recipe_37_code_in_a_recipe_stays_text(work, text):
    """In values, references, overrides and settings files; a pickle is a text like any other."""
    value = json.dumps(text)
    work.edit("recipe.toml", 'name = "small"', f"name = {value}")
    work.write("more.json", json.dumps({"nodes": {"first": {"start": text}}}))
    overrides = Overrides(files=("more.json",), sets=(f"seed={text}", f"name={text}"))

    loading = load(work.folder / "recipe.toml", overrides, here=work.folder)

    assert loading.problems  # a number is no text
    assert not (work.folder / "evil").exists()
    assert not Path("evil").exists()
