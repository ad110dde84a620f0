"""Publishing, finding and loading results."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

import mlrecipe
from mlrecipe.errors import DataError, StoreError
from mlrecipe.events import Note
from mlrecipe.interfaces import Summary
from mlrecipe.store import Store, objects
from tests.store.pages import BOOK, Pages, PagesFormat, computation, fingerprint

VALUES = [
    None,
    True,
    7,
    7.0,
    "text é",
    b"bytes",
    [1, [2]],
    (1, "a"),
    {"b": 1, "a": [None]},
    {3, 1, 2},
    date(2026, 1, 31),
    BOOK,
]


class Diary(Pages):
    pass


@mlrecipe.format("diary", types=(f"{__name__}.Diary",))
class DiaryFormat(PagesFormat):
    pass


class Elsewhere:
    pass


@mlrecipe.format("elsewhere", types=(f"{__name__}.Elsewhere",))
class ElsewhereFormat:
    def save(self, value: Elsewhere, folder: Path) -> None:
        (folder / "link").symlink_to("/")

    def load(self, folder: Path) -> Elsewhere:
        return Elsewhere()

    def describe(self, value: Elsewhere) -> Summary:
        return Summary(kind="Elsewhere")


def warnings(heard):
    return [event.text for event in heard if isinstance(event, Note) and event.level == "warning"]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_published_value_comes_back_equal_in_value_and_type(store, value):
    """What is loaded is what was published."""
    store.publish(value, computation())

    record = store.record(fingerprint("clean"))

    assert record is not None
    assert store.load(record) == value
    assert type(store.load(record)) is type(value)


def test_another_process_loads_what_was_published(store, child):
    """Nothing of a result lives in the process that computed it."""
    store.publish(BOOK, computation())

    output, _ = child("load").communicate()

    assert output.strip() == repr(BOOK)


def test_publish_returns_the_record_that_is_found_later(store):
    """The record in hand and the record on the disk are the same."""
    written = store.publish(BOOK, computation())

    assert store.record(fingerprint("clean")) == written
    assert written.parts == {"op": "clean", "params": {"lower": True}}
    assert (written.format, written.bytes, written.seconds) == ("pages", 11, 1.5)
    assert written.summary["rows"] == {"": 2}
    assert written.value is None


def test_small_json_values_live_in_their_record(store):
    """A number needs no folder of its own, a long text does."""
    small = store.publish({"loss": 0.25}, computation("small"))
    large = store.publish("x" * 40_000, computation("large"))

    assert json.loads(small.value or "") == {"loss": 0.25}
    assert not store.object_folder(small.digest).exists()
    assert large.value is None
    assert store.load(large) == "x" * 40_000


def test_loading_twice_gives_independent_values(store):
    """An op that changes its input does not change that of its sibling."""
    small = store.publish([1, 2], computation("small"))
    large = store.publish(["x" * 40_000], computation("large"))

    for record in (small, large):
        store.load(record).append(3)
        assert 3 not in store.load(record)


def test_equal_outputs_share_one_object(store):
    """The digest names bytes: whoever computed them, and in whatever order they were written."""
    one = store.publish(Pages({"a": "1", "b": "2"}), computation("one"))
    other = store.publish(Pages({"b": "2", "a": "1"}), computation("other"))
    third = store.publish(Pages({"a": "1", "b": "3"}), computation("third"))

    assert one.digest == other.digest != third.digest
    assert len(list((store.root / "v1/objects").glob("*/*"))) == 2


def test_the_digest_says_how_the_bytes_are_read(store):
    """Two types with the same files are two outputs: a dependent of one is no hit for the other."""
    pages = store.publish(Pages({"a": "1"}), computation("pages"))
    diary = store.publish(Diary({"a": "1"}), computation("diary"))
    manifest = (store.object_folder(pages.digest).parent / "manifest.json").read_text()

    assert pages.digest != diary.digest
    assert objects.digest_text(manifest) != pages.digest


def test_a_text_and_its_file_have_different_digests(store):
    """No value in a record has the digest of a folder, and no two types share one."""
    values = [1, 1.0, True, "1", None, "null", [], {}, (), Pages({"value.json": "1"})]

    digests = {store.publish(value, computation(repr(value))).digest for value in values}

    assert len(digests) == len(values)


def test_stored_files_cannot_be_written(store):
    """Objects and records are immutable."""
    record = store.publish(BOOK, computation())
    folder = store.object_folder(record.digest)
    paths = [*folder.parent.rglob("*.*"), *(store.root / "v1/records").rglob("*.json")]

    assert len(paths) == 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o444}


def test_an_earlier_record_stays_unless_it_is_replaced(store):
    """Of two results of one computation the first counts, but --force replaces it."""
    first = store.publish("first", computation())

    second = store.publish("second", computation())
    third = store.publish("third", computation(), replace=True)

    assert second == first
    assert store.record(fingerprint("clean")) == third
    assert store.load(third) == "third"


def test_an_unknown_type_is_refused_with_what_there_is(store):
    """The error lists what a node may return, and nothing is written."""
    with pytest.raises(DataError, match=r"cannot return .* 'builtins\.complex'") as caught:
        store.publish(1j, computation())

    assert "pages" in str(caught.value).lower()
    assert " int" in str(caught.value)
    assert not store.root.exists()


def test_a_subclass_is_stored_with_the_format_of_its_nearest_base(store):
    """A user's subclass of a type that has a format needs no format of its own."""

    class Book(Pages):
        pass

    record = store.publish(Book({"a": "1"}), computation())

    assert record.format == "pages"


