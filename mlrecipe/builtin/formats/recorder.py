"""Format of recorders: rows as canonical Arrow, statistics as JSON, images as PNG files."""

from __future__ import annotations

import json
from pathlib import Path

import mlrecipe
from mlrecipe.builtin.formats import _arrow, _summary
from mlrecipe.builtin.formats._shorten import shorten
from mlrecipe.interfaces import Summary
from mlrecipe.recorder import images
from mlrecipe.recorder.recorder import Recorder
from mlrecipe.store import values

ROWS = "rows.arrow"
STATISTICS = "statistics.json"

_IMAGES = b"images"
"""What the rows say of their columns that hold paths of images: a JSON list of names."""


@mlrecipe.format("recorder", types=("mlrecipe.recorder.recorder.Recorder",))
class RecorderFormat:
    """A `Recorder`: `rows.arrow`, `statistics.json`, and images as `images/<SHA-256>.png`."""

    def save(self, value: Recorder, folder: Path) -> None:
        """Write rows, statistics and images; chunks and offsets are not part of the rows.

        Raises:
            DataError: a statistic is no JSON value.
        """
        table = value.table
        pictures = images.columns(table.schema)
        rows = images.moved_out(table, folder) if pictures else table
        facts = dict(table.schema.metadata or {})
        if pictures:
            facts[_IMAGES] = json.dumps(pictures).encode()
        schema = rows.schema.with_metadata(dict(sorted(facts.items())) or None)
        _arrow.write(_arrow.slices(rows), schema, folder / ROWS)
        text = values.encode(_plain(value), "statistics")
        (folder / STATISTICS).write_text(text, encoding="utf-8", newline="")

    def load(self, folder: Path) -> Recorder:
        """The recorder, its rows memory-mapped but for images."""
        table = _arrow.read(folder / ROWS)
        facts = dict(table.schema.metadata or {})
        pictures = json.loads(facts.pop(_IMAGES, b"[]"))
        table = images.moved_in(table.replace_schema_metadata(facts or None), pictures, folder)
        text = (folder / STATISTICS).read_text(encoding="utf-8")
        return Recorder(table, statistics=values.decode(text))

    def describe(self, value: Recorder) -> Summary:
        """Rows, types, label counts, the first rows and the statistics."""
        table = value.table
        counts = {
            name: _summary.count(name, table.column(name))
            for name in (_summary.label_columns(table) if len(value) else [])
        }
        return Summary(
            kind="Recorder",
            rows={"": len(value)},
            schema={field.name: str(field.type) for field in table.schema},
            labels={name: {"": found} for name, found in counts.items() if found is not None},
            sample={"": _summary.sample(table)},
            statistics=shorten(value.statistics),
        )


def _plain(value: Recorder) -> dict[str, object]:
    """The statistics, those that were put in by hand too, as they come back."""
    again = Recorder(statistics=value.statistics)
    return again.statistics
