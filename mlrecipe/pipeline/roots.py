"""Roots: the results that a project needs, those of its recipes and runs and what they were made from."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from mlrecipe.errors import MlrecipeError, RequestError
from mlrecipe.graph.evaluation import READS
from mlrecipe.interfaces import Digest, Fingerprint
from mlrecipe.pipeline import derived, pieces, shards
from mlrecipe.pipeline import evaluation as judged
from mlrecipe.pipeline.plan import Plan, Step, fingerprint_of, plan
from mlrecipe.pipeline.request import open_request
from mlrecipe.recipe import evaluation
from mlrecipe.recipe.compose import Composed, compose
from mlrecipe.recipe.keys import table_at
from mlrecipe.recipe.layers import merge
from mlrecipe.runs import run as runs
from mlrecipe.runs.run import Run
from mlrecipe.store.gc import FindRoots, Roots
from mlrecipe.store.store import Store
from mlrecipe.store.usage import Census, NodeKey, census, inputs, whole

INPUTS = "inputs.json"


def finder(store: Store, project: Path, *, keep_runs: int | None = None) -> FindRoots:
    """What says, of what is in the store, what a gc has to leave, with the reason.

    What the recipes of the project use as they stand, and the newest result of every node that they have;
    what runs name as their inputs, and what their predictions were evaluated to; what is pinned; and the
    results that any of these were made from. In a store that does not lie in the project, recipes that the
    project does not have may be those of another one: they count as there.

    Args:
        store: the store.
        project: root of the project.
        keep_runs: how many runs count, the newest first; None for all. One that is going on always does.
    """
    nodes = _Nodes(project)
    used: dict[Fingerprint, str] | None = None

    def find(found: Census) -> Roots:
        nonlocal used
        if used is None:
            used = {
                fingerprint: f"{recipe} uses it for {node}"
                for (recipe, node), prints in current(store, project, found).items()
                for fingerprint in prints
            }
        return _roots(found, project, keep_runs, nodes, used)

    return find


def run_inputs(
    project: Path, *, keep: int | None = None
) -> Iterator[tuple[str, list[tuple[Fingerprint, Digest]]]]:
    """Run → fingerprint and digest of every result that it was made from, the newest run first."""
    for number, run in enumerate(runs.every(project)):
        if keep is None or number < keep or run.status == "running":
            yield run.id, list(_inputs(run))


def to_compute(
    store: Store, project: Path, lost: Iterable[NodeKey], prints: Collection[Fingerprint] = ()
) -> list[NodeKey]:
    """What preparing the project's recipes, as they stand, has to run of these nodes and computations."""
    nodes = {(recipe, whole(node)) for recipe, node in lost}
    names = {recipe for recipe, _ in nodes}
    if prints:  # whoever made them: what recipes need goes by fingerprint
        names.update(_recipes(project), (recipe for recipe, _ in census(store).newest))
    return [
        (name, step.node.name)
        for name, planned in _plans(store, project, names)
        for step in planned.steps
        if step.status != "hit"
        and ((name, step.node.name) in nodes or _fingerprint(step, planned) in prints)
    ]


def missed(store: Store, project: Path, prints: Collection[Fingerprint]) -> set[Fingerprint]:
    """Those of the results, whose outputs are gone, that preparing the project's recipes computes again."""
    names = {*_recipes(project), *(recipe for recipe, _ in census(store).newest)} if prints else ()
    return {
        step.lost.fingerprint
        for _, planned in _plans(store, project, names)
        for step in planned.steps
        if step.lost is not None and step.lost.fingerprint in prints
    }


def current(store: Store, project: Path, found: Census) -> dict[NodeKey, list[Fingerprint]]:
    """The results that recipes use as they stand, also ones that never ran; one with mistakes uses none."""
    names = {*_recipes(project), *(recipe for recipe, _ in found.newest)}
    return {
        (name, step.node.name): used
        for name, planned in _plans(store, project, names)
        for step in planned.steps
        if (used := _used(step, planned))
    }


def known_nodes(store: Store, project: Path) -> set[str]:
    """Names of nodes that the store has results of, or that the project's recipes have."""
    stored = {whole(node) for _, node in census(store).newest}
    return stored.union(*(_nodes(project / name, project) or () for name in _recipes(project)))


def recipes_gone(found: Census, project: Path) -> set[str]:
    """Recipes that have results and are not in the project."""
    return {name for name, _ in found.newest if not (project / name).is_file()}


def _roots(
    found: Census, project: Path, keep_runs: int | None, nodes: _Nodes,
    used: Mapping[Fingerprint, str],
) -> Roots:  # fmt: skip
    records: dict[Fingerprint, str] = {}
    objects: dict[Digest, str] = {}
    for name, named in run_inputs(project, keep=keep_runs):
        for fingerprint, digest in named:
            records.setdefault(fingerprint, f"run {name}")
            objects.setdefault(digest, f"run {name}")
    is_shared = not found.paths.root.is_relative_to(project)
    superfluous, stale = pieces.superfluous(found), pieces.stale(found)
    for key, fingerprint in found.newest.items():
        is_current = fingerprint not in superfluous and key not in stale
        if is_current and nodes.has(*key, otherwise=is_shared):
            records[fingerprint] = f"the newest of {key[1]}"
    records.update(used)
    records.update(dict.fromkeys(found.pins & set(found.entries), "pinned"))
    _add_inputs(records, found)
    return Roots(records=records, objects=objects, superfluous=superfluous)


