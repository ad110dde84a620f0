"""The op `export-rows`: rows as a file for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import mlrecipe
from mlrecipe.builtin.ops import _recorders
from mlrecipe.errors import DataError

if TYPE_CHECKING:
    from mlrecipe.recorder import Recorder


@mlrecipe.op("export-rows")
def export_rows(
    rows: Recorder,
    *,
    format: Literal["csv", "jsonl", "parquet"] = "csv",
    name: str = "rows",
    columns: list[mlrecipe.Column] | None = None,
    scratch: Path,
) -> Path:
    """Write rows as CSV, JSON Lines or Parquet; the output is the folder with the file.

    In CSV lists are JSON. Images become PNG files in `images/` beside the file, which has their
    paths; Parquet holds their bytes. Statistics are in `statistics.json`, where there are any.

    Args:
        rows: a recorder, a data set without splits or a table.
        format: what to write.
        name: name of the file, without its ending.
        columns: columns to write, in this order; by default all.
        scratch: where the file is written.
    """
    from mlrecipe.recorder import writing

    found = _recorders.recorder(rows)
    for column in columns or ():
        _recorders.check_column(found, column, key="columns")
    chosen = found.select(*columns) if columns is not None else found
    if not name or name.startswith(".") or Path(name).name != name:
        raise DataError(f"a file cannot be named {name!r}", key="name")
    write = {"csv": chosen.to_csv, "jsonl": chosen.to_json, "parquet": chosen.to_parquet}
    write[format](scratch / f"{name}.{format}")
    if found.statistics:
        text = writing.json_text(found.statistics, indent=1)
        (scratch / "statistics.json").write_text(text + "\n", encoding="utf-8")
    return scratch
