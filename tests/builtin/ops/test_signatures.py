"""What holds for every built-in op on data."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from mlrecipe.builtin.catalog import OPS
from mlrecipe.code import signatures
from mlrecipe.code.kinds import ANY

MODULES = {name: target.partition(":") for name, target in OPS.items()}


@pytest.mark.parametrize("name", sorted(OPS))
def test_an_op_says_what_it_takes(name):
    """Its signature is read from source without problems, and every parameter has its sentence."""
    module_name, _, function = MODULES[name]
    path = Path(importlib.import_module(module_name).__file__)

    (signature,) = signatures.scan(path.read_text(encoding="utf-8"), str(path))

    assert (signature.name, signature.qualname) == (name, function)
    assert signature.problems == ()
    assert signature.doc
    for parameter in signature.params.values():
        assert parameter.doc, parameter.name
        assert not isinstance(parameter.default, signatures.Unreadable)
        filled = parameter.name in ("scratch", "equals")  # a folder; a value of any type
        assert filled or parameter.kind != ANY, parameter.name
