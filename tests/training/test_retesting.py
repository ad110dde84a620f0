"""Tests that were stopped, and go on with the rows that are missing."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from mlrecipe import events
from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.errors import DataError, TrainingError
from mlrecipe.interfaces import Head
from mlrecipe.runs import kept
from mlrecipe.runs.kept import frames, kept_rows
from mlrecipe.runs.run import Run, create
from mlrecipe.training import stages
from mlrecipe.training.companions import companions
from mlrecipe.training.fit import fit
from mlrecipe.training.keeping import tested
from mlrecipe.training.predictions import finished
from tests.training import stopped
from tests.training.stopped import Counting
from tests.training.tiny import LABELS, components, make_spec, make_splits

pytestmark = pytest.mark.heavy

BOTH = ["one", "two"]
FILES = ("predictions.arrow", "predictions-one.arrow", "predictions-two.arrow", "metrics.json",
         "report.json")  # fmt: skip


@pytest.fixture(scope="module")
def checkpoint(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The best checkpoint of a short training."""
    report = fit(
        task=TextClassification(labels=LABELS), model=Transformer(config=str(tiny)),
        spec=make_spec(), seed=1, data=make_splits(), components=components(),
        folder=tmp_path_factory.mktemp("trained"),
    )  # fmt: skip
    return report.model_folder


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    """One thread, and nobody dies."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    Counting.dies_at = None
    yield
    Counting.dies_at = None
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def whole(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Tests that were not stopped: of one split, and of both."""
    torch.set_num_threads(1)
    found = {name: tmp_path_factory.mktemp(name) for name in ("one", "both")}
    judge(checkpoint, found["one"])
    judge(checkpoint, found["both"], BOTH)
    return found


def judge(
    checkpoint: Path, run: Path, split: str | list[str] = "one", size: int = stopped.SIZE
) -> None:
    """Test, from what is kept on."""
    stopped.test(checkpoint, run, split, size=size)


def written(run: Path) -> dict[str, bytes]:
    """What a test leaves."""
    return {name: (run / name).read_bytes() for name in FILES if (run / name).exists()}


