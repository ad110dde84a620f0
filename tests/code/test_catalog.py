"""The catalog: components known without importing any."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mlrecipe.code import catalog as catalogs
from mlrecipe.code import stamps
from mlrecipe.code.catalog import Catalog, Plugin
from mlrecipe.registry import KINDS

OPS = '''
import mlrecipe
raise SystemExit("imported")

@mlrecipe.op("mine")
def mine(*, size: int = 2):
    """My own."""
'''


class Memo(dict):
    """Texts in memory."""

    set = dict.__setitem__


def plugin(folder: Path, text: str, name: str = "ops.py") -> Plugin:
    path = folder / name
    path.write_text(text)
    return Plugin(name=name, path=path, module=f"mlrecipe_project.{path.stem}")


def test_a_plugin_is_read_not_run(tmp_path):
    """What it registers is known though importing it would end the process."""
    catalog = Catalog([plugin(tmp_path, OPS)])

    found = catalog.find("op", "mine")

    assert found is not None
    assert (found.target, found.plugin) == ("mlrecipe_project.ops:mine", "ops.py:6")
    assert "mine" in catalog.names("op")
    assert catalog.problems == []


FOREIGN = ("optimizer", "callback", "logger")


@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=pytest.mark.heavy if k in FOREIGN else ()) for k in KINDS]
)
def test_built_in_names_are_known_of_every_kind(kind):
    """Each kind has names, and reading one of them imports nothing of it."""
    catalog = Catalog()
    names = catalog.names(kind)

    found = catalog.find(kind, names[0])

    assert found is not None
    assert not found.plugin


@pytest.mark.heavy
def test_a_class_of_another_library_is_read_from_its_source():
    """Lightning's callbacks and torch's optimizers have the parameters of their `__init__`."""
    catalog = Catalog()

    stopping = catalog.find("callback", "EarlyStopping")
    adam = catalog.find("optimizer", "AdamW")

    assert str(stopping.signature.params["patience"].kind) == "integer"
    assert "lr" in adam.signature.params
    assert "params" not in adam.signature.params  # given by mlrecipe


def test_an_unknown_name_is_none():
    """Whoever asked says what is wrong, and where."""
    assert Catalog().find("op", "no-such-op") is None


def test_a_name_taken_twice_is_a_problem_with_both_places(tmp_path):
    """Two plugins, or a plugin and mlrecipe, may not share a name."""
    first = plugin(tmp_path, OPS)
    second = plugin(tmp_path, OPS.replace('"mine"', '"tokenize"') + OPS, "more.py")

    problems = [str(p) for p in Catalog([first, second]).problems]

    assert problems == [
        "more.py:6  op 'tokenize' is registered twice: here and by mlrecipe itself; rename one",
        "more.py:13  op 'mine' is registered twice: here and by ops.py:6; rename one",
    ]


def test_a_plugin_that_is_not_python_is_a_problem(tmp_path):
    """With its line, and the other plugins are still read."""
    catalog = Catalog([plugin(tmp_path, "x = 1\ndef f(:\n"), plugin(tmp_path, OPS, "more.py")])

    assert [str(p) for p in catalog.problems] == ["ops.py:2:7  not valid Python: invalid syntax"]
    assert "mine" in catalog.names("op")


def test_a_plugin_that_is_not_text_is_a_problem(tmp_path):
    """Bytes that are no UTF-8 are no Python either."""
    mine = plugin(tmp_path, OPS)
    mine.path.write_bytes(b"x = '\xff'\n")

    [problem] = Catalog([mine]).problems

    assert str(problem).startswith("ops.py  not valid Python: ")


def test_a_reserved_parameter_is_a_problem(tmp_path):
    """What is wrong with a declaration is said with its place."""
    catalog = Catalog([plugin(tmp_path, OPS.replace("size", "force"))])

    assert [str(p) for p in catalog.problems] == [
        "ops.py:6  op 'mine': an op may not have a parameter 'force'"
    ]


def test_a_remembered_file_is_not_read_again(tmp_path, monkeypatch):
    """Until it changes."""
    monkeypatch.setattr(stamps, "RACY_NS", -1)
    memo = Memo()
    mine = plugin(tmp_path, OPS)
    Catalog([mine], memo)

    with monkeypatch.context() as patch:
        patch.setattr(catalogs.signatures, "scan", None)
        assert Catalog([mine], memo).find("op", "mine").signature.params["size"].default == 2
    mine.path.write_text(OPS.replace("size: int = 2", "size: int = 3"))

    assert Catalog([mine], memo).find("op", "mine").signature.params["size"].default == 3


def test_a_source_file_is_found_without_importing():
    """Only the top-level package is asked of the import system."""
    found = catalogs.source_file("xml.dom.pulldom:PullDOM")

    assert found is not None
    assert found.name == "pulldom.py"
    assert "xml.dom.pulldom" not in sys.modules
    assert catalogs.source_file("no_such_package.x:Y") is None
    assert catalogs.source_file("xml.no_such_module:Y") is None
