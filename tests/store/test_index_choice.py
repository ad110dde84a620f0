"""Which index is used, and that it is on a disk of this host."""

from __future__ import annotations

import json
import tempfile

import pytest

from mlrecipe.errors import RequestError
from mlrecipe.store import Store, index_choice, probe
from tests.store.pages import computation

KINDS = ["diskcache", "sqlite"]


@pytest.fixture
def far(tmp_path, monkeypatch):
    """A store on a network, and the folder of this user's caches on a disk."""
    near = tmp_path / "home"
    monkeypatch.setenv("XDG_CACHE_HOME", str(near))
    network = {tmp_path / "far"}
    monkeypatch.setattr(
        probe, "is_network", lambda path: any(path.is_relative_to(top) for top in network)
    )
    monkeypatch.setenv("MLRECIPE_LOCKS", "flock")
    store = Store(tmp_path / "far/store")
    yield store, near, network
    store.close()


@pytest.mark.parametrize("kind", KINDS)
def test_the_index_of_a_store_on_a_network_is_on_a_local_disk(far, monkeypatch, kind):
    """Under the user's caches, one for each store, with nothing of it on the network."""
    store, near, _ = far
    monkeypatch.setenv("MLRECIPE_INDEX", kind)
    record = store.publish("x", computation())
    store.memo.set("key", "text")
    store.close()

    again, other = Store(store.root), Store(store.root.with_name("other"))

    assert not (store.root / "v1/index").exists()
    (folder,) = (near / "mlrecipe").iterdir()
    assert (near / "mlrecipe").stat().st_mode & 0o777 == 0o700
    assert again.memo.get("key") == "text"
    assert again.latest("imdb.toml", "clean") == record
    assert other.memo.get("key") is None
    other.publish("y", computation())
    assert len(list((near / "mlrecipe").iterdir())) == 2
    assert folder.is_dir()
    again.close()
    other.close()


@pytest.mark.parametrize("kind", KINDS)
def test_store_39_a_damaged_index_outside_the_store_is_made_anew(far, monkeypatch, kind):
    """It is dropped where it is: the store's folder for what is temporary may be far away."""
    store, near, _ = far
    monkeypatch.setenv("MLRECIPE_INDEX", kind)
    record = store.publish("x", computation())
    store.close()
    (folder,) = (near / "mlrecipe").iterdir()
    for path in folder.iterdir():
        path.write_bytes(b"garbage" * 1000)

    assert store.latest("imdb.toml", "clean") == record
    store.memo.set("key", "text")
    store.close()

    assert Store(store.root).memo.get("key") == "text"
    assert list((near / "mlrecipe").iterdir()) == [folder]
    assert list((store.root / "v1/tmp").iterdir()) == []


def test_where_the_caches_are_on_a_network_too_another_folder_is_used(far, tmp_path, monkeypatch):
    """Homes often are: then the folder of temporary files, in a folder of this user's own."""
    store, near, network = far
    network.add(near)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    store.publish("x", computation())
    store.memo.set("key", "text")

    (folder,) = (tmp_path / "tmp").iterdir()

    assert Store(store.root).memo.get("key") == "text"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert not near.exists()


def test_a_folder_that_others_can_write_is_not_used(far):
    """What others put in an index would be believed: look-ups go on without one."""
    store, near, _ = far
    (near / "mlrecipe").mkdir(parents=True)
    (near / "mlrecipe").chmod(0o777)

    record = store.publish("x", computation())

    assert store.latest("imdb.toml", "clean") == record
    assert list((near / "mlrecipe").iterdir()) == []


def test_hosts_have_different_indexes(far, monkeypatch):
    """A folder of caches that several hosts see keeps theirs apart."""
    store, _, _ = far
    places = set()
    for host in ("alpha", "beta"):
        monkeypatch.setattr(index_choice, "_host", lambda host=host: host)
        places.add(index_choice.place(store.root, store.root / "v1/index"))

    assert len(places) == 2


def test_an_unknown_index_is_refused(store, monkeypatch):
    """A slip in the environment is no choice, even before there is an index."""
    monkeypatch.setenv("MLRECIPE_INDEX", "sqlight")

    with pytest.raises(
        RequestError, match="MLRECIPE_INDEX is 'sqlight': it is diskcache or sqlite"
    ):
        store.memo.get("key")


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_chosen_index_is_imported(child, monkeypatch, kind):
    """With the plain table, diskcache need not even be installed."""
    monkeypatch.setenv("MLRECIPE_INDEX", kind)

    said, _ = child("index_modules").communicate()

    assert json.loads(said) == {"diskcache": kind == "diskcache", "sqlite": kind == "sqlite"}
