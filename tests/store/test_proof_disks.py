"""Real disks that are full or read-only, where this system lets a test mount one."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.projects import ROOT, Work

ALONE = ["unshare", "--user", "--map-root-user", "--mount"]
FULL = "No space left on device"


@pytest.fixture
def disk(tmp_path):
    """Does something of `tests.store.small_disks` on a disk of its own; gives what that found."""
    (tmp_path / "disk").mkdir()

    def do(what, size="4m"):
        words = [what, str(tmp_path / "disk"), size]
        done = subprocess.run(
            [*ALONE, sys.executable, "-m", "tests.store.small_disks", *words], cwd=ROOT, text=True,
            capture_output=True, check=False,
            env=os.environ | {"PYTHONPATH": str(ROOT), "ELSEWHERE": str(tmp_path / "project")},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    try:
        trial = ["mount", "-t", "tmpfs", "tmpfs", str(tmp_path)]
        subprocess.run([*ALONE, *trial], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no disk may be mounted here: {error}")
    (tmp_path / "project").mkdir()
    return do


@pytest.fixture
def project(tmp_path, disk):
    """The small project, on another disk."""
    return Work(tmp_path / "project")


@pytest.mark.parametrize("index", ["diskcache", "sqlite"])
def test_store_35_on_a_full_disk_a_publish_says_so_and_leaves_nothing(disk, monkeypatch, index):
    """The kernel's own words; temporary files are gone, what was there can be read, and room helps."""
    monkeypatch.setenv("MLRECIPE_INDEX", index)

    found = disk("publish_when_full")

    assert found == {
        "said": FULL, "left": [], "is_there": False, "earlier": True, "damage": [], "again": "",
    }  # fmt: skip


@pytest.mark.parametrize("index", ["diskcache", "sqlite"])
def test_store_35_wherever_the_disk_is_full_nothing_half_done_is_seen(disk, monkeypatch, index):
    """Page by page of room: the publish works or says why it does not, and the store is whole."""
    monkeypatch.setenv("MLRECIPE_INDEX", index)

    found = disk("publish_with_little_room")

    assert found["said"] == ["", FULL]
    assert found["tries"] > 8
    assert found["wrong"] == {}


def test_store_35_a_command_on_a_full_disk_fails_clearly_and_works_again_later(disk, project):
    """One line and exit code 1; hits need no room; with room again the rest is done."""
    found = disk("prepare_when_full", "12m")

    assert found["first"][0] == found["hits"][0] == found["again"][0] == 0
    for code, line, has_traceback in [*found["full"], found["small"]]:
        assert (code, has_traceback) == (1, False)
        assert "cannot write to the store" in line
        assert FULL in line
    assert found["kept"] == []
    assert found["hits"][1] == "recipe.toml: 4 nodes, all in the store"
    assert found["damage"] == []


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("index", ["diskcache", "sqlite"])
def test_store_49_an_index_on_a_full_disk_of_its_own_stops_nothing(disk, monkeypatch, index):
    """Results are published and found, here and by the next process."""
    monkeypatch.setenv("MLRECIPE_INDEX", index)

    found = disk("index_when_full", "2m")

    assert found == {
        "newer": True,
        "latest": True,
        "own": [True, True],
        "later": True,
        "damage": [],
    }


def test_store_40_a_read_only_disk_serves_hits_and_a_miss_fails_clearly(disk, project):
    """Commands that only look work; what has to be computed is refused in one line."""
    found = disk("prepare_read_only")

    assert found["first"][0] == 0
    assert [code for code, _, _ in found["hits"]] == [0, 0, 0, 0]
    for code, line, has_traceback in found["missing"]:
        assert (code, has_traceback) == (1, False)
        assert "cannot write to the store" in line
        assert "Read-only file system" in line
    assert found["same"]
