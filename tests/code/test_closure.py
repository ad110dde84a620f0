"""Code digests: what of a project's source an op's result depends on."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from mlrecipe.builtin import ops
from mlrecipe.code import closure, stamps
from mlrecipe.code.closure import CodeDigest, code_digest
from mlrecipe.errors import PluginError

OPS = '''
import json
import numpy as np
import mlrecipe
from .text import helpers
from .text.words import strip

LIMIT = 3
UNUSED = 1
TABLE = {"a": 1}
TABLE["b"] = 2
TABLE.update(c=3)


def outer(value):
    return inner(value)


def inner(value):
    return value[:LIMIT]


def unrelated(value):
    return value


class Base:
    def run(self):
        return 1


class Worker(Base):
    def go(self):
        return self.run()


def traced(function):
    return function


@mlrecipe.op("clean")
@traced
def clean(rows, *, size: int = 2):
    """Clean the rows."""
    # strip, then cut
    rows = [strip(row) for row in rows]
    rows = [helpers.lower(row) for row in rows]
    return Worker().go(), TABLE, outer(rows), json.dumps(rows)
'''

WORDS = """
from .deep import pattern


def strip(row):
    return pattern(row)


def other(row):
    return row
"""

DEEP = """
import regex

EXPRESSION = "a+"


def pattern(row):
    return regex.sub(EXPRESSION, "", row)
"""

HELPERS = """
def lower(row):
    return row.lower()


def upper(row):
    return row.upper()
