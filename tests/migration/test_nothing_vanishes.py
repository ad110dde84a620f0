"""What an import calls carried makes a difference to the recipe: nothing is lost without being listed."""

from __future__ import annotations

import ast
import copy
import inspect
from typing import Any

import pytest
import tomli
import yaml

from mlrecipe.migration import hydra, known_ops, runway
from mlrecipe.migration.ledger import Path, dotted
from mlrecipe.migration.runway import Imported
from tests.migration.configs import HYDRA
from tests.migration.configs import runway as config

VALUES = ("marked", 7, True, None, ["marked"], {"marked": "text"})
TABLES: tuple[Path, ...] = (
    (), ("setup_kwargs",), ("setup_kwargs", "load_kwargs"), ("setup_kwargs", "rename_col_dict"),
    ("setup_kwargs", "tokenizer_config"), ("setup_kwargs", "tokenizer_config", "tokenize_kwargs"),
    ("setup_kwargs", "tokenizer_config", "from_pretrained_kwargs"),
    ("setup_kwargs", "train_test_split_kwargs"),
)  # fmt: skip
WITH_TABLES = set(known_ops.KNOWN) - {"InsertBreakpoint"}
NODE: Path = ("data_pipeline", "transforms", "input:Node")


def _known_keys() -> list[str]:
    """Every word that the known transforms look for, and one that they do not."""
    tree = ast.parse(inspect.getsource(known_ops))
    texts = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return sorted(
        {"cache", "regenerate", "input_node", "other"} | set(filter(str.isidentifier, texts))
    )


def _convert(node: dict[str, Any]) -> Imported:
    return runway.convert(
        {"data_pipeline": {"transforms": {"input:Node": node}}}, file="config.json"
    )


def _node(transform: str, table: Path, key: str, value: Any) -> dict[str, Any]:
    node: dict[str, Any] = {"transform_name": transform}
    inner = node
    for name in table:
        inner = inner.setdefault(name, {})
    return node if inner.setdefault(key, value) is value else {}


def _unaccounted(done: Imported, path: Path, without: dict[str, Any]) -> list[str]:
    """Leaves at and below a path that are neither listed, nor in the recipe, nor left out as a default."""
    listed = [item.key for item in done.dropped]
    values = tomli.loads(done.text)
    found = []
    for leaf in done.ledger.leaves():
        above = [dotted(leaf[:n]) for n in range(1, len(leaf) + 1)]
        if leaf[: len(path)] != path or any(key in listed for key in above):
            continue
        to = done.ledger.carried[leaf]
        is_default = not _has(values, to) and not _has(without, to)
        if values == without and not is_default:
            found.append(dotted(leaf))
        if is_default and done.ledger.get(*leaf) not in (None, {}, [], True, False, -1, 1.0, ""):
            found.append(dotted(leaf))
    return found


def _has(table: Any, key: str) -> bool:
    for part in key.split("."):
        if not isinstance(table, dict) or part not in table:
            return False
        table = table[part]
    return True


@pytest.mark.parametrize("transform", [*known_ops.KNOWN, "OfMyOwn"])
def test_experiment_38_no_single_key_of_a_known_transform_vanishes(transform: str) -> None:
    """Each key alone, with values of every type: it changes the recipe, or it is listed."""
    without = tomli.loads(_convert({"transform_name": transform}).text)

    lost = {
        f"{dotted((*table, key))} = {value!r}"
        for table in (TABLES if transform in WITH_TABLES else TABLES[:2])
        for key in _known_keys()
        for value in VALUES
        if (node := _node(transform, table, key, value))
        and _unaccounted(_convert(node), (*NODE, *table, key), without)
    }

    assert lost == set()


@pytest.mark.parametrize(
    ("convert", "values"),
    [(runway.convert, config()), (hydra.convert, yaml.safe_load(HYDRA))],
    ids=["runway", "hydra"],
)
def test_experiment_38_what_is_carried_makes_a_difference(convert: Any, values: Any) -> None:
    """Taking any one leaf out of a whole configuration changes the recipe, or the leaf was listed."""
    done = convert(values, file="c.json")

    lost = []
    for leaf in done.ledger.leaves():
        less = convert(_without(values, leaf), file="c.json")
        lost += _unaccounted(done, leaf, tomli.loads(less.text))

    assert lost == []


def _without(values: dict[str, Any], path: Path) -> dict[str, Any]:
    changed = copy.deepcopy(values)
    table: Any = changed
    for key in path[:-1]:
        table = table[key]
    del table[path[-1]]
    return changed


@pytest.mark.parametrize(
    ("train", "lost"),
    [
        ({"trainer_args": {"max_epochs": 2}, "trainer_paras": {"max_epochs": 5}},
         "train.trainer_args.max_epochs"),
        ({"trainer_args": {"deterministic": True}, "trainer_paras": {"deterministic": False}},
         "train.trainer_args.deterministic"),
    ],
)  # fmt: skip
def test_experiment_38_of_two_keys_for_one_the_first_is_listed(
    train: dict[str, Any], lost: str
) -> None:
    """The second says what the recipe says; the other one is not called carried."""
    done = runway.convert({"data_pipeline": {}, "train": train}, file="c.json")

    assert {item.key: item.why for item in done.dropped}[lost].endswith("is set by another key")


def test_experiment_38_a_folder_alone_is_the_path_of_a_data_set() -> None:
    """`dataset_path` without `dataset_name` is where the data is."""
    done = _convert({"transform_name": "LoadHFDataset", "setup_kwargs": {"dataset_path": "./data"}})

    assert tomli.loads(done.text)["nodes"]["Node"] == {"use": "load-dataset", "path": "./data"}
    assert done.dropped == []
