"""Standing: what the store has and lacks of a plan's results, for whoever wants to read about it."""

from __future__ import annotations

from dataclasses import replace

from mlrecipe.pipeline.plan import Plan, Step
from mlrecipe.store import quarantine
from mlrecipe.store.records import Record
from mlrecipe.store.store import Store


def told(planned: Plan, store: Store) -> Plan:
    """The plan, with reasons that also say which outputs are not there and how many shards are.

    Every object of the plan is looked at, which takes longer than planning.
    """
    steps = {name: standing(name, planned, store) for name in planned.by_node}
    return Plan(tuple(steps.values()), steps)


def standing(name: str, planned: Plan, store: Store) -> Step:
    """The same for one step of the plan."""
    step, more = planned.by_node[name], ""
    if step.record is not None:
        more = f"{found}; nothing needs it" if (found := lack(step.record, store)) else ""
    elif step.node.spec.shards > 1 and step.node.is_cached and not step.is_forced:
        more = _done(step, planned, store)
    return replace(step, reasons=(*step.reasons, more)) if more else step


def lack(record: Record, store: Store) -> str:
    """What is to be said of an output that cannot be used; empty where it can be."""
    problem = store.damage(record)
    if not problem:
        return ""
    if record.value is not None or store.paths.object(record.digest).exists():
        return f"its output is damaged ({problem})"
    if quarantine.holds(record.digest, store.paths):
        return "its output is damaged, in the quarantine"
    return "its output is not here"


def _done(step: Step, planned: Plan, store: Store) -> str:
    """How many shards of a node that runs are done already."""
    from mlrecipe.pipeline import shards

    before = {i.node: planned.by_node[i.node].known for i in step.node.inputs}
    known = {node: record for node, record in before.items() if record is not None}
    if len(known) < len(before):
        return ""
    pieces = shards.shards_of(step, known)
    records = [store.remembered(shards.fingerprint(step, known, piece)) for piece in pieces]
    there = sum(record is not None and not store.damage(record) for record in records)
    return f"{there} of {len(pieces)} shards are in the store" if there else ""
