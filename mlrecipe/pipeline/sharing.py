"""Sharing: which results of a recipe a remote has, and getting those that would be computed otherwise."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field

from mlrecipe.events import Note, emit
from mlrecipe.pipeline.plan import Plan, Step, fingerprint_of, plan, wanted
from mlrecipe.pipeline.request import Request
from mlrecipe.store.adoption import adopt
from mlrecipe.store.records import Record
from mlrecipe.store.remote import Remote
from mlrecipe.store.store import Store


@dataclass(slots=True, kw_only=True)
class Offer:
    """What is known of a recipe's results, here and at a remote."""

    plan: Plan
    wanted: set[str]
    """Nodes whose outputs are what it is all for."""

    records: dict[str, Record] = field(default_factory=dict)
    """Node → record, for those that are here or at the remote."""

    new: set[str] = field(default_factory=set)
    """Nodes whose record is at the remote alone."""

    unknown: dict[str, str] = field(default_factory=dict)
    """Node without a record → why it has none."""

    def needed(self, get: Callable[[str], bool] = lambda node: True) -> Iterator[str]:
        """Nodes whose outputs have to be here, each after those that are made of it.

        An output that is only an input of others is needed where one of these has to be computed: it has no
        record, or `get`, called with its name, says that its output cannot be had.
        """
        needed = set(self.wanted)
        for step in reversed(self.plan.steps):
            name = step.node.name
            if name in self.records and name not in needed:
                continue
            if name in self.records:
                yield name
            if name not in self.records or not get(name):
                needed.update(i.node for i in step.node.inputs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """What became of one node's result."""

    node: str

    status: str
    """One of `store.remote.Status`, or `record`: the record alone was copied, for nothing needs its output."""

    record: Record | None = None
    bytes: int = 0
    reason: str = ""


def look(request: Request, store: Store, remote: Remote, *, nodes: Collection[str] = ()) -> Offer:
    """What the store and the remote know of the recipe's nodes, or of some and those that they need.

    Raises:
        RequestError: a name is no node of the recipe.
        StoreError: the remote cannot be read.
    """
    planned = plan(request, store, nodes=nodes)
    offer = Offer(plan=planned, wanted=set(nodes) or wanted(request, planned.by_node))
    for step in planned.steps:
        why = _find(step, offer, store, remote)
        if why:
            offer.unknown[step.node.name] = why
    return offer


def take(
    offer: Offer, request: Request, store: Store, remote: Remote, *, is_dry: bool = False
) -> list[Got]:
    """Copy what is missing here, in the plan's order; with `is_dry` only say what would be copied.

    Of a node whose output nothing needs, the record alone is copied: its digest leads on to the next.

    Raises:
        StoreError: the remote cannot be read, or the store cannot be written.
    """
    got: dict[str, Got] = {
        name: Got(node=name, status="missing", reason=why) for name, why in offer.unknown.items()
    }

    def get(name: str) -> bool:
        got[name] = _get(name, offer, store, remote, is_dry)
        return got[name].status != "refused"

    with nullcontext() if is_dry else store.using(()):
        for _ in offer.needed(get):
            pass
        for name, record in offer.records.items():
            if name not in got:
                got[name] = _know(name, offer, store, is_dry)
            if not is_dry and name in offer.new and got[name].status != "refused":
                store.note_use(record, recipe=request.name, node=name)
    return [got[name] for name in offer.plan.by_node]


def _find(step: Step, offer: Offer, store: Store, remote: Remote) -> str:
    """Look a node's record up; returns why there is none."""
    name = step.node.name
    if step.is_forced or not step.node.is_cached:
        return "it runs every time"
    waits = [i.node for i in step.node.inputs if i.node not in offer.records]
    if waits:
        return f"what it gets from {waits[0]} is not known"
    fingerprint = fingerprint_of(step, offer.records)
    record = store.remembered(fingerprint)
    if record is None:
        record = remote.record(fingerprint)
        if record is None:
            return "the remote does not have it"
        if record.own != step.own:
            emit(
                Note(
                    f"the remote's result of {name!r} is not taken: it is that of another computation",
                    level="warning",
                )
            )
            return "the remote has a damaged record"
        offer.new.add(name)
    offer.records[name] = record
    return ""


def _get(name: str, offer: Offer, store: Store, remote: Remote, is_dry: bool) -> Got:
    """Have the output of a node here."""
    record = offer.records[name]
    if name not in offer.new and not store.damage(record):
        return Got(node=name, status="there", record=record)
    if is_dry:
        is_whole = remote.has_output(record)
        size = record.bytes if is_whole and store.damage(record) else 0
        return Got(node=name, status="pulled" if is_whole else "refused", record=record, bytes=size)
    moved = remote.fetch(store, record)
    return Got(
        node=name, status=moved.status, record=record, bytes=moved.bytes, reason=moved.reason
    )


def _know(name: str, offer: Offer, store: Store, is_dry: bool) -> Got:
    """Have the record of a node here."""
    record = offer.records[name]
    if name not in offer.new:
        return Got(node=name, status="there", record=record)
    if not is_dry:
        adopt(store, record)
    status = "record" if store.damage(record) else "pulled"  # a small output is in its record
    return Got(node=name, status=status, record=record)