"""


@pytest.fixture
def source(tmp_path) -> Path:
    (tmp_path / "text").mkdir()
    (tmp_path / "ops.py").write_text(OPS)
    (tmp_path / "text" / "words.py").write_text(WORDS)
    (tmp_path / "text" / "deep.py").write_text(DEEP)
    (tmp_path / "text" / "helpers.py").write_text(HELPERS)
    return tmp_path


def digest(folder: Path, name: str = "clean") -> CodeDigest:
    return code_digest(folder / "ops.py", name, roots=[folder])


def edited(folder: Path, file: str, old: str, new: str) -> CodeDigest:
    path = folder / file
    text = path.read_text()
    assert text.count(old) == 1, old
    path.write_text(text.replace(old, new))
    return digest(folder)


def test_the_closure_is_what_the_op_reaches(source):
    """Helpers, classes with their bases, constants, decorators and modules of the project; nothing else."""
    found = digest(source)

    assert set(found.symbols) == {
        "ops.py::clean", "ops.py::traced", "ops.py::strip", "ops.py::helpers", "ops.py::Worker",
        "ops.py::Base", "ops.py::TABLE", "ops.py::outer", "ops.py::inner", "ops.py::LIMIT",
        "ops.py::json", "text/words.py::strip", "text/words.py::pattern", "text/deep.py::pattern",
        "text/deep.py::EXPRESSION", "text/deep.py::regex", "text/helpers.py::lower",
    }  # fmt: skip
    assert found.libraries == ("regex",)
    assert found.whole == {}


REACHED = [
    ("ops.py", "return value[:LIMIT]", "return value[LIMIT:]"),
    ("ops.py", "return inner(value)", "return inner(value) * 2"),
    ("ops.py", "LIMIT = 3", "LIMIT = 4"),
    ("ops.py", 'TABLE = {"a": 1}', 'TABLE = {"a": 2}'),
    ("ops.py", 'TABLE["b"] = 2', 'TABLE["b"] = 3'),
    ("ops.py", "TABLE.update(c=3)", "TABLE.update(c=4)"),
    ("ops.py", "    def run(self):\n        return 1", "    def run(self):\n        return 2"),
    ("ops.py", "    return function\n", "    return lambda rows: function(rows)\n"),
    ("ops.py", "size: int = 2", "size: int = 3"),
    ("text/words.py", "return pattern(row)", "return pattern(row) + ''"),
    ("text/deep.py", 'EXPRESSION = "a+"', 'EXPRESSION = "b+"'),
    ("text/deep.py", '"", row', '" ", row'),
    ("text/helpers.py", "row.lower()", "row.casefold()"),
]


@pytest.mark.parametrize(("file", "old", "new"), REACHED)
def test_store_03_04_an_edit_that_is_reached_changes_the_digest(source, file, old, new):
    """Helpers several modules away, base classes, decorators, constants and what mutates them count."""
    before = digest(source)

    assert edited(source, file, old, new).digest != before.digest


UNREACHED = [
    ("ops.py", "UNUSED = 1", "UNUSED = 2"),
    ("ops.py", "def unrelated(value):\n    return value", "def unrelated(value):\n    return 1"),
    ("text/words.py", "def other(row):\n    return row", "def other(row):\n    return 1"),
    ("text/helpers.py", "row.upper()", "row.title()"),
]

COSMETIC = [
    ("ops.py", '"""Clean the rows."""', '"""Another text."""'),
    ("ops.py", "    # strip, then cut\n", ""),
    ("ops.py", "def outer(value):", "# new\ndef outer(\n    value\n):"),
    ("ops.py", '{"a": 1}', "{'a': 1}"),
    ("ops.py", "def inner(value):\n", 'def inner(value):\n    """New text."""\n'),
    ("ops.py", '@mlrecipe.op("clean")', '@mlrecipe.op("tidy")'),
    ("ops.py", "import numpy as np\n", ""),
]


@pytest.mark.parametrize(("file", "old", "new"), UNREACHED)
def test_store_04_an_edit_that_is_not_reached_changes_nothing(source, file, old, new):
    """Constants and functions that the op does not use may change."""
    before = digest(source)

    assert edited(source, file, old, new).digest == before.digest


@pytest.mark.parametrize(("file", "old", "new"), COSMETIC)
def test_store_05_comments_docstrings_and_formatting_change_nothing(source, file, old, new):
    """What does not run does not count."""
    before = digest(source)

    assert edited(source, file, old, new).digest == before.digest


def test_store_05_moving_a_function_changes_nothing(source):
    """The order of definitions does not count."""
    before = digest(source)
    text = (source / "ops.py").read_text()
    inner = "def inner(value):\n    return value[:LIMIT]\n"

    (source / "ops.py").write_text(text.replace(inner, "") + "\n\n" + inner)

    assert digest(source).digest == before.digest
    assert digest(source).symbols != before.symbols  # its line is another


def test_store_06_an_edit_taken_back_gives_the_old_digest(source):
    """The digest is a function of the source alone."""
    before = digest(source)
    edited(source, "ops.py", "LIMIT = 3", "LIMIT = 4")

    assert edited(source, "ops.py", "LIMIT = 4", "LIMIT = 3") == before


def test_the_digest_is_the_same_in_another_folder(source, tmp_path_factory):
    """Paths are relative to the project."""
    other = tmp_path_factory.mktemp("elsewhere")
    for path in source.rglob("*.py"):
        (other / path.relative_to(source)).parent.mkdir(exist_ok=True)
        (other / path.relative_to(source)).write_text(path.read_text())

    assert digest(other) == digest(source)


def one(folder: Path, text: str, **others: str) -> CodeDigest:
    """The digest of `run` in a file of this text, with other modules beside it."""
    (folder / "ops.py").write_text(dedent(text))
    for name, body in others.items():
        (folder / f"{name}.py").write_text(dedent(body))
    return digest(folder, "run")


DYNAMIC = [
    "def run(v):\n    return globals()['step'](v)",
    "def run(v):\n    return eval('step(v)')",
    "def run(v):\n    exec('step(v)')",
    "import importlib\ndef run(v):\n    return importlib.import_module(v).f(v)",
    "from .words import *\ndef run(v):\n    return undefined_here(v)",
]


@pytest.mark.parametrize("text", DYNAMIC)
def test_what_cannot_be_followed_makes_the_whole_module_count(tmp_path, text):
    """Computed names fall back to all of the module, and so to something that repeats."""
    before = one(
        tmp_path, f"{text}\ndef step(v):\n    return 1\n", words="def undefined_here(v): ..."
    )
    again = digest(tmp_path, "run")
    after = one(tmp_path, f"{text}\ndef step(v):\n    return 2\n")

    assert before == again
    assert "ops.py" in before.whole
    assert after.digest != before.digest


def test_a_helper_from_a_star_import_counts(tmp_path):
    """Of a module imported with `*` everything counts."""
    text = "from .words import *\ndef run(v):\n    return strip(v)\n"
    before = one(tmp_path, text, words="def strip(v):\n    return 1\n")

    after = one(tmp_path, text, words="def strip(v):\n    return 2\n")

    assert after.digest != before.digest


USES = [
    "try:\n    async def step(v):\n        from .words import strip\n        return strip(v)\n"
    "except ImportError:\n    pass\ndef run(v):\n    return step(v)",
    "from . import words\ndef run(v):\n    return words.strip(v)",
    "from . import words as w\ndef run(v):\n    return w.strip(v)",
    "from .words import strip as s\ndef run(v):\n    return s(v)",
    "def run(v):\n    from .words import strip\n    return strip(v)",
    "def run(v):\n    from . import words\n    return words.strip(v)",
    "from . import words\ndef run(v):\n    return getattr(words, 'strip')(v)",
    "from . import words\nTABLE = {'s': words.strip}\ndef run(v):\n    return TABLE['s'](v)",
    "try:\n    from .words import strip\nexcept ImportError:\n    strip = None\n"
    "def run(v):\n    return strip(v)",
    "from .words import strip\ndef run(v, how=strip):\n    return how(v)",
    "from .words import strip\nclass A:\n    how = strip\nclass B(A): ...\ndef run(v):\n    return B().how(v)",
    "from .between import strip\ndef run(v):\n    return strip(v)",
    "TABLE = []\ndef fill(t):\n    from .words import strip\n    t.append(strip)\n"
    "fill(TABLE)\ndef run(v):\n    return TABLE[0](v)",
    "TABLE = []\nfrom .words import strip\nfor _ in range(2):\n    TABLE.append(strip)\n"
    "def run(v):\n    return TABLE[0](v)",
]


@pytest.mark.parametrize("text", USES)
def test_every_way_to_use_a_helper_of_another_module_counts(tmp_path, text):
    """Imports at the top, inside, renamed, through tables, defaults, classes and other modules."""
    between = "from .words import strip\n"
    before = one(tmp_path, text, words="def strip(v):\n    return 1\n", between=between)

    after = one(tmp_path, text, words="def strip(v):\n    return 2\n")

    assert after.digest != before.digest


def test_a_package_of_the_project_is_followed(tmp_path):
    """`from .package import name` goes through the package's `__init__`."""
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("from .inside import strip\n")
    (tmp_path / "package" / "inside.py").write_text("def strip(v):\n    return 1\n")
    text = "from .package import strip\ndef run(v):\n    return strip(v)\n"
    before = one(tmp_path, text)

    (tmp_path / "package" / "inside.py").write_text("def strip(v):\n    return 2\n")

    assert digest(tmp_path, "run").digest != before.digest


