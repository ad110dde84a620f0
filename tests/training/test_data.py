"""Rows into tensors, and what a training is given of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from datasets import Dataset, load_from_disk

from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Head
from mlrecipe.training.batching.rows import Rows, Table
from mlrecipe.training.data import TrainData
from tests.training.tiny import LABELS, make_rows, make_spec

TASK = TextClassification(labels=LABELS)
HEAD = Head(problem_type="single_label_classification", labels=tuple(LABELS))


def encoded(count: int, *, seed: int = 1) -> Dataset:
    return TASK.encode(make_rows(count, seed=seed), HEAD, split="train")


def data_of(rows: int, *, valid: int = 0, **changes: Any) -> TrainData:
    return TrainData(
        task=TASK, spec=make_spec(**changes), seed=1, train=encoded(rows),
        valid=[encoded(valid, seed=2)] if valid else [],
    )  # fmt: skip


def shapes_of(data: TrainData, epoch: int) -> set[tuple[int, ...]]:
    data.batches.set_epoch(epoch)
    return {tuple(batch["input_ids"].shape) for batch in data.train_dataloader()}


def padded_by_hand(rows: Dataset, indices: list[int]) -> list[list[int]]:
    ids = [rows[i]["input_ids"] for i in indices]
    width = max(len(row) for row in ids)
    return [row + [0] * (width - len(row)) for row in ids]


@pytest.fixture
def on_disk(tmp_path: Path) -> Dataset:
    """Encoded rows in a memory-mapped file of several chunks."""
    rows = encoded(2500)
    rows.save_to_disk(tmp_path / "rows")
    loaded = load_from_disk(str(tmp_path / "rows"))
    assert len(loaded.data.column("input_ids").chunks) > 1
    return loaded


def test_a_batch_is_the_rows_asked_for(on_disk: Dataset):
    """In their order, padded to the longest, whichever chunks they lie in."""
    indices = [2499, 0, 1001, 999, 1000, 0]
    batch = Rows(on_disk, TASK.collate, lengths=TASK.lengths(on_disk))[indices]

    assert batch["input_ids"].tolist() == padded_by_hand(on_disk, indices)
    assert batch["attention_mask"].tolist() == [
        [int(token != 0) for token in row] for row in batch["input_ids"].tolist()
    ]
    assert batch["labels"].tolist() == [on_disk[i]["labels"] for i in indices]


def test_a_batch_of_chosen_rows_is_of_those(on_disk: Dataset):
    """A data set that was filtered, shuffled or cut by `datasets` counts its own rows."""
    chosen = on_disk.select(range(2000, 1000, -1)).shuffle(seed=1)
    batch = Table(chosen).take(np.array([0, 7, 900]))

    assert batch["input_ids"].to_pylist() == [chosen[i]["input_ids"] for i in (0, 7, 900)]
    assert all(column.num_chunks == 1 for column in batch.columns)


def test_a_width_is_padded_to():
    """All token columns alike; the mask stays that of the tokens."""
    rows = encoded(4)
    batch = TASK.collate(rows.with_format("arrow")[:], width=40)

    assert {tuple(batch[name].shape) for name in ("input_ids", "attention_mask")} == {(4, 40)}
    assert batch["attention_mask"].sum(dim=1).tolist() == TASK.lengths(rows).tolist()


@pytest.mark.parametrize("given", [None, 48])
def test_fixed_batches_have_one_width(given: int | None):
    """That of the recipe, or of the longest row; the fill counts it."""
    data = data_of(50, batching="fixed", pad_to=given)
    longest = int(TASK.lengths(encoded(50)).max())

    assert {width for _, width in shapes_of(data, 0)} == {given or longest}
    assert data.fill.share == pytest.approx(
        TASK.lengths(encoded(50)).sum() / (50 * (given or longest))
    )


def test_a_row_longer_than_the_fixed_width_is_an_error():
    """It would lose tokens; the message names the row and the way out."""
    with pytest.raises(DataError, match="of split 'train' has") as caught:
        data_of(50, batching="fixed", pad_to=8)

    assert caught.value.key == "train.pad_to"


def network_of(tiny: Path) -> torch.nn.Module:
    torch.manual_seed(0)
    return Transformer(config=str(tiny)).build(HEAD).eval()


@pytest.mark.parametrize("batching", ["bucket", "shuffle", "fixed", "tokens"])
def test_glue_13_padding_does_not_change_logits(tiny: Path, batching: str):
    """Each row's scores are those that it has all alone, however it is padded and batched."""
    rows = encoded(30)
    network = network_of(tiny)
    extra = {"pad_to": 60} if batching == "fixed" else {}
    extra |= {"tokens_per_batch": 200} if batching == "tokens" else {}
    data = data_of(30, batching=batching, **extra)
    table = Table(rows)

    with torch.no_grad():
        for indices, batch in zip(data.batches, data.train_dataloader(), strict=True):
            scores = TASK.step(network, batch).scores
            alone = [
                TASK.step(network, TASK.collate(table.take(np.array([i])))).scores for i in indices
            ]
            torch.testing.assert_close(scores, torch.cat(alone), atol=1e-5, rtol=0)


def test_training_25_bucketed_loss_is_the_unbucketed_loss(tiny: Path):
    """The mean loss over an epoch's rows is the same within 1e-5, whichever rows come together."""
    network = network_of(tiny)

    def mean_loss(batching: str) -> float:
        data = data_of(40, batching=batching)
        with torch.no_grad():
            outputs = [TASK.step(network, batch) for batch in data.train_dataloader()]
        return sum(float(o.loss) * len(o.targets) for o in outputs) / 40

    assert mean_loss("bucket") == pytest.approx(mean_loss("shuffle"), abs=1e-5)
    assert mean_loss("bucket") == pytest.approx(mean_loss("fixed"), abs=1e-5)


def anonymous_bytes() -> int:
    """Memory of this process that is no file's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_glue_12_rows_stream_from_disk_in_bounded_memory(tmp_path: Path):
    """A file of 32 MB is learnt from in a fifth of that, in another order each epoch, of known length."""
    rows, width = 20_000, 200
    offsets = pa.array(np.arange(0, rows * width + 1, width, dtype=np.int32))
    tokens = pa.array(np.random.default_rng(0).integers(0, 99, rows * width))
    table = pa.table({"input_ids": pa.ListArray.from_arrays(offsets, tokens)})
    table = table.append_column("label", pa.array(np.arange(rows) % 2))
    Dataset(table).save_to_disk(tmp_path / "rows")
    del table, tokens
    raw = load_from_disk(str(tmp_path / "rows"))
    spec = make_spec(batch_size=100)
    before = anonymous_bytes()

    data = TrainData(task=TASK, spec=spec, seed=1, train=TASK.encode(raw, HEAD, split="train"))
    loader = data.train_dataloader()
    firsts, most = [], 0
    for epoch in range(2):
        data.batches.set_epoch(epoch)
        count = 0
        for count, batch in enumerate(loader, start=1):
            if count == 1:
                firsts.append(batch["input_ids"])
            if count % 100 == 0:
                most = max(most, anonymous_bytes() - before)
        assert count == len(loader) == 200

    assert most < 8 * rows * width / 5
    assert not torch.equal(*firsts)