def test_making_and_asking_a_store_touches_nothing(store):
    """Only what writes makes the folder."""
    assert store.record(fingerprint("clean")) is None
    assert store.latest("imdb.toml", "clean") is None
    assert not store.has_own("x")
    assert store.memo.get("key") is None
    store.tidy()

    assert not store.root.exists()


def test_a_store_marks_itself_for_git_and_backups(store):
    """Nobody commits or backs up a store by accident."""
    store.publish(1, computation())

    assert (store.root / ".gitignore").read_text() == "*\n"
    tag = (store.root / "CACHEDIR.TAG").read_text()
    assert tag.startswith("Signature: 8a477f597d28d172789f06886806bc55")
    assert list((store.root / "v1/tmp").iterdir()) == []


def test_a_folder_with_other_files_is_no_store(tmp_path):
    """A store's .gitignore would hide the user's own files."""
    (tmp_path / "thesis.tex").write_text("…")

    with pytest.raises(StoreError, match="no store and has other files"):
        Store(tmp_path).publish(1, computation())

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("use", ["record", "publish", "latest", "tidy"])
def test_store_50_a_store_of_a_newer_schema_is_refused_without_modification(tmp_path, use):
    """An old mlrecipe neither reads nor writes what a new one wrote."""
    root = tmp_path / "store"
    Store(root).publish(1, computation())
    (root / "schema").unlink()
    (root / "schema").write_text("2\n")
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    store = Store(root)
    calls = {
        "record": lambda: store.record(fingerprint("clean")),
        "publish": lambda: store.publish(2, computation("new")),
        "latest": lambda: store.latest("imdb.toml", "clean"),
        "tidy": store.tidy,
    }

    with pytest.raises(StoreError, match="schema 2, this mlrecipe knows 1"):
        calls[use]()

    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


@pytest.mark.parametrize("text", ["", "\n", "one", None])
def test_a_lost_schema_is_written_anew_where_only_this_one_can_be_meant(tmp_path, text):
    """There is nothing but what this version writes."""
    root = tmp_path / "store"
    record = Store(root).publish(1, computation())
    (root / "schema").unlink()
    if text is not None:
        (root / "schema").write_text(text)

    assert Store(root).record(record.fingerprint) == record
    Store(root).publish(2, computation("new"))

    assert (root / "schema").read_text() == "1\n"
    assert list((root / "v1/tmp").iterdir()) == []


def test_a_lost_schema_of_a_store_that_another_version_used_says_what_to_do(tmp_path):
    """It may be newer."""
    root = tmp_path / "store"
    Store(root).publish(1, computation())
    (root / "schema").unlink()
    (root / "schema").write_text("")
    (root / "v2").mkdir()

    with pytest.raises(StoreError, match="does not say which version wrote the store") as caught:
        Store(root).record(fingerprint("clean"))

    assert "write 1 into it if no newer mlrecipe has used the store" in str(caught.value)


def test_a_folder_in_the_place_of_a_record_is_named(store):
    """With the command that moves it away."""
    path = store.paths.record(fingerprint("clean"))
    path.mkdir(parents=True)

    with pytest.raises(StoreError) as caught:
        store.publish(1, computation())

    assert f"cannot write {str(path)!r}: a folder is in its place" in str(caught.value)
    assert "`mlrecipe cache verify`" in str(caught.value)


