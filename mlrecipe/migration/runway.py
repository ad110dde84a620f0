"""`import runway`: an evaluated runway configuration as a recipe."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlrecipe.code.kinds import Kind
from mlrecipe.errors import RequestError
from mlrecipe.migration import fitting, wrappers
from mlrecipe.migration.components import carry, fits
from mlrecipe.migration.draft import Draft
from mlrecipe.migration.evaluation import carry_evaluation
from mlrecipe.migration.ledger import DEAD, NONE, OURS, Dropped, Ledger
from mlrecipe.migration.nodes import carry_pipeline, in_order, inputs_of
from mlrecipe.migration.old_ops import Transform
from mlrecipe.migration.pipeline import TRANSFORMS, Pipeline
from mlrecipe.migration.wrappers import Wrapper

_SECTIONS = (
    "name",
    "seed",
    "limit",
    "plugins",
    "nodes",
    "model",
    "task",
    "train",
    "test",
    "evaluate",
)
_DUMMY_ROWS = 10
_DEAD_META = (
    "DATA_FOLDER", "TENSORBOARD_FOLDER", "platform_type", "ignore_pretrained_weights", "cuda", "gpu_device",
)  # fmt: skip
_TOP = {
    "test_suffix": f"{DEAD}: the command line's value always wins",
    "tag": f"{NONE}: a run is named after its recipe",
    "exp_version": f"{OURS}: every `train` starts a run of its own",
    "mode": f"{NONE}: it is the command: prepare, train, test",
    "reset": f"{NONE}: runs are never overwritten",
    "override": f"{NONE}: runs are never overwritten",
    "args": f"{NONE}: arguments of the command line are not part of a recipe",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A configuration as a recipe."""

    text: str
    """The recipe."""

    dropped: list[Dropped]
    warnings: list[str]
    ledger: Ledger
    """What became of every key."""

    wrappers: list[Wrapper] = field(default_factory=list)
    """The ops that the recipe needs and that run old transforms."""


def convert(
    values: Mapping[str, Any],
    *,
    file: str,
    transforms: Mapping[str, Transform] | None = None,
    plugin: str = wrappers.FILE,
) -> Imported:
    """The recipe that says what a runway configuration says, as far as that can be said.

    Args:
        values: the evaluated configuration.
        file: its name, for the comment at the top.
        transforms: classes of the old project; None when it was not given.
        plugin: path of the file of wrapped ops from the recipe's folder.

    Raises:
        RequestError: it is no configuration of runway.
    """
    if not isinstance(values.get("data_pipeline"), Mapping):
        message = f"{file}: this is no configuration of runway: it has no table data_pipeline"
        hint = "give the evaluated one: jsonnet config.jsonnet > config.json"
        raise RequestError(message, hint=hint)
    ledger, draft = Ledger(values), Draft()
    _top(ledger, draft, Path(file).stem)
    pipeline = Pipeline(ledger, draft, transforms or {})
    carry_pipeline(pipeline)
    fitting.carry_model(ledger, draft, tokenizer=pipeline.tokenizer)
    _data(pipeline)
    fitting.carry_training(ledger, draft)
    fitting.carry_test(ledger, draft)
    carry_evaluation(pipeline)
    _plugins(pipeline, plugin)
    draft.values = in_sections(draft.values)
    dropped = ledger.close(draft.values)
    head = [f"Made from {file} by `mlrecipe import runway`.", *_to_do(draft, ledger)]
    return Imported(
        text=draft.text(head, dropped), dropped=dropped, warnings=ledger.warnings, ledger=ledger,
        wrappers=list(pipeline.wrappers.values()),
    )  # fmt: skip


