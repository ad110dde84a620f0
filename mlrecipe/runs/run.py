"""Run directories: made whole, found again by what their files say; any list of them can be rebuilt."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

from mlrecipe.errors import RequestError, did_you_mean
from mlrecipe.recipe.project import MARKERS, project_of
from mlrecipe.runs import facts as kinds
from mlrecipe.secrecy import redact

Status = Literal["running", "finished", "failed", "interrupted", "crashed", "damaged"]
FOLDER = "runs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run directory and what its `run.json` says."""

    folder: Path
    facts: Mapping[str, Any]
    """The content of `run.json`, as far as it is what it should be."""

    odd: tuple[str, ...] = ()
    """The facts of `run.json` that are not, and were left out."""

    @property
    def id(self) -> str:
        """Name of the folder."""
        return self.folder.name

    @property
    def status(self) -> Status:
        """How the run ended; `crashed` when it says running but its process is gone.

        `damaged` where nobody can say, for its `run.json` is none.
        """
        status: Status = self.facts["status"]
        return "crashed" if status == "running" and not _is_alive(self.facts) else status

    def checkpoint(self, name: str) -> Path:
        """The folder of a checkpoint, `best` or `last`.

        Raises:
            RequestError: the run has no such checkpoint.
        """
        folder = self.folder / "checkpoints" / name
        if not folder.is_dir():
            parent = self.folder / "checkpoints"
            known = [p.name for p in parent.iterdir() if p.is_dir()] if parent.is_dir() else []
            raise RequestError(
                f"run {self.id} has no checkpoint {name!r}", hint=did_you_mean(name, known)
            )
        return folder

    def write(self, name: str, data: Any) -> None:
        """Write a JSON file of the run, whole."""
        write_json(self.folder / name, data)

    def update(self, **facts: Any) -> Run:
        """The run with changed facts, written to its `run.json`; what others wrote there meanwhile stays."""
        now = read(self.folder)
        kept = self.facts if now is None or now.odd else now.facts
        return Run(folder=self.folder, facts={**kept, **facts})._written()

    def finish(self, status: Status, **facts: Any) -> Run:
        """Note how the run ended."""
        return self.update(status=status, ended=_now(), **facts)

    def take_up(self, *, step: int) -> Run:
        """Note that this process goes on with a run that was stopped, from after so many steps.

        Raises:
            RequestError: another process does.
        """
        now = read(self.folder)
        if now is not None and now.status == "running" and is_here(now):
            raise RequestError(f"run {self.id} is running, as process {now.facts.get('pid')}")
        known = self.facts if now is None else now.facts
        kept = {name: fact for name, fact in known.items() if name not in ("ended", "cause")}
        times = [*kept.get("resumed", []), {"time": _now(), "step": step}]
        facts = {**kept, "status": "running", "resumed": times, **_process()}
        return Run(folder=self.folder, facts=facts)._written()

    def _written(self) -> Run:
        self.write("run.json", dict(self.facts))
        return self


def create(
    project: Path, *, name: str, stage: str, recipe: str, fixed: str = "", suffix: str = "",
    **facts: Any,
) -> Run:  # fmt: skip
    """A new run directory of a project: `runs/<UTC time>-<name>-<stage>-<4 random letters>`.

    Args:
        project: its root.
        name: of the experiment.
        stage: `train` or `test`.
        recipe: the name by which the run knows its recipe.
        fixed: name of the directory instead.
        suffix: goes behind the stage where the name is not fixed.
        facts: what else `run.json` is to say.

    Raises:
        RequestError: it cannot be made, or there is one of the fixed name already.
    """
    parent = folder_of(project)
    time = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    clean = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-") or "run"
    what = f"{stage}-{suffix}" if suffix else stage
    while True:
        folder = parent / (fixed or f"{time}-{clean}-{what}-{secrets.token_hex(2)}")
        try:
            folder.mkdir()
            break
        except FileExistsError:
            if not fixed:
                continue
            raise RequestError(
                f"run {fixed!r} is there already, and what is in it is kept",
                hint=f"mlrecipe runs rm {fixed}, or another `run.name`",
            ) from None
    known = {
        "id": folder.name, "name": name, "stage": stage, "recipe": recipe, "status": "running",
        "started": _now(), **_process(),
    }  # fmt: skip
    run = Run(folder=folder, facts={**known, **facts})
    run.write("run.json", dict(run.facts))
    return run


def folder_of(project: Path) -> Path:
    """The folder of a project's runs, made if it is not there.

    Raises:
        RequestError: it cannot be made.
    """
    parent = project / FOLDER
    try:
        parent.mkdir(exist_ok=True)
    except OSError as error:
        raise RequestError(f"cannot keep runs in {str(parent)!r}: {error.strerror}") from error
    if project_of(parent) != project:  # a lone recipe's folder: its runs must find back to it
        (project / MARKERS[0]).mkdir()
    return parent


