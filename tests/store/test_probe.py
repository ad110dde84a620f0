"""What the file system can do is found out by trying, once, and never takes long."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from mlrecipe.errors import RequestError
from mlrecipe.store import Store, handles, leases, locks, probe
from tests.projects import OPS
from tests.store.pages import computation, fingerprint

NOTE = f"v1/leases/{os.uname().nodename}"

FAULTS = {
    "no lock daemon": 'raise OSError(errno.ENOLCK, "No locks available")',
    "not supported": 'raise OSError(errno.ENOTSUP, "Operation not supported")',
    "no answer": "time.sleep(1000)",
    "no effect": "return None",
}
TABLE = """\
22 1 254:0 / / rw shared:1 - ext4 /dev/vda rw
23 22 0:5 / /mnt/other rw - tmpfs tmpfs rw
24 22 0:6 / {point} rw,relatime shared:7 master:1 - {type} server:/data rw
"""


@pytest.fixture
def mounted(tmp_path, monkeypatch):
    """Has the test's folder on a file system of some type, as far as the system tells."""

    def mount(kind, point=tmp_path):
        table = tmp_path / "mounts"
        table.write_text(TABLE.format(point=str(point).replace(" ", "\\040"), type=kind))
        monkeypatch.setattr(probe, "MOUNTS", table)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
        monkeypatch.setattr(probe, "_is_disk", lambda path: False)

    return mount


@pytest.fixture
def faulty(custom, tmp_path):
    """Has `flock` fail in some way in other processes, and note each call."""

    def break_flock(fault):
        custom(
            "import errno, fcntl, time\n"
            "def flock(*args):\n"
            f"    open({str(tmp_path / 'asked')!r}, 'a').write('x')\n"
            f"    {FAULTS[fault]}\n"
            "fcntl.flock = flock\n"
            "from mlrecipe.store import probe\n"
            "probe.PATIENCE = 0.5"
        )

    return break_flock


@pytest.mark.parametrize("fault", FAULTS)
def test_store_43_without_kernel_locks_leases_are_used_and_nothing_hangs(
    child, store, tmp_path, faulty, fault
):
    """An error, no answer at all or a lock that keeps nobody out: leases, found out only once."""
    faulty(fault)
    started = time.monotonic()

    said, _ = child("publish", "text").communicate("", timeout=60)

    assert said.split() == ["ready", '"text"']
    assert time.monotonic() - started < 30
    assert (store.root / NOTE).read_text().startswith("flock")
    assert 1 <= len((tmp_path / "asked").read_text()) <= 2
    holder = child("hold")
    pid = holder.stdout.readline().strip()
    text = (store.root / "v1/locks" / fingerprint("clean")).read_text()
    assert f"pid={pid} " in text
    assert " beat=" in text
    assert len((tmp_path / "asked").read_text()) <= 2
    holder.communicate("", timeout=60)
    assert list((store.root / "v1/locks").iterdir()) == []


