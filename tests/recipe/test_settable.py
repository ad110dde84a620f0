"""What can be set, as `options` and completion know it."""

from __future__ import annotations

import json

import pytest

from mlrecipe.code.defaults import REQUIRED
from mlrecipe.recipe.load import load
from mlrecipe.recipe.schema import Overrides
from mlrecipe.recipe.settable import settable, tables

TRAINED = """
[model]
use = "transformer"
checkpoint = "org/model"
[task]
use = "text-classification"
[train]
data = "scaled"
epochs = 5
optimizer = { lr = 0.1 }
[train.callbacks.stop]
use = "EarlyStopping"
monitor = "valid/loss"
"""


@pytest.fixture
def keys(work):
    """Key → what is known of it, for the recipe with all its tables, changed by overrides."""
    path = work.write(
        "full.toml", "seed = 7\n" + (work.folder / "recipe.toml").read_text() + TRAINED
    )

    def ask(**overrides: tuple[str, ...]):
        loading = load(path, Overrides(**overrides), here=work.folder)
        return {item.key: item for item in settable(loading)}

    return ask


def test_every_key_that_is_named_is_accepted_by_set(work, keys):
    """Set to what it is, none of them is refused as unknown."""
    for key, item in keys().items():
        value = json.dumps(item.value) if item.value is not None else "${none}"
        loading = load(work.folder / "full.toml", [f"{key}={value}"], here=work.folder)

        assert not [str(p) for p in loading.problems if "unknown key" in p.message], key


@pytest.mark.heavy
def test_every_key_that_a_recipe_may_write_is_named(work, keys):
    """All that the schema's tables and the ops' signatures have, by their dotted keys."""
    named = keys()

    assert {
        "name", "seed", "limit", "nodes.first.use", "nodes.first.inputs", "nodes.first.count",
        "nodes.first.cache", "nodes.first.force", "nodes.first.version", "nodes.scaled.factor",
        "model.checkpoint", "task.metrics", "train.batch_size", "train.optimizer.use",
        "train.optimizer.betas", "train.scheduler.warmup", "train.trainer.precision",
        "train.callbacks.stop.patience", "test.checkpoint",
    } <= named.keys()  # fmt: skip
    assert not {"plugins", "relative_to", "nodes", "model", "train.optimizer"} & named.keys()
    assert "train.trainer.callbacks" not in named


def test_the_scratch_folder_cannot_be_set(work, keys):
    """It is only ever filled in."""
    work.edit("ops.py", "def numbers(*, count", "def numbers(*, scratch: Path, seed: int, count")

    found = keys()

    assert "nodes.first.scratch" not in found
    assert found["nodes.first.seed"].default == "${seed}"
    assert (found["nodes.first.seed"].value, found["nodes.first.seed"].is_set) == (7, False)


def test_values_are_told_from_defaults(keys):
    """What a file or an override says is set; what the schema's own table says is a default."""
    found = keys(sets=("train.batch_size=8",))

    told = {
        name: (found[name].default, found[name].value, found[name].is_set)
        for name in ("train.epochs", "train.batch_size", "train.mode", "train.optimizer.lr",
                     "train.optimizer.weight_decay", "nodes.first.count", "nodes.first.start")
    }  # fmt: skip
    assert told == {
        "train.epochs": (3, 5, True),
        "train.batch_size": (32, 8, True),
        "train.mode": ("auto", "auto", False),
        "train.optimizer.lr": (2e-5, 0.1, True),
        "train.optimizer.weight_decay": (0.01, 0.01, False),
        "nodes.first.count": (3, 4, True),
        "nodes.first.start": (0, 0, False),
    }


@pytest.mark.heavy
def test_another_component_has_its_own_defaults(keys):
    """The schema's defaults of AdamW do not hold for SGD."""
    found = keys(sets=("train.optimizer.use=SGD",))

    assert found["train.optimizer.weight_decay"].default == 0
    assert "train.optimizer.momentum" in found
    assert "train.optimizer.betas" not in found


def test_docs_and_types_come_from_the_declaration(keys):
    """Of an op's parameter and of a field of the schema."""
    found = keys()

    assert (str(found["nodes.first.count"].kind), found["nodes.first.count"].doc) == (
        "integer", "how many.",
    )  # fmt: skip
    assert str(found["train.batching"].kind).startswith('"bucket" | ')
    assert found["train.batching"].doc.startswith("How rows become batches.")


def test_a_required_key_has_no_default(work):
    """It shows as required, not as none."""
    work.write("lines.toml", 'name = "x"\nplugins = ["ops.py"]\n[nodes.a]\nuse = "lines"\n')

    found = {s.key: s for s in settable(load(work.folder / "lines.toml"))}

    assert found["nodes.a.path"].default is REQUIRED
    assert (found["nodes.a.path"].value, found["nodes.a.path"].is_set) == (None, False)


def test_an_unknown_component_leaves_the_rest(work):
    """Of a node with a wrong `use`, the keys of every node are still known."""
    work.edit("recipe.toml", 'use = "scale"', 'use = "scael"')

    found = [s.key for s in settable(load(work.folder / "recipe.toml"))]

    assert [key for key in found if key.startswith("nodes.scaled.")] == [
        "nodes.scaled.use", "nodes.scaled.inputs", "nodes.scaled.cache", "nodes.scaled.force",
        "nodes.scaled.version", "nodes.scaled.shards",
    ]  # fmt: skip
    assert "nodes.first.count" in found


def test_wrong_types_do_not_hinder(work):
    """Tables that are none are taken for empty ones."""
    work.write("odd.toml", 'name = 3\nnodes = 1\ntrain = "x"\n[model]\nuse = 4\n')

    found = [s.key for s in settable(load(work.folder / "odd.toml"))]

    assert {"name", "model.use", "train.epochs", "test.split"} <= set(found)


def test_tables_come_in_the_order_of_the_schema(work, keys):
    """The nodes as the recipe has them, then what learns, then how."""
    keys()

    found = [table.path for table in tables(load(work.folder / "full.toml"))]

    assert found == [
        (), ("nodes", "first"), ("nodes", "second"), ("nodes", "sum"), ("nodes", "scaled"),
        ("data",), ("model",), ("task",), ("train",), ("train", "optimizer"), ("train", "scheduler"),
        ("train", "trainer"), ("train", "callbacks", "stop"), ("test",), ("evaluate",), ("run",),
    ]  # fmt: skip
