"""Remotes to test with, and other processes that push to them: `python -m tests.store.remotes WHAT …`."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import fsspec
from fsspec.implementations.memory import MemoryFileSystem

from mlrecipe.store import Store
from mlrecipe.store.remote import push
from tests.store.pages import BOOK, Pages, computation, fingerprint

PAGES = ("pages",)
NUMBERS = list(range(20_000))
"""A value that is too big for its record, in a format of mlrecipe's own."""

CALLS = ("mkdir", "fsync", "link", "rename", "remove", "unlink")


class Objects(MemoryFileSystem):
    """Stands for the object stores, where an upload is whole or not there."""

    protocol = ("objects", "s3")
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]

    @classmethod
    def _strip_protocol(cls, path: Any) -> str:
        return MemoryFileSystem._strip_protocol(str(path).removeprefix("objects://"))

    def cat_file(self, path: str, version: Any = None, **options: Any) -> bytes:
        """The bytes of a file; as with s3fs, the range can only be given by name."""
        assert version is None
        return super().cat_file(path, **options)

    def cat_ranges(
        self, paths: list[str], starts: list[int], ends: list[int], **options: Any
    ) -> list[bytes]:
        """The bytes of each range."""
        found = zip(paths, starts, ends, strict=True)
        return [self.cat_file(path, start=start, end=end) for path, start, end in found]


fsspec.register_implementation("objects", Objects, clobber=True)


class Place:
    """A remote, looked at from outside."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.fs, self.root = fsspec.url_to_fs(url)

    def files(self) -> dict[str, bytes]:
        """Name → content of everything there."""
        self.fs.invalidate_cache()
        found = self.fs.find(self.root) if self.fs.exists(self.root) else []
        return {name[len(self.root) + 1 :]: self.fs.cat_file(name) for name in found}

    def name(self, end: str) -> str:
        """The one file whose name ends so."""
        (name,) = [name for name in self.files() if name.endswith(end)]
        return name

    def write(self, name: str, data: bytes) -> None:
        """Put a file there."""
        path = f"{self.root}/{name}"
        self.fs.makedirs(os.path.dirname(path), exist_ok=True)
        self.fs.pipe_file(path, data)

    def delete(self, name: str) -> None:
        """Delete a file."""
        self.fs.rm_file(f"{self.root}/{name}")


def filled(root: Path) -> Store:
    """A store with a book, a long list and a short text."""
    store = Store(root)
    store.publish(BOOK, computation("book", node="book"))
    store.publish(NUMBERS, computation("numbers", node="numbers"))
    store.publish("short", computation("short", node="short"))
    return store


def push_gated(root: str, url: str) -> None:
    """Say that one is ready, push everything once the input is closed, and say how that went."""
    print("ready", flush=True)
    sys.stdin.read()
    print(*{moved.status for moved in push(Store(Path(root)), url)}, flush=True)


def die_at_each_point(root: str, folder: str) -> None:
    """Be killed in a push to a new remote at each call that changes it; say how many there are."""
    for point in range(1, 1000):
        child = os.fork()
        if child == 0:
            _arm(point)
            push(Store(Path(root)), f"{folder}/{point}")
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            print(point - 1, flush=True)
            return


def die_in_upload(root: str, url: str, number: str) -> None:
    """Be killed in the middle of uploading one file."""
    left = [int(number)]
    copy = shutil.copyfile

    def deadly(source: str, target: str, **options: Any) -> Any:
        left[0] -= 1
        if not left[0]:
            data = Path(source).read_bytes()
            Path(target).write_bytes(data[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return copy(source, target, **options)

    shutil.copyfile = deadly
    push(Store(Path(root)), url)


def _arm(point: int) -> None:
    left = [point]

    def deadly(call: Callable[..., Any]) -> Callable[..., Any]:
        def die_or_call(*args: Any, **options: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **options)

        return die_or_call

    for name in CALLS:
        setattr(os, name, deadly(getattr(os, name)))


FINGERPRINTS = [fingerprint(name) for name in ("book", "numbers", "short")]
OTHER_BOOK = Pages({"a.txt": "another"})

if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
