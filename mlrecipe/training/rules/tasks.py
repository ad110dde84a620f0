"""What can be said against a recipe's task before any work; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from mlrecipe.code.catalog import Catalog
from mlrecipe.errors import Problem, did_you_mean
from mlrecipe.recipe.keys import table_at
from mlrecipe.recipe.layers import Tree
from mlrecipe.recipe.positions import KeyPath
from mlrecipe.registry import registries
from mlrecipe.tagging import SCHEMES, schemes
from mlrecipe.training.rules.optimization import weights

_SEVERAL = "multi-label-classification"
_OUTPUTS = "multi-output-classification"
_TAGS, _FRAMES = "token-classification", "intent-and-slots"
_WITHOUT_CLASSES = (_SEVERAL, _OUTPUTS, _TAGS, _FRAMES, "text-regression")
_BY_CLASS = ("balanced", "undersampled")

Found = Iterator[tuple[KeyPath, str]]


def problems(tree: Tree, catalog: Catalog) -> list[Problem]:
    """Parameters of the built-in tasks that say nothing together, or that contradict each other."""
    task, train = table_at(tree.values, ("task",)), table_at(tree.values, ("train",))
    found: list[tuple[KeyPath, str]] = []
    if task.get("use") == _SEVERAL:
        found += [(("task", *path), message) for path, message in _several(task)]
    if task.get("use") == _OUTPUTS:
        found += [(("task", *path), message) for path, message in _outputs(task)]
    if task.get("use") in (_TAGS, _FRAMES):
        found += [(("task", *path), message) for path, message in _words(task)]
    if task.get("use") == _FRAMES:
        found += [(("task", *path), message) for path, message in _frames(task)]
    if task.get("use") in _WITHOUT_CLASSES and train.get("sampling") in _BY_CLASS:
        message = f"a row of the task {task['use']!r} is not of one class; take `all` or `weighted`"
        found.append((("train", "sampling"), message))
    return [tree.problem(path, message) for path, message in found]


def metrics_of(task: Mapping[str, Any], names: list[str]) -> list[str]:
    """The names under which the task reports its metrics: of several outputs also those of each."""
    if task.get("use") == _FRAMES:
        return [found for name in names for found in _of_frames(task, name)]
    outputs = task.get("outputs")
    if task.get("use") != _OUTPUTS or not isinstance(outputs, list):
        return names
    return [*names, *(f"{column}/{name}" for column in outputs for name in names)]


def _several(task: Mapping[str, Any]) -> Found:
    threshold = task.get("threshold", 0.5)
    if _is_number(threshold) and not 0 < threshold < 1:
        yield ("threshold",), f"{threshold!r} is not between 0 and 1"
    if task.get("separator") == "":
        yield ("separator",), "an empty text separates nothing; leave it out for lists"
    columns = task.get("labels_from")
    if isinstance(columns, list):
        for key in ("label", "labels", "separator"):
            if task.get(key) is not None:
                yield (key,), "does nothing with `labels_from`, whose columns are the labels"
        yield from _twice(columns, "labels_from")
        if not columns:
            yield ("labels_from",), "there is no column"
    labels = columns if isinstance(columns, list) else task.get("labels")
    given = task.get("pos_weight")
    for path, message in weights(given, labels, key="pos_weight"):
        yield path[1:], message


def _words(task: Mapping[str, Any]) -> Found:
    if task.get("crf") is True and task.get("pooling") == "all":
        message = "a CRF tags words, and with `all` each piece is learnt for itself"
        yield ("pooling",), f"{message}; say `first` or `mean`"
    if task.get("crf") is True and task.get("constrained") is True:
        yield ("constrained",), "does nothing with `crf`, which predicts what is legal anyway"
    elif task.get("constrained") is True and task.get("scheme") == "plain":
        yield ("constrained",), "does nothing with plain tags: any may follow any"
    labels, scheme = task.get("labels"), task.get("scheme")
    if isinstance(labels, Mapping):
        slots = task.get("slots", "tags")
        labels = labels.get(slots) if isinstance(slots, str) else None
    column = "tags" if task["use"] == _TAGS else "slots"
    if task.get(column) in ("tokens", "words"):
        yield (column,), f"column {task[column]!r} is that of the words, not of their tags"
    if not isinstance(labels, list):
        return
    if task["use"] == _TAGS:
        yield from _twice(labels, "labels")
    if len(labels) < 2:
        yield ("labels",), "there must be two tags at least to tell apart"
    for tag in labels:
        if isinstance(tag, str) and scheme in SCHEMES and not schemes.is_of(tag, scheme):
            yield ("scheme",), f"{scheme} has no tag {tag!r}"
            return


def _frames(task: Mapping[str, Any]) -> Found:
    columns = _columns(task)
    if columns[0] == columns[1]:
        yield ("slots",), f"column {columns[1]!r} is that of the intent"
    yield from _by_column(task, columns)


def _of_frames(task: Mapping[str, Any], name: str) -> Iterator[str]:
    """The names of a metric: its own where it is of all, else that of each part it goes with."""
    metrics = registries["metric"]
    types = metrics.entry(name).types if name in metrics else ()
    if "intent_and_slots" in types:
        yield name
        return
    kinds = ("single_label_classification", "token_classification")
    for column, kind in zip(_columns(task), kinds, strict=True):
        if not types or kind in types:
            yield f"{column}/{name}"


def _columns(task: Mapping[str, Any]) -> list[Any]:
    """Those of the intent and of the slots."""
    return [task.get("intent", "intent"), task.get("slots", "tags")]


def _outputs(task: Mapping[str, Any]) -> Found:
    columns = task.get("outputs")
    if not isinstance(columns, list):
        return
    if not columns:
        yield ("outputs",), "there is no column"
    yield from _twice(columns, "outputs")
    yield from _by_column(task, columns)


def _by_column(task: Mapping[str, Any], columns: list[Any]) -> Found:
    """What is wrong with the tables of labels and weights by column."""
    for key in ("labels", "weights"):
        for name in table_at(task, (key,)):
            if name not in columns:
                message = f"no output {name!r}; {did_you_mean(name, map(str, columns))}"
                yield (key, name), message
    for name, labels in table_at(task, ("labels",)).items():
        if isinstance(labels, list):
            yield from _twice(labels, "labels", name)
    weights_of = table_at(task, ("weights",))
    values = [weights_of.get(name, 1) for name in columns if isinstance(name, str)]
    if not values or not all(map(_is_number, values)):
        return
    if any(not 0 <= value < float("inf") for value in values) or not any(values):
        yield ("weights",), "weights are 0 or more, and not all 0"


def _twice(names: list[Any], *path: str) -> Found:
    twice = [name for number, name in enumerate(names) if name in names[:number]]
    if twice:
        yield path, f"{twice[0]!r} is there twice"


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
