"""Signatures: read from source, never by importing."""

from __future__ import annotations

import json
from textwrap import dedent

import pytest

from mlrecipe.code import signatures
from mlrecipe.code.defaults import REQUIRED, Unreadable

OP = '''
import mlrecipe

@mlrecipe.op("clean", ignore=("num_workers",), version="2", cache=False)
def clean_texts(data, other, *, column: str, lower: bool = True, num_workers: int = 1):
    """Clean the texts of a column.

    Works on every split.

    Args:
        column: name of the column,
            on two lines.
        lower: whether to lower the case.

    Returns:
        The same rows.
    """
'''


def scan(source: str) -> list[signatures.Signature]:
    return signatures.scan(dedent(source), "ops.py")


def test_an_op_is_read_whole():
    """Name, inputs, parameters, defaults, documentation, options and line of an op."""
    [op] = scan(OP)

    assert (op.component, op.name, op.qualname, op.line) == ("op", "clean", "clean_texts", 5)
    assert (op.inputs, op.variadic, op.open) == (("data", "other"), False, False)
    assert op.options == {"ignore": ("num_workers",), "version": "2", "cache": False}
    assert list(op.params) == ["column", "lower", "num_workers"]
    assert op.params["column"].default is REQUIRED
    assert op.params["lower"].default is True
    assert op.params["column"].doc == "name of the column, on two lines."
    assert op.params["lower"].doc == "whether to lower the case."
    assert op.doc.startswith("Clean the texts of a column.")


@pytest.mark.parametrize(
    "source",
    [
        "import mlrecipe\n@mlrecipe.op('x')\ndef f(): ...",
        "import mlrecipe as m\n@m.op('x')\ndef f(): ...",
        "from mlrecipe import op\n@op('x')\ndef f(): ...",
        "from mlrecipe import op as register\n@register('x')\ndef f(): ...",
        "import mlrecipe\n@other\n@mlrecipe.op('x')\ndef f(): ...",
    ],
)
def test_every_way_to_write_the_decorator_counts(source):
    """However mlrecipe is imported, its decorators are seen."""
    assert [found.name for found in scan(source)] == ["x"]


def test_decorators_of_others_do_not_count():
    """A function named op that is not ours registers nothing."""
    assert (
        scan("import other\ndef op(n): ...\n@op('x')\ndef f(): ...\n@other.op('x')\ndef g(): ...")
        == []
    )


def test_a_dataclass_gives_its_fields():
    """Fields with their docstrings, factories and required ones."""
    [task] = scan('''
        import mlrecipe
        from dataclasses import dataclass, field

        @mlrecipe.task("mine")
        @dataclass(frozen=True, kw_only=True)
        class Mine:
            """A task."""

            labels: list[str]
            """Names of the labels,
            in order."""

            names: list[str] = field(default_factory=list)
            weights: dict[str, float] = field(default_factory=lambda: {"a": 1.0})
            size: int = 3
            odd: int = field(default_factory=len)
    ''')

    assert task.params["labels"].default is REQUIRED
    assert task.params["labels"].doc == "Names of the labels, in order."
    assert task.params["names"].default == []
    assert task.params["weights"].default == {"a": 1.0}
    assert task.params["size"].default == 3
    assert isinstance(task.params["odd"].default, Unreadable)


def test_a_class_gives_the_parameters_of_its_init_or_of_its_base():
    """`__init__` counts, inherited within the file too; a foreign base leaves the class open."""
    near, base, far = scan("""
        import mlrecipe
        class Base:
            def __init__(self, lr: float, *, eps: float = 1e-8, **rest): ...
        @mlrecipe.optimizer("near")
        class Near(Base): ...
        @mlrecipe.optimizer("base")
        class Own(Base):
            def __init__(self, size: int = 2): ...
        @mlrecipe.optimizer("far")
        class Far(Elsewhere): ...
    """)

    assert (list(near.params), near.open) == (["lr", "eps"], True)
    assert (list(base.params), base.open) == (["size"], False)
    assert (list(far.params), far.open) == ([], True)


def test_an_op_may_not_take_a_reserved_name():
    """A parameter that a node's table uses for itself is a mistake of the op."""
    [op] = scan("import mlrecipe\n@mlrecipe.op('x')\ndef f(*, inputs: int, cache: int): ...")

    assert op.problems == (
        "an op may not have a parameter 'inputs'",
        "an op may not have a parameter 'cache'",
    )


def test_decorator_arguments_must_be_written_out():
    """What is read without running cannot be a name."""
    [op] = scan("import mlrecipe\n@mlrecipe.op(NAME, version=V)\ndef f(): ...")

    assert op.problems == (
        "the name given to the decorator must be a text written out",
        "version=V must be written out: it is read without running",
    )


def test_a_default_that_is_no_literal_stays_with_the_code():
    """A computed default is known by its source only."""
    [op] = scan("import mlrecipe\n@mlrecipe.op('x')\ndef f(*, size: int = SIZE): ...")

    assert op.params["size"].default == Unreadable(source="SIZE")


def test_a_default_is_what_a_recipe_would_write():
    """A tuple is a list, an integer for a float is a float; what TOML lacks stays with the code."""
    [op] = scan("""
        import mlrecipe
        @mlrecipe.op("x")
        def f(*, pair: list[int] = (1, 2), rate: float = 1, deep: dict[str, float] = {"a": 1},
              odd={1, 2}, raw=b"", keys={1: 2}): ...
    """)

    shown = {name: repr(p.default) for name, p in op.params.items()}

    assert shown["pair"] == "[1, 2]"
    assert shown["rate"] == "1.0"
    assert shown["deep"] == "{'a': 1.0}"
    assert all(isinstance(op.params[name].default, Unreadable) for name in ("odd", "raw", "keys"))


def test_any_number_of_inputs():
    """`*inputs` takes any number."""
    [op] = scan("import mlrecipe\n@mlrecipe.op('x')\ndef f(first, *more): ...")

    assert (op.inputs, op.variadic) == (("first",), True)


def test_a_signature_survives_json():
    """What is remembered of a file is what was read from it."""
    [op] = scan(
        OP.replace("lower: bool = True", "lower: bool = True, pair: tuple = (1, 2), z=NAME")
    )

    assert signatures.from_json(json.loads(json.dumps(signatures.to_json(op)))) == op


def test_what_a_dataclass_does_not_take_is_no_parameter():
    """Class variables, the mark of keywords, and fields that it fills in itself."""
    [task] = scan("""
        import mlrecipe
        from dataclasses import KW_ONLY, dataclass, field
        from typing import ClassVar
        @mlrecipe.task("mine")
        @dataclass
        class Mine:
            seen: ClassVar[int] = 0
            _: KW_ONLY
            size: int = 3
            words: int = field(init=False)
            counts: dict[str, int] = field(default_factory=dict, init=False)
    """)

    assert list(task.params) == ["size"]
