"""Predictions: a row of Arrow for each tested row, written while testing."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
from torch import Tensor

SCHEMA = pa.schema(
    {
        "row": pa.int64(),
        "label": pa.string(),
        "prediction": pa.string(),
        "probabilities": pa.list_(pa.float32()),
    }
)
"""`probabilities` are in the order of the label names in the metadata `labels`, a JSON list."""


class Predictions:
    """An Arrow IPC stream that takes its name once it is whole; rows come in their order."""

    def __init__(self, path: Path, labels: Sequence[str]) -> None:
        self.rows = 0
        self._path = path
        self._part = path.with_name(f".{path.name}.part")
        self._names = pa.array(list(labels), pa.string())
        self._schema = SCHEMA.with_metadata({"labels": json.dumps(list(labels))})

    def __enter__(self) -> Predictions:
        self._file = self._part.open("wb")
        self._stream = pa.ipc.new_stream(self._file, self._schema)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stream.close()
        self._file.close()
        if error is None:
            os.replace(self._part, self._path)
        else:
            self._part.unlink(missing_ok=True)

    def add(self, scores: Tensor, targets: Tensor) -> None:
        """Write the next rows: probabilities, (rows, labels), and label ids, (rows,)."""
        probabilities = scores.float().cpu().numpy()
        rows, width = probabilities.shape
        offsets = np.arange(0, rows * width + 1, width, dtype=np.int32)
        columns = [
            pa.array(np.arange(self.rows, self.rows + rows)),
            self._names.take(pa.array(targets.cpu().numpy())),
            self._names.take(pa.array(probabilities.argmax(axis=1))),
            pa.ListArray.from_arrays(pa.array(offsets), pa.array(probabilities.reshape(-1))),
        ]
        self._stream.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._schema))
        self.rows += rows
