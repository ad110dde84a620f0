"""The op `statistics`: what is worth knowing about a data set before learning from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mlrecipe
from mlrecipe.builtin.ops import _describe, _splits
from mlrecipe.builtin.ops._keys import keys
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from datasets import Dataset
    from numpy.typing import NDArray

    from mlrecipe.builtin.ops._splits import Data


@mlrecipe.op("statistics")
def statistics(
    data: Data,
    *,
    text: Column | list[Column] | None = None,
    label: Column | None = None,
    train: str = "train",
) -> dict[str, Any]:
    """Count labels, lengths, empty and repeated texts, and rows that splits share.

    The result has `text` and `label` (the columns looked at), `splits` and `warnings`, sentences
    about what deserves attention. Each split has:

    - `rows`
    - `labels`: label to rows; or `label_range` for numbers with fractions; or `distinct_labels` where
      there are more than a thousand. `unlabelled`: rows without a label
    - `texts`: column to rows where it is `missing` (null) or `empty` (nothing but white space)
    - `duplicates`: rows whose texts equal those of an earlier row
    - `overlap`: rows whose texts are in the train split too
    - `length`: `mean`, `p5` to `p99` and `max` in `unit`: tokens where there are `input_ids`, else
      words
    - `truncated` and `truncation_rate`: rows that lost tokens, where a column `truncated` says so

    Args:
        data: a data set, with splits or without.
        text: column or columns with the texts; by default all columns of strings that hold more
            than single words.
        label: column with the label; by default `label` or `labels`.
        train: split that the others are compared with.
    """
    found = _splits.splits_of(data)
    columns = _columns(found, text, label)
    texts = {
        name: [c for c in columns.texts if c in split.column_names] for name, split in found.items()
    }
    row_keys = {name: keys(split, texts[name]) for name, split in found.items() if texts[name]}
    facts = {
        name: {
            "rows": len(split),
            **_describe.labels(split, columns.label),
            **_describe.texts(split, texts[name]),
            **_repeated(name, row_keys, train, texts),
            **_describe.lengths(split, texts[name]),
            **_describe.truncation(split),
        }
        for name, split in found.items()
    }
    return {
        "text": columns.texts,
        "label": columns.label,
        "splits": facts,
        "warnings": [warning for name in facts for warning in _warnings(name, facts[name], train)],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    texts: list[str]
    label: str | None


def _columns(
    splits: Mapping[str, Dataset], text: str | list[str] | None, label: str | None
) -> _Columns:
    known = dict.fromkeys(name for split in splits.values() for name in split.column_names)
    if label is None:
        label = next((name for name in ("label", "labels") if name in known), None)
    else:
        _splits.check_columns(splits, [label], key="label")
    if text is None:
        return _Columns(texts=_describe.text_columns(splits, besides=label), label=label)
    texts = [text] if isinstance(text, str) else text
    _splits.check_columns(splits, texts, key="text")
    for name in texts:
        for split in splits.values():
            if name in split.column_names and split.features[name].dtype != "string":
                raise DataError(f"column {name!r} holds no texts", key="text")
    return _Columns(texts=texts, label=label)


def _repeated(
    name: str,
    row_keys: Mapping[str, NDArray[np.uint64]],
    train: str,
    texts: Mapping[str, Sequence[str]],
) -> dict[str, int]:
    """Rows that repeat an earlier one, and rows that are in the train split too."""
    import numpy as np

    if name not in row_keys:
        return {}
    mine = row_keys[name]
    facts = {"duplicates": len(mine) - len(np.unique(mine))}
    if name != train and train in row_keys and texts[train] == texts[name]:
        facts["overlap"] = int(np.count_nonzero(np.isin(mine, row_keys[train])))
    return facts


def _warnings(name: str, facts: Mapping[str, Any], train: str) -> list[str]:
    """What deserves attention in one split, in sentences."""
    where = f"split {name!r}" if name else "the data"
    found = []
    if not facts["rows"]:
        found.append(f"{where} has no rows")
    present = [label for label, rows in facts.get("labels", {}).items() if rows]
    if len(present) == 1:
        found.append(f"{where} has one label only, {present[0]!r}")
    if facts.get("unlabelled") and facts["unlabelled"] < facts["rows"]:
        found.append(f"{where} has {_rows(facts['unlabelled'])} without a label")
    for column, counts in facts.get("texts", {}).items():
        if blank := counts["missing"] + counts["empty"]:
            found.append(f"{where} has {_rows(blank)} without text in {column!r}")
    if facts.get("overlap"):
        found.append(f"{where} has {_rows(facts['overlap'])} that are in split {train!r} too")
    if facts.get("duplicates"):
        found.append(f"{where} has {_rows(facts['duplicates'])} that repeat an earlier one")
    return found


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"
