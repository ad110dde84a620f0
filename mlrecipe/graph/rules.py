"""What comes out of each built-in op, which names it needs to be there and which numbers it refuses.

Each rule says exactly what its op does, or nothing: see the op's own code and the tests that hold both
against each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from mlrecipe import glue
from mlrecipe.columns import may_have_pairs, may_have_texts, may_have_words
from mlrecipe.errors import DataError
from mlrecipe.graph import externals, headers, tagged
from mlrecipe.graph.headers import Columns, Layout
from mlrecipe.graph.known import Known, union
from mlrecipe.graph.look import Look

_TOKENS = ("input_ids", "token_type_ids", "truncated")
_WORDS = ("input_ids", "windows", "word_starts", "word_lengths", "truncated")


def _load_files(look: Look) -> Known:
    given = look.params
    named = {name: given[name] for name in ("train", "valid", "test")} | (given["files"] or {})
    columns, own = given["columns"], given["file_column"]
    layout = Layout(
        **{key: given[key] for key in ("format", "header", "delimiter", "quoting", "encoding")},
        columns=None if given["header"] or columns is None else tuple(columns),
    )
    tables = {
        split: look.headers.of_files(look.paths(_key(look, split), value), layout)
        for split, value in named.items()
        if value is not None
    }
    if not tables:
        look.report(("use",), "no file is named; set train, valid, test or files")
        return Known()
    found = Known(tables=tables)
    look.check_columns("columns", found, "the files")
    kept = found.each(lambda there: _kept(there, columns))
    look.check_columns("types", kept, "the files")
    return kept.each(lambda there: _with(there, own))


def _key(look: Look, split: str) -> str:
    """The parameter that names the files of a split."""
    return split if split in look.signature.params else "files"


def _load_dataset(look: Look) -> Known:
    kind = look.signature.params["path"].kind
    folder = externals.resolve(look.params["path"], kind, look.base)[1][0].path
    saved = headers.of_saved(folder) if folder else None
    data = Known(tables=saved)
    if look.params["split"] is not None:
        look.check_splits("split", data, "the data set")
        data = data.only([look.params["split"]])
    columns = look.params["columns"] or None
    look.check_columns("columns", data, "the data set")
    return data.each(lambda own: _kept(own, columns))


def _load_glue(look: Look) -> Known:
    task, kind = glue.TASKS[look.params["task"]], look.signature.params["path"].kind
    data = Known(tables=dict.fromkeys(task.splits, task.columns))
    if look.params["splits"] is not None:
        look.check_splits("splits", data, f"task {task.name!r}")
        data = data.only(look.params["splits"])
    folder = externals.resolve(look.params["path"], kind, look.base)[1][0]
    if folder.path and not folder.problem and headers.of_saved(folder.path) is None:
        try:
            glue.locate(task, Path(folder.path), data.splits or ())
        except DataError as error:
            problem = look.tree.problem((*look.path, "path"), f"{error.message}; {error.hint}")
            look.problems.append(replace(problem, is_absence=True))
    return data


def _split(look: Look, data: Known) -> Known:
    source = look.params["source"]
    if data.is_plain:
        data = replace(data, tables={source: data.of("")})
    else:
        look.check_splits("source", data)
    if (look.params["size"] is None) == (look.params["sizes"] is None):
        return Known()
    key = "target" if look.params["sizes"] is None else "sizes"
    look.check_numbers("size", _wrong_size)
    look.check_numbers("sizes", _wrong_size)
    look.check_free(key, data)
    look.check_columns("stratify", data.only([source]))
    if data.tables is None:
        return data
    return Known(tables={**data.tables, **dict.fromkeys(look.names(key), data.of(source))})


def _select(look: Look, data: Known) -> Known:
    given = look.params
    kept = _chosen(look, data)
    look.check_columns("columns", kept)
    look.check_columns("drop", kept)
    for key in ("first", "sample", "per_class"):
        look.check_numbers(key, lambda number: _below(number, 0))
        if isinstance(given[key], Mapping):
            look.check_splits(key, kept)
    if given["per_class"] is not None or (given["sample"] is not None and given["stratified"]):
        look.check_columns("label", kept)
    drop = given["drop"] or ()

    def left(own: Columns) -> Columns:
        found = _kept(own, given["columns"])
        return None if found is None else tuple(name for name in found if name not in drop)

    return kept.each(left)


def _rename(look: Look, data: Known) -> Known:
    new = look.params["columns"]
    look.check_columns("columns", data)
    return data.each(
        lambda own: None if own is None else tuple(dict.fromkeys(new.get(n, n) for n in own))
    )


def _filter(look: Look, data: Known) -> Known:
    look.check_columns("column", _chosen(look, data))
    return data


def _map_labels(look: Look, data: Known) -> Known:
    column, target = look.params["column"], look.params["target"]
    look.check_columns("column", data)
    return data.each(lambda own: _with(own, target) if own and column in own else own)


def _convert_tags(look: Look, data: Known) -> Known:
    look.check_columns("column", data)
    return data


def _tokenize(look: Look, data: Known) -> Known:
    given = look.params
    look.check_numbers("max_length", lambda number: _below(number, 1))
    for key in ("text", "text_pair", "keep"):
        look.check_every(key, data)
    parts = [data.only([split]) for split in data.splits or ()] or [data]
    if given["text"] is None:
        any(look.check_any(("text",), "the texts", may_have_texts, part) for part in parts)
    # Whether there are token types depends on the tokenizer, and a pair may be found in the data.
    is_single = given["text"] is not None or not may_have_pairs(parts[0].union)
    may_be_pairs = given["text_pair"] is not None or not is_single
    new = [n for n in _TOKENS if n != "token_type_ids" or may_be_pairs]

    def encoded(own: Columns) -> Columns:
        kept = own if given["keep"] is None else given["keep"]
        return None if kept is None else tuple(dict.fromkeys([*kept, *new]))

    return data.each(encoded)


def _tokenize_words(look: Look, data: Known) -> Known:
    look.check_numbers("max_length", lambda number: _below(number, 1))
    look.check_numbers("stride", lambda number: _below(number, 0))
    for key in ("words", "keep"):
        look.check_every(key, data)
    if look.params["words"] is None:
        parts = [data.only([split]) for split in data.splits or ()] or [data]
        any(look.check_any(("words",), "the words", may_have_words, part) for part in parts)
    kept = look.params["keep"]

    def encoded(own: Columns) -> Columns:
        left = own if kept is None else kept
        return None if left is None else tuple(dict.fromkeys([*left, *_WORDS]))

    return data.each(encoded)


def _concat(look: Look, *inputs: Known) -> Known:
    own = look.params["source_column"]
    columns = _with(union(data.union for data in inputs), own)
    if any(data.tables is None for data in inputs) or len({d.is_plain for d in inputs}) > 1:
        return Known(columns=columns)
    splits = dict.fromkeys(name for data in inputs for name in data.tables or ())
    # Inputs that have a split have the same columns in it, else the op refuses them.
    having = {name: [d for d in inputs if name in (d.tables or ())] for name in splits}
    return Known(tables={name: _with(found[0].of(name), own) for name, found in having.items()})


def _shuffle(look: Look, data: Known) -> Known:
    look.check_splits("splits", data)
    return data


def _deduplicate(look: Look, data: Known) -> Known:
    look.check_splits("splits", data)
    look.check_columns("columns", data)
    return data


def _statistics(look: Look, data: Known) -> Known:
    look.check_columns("text", data)
    look.check_columns("label", data)
    look.check_numbers("num_workers", lambda number: _below(number, 1))
    return Known(entries=("text", "label", "splits", "warnings"))


def _breakpoint(look: Look, data: Known) -> Known:
    return data


RULES: Mapping[str, Callable[..., Known]] = {
    "breakpoint": _breakpoint, "concat": _concat, "convert-tags": _convert_tags,
    "deduplicate": _deduplicate, "filter": _filter,
    "load-conll": tagged.load_conll, "load-slots": tagged.load_slots, "load-tagged": tagged.load_tagged,
    "load-tokens": tagged.load_tokens, "load-dataset": _load_dataset, "load-files": _load_files,
    "load-glue": _load_glue,
    "map-labels": _map_labels, "rename": _rename, "select": _select, "shuffle": _shuffle, "split": _split,
    "statistics": _statistics, "tokenize": _tokenize, "tokenize-words": _tokenize_words,
}  # fmt: skip
"""Built-in op → its rule: takes a look at the node and what is known of each input."""


def _chosen(look: Look, data: Known) -> Known:
    """The splits that the parameter `splits` names, or all."""
    look.check_splits("splits", data)
    splits = look.params["splits"]
    return data if splits is None else data.only(splits)


def _wrong_size(size: float) -> str:
    if isinstance(size, int):
        return _below(size, 1)
    return "" if 0 < size < 1 else f"a fraction lies between 0 and 1, got {size}"


def _below(number: float, least: int) -> str:
    return f"expected at least {least}, got {number}" if number < least else ""


def _kept(own: Columns, columns: list[str] | None) -> Columns:
    """The columns asked for, of those that are there."""
    if columns is None:
        return own
    return tuple(name for name in columns if own is None or name in own)


def _with(own: Columns, name: str | None) -> Columns:
    """The columns and one more."""
    return own if own is None or name is None else tuple(dict.fromkeys([*own, name]))
