"""A small project to run recipes in; its ops return JSON values and note each time they run."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

from mlrecipe import events, plugins
from mlrecipe.errors import RecipeError
from mlrecipe.pipeline.execute import Results, execute
from mlrecipe.pipeline.plan import Plan
from mlrecipe.pipeline.plan import plan as make_plan
from mlrecipe.pipeline.request import Request, open_request
from mlrecipe.store.store import Store

ROOT = Path(__file__).resolve().parents[1]

OPS = '''
from __future__ import annotations

from pathlib import Path

import mlrecipe


def note(name):
    with open(Path(__file__).with_name("ran.txt"), "a") as file:
        file.write(name + "\\n")


@mlrecipe.op("numbers")
def numbers(*, count: int = 3, start: int = 0) -> list[int]:
    """Whole numbers in order.

    Args:
        count: how many.
        start: the first.
    """
    note("numbers")
    return list(range(start, start + count))


@mlrecipe.op("add")
def add(left, right):
    """Element by element."""
    note("add")
    return [x + y for x, y in zip(left, right)]


@mlrecipe.op("scale", ignore=("num_workers",))
def scale(values, *, factor: float = 2.0, num_workers: int = 1):
    """Each value times a factor."""
    note("scale")
    return [factor * v for v in values]


@mlrecipe.op("parity")
def parity(values):
    """Even and odd values apart."""
    note("parity")
    return {"even": [v for v in values if v % 2 == 0], "odd": [v for v in values if v % 2]}


@mlrecipe.op("total")
def total(*parts):
    """Sum of everything."""
    note("total")
    return sum(sum(part) for part in parts)


@mlrecipe.op("lines")
def lines(*, path: mlrecipe.File):
    """Lines of a text file."""
    note("lines")
    return Path(path).read_text().splitlines()


@mlrecipe.op("fail")
def fail(*, message: str = "it broke"):
    """Never works."""
    note("fail")
    raise ValueError(message)
'''

RECIPE = """
name = "small"
plugins = ["ops.py"]

[nodes.first]
use = "numbers"
count = 4

[nodes.second]
use = "numbers"
start = 10
count = 4

[nodes.sum]
use = "add"
inputs = ["first", "second"]

[nodes.scaled]
use = "scale"
inputs = "sum"
"""


@dataclass(frozen=True)
class Done:
    """What a command gave."""

    code: int
    out: str
    err: str


class Work:
    """A project with `ops.py` and `recipe.toml`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / ".mlrecipe").mkdir(parents=True, exist_ok=True)
        self.write("ops.py", OPS)
        self.write("recipe.toml", RECIPE)

    @property
    def store(self) -> Store:
        """A new look at the project's store."""
        return Store(self.folder / ".mlrecipe" / "store")

    def write(self, name: str, text: str) -> Path:
        """Write a file of the project."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
        return path

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a piece of a file that is there once."""
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, (old, text)
        path.write_text(text.replace(old, new), encoding="utf-8")

    def ran(self) -> list[str]:
        """Ops that ran since this was asked last, in order."""
        path = self.folder / "ran.txt"
        names = path.read_text(encoding="utf-8").split() if path.is_file() else []
        path.unlink(missing_ok=True)
        return names

    def request(self, *overrides: str, recipe: str = "recipe.toml") -> Request:
        """The checked recipe."""
        return open_request(self.folder / recipe, overrides, here=self.folder)

    def problems(self, *overrides: str, recipe: str = "recipe.toml") -> list[str]:
        """What is wrong with the recipe, a line each."""
        with pytest.raises(RecipeError) as caught:
            self.request(*overrides, recipe=recipe)
        return [str(problem) for problem in caught.value.problems]

    def plan(self, *overrides: str, recipe: str = "recipe.toml", **options: list[str]) -> Plan:
        """What preparing the recipe would do."""
        return make_plan(self.request(*overrides, recipe=recipe), self.store, **options)

    def statuses(self, *overrides: str, **options: list[str]) -> dict[str, str]:
        """Node → status."""
        return {step.node.name: step.status for step in self.plan(*overrides, **options).steps}

    def reasons(self, node: str, *overrides: str) -> list[str]:
        """Why a node would run."""
        return list(self.plan(*overrides).by_node[node].reasons)

    def prepare(
        self, *overrides: str, recipe: str = "recipe.toml", jobs: int = 1, **options: list[str]
    ) -> Results:
        """Plan and execute the recipe."""
        request = self.request(*overrides, recipe=recipe)
        store = self.store
        planned = make_plan(request, store, **options)
        plugins.load(request.catalog.plugins, project=self.folder)
        return execute(planned, request, store, jobs=jobs)

    def output(self, node: str, *overrides: str) -> object:
        """The output of a node, made if need be."""
        results = self.prepare(*overrides, nodes=[node])
        results.raise_failures()
        return self.store.load(results.records[node])

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """`python -m mlrecipe …` in the project, in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "mlrecipe", *arguments],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, stdin: str = "", **environment: str) -> Done:
        """`python -m mlrecipe …` in the project, to its end."""
        with self.start(*arguments, **environment) as process:
            out, err = process.communicate(stdin, timeout=60)
        return Done(process.returncode, out, err)

    def python(self, code: str, **environment: str) -> Done:
        """Python code in the project, in a process of its own."""
        done = subprocess.run(
            [sys.executable, "-c", dedent(code)],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def work(tmp_path: Path) -> Work:
    """A small project with a recipe of four nodes."""
    return Work(tmp_path / "project")


@pytest.fixture
def heard() -> object:
    """The events of the test, as they come."""
    found: list[events.Event] = []
    with events.listening(found.append):
        yield found