def test_other_libraries_are_named_not_followed(tmp_path):
    """Of libraries the version counts; the standard library comes with Python and mlrecipe has its own."""
    found = one(
        tmp_path,
        """
        import os.path, mlrecipe, pandas.io as io
        from tokenizers import Tokenizer

        def run(v):
            import pyarrow as pa
            return pa, os.path.join(v), Tokenizer, io, mlrecipe.progress(1)
        """,
    )

    assert found.libraries == ("pandas", "pyarrow", "tokenizers")
    assert found.whole == {}


def test_the_helpers_of_built_in_ops_count(tmp_path):
    """A built-in op is followed through the modules beside it, and is never a whole module."""
    folder = Path(ops.__file__).parents[1]
    path = folder / "ops" / "tokenize.py"

    found = code_digest(path, "tokenize", roots=[folder])

    assert "ops/tokenize.py::tokenize" in found.symbols
    assert any(name.startswith("ops/_encode.py::") for name in found.symbols)
    assert found.whole == {}
    assert not {"mlrecipe", "os"} & set(found.libraries)


def test_a_broken_helper_is_named_with_its_line(tmp_path):
    """A module that the op reaches is not Python: file and line, no traceback."""
    text = "from .words import strip\ndef run(v):\n    return strip(v)\n"

    with pytest.raises(PluginError, match=r"words.py:2: not valid Python: invalid syntax"):
        one(tmp_path, text, words="x = 1\ndef f(:\n")


