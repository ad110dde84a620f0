"""Roots: which results a project needs. `tests/cli/test_cache.py` holds the rest."""

from __future__ import annotations

import json

from mlrecipe.pipeline import roots
from mlrecipe.pipeline.shards import Shard, own_of
from mlrecipe.store import usage
from tests.store.pages import computation, fingerprint


def publish(work, node, when, digests=(), **changes):
    """A result of a node of the project's recipe."""
    day = f"2026-01-{when:02d}T00:00:00+00:00"
    parts = {"op": "x", "digests": [list(pair) for pair in digests]}
    made = computation(f"{node} {when}", recipe="recipe.toml", node=node, created=day, parts=parts)
    return work.store.publish(f"{node} {when}", made)


def rooted(work, **options):
    store = work.store
    found = roots.finder(store, work.folder, **options)(usage.census(store))
    return {found_.record.node: why for f, why in found.records.items()
            if (found_ := usage.census(store).entries.get(f))}  # fmt: skip


def test_the_newest_of_each_node_is_a_root_and_older_ones_are_not(work):
    """By when they were made or used."""
    publish(work, "first", 1)
    newest = publish(work, "first", 2)
    store = work.store

    found = roots.finder(store, work.folder)(usage.census(store))

    assert list(found.records) == [newest.fingerprint]
    assert found.records[newest.fingerprint] == "the newest of first"


def test_what_a_root_was_made_from_is_one_too_all_the_way_up(work):
    """Also where a newer result of that node is there."""
    source = publish(work, "first", 1)
    middle = publish(work, "sum", 2, [("first", source.digest)])
    publish(work, "scaled", 3, [("sum", middle.digest)])
    publish(work, "first", 4)
    publish(work, "sum", 5)
    store = work.store

    found = roots.finder(store, work.folder)(usage.census(store))

    assert found.records[middle.fingerprint] == "an input of scaled"
    assert found.records[source.fingerprint] == "an input of sum"


def test_shards_are_roots_until_their_node_is_put_together(work):
    """Those of an interrupted run are needed to go on; later the whole has all that they have."""
    publish(work, "sum[1/2]", 1)
    assert rooted(work) == {"sum[1/2]": "the newest of sum[1/2]"}

    publish(work, "sum", 2)
    assert rooted(work) == {"sum": "the newest of sum"}

    publish(work, "sum[1/2]", 3)
    assert set(rooted(work)) == {"sum", "sum[1/2]"}


def shard(work, index, count, when, *, of="x", digests=()):
    """A shard of the node `sum`, as the runner stores them."""
    day = f"2026-01-{when:02d}T00:00:00+00:00"
    pairs = [list(pair) for pair in digests]
    made = computation(
        f"{of} {index}/{count}", recipe="recipe.toml", node=f"sum[{index + 1}/{count}]", created=day,
        own=own_of(fingerprint(of), Shard(index=index, count=count)),
        parts={"op": "x", "params": {"of": of}, "digests": pairs, "shard": [index + 1, count]},
    )  # fmt: skip
    return work.store.publish(f"{of} {index}", made)


def whole(work, when, *, of="x", digests=()):
    """What the shards of `sum` give together."""
    day = f"2026-01-{when:02d}T00:00:00+00:00"
    parts = {"op": "x", "params": {"of": of}, "digests": [list(pair) for pair in digests]}
    made = computation(
        of, recipe="recipe.toml", node="sum", created=day, own=fingerprint(of), parts=parts
    )
    return work.store.publish(f"whole {of}", made)


def test_shards_of_what_was_put_together_elsewhere_before_are_superfluous(work):
    """A whole that was pulled, or that another process was quicker to store, is older than the shards."""
    part = shard(work, 0, 2, when=5)
    whole(work, when=1)
    store = work.store

    found = roots.finder(store, work.folder)(usage.census(store))

    assert found.superfluous == {part.fingerprint}
    assert part.fingerprint not in found.records


def test_shards_of_another_computation_are_not_superfluous(work):
    """Neither of other parameters nor of other inputs."""
    shard(work, 0, 2, when=5, of="y")
    shard(work, 0, 2, when=5, digests=[("first", fingerprint("other"))])
    whole(work, when=1)
    store = work.store

    assert roots.finder(store, work.folder)(usage.census(store)).superfluous == set()


def test_of_an_interrupted_node_only_the_shards_of_the_last_computation_are_roots(work):
    """The newest of their names, but of another number of shards or of other parameters."""
    shard(work, 0, 4, when=1, of="old")
    shard(work, 2, 3, when=2, of="old")
    shard(work, 0, 3, when=3, of="new")
    shard(work, 1, 3, when=4, of="new")

    assert set(rooted(work)) == {"sum[1/3]", "sum[2/3]"}


def test_what_a_run_names_is_a_root_by_its_digest_too(work):
    """The computation may have been replaced since; unreadable runs name nothing."""
    inputs = {"a": {"fingerprint": fingerprint("a"), "digest": fingerprint("b")}, "odd": 3}
    work.write("runs/one/run.json", json.dumps({"status": "finished"}))
    work.write("runs/one/inputs.json", json.dumps(inputs))
    work.write("runs/two/run.json", json.dumps({"status": "finished"}))
    work.write("runs/two/inputs.json", "[")
    store = work.store

    found = roots.finder(store, work.folder)(usage.census(store))

    assert found.objects == {fingerprint("b"): "run one"}
    assert found.records == {fingerprint("a"): "run one"}
