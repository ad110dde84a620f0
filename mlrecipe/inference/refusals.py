"""Refusals: inputs whose columns are not those that the preparation reads, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlrecipe.errors import RequestError, suggest
from mlrecipe.inference.reading import Piece
from mlrecipe.inference.replay import Missing


def no_column(missing: Missing, names: Sequence[str], texts: Sequence[str]) -> RequestError:
    """The error, with what to rename where that is plain: `texts` are the input's own columns of them."""
    found = ", ".join(map(repr, names))
    wanted = (missing.column, *missing.others)
    listed = " and ".join(map(repr, wanted))
    near = suggest(missing.column, names)
    if len(wanted) > 1:
        hint = f"name the first and the second texts so; node {missing.node!r} reads them"
    elif near is not None:
        hint = f"rename {near!r} to {listed} in the input; node {missing.node!r} reads it"
    elif len(texts) == 1:
        hint = f"rename {texts[0]!r} to {listed} in the input; node {missing.node!r} reads it"
    else:
        hint = f"name the column with the texts so; node {missing.node!r} reads it"
    return RequestError(
        f"the input has no column{'s' * (len(wanted) > 1)} {listed} with texts; it has {found}",
        key="--input",
        hint=hint,
    )


def check_layout(piece: Piece, origin: Mapping[str, Any]) -> None:
    """Raise where the cells of CSV or TSV are apart by another character, or where the header is missing."""
    names = piece.table.column_names
    if not piece.is_text or not names:
        return
    mark = next((mark for mark in (";", "\t", "|", ",") if mark in names[0]), None)
    if len(names) == 1 and mark is not None:
        message = f"the input has one column only, {names[0]!r}"
        raise RequestError(
            message, key="--input", hint=f"say what is between: --delimiter {mark!r}"
        )
    own = origin.get("columns") or ()
    if not origin.get("header", True) and own and not set(own) & set(names):
        raise RequestError(
            f"the first row names none of the columns {', '.join(own)}, and the recipe's files have no header",
            key="--input",
            hint=f"if this one has none either, name its columns: --columns {','.join(own)}",
        )