class Memo(dict):
    """Texts in memory."""

    set = dict.__setitem__


def test_a_remembered_digest_is_used_until_a_file_of_it_changes(source, monkeypatch):
    """A second look parses nothing; an edit anywhere in the closure is seen."""
    monkeypatch.setattr(stamps, "RACY_NS", -1)
    memo = Memo()
    path = source / "ops.py"
    before = code_digest(path, "clean", roots=[source], memo=memo)

    with monkeypatch.context() as patch:
        patch.setattr(closure, "_reach", None)  # would be called to look again
        assert code_digest(path, "clean", roots=[source], memo=memo) == before
    (source / "text" / "deep.py").write_text(DEEP.replace("a+", "b+"))

    assert code_digest(path, "clean", roots=[source], memo=memo).digest != before.digest


def test_a_file_edited_a_moment_ago_is_not_remembered(source):
    """A second edit could leave the same stamp."""
    memo = Memo()

    code_digest(source / "ops.py", "clean", roots=[source], memo=memo)

    assert memo == {}


def test_a_package_hides_a_module_of_its_name(tmp_path):
    """Python imports the package; so does the walk."""
    (tmp_path / "words").mkdir()
    inside = tmp_path / "words" / "__init__.py"
    inside.write_text("def strip(v):\n    return 1\n")
    text = "from .words import strip\ndef run(v):\n    return strip(v)\n"
    before = one(tmp_path, text, words="def strip(v):\n    return 0\n")

    inside.write_text("def strip(v):\n    return 2\n")

    assert digest(tmp_path, "run").digest != before.digest


def test_a_remembered_digest_sees_a_file_that_was_not_there(tmp_path, monkeypatch):
    """What stood in for it is no longer what runs."""
    monkeypatch.setattr(stamps, "RACY_NS", -1)
    memo, path = Memo(), tmp_path / "ops.py"
    path.write_text(
        "try:\n    from .fast import strip\nexcept ImportError:\n    from .slow import strip\n"
        "def run(v):\n    return strip(v)\n"
    )
    (tmp_path / "slow.py").write_text("def strip(v):\n    return 1\n")
    before = code_digest(path, "run", roots=[tmp_path], memo=memo)

    (tmp_path / "fast.py").write_text("def strip(v):\n    return 2\n")

    assert code_digest(path, "run", roots=[tmp_path], memo=memo).digest != before.digest


def test_what_a_package_binds_hides_its_module_of_that_name(tmp_path):
    """Python takes the package's own name first; so does the walk."""
    (tmp_path / "package").mkdir()
    inside = tmp_path / "package" / "__init__.py"
    inside.write_text("from .strip import strip\n")
    for number, name in enumerate(("strip", "fast")):
        (tmp_path / "package" / f"{name}.py").write_text(f"def strip(v):\n    return {number}\n")
    before = one(tmp_path, "from .package import strip\ndef run(v):\n    return strip(v)\n")

    inside.write_text("from .fast import strip\n")

    assert digest(tmp_path, "run").digest != before.digest