@pytest.mark.parametrize("fault", ["no lock daemon", "no answer"])
def test_store_43_prepare_works_without_kernel_locks(tmp_path, faulty, fault):
    """The command computes, says nothing of locks, and finds its results the next time."""
    faulty(fault)
    (tmp_path / ".mlrecipe").mkdir()
    (tmp_path / "ops.py").write_text(OPS)
    recipe = 'name = "small"\nplugins = ["ops.py"]\n[nodes.first]\nuse = "numbers"\n'
    (tmp_path / "recipe.toml").write_text(recipe)
    command = [sys.executable, "-m", "mlrecipe", "prepare", "recipe.toml"]

    for _ in range(2):
        done = subprocess.run(
            command, cwd=tmp_path, timeout=60, check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

    assert (tmp_path / "ran.txt").read_text() == "numbers\n"
    assert (tmp_path / ".mlrecipe/store" / NOTE).exists()


@pytest.mark.parametrize(
    ("kind", "is_network"),
    [
        *((name, True) for name in ("nfs", "nfs4", "cifs", "9p", "lustre", "fuse.sshfs", "fuse")),
        *((name, False) for name in ("ext4", "tmpfs", "overlay", "btrfs", "fuse.mergerfs")),
        ("fuseblk", False),
    ],
)
def test_a_network_file_system_is_known_by_its_type(tmp_path, mounted, kind, is_network):
    """Unknown programs that serve files may serve those of another host."""
    mounted(kind)

    assert probe.is_network(tmp_path) == is_network
    assert probe.is_network(tmp_path / "not/there/yet") == is_network


def test_the_nearest_mount_counts(tmp_path, mounted):
    """A name that only begins like the mount point is not below it; spaces are told in octal."""
    (tmp_path / "a b").mkdir()
    (tmp_path / "a bc").mkdir()
    mounted("nfs4", tmp_path / "a b")

    assert probe.is_network(tmp_path / "a b" / "store")
    assert not probe.is_network(tmp_path / "a bc")
    assert not probe.is_network(tmp_path)


def test_leases_are_used_on_a_network_without_a_trial(store, mounted, monkeypatch):
    """Kernel locks may work there on each host alone: nothing tells whether others see them."""
    mounted("nfs4")
    monkeypatch.setattr(probe, "_try", None)

    with store.lock(fingerprint("clean"), "clean"):
        text = handles.read(store.root / "v1/locks" / fingerprint("clean"))

    assert leases.is_lease(text)
    assert (store.root / NOTE).read_text() == "network\n"


def test_all_hosts_use_leases_once_one_needs_them(store):
    """Two kinds of lock on one store would let two hosts in."""
    store.publish("x", computation())
    (store.root / "v1/leases").mkdir()
    (store.root / "v1/leases/elsewhere").write_text("network\n")
    locks._leased.clear()

    with store.lock(fingerprint("clean"), "clean"):
        text = handles.read(store.root / "v1/locks" / fingerprint("clean"))

    assert leases.is_lease(text)
    assert not (store.root / NOTE).exists()


def test_a_local_disk_has_kernel_locks(store):
    """Nothing is noted, and nothing is left of the trial."""
    with store.lock(fingerprint("clean"), "clean"):
        names = [path.name for path in (store.root / "v1/locks").iterdir()]
        text = handles.read(store.root / "v1/locks" / fingerprint("clean"))

    assert names == [fingerprint("clean")]
    assert not leases.is_lease(text)
    assert not (store.root / "v1/leases").exists()


@pytest.mark.parametrize("kind", ["flock", "lease"])
def test_the_environment_decides_if_it_says_so(store, monkeypatch, mounted, kind):
    """Who knows the file system better is asked first."""
    mounted("nfs4" if kind == "flock" else "ext4")
    monkeypatch.setenv("MLRECIPE_LOCKS", kind)

    with store.lock(fingerprint("clean"), "clean"):
        text = handles.read(store.root / "v1/locks" / fingerprint("clean"))

    assert leases.is_lease(text) == (kind == "lease")
    assert not (store.root / "v1/leases").exists()


def test_an_unknown_kind_of_lock_is_refused(store, monkeypatch):
    """A slip in the environment is no choice."""
    monkeypatch.setenv("MLRECIPE_LOCKS", "leese")

    with (
        pytest.raises(RequestError, match="MLRECIPE_LOCKS is 'leese': it is flock or lease"),
        store.lock(fingerprint("clean"), "clean"),
    ):
        pass


def test_nothing_is_tried_before_a_lock_is_taken(child, store):
    """Reading a store imports nothing that locks."""
    store.publish("x", computation())
    store.close()

    said, _ = child("read_light").communicate()

    assert said.split() == ["[]"]


def test_a_store_of_another_project_may_lie_elsewhere(tmp_path, mounted):
    """Each store is asked on its own."""
    mounted("nfs4", tmp_path / "far")
    near, far = Store(tmp_path / "near"), Store(tmp_path / "far/store")
    (tmp_path / "far").mkdir()

    for store in (near, far):
        store.publish("x", computation())
        store.close()

    assert not (near.root / NOTE).exists()
    assert (far.root / NOTE).exists()
