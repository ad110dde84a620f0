"""Plans: for every node whether it would run, and why; nothing heavy is imported and nothing is run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from mlrecipe.errors import RequestError, did_you_mean
from mlrecipe.graph import fingerprint as prints
from mlrecipe.graph.graph import Node
from mlrecipe.interfaces import Digest, Fingerprint
from mlrecipe.pipeline.explain import differences
from mlrecipe.pipeline.request import Request
from mlrecipe.store.records import Record
from mlrecipe.store.store import Store

Status = Literal["hit", "run", "maybe"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What would become of one node."""

    node: Node
    status: Status
    """`hit`: its output is in the store; `run`: it will run; `maybe`: that depends on what its inputs give."""

    reasons: tuple[str, ...]
    """Why, a phrase each."""

    parts: Mapping[str, Any]
    """Parts of the fingerprint other than the digests of inputs."""

    own: str
    """Hash of `parts`."""

    is_forced: bool = False

    record: Record | None = None
    """The stored result, for a hit."""

    lost: Record | None = None
    """The stored result that would be one, if its output could be used."""

    @property
    def known(self) -> Record | None:
        """The record that says what the step gives, whether its output is there or not."""
        return self.record or self.lost


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of a graph, inputs first."""

    steps: tuple[Step, ...]
    by_node: Mapping[str, Step] = field(default_factory=dict)

    @property
    def is_done(self) -> bool:
        """Whether there is nothing to do."""
        return all(step.status == "hit" for step in self.steps)


def plan(
    request: Request,
    store: Store,
    *,
    nodes: Collection[str] = (),
    force: Collection[str] = (),
) -> Plan:
    """What preparing the recipe's nodes (or only the named ones and what they need) would do.

    Args:
        request: the recipe.
        store: where results are looked up.
        nodes: names of nodes; none means all.
        force: names of nodes to run even where their output is stored.

    Raises:
        RequestError: a name is no node of the recipe, or a parameter cannot be hashed.
    """
    known = list(request.graph.nodes)
    for name in [*nodes, *force]:
        if name not in known:
            raise _unknown(name, request)
    graph = request.graph.upto(nodes) if nodes else request.graph
    steps: dict[str, Step] = {}
    codes: prints.Codes = {}
    for node in graph:
        project, recipe, memo = request.loaded.project, request.loaded.recipe, store.memo
        parts = prints.own_parts(
            node, project=project, memo=memo, codes=codes,
            strictness=recipe.library_versions,
        )  # fmt: skip
        steps[node.name] = _step(request, store, node, parts, steps, node.name in force)
    steps = _restore(steps, store, set(nodes) or wanted(request, steps))
    return Plan(tuple(steps.values()), steps)


def input_digests(node: Node, records: Mapping[str, Record]) -> list[Digest]:
    """The digests of a node's inputs, in order."""
    return [records[i.node].digest for i in node.inputs]


def fingerprint_of(step: Step, records: Mapping[str, Record]) -> Fingerprint:
    """The step's fingerprint once the records of its inputs are known."""
    return prints.fingerprint(step.own, input_digests(step.node, records))


def parts_with_inputs(step: Step, records: Mapping[str, Record]) -> dict[str, Any]:
    """The step's parts with its inputs' names and digests, as records keep them."""
    digests = [[i.node, records[i.node].digest] for i in step.node.inputs]
    return {**prints.shown(step.parts), "digests": digests}


def settled(step: Step, request: Request, store: Store, records: Mapping[str, Record]) -> Step:
    """The step with the reasons why it runs, now that the records of its inputs are known."""
    if step.status != "maybe":
        return step
    store.remembered(fingerprint_of(step, records))  # says whether it is a miss for a reason
    found = _reasons(request, store, step, records)
    return replace(step, reasons=tuple(found))


def _unknown(name: str, request: Request) -> RequestError:
    if name in request.loaded.recipe.evaluate.nodes:
        hint = f"mlrecipe evaluate {request.name}"
        return RequestError(f"{name!r} is an evaluation node, computed over predictions", hint=hint)
    return RequestError(f"no node {name!r}", hint=did_you_mean(name, request.graph.nodes))


