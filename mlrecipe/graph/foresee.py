"""Foresight: names of splits, entries and columns that cannot be there, found before anything is run.

What is not known for certain is not spoken of: data of the hub, Parquet files, outputs of users' own ops.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from mlrecipe.code.catalog import Catalog, Found
from mlrecipe.code.kinds import Kind
from mlrecipe.columns import may_have_label, may_have_tags
from mlrecipe.errors import Problem, did_you_mean
from mlrecipe.graph.headers import Headers
from mlrecipe.graph.known import Known, union
from mlrecipe.graph.look import Look, marked, parameters
from mlrecipe.graph.rules import RULES
from mlrecipe.recipe import evaluation, own
from mlrecipe.recipe.layers import Tree
from mlrecipe.recipe.positions import KeyPath
from mlrecipe.registry import Kind as Registered

_UNKNOWN = Known()
_OF_TEXTS = (
    "multi-label-classification", "multi-output-classification", "text-classification",
    "text-regression",
)  # fmt: skip
_OF_WORDS = ("intent-and-slots", "token-classification")
_NEEDED = {
    **dict.fromkeys(_OF_TEXTS, ("input_ids", "tokenize")),
    **dict.fromkeys(_OF_WORDS, ("word_starts", "tokenize-words")),
}
"""Built-in task → the column that it takes beside those that its parameters name, and the op that gives it."""


def check(tree: Tree, catalog: Catalog, base: Path) -> list[Problem]:
    """Names in nodes, training, test and task of what surely is not there when they are asked for it.

    `base` is the folder that relative paths start from. Works on the plain values, which may hold
    anything: what is wrong with them otherwise is reported by others.
    """
    sight = _Foresight(tree, catalog, base)
    sight.look_at_nodes()
    sight.look_at_stages()
    sight.look_at_evaluation()
    return sight.problems


def known(tree: Tree, catalog: Catalog, base: Path) -> Mapping[str, Known]:
    """What is known of each node's output; arguments as for `check`."""
    sight = _Foresight(tree, catalog, base)
    sight.look_at_nodes()
    return sight.known


@dataclass(frozen=True, slots=True, kw_only=True)
class _Used:
    """A split that a stage works on."""

    data: Known
    split: str
    source: KeyPath
    """The recipe's key that names the data."""

    stage: str

    @property
    def rows(self) -> Known:
        """What is known of the split alone."""
        return self.data.only([self.split])