@pytest.mark.parametrize("damage", ["truncated", "garbled", "other", "field", "binary"])
def test_experiment_20_a_corrupt_record_is_a_miss_with_a_warning(store, heard, damage):
    """A record that cannot be read is computed again, and the user is told."""
    store.publish(BOOK, computation())
    path = next((store.root / "v1/records").rglob("*.json"))
    text = path.read_text()
    other = fingerprint("other")
    path.unlink()
    path.write_bytes(
        {
            "truncated": text[: len(text) // 2],
            "garbled": text.replace('"digest": "', '"digest": "../'),
            "other": text.replace(fingerprint("clean"), other),
            "field": text.replace('"seconds": 1.5', '"seconds": "1.5"'),
            "binary": "\0\0\0",
        }[damage].encode()
    )

    assert store.record(fingerprint("clean")) is None
    assert "cannot read the record" in warnings(heard)[0]

    again = store.publish(BOOK, computation())
    assert store.record(fingerprint("clean")) == again


def test_store_37_a_truncated_object_is_caught_on_read_by_size(store, heard):
    """A file that lost its end is no result; publishing again repairs it."""
    record = store.publish(BOOK, computation())
    path = store.object_folder(record.digest) / "a.txt"
    path.chmod(0o644)
    path.write_text("fir")

    assert store.record(fingerprint("clean")) is None
    assert "a.txt has not its 5 bytes" in warnings(heard)[0]
    with pytest.raises(StoreError, match=r"a\.txt"):
        store.load(record)

    store.publish(BOOK, computation())
    assert store.load(record) == BOOK


def test_store_37_a_manifest_changed_to_fit_is_caught(store, heard):
    """The digest is the manifest's own hash, so sizes cannot be made to fit."""
    record = store.publish(BOOK, computation())
    folder = store.object_folder(record.digest)
    for path, old, new in (
        (folder / "a.txt", "st", ""),
        (folder.parent / "manifest.json", "5", "3"),
    ):
        path.chmod(0o644)
        path.write_text(path.read_text().replace(old, new, 1))

    assert store.record(fingerprint("clean")) is None
    assert "manifest.json has other bytes" in warnings(heard)[0]


@pytest.mark.parametrize("lost", ["data/a.txt", "manifest.json", "data", "."])
def test_store_38_a_record_whose_object_is_missing_is_a_miss(store, heard, lost):
    """Whatever of an object is deleted, the computation runs again and is whole again."""
    record = store.publish(BOOK, computation())
    path = store.object_folder(record.digest).parent / lost
    subprocess.run(["rm", "-rf", str(path.resolve())], check=True)

    assert store.record(fingerprint("clean")) is None
    assert "is missing" in warnings(heard)[0]

    store.publish(BOOK, computation())
    assert store.load(record) == BOOK


def test_a_deleted_object_leaves_its_digest_known(store):
    """What a computation gave can be known without having it: its dependents may still be hits."""
    record = store.publish(BOOK, computation())
    subprocess.run(["rm", "-rf", str(store.object_folder(record.digest).parent)], check=True)

    assert store.remembered(fingerprint("clean")) == record


def test_a_flipped_byte_is_repaired_by_publishing_again(store):
    """An object that is there already is read again before it is trusted."""
    record = store.publish(BOOK, computation())
    path = store.object_folder(record.digest) / "a.txt"
    path.chmod(0o644)
    path.write_text("fIrst")

    store.publish(BOOK, computation(), replace=True)

    assert store.load(record) == BOOK


def test_a_changed_value_in_a_record_is_a_miss(store, heard):
    """A value that lives in its record is checked like a file."""
    store.publish("first", computation())
    path = next((store.root / "v1/records").rglob("*.json"))
    text = path.read_text().replace("first", "fIrst")
    path.unlink()
    path.write_text(text)

    assert store.record(fingerprint("clean")) is None
    assert "its text is not what was written" in warnings(heard)[0]


def test_a_format_that_writes_a_link_is_refused(store):
    """What lies outside of an object is not part of it."""
    with pytest.raises(StoreError, match="'link', which is neither a file nor a folder"):
        store.publish(Elsewhere(), computation())


@pytest.mark.parametrize("name", ["../../x", "", "A" * 64, "a" * 63])
def test_a_name_that_is_no_hash_never_becomes_a_path(store, name):
    """Nothing outside of the store can be named."""
    with pytest.raises(StoreError, match="no SHA-256"):
        store.object_folder(name)
    with pytest.raises(StoreError, match="no SHA-256"):
        store.record(name)


def test_texts_and_names_beyond_utf8_survive(store):
    """A node or a path may have characters that no encoding has."""
    odd = computation(node="né\udc80", parts={"file": "\udcff.csv"})

    record = store.publish(1, odd)
    store.memo.set("\udc80", "forgotten")

    assert store.record(fingerprint("clean")) == record
    assert store.latest("imdb.toml", "né\udc80") == record
    assert store.memo.get("\udc80") is None


def test_store_35_a_full_disk_is_a_clear_error_that_leaves_nothing(store):
    """What the kernel says of a write is passed on, and temporary files go."""
    import resource

    store.publish("earlier", computation("earlier"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(StoreError, match=r"cannot write to the store .* File too large"):
            store.publish(Pages({"a": "x" * 200_000}), computation())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert list((store.root / "v1/tmp").iterdir()) == []
    assert store.record(fingerprint("clean")) is None
    assert store.record(fingerprint("earlier")) is not None


def test_importing_the_store_is_light():
    """None of the heavy libraries comes with the store, opened and used."""
    code = (
        "import sys, tempfile; from pathlib import Path; from tests.libraries import HEAVY;"
        "from mlrecipe.store import Store; from tests.store.pages import computation;"
        "folder = tempfile.TemporaryDirectory(); store = Store(Path(folder.name) / 's');"
        "store.load(store.publish([1], computation())); store.latest('a', 'b');"
        "print([name for name in HEAVY if name in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == "[]"
