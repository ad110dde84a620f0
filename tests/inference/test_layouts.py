"""How files are read: as the recipe reads its own."""

from __future__ import annotations

import pyarrow as pa
import pytest

from mlrecipe.errors import RequestError
from mlrecipe.inference.predictor import _check_layout
from mlrecipe.inference.reading import Piece, Types


def piece(**columns: list[str]) -> Piece:
    return Piece(start=0, table=pa.table(columns))


def test_files_without_a_header_are_told_from_the_recipe():
    """Where the recipe's own have none, a first row that names no column of theirs is a row."""
    origin = {"header": False, "columns": ["label", "text"]}

    with pytest.raises(RequestError, match=r"have no header.*--columns label,text"):
        _check_layout(piece(ham=["spam"], Hello=["Free"]), origin)

    _check_layout(piece(text=["Hello"]), origin)
    _check_layout(piece(ham=["spam"], Hello=["Free"]), {"header": True, "columns": None})


def test_types_hold_for_all_pieces():
    """Whole numbers, then numbers, then texts: a type once needed stays; texts are never numbers."""
    types = Types({"zip": "string"})

    found = [
        types.typed(piece(x=[cell], zip=["0"], text=["1"]), texts=["text"]).schema.field
        for cell in ("1", "2.5", "3", "x", "4")
    ]

    kinds = [pa.int64(), pa.float64(), pa.float64(), pa.string(), pa.string()]
    assert [field("x").type for field in found] == kinds
    assert {field("zip").type for field in found} == {pa.string()}
    assert {field("text").type for field in found} == {pa.string()}
