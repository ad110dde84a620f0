"""Plans: hit, run or maybe, and why."""

from __future__ import annotations

import shutil

import pytest

from mlrecipe.errors import RequestError

ALL = ["first", "second", "sum", "scaled"]


@pytest.fixture
def prepared(work):
    """The project with every node in the store."""
    work.prepare().raise_failures()
    work.ran()
    return work


def test_before_the_first_run_everything_runs(work):
    """Each node says that it never ran."""
    steps = work.plan().steps

    assert [(s.status, s.reasons) for s in steps] == [("run", ("never run before",))] * 4


def test_after_it_everything_is_a_hit(prepared):
    """And the plan is done."""
    assert prepared.statuses() == dict.fromkeys(ALL, "hit")
    assert prepared.plan().is_done


def test_what_depends_on_a_node_that_runs_may_run(prepared):
    """Its input may come out the same."""
    assert prepared.statuses("nodes.first.count=5") == {
        "first": "run", "second": "hit", "sum": "maybe", "scaled": "maybe",
    }  # fmt: skip


def test_a_node_that_changed_itself_runs_whatever_its_inputs_give(prepared):
    """Both reasons at once: the plan is not unsure."""
    assert prepared.statuses("nodes.first.count=5", "nodes.scaled.factor=3")["scaled"] == "run"


def test_store_19_train_settings_touch_no_node(prepared):
    """Batch size, optimizer, seeds of training, test settings: every node hits."""
    overrides = ["train.batch_size=64", "train.optimizer.lr=1e-3", "train.seed=5", "test.split=x"]

    assert prepared.statuses(*overrides) == dict.fromkeys(ALL, "hit")


def test_training_16_another_learning_rate_touches_no_node_with_a_train_section(work):
    """Also where the recipe has model, task and train tables."""
    work.write(
        "recipe.toml",
        (work.folder / "recipe.toml").read_text()
        + """
[model]
use = "transformer"
checkpoint = "bert-base-uncased"
[task]
use = "text-classification"
[train]
data = "scaled"
""",
    )
    work.prepare().raise_failures()

    assert work.statuses("train.optimizer.lr=1", "train.batch_size=1") == dict.fromkeys(ALL, "hit")


def test_store_23_force_runs_a_node_and_leaves_the_rest(prepared):
    """What depends on it goes by what it gives."""
    assert prepared.statuses(force=["first"]) == {
        "first": "run", "second": "hit", "sum": "maybe", "scaled": "maybe",
    }  # fmt: skip
    assert prepared.plan(force=["first"]).by_node["first"].reasons == ("forced",)


def test_force_in_the_recipe_is_the_same(prepared):
    """`force = true` on the node."""
    assert prepared.statuses("nodes.sum.force=true")["sum"] == "run"


def test_store_24_an_uncached_node_always_runs(prepared):
    """Its dependents may still be hits."""
    assert prepared.statuses("nodes.first.cache=false") == {
        "first": "run", "second": "hit", "sum": "maybe", "scaled": "maybe",
    }  # fmt: skip


def test_only_named_nodes_and_what_they_need_are_planned(work):
    """The rest is not even looked at."""
    assert list(work.statuses(nodes=["second"])) == ["second"]
    assert list(work.statuses(nodes=["sum"])) == ["first", "second", "sum"]


@pytest.mark.parametrize("option", ["nodes", "force"])
def test_an_unknown_node_is_an_error(work, option):
    """With the nearest name."""
    with pytest.raises(RequestError, match=r"no node 'scald'; did you mean 'scaled'\?"):
        work.plan(**{option: ["scald"]})


def test_store_22_a_plan_writes_no_result(prepared):
    """Nothing but the index."""
    before = {p: p.stat().st_mtime_ns for p in prepared.folder.rglob("*") if "index" not in str(p)}

    prepared.plan("nodes.first.count=9")

    after = {p: p.stat().st_mtime_ns for p in prepared.folder.rglob("*") if "index" not in str(p)}
    assert after == before
    assert prepared.ran() == []


def test_experiment_22_a_hit_needs_no_objects_of_its_ancestors(prepared):
    """Their records say what they gave; only what will be needed is looked for."""
    large = "nodes.first.count=20000"
    prepared.prepare(large, "nodes.second.count=20000").raise_failures()
    objects = prepared.folder / ".mlrecipe" / "store" / "v1" / "objects"
    assert prepared.ran()
    for step in prepared.plan(large, "nodes.second.count=20000").steps:
        if step.node.name != "scaled":
            shutil.rmtree(prepared.store.object_folder(step.record.digest).parent)
    assert any(objects.rglob("*.json"))

    results = prepared.prepare(large, "nodes.second.count=20000")

    assert results.ran == []
    assert prepared.ran() == []


def test_store_38_an_output_that_is_gone_and_needed_is_made_again(prepared):
    """And what hangs on it is a hit, since it comes out the same."""
    overrides = ["nodes.first.count=20000", "nodes.second.count=20000"]
    prepared.prepare(*overrides).raise_failures()
    prepared.ran()
    record = prepared.plan(*overrides).by_node["sum"].record
    shutil.rmtree(prepared.store.object_folder(record.digest).parent)

    planned = prepared.plan(*overrides, "nodes.scaled.factor=4")

    assert [s.status for s in planned.steps] == ["hit", "hit", "run", "run"]
    assert "its stored output cannot be used" in planned.by_node["sum"].reasons[0]
    prepared.prepare(*overrides, "nodes.scaled.factor=4").raise_failures()
    assert prepared.ran() == ["add", "scale"]