def _step(
    request: Request, store: Store, node: Node, parts: Mapping[str, Any],
    before: Mapping[str, Step], is_named: bool,
) -> Step:  # fmt: skip
    own = prints.own_hash(parts)
    forced = is_named or node.spec.force
    step = Step(node=node, status="run", reasons=(), parts=parts, own=own, is_forced=forced)
    status, reasons, record = _judge(request, store, step, before)
    return Step(
        node=node, status=status, reasons=tuple(reasons), parts=parts, own=own, is_forced=forced,
        record=record,
    )  # fmt: skip


def _judge(
    request: Request, store: Store, step: Step, before: Mapping[str, Step]
) -> tuple[Status, list[str], Record | None]:
    if step.is_forced:
        return "run", ["forced"], None
    if not step.node.is_cached:
        return "run", ["never cached"], None
    waiting = [i.node for i in step.node.inputs if before[i.node].record is None]
    if not waiting:
        records = _records(step.node, before)
        record = store.remembered(fingerprint_of(step, records))
        if record is not None:
            return "hit", [f"unchanged since {record.created[:16].replace('T', ' ')} UTC"], record
        return "run", _reasons(request, store, step, records), None
    if store.has_own(step.own):
        return "maybe", [f"only if {_or(waiting)} gives something else"], None
    return "run", _differences(request, store, step, prints.shown(step.parts)), None


def wanted(request: Request, steps: Mapping[str, Step]) -> set[str]:
    """Nodes whose outputs are what preparing all is for: the last of the graph, and what stages load."""
    recipe = request.loaded.recipe
    used = {name.partition(".")[0] for name in (recipe.train.data, recipe.test.data)}
    inner = {i.node for step in steps.values() for i in step.node.inputs}
    return (set(steps) - inner) | (used & set(steps))


def _restore(steps: dict[str, Step], store: Store, wanted: Collection[str]) -> dict[str, Step]:
    """The steps with those run again whose stored output is gone or damaged and will be needed.

    An output that nothing needs may be gone: its digest, which names what depends on it, is on record.
    """
    needed = set(wanted)
    changed: dict[str, Step] = {}
    for name, planned in reversed(steps.items()):
        step = planned
        if step.status == "hit" and step.record is not None and name in needed:
            damage = store.damage(step.record)
            if damage:
                told = _quarantined(step.record.digest, store) if "is missing" in damage else ""
                reason = f"its stored output cannot be used ({told or damage})"
                step = replace(step, status="run", reasons=(reason,), record=None, lost=step.record)
        if step.status != "hit":
            needed.update(i.node for i in step.node.inputs)
        changed[name] = step
    return {name: changed[name] for name in steps}


def _reasons(
    request: Request, store: Store, step: Step, records: Mapping[str, Record]
) -> list[str]:
    """Why a step runs, once the records of its inputs are known."""
    fingerprint = fingerprint_of(step, records)
    if problem := store.faults.get(fingerprint) or _quarantined(fingerprint, store):
        return [f"its stored output cannot be used ({problem})"]
    return _differences(request, store, step, parts_with_inputs(step, records))


def _quarantined(name: str, store: Store) -> str:
    """What to say of something that was moved to the quarantine."""
    from mlrecipe.store import quarantine  # late: where all is well it is not needed

    return "it was damaged, and is in the quarantine" if quarantine.holds(name, store.paths) else ""


def _differences(request: Request, store: Store, step: Step, parts: Mapping[str, Any]) -> list[str]:
    latest = store.latest(request.name, step.node.name)
    found = differences(parts, latest.parts if latest else None, step.node.found.signature.qualname)
    return found or ["its record is not in the store any more"]


def _records(node: Node, before: Mapping[str, Step]) -> dict[str, Record]:
    return {i.node: record for i in node.inputs if (record := before[i.node].record) is not None}


def _or(names: list[str]) -> str:
    return " or ".join(dict.fromkeys(names))
