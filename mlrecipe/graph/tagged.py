"""What comes out of the built-in ops that load words with tags: as `rules` has it of the others."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import Any

from mlrecipe.errors import DataError
from mlrecipe.graph import externals, headers
from mlrecipe.graph.headers import Columns, Layout
from mlrecipe.graph.known import Known
from mlrecipe.graph.look import Look
from mlrecipe.tagging import layouts
from mlrecipe.tagging.layouts import INTENT, TAGS, WORDS


def load_conll(look: Look) -> Known:
    """Of `load-conll` the columns are those that the recipe names."""
    given = look.params
    found: Columns = None
    with _reported(look):
        layouts.check_conversion(given["scheme"], given["to"])
    with _reported(look):
        found = layouts.names(given["columns"], given["documents"])
        is_conllu = None if given["format"] == "auto" else given["format"] == "conllu"
        layouts.check(given["columns"], is_conllu=is_conllu)
        _check_width(look)
    if given["separator"] is None:
        _check_lines(look)
    return _each(look, lambda _, __: found)


def load_tagged(look: Look) -> Known:
    """Of `load-tagged` there are words and tags."""
    _check_lines(look)
    return _each(look, lambda _, __: (WORDS, TAGS))


def load_tokens(look: Look) -> Known:
    """Of `load-tokens` there are words, tags and what else the files have."""
    given = look.params
    with _reported(look):
        layouts.check_conversion(given["scheme"], given["to"])
    layout = Layout(**{key: given[key] for key in ("format", "delimiter", "quoting", "encoding")})
    files = _each(look, lambda key, value: look.headers.of_files(look.paths(key, value), layout))
    for key in ("tokens", "tags", "columns"):
        look.check_columns(key, files, "the files")

    def made(own: Columns) -> Columns:
        others = own if given["columns"] is None else given["columns"]
        if others is None:
            return None
        used = (given["tokens"], given["tags"])
        return layouts.in_order(
            [WORDS, TAGS, *(n for n in others if n not in (*used, WORDS, TAGS))]
        )

    return files.each(made)


def load_slots(look: Look) -> Known:
    """Of `load-slots` the splits are the folders that are there."""
    given = look.params
    with _reported(look):
        layouts.check_conversion(given["scheme"], given["to"])
    splits = [name for name in ("train", "valid", "test") if given[name] is not None]
    if given["path"] is not None:
        kind = look.signature.params["path"].kind
        folder = externals.resolve(given["path"], kind, look.base)[1][0]
        if splits or folder.problem or not os.path.isdir(folder.path):
            return Known()
        with _reported(look, is_absence=True):
            splits = list(layouts.slots_folders(folder.path))
    elif not splits:
        look.report(("use",), "no folder is named; set path, or train, valid and test")
    return Known(tables=dict.fromkeys(splits, (WORDS, TAGS, INTENT))) if splits else Known()


def _each(look: Look, columns: Callable[[str, Any], Columns]) -> Known:
    """Every split that the recipe names files of, with the columns that `columns(parameter, files)` gives."""
    tables = {split: columns(key, value) for split, key, value in _named(look)}
    if not tables:
        look.report(("use",), "no file is named; set train, valid, test or files")
    return Known(tables=tables) if tables else Known()


def _named(look: Look) -> Iterator[tuple[str, str, Any]]:
    """Each split that the recipe names files of, the parameter that does so, and the files."""
    given = look.params
    for name in ("train", "valid", "test"):
        if given[name] is not None:
            yield name, name, given[name]
    for name, value in (given["files"] or {}).items():
        yield name, "files", value


def _check_lines(look: Look) -> None:
    """Report tables where lines of words are expected."""
    for _, key, value in _named(look):
        for path in look.paths(key, value):
            with _reported(look):
                layouts.check_is_lines(path, key)


def _check_width(look: Look) -> None:
    """Report columns that the first line of the first file does not have; the op says it of all others."""
    given = look.params
    separator, columns = given["separator"], given["columns"]
    if separator == "":
        look.report(("separator",), "an empty text separates nothing")
    if separator == "" or given["format"] == "conllu" or not (columns or separator):
        return
    named = ((key, path) for _, key, value in _named(look) for path in look.paths(key, value))
    for key, path in islice(named, 1):
        lines = headers.lines(path, given["encoding"])
        line = next((line for line in lines if layouts.is_word(line, given["comments"])), "")
        is_unclear = line.startswith("#") or layouts.is_conllu(line)
        if not line or (given["format"] == "auto" and is_unclear):
            return
        width = len(layouts.cells(line, separator))
        if isinstance(columns, list) and len(columns) != width:
            expected = f"{len(columns)} are expected ({', '.join(columns)})"
            look.report(
                (key,), f"a line has {layouts.counted(width)} where {expected}; see columns"
            )
        with _reported(look):
            layouts.check_width(columns, line, width)


@contextmanager
def _reported(look: Look, *, is_absence: bool = False) -> Iterator[None]:
    """What goes wrong inside as a problem of the parameter at fault."""
    try:
        yield
    except DataError as error:
        message = f"{error.message}; {error.hint}" if error.hint else error.message
        look.report((error.key or "use",), message)
        look.problems[-1] = replace(look.problems[-1], is_absence=is_absence)
