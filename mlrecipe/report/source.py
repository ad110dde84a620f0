"""Sources: the training and the test that a report tells of, and their files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from mlrecipe.errors import MlrecipeError, RequestError
from mlrecipe.runs import run as running
from mlrecipe.runs.predictions import VALIDATIONS
from mlrecipe.runs.results import splits_of
from mlrecipe.runs.run import Run

_PREDICTIONS = "predictions"
_ENDS = (".arrow", ".arrow.part")


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """A file of predictions."""

    split: str
    path: Path
    is_whole: bool
    """False: the test was stopped, and these are the rows that it had done."""

    is_validation: bool
    """Whether the rows are those that the training was validated on."""

    place: str
    """What is before the `/` of the split's metrics."""

    def table(self) -> pa.Table:
        """All rows; of a file that was cut off those before the cut.

        Raises:
            MlrecipeError: it is no file of predictions.
        """
        batches: list[pa.RecordBatch] = []
        try:
            with pa.memory_map(str(self.path)) as file, pa.ipc.open_stream(file) as stream:
                schema = stream.schema
                try:
                    batches.extend(stream)
                except (OSError, pa.ArrowInvalid):
                    if self.is_whole:
                        raise
        except (OSError, pa.ArrowInvalid) as error:
            raise MlrecipeError(f"cannot read {self.path.name}: {error}") from error
        return pa.Table.from_batches(batches, schema)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A training with its test, or either alone."""

    training: Run | None
    test: Run | None

    @property
    def main(self) -> Run:
        """The one whose metrics count: the test, where there is one."""
        found = self.test or self.training
        assert found is not None  # `source` made it
        return found

    @property
    def first(self) -> Run:
        """The one that came first: the training, where it is still there."""
        found = self.training or self.test
        assert found is not None
        return found

    @property
    def project(self) -> Path:
        """Root of the project."""
        return self.main.folder.parent.parent

    @property
    def runs(self) -> list[Run]:
        """Both, the training first."""
        return [run for run in (self.training, self.test) if run is not None]

    def predictions(self) -> list[Predicted]:
        """The files of the test, else of the validation at the training's best step, split by split."""
        if self.test is not None:
            return list(_files(self.test.folder, splits_of(self.test), "test"))
        if self.training is None or (folder := _validation(self.training)) is None:
            return []
        return list(_files(folder, splits_of(self.training), "valid"))


def source(run: Run) -> Source:
    """A train run with its newest test, a test with its training.

    The newest finished test counts; where none has finished, the newest.
    """
    if run.facts.get("stage") == "test":
        parent = str(run.facts.get("parent", ""))
        return Source(
            training=running.read(run.folder.parent / parent) if parent else None, test=run
        )
    tests = [
        other for other in running.every(run.folder.parent.parent)
        if other.facts.get("parent") == run.id and other.facts.get("stage") == "test"
    ]  # fmt: skip
    finished = [test for test in tests if test.status == "finished"]
    return Source(training=run, test=next(iter(finished or tests), None))


def sources(runs: Iterable[Run]) -> list[Source]:
    """What each run stands for, a training and its own test once; a group stands for its trainings.

    Raises:
        RequestError: a group has no trainings.
    """
    found: dict[str, Source] = {}
    for run in runs:
        for each in _members(run) if run.facts.get("stage") == "repeat" else [run]:
            one = source(each)
            found.setdefault(one.main.id, one)
    return list(found.values())


def read(run: Run, name: str) -> dict[str, Any]:
    """A JSON file of a run; empty where it cannot be read."""
    try:
        found = json.loads((run.folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def numbers(found: Mapping[str, Any]) -> dict[str, float]:
    """The entries that are numbers."""
    return {
        name: float(value) for name, value in found.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }  # fmt: skip


def _members(group: Run) -> Iterator[Run]:
    trainings = read(group, "repeat.json").get("runs", [])
    names = [each.get("run") for each in trainings if isinstance(each, dict)]
    runs = [running.read(group.folder.parent / str(name)) for name in names if name]
    if not any(runs):
        raise RequestError(f"run {group.id} is a group whose trainings are not there")
    yield from (run for run in runs if run is not None)


def _files(folder: Path, splits: list[str], stage: str) -> Iterator[Predicted]:
    """The files of predictions in a folder, whole ones and parts, in the order of the recipe's splits."""
    found: dict[str, Predicted] = {}
    for end in _ENDS:
        for path in sorted(folder.glob(f"{_PREDICTIONS}*{end}")):
            name = path.name.removesuffix(end).removeprefix(_PREDICTIONS).removeprefix("-")
            split = name or (splits[0] if splits else stage)
            one = Predicted(split=split, path=path, is_whole=end == ".arrow",
                            is_validation=stage == "valid", place=name or stage)  # fmt: skip
            found.setdefault(split, one)
    order = {split: number for number, split in enumerate(splits)}
    yield from sorted(found.values(), key=lambda each: order.get(each.split, len(order)))


def _validation(training: Run) -> Path | None:
    """The folder of the validation at the best step, else the newest that was kept."""
    folders = {
        int(found[1]): path for path in (training.folder / VALIDATIONS).glob("step-*")
        if (found := re.fullmatch(r"step-(\d+)", path.name)) and any(path.glob("*.arrow"))
    }  # fmt: skip
    best = training.facts.get("best_step")
    return folders.get(best if isinstance(best, int) else -1) or folders.get(
        max(folders, default=-1)
    )
