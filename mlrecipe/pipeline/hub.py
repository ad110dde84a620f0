"""The hub: which commits a recipe's ids of it stand for, asked once and kept in the recipe's lock file."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path

from mlrecipe.errors import MlrecipeError, Problem, RecipeError, RequestError
from mlrecipe.graph.externals import External
from mlrecipe.graph.graph import Node
from mlrecipe.graph.pins import Asked, asked, is_commit
from mlrecipe.pipeline import lockfile
from mlrecipe.pipeline.lockfile import Pin, Pins
from mlrecipe.pipeline.plan import Plan, Step
from mlrecipe.pipeline.request import Request
from mlrecipe.recipe.positions import KeyPath

TIMEOUT = 10.0
"""Seconds to wait for an answer of the hub."""

Place = tuple[KeyPath, External]


@dataclass(slots=True)
class Pinned:
    """A request with its ids of the hub pinned, and what there is to say of that."""

    request: Request
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class _Unknown(Exception):
    """The hub has no such repository, or no such revision of it."""


class _Unreachable(Exception):
    """The hub gave no answer."""


def pin(request: Request, places: Collection[Place], *, update: bool = False) -> Pinned:
    """Ask the hub for the commits of what its lock file does not know, and write them there.

    Offline, or where the hub cannot be reached, the local cache is asked; what that does not know
    either goes by its name.

    Args:
        request: the recipe.
        places: what is to be pinned, and where the recipe names it.
        update: whether to ask for all of them, known or not.

    Raises:
        RecipeError: the hub has no such data set, model or revision.
        RequestError: an update was asked for, but not of the network.
        MlrecipeError: the hub cannot be reached for an update.
    """
    wanted = {
        q: path for path, external in places if (q := asked(external)) and not is_commit(q[2])
    }
    if not wanted or (not update and all(q in request.pins for q in wanted)):
        return Pinned(request, notes=["there is nothing to update"] if update else [])
    if update and _is_offline():
        raise RequestError("--update asks the hub, which --offline and HF_HUB_OFFLINE=1 forbid")
    file = lockfile.place(request.loaded.path)
    with _alone(file.parent):
        round_ = _Round(request, lockfile.read(file), update=update)
        round_.settle(wanted)
        return round_.close(file)


def hedged(plan: Plan, *, is_offline: bool) -> Plan:
    """The plan with what is not pinned named; the hub has not been asked, so that its answers are open.

    A hit is one no more if its id is not pinned and the hub will be asked, nor is what depends on it.
    """
    steps: dict[str, Step] = {}
    for step in plan.steps:
        waiting = [i.node for i in step.node.inputs if steps[i.node].status != "hit"]
        steps[step.node.name] = _hedged(step, waiting, is_offline=is_offline)
    return Plan(tuple(steps.values()), steps)


class _Round:
    """One round of questions to the hub."""

    def __init__(self, request: Request, known: Pins, *, update: bool) -> None:
        self._request = request
        self._known = known
        self._pins = dict(known)
        self._update = update
        self._silence = "offline" if _is_offline() else ""
        self._done = Pinned(request)

    def settle(self, wanted: dict[Asked, KeyPath]) -> None:
        """Pin what is wanted, as far as that can be done."""
        problems: list[Problem] = []
        for question in sorted(wanted):
            if question in self._known and not self._update:  # another process was faster
                continue
            try:
                self._settle(question)
            except _Unknown as error:
                problems.append(self._request.tree.problem(wanted[question], str(error)))
        if problems:
            raise RecipeError(problems, subject=self._request.name)

    def close(self, file: Path) -> Pinned:
        """The pinned request, its lock file written."""
        if self._pins != self._known:
            try:
                lockfile.write(file, self._pins.values(), recipe=self._request.loaded.path.name)
            except OSError as error:
                warning = f"cannot write {file.name!r} ({error.strerror}): pinned this time only"
                self._done.warnings.append(warning)
        self._done.request = self._request.pinned(self._pins)
        return self._done

    def _settle(self, question: Asked) -> None:
        commit, whence = self._ask(question)
        old = self._known.get(question)
        _, name, revision = question
        if not commit:
            self._done.warnings.append(
                f"{name} is not pinned to a commit of the hub ({self._silence}, and the local cache "
                "does not know it): it goes by its name, and a change there is not seen"
            )
        elif old is not None and old.commit == commit:
            self._done.notes.append(f"{name}: {revision} is still {commit[:10]}")
        else:
            self._pins[question] = _pin(question, commit)
            moved = f"moved from {old.commit[:10]} to" if old else "is"
            self._done.notes.append(f"{name}: {revision} {moved} {commit[:10]}{whence}")

    def _ask(self, question: Asked) -> tuple[str, str]:
        """The commit, and where it is from if not from the hub; no commit where none is known."""
        if not self._silence:
            try:
                return _from_hub(question), ""
            except _Unreachable as error:
                self._silence = f"the hub cannot be reached: {error}"
                if self._update:
                    raise MlrecipeError(
                        f"{self._silence}; nothing was updated",
                        hint="without --update the commits of the lock file hold",
                    ) from error
        whence = f" in the local cache ({self._silence}); --update asks the hub"
        return _from_cache(question), whence


def _hedged(step: Step, waiting: list[str], *, is_offline: bool) -> Step:
    named = [e for items in step.node.externals.values() for e in items if e.is_hub]
    unpinned = [external for external in named if not external.commit]
    reasons = [_unpinned(external, step.node) for external in unpinned]
    is_open = any(external.revision for external in unpinned) and not is_offline
    if step.status != "hit" or not (is_open or waiting):
        return replace(step, reasons=(*step.reasons, *reasons))
    if not is_open:
        reasons.append(f"only if {' or '.join(dict.fromkeys(waiting))} gives something else")
    return replace(step, status="maybe", reasons=tuple(reasons), record=None)


def _unpinned(external: External, node: Node) -> str:
    if external.revision:
        return f"{external.text} is not pinned yet"
    return f"{external.text} is never pinned: op {node.spec.use!r} takes no `revision` of it"


def _pin(question: Asked, commit: str) -> Pin:
    kind, name, revision = question
    today = datetime.now(timezone.utc).date().isoformat()
    return Pin(kind=kind, id=name, revision=revision, commit=commit, date=today)


def _is_offline() -> bool:
    from huggingface_hub import constants

    return bool(constants.is_offline_mode())


def _from_hub(question: Asked) -> str:
    from huggingface_hub import HfApi, errors

    kind, name, revision = question
    word = "data set" if kind == "dataset" else kind
    # The HTTP library's own error, whichever library the hub's uses: it was httpx, and is httpx2.
    transport: tuple[type[Exception], ...] = errors.HfHubHTTPError.__bases__
    no_answer: tuple[type[Exception], ...] = (*transport, ValueError, KeyError)  # or not of a hub
    try:
        found = HfApi().repo_info(name, repo_type=kind, revision=revision, timeout=TIMEOUT).sha
    except errors.RepositoryNotFoundError as error:
        raise _Unknown(
            f"the hub has no {word} {name!r}, or not for you (`hf auth login`), and no such folder is here"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise _Unknown(f"the hub's {word} {name!r} has no revision {revision!r}") from error
    except errors.HFValidationError as error:
        raise _Unknown(
            f"{name!r} can be no {word} of the hub, and no such folder is here"
        ) from error
    except no_answer as error:
        if not isinstance(error, (errors.HfHubHTTPError, ValueError, KeyError)):
            _stay_offline()
        lines = str(error).splitlines() or [type(error).__name__]
        raise _Unreachable(lines[0].rstrip(".")) from error
    if found is None or not is_commit(found):
        raise _Unreachable(f"it names no commit of {name!r}")
    return str(found)


def _stay_offline() -> None:
    """Ask the hub nothing more, in this process and in those that it starts: there is no way to it.

    The libraries would try each file six times, for half a minute, and tell of every try.
    """
    from huggingface_hub import constants

    constants.HF_HUB_OFFLINE = True
    os.environ["HF_HUB_OFFLINE"] = "1"


def _from_cache(question: Asked) -> str:
    """The commit that a revision was when its repository was last downloaded; empty if it never was."""
    from huggingface_hub import constants

    kind, name, revision = question
    folder = f"{kind}s--{name.replace('/', '--')}"
    try:
        text = (Path(constants.HF_HUB_CACHE) / folder / "refs" / revision).read_text().strip()
    except (OSError, ValueError):
        return ""
    return text if is_commit(text) else ""


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the recipe's folder, so that two processes do not ask at once and write two answers."""
    import fcntl

    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        yield
        return
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
