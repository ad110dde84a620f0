"""The model card: what a trained model is, what it was made from and how good it is, as the hub reads it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mlrecipe.runs import loading
from mlrecipe.runs.results import Result, Story, evaluated, story
from mlrecipe.runs.run import Run, write_text

NAME = "model-card.md"
"""The card's file in a train run's directory."""

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
_HUB_METRICS = {
    "matthews-corrcoef": "matthews_correlation", "pearson-corrcoef": "pearsonr",
    "spearman-corrcoef": "spearmanr", "mean-squared-error": "mse", "mean-absolute-error": "mae",
}  # fmt: skip
"""Our names of metrics → the hub's, where they differ by more than dashes."""

_KINDS = {
    "single_label_classification": "one label of {count}",
    "multi_label_classification": "any of {count} labels, each with a probability of its own",
    "multi_output_classification": "one label for each of {outputs} outputs",
    "regression": "a number",
    "token_classification": "a tag for each word, one of {count}",
    "intent_and_slots": "one label, and a tag for each of its words",
}


def write(run: Run) -> Path:
    """Write the card of a train run's best checkpoint into its directory; gives the file.

    Raises:
        OSError: it cannot be written.
    """
    path = run.folder / NAME
    write_text(path, text(story(run), model="checkpoints/best"))
    return path


def text(told: Story, *, model: str = ".", license_name: str | None = None) -> str:
    """The card as Markdown with a front matter in YAML.

    Args:
        told: what is known of the checkpoint.
        model: where its files lie, as seen from the card.
        license_name: the hub's name of a licence; unknown unless given.
    """
    parts = [
        f"---\n{_front(told, license_name)}\n---",
        f"# {told.run.facts.get('name', told.run.id)}",
        _summary(told),
        *_section("Labels", _labels(told)),
        *_section("Metrics", _metrics(told)),
        *_section("How to load it", loading.section(told, model)),
        *_section("Data", _data(told)),
        *_section("Training", _training(told)),
        *_section("Recipe", loading.fenced(_recipe(told), "toml")),
        *_section("Environment", _environment(told)),
    ]
    return "\n\n".join(parts) + "\n"


def hub_id(name: object, told: Story) -> str | None:
    """The name, if it is that of a repository of the hub and of no file or folder here."""
    if not isinstance(name, str) or not _HUB_ID.fullmatch(name):
        return None
    base = told.project / str(told.recipe.get("relative_to", "."))
    return None if (base / name).exists() else name


def labels_of(told: Story) -> list[str]:
    """The names of the model's outputs."""
    return [str(label) for label in told.record.get("head", {}).get("labels", [])]


def _front(told: Story, license_name: str | None) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    name = str(told.run.facts.get("name", told.run.id))
    datasets = [
        found for n in told.inputs if (found := hub_id(loading.node(told, n).get("path"), told))
    ]
    task = "token-classification" if loading.is_of_words(told) else "text-classification"
    measured = [
        EvalResult(
            task_type=task, dataset_type=(datasets or [_slug(name)])[0],
            dataset_name=name, dataset_split=result.split,
            metric_type=_hub_metric(metric), metric_value=value,
            metric_name=metric,
        )
        for result in told.results for metric, value in _of_task(result).items()
        if not metric.endswith("loss") and result.split != "train"
    ]  # fmt: skip
    library = loading.library(told)
    data = ModelCardData(
        license=license_name,
        library_name=library or "pytorch-lightning",
        pipeline_tag=task if library else None,
        base_model=hub_id(told.recipe.get("model", {}).get("checkpoint"), told),
        datasets=list(dict.fromkeys(datasets)) or None,
        metrics=sorted({m.metric_type for m in measured}) or None,
        tags=["mlrecipe"],
        model_name=name if measured else None,
        eval_results=measured or None,
    )
    return str(data.to_yaml())


