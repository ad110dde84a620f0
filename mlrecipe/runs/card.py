"""The model card: what a trained model is, what it was made from and how good it is, as the hub reads it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlrecipe.runs import snippets
from mlrecipe.runs.results import Story, story
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
        *_section("How to load it", _loading(told, model)),
        *_section("Data", _data(told)),
        *_section("Training", _training(told)),
        *_section("Recipe", _fenced(_recipe(told), "toml")),
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


def is_transformer(told: Story) -> bool:
    """Whether the checkpoint is one that transformers loads, alone or with PEFT."""
    folder = told.run.folder / "checkpoints" / told.checkpoint
    return any((folder / place / "config.json").is_file() for place in (".", "base"))


def max_length(told: Story) -> int | None:
    """How many tokens of a row the recipe kept; None: it does not say."""
    found = _tokenize(told).get("max_length")
    return found if isinstance(found, int) else None


def _front(told: Story, license_name: str | None) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    name = str(told.run.facts.get("name", told.run.id))
    datasets = [found for n in told.inputs if (found := hub_id(_node(told, n).get("path"), told))]
    measured = [
        EvalResult(
            task_type="text-classification", dataset_type=(datasets or [_slug(name)])[0],
            dataset_name=name, dataset_split=result.split,
            metric_type=_hub_metric(metric), metric_value=value,
            metric_name=metric,
        )
        for result in told.results for metric, value in result.metrics.items()
        if not metric.endswith("loss") and result.split != "train"
    ]  # fmt: skip
    is_ours = is_transformer(told)
    data = ModelCardData(
        license=license_name,
        library_name="transformers" if is_ours else "pytorch-lightning",
        pipeline_tag="text-classification" if is_ours else None,
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
        for name, value in result.metrics.items()
    ]
    return _table(["split", "metric", "value", "rows", "run"], rows) if rows else ""


def _loading(told: Story, model: str) -> str:
    if not is_transformer(told):
        command = f"mlrecipe test {told.run.facts.get('recipe')} --run {told.run.id}"
        return f"The module is the project's own: `{command}` loads it."
    if (told.run.folder / "checkpoints" / told.checkpoint / "base").is_dir():
        said = "Its adapter cannot be merged into the weights:\n\n"
        return said + _fenced(snippets.with_peft(model), "python")
    tokenize = _tokenize(told)
    is_pair, length = bool(tokenize.get("text_pair")), max_length(told)
    outputs = told.record.get("head", {}).get("outputs")
    if outputs:
        code = snippets.several(model, outputs, is_pair=is_pair, max_length=length)
    else:
        code = snippets.pipeline(model, is_pair=is_pair, max_length=length)
    said = _fenced(code, "python")
    if length:
        said += (
            f"\n\nThe recipe cut each row to {length:,} tokens. The tokenizer of an exported folder has that "
            "as its `model_max_length`, so that `truncation=True` alone cuts there too."
        )
    return said


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


def _tokenize(told: Story) -> Mapping[str, Any]:
    names = [n for n in told.inputs if _node(told, n).get("use") == "tokenize"]
    return _node(told, names[-1]) if names else {}


def _node(told: Story, name: str) -> Mapping[str, Any]:
    found = told.recipe.get("nodes", {}).get(name, {})
    return found if isinstance(found, dict) else {}


def _pairs(found: object) -> list[tuple[str, str]]:
    items = found if isinstance(found, list) else []
    return [
        (str(item[0]), str(item[1])) for item in items if isinstance(item, list) and len(item) == 2
    ]


def _section(title: str, body: str) -> Sequence[str]:
    return (f"## {title}", body) if body else ()


def _fenced(body: str, language: str) -> str:
    """The body as code, in a fence longer than any within."""
    if not body:
        return ""
    longest = max((len(run) for run in re.findall("`+", body)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{body}\n{fence}"


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
