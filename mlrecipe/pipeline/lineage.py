"""Lineage: what something was made from and what was made from it, out of records and runs alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from mlrecipe.errors import RequestError
from mlrecipe.graph.externals import file_digest
from mlrecipe.runs import run as running
from mlrecipe.runs.run import Run
from mlrecipe.store.records import Record
from mlrecipe.store.store import Store

SHORTEST = 6
"""Characters of a digest that are enough to name it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """A node's output, a run, a checkpoint, or something from outside."""

    kind: Literal["node", "run", "checkpoint", "file", "hub"]
    name: str
    """Node, run id, file or hub id."""

    digest: str = ""
    """Of the bytes, where there are some."""

    detail: str = ""
    """Recipe and op of a node, status of a run, where a checkpoint is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A thing, and what lies beyond it in one direction."""

    thing: Thing
    beyond: tuple[Branch, ...] = ()

    is_repeated: bool = False
    """Whether it stands elsewhere already with all that lies beyond it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """One thing in both directions."""

    subject: Thing
    above: tuple[Branch, ...]
    """What it was made from."""

    below: tuple[Branch, ...]
    """What was made from it."""


def lineage(
    what: str | Record, *, project: Path, store: Store, recipe: str | None = None
) -> Lineage:
    """The lineage of one output, or of what a text names.

    That is a node of `recipe`, a run, the beginning of a digest, a file or an id of the hub. A file that is
    there is the one with the bytes that it has now; of another its name is enough.

    Raises:
        RequestError: nothing, or more than one thing, is named so.
    """
    known = _Known(project, store)
    subject = _of_record(what) if isinstance(what, Record) else known.find(what, recipe)
    return Lineage(
        subject=subject,
        above=_branches(subject, known.above, {subject}),
        below=_branches(subject, known.below, {subject}),
    )


def _branches(
    thing: Thing, step: Callable[[Thing], Iterable[Thing]], seen: set[Thing]
) -> tuple[Branch, ...]:
    found = []
    for next_ in dict.fromkeys(step(thing)):
        if next_ in seen:
            found.append(Branch(thing=next_, is_repeated=True))
            continue
        seen.add(next_)
        found.append(Branch(thing=next_, beyond=_branches(next_, step, seen)))
    return tuple(found)


@dataclass(slots=True)
class _Outputs:
    """What a run gave: checkpoint → its place and the hashes of its files."""

    run: Run
    checkpoints: dict[str, tuple[str, set[str]]] = field(default_factory=dict)


class _Known:
    """All records and runs of a project, and how they hang together."""

    def __init__(self, project: Path, store: Store) -> None:
        self._project = project
        self._store = store

    @cached_property
    def _records(self) -> list[Record]:
        return sorted(self._store.every(), key=lambda record: record.created, reverse=True)

    @cached_property
    def _runs(self) -> list[Run]:
        return list(running.every(self._project))

    def find(self, text: str, recipe: str | None) -> Thing:
        """The one thing that a text names."""
        if recipe is not None and (latest := self._store.latest(recipe, text)) is not None:
            return _of_record(latest)
        found = list(dict.fromkeys(self._named(text))) or self._read_as(text)
        if len(found) == 1:
            return found[0]
        if found:
            more = f" and {len(found) - 5} more" if len(found) > 5 else ""
            raise RequestError(
                f"{text!r} names {len(found)} things: {', '.join(map(_told, found[:5]))}{more}",
                hint="name one of them by its digest",
            )
        where = f"no node of {recipe} with an output, " if recipe else ""
        raise RequestError(
            f"nothing known as {text!r}: {where}no file that a node read, no run and no digest begins so",
            hint="name a node, a run, a file, or at least 6 characters of a digest or fingerprint",
        )

    def _read_as(self, text: str) -> list[Thing]:
        """What nodes read from outside by that name: a file that is there with the bytes that it has now."""
        outside = list(dict.fromkeys(t for record in self._records for t in _outside(record)))
        path = Path(text)
        named = [
            t for t in outside
            if t.name == text or (Path(t.name).name == path.name if t.kind == "file" else
                                  t.name.partition("@")[0] == text)
        ]  # fmt: skip
        if not path.is_file():
            return named
        digest = file_digest(path.absolute(), self._store.memo)
        same = [t for t in outside if t.digest == digest]
        if not same and named:
            raise RequestError(
                f"no stored output was made from {text!r} as it is now",
                hint=f"by that name was read: {', '.join(map(_told, named[:5]))}",
            )
        return [t for t in same if t in named] or same

    def _named(self, text: str) -> Iterator[Thing]:
        name = Path(text).name
        yield from (
            _of_run(run) for run in self._runs if run.id == name or run.id.endswith(f"-{name}")
        )
        if len(text) < SHORTEST:
            return
        newest: dict[str, Record] = {}
        for record in self._records:
            if record.fingerprint.startswith(text) or record.digest.startswith(text):
                newest.setdefault(record.digest, record)
        yield from map(_of_record, newest.values())
        for outputs in self._outputs:
            for checkpoint, (place, hashes) in outputs.checkpoints.items():
                if any(digest.startswith(text) for digest in hashes):
                    yield _of_checkpoint(outputs.run, checkpoint, place)
        for record in self._records:
            yield from (t for t in _outside(record) if t.digest.startswith(text))

    def above(self, thing: Thing) -> Iterator[Thing]:
        """What a thing was made from."""
        if thing.kind == "checkpoint":
            yield from (_of_run(run) for run in self._runs if run.id == thing.name.split("/")[0])
        elif thing.kind == "run":
            yield from self._above_run(thing.name)
        elif thing.kind == "node":
            record = self._record_of(thing)
            for name, digest in record.parts.get("digests", []) if record else []:
                yield self._producer(digest, name)
            if record is not None:
                yield from _outside(record)

    def below(self, thing: Thing) -> Iterator[Thing]:
        """What was made from a thing."""
        if thing.kind == "checkpoint":
            yield from self._tests_of(thing.name.split("/")[0])
        elif thing.kind == "run":
            for outputs in self._outputs:
                if outputs.run.id == thing.name:
                    for name, (place, _) in outputs.checkpoints.items():
                        yield _of_checkpoint(outputs.run, name, place)
            yield from self._tests_of(thing.name)
        elif thing.kind == "node":
            used = (r for r in self._records if thing.digest in _digests(r))
            yield from map(_of_record, used)
            yield from (_of_run(r) for r in self._runs if thing.digest in _used(r))
        else:
            yield from (_of_record(r) for r in self._records if thing in list(_outside(r)))

    def _above_run(self, run_id: str) -> Iterator[Thing]:
        for run in (run for run in self._runs if run.id == run_id):
            parent = run.facts.get("parent")
            yield from (_of_run(other) for other in self._runs if other.id == parent)
            taken = {d for facts in _inputs(run).values() for _, d in facts.get("digests", [])}
            for name, facts in _inputs(run).items():
                if facts.get("digest") not in taken:
                    yield self._producer(str(facts.get("digest", "")), name, facts)

    def _tests_of(self, run_id: str) -> Iterator[Thing]:
        yield from (_of_run(run) for run in self._runs if run.facts.get("parent") == run_id)

    def _producer(self, digest: str, name: str, facts: Mapping[str, Any] | None = None) -> Thing:
        """The newest record with that output, of a node of that name if there is one."""
        found = [record for record in self._records if record.digest == digest]
        named = [record for record in found if record.node == name] or found
        if named:
            return _of_record(named[0])
        op = f"op {facts['op']}, " if facts and facts.get("op") else ""
        return Thing(kind="node", name=name, digest=digest, detail=f"{op}no longer in the store")

    def _record_of(self, thing: Thing) -> Record | None:
        found = [r for r in self._records if r.digest == thing.digest and r.node == thing.name]
        return found[0] if found else None

    @cached_property
    def _outputs(self) -> list[_Outputs]:
        return [_outputs(run) for run in self._runs]


def _told(thing: Thing) -> str:
    return f"{thing.kind} {thing.name} {thing.digest[:12]}".strip()


def _of_record(record: Record) -> Thing:
    return Thing(
        kind="node", name=record.node, digest=record.digest,
        detail=f"{record.recipe}, op {record.op}",
    )  # fmt: skip


def _of_run(run: Run) -> Thing:
    return Thing(
        kind="run",
        name=run.id,
        detail=f"{run.facts.get('stage')} of {run.facts.get('recipe')}, {run.status}",
    )


def _of_checkpoint(run: Run, name: str, place: str) -> Thing:
    return Thing(kind="checkpoint", name=f"{run.id}/{place}", detail=name)


def _outside(record: Record) -> Iterator[Thing]:
    """Files and hub ids that a node read."""
    for pairs in record.parts.get("files", {}).values():
        for name, digest in pairs:
            if name == "hub":
                yield Thing(kind="hub", name=digest)
            else:
                yield Thing(kind="file", name=name, digest=digest)


def _digests(record: Record) -> list[str]:
    return [digest for _, digest in record.parts.get("digests", [])]


def _inputs(run: Run) -> dict[str, Any]:
    return _json(run.folder / "inputs.json")


def _used(run: Run) -> list[str]:
    """Digests of what a run worked on."""
    return [str(facts.get("digest")) for facts in _inputs(run).values()]


def _outputs(run: Run) -> _Outputs:
    found = _Outputs(run)
    for name, facts in _json(run.folder / "outputs.json").items():
        found.checkpoints[name] = (str(facts.get("path")), set(facts.get("sha256", {}).values()))
    return found


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
