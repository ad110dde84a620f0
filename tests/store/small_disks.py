"""What happens on small disks of the tests' own: `python -m tests.store.small_disks WHAT FOLDER …`.

The disks are mounted where only this process and its children see them. Each prints what it found as JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from mlrecipe.errors import StoreError
from mlrecipe.store import Store
from tests.store.pages import BOOK, Pages, computation, fingerprint
from tests.store.removals import damage

PAGE = 4096


def main(what: str, folder: str, size: str) -> None:
    """Mount a disk of that size at the folder and do one of the things below on it."""
    mount(Path(folder), size)
    print(json.dumps(globals()[what](Path(folder))))


def publish_when_full(disk: Path) -> dict[str, Any]:
    """Publish something larger than the disk, then after room was made something smaller."""
    store = Store(disk / "store")
    earlier = store.publish(BOOK, computation("earlier"))
    said = attempt(store, Pages({"a": "x" * (8 << 20), "b": "y"}))
    found = {
        "said": said,
        "left": left(store),
        "is_there": store.record(fingerprint("clean")) is not None,
        "earlier": store.load(earlier) == BOOK,
        "damage": damage(store.root),
    }
    return found | {"again": attempt(store, BOOK)}


def publish_with_little_room(disk: Path) -> dict[str, Any]:
    """Publish with one page of room, with two, and so on until it works each time."""
    said: list[str] = []
    wrong: dict[int, object] = {}
    pages = 0
    while said[-3:] != [""] * 3:
        root = disk / str(pages) / "store"
        store = Store(root)
        earlier = store.publish(BOOK, computation("earlier"))
        fill(disk / "filler", room=pages * PAGE)
        said.append(attempt(store, Pages({"a": "x" * 20_000, "part/b": "y" * 5000})))
        seen = {
            "left": left(store),
            "is_there": (store.record(fingerprint("clean")) is None) == bool(said[-1]),
            "earlier": store.load(earlier) == BOOK,
            "latest": store.has_own(earlier.own) and store.latest("imdb.toml", "clean") is not None,
        }
        (disk / "filler").unlink()
        store.close()
        seen["damage"] = damage(root)
        if seen != {"left": [], "is_there": True, "earlier": True, "latest": True, "damage": []}:
            wrong[pages] = [said[-1], seen]
        shutil.rmtree(disk / str(pages))
        pages += 1
    return {"said": sorted(set(said)), "tries": pages, "wrong": wrong}


def prepare_when_full(disk: Path) -> dict[str, Any]:
    """Prepare outputs that do not fit, then look what there is, then with room again."""
    big = ["--set", "nodes.second.count=2000000"]
    first = command(disk, "prepare", "recipe.toml")
    full = [command(disk, "prepare", "recipe.toml", *big)]
    kept = sorted(str(path.relative_to(disk)) for path in (disk / "store/v1/tmp").rglob("*"))
    full.append(command(disk, "prepare", "recipe.toml", *big, "-j2"))
    fill(disk / "filler", room=0)
    hits = command(disk, "prepare", "recipe.toml")
    small = command(disk, "prepare", "recipe.toml", "--set", "nodes.second.start=12")
    (disk / "filler").unlink()
    again = command(disk, "prepare", "recipe.toml", "--set", "nodes.second.start=12")
    return {
        "first": first, "full": full, "kept": kept, "hits": hits,
        "small": small, "again": again, "damage": damage(disk / "store"),
    }  # fmt: skip


def index_when_full(disk: Path) -> dict[str, Any]:
    """Publish into a store of which only the index is on a disk that is full."""
    root = Path(os.environ["ELSEWHERE"]) / "store"
    store = Store(root)
    earlier = store.publish("first", computation("first"))
    store.close()
    shutil.copytree(root / "v1/index", disk / "index")
    mount(root / "v1/index", "", bind=disk / "index")
    fill(disk / "filler", room=0)
    newer = store.publish(BOOK, computation("second", created="2026-03-01T12:00:00+00:00"))
    store.memo.set("key", "x" * 100_000)
    found = {
        "newer": store.load(newer) == BOOK,
        "latest": store.latest("imdb.toml", "clean") == newer,
        "own": [store.has_own(earlier.own), store.has_own(newer.own)],
    }
    store.close()
    (disk / "filler").unlink()
    other = Store(root)
    found["later"] = other.has_own(newer.own) and other.record(newer.fingerprint) == newer
    return found | {"damage": damage(root)}


def prepare_read_only(disk: Path) -> dict[str, Any]:
    """Prepare on a disk that may not be written any more: what is stored, and what is not."""
    first = command(disk, "prepare", "recipe.toml")
    before = everything(disk)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    hits = [command(disk, *words) for words in (
        ["prepare", "recipe.toml"], ["plan", "recipe.toml"], ["inspect", "sum", "recipe.toml"],
        ["cache", "verify"],
    )]  # fmt: skip
    missing = [
        command(disk, "prepare", "recipe.toml", "--set", "nodes.second.start=12", *jobs)
        for jobs in ([], ["-j2"])
    ]
    return {"first": first, "hits": hits, "missing": missing, "same": before == everything(disk)}


def command(disk: Path, *arguments: str) -> list[Any]:
    """Exit code and last line of a command of mlrecipe, and whether it showed a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "mlrecipe", *arguments], cwd=os.environ["ELSEWHERE"],
        env=os.environ | {"MLRECIPE_STORE": str(disk / "store")}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    return [done.returncode, (done.stderr.splitlines() or [""])[-1], "Traceback" in done.stderr]


def attempt(store: Store, value: object) -> str:
    """What a publish says; nothing where it works."""
    try:
        store.publish(value, computation())
    except StoreError as error:
        return str(error).rpartition(": ")[2]
    return ""


def left(store: Store) -> list[str]:
    """What lies in the folder for what is not whole yet."""
    return [path.name for path in (store.root / "v1/tmp").iterdir()]


def fill(path: Path, *, room: int) -> None:
    """Fill a disk with a file, but for so much room."""
    free = os.statvfs(path.parent)
    with open(path, "wb", buffering=0) as file:
        os.posix_fallocate(file.fileno(), 0, max(1, free.f_bavail * free.f_bsize - room))


def everything(folder: Path) -> dict[str, int]:
    """Every path below the folder, with the time of its last change."""
    return {str(path): path.lstat().st_mtime_ns for path in folder.rglob("*")}


def mount(folder: Path, size: str, *, bind: Path | None = None) -> None:
    """Mount a disk in memory, or another folder, at a folder."""
    how = ["--bind", str(bind)] if bind else ["-t", "tmpfs", "-o", f"size={size}", "tmpfs"]
    subprocess.run(["mount", *how, str(folder)], check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
