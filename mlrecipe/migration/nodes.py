"""A runway data pipeline as the nodes of a recipe."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mlrecipe.code.kinds import Kind
from mlrecipe.code.signatures import RESERVED
from mlrecipe.migration.components import carry, fits
from mlrecipe.migration.draft import Draft, is_toml
from mlrecipe.migration.known_ops import KNOWN
from mlrecipe.migration.ledger import DEAD, NONE, OURS, Ledger, Path
from mlrecipe.migration.pipeline import TRANSFORMS, Pipeline
from mlrecipe.migration.secrets import references
from mlrecipe.migration.wrappers import Arity, Wrapper, op_name
from mlrecipe.registry import registries

_DEAD_KEYS = (
    "DataPipelineLib", "DataPipelineClass", "do_inspect", "inspector_config", "dataloader_args", "cache_dir",
)  # fmt: skip


def carry_pipeline(pipeline: Pipeline) -> None:
    """Carry every transform of `data_pipeline` to a node."""
    ledger = pipeline.ledger
    for key in _DEAD_KEYS:
        ledger.drop("data_pipeline", key, why=DEAD)
    ledger.drop("data_pipeline", "name", why=f"{OURS}: it only named a cache folder")
    why = f"{NONE}: `mlrecipe prepare RECIPE NODE` runs some nodes only"
    ledger.drop("data_pipeline", "out_ops", why=why)
    _name_nodes(pipeline)
    for node in ledger.keys(*TRANSFORMS):
        if not ledger.is_settled((*TRANSFORMS, node)):
            _carry_node(pipeline, node)
    regenerate: Path = ("data_pipeline", "regenerate")
    if fits(ledger, regenerate, Kind("bool")) and ledger.get(*regenerate):
        for name in pipeline.draft.values.get("nodes", {}):
            if pipeline.draft.get(f"nodes.{name}.cache") is not False:
                pipeline.draft.set(f"nodes.{name}.force", True)
                ledger.take(*regenerate, to=f"nodes.{name}.force")
    why = f"{OURS}: nodes run again when something that they need changed"
    ledger.drop(*regenerate, why=why)


def in_order(nodes: Mapping[str, Any]) -> dict[str, Any]:
    """The nodes, each after those that it takes its inputs from."""
    found: dict[str, Any] = {}

    def add(name: str, above: tuple[str, ...]) -> None:
        if name in nodes and name not in found and name not in above:
            for needed in nodes[name].get("inputs", ()):
                add(needed, (*above, name))
            found[name] = nodes[name]

    for name in nodes:
        add(name, ())
    return found


def inputs_of(ledger: Ledger, node: str, *, at: Path = TRANSFORMS) -> list[str]:
    """The nodes whose outputs a node takes; `at` is the path of the pipeline's transforms."""
    given = ledger.get(*at, node, "input_node")
    return [str(name) for name in (given if isinstance(given, list) else [given]) if name]


def makes_batches(pipeline: Pipeline, node: str) -> bool:
    """Whether a node makes DataLoaders, which in mlrecipe is the task's work."""
    name = str(pipeline.ledger.get(*TRANSFORMS, node, "transform_name", default=""))
    found = pipeline.transforms.get(name)
    return "dataloader" in name.lower() or (found is not None and found.makes_loaders)


def _name_nodes(pipeline: Pipeline) -> None:
    ledger = pipeline.ledger
    taken: set[str] = set()
    for node in ledger.keys(*TRANSFORMS):
        role, _, name = node.rpartition(":")
        name = re.sub(r"[^\w-]+", "-", name, flags=re.ASCII).strip("-") or "node"
        if name in taken and role:
            name = f"{name}-{re.sub(r'[^A-Za-z0-9_]+', '-', role)}"
        unique, number = name, 1
        while unique in taken:
            number += 1
            unique = f"{name}-{number}"
        taken.add(unique)
        if makes_batches(pipeline, node):
            ledger.drop(*TRANSFORMS, node, why=f"{OURS}: the task makes the batches")
            unique = ""
        pipeline.names[node] = unique


