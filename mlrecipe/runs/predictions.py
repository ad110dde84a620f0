"""Predictions of runs: where those of a test or of a validation are, and which run a reference means."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from mlrecipe.errors import RequestError, did_you_mean
from mlrecipe.recipe import splits
from mlrecipe.runs import manifest, results
from mlrecipe.runs.run import Run, every, find

VALIDATIONS = "validations"
"""Folder of a train run with the predictions of its validations, one per step."""

NO_ROWS = "the test of a LightningModule of one's own keeps no predictions"


def files(run: Run) -> dict[str, Path]:
    """Split → file of the predictions of a finished test, in the recipe's order; none of an own module's."""
    names = results.splits_of(run)
    found = {name: run.folder / _file(name, names) for name in names}
    return {name: path for name, path in found.items() if path.is_file()}


def labelled(run: Run) -> dict[str, Path]:
    """The same, of the splits that have labels."""
    without = run.facts.get("unlabelled", ())
    return {name: path for name, path in files(run).items() if name not in without}


def changed(run: Run) -> list[str]:
    """The files of predictions that are not what the test wrote, by the digests in its `outputs.json`.

    Nothing is said of files whose digests are not there, or that cannot be read.
    """
    told = _digests(run)
    found = []
    for path in files(run).values():
        with suppress(OSError):  # who reads it says so
            if path.name in told and manifest.digest(path) != told[path.name]:
                found.append(path.name)
    return found


def check(run: Run) -> None:
    """Raise unless the predictions are what the test wrote.

    Raises:
        RequestError: a file was changed since.
    """
    if found := changed(run):
        where = run.folder.relative_to(run.folder.parent.parent).as_posix()
        raise RequestError(
            f"{where}/{found[0]} was changed since the test wrote it: it is not what outputs.json says",
            hint=f"put back what it was, or test again: mlrecipe test {run.facts.get('recipe')} "
            f"--run {run.facts.get('parent') or 'ID'}",
        )


def of_validation(run: Run, checkpoint: str) -> Path:
    """The predictions of the validation after which a train run kept a checkpoint; of several splits the first.

    Raises:
        RequestError: they were not kept.
    """
    folder = run.folder / "checkpoints" / checkpoint
    try:
        step = json.loads((folder / results.CHECKPOINT).read_text(encoding="utf-8"))["step"]
    except (OSError, ValueError, KeyError, TypeError):
        raise RequestError(f"run {run.id} has no checkpoint {checkpoint!r}") from None
    names = results.splits_of(run)
    path = run.folder / VALIDATIONS / f"step-{step}" / _file(names[0] if names else "", names)
    if path.is_file():
        return path
    raise RequestError(
        f"run {run.id} has not kept the predictions of the validation at step {step}",
        hint="a training keeps them where its recipe has evaluation nodes that run on validation",
    )


def referred(project: Path, run_id: str, split: str, *, other: str = "") -> Path:
    """The predictions of a finished test run, or of a train run's newest test.

    Args:
        project: its root.
        run_id: of either, or how it begins or ends.
        split: of these; empty: of its only split, else of the one called `other`.
        other: the split that is evaluated.

    Raises:
        RequestError: there is no such run, it is not finished, it has no such split, or its predictions were
            changed.
    """
    run = tested(project, find(project, run_id))
    known = files(run)
    if not known:
        raise RequestError(f"run {run.id} has no predictions: {NO_ROWS}")
    check(run)
    if split:
        if split in known:
            return known[split]
        raise RequestError(
            f"run {run.id} has no predictions of split {split!r}", hint=did_you_mean(split, known)
        )
    if len(known) == 1:
        return next(iter(known.values()))
    if other in known:
        return known[other]
    raise RequestError(
        f"run {run.id} has predictions of several splits",
        hint=f"name one: run:{run_id}:{next(iter(known))}",
    )


def tested(project: Path, run: Run) -> Run:
    """The run itself if it is a finished test, else the newest finished test of a train run.

    Raises:
        RequestError: there is none.
    """
    if run.facts.get("stage") == "test":
        if run.status == "finished":
            return run
        raise RequestError(f"run {run.id} is {run.status}, not finished: it has no predictions yet")
    for other in every(project):
        facts = other.facts
        if (facts.get("stage"), facts.get("parent"), other.status) == ("test", run.id, "finished"):
            return other
    hint = f"test it: mlrecipe test {run.facts.get('recipe')} --run {run.id}"
    raise RequestError(f"train run {run.id} has no finished test", hint=hint)


def place(run: Run, split: str) -> str:
    """What is before the `/` of the metrics of a test's split."""
    return splits.places(results.splits_of(run), "test").get(split, "test")


def _digests(run: Run) -> dict[str, str]:
    """File → SHA-256, as the test left it; of what `outputs.json` says of no file nothing."""
    try:
        found = json.loads((run.folder / manifest.OUTPUTS).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    told: dict[str, str] = {}
    for facts in found.values() if isinstance(found, dict) else ():
        digests = facts.get("sha256") if isinstance(facts, dict) else None
        if isinstance(digests, dict):
            told |= {str(name): str(digest) for name, digest in digests.items()}
    return told


def _file(name: str, names: list[str]) -> str:
    return "predictions.arrow" if len(names) < 2 else f"predictions-{name}.arrow"
