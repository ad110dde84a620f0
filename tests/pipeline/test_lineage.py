"""Where things came from, and where they went."""

from __future__ import annotations

import pytest

from mlrecipe.errors import RequestError
from mlrecipe.pipeline.lineage import lineage
from mlrecipe.runs import manifest
from mlrecipe.runs import run as running


@pytest.fixture
def done(work):
    """The project with a node that reads a file, prepared, a train run and its test."""
    work.write("data.txt", "x\n")
    with (work.folder / "recipe.toml").open("a") as file:
        file.write('\n[nodes.read]\nuse = "lines"\npath = "data.txt"\n')
    work.prepare().raise_failures()
    record = work.store.latest("recipe.toml", "scaled")
    facts = {"name": "small", "recipe": "recipe.toml"}
    train = running.create(work.folder, stage="train", **facts)
    best = train.folder / "checkpoints" / "best"
    best.mkdir(parents=True)
    (best / "weights").write_bytes(b"w")
    inputs = {"scaled": {"fingerprint": record.fingerprint, "digest": record.digest, "op": "scale"}}
    train.write("inputs.json", inputs)
    manifest.conclude(train, metrics={}, outputs={"best": best})
    train = train.finish("finished")
    test = running.create(work.folder, stage="test", parent=train.id, **facts)
    test.write("inputs.json", inputs)
    return work, train, test.finish("finished")


def trace(work, text):
    return lineage(text, project=work.folder, store=work.store, recipe="recipe.toml")


def names(branches):
    return {branch.thing.name: names(branch.beyond) for branch in branches}


def test_a_node_both_ways(done):
    """Its inputs and theirs; the nodes and runs that used it, down to checkpoint and test."""
    work, train, test = done

    found = trace(work, "sum")

    assert names(found.above) == {"first": {}, "second": {}}
    below = names(found.below)
    assert set(below) == {"scaled"}
    assert set(below["scaled"]) == {train.id, test.id}
    assert f"{train.id}/checkpoints/best" in below["scaled"][train.id]


def test_a_run_goes_back_to_its_data(done):
    """By its id, or the end of it."""
    work, train, _ = done

    found = trace(work, train.id.rpartition("-")[2])

    assert found.subject.name == train.id
    assert names(found.above) == {"scaled": {"sum": {"first": {}, "second": {}}}}


def test_a_test_goes_back_to_the_run_that_it_tested(done):
    """Which is its parent."""
    work, train, test = done

    assert train.id in names(trace(work, test.id).above)


def test_a_checkpoint_is_found_by_its_digest(done):
    """Any of its files' hashes names it; it goes back to its run."""
    import hashlib

    work, train, test = done

    found = trace(work, hashlib.sha256(b"w").hexdigest()[:10])

    assert (found.subject.kind, found.subject.name) == (
        "checkpoint", f"{train.id}/checkpoints/best",
    )  # fmt: skip
    assert set(names(found.above)) == {train.id}
    assert set(names(found.below)) == {test.id}


def test_a_file_is_found_by_its_digest(done):
    """What read it is what was made from it."""
    import hashlib

    work, _, _ = done

    found = trace(work, hashlib.sha256(b"x\n").hexdigest())

    assert (found.subject.kind, found.subject.name) == ("file", "data.txt")
    assert names(found.below) == {"read": {}}


def test_a_digest_of_an_output_is_its_node(done):
    """The beginning of it is enough; so is that of a fingerprint."""
    work, _, _ = done
    record = work.store.latest("recipe.toml", "sum")

    assert trace(work, record.digest[:8]).subject.name == "sum"
    assert trace(work, record.fingerprint[:8]).subject.name == "sum"


def test_what_is_gone_from_the_store_is_still_told_by_the_run(done):
    """The run's own files name it."""
    work, train, _ = done
    for path in (work.folder / ".mlrecipe/store/v1/records").glob("*/*.json"):
        path.unlink()

    [branch] = trace(work, train.id).above

    assert branch.thing.name == "scaled"
    assert branch.thing.detail == "op scale, no longer in the store"


@pytest.mark.parametrize("text", ["nothing", "ab", "0" * 12])
def test_what_is_not_known_is_an_error(done, text):
    """With what may be named."""
    with pytest.raises(RequestError, match=f"nothing known as {text!r}"):
        trace(done[0], text)
