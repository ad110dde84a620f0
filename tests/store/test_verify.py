"""Verification: what is found when every byte is read again, and what becomes of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mlrecipe.errors import StoreError
from mlrecipe.store import Store
from mlrecipe.store.verify import verify
from tests.store.pages import BOOK, computation, fingerprint


def overwrite(path, text):
    path.chmod(0o644)
    path.write_text(text)


def test_a_whole_store_has_no_findings(store):
    """And nothing in it is changed."""
    record = store.publish(BOOK, computation())
    store.publish("small", computation("small"))

    report = verify(store)

    assert (report.findings, report.unreferenced) == ([], {})
    assert (report.records, report.objects) == (2, 1)
    assert report.bytes > record.bytes
    assert not store.paths.quarantine.exists()


def test_a_store_that_is_not_there_has_no_findings(store):
    """Nothing is made either."""
    assert verify(store).findings == []
    assert not store.root.exists()


def test_store_36_a_flipped_byte_is_found_and_quarantined_and_the_next_run_repairs_it(store):
    """The sizes are right, so only reading every byte can tell."""
    record = store.publish(BOOK, computation())
    overwrite(store.object_folder(record.digest) / "a.txt", "fIrst")
    assert store.record(record.fingerprint) is not None

    (finding,) = verify(store).findings

    assert (finding.kind, finding.name) == ("damaged object", record.digest)
    assert finding.problem == "a.txt has other bytes than were written"
    assert finding.users == (("imdb.toml", "clean"),)
    assert finding.moved == store.paths.quarantine / f"{record.digest}-1"
    assert (finding.moved / "data/a.txt").read_text() == "fIrst"
    assert store.record(record.fingerprint) is None
    store.publish(BOOK, computation())
    assert store.load(record) == BOOK
    assert verify(store).findings == []


def test_damaged_twice_both_are_kept(store):
    """The second in the quarantine has a name of its own."""
    record = store.publish(BOOK, computation())

    for _ in range(2):
        overwrite(store.object_folder(record.digest) / "a.txt", "fIrst")
        verify(store)
        store.publish(BOOK, computation())

    assert sorted(path.name for path in store.paths.quarantine.iterdir()) == [
        f"{record.digest}-1", f"{record.digest}-2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda folder: (folder / "data/a.txt").unlink(), "a.txt is missing"),
        (lambda folder: (folder / "manifest.json").unlink(), "manifest.json is missing"),
        (lambda folder: (folder / "data/c.txt").write_text("x"), "c.txt does not belong to it"),
        (lambda folder: (folder / "data/part/c").symlink_to("/"), "part/c does not belong to it"),
    ],
)
def test_a_missing_or_an_extra_file_is_found(store, change, problem):
    """A format that lists its files would read what nobody wrote."""
    record = store.publish(BOOK, computation())
    change(store.paths.object(record.digest))

    (finding,) = verify(store).findings

    assert (finding.kind, finding.problem) == ("damaged object", problem)
    assert not store.paths.object(record.digest).exists()


def test_a_record_without_its_object_is_found(store):
    """Until it is computed again."""
    record = store.publish(BOOK, computation())
    subprocess.run(["rm", "-r", str(store.paths.object(record.digest))], check=True)

    (finding,) = verify(store).findings

    assert (finding.kind, finding.users) == ("missing object", (("imdb.toml", "clean"),))
    store.publish(BOOK, computation())
    assert verify(store).findings == []


def lose(store, record):
    """The object is gone, whoever took it."""
    shutil.rmtree(store.paths.object(record.digest))


def test_what_is_gone_is_noted_as_gone_and_found_once(store):
    """The record stays, for its digest stays true: what was made from it is still a hit."""
    record = store.publish(BOOK, computation())
    lose(store, record)

    first, second = verify(store), verify(store)

    assert [finding.is_settled for finding in first.findings] == [True]
    assert second.findings == []
    assert store.remembered(record.fingerprint) == record


def test_the_record_of_a_shard_that_is_gone_goes_to_the_quarantine(store):
    """Nothing is made from a shard alone."""
    record = store.publish(BOOK, computation(node="clean[2/3]"))
    lose(store, record)

    (finding,) = verify(store).findings

    assert (finding.kind, finding.users) == ("missing object", (("imdb.toml", "clean[2/3]"),))
    assert finding.moved == store.paths.quarantine / f"{record.fingerprint}-1.json"
    assert store.remembered(record.fingerprint) is None
    assert verify(store).findings == []


def test_what_was_damaged_is_gone_from_then_on(store):
    """Also where no run ever makes it again."""
    record = store.publish(BOOK, computation())
    store.publish(BOOK, computation("part", node="clean[1/2]"))
    overwrite(store.object_folder(record.digest) / "a.txt", "fIrst")

    first, second = verify(store), verify(store)

    assert [finding.kind for finding in first.findings] == ["damaged object"]
    assert second.findings == []


def test_what_was_made_again_and_is_lost_again_is_found_again(store):
    """The note that it is gone holds only until it is there."""
    record = store.publish(BOOK, computation())
    lose(store, record)
    verify(store)
    store.publish(BOOK, computation())
    assert verify(store).findings == []

    lose(store, record)

    assert [finding.kind for finding in verify(store).findings] == ["missing object"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (lambda text: text[:50], "Unterminated string"),
        (lambda text: text.replace("small", "smell"), "its value is not what was written"),
        (lambda text: text.replace(fingerprint("clean"), fingerprint("x")), "another computation"),
    ],
)
def test_a_damaged_record_is_found_and_quarantined(store, text, problem):
    """It counts as missing, and the next publish takes its place."""
    record = store.publish("small", computation())
    path = store.paths.record(record.fingerprint)
    overwrite(path, text(path.read_text()))

    (finding,) = verify(store).findings

    assert (finding.kind, finding.name) == ("damaged record", record.fingerprint)
    assert problem in finding.problem
    assert finding.moved is not None
    assert not path.exists()
    store.publish("small", computation())
    assert verify(store).findings == []


def test_an_object_without_a_record_is_told_of_and_is_no_damage(store):
    """A killed process leaves them, and a living one has them for a moment."""
    record = store.publish(BOOK, computation())
    store.paths.record(record.fingerprint).unlink()

    report = verify(store)

    assert report.findings == []
    assert list(report.unreferenced) == [record.digest]


def test_a_damaged_record_has_the_users_that_the_index_knows(store):
    """What is in the file cannot tell."""
    record = store.publish("small", computation())
    overwrite(store.paths.record(record.fingerprint), "{")

    (finding,) = verify(store).findings

    assert finding.users == (("imdb.toml", "clean"),)


@pytest.mark.parametrize("is_folder", [False, True])
@pytest.mark.parametrize(
    "place", ["objects/bar", "objects/zz", "records/foo", "records/{0}/foo", "{object}/notes"]
)
def test_whatever_the_store_did_not_write_is_found_again_and_again(store, place, is_folder):
    """Files and folders, among objects, among records and in an object's folder."""
    record = store.publish(BOOK, computation())
    own = store.paths.object(record.digest).relative_to(store.paths.root / "v1")
    stray = store.paths.root / "v1" / place.format(record.fingerprint[:2], object=own)
    stray.mkdir() if is_folder else stray.touch()

    for _ in range(2):
        (finding,) = verify(store).findings
        assert (finding.kind, finding.name, finding.is_settled) == ("stray file", str(stray), False)

    assert stray.exists()
    assert store.record(record.fingerprint) == record


