"""Facts about one split as plain numbers: labels, texts, lengths. Rows are looked at a batch at a time."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from mlrecipe.builtin.ops import _splits
from mlrecipe.builtin.ops._lengths import words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import pyarrow as pa
    from datasets import Dataset
    from numpy.typing import NDArray

_PERCENTILES = (5, 25, 50, 75, 95, 99)
_LOOKED_AT = 1000
_SINGLE_WORD = 1.5
_MOST_LABELS = 1000


def text_columns(splits: Mapping[str, Dataset], *, besides: str | None) -> list[str]:
    """The columns of strings that hold more than single words; all of them when none does."""
    import pyarrow.compute as pc

    found: dict[str, float] = {}
    for split in splits.values():
        head = split.select(range(min(_LOOKED_AT, len(split))))
        for name, feature in split.features.items():
            if getattr(feature, "dtype", None) == "string" and name != besides:
                mean = pc.mean(words(_splits.column(head, name))).as_py() or 0.0
                found[name] = max(mean, found.get(name, 0.0))
    long = [name for name, mean in found.items() if mean > _SINGLE_WORD]
    return long or list(found)


def labels(split: Dataset, name: str | None) -> dict[str, Any]:
    """Rows of each label, in the order of the classes, else sorted; and rows without one.

    For numbers with fractions their range instead, and for very many labels only how many there
    are.
    """
    import pyarrow as pa

    if name is None or name not in split.column_names:
        return {}
    values = _splits.column(split, name)
    if pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
        return {"labels": _counts(values.combine_chunks().flatten(), _class_names(split, name))}
    if pa.types.is_floating(values.type):
        return {"label_range": _range(values), "unlabelled": values.null_count}
    counts = _counts(values, _class_names(split, name))
    if len(counts) > _MOST_LABELS:
        return {"distinct_labels": len(counts), "unlabelled": values.null_count}
    unlabelled = values.null_count + counts.pop("-1", 0) * bool(_class_names(split, name))
    return {"labels": counts, "unlabelled": unlabelled}


def texts(split: Dataset, names: Sequence[str]) -> dict[str, Any]:
    """Missing and empty values of each text column."""
    import pyarrow.compute as pc

    facts = {name: {"missing": 0, "empty": 0} for name in names}
    for table in _splits.batches(split, names) if names else ():
        for name in names:
            values = table.column(name)
            empty = pc.equal(pc.utf8_trim_whitespace(values), "")
            facts[name]["missing"] += values.null_count
            facts[name]["empty"] += pc.sum(empty).as_py() or 0
    return {"texts": facts} if names else {}


def lengths(split: Dataset, names: Sequence[str]) -> dict[str, Any]:
    """Mean, percentiles and maximum of the rows' tokens, else of the words of their texts."""
    import numpy as np

    tokens = "input_ids" in split.column_names
    columns = ["input_ids"] if tokens else list(names)
    if not columns:
        return {}
    parts = [_row_lengths(table, tokens) for table in _splits.batches(split, columns)]
    values = np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
    if not len(values):
        return {}
    percentiles = np.percentile(values, _PERCENTILES, method="inverted_cdf")
    return {
        "length": {
            "unit": "tokens" if tokens else "words",
            "mean": round(float(values.mean()), 2),
            **{f"p{p}": int(v) for p, v in zip(_PERCENTILES, percentiles, strict=True)},
            "max": int(values.max()),
        }
    }


def truncation(split: Dataset) -> dict[str, Any]:
    """Rows that lost tokens, and their share, where a column `truncated` says so."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if "truncated" not in split.column_names:
        return {}
    values = _splits.column(split, "truncated")
    if not pa.types.is_boolean(values.type):
        return {}
    rows = pc.sum(values).as_py() or 0
    rate = round(rows / len(split), 6) if len(split) else 0.0
    return {"truncated": rows, "truncation_rate": rate}


def _row_lengths(table: pa.Table, tokens: bool) -> NDArray[np.int64]:
    """The length of each row, its columns together, shape (rows,)."""
    import numpy as np
    import pyarrow.compute as pc

    total = np.zeros(table.num_rows, dtype=np.int64)
    for column in table.columns:
        counted = pc.list_value_length(column) if tokens else words(column)
        total += np.asarray(pc.fill_null(counted, 0), dtype=np.int64)
    return total


def _class_names(split: Dataset, name: str) -> list[str]:
    feature = split.features[name]
    feature = getattr(feature, "feature", feature)
    return list(getattr(feature, "names", None) or ())


def _counts(values: pa.ChunkedArray, names: Sequence[str]) -> dict[str, int]:
    found: Counter[Any] = Counter()
    for item in values.drop_null().value_counts().to_pylist():
        found[item["values"]] += item["counts"]
    if names:
        classes = {name: found.pop(position, 0) for position, name in enumerate(names)}
        return {**classes, **{str(value): count for value, count in found.items()}}
    return {_text(value): found[value] for value in sorted(found)}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _range(values: pa.ChunkedArray) -> dict[str, float]:
    import pyarrow.compute as pc

    if values.null_count == len(values):
        return {}
    ends = pc.min_max(values).as_py()
    return {"min": ends["min"], "mean": round(pc.mean(values).as_py(), 6), "max": ends["max"]}
