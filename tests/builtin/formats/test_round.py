"""What every format owes: values come back the same, files are read-only, nobody changes what is stored."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from mlrecipe.registry import registries
from mlrecipe.store import Store, objects
from mlrecipe.store.records import Record
from tests.builtin.formats.samples import SAMPLES, same
from tests.store.pages import computation

pytestmark = pytest.mark.heavy

EVERY = pytest.mark.parametrize("name", SAMPLES)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store for all."""
    made = Store(tmp_path_factory.mktemp("round") / "store")
    yield made
    made.close()


@pytest.fixture(scope="module")
def published(
    store: Store, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[Any, Record]]:
    """The value of a sample and its record, made once."""
    made: dict[str, tuple[Any, Record]] = {}

    def get(name: str) -> tuple[Any, Record]:
        if name not in made:
            value = SAMPLES[name](tmp_path_factory.mktemp("sample"))
            made[name] = value, store.publish(value, computation(name))
        return made[name]

    return get


@EVERY
def test_store_20_a_value_comes_back_equal_in_value_and_type(name, store, published):
    """What was computed a moment ago and what is loaded next year are the same."""
    value, record = published(name)

    loaded = Store(store.root).load(record)

    assert same(loaded, value)


@EVERY
def test_store_20_what_is_loaded_has_the_digest_that_it_was_loaded_from(name, store, published):
    """However a value came about, and loading is one way, its digest is the same."""
    _, record = published(name)

    again = store.publish(store.load(record), computation(f"again {name}"))

    assert again.digest == record.digest
    assert again.format == record.format


@EVERY
def test_stored_files_of_every_format_are_read_only_and_whole(name, store, published):
    """Immutable, and their hashes, taken while they were written, are true."""
    _, record = published(name)
    folder = store.object_folder(record.digest).parent

    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file()}

    assert modes == ({0o444} if record.value is None else set())
    assert record.value is not None or objects.corruption(folder, record.digest) == ""


@EVERY
def test_what_is_done_to_a_loaded_value_is_not_seen_by_the_next(name, store, published):
    """Whatever can be written to is a copy; the next load gives what was published."""
    value, record = published(name)

    spoil(store.load(record))

    assert same(store.load(record), value)
    if record.value is None:
        folder = store.object_folder(record.digest).parent
        assert objects.corruption(folder, record.digest) == ""


@EVERY
def test_every_format_describes_its_values_in_json(name, store, published):
    """`inspect` shows what is in the record, which says of what kind the value is."""
    value, record = published(name)

    assert record.summary["kind"] in (type(value).__name__, "Path")


def test_there_is_a_sample_of_every_format(published):
    """A new format is tested like the others."""
    found = {published(name)[1].format for name in SAMPLES}
    builtin = {e.name for e in registries["format"] if e.target.startswith("mlrecipe.builtin.")}

    assert found == builtin


def spoil(value: Any) -> None:
    """Write to whatever can be written to."""
    if isinstance(value, dict | list | tuple):
        for item in list(value.values() if isinstance(value, dict) else value):
            spoil(item)
        if isinstance(value, dict | list):
            value.clear()
    elif isinstance(value, Path):
        _spoil_files(value)
    else:
        for attempt in (
            _spoil_recorder,
            _spoil_array,
            _spoil_tensor,
            _spoil_frame,
            _spoil_rows,
            _spoil_module,
        ):
            with suppress(ValueError, TypeError, AttributeError, LookupError, NotImplementedError):
                attempt(value)


def _spoil_files(path: Path) -> None:
    """What a user may not write is refused by the system; its administrator may do anything."""
    for file in [path] if path.is_file() else path.rglob("*.*"):
        assert not file.stat().st_mode & 0o222


def _spoil_recorder(value: Any) -> None:
    value.statistics.clear()
    value.set_column("row", [9] * len(value))


def _spoil_array(value: Any) -> None:
    assert not value.flags.writeable
    value.flags.writeable = True


def _spoil_tensor(value: Any) -> None:
    value.fill_(7)


def _spoil_frame(value: Any) -> None:
    value.iloc[0] = 99
    del value[value.columns[0]]


def _spoil_rows(value: Any) -> None:
    value.map(lambda row: {"text": "changed"}, load_from_cache_file=False)
    value.info.description = "changed"


def _spoil_module(value: Any) -> None:
    import torch

    with torch.no_grad():
        for weights in value.parameters():
            weights.zero_()
    value.config.id2label = {}