def interrupt(checkpoint: Path, run: Path, at: int, split: str | list[str] = "one") -> None:
    """Test until Ctrl-C comes before a batch."""
    Counting.dies_at = (at, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        judge(checkpoint, run, split)
    Counting.dies_at = None


def test_experiment_39_a_killed_test_keeps_its_rows_and_goes_on(
    checkpoint: Path, run: Path, whole: dict[str, Path]
) -> None:
    """After `kill -9` finished rows are read; then only the others are tested, to the same bytes."""
    code = stopped.kill(checkpoint, run, at=3)

    assert code == -signal.SIGKILL
    assert kept_rows(Run(folder=run, facts={})) == 12
    rows = finished(run / "predictions.arrow.part")
    assert rows["row"].to_pylist() == list(range(12))
    assert rows["text"].to_pylist()[11] == "one 11"
    judge(checkpoint, run)
    assert Counting.batches == [4, 2]
    assert written(run) == written(whole["one"])
    tested.forget(run)
    assert sorted(path.name for path in run.iterdir()) == [
        "metrics.json", "predictions.arrow", "report.json",
    ]  # fmt: skip


@pytest.mark.parametrize(("at", "left"), [(2, 6), (5, 3), (7, 1)])
def test_experiment_39_a_test_of_several_splits_goes_on(
    checkpoint: Path, run: Path, whole: dict[str, Path], at: int, left: int
) -> None:
    """Within the first, between the two, and within the second."""
    interrupt(checkpoint, run, at, BOTH)

    judge(checkpoint, run, BOTH)

    assert len(Counting.batches) == left
    assert written(run) == written(whole["both"])


def test_experiment_39_rows_without_labels_are_kept_too(
    checkpoint: Path, run: Path, tmp_path: Path
) -> None:
    """There are no metrics to count from them; the labelled ones' are as they were."""
    whole = tmp_path / "whole"
    whole.mkdir()
    judge(checkpoint, whole, ["one", "bare"])
    interrupt(checkpoint, run, 6, ["one", "bare"])

    judge(checkpoint, run, ["one", "bare"])

    bare = [folder / "predictions-bare.arrow" for folder in (run, whole)]
    assert Counting.batches == [4, 3]
    assert bare[0].read_bytes() == bare[1].read_bytes()
    assert written(run) == written(whole)


def test_experiment_39_a_test_stopped_again_and_again_ends_the_same(
    checkpoint: Path, run: Path, whole: dict[str, Path]
) -> None:
    """A batch at a time, and once more when all are there: then the last is tested again."""
    for _ in range(4):
        interrupt(checkpoint, run, 1)

    judge(checkpoint, run)
    assert Counting.batches == [2]
    judge(checkpoint, run)

    assert Counting.batches == [2]
    assert written(run) == written(whole["one"])


def test_a_batch_that_was_half_written_is_tested_again(
    checkpoint: Path, run: Path, whole: dict[str, Path]
) -> None:
    """Of the rows as of what their metrics are counted from."""
    interrupt(checkpoint, run, 3)
    for name in ("predictions.arrow.part", "predictions.arrow.state"):
        path = run / name
        path.write_bytes(path.read_bytes()[:-20])
        assert len(frames(run / "predictions.arrow.state")[1]) >= 2

    judge(checkpoint, run)

    assert Counting.batches == [4, 4, 2]
    assert written(run) == written(whole["one"])


def test_a_test_that_fails_before_its_first_row_leaves_no_rows(checkpoint: Path, run: Path) -> None:
    """There is nothing to go on with."""
    interrupt(checkpoint, run, 0)

    assert list(run.iterdir()) == []


def test_progress_goes_on_where_it_was(checkpoint: Path, run: Path) -> None:
    """It counts the rows that were tested before."""
    interrupt(checkpoint, run, 3)
    seen: list[events.Event] = []

    with events.listening(seen.append):
        judge(checkpoint, run)

    assert [(e.done, e.total) for e in seen if isinstance(e, events.Progress)] == [
        (16, 18), (18, 18),
    ]  # fmt: skip


def test_another_batch_size_is_refused(checkpoint: Path, run: Path) -> None:
    """What is kept stays as it is."""
    interrupt(checkpoint, run, 3)

    with pytest.raises(TrainingError, match="with another batch size, 4 → 8"):
        judge(checkpoint, run, size=8)

    assert kept_rows(Run(folder=run, facts={})) == 12


def test_another_checkpoint_is_refused(checkpoint: Path, run: Path, tmp_path: Path) -> None:
    """Its rows would be those of two models."""
    interrupt(checkpoint, run, 3)
    other = tmp_path / "other"
    shutil.copytree(checkpoint, other)
    record = other / "checkpoint.json"
    record.write_text(record.read_text().replace('"epoch": 1', '"epoch": 2'))

    with pytest.raises(TrainingError, match="begun with another checkpoint;"):
        judge(other, run)


def make_kept(folder: Path, *, rank: int, batches: int, checkpoint: Path, rows: int = 18) -> None:
    """What one process of two has kept of a test: so many batches of four rows."""
    keep = keeper(folder, checkpoint, rows)
    keep.take_up(rank=rank, world_size=2)
    path = keep._own(keep._splits[0], rank)
    states = tested._States(tested._state(path), keep._facts(keep._splits[0]), batches=0)
    with tested.Predictions(path, keep._head) as file:
        for number in range(rank, rank + 2 * batches, 2):
            numbers = torch.arange(4 * number, min(4 * number + 4, rows)).numpy()
            file.add(torch.full((len(numbers), 2), 0.5), None, rows=numbers)
            states.add(None, rows=len(numbers))
    states.close()


def keeper(folder: Path, checkpoint: Path, rows: int = 18) -> tested.Keep:
    head = Head(problem_type="single_label_classification", labels=("no", "yes"))
    beside = companions(stopped.data()["one"], head)
    split = tested.Kept(path=folder / "predictions.arrow", split="one", rows=rows, beside=beside)
    return tested.Keep([split], head, checkpoint=checkpoint, batch_size=4)


@pytest.mark.parametrize(("kept", "start"), [((2, 1), 1), ((1, 2), 1), ((3, 2), 2), ((0, 2), 0)])
def test_experiment_39_several_processes_go_on_together(
    checkpoint: Path, run: Path, kept: tuple[int, int], start: int
) -> None:
    """From the step that all have made; when all are there the last is made again."""
    for rank, batches in enumerate(kept):
        make_kept(run, rank=rank, batches=batches, checkpoint=checkpoint)
    keep = keeper(run, checkpoint)

    keep.take_up(rank=1, world_size=2)

    assert keep.starts == [start]
    assert keep.rows == 8 * start
    assert kept_rows(Run(folder=run, facts={})) == sum(4 * n for n in kept) - 2 * (kept[0] == 3)


def test_another_number_of_processes_is_refused(checkpoint: Path, run: Path) -> None:
    """It was begun by two, and one would go on."""
    make_kept(run, rank=0, batches=2, checkpoint=checkpoint)

    with pytest.raises(TrainingError, match="another number of processes, 2 → 1"):
        judge(checkpoint, run)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float16])
def test_scores_are_kept_as_they_were(tmp_path: Path, kind: torch.dtype) -> None:
    """Every bit of them, of three dimensions too, and a loss that is no number."""
    scores = torch.rand(2, 3, 4).to(kind)
    output = tested.StepOutput(
        loss=torch.tensor(float("nan")), scores=scores, targets=torch.tensor([[1, -100]]), weight=5
    )
    path = tmp_path / "predictions.arrow.state"
    states = tested._States(path, {}, batches=0)
    states.add(output, rows=2)
    states.close()

    again = tested._States(path, {}, batches=1)
    (found,) = again.outputs()
    again.close()

    assert found.scores.dtype == kind
    assert torch.equal(found.scores, scores)
    assert torch.equal(found.targets, output.targets)
    assert (found.weight, bool(found.loss.isnan())) == (5, True)
    assert os.path.getsize(path) == frames(path)[1][-1].end


def test_an_error_about_the_data_leaves_the_rows_that_were_tested(tmp_path: Path) -> None:
    """They can be gone on with once it is mended."""
    run = create(tmp_path, name="a", stage="test", recipe="a.toml")
    state = run.folder / f"predictions.arrow{kept.STATE}"
    state.write_bytes(kept.line({"split_rows": 9}) + kept.line({"rows": 4}))

    stages._refuse(run, DataError("row 5 is odd"))

    assert kept.kept_rows(run) == 4