def test_a_file_that_is_no_object_is_found(store):
    """And left where it is: it is not the store's."""
    record = store.publish(BOOK, computation())
    stray = store.paths.object(record.digest).with_name("notes.txt")
    stray.write_text("mine")

    (finding,) = verify(store).findings

    assert (finding.kind, finding.name, finding.moved) == ("stray file", str(stray), None)
    assert stray.exists()


def test_progress_is_told_in_bytes(store):
    """From nothing to all of it."""
    store.publish(BOOK, computation())
    told = []

    report = verify(store, told=lambda done, total: told.append((done, total)))

    assert told == [(0, report.bytes), (report.bytes, report.bytes)]


def test_store_50_a_store_of_a_newer_schema_is_not_verified(store):
    """Nor is anything of it moved."""
    store.publish(BOOK, computation())
    (store.root / "schema").unlink()
    (store.root / "schema").write_text("2\n")

    with pytest.raises(StoreError, match="schema 2, this mlrecipe knows 1"):
        verify(Store(store.root))


READ_ONLY = """
import os, sys
from pathlib import Path
from mlrecipe.store import Store, gc, usage, verify
from tests.store.pages import BOOK, computation
warm = Store(Path(sys.argv[1]).parent / "warm")  # imports everything while it may still be read
warm.publish(BOOK, computation())
warm.memo.get("x")
verify.verify(warm)
gc.collect(warm, lambda found: gc.Roots(), gc.Limits(grace=0.0))
if os.geteuid() == 0:
    os.setuid(65534)
store = Store(Path(sys.argv[1]))
(finding,) = verify.verify(store).findings
print(finding.kind, finding.moved, finding.is_settled, len(usage.census(store).entries))
limits = gc.Limits(grace=0.0)
print(len(gc.survey(store, lambda found: gc.Roots(), limits)[1].doomed))
try:
    gc.collect(store, lambda found: gc.Roots(), limits)
except Exception as error:
    print(f"{type(error).__name__}: {error}")
"""


def test_store_40_a_read_only_store_is_verified_and_surveyed_but_not_emptied():
    """What may not be moved stays, and the error says so."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        store = Store(Path(name) / "store")
        record = store.publish(BOOK, computation())
        overwrite(store.object_folder(record.digest) / "a.txt", "fIrst")
        store.close()
        folders = [store.root, *(path for path in store.root.rglob("*") if path.is_dir())]
        for folder in folders:
            folder.chmod(0o555)

        done = subprocess.run(
            [sys.executable, "-c", READ_ONLY, str(store.root)], check=True, capture_output=True,
            text=True, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )  # fmt: skip

        for folder in folders:
            folder.chmod(0o755)
    first, second, third = done.stdout.splitlines()
    assert (first, second) == ("damaged object None False 1", "1")
    assert third.startswith("StoreError: cannot write to the store")
    assert "Permission denied" in third


@pytest.mark.parametrize("digests", ["abc", 3, [1, [2], ["a", "b", "c"]], None])
def test_odd_inputs_in_a_record_are_no_inputs(store, digests):
    """Whatever wrote them, everything else is verified."""
    store.publish(BOOK, computation(parts={"op": "clean", "digests": digests}))

    assert verify(store).findings == []