def _summary(told: Story) -> str:
    recipe, head = told.recipe, told.record.get("head", {})
    model = recipe.get("model", {})
    source = model.get("checkpoint") or model.get("config")
    said = "A model"
    if source:
        how = (
            "fine-tuned from"
            if model.get("checkpoint")
            else "trained from random weights, built by the configuration of"
        )
        said = f"A text model {how} `{hub_id(source, told) or Path(str(source)).name}`"
    task = recipe.get("task", {}).get("use")
    if task:
        said += f" for the task `{task}`"
    kind = _KINDS.get(str(head.get("problem_type")))
    if kind:
        counts = {"count": len(labels_of(told)), "outputs": len(head.get("outputs", {}))}
        said += f"; for each text it gives {kind.format(**counts)}"
    return (
        f"{said}. Made with mlrecipe by run `{told.run.id}`; these are the weights of its checkpoint "
        f"`{told.checkpoint}`, step {told.record.get('step', 'unknown')}.\n\n"
        "What it may be used for, its licence and its limits are for its author to say: nothing is known "
        "of them but what stands below."
    )


def _labels(told: Story) -> str:
    head = told.record.get("head", {})
    if head.get("problem_type") == "regression" or not labels_of(told):
        return ""
    rows = [[str(number), f"`{label}`"] for number, label in enumerate(labels_of(told))]
    return _table(["id", "label"], rows)


def _metrics(told: Story) -> str:
    rows = [
        [result.split, f"`{name}`", f"{value:.4f}", _count(result.rows), f"`{result.run.id}`"]
        for result in told.results
        for name, value in _of_task(result).items()
    ]
    return _table(["split", "metric", "value", "rows", "run"], rows) if rows else ""


def _data(told: Story) -> str:
    rows = [
        [f"`{name}`", f"`{facts.get('op')}`", f"`{facts.get('digest')}`", f"`{facts.get('fingerprint')}`"]
        for name, facts in told.inputs.items()
    ]  # fmt: skip
    if not rows:
        return ""
    said = _table(["node", "op", "digest of its output", "fingerprint"], rows)
    files = [
        [f"`{name}`", f"`{parameter}`", f"`{file}`", f"`{digest}`"]
        for name, facts in told.inputs.items()
        for parameter, found in facts.get("files", {}).items()
        for file, digest in _pairs(found)
    ]
    if files:
        said += "\n\nRead from these files:\n\n"
        said += _table(["node", "parameter", "file", "SHA-256"], files)
    return said


def _training(told: Story) -> str:
    facts, train = told.run.facts, told.recipe.get("train", {})
    seed = train.get("seed", told.recipe.get("seed"))
    known = {
        "run": f"`{told.run.id}`", "ended": facts.get("stopped"), "optimizer steps": facts.get("steps"),
        "epochs": facts.get("epochs"), "seconds": facts.get("seconds"), "seed": seed,
        "batch size": train.get("batch_size"), "fingerprint": facts.get("fingerprint"),
        "monitored": train.get("monitor"),
    }  # fmt: skip
    return "\n".join(f"- {name}: {value}" for name, value in known.items() if value is not None)


def _recipe(told: Story) -> str:
    import tomli_w

    return tomli_w.dumps(told.recipe).strip() if told.recipe else ""


def _environment(told: Story) -> str:
    found = told.environment
    known: dict[str, Any] = {"python": found.get("python"), "platform": found.get("platform")}
    known |= found.get("libraries", {})
    commit = found.get("git", {}).get("commit")
    if commit:
        known["commit of the project"] = commit + " (with changes)" * bool(
            found["git"].get("dirty")
        )
    return "\n".join(f"- {name}: {value}" for name, value in known.items() if value)


def _of_task(result: Result) -> dict[str, float]:
    """The metrics without those of evaluation nodes, which say what to look at."""
    nodes = evaluated(result.run)
    return {n: value for n, value in result.metrics.items() if n.partition("/")[0] not in nodes}


def _pairs(found: object) -> list[tuple[str, str]]:
    items = found if isinstance(found, list) else []
    return [
        (str(item[0]), str(item[1])) for item in items if isinstance(item, list) and len(item) == 2
    ]


def _section(title: str, body: str) -> Sequence[str]:
    return (f"## {title}", body) if body else ()


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(value: str) -> str:
    return " ".join(value.split()).replace("|", "\\|")


def _hub_metric(name: str) -> str:
    """The hub's name of a metric; one of an output has the output's before it."""
    last = name.rpartition("/")[2]
    return _HUB_METRICS.get(last, last.replace("-", "_"))


def _count(rows: int | None) -> str:
    return "" if rows is None else f"{rows:,}"


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "own"