def _carry_node(pipeline: Pipeline, node: str) -> None:
    ledger, path = pipeline.ledger, (*TRANSFORMS, node)
    transform = ledger.get(*path, "transform_name")
    if not isinstance(transform, str) or not transform:
        ledger.drop(*path, why=f"{NONE}: it names no transform")
        return
    to = f"nodes.{pipeline.names[node]}"
    pipeline.draft.comment(to, f"{node}: {transform}")
    if not ledger.get(*path, "setup_kwargs", default=True):
        ledger.leave(*path, "setup_kwargs", to=f"{to}.setup_kwargs")  # no parameters
    known = KNOWN.get(transform)
    pipeline.draft.set(f"{to}.use", "")  # first of its keys
    _carry_inputs(pipeline, node, to)
    if known is not None:
        known(pipeline, path, to)
    else:
        _carry_old(pipeline, path, to, transform, len(inputs_of(ledger, node)))
    use = pipeline.draft.get(f"{to}.use")
    ledger.take(*path, "transform_name", to=f"{to}.use", value=use)
    _carry_cache(ledger, pipeline.draft, path, to)
    ledger.drop(*path, "inspect", why=DEAD)
    ledger.drop(*path, "cache_dir", why=f"{OURS}: each run of an op has an empty folder of its own")
    why = f"{OURS}: a node runs when what it needs changed, and only then"
    ledger.drop(*path, "dont_check_input_cache", why=why)


def _carry_inputs(pipeline: Pipeline, node: str, to: str) -> None:
    ledger, path = pipeline.ledger, (*TRANSFORMS, node, "input_node")
    if not ledger.has(*path):
        return
    inputs = []
    for name in inputs_of(ledger, node):
        found = pipeline.names.get(name, name)
        if name not in pipeline.names:
            ledger.warn(f"node {node!r} takes its input from {name!r}, which is no node")
        elif not found:
            ledger.warn(f"node {node!r} takes its input from {name!r}, which is not carried")
        inputs.append(found or name)
    ledger.take(*path, to=f"{to}.inputs", value=inputs or None)
    if inputs:
        pipeline.draft.set(f"{to}.inputs", inputs)


def _carry_cache(ledger: Ledger, draft: Draft, path: Path, to: str) -> None:
    for old, new, default in (("cache", "cache", True), ("regenerate", "force", False)):
        if not fits(ledger, (*path, old), Kind("bool")):
            continue
        if ledger.get(*path, old) is default:
            ledger.leave(*path, old, to=f"{to}.{new}")
        elif draft.get(f"{to}.cache") is False:
            ledger.drop(*path, old, why=f"{OURS}: a node that is not kept runs every time")
        else:
            carry(ledger, (*path, old), draft, f"{to}.{new}")


def _carry_old(pipeline: Pipeline, path: Path, to: str, transform: str, inputs: int) -> None:
    """A node of a transform that mlrecipe has not: its op wraps the old class, or is still to be written."""
    ledger, draft = pipeline.ledger, pipeline.draft
    found = pipeline.transforms.get(transform)
    taken = {w.name for w in pipeline.wrappers.values()} | {*registries["op"].names()}
    wrapper = None
    if found is None:
        name = pipeline.missing.setdefault(
            transform, op_name(transform, taken | {*pipeline.missing.values()})
        )
    else:
        is_list = isinstance(ledger.get(*path, "input_node"), list) and inputs > 0
        arity: Arity = "many" if is_list else "one" if inputs else "none"
        wrapper = pipeline.wrappers.get((transform, arity))
        if wrapper is None:
            name = op_name(transform, taken)
            wrapper = Wrapper(found, arity, name, dict(found.settings))
            pipeline.wrappers[transform, arity] = wrapper
        name = wrapper.name
    draft.set(f"{to}.use", name)
    for key in ledger.keys(*path, "setup_kwargs"):
        _carry_setting(pipeline, (*path, "setup_kwargs", key), to, wrapper)


def _carry_setting(pipeline: Pipeline, path: Path, to: str, wrapper: Wrapper | None) -> None:
    ledger, key = pipeline.ledger, str(path[-1])
    value, _ = references(ledger.get(*path), key, {})
    if wrapper is None and "." in key:
        ledger.drop(*path, why=f"{NONE}: no op has a parameter of that name")
    elif wrapper is None:
        name = f"{key}_" if key in (*RESERVED, "scratch") else key
        carry(ledger, path, pipeline.draft, f"{to}.{name}")
    elif is_toml(value) and not wrapper.accept(key, value):
        where = f"{wrapper.transform.name}.setup"
        ledger.drop(*path, why=f"{NONE}: {where} has no such parameter")
    else:
        carry(ledger, path, pipeline.draft, f"{to}.{wrapper.parameter(key)}")
    pipeline.note_splits(value)
