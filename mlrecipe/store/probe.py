"""What the file system under a store can do: whether locks work on it, whether hosts share it."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from mlrecipe.errors import RequestError

PATIENCE = 3.0
"""Seconds that a lock may take to be answered; a lost lock daemon never answers."""

MOUNTS = Path("/proc/self/mountinfo")

_VARIABLE = "MLRECIPE_LOCKS"
_KINDS = ("flock", "lease")
_NOTES = "leases"
_NETWORK = "network"

_SHARED = frozenset(
    "9p acfs afpfs afs beegfs ceph cifs coda gfs2 glusterfs gpfs lustre ncpfs nfs nfs4 ocfs2 orangefs "
    "panfs prl_fs pvfs2 smb3 smbfs vboxsf virtiofs webdav".split()
)
# Everything else that a program gives to the kernel may be another host's (sshfs, s3fs, gcsfuse …).
_OWN_FUSE = frozenset(
    f"fuse.{name}" for name in ("bindfs", "exfat", "fuse-overlayfs", "gocryptfs", "mergerfs")
)


def forced() -> str:
    """The kind of locks that the environment asks for, `flock` or `lease`; empty where it leaves that open.

    Raises:
        RequestError: it asks for another kind.
    """
    name = os.environ.get(_VARIABLE, "")
    if name and name not in _KINDS:
        raise RequestError(f"{_VARIABLE} is {name!r}: it is flock or lease, or not set")
    return name


def needs_leases(folder: Path) -> bool:
    """Whether the locks in that folder have to be leases.

    Once one host needs them, all hosts use them: the folder `leases` beside this one says so, with
    a file for each host that found out.

    Raises:
        RequestError: the environment variable that decides it has another value.
        OSError: nothing can be written there.
    """
    if kind := forced():
        return kind == "lease"
    notes = folder.parent / _NOTES
    if (notes / os.uname().nodename).exists():
        return True
    reason = _NETWORK if is_network(folder) else _trouble(folder)
    if reason:
        with contextlib.suppress(OSError):
            notes.mkdir(exist_ok=True)
            (notes / os.uname().nodename).write_text(f"{reason}\n")
    return bool(reason) or notes.is_dir()


def uses_leases(folder: Path) -> bool:
    """The answer of `needs_leases` as far as it is known without a trial."""
    kind = forced()
    return kind == "lease" if kind else (folder.parent / _NOTES).is_dir()


def is_known_network(folder: Path) -> bool:
    """Whether the folder is on a network file system, as far as that can be said at once."""
    if MOUNTS.exists():
        return is_network(folder)
    with contextlib.suppress(OSError):
        note = folder / _NOTES / os.uname().nodename
        return note.read_text(encoding="utf-8").strip() == _NETWORK
    return False


def is_network(path: Path) -> bool:
    """Whether the path, or the nearest folder above it that is there, may be another host's."""
    while not os.path.exists(path) and path != path.parent:  # nor one that is not ours to see
        path = path.parent
    is_linux = MOUNTS.exists()
    if is_linux and _is_disk(path):
        return False
    kind = _kind(os.path.realpath(path), _linux() if is_linux else _bsd())
    return kind in _SHARED or (kind.partition(".")[0] == "fuse" and kind not in _OWN_FUSE)


def _is_disk(path: Path) -> bool:
    """Whether a device of this host is under the path, of which Linux gives away the number."""
    return os.major(path.stat().st_dev) != 0


def _trouble(folder: Path) -> str:
    """Why the kernel's locks cannot be used there, found by trying; empty when they can."""
    import threading

    path = folder / f".probe-{os.urandom(8).hex()}"
    pair = [os.open(path, os.O_RDWR | os.O_CREAT, 0o600) for _ in range(2)]
    os.unlink(path)
    answers: list[str] = []
    # The call may never return; the thread then ends with the process.
    asking = threading.Thread(target=lambda: answers.append(_try(*pair)), daemon=True)
    asking.start()
    asking.join(PATIENCE)
    if not answers:
        return "flock does not answer"
    for handle in pair:
        os.close(handle)
    return answers[0]


def _try(first: int, second: int) -> str:
    """What is wrong with locks on two handles of one file."""
    import fcntl

    try:
        fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return f"flock: {error.strerror}"
    try:
        fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return ""
    except OSError as error:
        return f"flock: {error.strerror}"
    return "flock keeps nobody out"


def _kind(path: str, mounts: list[tuple[str, str]]) -> str:
    """The type of the file system that a path is on, from all mount points with their types."""
    best, kind = -1, ""
    for point, type_ in mounts:
        is_above = path == point or path.startswith(point.rstrip("/") + "/")
        if is_above and len(point) >= best:  # of two on one point, the later one hides the other
            best, kind = len(point), type_
    return kind


def _linux() -> list[tuple[str, str]]:
    found = []
    with contextlib.suppress(OSError):
        for line in MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
            about, _, what = line.partition(" - ")
            point = re.sub(r"\\(\d{3})", lambda code: chr(int(code[1], 8)), about.split(" ")[4])
            found.append((point, what.split(" ")[0]))
    return found


def _bsd() -> list[tuple[str, str]]:
    """From lines such as `alpha:/data on /Volumes/data (nfs, nodev)`."""
    import subprocess

    try:
        told = subprocess.run(
            ["/sbin/mount"], check=True, capture_output=True, text=True, timeout=PATIENCE
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return re.findall(r" on (/.*) \((\w+)", told.stdout)