def slug(name: str) -> str:
    """A name that is easy to type and safe in file names."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "recipe"


def carry_name(ledger: Ledger, draft: Draft, key: str, fallback: str) -> None:
    """Carry the name of the experiment; without one it is that of the file."""
    draft.set("name", slug(fallback))
    if ledger.get(key) and fits(ledger, (key,), Kind("str")):
        draft.set("name", slug(ledger.get(key)))
        ledger.take(key, to="name", value=draft.get("name"))


def _top(ledger: Ledger, draft: Draft, fallback: str) -> None:
    carry_name(ledger, draft, "experiment_name", fallback)
    carry(ledger, ("meta", "seed"), draft, "seed", Kind("int"))
    is_dummy = ledger.get("use_dummy_data")
    if fits(ledger, ("use_dummy_data",), Kind("bool")):
        ledger.take("use_dummy_data", to="limit", value=_DUMMY_ROWS if is_dummy else None)
    if is_dummy is True:
        draft.set("limit", _DUMMY_ROWS)
        ledger.warn(f"use_dummy_data has become limit = {_DUMMY_ROWS}: rows of each source split")
    for key, why in _TOP.items():
        ledger.drop(key, why=why)
    for key in _DEAD_META:
        ledger.drop("meta", key, why=DEAD)
    ledger.drop("meta", "EXPERIMENT_FOLDER", why=f"{OURS}: runs are in runs/")
    ledger.drop("meta", "default_cache_dir", why=f"{OURS}: results are kept in .mlrecipe/store")
    ledger.drop("meta", "use_versioning", why=f"{OURS}: every `train` starts a run of its own")
    why = f"{OURS}: the tokenizer is that of the node and of the checkpoint"
    ledger.drop("tokenizer_config", why=why)


def _data(pipeline: Pipeline) -> None:
    """`train.data`: the node that the executor took, or that which its DataLoaders were made of."""
    ledger, draft = pipeline.ledger, pipeline.draft
    wanted = ledger.get("executor", "init_kwargs", "use_data_node")
    node = wanted if isinstance(wanted, str) else None
    if node is None:
        outputs = [n for n in ledger.keys(*TRANSFORMS) if n.startswith("output:")]
        node = outputs[0] if len(outputs) == 1 else None
    if node is not None and pipeline.names.get(node) == "":
        inputs = inputs_of(ledger, node)
        node = inputs[0] if len(inputs) == 1 else None
    found = pipeline.names.get(node or "")
    if not found:
        ledger.warn("it cannot be told which node is trained on: set train.data")
    elif "model" in draft.values:
        draft.set("train.data", found)
        if wanted is not None:
            ledger.take("executor", "init_kwargs", "use_data_node", to="train.data", value=found)
    else:  # with it the recipe would have to say what to train
        draft.comment("train", f'With [model] and [task] there, add: data = "{found}"')
        why = f"{NONE}: without a [model] nothing can be trained; then it is train.data"
        ledger.drop("executor", "init_kwargs", "use_data_node", why=why)
    if len(pipeline.valid_splits) == 1 and pipeline.valid_splits != {"valid"}:
        draft.set("train.valid_split", next(iter(pipeline.valid_splits)))
    why = f"{NONE}: it was read by the executor's own code; [model] and [task] say what it did"
    ledger.drop("executor", why=why)


def _plugins(pipeline: Pipeline, plugin: str) -> None:
    if pipeline.wrappers:
        pipeline.draft.set("plugins", [plugin])
    for transform, name in pipeline.missing.items():
        pipeline.ledger.warn(
            f"there is no op {name!r} yet, in place of {transform}: name the folder of the old ops"
            " with --ops, or write it"
        )


def _to_do(draft: Draft, ledger: Ledger) -> list[str]:
    lines = [f"- {warning}" for warning in ledger.warnings]
    missing = [table for table in ("model", "task") if table not in draft.values]
    lines += [f"- there is no [{t}] yet: see docs/how-to/own-components.md" for t in missing]
    return ["", "Left to you:", *lines] if lines else []


def in_sections(values: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe's tables and nodes in the order in which they are read."""
    found = {key: values[key] for key in _SECTIONS if key in values}
    if "nodes" in found:
        found["nodes"] = in_order(found["nodes"])
    if "evaluate" in found:
        found["evaluate"] = {**found["evaluate"], "nodes": in_order(found["evaluate"]["nodes"])}
    return found