class _Foresight:
    def __init__(self, tree: Tree, catalog: Catalog, base: Path) -> None:
        self.problems: list[Problem] = []
        self.known: dict[str, Known] = {}
        self._tree = tree
        self._catalog = catalog
        self._base = base
        self._headers = Headers()

    def look_at_nodes(self) -> None:
        """Find out what is known of each node, inputs first; nodes in a circle are left out."""
        nodes = self._table("nodes")
        tables = {name: table for name, table in nodes.items() if isinstance(table, Mapping)}
        sorter: TopologicalSorter[str] = TopologicalSorter()
        for name, table in tables.items():
            inputs = [text.partition(".")[0] for _, text in _inputs(table)]
            sorter.add(name, *(node for node in inputs if node in tables))
        with suppress(CycleError):  # what does not depend on it can still be had
            sorter.prepare()
        while ready := sorter.get_ready():
            for name in ready:
                self.known[name] = self._look_at_node(name, tables[name])
            sorter.done(*ready)

    def look_at_stages(self) -> None:
        """Check the names in `train`, `test` and `task`."""
        train, test = self._table("train"), self._table("test")
        data = self._data("train", train)
        if own.is_module(self._tree.values, self._catalog):
            return  # its loaders choose the splits
        used = self._used(("train", "train_split"), "train", data, ("train", "data"))
        used += self._used(("train", "valid_split"), "valid", data, ("train", "data"))
        if test.get("data"):
            tested = self._data("test", test)
            used += self._used(("test", "split"), "test", tested, ("test", "data"))
        elif "split" in test:  # who never tests need not have the default
            used += self._used(("test", "split"), "test", data, ("train", "data"))
        self._look_at_task(data, used)

    def look_at_evaluation(self) -> None:
        """Check the entries of data nodes that evaluation nodes take."""
        for name, table in evaluation.tables(self._tree.values).items():
            for below, text in _inputs(table):
                if evaluation.taken(text)[0] in self.known:
                    self._taken((*evaluation.NODES, name, "inputs", *below), text)

    def _look_at_node(self, name: str, table: Mapping[str, Any]) -> Known:
        found = self._find("op", table)
        inputs = [
            self._taken(("nodes", name, "inputs", *below), text) for below, text in _inputs(table)
        ]
        if found is None:
            return _UNKNOWN
        signature = found.signature
        if not _is_builtin(found):
            self._look_at_marks(("nodes", name), table, found, inputs)
            return _UNKNOWN
        params = parameters(table, signature)
        count = len(signature.inputs)
        fits = len(inputs) == count or (signature.variadic and len(inputs) > count)
        if table["use"] not in RULES or params is None or not fits:
            return _UNKNOWN
        look = self._look(("nodes", name), table, found, params)
        known: Known = RULES[table["use"]](look, *inputs)
        self.problems += look.problems
        return _UNKNOWN if look.is_shaken else known

    def _taken(self, path: KeyPath, text: str) -> Known:
        """What is known of the node, or of the entry of its output, that a text such as `split.train` names."""
        node, _, entry = text.partition(".")
        known = self.known.get(node, _UNKNOWN)
        if entry:
            # An entry of a data set without splits is a column.
            entries = known.entries or (known.union if known.is_plain else known.splits)
            if entries is not None and entry not in entries:
                what = f"no entry {entry!r} in the output of node {node!r}"
                message = f"{what}; {did_you_mean(entry, entries)}"
                self.problems.append(self._tree.problem(path, message))
            known = known.entry(entry)
        return replace(known, name=f"node {text!r}", is_part=False)

    def _look_at_marks(
        self, path: KeyPath, table: Mapping[str, Any], found: Found, inputs: list[Known]
    ) -> None:
        """Check a user's own op: what it marks as a split or a column must be in one of its inputs."""
        marks = list(_marks(table, found))
        if not marks:
            return
        data = _together(inputs)
        look = self._look(path, table, found, table)
        for below, what, text in marks:
            if what == "column":
                look.check_column(below, text, data)
            elif not any(each.is_plain for each in inputs):
                look.check_split(below, text, data)
        self.problems += look.problems

    def _data(self, stage: str, table: Mapping[str, Any]) -> Known:
        """What a stage works on."""
        text = table.get("data")
        if type(text) is not str or not text:
            return _UNKNOWN
        data = self._taken((stage, "data"), text)
        if not data.is_plain:
            return data
        message = f"{data.place} is one data set without splits; put an op `split` between"
        self.problems.append(self._tree.problem((stage, "data"), message))
        return _UNKNOWN

    def _used(self, path: KeyPath, default: str, data: Known, source: KeyPath) -> list[_Used]:
        """The splits that a stage's key names, if they may be there."""
        stage, key = path
        table = self._table(str(stage))
        value = table.get(str(key), default)
        # Each fold is what the first of them is validated on: that need not be there.
        is_made = key == "valid_split" and table.get("folds") is not None
        if not isinstance(value, list):
            return [] if is_made else self._used_one(path, value, data, source)
        found = [
            self._used_one((*path, number), name, data, source)
            for number, name in enumerate(value)
            if number or not is_made
        ]
        return [used for each in found for used in each]

    def _used_one(self, path: KeyPath, name: object, data: Known, source: KeyPath) -> list[_Used]:
        """The split of this name, if it may be there and has a name."""
        if type(name) is not str or not name:
            return []
        stage, key, *_ = path
        if data.splits is None or name in data.splits:
            return [_Used(data=data, split=name, source=source, stage=str(stage))]
        is_default = key not in self._table(str(stage))
        message = f"no split {name!r}{' (the default)' * is_default} in {data.place}"
        hint = did_you_mean(name, data.splits)
        if is_default and key == "valid_split":
            hint += '; `valid_split = ""` trains without validation'
        self.problems.append(self._tree.problem(path, f"{message}; {hint}"))
        return []

    def _look_at_task(self, data: Known, used: list[_Used]) -> None:
        task = self._table("task")
        found = self._find("task", task)
        if found is None:
            return
        if not _is_builtin(found):
            self._look_at_marks(("task",), task, found, [data])
            return
        params = parameters(task, found.signature)
        if params is None:
            return
        look = self._look(("task",), task, found, params)
        # What is only tested may have no labels.
        learnt = [each for each in used if each.stage == "train"]
        for below, _, text in _marks(_with_default(params, learnt), found):
            # One problem for each name: the first split that lacks it.
            any(look.check_column(below, text, each.rows) for each in learnt)
        if _is_detected(params):
            any(look.check_any(("label",), "the label", may_have_label, e.rows) for e in learnt)
        if params.get("tags", "") is None:
            any(look.check_any(("tags",), "the tags", may_have_tags, e.rows) for e in learnt)
        self.problems += look.problems
        self._check_needed(task["use"], used)

    def _check_needed(self, task: str, used: list[_Used]) -> None:
        if task not in _NEEDED:
            return
        needed, op = _NEEDED[task]
        for each in used:
            columns = each.rows.union
            if columns is not None and needed not in columns:
                what = f"no column {needed!r} in {each.rows.place}, and task {task!r} needs it"
                message = f"{what}; take the output of an op `{op}`"
                self.problems.append(self._tree.problem(each.source, message))
                return

    def _look(
        self, path: KeyPath, table: Mapping[str, Any], found: Found, params: Mapping[str, Any]
    ) -> Look:
        return Look(
            tree=self._tree, path=path, signature=found.signature, params=params, written=table,
            base=self._base, headers=self._headers,
        )  # fmt: skip

    def _table(self, key: str) -> Mapping[str, Any]:
        value = self._tree.values.get(key)
        return value if isinstance(value, Mapping) else {}

    def _find(self, kind: Registered, table: Mapping[str, Any]) -> Found | None:
        use = table.get("use")
        return self._catalog.find(kind, use) if isinstance(use, str) else None


