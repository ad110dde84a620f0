"""Each kind of edit once, in a random order, against the model of the soak that always recomputes."""

from __future__ import annotations

import os
import random

import pytest

from mlrecipe.code import stamps
from tests.pipeline.test_soak import Life, expected

EDITS = ["step", "factor", "offset", "c", "d", "e", "f", "i", "one.txt", "two.txt"]


def check(life):
    """Every output that is there is what the model computes from the files as they are."""
    results = life.work.prepare()
    results.raise_failures()
    store = life.work.store
    found = {
        name: store.load(record)
        for name, record in results.records.items()
        if not store.damage(record)
    }
    wanted = {name: value for name, value in expected(life.state).items() if name in found}
    assert {"k", "l"} <= set(found)
    assert found == wanted
    return results.ran


def edit(life, key):
    """Change one thing; a file keeps its size and the time of its last edit."""
    if not key.endswith(".txt"):
        life.change(key, int(life.state[key]) + 1)
        return
    path = life.work.folder / key
    before = path.stat()
    life.change(key, " ".join(str((int(n) % 9) + 1) for n in str(life.state[key]).split()))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.long
def test_every_kind_of_edit_is_seen_and_every_way_back(tmp_path, monkeypatch):
    """With all digests of code and files remembered: helper, constant, op, each parameter, each file."""
    monkeypatch.setattr(stamps, "RACY_NS", -1)
    seed = int(os.environ.get("SOAK_SEED") or random.SystemRandom().randrange(10**9))
    dice = random.Random(seed)
    life = Life(tmp_path / "project", dice)
    check(life)
    edits, done = dice.sample(EDITS, len(EDITS)), []
    try:
        for key in edits:
            done.append(key)
            edit(life, key)
            assert check(life) != []
        life.change("comment", "of other words")
        assert check(life) == []
        for key in dice.sample(range(len(EDITS)), 5):
            done.append(f"back to {key}")
            life.state = dict(life.past[key])
            life.write()
            assert check(life) == []
    except BaseException:
        print(f"SOAK_SEED={seed}: {' '.join(done)}")
        raise


def test_flipped_bytes_of_outputs_in_use_are_mended_with_what_was_made_of_them(tmp_path):
    """Wherever in them they are; `cache verify` finds them, and nothing wrong is left after the next run."""
    seed = int(os.environ.get("SOAK_SEED") or random.SystemRandom().randrange(10**9))
    dice = random.Random(seed)
    life = Life(tmp_path / "project", dice)
    results = life.work.prepare()
    try:
        for turn in range(6):
            is_first = turn % 2 == 0  # the first number of `e` is in all that follows
            record = results.records["e" if is_first else "f"]
            [path] = life.work.store.object_folder(record.digest).iterdir()
            data = bytearray(path.read_bytes())
            place = 1 if is_first else dice.randrange(len(data))
            data[place] = dice.choice([byte for byte in b"123456789" if byte != data[place]])
            path.chmod(0o644)
            path.write_bytes(data)
            life.work.prepare(force=["h"])  # something may be made of it before anybody looks
            life.command("cache", "verify", codes=(1,))
            check(life)
            life.command("cache", "verify")
    except BaseException:
        print(f"SOAK_SEED={seed}")
        raise


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_file_that_comes_back_is_found_by_its_content(tmp_path, monkeypatch, jobs):
    """Under another inode and another time."""
    monkeypatch.setattr(stamps, "RACY_NS", -1)
    life = Life(tmp_path / "project", random.Random(1))
    life.work.prepare(jobs=jobs).raise_failures()
    path = life.work.folder / "one.txt"
    text = path.read_text()
    path.unlink()

    path.write_text(text)

    assert life.work.prepare(jobs=jobs).ran == []
