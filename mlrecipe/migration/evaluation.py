"""A runway evaluation pipeline as the evaluation nodes of a recipe."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from mlrecipe.code.kinds import Kind
from mlrecipe.migration.components import carry
from mlrecipe.migration.draft import toml
from mlrecipe.migration.known_ops import KNOWN as DATA_OPS
from mlrecipe.migration.ledger import DEAD, NONE, OURS, Path
from mlrecipe.migration.nodes import inputs_of
from mlrecipe.migration.pipeline import Pipeline
from mlrecipe.migration.wrappers import op_name
from mlrecipe.registry import registries

PREDICTIONS = "predictions"

_TESTED: Path = ("eval", "pipeline_config")
_VALIDATED: Path = ("eval", "valid_eval_pipeline_config")
_BUILT: Path = ("eval", "test_eval_pipeline_config")
_DEAD_KEYS = (
    "DataPipelineLib", "DataPipelineClass", "do_inspect", "inspector_config", "dataloader_args", "cache_dir",
)  # fmt: skip
_PIPELINE = {
    **dict.fromkeys(_DEAD_KEYS, DEAD),
    "name": f"{OURS}: it only named a cache folder",
    "regenerate": f"{OURS}: an evaluation node runs again when what it needs changed",
    "out_ops": f"{NONE}: every evaluation node is computed",
}
_NODE = {
    "cache": f"{OURS}: results are kept, and run again when what they need changed",
    "regenerate": f"{OURS}: an evaluation node runs again when what it needs changed",
    "dont_check_input_cache": f"{OURS}: an evaluation node runs again when what it needs changed",
    "inspect": DEAD,
    "cache_dir": f"{OURS}: each run of an op has an empty folder of its own",
}
_SAVED = f"{OURS}: results are in the store, statistics among the run's metrics"
_FILES = f"{OURS}: predictions are in the folder of their run"
_LOST = f"{NONE}: what it takes is not carried over"


@dataclass(slots=True)
class _Graph:
    """An evaluation pipeline while it is carried over."""

    pipeline: Pipeline
    path: Path
    """Of its transforms."""

    taken: set[str]
    """Names that no further node may have."""

    other: _Graph | None = None
    """The pipeline of tests, for that of validations, which may have the same nodes."""

    names: dict[str, str] = field(default_factory=dict)
    """Node in runway → evaluation node or input that stands for it; empty where nothing does."""

    left: dict[str, str] = field(default_factory=dict)
    """Node that is left to the person → what it may be called."""

    made: list[str] = field(default_factory=list)
    """Evaluation nodes that there are for it."""


def carry_evaluation(pipeline: Pipeline) -> None:
    """Carry the evaluation pipelines of tests and of validations to `[evaluate]`."""
    ledger, draft = pipeline.ledger, pipeline.draft
    for key, why in _PIPELINE.items():
        ledger.drop(*_TESTED, key, why=why)
        ledger.drop(*_VALIDATED, key, why=why)
    ledger.drop(*_BUILT, why=f"{DEAD}: it was built, and never run")
    ledger.drop("eval", "eval_op_name", why=DEAD)
    taken = {
        *pipeline.names.values(),
        *registries["metric"].names(),
        "loss",
        PREDICTIONS,
        "validation",
    }
    tested = _Graph(pipeline, (*_TESTED, "transforms"), taken)
    validated = _Graph(pipeline, (*_VALIDATED, "transforms"), taken, tested)
    for graph in (tested, validated):
        for node in ledger.keys(*graph.path):
            _stand_in(graph, node, ())
    if draft.get("evaluate.nodes"):
        draft.set("evaluate.validation", list(dict.fromkeys(validated.made)))
        text = "Evaluation nodes that run after each validation too, over its predictions."
        draft.comment("evaluate.validation", text)


def _stand_in(graph: _Graph, node: str, above: tuple[str, ...]) -> str:
    """Carry a node, after those that it takes its inputs from; what stands for it in the recipe."""
    ledger, path = graph.pipeline.ledger, (*graph.path, node)
    if node in above or not ledger.has(*path):
        what = "itself" if node in above else "no node"
        ledger.warn(f"evaluation node {above[-1]!r} takes its input from {node!r}, which is {what}")
        return ""
    if node not in graph.names:
        needed = inputs_of(ledger, node, at=graph.path)
        inputs = [_stand_in(graph, name, (*above, node)) for name in needed]
        transform = ledger.get(*path, "transform_name")
        if isinstance(transform, str) and transform:
            graph.names[node] = KNOWN.get(transform, _own)(graph, node, inputs)
        else:
            graph.names[node] = ""
            ledger.drop(*path, why=f"{NONE}: it names no transform")
    return graph.names[node]


def _recorder(graph: _Graph, node: str, inputs: Sequence[str]) -> str:
    """The predictions of a test, or of its first rows; in a validation the recorder was handed in as it was."""
    ledger, kwargs = graph.pipeline.ledger, (*graph.path, node, "setup_kwargs")
    is_open = graph.other is None and not inputs
    if is_open and _names_another(graph, kwargs):
        hint = 'inputs = ["run:ID"] are the predictions of another run'
        ledger.warn(f"{node!r} read a recorder of its own: {hint}")
        for key in ("base_dir", "eval_record_name"):
            ledger.drop(*kwargs, key, why=f"{NONE}: {hint}")
    count = ledger.get(*kwargs, "keep_top_n")
    if is_open and type(count) is int and count > 0:
        to = _begin(graph, node, "select", [PREDICTIONS])
        carry(ledger, (*kwargs, "keep_top_n"), graph.pipeline.draft, f"{to}.first", Kind("int"))
        _end(graph, node, _FILES)
        return graph.made[-1]
    if not is_open:
        ledger.drop(*kwargs, why=f"{DEAD}: it was given a recorder, and passed it on")
    ledger.drop(*graph.path, node, why=f"{OURS}: it is the input `{PREDICTIONS}`")
    return inputs[0] if inputs else PREDICTIONS


def _names_another(graph: _Graph, kwargs: Path) -> bool:
    given = graph.pipeline.ledger.get(*kwargs, default={})
    table = given if isinstance(given, Mapping) else {}
    name = table.get("eval_record_name", "test-evaluation")
    return bool(table.get("base_dir")) or name != "test-evaluation"


def _merge(graph: _Graph, node: str, inputs: Sequence[str]) -> str:
    ledger, path = graph.pipeline.ledger, (*graph.path, node)
    distinct = list(dict.fromkeys(filter(None, inputs)))
    if len(distinct) < 2:
        _miss(graph, node, inputs)
        ledger.drop(*path, why=_SAVED if distinct else _LOST)
        return distinct[0] if distinct else ""
    to = _begin(graph, node, "merge-predictions", distinct)
    _miss(graph, node, inputs)
    graph.pipeline.draft.set(f"{to}.suffixes", [f"-{name}" for name in distinct[1:]])
    text = "What differs under one name gets the suffix of its input; runway kept one of them only."
    graph.pipeline.draft.comment(to, text)
    for key in ("base_dir", "save_recorder"):
        ledger.drop(*path, "setup_kwargs", key, why=DEAD)
    _end(graph, node, _SAVED)
    return graph.made[-1]


def _bleu(graph: _Graph, node: str, inputs: Sequence[str]) -> str:
    ledger, draft = graph.pipeline.ledger, graph.pipeline.draft
    path, kwargs = (*graph.path, node), (*graph.path, node, "setup_kwargs")
    found = [name for name in inputs if name][:1]
    if not found:
        ledger.drop(*path, why=_LOST)
        return ""
    if len(inputs) > 1:
        why = f"{NONE}: bleu takes one input, of which the references are a column"
        ledger.drop(*path, "input_node", why=why)
    to = _begin(graph, node, "bleu", found)
    for key, new in (("pred_field", "prediction"), ("ref_field", "reference")):
        if carry(ledger, (*kwargs, key), draft, f"{to}.{new}", Kind("str")):
            text = "name columns as the old executor logged them; see what `mlrecipe inspect` shows"
            ledger.warn(f"evaluation nodes {text} of predictions")
    texts = Kind("list", (Kind("str"),))
    if ledger.get(*kwargs, "special_tokens_to_remove"):
        carry(ledger, (*kwargs, "special_tokens_to_remove"), draft, f"{to}.remove", texts)
    else:
        ledger.leave(*kwargs, "special_tokens_to_remove", to=f"{to}.remove")
    draft.set(f"{to}.column", "sentence_bleu")
    text = "`pred_corpus_bleu_score` is called `bleu`, `avg_sentence_bleu` is `mean_sentence_bleu`."
    draft.comment(to, text)
    ledger.drop(*kwargs, "inp_field", why=DEAD)
    _end(graph, node, f"{NONE}: the op bleu has no such parameter")
    return graph.made[-1]


def _without(why: str) -> Callable[[_Graph, str, Sequence[str]], str]:
    """For a node that gave its input on as it was."""

    def pass_on(graph: _Graph, node: str, inputs: Sequence[str]) -> str:
        graph.pipeline.ledger.drop(*graph.path, node, why=why)
        return inputs[0] if inputs else ""

    return pass_on


def _own(graph: _Graph, node: str, inputs: Sequence[str]) -> str:
    """A transform that mlrecipe has not: an old class cannot work on a recorder of mlrecipe."""
    ledger, draft = graph.pipeline.ledger, graph.pipeline.draft
    transform = str(ledger.get(*graph.path, node, "transform_name"))
    if transform in DATA_OPS:
        why = f"{NONE}: make it a node of [nodes], which evaluation nodes may take too"
        ledger.drop(*graph.path, node, why=why)
        return ""
    needed = inputs_of(ledger, node, at=graph.path)
    shown = [new or graph.left.get(old, old) for old, new in zip(needed, inputs, strict=True)]
    name = graph.left[node] = _name(graph, node)
    to, use = f"evaluate.nodes.{name}", op_name(transform, registries["op"].names())
    first = f"{node}: {transform}. With an op of your own for it, which takes a Recorder, add:"
    if to not in draft.comments:
        lines = (f"[{to}]", f"use = {toml(use)}", f"inputs = {toml(shown)}")
        draft.comment(to, first, *lines)
    why = "its op is to be written, see docs/how-to/evaluate.md; `mlrecipe list ops` has others"
    ledger.drop(*graph.path, node, why=f"{NONE}: {why}")
    ledger.warn(f"there is no op in place of {transform}: [{to}] is left to you")
    return ""


def _begin(graph: _Graph, node: str, use: str, inputs: list[str]) -> str:
    """Begin an evaluation node; its key in the recipe."""
    ledger, draft, path = graph.pipeline.ledger, graph.pipeline.draft, (*graph.path, node)
    transform = ledger.get(*path, "transform_name")
    name = _name(graph, node, inputs)
    graph.made.append(name)
    to = f"evaluate.nodes.{name}"
    draft.comments.pop(to, None)  # said already, for the tests
    draft.comment(to, f"{node}: {transform}")
    draft.set(f"{to}.use", use)
    draft.set(f"{to}.inputs", inputs)
    ledger.take(*path, "transform_name", to=f"{to}.use", value=use)
    if ledger.has(*path, "input_node") and not ledger.is_settled((*path, "input_node")):
        ledger.take(*path, "input_node", to=f"{to}.inputs", value=inputs)
    if not ledger.get(*path, "setup_kwargs", default=True):
        ledger.leave(*path, "setup_kwargs", to=f"{to}.setup_kwargs")  # no parameters
    return to


def _end(graph: _Graph, node: str, why: str) -> None:
    """Drop what is left of a node; `why` is of its parameters."""
    ledger, path = graph.pipeline.ledger, (*graph.path, node)
    for key, reason in _NODE.items():
        ledger.drop(*path, key, why=reason)
    ledger.drop(*path, "setup_kwargs", why=why)


def _name(graph: _Graph, node: str, inputs: Sequence[str] = ()) -> str:
    """A name for a node: that of the same node of the tests, if it takes and does the same."""
    if graph.other is not None and _is_same(graph, node, inputs):
        return graph.other.names[node] or graph.other.left[node]
    plain = re.sub(r"[^\w-]+", "-", node.rpartition(":")[2], flags=re.ASCII).strip("-") or "node"
    wanted = name = f"{plain}-valid" if graph.other and plain in graph.taken else plain
    number = 1
    while name in graph.taken:
        number += 1
        name = f"{wanted}-{number}"
    graph.taken.add(name)
    return name


def _is_same(graph: _Graph, node: str, inputs: Sequence[str]) -> bool:
    other, ledger, draft = graph.other, graph.pipeline.ledger, graph.pipeline.draft
    if other is None or not (other.names.get(node) in other.made or node in other.left):
        return False
    keys = ("transform_name", "setup_kwargs", "input_node")
    one, two = ([ledger.get(*each.path, node, key) for key in keys] for each in (graph, other))
    made = draft.get(f"evaluate.nodes.{other.names[node]}.inputs")
    return one == two and (node in other.left or made == list(inputs))


def _miss(graph: _Graph, node: str, inputs: Sequence[str]) -> None:
    """Say which of the inputs of a node are not there."""
    needed = inputs_of(graph.pipeline.ledger, node, at=graph.path)
    for old, new in zip(needed, inputs, strict=True):
        if not new:
            text = f"evaluation node {node!r} takes its input from {old!r}, which is not carried"
            graph.pipeline.ledger.warn(text)


KNOWN: Mapping[str, Callable[[_Graph, str, Sequence[str]], str]] = {
    "ComputeBLEU": _bleu,
    "DisplayEvalResults": _without(f"{OURS}: `mlrecipe inspect NODE --rows 5` shows a result"),
    "DummyTransform": _without(f"{OURS}: it gave its input on as it was"),
    "GetEvaluationRecorder": _recorder,
    "InsertBreakpoint": _without(f"{NONE}: put the op `breakpoint` there if you want a prompt"),
    "MergeAllEvalRecorderAndSave": _merge,
    "UploadEvalRecorderToWandb": _without(f"{OURS}: the loggers of [train.loggers] get metrics"),
}
"""Transforms of runway itself in evaluation pipelines → what becomes of a node."""
