"""What is pushed to a remote comes back as it was, or counts as missing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import pytest

from mlrecipe.errors import RequestError, StoreError
from mlrecipe.store import Store, foreign, objects, verify
from mlrecipe.store.bucket import Bucket
from mlrecipe.store.remote import Remote, pull, push
from tests.store.pages import BOOK, computation, fingerprint
from tests.store.remotes import (
    FINGERPRINTS,
    NUMBERS,
    OTHER_BOOK,
    PAGES,
    Objects,
    Place,
    filled,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["file", "memory", "objects"])
def place(request, tmp_path):
    """A remote that is not there yet."""
    if request.param == "file":
        return Place(f"file://{tmp_path}/remote")
    return Place(f"{request.param}://{uuid.uuid4().hex}/remote")


@pytest.fixture
def local(tmp_path):
    """A remote in a folder."""
    return Place(str(tmp_path / "remote"))


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A store with three results, which stay as they are."""
    store = filled(tmp_path_factory.mktemp("source") / "store")
    yield store
    store.close()


@pytest.fixture
def frail(tmp_path):
    """A store with three results, which come to harm."""
    store = filled(tmp_path / "frail")
    yield store
    store.close()


@pytest.fixture
def quick_folder(tmp_path):
    """A folder in memory where there is one: waits for the disk tell nothing of a kill."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as name:
        yield Path(name)


@pytest.fixture
def process():
    """Starts a process that does something of `tests.store.remotes`."""
    started = []

    def start(*arguments):
        command = [sys.executable, "-m", "tests.store.remotes", *map(str, arguments)]
        process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def statuses(moved):
    return [m.status for m in moved]


def fetched(store, place, *names, formats=PAGES):
    """Name → status, after a pull."""
    moved = pull(store, place.url, [fingerprint(name) for name in names], formats=formats)
    return dict(zip(names, statuses(moved), strict=True))


def warnings(heard):
    return [event.text for event in heard if getattr(event, "level", "") == "warning"]


def reseal(place, store, **changes):
    """Put a manifest with other content at the remote, with a digest and a record that fit it."""
    record = store.record(fingerprint("book"))
    folder = store.object_folder(record.digest).parent
    manifest = json.loads((folder / objects.MANIFEST).read_bytes()) | changes
    data = json.dumps(manifest).encode()
    digest = objects.digest_manifest(data)
    place.write(f"v1/objects/{digest[:2]}/{digest}/{objects.MANIFEST}", data)
    name = place.name(f"{record.fingerprint}.json")
    sizes = [facts[0] for facts in manifest["files"].values() if isinstance(facts, list)]
    size = sum(size for size in sizes if isinstance(size, int))
    content = json.loads(place.files()[name]) | {"digest": digest, "bytes": size}
    place.write(name, json.dumps(content).encode())
    return f"v1/objects/{digest[:2]}/{digest}"


# ----------------------------------------------------------------------------------------- there and back


def test_what_was_pushed_is_pulled_by_another_store(place, source, store):
    """With equal values, and records that say the same."""
    assert statuses(push(source, place.url)) == ["pushed"] * 3

    found = fetched(store, place, "book", "numbers", "short")

    assert found == dict.fromkeys(["book", "numbers", "short"], "pulled")
    for print_ in FINGERPRINTS:
        assert store.record(print_) == source.record(print_)
        assert store.load(store.record(print_)) == source.load(source.record(print_))
    assert store.latest("imdb.toml", "book").fingerprint == fingerprint("book")
    assert verify.verify(store).findings == []


def test_a_remote_is_laid_out_like_a_store(local, source):
    """A remote in a folder can be used as one."""
    push(source, local.url)

    store = Store(Path(local.root))

    assert store.load(store.record(fingerprint("book"))) == BOOK
    assert verify.verify(store).findings == []


def test_what_is_there_is_not_copied_again(place, source, store):
    """In either direction."""
    push(source, place.url)
    before = place.files()

    again = push(source, place.url)
    fetched(store, place, "book", "numbers", "short")

    assert [(m.status, m.bytes) for m in again] == [("there", 0)] * 3
    assert place.files() == before
    assert set(fetched(store, place, "book", "numbers", "short").values()) == {"there"}


def test_only_the_results_that_are_named_are_pushed(place, source):
    """And those that are nowhere are told of."""
    moved = push(source, place.url, [fingerprint("short"), fingerprint("nothing")])

    assert statuses(moved) == ["pushed", "gone"]
    assert [name for name in place.files() if "records" in name] == [
        f"v1/records/{fingerprint('short')[:2]}/{fingerprint('short')}.json"
    ]


def test_a_remote_without_anything_is_no_error(place, store, heard):
    """What is not there is computed."""
    assert fetched(store, place, "book") == {"book": "missing"}
    assert warnings(heard) == []


def test_a_large_file_is_copied_in_pieces(place, source, store, monkeypatch):
    """Which come together in their order, however many there are."""
    monkeypatch.setattr("mlrecipe.store.download.PIECE", 1000)
    push(source, place.url)
    told = []

    remote = Remote(place.url, told=told.append)
    remote.pull(store, fingerprint("numbers"))

    assert store.load(store.record(fingerprint("numbers"))) == NUMBERS
    assert len(told) > 50
    assert max(told) == 1000


def test_names_that_are_patterns_elsewhere_are_only_names(place, store, tmp_path):
    """`[`, `*`, `?` and spaces."""
    from tests.store.pages import Pages

    book = Pages({"a[1].txt": "x", "b*/c?.txt": "y", " d e%20.txt": "", "ü.txt": "z"})
    source = Store(tmp_path / "source")
    source.publish(book, computation("odd"))

    push(source, place.url)

    assert fetched(store, place, "odd") == {"odd": "pulled"}
    assert store.load(store.record(fingerprint("odd"))) == book


def test_the_first_of_two_outputs_of_one_computation_stays(place, source, store, tmp_path):
    """Unless the second is to replace it."""
    push(source, place.url)
    second = Store(tmp_path / "second")
    record = second.publish(OTHER_BOOK, computation("book", node="book"))

    (kept,) = push(second, place.url, [record.fingerprint])
    (replaced,) = push(second, place.url, [record.fingerprint], replace=True)

    assert (kept.status, replaced.status) == ("other", "pushed")
    fetched(store, place, "book")
    assert store.load(store.record(record.fingerprint)) == OTHER_BOOK


def test_what_was_created_first_stays(place):
    """Of two who find no record, one writes it."""
    bucket = Bucket(place.url)

    bucket.create(b"first", "v1/records/aa/x.json")
    bucket.create(b"second", "v1/records/aa/x.json")

    assert place.files() == {"v1/records/aa/x.json": b"first"}


def test_a_result_without_its_output_is_not_pushed(place, frail):
    """A record at a remote always has its object."""
    record = frail.record(fingerprint("book"))
    frail.paths.object(record.digest).rename(frail.root / "v1" / "elsewhere")

    moved = push(frail, place.url)

    assert sorted(statuses(moved)) == ["gone", "pushed", "pushed"]
    assert not any(record.fingerprint in name for name in place.files())


def test_a_damaged_output_is_not_pushed(place, frail, heard):
    """A flipped byte here is found before it is copied."""
    record = frail.record(fingerprint("book"))
    path = frail.object_folder(record.digest) / "a.txt"
    path.chmod(0o644)
    path.write_text("firsT")

    (moved,) = push(frail, place.url, [record.fingerprint])

    assert moved.status == "damaged"
    assert not any(record.digest in name for name in place.files())
    assert "a.txt has other bytes than were written" in warnings(heard)[0]


# --------------------------------------------------------------------------------- store.44: interrupted


def check_whole(root):
    """Every record at the remote has its object, and every byte of what has a manifest is right."""
    remote = Store(root)
    for record in remote.every():
        assert remote.damage(record) == ""
    for manifest in root.glob("v1/objects/*/*/manifest.json"):
        assert objects.corruption(manifest.parent, manifest.parent.name) == ""


@pytest.mark.long
def test_store_44_killed_at_each_point_of_a_push(process, source, quick_folder):
    """No record without its object is there, and the next push completes the work."""
    source.close()
    child = process("die_at_each_point", source.root, quick_folder / "remotes")

    count = int(child.communicate(timeout=60)[0])

    assert count > 20
    for point in range(1, count + 1):
        root = quick_folder / "remotes" / str(point)
        check_whole(root)
        assert set(statuses(push(source, str(root)))) <= {"pushed", "there"}
        check_whole(root)
        assert len(list(Store(root).every())) == 3


@pytest.mark.parametrize("number", [1, 2, 3])
def test_store_44_half_an_upload_is_none(process, source, local, store, number):
    """Killed in the middle of a file: what is whole is not uploaded again, what is not is."""
    child = process("die_in_upload", source.root, local.url, number)
    assert child.wait(timeout=60) == -signal.SIGKILL
    check_whole(Path(local.root))
    before = {n for n in local.files() if n.startswith("v1/objects")}

    moved = push(source, local.url)

    sizes = {name: len(data) for name, data in local.files().items() if "/objects/" in name}
    assert sum(m.bytes for m in moved) == sum(sizes.values()) - sum(sizes[n] for n in before)
    assert len(before) == number - 1
    assert set(fetched(store, local, "book", "numbers", "short").values()) == {"pulled"}


def test_store_44_drafts_of_dead_uploads_are_removed_in_time(local, source):
    """Not those of yesterday: somebody may still write to them."""
    old, new = int(time.time()) - 3 * 86_400, int(time.time()) - 3600
    local.write(f"v1/uploads/{old}-aa", b"half")
    local.write(f"v1/uploads/{new}-bb", b"half")

    push(source, local.url)

    assert [n for n in local.files() if "uploads" in n] == [f"v1/uploads/{new}-bb"]


def test_a_write_that_fails_is_an_error_that_names_the_remote(source, tmp_path):
    """And what the system said."""
    (tmp_path / "file").write_text("")

    with pytest.raises(
        StoreError, match=r"the remote '.*file/remote': (Not a directory|File exists)"
    ):
        push(source, str(tmp_path / "file" / "remote"))


def test_many_processes_push_the_same_at_once(process, source, local, store):
    """All succeed, and what is there is whole."""
    source.close()
    children = [process("push_gated", source.root, local.url) for _ in range(4)]
    for child in children:
        child.stdout.readline()

    for child in children:
        child.stdin.close()

    for child in children:
        assert set(child.stdout.readline().split()) <= {"pushed", "there"}
        assert child.wait(timeout=60) == 0
    check_whole(Path(local.root))
    assert [n for n in local.files() if "uploads" in n] == []
    assert set(fetched(store, local, "book", "numbers", "short").values()) == {"pulled"}


def test_racing_pushes_of_different_outputs_leave_one_of_them(process, source, local, tmp_path):
    """With its own object, whichever it is."""
    second = Store(tmp_path / "second")
    second.publish(OTHER_BOOK, computation("book", node="book"))
    stores = [source, second]
    for store in stores:
        store.close()
    children = [process("push_gated", store.root, local.url) for store in stores]
    for child in children:
        child.stdout.readline()

    for child in children:
        child.stdin.close()

    assert [child.wait(timeout=60) for child in children] == [0, 0]
    check_whole(Path(local.root))
    remote = Store(Path(local.root))
    assert remote.load(remote.record(fingerprint("book"))) in (BOOK, OTHER_BOOK)


# ------------------------------------------------------------------------------ store.45: deleted, altered


def flip(data):
    return bytes([data[0] ^ 1]) + data[1:]


ALTERED = {
    "flipped byte": ("data/a.txt", flip, "a.txt has other bytes"),
    "truncated": ("data/a.txt", lambda data: data[:-1], "a.txt has not its 5 bytes"),
    "longer": ("data/a.txt", lambda data: data + b"x", "a.txt has not its 5 bytes"),
    "empty": ("data/part/b.txt", lambda data: b"", "part/b.txt has not its 6 bytes"),
    "file removed": ("data/part/b.txt", None, "part/b.txt is missing"),
    "manifest removed": ("manifest.json", None, "manifest.json is missing"),
    "manifest altered": ("manifest.json", flip, "manifest.json has other bytes"),
    "manifest empty": ("manifest.json", lambda data: b"", "manifest.json has other bytes"),
}


@pytest.mark.parametrize("kind", ALTERED)
def test_store_45_a_damaged_object_is_a_miss(place, source, store, heard, kind):
    """With a warning that says what is wrong, and nothing of it in the store."""
    push(source, place.url, [fingerprint("book")])
    end, change, message = ALTERED[kind]
    name = place.name(end)
    data = place.files()[name]
    place.delete(name)
    if change is not None:
        place.write(name, change(data))

    assert fetched(store, place, "book") == {"book": "refused"}

    assert len(warnings(heard)) == 1
    assert message in warnings(heard)[0]
    assert store.remembered(fingerprint("book")) is None
    assert list(store.paths.objects.glob("*/*")) == []
    assert list(store.paths.tmp.iterdir()) == []


@pytest.mark.parametrize("kind", ["truncated", "file removed", "manifest removed", "empty"])
def test_store_45_the_next_push_mends_what_is_missing(place, source, store, kind):
    """As far as names and sizes tell."""
    push(source, place.url, [fingerprint("book")])
    end, change, _ = ALTERED[kind]
    name = place.name(end)
    data = place.files()[name]
    place.delete(name)
    if change is not None:
        place.write(name, change(data))

    moved = push(source, place.url, [fingerprint("book")])

    assert statuses(moved) == ["pushed"]
    assert moved[0].bytes == len(data)
    assert fetched(store, place, "book") == {"book": "pulled"}


def test_store_45_replacing_mends_a_flipped_byte(place, source, store):
    """Which names and sizes do not show."""
    push(source, place.url)
    name = place.name("data/a.txt")
    place.write(name, flip(place.files()[name]))
    push(source, place.url)
    assert fetched(store, place, "book") == {"book": "refused"}

    push(source, place.url, replace=True)

    assert fetched(store, place, "book") == {"book": "pulled"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fingerprint": fingerprint("other")}, "that of another computation"),
        ({"digest": fingerprint("other")}, "manifest.json is missing"),
        ({"bytes": 12}, "has not the 12 bytes"),
        ({"format": "json"}, "its format is 'pages', not 'json'"),
        ({"value": '"x"'}, "its value is not what was written"),
        ({"digest": "../../x"}, "not a SHA-256"),
        ({"schema": 2}, "schema 2"),
        ({"seconds": None}, "wrong or missing fields: seconds"),
        (None, "cannot be read"),
    ],
)
def test_store_45_an_altered_record_is_a_miss(place, source, store, heard, change, message):
    """With a warning that says what is wrong."""
    push(source, place.url, [fingerprint("book")])
    name = place.name(f"{fingerprint('book')}.json")
    content = json.loads(place.files()[name])
    place.write(name, json.dumps(content | change).encode() if change else b"")

    assert fetched(store, place, "book")["book"] in ("refused", "missing")

    assert len(warnings(heard)) == 1
    assert message in warnings(heard)[0]
    assert store.remembered(fingerprint("book")) is None


def test_store_45_an_altered_value_in_a_record_is_a_miss(place, source, store, heard):
    """Small outputs have no object, but their hash is in the record too."""
    push(source, place.url, [fingerprint("short")])
    name = place.name(f"{fingerprint('short')}.json")
    place.write(name, place.files()[name].replace(b"short", b"shirt"))

    assert fetched(store, place, "short") == {"short": "missing"}
    assert "its value is not what was written" in warnings(heard)[0]


def test_store_45_an_unreadable_record_is_put_right_by_the_next_push(place, source, store):
    """It holds nothing that could be kept."""
    push(source, place.url, [fingerprint("book")])
    place.write(place.name(f"{fingerprint('book')}.json"), b"{")

    push(source, place.url, [fingerprint("book")])

    assert fetched(store, place, "book") == {"book": "pulled"}


def test_a_record_is_replaced_where_its_own_object_is_gone(place, source, store, tmp_path):
    """Another output of the same computation is better than none."""
    second = Store(tmp_path / "second")
    record = second.publish(OTHER_BOOK, computation("book", node="book"))
    push(second, place.url)
    for name in place.files():
        if record.digest in name:
            place.delete(name)

    assert statuses(push(source, place.url, [record.fingerprint])) == ["pushed"]

    fetched(store, place, "book")
    assert store.load(store.record(record.fingerprint)) == BOOK


def test_a_damaged_output_here_is_mended_by_a_pull(place, frail):
    """What is missing here comes from the remote."""
    push(frail, place.url)
    record = frail.record(fingerprint("book"))
    (frail.object_folder(record.digest) / "a.txt").unlink()

    assert fetched(frail, place, "book") == {"book": "pulled"}

    assert frail.load(frail.record(fingerprint("book"))) == BOOK


def test_a_damaged_value_here_is_mended_by_a_pull(place, frail):
    """It is in the record itself."""
    push(frail, place.url)
    path = frail.paths.record(fingerprint("short"))
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"short", b"shirt"))

    assert fetched(frail, place, "short") == {"short": "pulled"}

    assert frail.load(frail.record(fingerprint("short"))) == "short"


# -------------------------------------------------------------------- store.41: what may not come from there


@pytest.mark.parametrize(
    "name",
    ["../../../../planted", "/tmp/planted", "a/../../planted", "", ".", "a//b", "a/\0", "x" * 300],
)
def test_store_41_a_name_that_leads_out_of_its_object_is_refused(place, source, store, heard, name):
    """Though all hashes are right; nothing is written anywhere."""
    push(source, place.url, [fingerprint("book")])
    reseal(place, source, files={name: [4, fingerprint("planted")]})

    assert fetched(store, place, "book") == {"book": "refused"}

    assert "is no name of a file in it" in warnings(heard)[0]
    assert not store.root.exists() or list(store.root.rglob("planted*")) == []


WRONG_SIZE = "manifest.json has no size and hash of 'a.txt'"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.txt": [-1, fingerprint("x")]}, WRONG_SIZE),
        ({"a.txt": [True, fingerprint("x")]}, WRONG_SIZE),
        ({"a.txt": ["5", fingerprint("x")]}, WRONG_SIZE),
        ({"a.txt": [5, "../x"]}, WRONG_SIZE),
        ({"a.txt": [5]}, "manifest.json is no manifest"),
        ({"a.txt": 5}, "manifest.json is no manifest"),
        ({"a": [0, fingerprint("x")], "a/b": [0, fingerprint("x")]}, "'a' is a file and a folder"),
        ({"\ud800": [0, fingerprint("x")]}, "is no name of a file in it"),
    ],
)
def test_store_41_a_manifest_of_another_make_is_refused(
    local, source, store, heard, files, message
):
    """Sizes and hashes are what they have to be, and no file is a folder too."""
    push(source, local.url, [fingerprint("book")])
    reseal(local, source, files=files)

    assert fetched(store, local, "book") == {"book": "refused"}
    (warning,) = warnings(heard)
    assert message in warning


def test_store_41_a_format_of_another_make_is_refused(place, source, store, heard):
    """One that mlrecipe does not come with may unpickle what it loads."""
    push(source, place.url)

    assert fetched(store, place, "book", formats=()) == {"book": "missing"}
    assert fetched(store, place, "numbers", formats=()) == {"numbers": "pulled"}

    assert "its format 'pages' is none of mlrecipe's own" in warnings(heard)[0]


def test_store_41_a_format_of_another_make_is_refused_within_a_dict_too(place, store, tmp_path):
    """Parts of a dict are in formats of their own."""
    source = Store(tmp_path / "source")
    source.publish({"book": BOOK, "list": [1, {"book": BOOK}]}, computation("both"))
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "tree.json").write_text('{"format": ["0", "pages"]}')  # a user's file, and no tree
    source.publish({"file": folder}, computation("ours"))
    push(source, place.url)

    assert fetched(store, place, "both", "ours", formats=()) == {
        "both": "refused",
        "ours": "pulled",
    }
    assert fetched(store, place, "both", formats=PAGES) == {"both": "pulled"}
    assert store.load(store.record(fingerprint("both")))["list"][1]["book"] == BOOK


@pytest.mark.parametrize(
    ("trees", "message"),
    [
        ({"tree.json": {"format": ["../../x", "json"]}}, "is no name of a part of it"),
        ({"tree.json": {"format": ["", "json"]}}, "is no name of a part of it"),
        ({"tree.json": {"dict": [["k", {"format": ["0", "pages"]}]]}}, "its format 'pages'"),
        ({"tree.json": {"format": {"0": 1, "pages": 2}}}, "its format 'pages'"),
        ({"tree.json": {"format": ["0", "mapping"]}, "0/tree.json": {"format": ["1", "pages"]}},
         "its format 'pages'"),
    ],
)  # fmt: skip
def test_store_41_a_tree_that_hides_a_format_is_refused(tmp_path, trees, message):
    """However it is written, and however deep."""
    for name, tree in trees.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps(tree))

    with pytest.raises(foreign.Refused, match=message):
        foreign.check_parts(tmp_path, list(trees), "mapping")


def test_store_41_a_pickle_at_a_remote_is_never_loaded(place, source, store, tmp_path):
    """Whatever its record calls it."""
    push(source, place.url, [fingerprint("book")])
    name = place.name(f"{fingerprint('book')}.json")
    content = json.loads(place.files()[name]) | {"format": "pickle"}
    place.write(name, json.dumps(content).encode())

    assert fetched(store, place, "book", formats=PAGES) == {"book": "missing"}


def test_a_file_is_not_read_beyond_what_the_manifest_says(place, source, store, monkeypatch):
    """One of another size is refused before any byte of it is read."""
    push(source, place.url, [fingerprint("book")])
    place.write(place.name("data/a.txt"), b"x" * 100_000)
    told = []

    Remote(place.url, formats=PAGES, told=told.append).pull(store, fingerprint("book"))

    assert told == []


def test_a_record_without_end_is_not_read_to_its_end(place, source, store, heard, monkeypatch):
    """There is a limit to what is read of it."""
    monkeypatch.setattr("mlrecipe.store.foreign.RECORD_LIMIT", 1000)
    push(source, place.url, [fingerprint("short")])
    place.write(place.name(f"{fingerprint('short')}.json"), b" " * 100_000)

    assert fetched(store, place, "short") == {"short": "missing"}
    assert "more than 1,000 bytes" in warnings(heard)[0]


# ------------------------------------------------------------------------------------ remotes as such


def test_store_50_a_remote_of_a_newer_schema_is_refused_without_modification(place, source, store):
    """By push and pull alike."""
    push(source, place.url, [fingerprint("short")])
    place.write("schema", b"2\n")
    before = place.files()

    for use in (
        lambda: push(source, place.url),
        lambda: pull(store, place.url, [fingerprint("short")]),
    ):
        with pytest.raises(StoreError, match="schema 2, this mlrecipe knows 1"):
            use()

    assert place.files() == before


def test_a_folder_with_other_things_is_no_remote(place, source):
    """Nothing is written there."""
    place.write("thesis.txt", b"text")

    with pytest.raises(StoreError, match="is no store and has other files in it"):
        push(source, place.url)

    assert list(place.files()) == ["thesis.txt"]


def test_a_missing_package_is_named_by_its_extra(source, monkeypatch):
    """`pip install` with what to type."""
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)

    with pytest.raises(RequestError, match=r"pip install 'mlrecipe\[s3\]'"):
        push(source, "s3://bucket/results")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("s4://bucket/results", "'s4' is no protocol"),
        ("memory://", "names no folder"),
    ],
)
def test_a_url_that_is_none_is_a_wrong_request(source, url, message):
    """Said before anything is done."""
    with pytest.raises(RequestError, match=message):
        push(source, url)


@pytest.mark.parametrize("password", ["secret", "p@ss", "@"])
def test_a_password_in_a_url_is_not_shown(password):
    """Not in messages either, and all of it."""
    assert Remote(f"memory://me:{password}@host/folder").shown == "memory://…@host/folder"


class Unreachable(Objects):
    """A server that is down."""

    protocol = ("unreachable",)

    def cat_file(self, path, start=None, end=None, **options):
        """Never gives anything."""
        raise ConnectionError("no route to host")

    info = cat_file


def test_a_remote_that_cannot_be_reached_is_an_error(source):
    """Not a miss: the user asked for it."""
    import fsspec

    fsspec.register_implementation("unreachable", Unreachable, clobber=True)

    with pytest.raises(StoreError, match=r"cannot read the remote .*: no route to host"):
        push(source, "unreachable://x/y")
