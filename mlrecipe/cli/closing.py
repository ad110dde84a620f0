"""The end of a command that trained or tested: metrics, where everything is, and what to do next."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlrecipe.cli import render, reported
from mlrecipe.cli.amounts import tested
from mlrecipe.cli.session import Session
from mlrecipe.pipeline import evaluation
from mlrecipe.recipe.project import shown
from mlrecipe.runs import loading, results
from mlrecipe.runs.facts import numbers
from mlrecipe.runs.run import Run

_LINES = 40
"""Lines of a command that goes well, in all; the tables of a test take what is left of them."""

_MOST = 8
"""Lines for the metrics of evaluation nodes."""

_WIDTH = 80
"""Characters of one of them, its name left out."""

_REPORT = "report"
"""How the line of a test's report begins; where its tables do not fit it says how to see them."""


def close(session: Session, runs: Sequence[Run], *, as_json: bool) -> None:
    """The closing table: metrics, and where everything is."""
    if as_json:
        render.document([_facts(run, session.project) for run in runs])
        return
    of_nodes = [_of_nodes(run) for run in runs]
    own = [{name: value for name, value in metrics(run).items() if name not in found}
           for run, found in zip(runs, of_nodes, strict=True)]  # fmt: skip
    blocks = [_numbers(list(map(render.metrics, own))), _some(runs[-1], of_nodes[-1])]
    if any(blocks):
        render.out()
    for line in [line for block in blocks for line in render.columns(block)]:
        render.out(line)
    places = [place for run in runs for place in _places(run, session.here)]
    if len(runs) > 1:  # the place of its model says where the training is
        places = [(name, place) for name, place in places if name != "run"]
    places += _next(runs[-1], session)
    if render.written() + len(places) >= _LINES:  # predicting is what comes next
        places = [place for place in places if place != ("next", _page(runs[-1]))]
    if not reported.show(runs[-1], lines=_LINES - render.written() - len(places) - 1):
        seen = f"; its tables: mlrecipe runs show {runs[-1].id}"
        places = [(name, place + seen * (name == _REPORT)) for name, place in places]
    render.out()
    for line in render.columns(places):
        render.out(line)


def _numbers(each: Sequence[Sequence[Sequence[str]]]) -> list[Sequence[str]]:
    """The metrics of runs, one below the other; those of a training and its test side by side, if alike."""
    names = [[name.partition("/")[2] for name, _ in found] for found in each]
    if len(each) == 2 and names[0] == names[1]:
        return [(*first, *second) for first, second in zip(*each, strict=True)]
    return [pair for found in each for pair in found]


def _places(run: Run, here: Path) -> list[tuple[str, str]]:
    folder = shown(run.folder, here=here)
    if run.facts["stage"] == "test":
        return [("tested", tested(run)), *(files(run, folder) or [("run", folder)])]
    facts = run.facts
    speed = f"{facts['examples_per_second']:,.0f} examples/s"
    is_module = "batch_fill" not in facts
    if not is_module:
        speed += f", batches {facts['batch_fill']:.0%} full"
    is_theirs = loading.kind_of(run.folder / "checkpoints" / "best") == "transformers"
    kind = " (a Hugging Face model folder)" if is_theirs and not is_module else ""
    return [
        ("trained", f"{facts['stopped']} in {render.duration(facts['seconds'])}, {speed}"),
        ("run", folder),
        ("model", f"{folder}/checkpoints/best{kind}"),
    ]


def files(run: Run, folder: str) -> list[tuple[str, str]]:
    """What a test left in its folder: predictions, the report of them, what evaluation nodes came to."""
    found = _predictions(run, folder)
    is_judged = bool(found) and (run.folder / evaluation.FILE).is_file()
    if is_judged and len(found) == 1:
        found = [(name, f"{place}, with {evaluation.FILE}") for name, place in found]
    elif is_judged:
        found.append(("evaluation", f"{folder}/{evaluation.FILE}"))
    if found and (run.folder / reported.FILE).is_file():
        found.append((_REPORT, f"{folder}/{reported.FILE}"))
    return found


def _of_nodes(run: Run) -> dict[str, float]:
    """Those of a run's metrics that its evaluation nodes gave, after the test or after the validation."""
    if run.facts["stage"] == "test":
        return evaluation.metrics_in(run, metrics(run))
    nodes = results.recipe_of(run).get("evaluate", {}).get("nodes", {})
    found = metrics(run).items()
    return {
        name: value for name, value in found if name.partition("/")[2].partition("/")[0] in nodes
    }


def amounts(found: Mapping[str, float]) -> list[Sequence[str]]:
    """Metrics of evaluation nodes, a line for each node: `test/slices` and `value 0.9012, worst 0.8123`."""
    nodes: dict[str, list[str]] = {}
    for name, value in found.items():
        start, node, *rest = name.split("/")
        is_count = value.is_integer() and abs(value) >= 2
        amount = f"{value:,.0f}" if is_count else f"{value:.4f}"
        nodes.setdefault(f"{start}/{node}", []).append(f"{'/'.join(rest)} {amount}".strip())
    return [(name, _shortened(texts)) for name, texts in nodes.items()]


def _shortened(texts: Sequence[str]) -> str:
    """As many of the texts as a line has room for."""
    ends = [len(", ".join(texts[: count + 1])) for count in range(len(texts))]
    room = max(1, sum(end <= _WIDTH for end in ends))
    more = f", … {len(texts) - room} more" if room < len(texts) else ""
    return ", ".join(texts[:room]) + more


def _some(run: Run, found: Mapping[str, float]) -> list[Sequence[str]]:
    """The same of a run; where there are many nodes, of some of them."""
    rows = amounts(found)
    if len(rows) <= _MOST:
        return rows
    more = f"… {len(rows) - _MOST + 1:,} more"
    return [*rows[: _MOST - 1], (more, f"mlrecipe runs show {run.id}")]


def _predictions(run: Run, folder: str) -> list[tuple[str, str]]:
    """Where the predictions are, of each split; those that have no labels are told apart."""
    splits = list(run.facts.get("splits") or [run.facts.get("split")])
    several = len(splits) > 1
    files = [f"predictions-{name}.arrow" if several else "predictions.arrow" for name in splits]
    unlabelled = run.facts.get("unlabelled", ())
    return [
        ("predictions", f"{folder}/{file}" + ": no labels, no metrics" * (name in unlabelled))
        for name, file in zip(splits, files, strict=True) if (run.folder / file).is_file()
    ]  # fmt: skip


def _facts(run: Run, project: Path) -> dict[str, Any]:
    return {
        "run": run.id,
        "stage": run.facts["stage"],
        "folder": run.folder.relative_to(project).as_posix(),
        "metrics": metrics(run),
    }


def metrics(run: Run) -> dict[str, float]:
    """The numbers of a run's `metrics.json`; none where it cannot be read."""
    try:
        found = json.loads((run.folder / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return numbers(found) if isinstance(found, dict) else {}


def _next(run: Run, session: Session) -> list[tuple[str, str]]:
    """The commands that use what a run has made, if there are any."""
    name = shlex.quote(session.shown)
    if run.facts["stage"] == "train":
        return [("next", f"mlrecipe test {name} --run {run.id}")]
    parent = run.facts["parent"]
    if "split" not in run.facts:  # a LightningModule's loaders choose the rows
        return []
    predict = f"mlrecipe predict {parent} --input FILE --output FILE"
    return [("next", _page(run)), ("next", predict)]


def _page(run: Run) -> str:
    """The command that makes a page of a run."""
    return f"mlrecipe report {run.id}"
