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


@pytest.mark.parametrize("text", ["data.txt", "sub/../data.txt", "elsewhere/data.txt"])
def test_a_file_is_found_by_its_name(done, monkeypatch, text):
    """As a path, with the bytes that it has; of a file that is not there the name is enough."""
    work, _, _ = done
    (work.folder / "sub").mkdir()
    monkeypatch.chdir(work.folder)

    found = trace(work, text)

    assert (found.subject.kind, found.subject.name) == ("file", "data.txt")
    assert names(found.below) == {"read": {}}


def test_a_file_of_another_name_is_found_by_its_bytes(done, monkeypatch):
    """It was renamed since."""
    work, _, _ = done
    monkeypatch.chdir(work.folder)
    (work.folder / "data.txt").rename(work.folder / "renamed.txt")

    assert trace(work, "renamed.txt").subject.name == "data.txt"


def test_a_file_that_changed_since_is_told_from_what_was_read(done, monkeypatch):
    """Nothing came from the bytes that it has; the earlier ones are named by their digest."""
    import hashlib

    work, _, _ = done
    monkeypatch.chdir(work.folder)
    (work.folder / "data.txt").write_text("changed\n")

    with pytest.raises(RequestError) as caught:
        trace(work, "data.txt")

    earlier = hashlib.sha256(b"x\n").hexdigest()[:12]
    assert str(caught.value) == (
        "no stored output was made from 'data.txt' as it is now; "
        f"by that name was read: file data.txt {earlier}"
    )


def test_a_name_of_several_files_names_each_with_its_digest(done, monkeypatch):
    """Versions of a file that is there no more."""
    work, _, _ = done
    work.write("data.txt", "y\n")
    work.prepare().raise_failures()
    (work.folder / "data.txt").unlink()
    monkeypatch.chdir(work.folder)

    with pytest.raises(
        RequestError, match=r"'data\.txt' names 2 things: file data\.txt [0-9a-f]{12}"
    ):
        trace(work, "data.txt")
