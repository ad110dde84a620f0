"""Replay: a recipe's own preparation done to new rows, from the run's record of that recipe."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from datasets import Dataset, DatasetDict

from mlrecipe import columns, events
from mlrecipe.builtin.ops import _splits
from mlrecipe.builtin.ops._kept import keeping
from mlrecipe.errors import DataError, MlrecipeError, OpError, RequestError
from mlrecipe.graph.graph import Node
from mlrecipe.inference.filling import filled
from mlrecipe.inference.requests import is_of_model
from mlrecipe.pipeline import blame
from mlrecipe.pipeline.request import Request
from mlrecipe.recipe.deferred import reveal
from mlrecipe.registry import registries

SPLIT = "input"
"""Name of the one split that new rows are."""

_TOKENS = (
    "input_ids", "attention_mask", "token_type_ids", "windows", "word_starts", "word_lengths", "truncated",
)  # fmt: skip
_TOKENIZING = ("tokenize", "tokenize-words")
_OF_LABELS = ("map-labels", "convert-tags")
_LISTS = ("list<string>", "list<large_string>")


@dataclass(frozen=True, slots=True)
class Missing:
    """A column that the preparation reads, and the input lacks."""

    column: str
    """By its name in the input."""

    node: str
    """The node that reads it."""

    others: tuple[str, ...] = ()
    """What else the node reads and the input lacks: the second texts of pairs."""


def of_input(text: str) -> str:
    """What an op or a task says of its split, said of the input: nobody has named a split."""
    said = text.replace(f"of split {SPLIT!r}", "of the input").replace(
        f"split {SPLIT!r}", "the input"
    )
    return said.replace(" of the prepared split, counted from 0", ", counted from 0")


class Replay:
    """What a route's ops do, done to any number of rows."""

    def __init__(
        self,
        route: Sequence[Node],
        request: Request,
        checkpoint: Path,
        *,
        trained: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """Prepare rows as on `route`.

        Args:
            route: the nodes in their order.
            request: what the train run was made from.
            checkpoint: folder of the model; where its tokenizer is the recipe's, it is the one used.
            trained: node → the columns, with their types, that it gave when the model was trained: texts that
                were found among them then are sought by the same names.
        """
        self.refused_labels = ""
        """Why a column with labels was left out, where one was."""

        self._route = list(route)
        # Taken now: another model's plugins may have an op of the same name.
        self._functions = {node.name: registries["op"].get(node.spec.use) for node in self._route}
        self._request = request
        self._checkpoint = checkpoint
        self._detected: dict[str, dict[str, str]] = {}
        self._kept: dict[Hashable, Any] = {}
        self._recall(trained or {})
        self._said: set[str] = set()

    def texts(self, names: Sequence[str]) -> list[str]:
        """The columns with texts, by their names in an input with these columns, as far as they are there."""
        return [name for name in self._wanted(names) if name in names]

    @property
    def is_own(self) -> bool:
        """Whether an op of the project's own is on the way."""
        return any(node.found.plugin for node in self._route)

    def text_columns(self) -> list[str]:
        """The columns with texts that are read, by their names in the input, as far as they are known."""
        return self._wanted(())

    def words(self) -> str | None:
        """The column with words that is read, by its name in the input; None where none is."""
        for node in self._route:
            if node.spec.use == "tokenize-words" and not node.found.plugin:
                detected = self._detected.get(node.name, {}).get("words", "tokens")
                return self._origin(node.arguments.get("words") or detected, node)
        return None

    def missing(self, names: Sequence[str]) -> Missing | None:
        """A column that is read and that an input with these columns lacks, where that can be told."""
        known = set(names)
        for node in self._route:
            if node.found.plugin:
                return None  # it may make any column
            if node.spec.use == "rename":
                known = {_renamed(name, node) for name in known}
            if node.spec.use in _TOKENIZING:
                read = _read_by(node) or list(self._detected.get(node.name, {}).values())
                lacking = [name for name in read if name not in known]
                if lacking:
                    first, *others = (self._origin(name, node) for name in lacking)
                    return Missing(first, node.name, tuple(others))
        return None

    def __call__(self, rows: Dataset) -> Dataset:
        """The rows as the model's task takes them, as many and in the same order.

        Raises:
            RequestError: they lack something that an op needs.
            OpError: an op failed.
        """
        count = len(rows)
        said: list[events.Event] = []
        for node in self._route:
            with (
                tempfile.TemporaryDirectory(prefix="mlrecipe-") as scratch,
                events.listening(said.append),
                keeping(self._kept),
            ):
                rows = self._step(node, rows, Path(scratch))
            if len(rows) != count:
                message = f"op {node.spec.use!r} made {len(rows):,} rows of {count:,}"
                raise OpError(f"node {node.name!r}: {message}", hint="it is not rowwise")
        self._tell(said)
        return rows

    def _tell(self, said: Sequence[events.Event]) -> None:
        """Hand on what the ops have to say, each sentence once however many pieces there are."""
        for event in said:
            if isinstance(event, events.Note) and event.text not in self._said:
                self._said.add(event.text)
                events.emit(replace(event, text=of_input(event.text)))

    def _step(self, node: Node, rows: Dataset, scratch: Path) -> Dataset:
        given: dict[str, Any] = copy.deepcopy(reveal(node.arguments))
        use = "" if node.found.plugin else node.spec.use
        if use == "select":
            return _selected(rows, given)
        if use == "rename":
            given["columns"] = {a: b for a, b in given["columns"].items() if a in rows.column_names}
        if use in _TOKENIZING:
            rows, given = self._for_tokens(node, rows, given)
        if use in _OF_LABELS and not _has_values(rows, given["column"]):
            return rows
        if "scratch" in node.found.signature.params:
            given["scratch"] = scratch
        if "limit" in given:
            given["limit"] = None
        try:
            return self._call(node, rows, given)
        except DataError as error:
            if use not in _OF_LABELS:
                raise RequestError(
                    f"node {node.name!r}: {of_input(error.message)}", hint=error.hint
                ) from error
            self.refused_labels = of_input(error.message)
            return rows.remove_columns(given["column"])

    def _call(self, node: Node, rows: Dataset, given: Mapping[str, Any]) -> Dataset:
        function = self._functions[node.name]
        is_split = bool(node.inputs[0].entry)
        try:
            made = function(rows if is_split else DatasetDict({SPLIT: rows}), **given)
        except MlrecipeError:
            raise
        except (Exception, SystemExit) as error:  # an op of the user's may raise anything
            cause = blame.cause_of(error, self._request.loaded.project)
            failed = f"node {node.name!r} (op {node.spec.use!r}) failed at {cause}"
            raise OpError(failed, hint=blame.HINT) from error
        made = made.get(SPLIT) if isinstance(made, Mapping) else made
        if not isinstance(made, Dataset):
            raise OpError(
                f"node {node.name!r}: op {node.spec.use!r} gave no data set for the new rows"
            )
        return made

    def _for_tokens(
        self, node: Node, rows: Dataset, given: dict[str, Any]
    ) -> tuple[Dataset, dict[str, Any]]:
        """The rows without missing texts or words, and what the op is given for them."""
        rows = rows.remove_columns([name for name in _TOKENS if name in rows.column_names])
        given |= self._found_in(node, rows.features)
        kept = given["keep"]
        given["keep"] = [name for name in kept or rows.column_names if name in rows.column_names]
        if given["tokenizer"] is not None and self._is_of_model(given["tokenizer"]):
            given |= {"tokenizer": str(self._checkpoint), "revision": None}
        for name in _texts_in(given):
            rows = filled(rows, name)
        return rows, given

    def detect(self, features: Mapping[str, Any]) -> None:
        """Find the columns with texts or words in the input, where the recipe leaves it to the data.

        Raises:
            RequestError: none is like them, or several are.
        """
        for node in self._route:
            if node.found.plugin:
                return  # it may make any column
            if node.spec.use == "rename":
                features = {_renamed(name, node): feature for name, feature in features.items()}
            if node.spec.use in _TOKENIZING:
                self._found_in(node, features)

    def _recall(self, trained: Mapping[str, Mapping[str, str]]) -> None:
        """Note the columns with texts or words that were found when the model was trained."""
        for node in self._route:
            there = trained.get(node.inputs[0].node, {}) if node.inputs else {}
            if there and node.spec.use == "tokenize" and not node.found.plugin:
                is_text = {name: kind in ("string", "large_string") for name, kind in there.items()}
                self._texts_of(node, {n: "text" if yes else "other" for n, yes in is_text.items()})
            if there and node.spec.use == "tokenize-words" and not node.found.plugin:
                self._words_of(node, {n: "text" for n, kind in there.items() if kind in _LISTS})

    def _found_in(self, node: Node, features: Mapping[str, Any]) -> dict[str, str]:
        """The parameters that the recipe leaves to the data, among those that name texts or words."""
        if node.spec.use == "tokenize":
            return self._texts_of(node, columns.kinds_of(features))
        return self._words_of(node, columns.lists_of(features))

    def _words_of(self, node: Node, lists: Mapping[str, str]) -> dict[str, str]:
        """The column with words, where the recipe leaves it to the data: the same one for all rows."""
        if node.arguments["words"] is not None:
            return {}
        if node.name not in self._detected:
            try:
                self._detected[node.name] = {"words": columns.find_words(lists)}
            except DataError as error:
                raise RequestError(f"node {node.name!r}: {error.message}", key="--input") from error
        return self._detected[node.name]

    def _texts_of(self, node: Node, kinds: Mapping[str, str]) -> dict[str, str]:
        """The columns with texts, where the recipe leaves it to the data: the same ones for all rows."""
        if node.arguments["text"] is not None:
            return {}
        if node.name not in self._detected:
            pair = node.arguments["text_pair"]
            try:
                found = columns.find_texts({name: k for name, k in kinds.items() if name != pair})
            except DataError as error:
                raise RequestError(f"node {node.name!r}: {error.message}", key="--input") from error
            names = found if pair is None else (found[0], pair)
            self._detected[node.name] = dict(zip(("text", "text_pair"), names, strict=False))
        return self._detected[node.name]

    def _is_of_model(self, tokenizer: str) -> bool:
        return is_of_model(tokenizer, self._request, self._checkpoint)

    def _wanted(self, names: Sequence[str]) -> list[str]:
        """The columns that `tokenize` reads, by their names in the input."""
        found = []
        for node in self._route:
            if node.spec.use == "tokenize" and not node.found.plugin:
                read = _read_by(node) or list(self._detected.get(node.name, {}).values())
                found += [name if name in names else self._origin(name, node) for name in read]
        return found

    def _origin(self, name: str, reader: Node) -> str:
        """What a column that a node reads is called in the input."""
        before = self._route[: self._route.index(reader)]
        for node in reversed(before):
            if node.spec.use == "rename" and not node.found.plugin:
                back = {new: old for old, new in node.arguments["columns"].items()}
                name = back.get(name, name)
        return name


def _read_by(node: Node) -> list[str]:
    return _texts_in(node.arguments)


def _texts_in(given: Mapping[str, Any]) -> list[str]:
    names = ("text", "text_pair", "words")
    return [given[key] for key in names if given.get(key) is not None]


def _renamed(name: str, node: Node) -> str:
    """What a column is called after the op `rename`."""
    return str(node.arguments["columns"].get(name, name))


def _selected(rows: Dataset, given: Mapping[str, Any]) -> Dataset:
    """The columns that `select` keeps; of rows all."""
    names = given["columns"] or rows.column_names
    dropped = given["drop"] or ()
    return rows.select_columns([n for n in names if n in rows.column_names and n not in dropped])


def _has_values(rows: Dataset, column: str) -> bool:
    return column in rows.column_names and _splits.column(rows, column).null_count < len(rows)
