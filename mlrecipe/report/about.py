"""What a run is: recipe, state, time, machine and commit, in a few facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from mlrecipe.report.source import Source, read
from mlrecipe.runs.predictions import changed
from mlrecipe.runs.results import recipe_of
from mlrecipe.runs.run import Run


def facts(told: Source) -> dict[str, Any]:
    """Of a training and its test: names, how they ended, and what the result hangs on."""
    recipe, environment = recipe_of(told.first), read(told.first, "env.json")
    return {
        "name": str(told.main.facts.get("name") or told.main.id),
        "recipe": str(told.main.facts.get("recipe", "")),
        "tags": [str(tag) for tag in told.first.facts.get("tags", [])],
        "runs": [_run(run) for run in told.runs],
        "checkpoint": told.test.facts.get("checkpoint") if told.test else None,
        "model": _used(recipe, "model"), "task": _used(recipe, "task"),
        "data": recipe.get("train", {}).get("data"), "seed": _seed(recipe),
        "device": _device(environment), "git": environment.get("git", {}),
        "warnings": list(_warnings(told)),
    }  # fmt: skip


def _run(run: Run) -> dict[str, Any]:
    facts = run.facts
    return {
        "run": run.id, "stage": facts.get("stage"), "status": run.status,
        "started": facts.get("started"), "ended": facts.get("ended"),
        "seconds": _seconds(facts), "cause": facts.get("cause"), "rows": facts.get("rows"),
        "host": facts.get("host"),
    }  # fmt: skip


def _seconds(facts: Mapping[str, Any]) -> float | None:
    """How long the run took, from its first moment to its last."""
    try:
        begin, end = (datetime.fromisoformat(str(facts[name])) for name in ("started", "ended"))
    except (KeyError, ValueError):
        known = facts.get("seconds")
        return float(known) if isinstance(known, int | float) else None
    return (end - begin).total_seconds()


def _used(recipe: Mapping[str, Any], section: str) -> str:
    """The component of a section with what names it: `transformer bert-base-uncased`."""
    values = recipe.get(section, {})
    named = values.get("checkpoint") or values.get("config") or ""
    return f"{values.get('use', '')} {named if isinstance(named, str) else ''}".strip()


def _seed(recipe: Mapping[str, Any]) -> Any:
    own = recipe.get("train", {}).get("seed")
    return recipe.get("seed") if own is None else own


def _device(environment: Mapping[str, Any]) -> str:
    """What is known of the machine."""
    accelerator = environment.get("accelerator") or {}
    known = accelerator.get("devices", []) if isinstance(accelerator, Mapping) else []
    devices = ", ".join(map(str, known))
    cpus = environment.get("cpus")
    system = str(environment.get("platform", "")).partition("-")[0]
    parts = [devices, f"{cpus} CPUs" if cpus else "", system]
    return ", ".join(part for part in parts if part)


def _warnings(told: Source) -> list[str]:
    """What a reader must know before they believe the numbers."""
    found = []
    for run in told.runs:
        if run.status != "finished":
            cause = run.facts.get("cause")
            why = f": {cause}" if cause else ""
            found.append(
                f"the {run.facts.get('stage')} run {run.id} is {run.status}, not finished{why}"
            )
    if told.training is None:
        parent = (told.test.facts.get("parent") if told.test else None) or ""
        named = f"the training {parent}".strip()
        found.append(f"{named} is not among the runs any more: its part is missing")
    if told.test is None:
        found.append("no test of this training is there")
    found += [
        f"{name} was changed since the test wrote it: what is told of it here is not what was tested"
        for name in (changed(told.test) if told.test else ())
    ]
    return [*found, *_uncommitted(told.first)]


def _uncommitted(run: Run) -> Iterator[str]:
    """What ran and is not in the commit; a patch never has files that are new to git."""
    git = read(run, "env.json").get("git") or {}
    if not git.get("dirty"):
        return
    is_kept = (run.folder / "git.patch").is_file()
    new = [str(name) for name in git.get("untracked") or []]
    if is_kept or not new:
        kept = "; they are in git.patch" if is_kept else ""
        yield f"the code had changes that were not committed{kept}"
    if new:
        shown = ", ".join(new[:5]) + (" …" if len(new) > 5 else "")
        yield f"files that are not in git, and so in no patch: {shown}"
