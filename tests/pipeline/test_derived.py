"""Derived values: what is computed from a node's output outside of the graph is kept like a node's own."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from mlrecipe import events
from mlrecipe.errors import StoreError
from mlrecipe.pipeline import derived, lineage, roots
from mlrecipe.pipeline.derived import Derivation, Deriver
from mlrecipe.store import usage
from tests.projects import Work

RECIPE = """
name = "small"
plugins = ["ops.py"]

[nodes.tokens]
use = "parity"
inputs = ["first"]

[nodes.first]
use = "numbers"
count = 4

[model]
use = "transformer"
config = "tiny"
freeze_layers = 1

[task]
use = "text-classification"

[train]
data = "tokens"
train_split = "even"
valid_split = "odd"
"""


@pytest.fixture
def frozen(work: Work) -> Work:
    """A project with a recipe whose training would derive values from two splits."""
    work.write("recipe.toml", RECIPE)
    work.write("tiny/config.json", "{}")
    return work


def derive(work: Work, part: str = "even", *overrides: str, made: list[str] | None = None,
           size: int = 8, **facts: Any) -> Any:  # fmt: skip
    """Derive a list from a part of the node `tokens`."""
    results = work.prepare(*overrides)
    results.raise_failures()
    store = work.store

    def make(folder: Path) -> list[int]:
        assert list(folder.iterdir()) == []
        if made is not None:
            made.append(part)
        return [2 * value for value in store.load(results.records["tokens"])[part]]

    deriver = Deriver(work.request(*overrides), results.records["tokens"], store, source="tokens")
    derivation = Derivation(op="frozen", part=part, facts=facts or {"n": 1}, bytes=size, make=make)
    return deriver.get(derivation)


def foreseen(work: Work, *overrides: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Value → status and reasons."""
    request, store = work.request(*overrides), work.store
    return {item.name: (item.status, item.reasons)
            for item in derived.foresee(request, store, work.plan(*overrides))}  # fmt: skip


def test_a_value_is_computed_once(frozen: Work, heard: list[events.Event]) -> None:
    """Equal facts are the same value; others are computed."""
    made: list[str] = []

    assert derive(frozen, made=made) == derive(frozen, made=made) == [0, 4]
    derive(frozen, made=made, n=2)

    assert len(made) == 2
    name = "frozen(tokens.even)"
    done = [e.status for e in heard if isinstance(e, events.NodeFinished) and e.node == name]
    assert done == ["run", "hit", "run"]


def test_two_that_want_it_at_once_compute_it_once(frozen: Work) -> None:
    """The second waits for the first."""
    frozen.prepare().raise_failures()
    record, made, found = frozen.prepare().records["tokens"], [], []
    begun, go_on = threading.Event(), threading.Event()

    def make(folder: Path) -> list[int]:
        made.append(1)
        begun.set()
        go_on.wait(10)
        return [1]

    def get() -> None:
        deriver = Deriver(frozen.request(), record, frozen.store, source="tokens")
        found.append(deriver.get(
            Derivation(op="frozen", part="even", facts={"n": 1}, bytes=8, make=make)
        ))  # fmt: skip

    first, second = threading.Thread(target=get), threading.Thread(target=get)
    first.start()
    begun.wait(10)
    second.start()
    go_on.set()
    first.join()
    second.join()

    assert (len(made), found) == (1, [[1], [1]])


def test_its_record_says_what_it_was_made_of(frozen: Work) -> None:
    """So that lineage leads from it to the node, and back."""
    derive(frozen)
    store = frozen.store

    found = lineage.lineage("frozen(tokens.even)", project=frozen.folder, store=store,
                            recipe="recipe.toml")  # fmt: skip
    tokens = lineage.lineage("tokens", project=frozen.folder, store=store, recipe="recipe.toml")

    assert [branch.thing.name for branch in found.above] == ["tokens"]
    assert found.above[0].beyond[0].thing.name == "first"
    assert [branch.thing.name for branch in tokens.below] == ["frozen(tokens.even)"]


def test_plan_knows_what_training_would_derive(frozen: Work) -> None:
    """By what the recipe said when the newest was made."""
    absent = ("run", ("its outputs are not in the store",))
    assert foreseen(frozen)["frozen(tokens.even)"][0] == "maybe"
    derive(frozen)

    found = foreseen(frozen)

    assert found["frozen(tokens.even)"][0] == "hit"
    assert found["frozen(tokens.odd)"] == absent
    other = foreseen(frozen, "model.freeze_layers=2")["frozen(tokens.even)"]
    assert other == ("run", ("model freeze_layers 1 → 2",))
    assert foreseen(frozen, "model.dropout=0.3")["frozen(tokens.even)"][0] == "maybe"
    assert foreseen(frozen, "nodes.first.count=6")["frozen(tokens.even)"][0] == "maybe"
    frozen.prepare("nodes.first.count=6")
    changed = foreseen(frozen, "nodes.first.count=6")["frozen(tokens.even)"]
    assert changed == ("run", ("tokens has another output",))


@pytest.mark.parametrize(
    "overrides",
    [["train.cache_frozen=false"], ["model.frozen_dropout=true"],
     ['model.peft={method="lora"}']],
)  # fmt: skip
def test_plan_says_nothing_where_nothing_would_be_derived(
    frozen: Work, overrides: list[str]
) -> None:
    """Even if it has been before."""
    derive(frozen)

    assert foreseen(frozen, *overrides) == {}


def test_a_gc_leaves_what_a_recipe_still_wants(frozen: Work) -> None:
    """And what it was made from; once the recipe keeps nothing any more, it goes."""

    def rooted() -> set[str]:
        store = frozen.store
        census = usage.census(store)
        found = roots.finder(store, frozen.folder)(census)
        return {census.entries[f].record.node for f in found.records}

    derive(frozen, n=1)
    derive(frozen, n=2)
    assert rooted() == {"first", "tokens", "frozen(tokens.even)"}
    census = usage.census(frozen.store)
    kept = roots.finder(frozen.store, frozen.folder)(census).records
    assert len(kept) == 3  # the older of the two is none

    frozen.edit("recipe.toml", "[train]\n", "[train]\ncache_frozen = false\n")
    assert rooted() == {"first", "tokens"}


def test_a_large_value_is_told_of_before_it_is_made(
    frozen: Work, heard: list[events.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its size, and how to do without."""
    monkeypatch.setattr(derived, "_free", lambda root: 10**12)

    derive(frozen, size=2_000_000_001)

    (said,) = [e for e in heard if isinstance(e, events.Note)]
    assert said.level == "warning"
    assert said.text.startswith("frozen(tokens.even) will take 2.0 GB in the store")
    assert "train.cache_frozen = false" in said.text
    assert isinstance(heard[heard.index(said) + 1], events.NodeStarted)


def test_without_room_nothing_is_made(frozen: Work) -> None:
    """The error says how much there is."""
    made: list[str] = []

    with pytest.raises(StoreError, match=r"takes 1,000,000,000\.0 GB") as caught:
        derive(frozen, made=made, size=10**18)

    assert made == []
    assert "train.cache_frozen = false" in str(caught.value.hint)