def _is_builtin(found: Found) -> bool:
    return found.target.startswith("mlrecipe.builtin.")


def _is_detected(params: Mapping[str, Any]) -> bool:
    """Whether the task looks for the column of its label."""
    return params.get("label", "") is None and params.get("labels_from") is None


def _with_default(params: Mapping[str, Any], used: list[_Used]) -> Mapping[str, Any]:
    """The parameters with the column that is the label wherever it is there."""
    columns = used[0].rows.union if used else None
    return (
        {**params, "label": "label"}
        if _is_detected(params) and "label" in (columns or ())
        else params
    )


def _inputs(table: Mapping[str, Any]) -> list[tuple[KeyPath, str]]:
    """Path below `inputs` and text of each; an empty text for what is none."""
    written = table.get("inputs", [])
    if type(written) is str:
        return [((), written)]
    items: list[tuple[str | int, Any]] = []
    if isinstance(written, Mapping):
        items = list(written.items())
    elif isinstance(written, list):
        items = list(enumerate(written))
    return [((key,), text if type(text) is str else "") for key, text in items]


def _marks(values: Mapping[str, Any], found: Found) -> Iterator[tuple[KeyPath, str, str]]:
    """Path, `split` or `column`, and text of each name that the component's types mark as one."""
    for key, value in values.items():
        parameter = found.signature.params.get(key)
        if parameter is not None and _has_marks(parameter.kind):
            yield from marked(value, parameter.kind, (key,))


def _has_marks(kind: Kind) -> bool:
    return kind.name in ("split", "column") or any(
        isinstance(arg, Kind) and _has_marks(arg) for arg in kind.args
    )


def _together(inputs: list[Known]) -> Known:
    """All of a user's op's inputs as one: what is in none of them is nowhere."""
    if not inputs:
        return _UNKNOWN
    columns = union(data.union for data in inputs)
    names = union(data.splits for data in inputs)
    name = " and ".join(data.name for data in inputs)
    return Known(
        tables=None if names is None else dict.fromkeys(names, columns), columns=columns, name=name
    )