def _fingerprint(step: Step, planned: Plan) -> Fingerprint | None:
    """A step's fingerprint, where it is known what its inputs give."""
    before = {i.node: planned.by_node[i.node].known for i in step.node.inputs}
    known = {node: record for node, record in before.items() if record is not None}
    return fingerprint_of(step, known) if len(known) == len(before) else None


def _used(step: Step, planned: Plan) -> list[Fingerprint]:
    """The result of a step, or those of its shards with which it would go on."""
    if step.record is not None:
        return [step.record.fingerprint]
    needed = {i.node: planned.by_node[i.node].record for i in step.node.inputs}
    known = {node: record for node, record in needed.items() if record is not None}
    if not known or len(known) < len(needed):
        return []
    return [shards.fingerprint(step, known, shard) for shard in shards.shards_of(step, known)]


def _recipes(project: Path) -> list[str]:
    paths = [*project.glob("*.toml"), *(project / "recipes").rglob("*.toml")]
    return [path.relative_to(project).as_posix() for path in paths]


def _plans(store: Store, project: Path, names: Iterable[str]) -> Iterator[tuple[str, Plan]]:
    """The plan of each of these recipes, as it stands; none of those with mistakes."""
    for name in sorted(names):
        with suppress(MlrecipeError):
            request = open_request(project / name, here=project, memo=store.memo, name=name)
            yield name, plan(request, store)


class _Nodes:
    """Which nodes the recipes of a project have, each read once."""

    def __init__(self, project: Path) -> None:
        self._project = project
        self._known: dict[str, set[str] | None] = {}

    def has(self, recipe: str, node: str, *, otherwise: bool) -> bool:
        """Whether the recipe has that node, in whatever variant; `otherwise` when there is no such recipe."""
        path = self._project / recipe
        if not path.is_file():
            return otherwise
        if recipe not in self._known:
            self._known[recipe] = _nodes(path, self._project)
        names = self._known[recipe]
        name = whole(node)  # of one of several test splits it is `dev/slices`
        return names is None or name in names or name.rpartition("/")[2] in names


def _nodes(path: Path, project: Path) -> set[str] | None:
    """The nodes of a recipe and of each of its variants; None when that cannot be told."""
    try:
        plain = compose(path, (), here=project, project=project)
        groups = plain.variants.groups.values()
        picks = [f"{group.name}={option}" for group in groups for option in group.options]
        variants = [compose(path, [pick], here=project, project=project) for pick in picks]
    except RequestError:
        return None
    if not all(composed.is_readable for composed in [plain, *variants]):
        return None
    return {name for composed in [plain, *variants] for name in _named(composed)}


def _named(composed: Composed) -> Iterator[str]:
    for layer in composed.layers:
        yield from table_at(layer.values, ("nodes",))
        if judges := table_at(layer.values, evaluation.NODES):
            yield from (*judges, evaluation.PREDICTIONS, evaluation.VALIDATION)
    yield from derived.names_wanted(merge(composed.layers).values)


def _inputs(run: Run) -> Iterator[tuple[Fingerprint, Digest]]:
    """What a run was made from, and what its predictions were evaluated to."""
    try:
        named = json.loads((run.folder / INPUTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        named = None
    found = [*(named.values() if isinstance(named, dict) else ()), *judged.of(run).values()]
    for facts in found:
        if isinstance(facts, dict) and "fingerprint" in facts and "digest" in facts:
            yield Fingerprint(str(facts["fingerprint"])), Digest(str(facts["digest"]))


def _add_inputs(records: dict[Fingerprint, str], found: Census) -> None:
    """Add the results that those in `records` were made from, and what these were made from."""
    waiting = [fingerprint for fingerprint in records if fingerprint in found.entries]
    while waiting:
        fingerprint = waiting.pop()
        record = found.entries[fingerprint].record
        for node, digest in inputs(record):
            source = _source(found, record.recipe, node, digest)
            if source is None or source in records:
                continue
            if found.entries[source].record.op != READS:  # else the run's file has it
                records[source] = f"an input of {record.node}"
                waiting.append(source)


def _source(found: Census, recipe: str, node: str, digest: Digest) -> Fingerprint | None:
    """The record that gave an input: of the same node if there is one, the newest of several."""
    entries = [found.entries[f] for f in found.holders.get(digest, ())]
    if not entries:
        return None
    best = max(
        entries,
        key=lambda e: ((e.record.recipe, e.record.node) == (recipe, node), e.record.created),
    )
    return best.record.fingerprint