def free_name(project: Path, name: str) -> str:
    """The name, or with the first number behind it that no run directory has yet."""
    number, found = 2, name
    while (project / FOLDER / found).exists():
        found, number = f"{name}-{number}", number + 1
    return found


def every(project: Path) -> Iterator[Run]:
    """All runs of a project, newest first; folders without a readable `run.json` are no runs."""
    parent = project / FOLDER
    names = sorted((p.name for p in parent.iterdir()), reverse=True) if parent.is_dir() else []
    shown = (
        name for name in names if not name.startswith(".")
    )  # others are on their way in or out
    runs = [run for name in shown if (run := read(parent / name)) is not None]
    yield from sorted(runs, key=lambda run: str(run.facts.get("started", "")), reverse=True)


def read(folder: Path) -> Run | None:
    """The run in a folder, or None when it holds none; facts that are not what they should be are left out."""
    try:
        said = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or "status" not in said:
        return None
    facts, odd = kinds.sound(said)
    return Run(folder=folder, facts=facts, odd=odd)


def find(project: Path, run_id: str) -> Run:
    """The run of that id, or of the one id that starts or ends so.

    Raises:
        RequestError: there is none, or more than one, or it is damaged.
    """
    run = named(project, run_id)
    if run.status != kinds.DAMAGED and {"stage", "recipe"} <= run.facts.keys():
        return run
    raise RequestError(
        f"run {run.id} is damaged: its run.json does not say what it is and how it ended",
        hint=f"mlrecipe runs show {run.id} shows what is left, mlrecipe runs rm {run.id} removes it",
    )


def named(project: Path, run_id: str) -> Run:
    """The same, of any run, a damaged one too.

    Raises:
        RequestError: there is none, or more than one.
    """
    runs = list(every(project))
    run_id = Path(run_id).name  # as it is printed, with its folder
    exact = [run for run in runs if run.id == run_id]
    is_said = bool(run_id)  # every id begins with an empty text
    near = exact or [
        r for r in runs if is_said and (r.id.startswith(run_id) or r.id.endswith(run_id))
    ]
    if len(near) == 1:
        return near[0]
    if near:
        raise RequestError(
            f"{run_id!r} means {len(near)} runs: {', '.join(r.id for r in near[:5])}"
        )
    raise RequestError(f"no run {run_id!r}", hint=did_you_mean(run_id, [r.id for r in runs]))


def newest(project: Path, *, stage: str, recipe: str, fingerprint: str | None = None) -> Run | None:
    """The newest finished run of a stage of a recipe (of an equal request, if a fingerprint is given)."""
    for run in every(project):
        facts = run.facts
        if (
            facts.get("stage") == stage
            and facts.get("recipe") == recipe
            and fingerprint in (None, facts.get("fingerprint"))
            and run.status == "finished"
        ):
            return run
    return None


def tags_of(run: Run) -> list[str]:
    """The run's tags."""
    tags = run.facts.get("tags", [])
    return [str(tag) for tag in tags] if isinstance(tags, list) else []


def is_here(run: Run) -> bool:
    """Whether the run is one of a process of this machine, which then can tell whether it lives."""
    return bool(run.facts.get("host") == socket.gethostname())


def write_json(path: Path, data: Any) -> None:
    """Write JSON so that a reader sees the old file or the new one, never a part."""
    write_text(path, json.dumps(data, indent=2, ensure_ascii=False, default=str) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    beside.write_text(redact(text), encoding="utf-8")
    os.replace(beside, path)


def folder_digest(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder, by relative path."""
    found = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        found[path.relative_to(folder).as_posix()] = digest.hexdigest()
    return found


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="microseconds")


def _birth(pid: int) -> str:
    """When a process started, as the kernel counts, so that a reused pid is not taken for it."""
    return _stat(pid)[1]


def _stat(pid: int) -> tuple[str, str]:
    """State and start of a process; empty where they cannot be read."""
    try:
        found = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return found[0], found[19]
    except (OSError, IndexError):
        return "", ""


def _process() -> dict[str, Any]:
    """What tells this process from any other."""
    pid = os.getpid()
    return {"host": socket.gethostname(), "pid": pid, "born": _birth(pid)}


def _is_alive(facts: Mapping[str, Any]) -> bool:
    """Whether the run's process lives; one on another host is believed."""
    if facts.get("host") != socket.gethostname():
        return True
    try:
        pid = int(str(facts.get("pid")))
        os.kill(pid, 0)
    except PermissionError:  # it is another user's
        pass
    except (OSError, ValueError):
        return False
    state, born = _stat(pid)
    if state == "Z":  # it has ended, and nobody has asked how
        return False
    return not facts.get("born") or born in ("", facts["born"])
