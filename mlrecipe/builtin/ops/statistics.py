"""The op `statistics`: what is worth knowing about a data set before learning from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import mlrecipe
from mlrecipe import events
from mlrecipe.builtin.ops import _looked_at, _pieces, _seen, _splits, _workers
from mlrecipe.interfaces import Column

if TYPE_CHECKING:
    from datasets import Dataset

    from mlrecipe.builtin.ops._seen import Seen
    from mlrecipe.builtin.ops._splits import Data


@mlrecipe.op("statistics", ignore=("num_workers",))
def statistics(
    data: Data,
    *,
    text: Column | list[Column] | None = None,
    label: Column | list[Column] | None = None,
    separator: str | None = None,
    train: str = "train",
    num_workers: int = 1,
) -> dict[str, Any]:
    """Count labels, lengths, empty and repeated texts, and rows that splits share.

    The result has `text` and `label` (the columns looked at), `splits` and `warnings`, sentences
    about what deserves attention. Each split has `rows`, and what of the following applies:
    `labels` (column to its facts: `rows` and `shares` of each label, and `majority`, the share of
    the commonest; `per_row`, where a row may have several; of numbers with fractions `range` and
    `histogram`; `distinct`, where there are more than a thousand; `unlabelled` rows; where each word
    has a tag, `rows` are words), `texts` (column to rows where it is `missing` or `empty`, which is
    nothing but white space, or no words), `duplicates` (rows whose texts equal those of an earlier
    row), `overlap` (other split to rows whose texts are there too), `length` (`mean`, percentiles,
    `max` and `histogram`, in tokens where there are `input_ids`, else, or where these are the bytes
    of words, in words; those of words without special tokens, and once where windows share them),
    `vocabulary` (different tokens),
    `truncated` and `truncation_rate` (rows that lost tokens, where a column `truncated` says so).

    Every row is looked at, 10,000 at a time; of each, 8 bytes are kept.

    Args:
        data: a data set, with splits or without.
        text: column or columns with the texts, or with lists of words; by default the words where they
            have tags, else all columns of strings that hold more than single words.
        label: column or columns with the labels; by default the one whose name says so, and where there are
            words the one with their tags.
        separator: what stands between several labels in a text.
        train: split that the others are compared with.
        num_workers: processes to look at the rows.
    """
    found = _splits.splits_of(data)
    columns = _looked_at.choose(found, text, label)
    parts = {
        name: _pieces.part_of(
            split,
            texts=columns.texts,
            labels=columns.labels,
            tags=columns.tags,
            separator=separator,
        )
        for name, split in found.items()
    }
    seen = _see(parts, num_workers)
    facts = _facts(found, parts, seen)
    for name, overlap in _overlaps(parts, seen, train).items():
        facts[name]["overlap"] = overlap
    return {
        "text": columns.texts,
        "label": columns.labels,
        "splits": facts,
        "warnings": [
            *(text for name in facts for text in _overlap_warnings(name, facts[name])),
            *(text for name in facts for text in _warnings(name, facts, train)),
        ],
    }


def _see(parts: Mapping[str, _pieces.Part], num_workers: int) -> dict[str, Seen]:
    """Everything that there is of each split."""
    pieces = [
        (name, start)
        for name, part in parts.items()
        for start in range(0, part.count, _splits.BATCH)
    ]
    total = sum(part.count for part in parts.values())
    seen = {name: _seen.Seen() for name in parts}
    done = 0
    looked = _workers.in_order(_pieces.look, parts, pieces, num_workers=num_workers)
    for (name, _), piece in zip(pieces, looked, strict=True):
        seen[name].add(piece)
        done += piece.rows
        events.progress(done, total)
    return seen


def _facts(
    splits: Mapping[str, Dataset], parts: Mapping[str, _pieces.Part], seen: Mapping[str, Seen]
) -> dict[str, dict[str, Any]]:
    import numpy as np

    edges = _seen.length_edges(list(seen.values()))
    label_edges = _label_edges(splits, seen)
    found: dict[str, dict[str, Any]] = {}
    for name, split in splits.items():
        part, own = parts[name], seen[name]
        facts: dict[str, Any] = {"rows": part.count}
        facts["labels"] = {
            column: own.labels.get(column, _seen.SeenLabels()).facts(
                _class_names(split, column), label_edges.get(column)
            )
            for column in part.labels
        }
        facts["texts"] = {c: _blank(own.blank.get(c, [0, 0])) for c in part.texts}
        if part.texts:
            facts["duplicates"] = part.count - len(np.unique(own.keys))
        if own.lengths:
            facts["length"] = own.length("tokens" if part.has_tokens else "words", edges)
        if part.has_tokens:
            facts["vocabulary"] = len(own.tokens)
        if part.has_truncated:
            facts["truncated"] = own.truncated
            facts["truncation_rate"] = round(own.truncated / max(part.count, 1), 6)
        found[name] = facts
    return found


def _blank(counts: Sequence[int]) -> dict[str, int]:
    return {"missing": counts[0], "empty": counts[1]}


def _label_edges(
    splits: Mapping[str, Dataset], seen: Mapping[str, Seen]
) -> dict[str, Sequence[float]]:
    """Edges of bins for each column of numbers with fractions, the same for all splits."""
    found: dict[str, Sequence[float]] = {}
    for split in splits.values():
        for column, feature in split.features.items():
            if str(getattr(feature, "dtype", "")).startswith("float") and column not in found:
                some = [own.labels[column].numbers for own in seen.values() if column in own.labels]
                ends = [(float(n.min()), float(n.max())) for n in some if len(n)]
                low, high = (
                    min((e[0] for e in ends), default=0),
                    max((e[1] for e in ends), default=0),
                )
                found[column] = _seen.edges_for(low, high, bins=20)
    return found


def _class_names(split: Dataset, name: str) -> list[str]:
    feature = split.features[name]
    feature = getattr(feature, "feature", feature)
    return list(getattr(feature, "names", None) or ())


def _overlaps(
    parts: Mapping[str, _pieces.Part], seen: Mapping[str, Seen], train: str
) -> dict[str, dict[str, int]]:
    """Split → other split → rows of the first whose texts are in the other too; each two splits once."""
    import numpy as np

    order = sorted((name for name in parts if parts[name].texts), key=lambda name: name != train)
    found: dict[str, dict[str, int]] = {}
    for position, name in enumerate(order):
        others = [other for other in order[:position] if parts[other].texts == parts[name].texts]
        if others:
            mine = seen[name].keys
            found[name] = {
                other: int(np.count_nonzero(np.isin(mine, seen[other].keys))) for other in others
            }
    return found


def _overlap_warnings(name: str, facts: Mapping[str, Any]) -> list[str]:
    """What of a split is in others too, in sentences."""
    return [
        f"split {name!r} has {_rows(rows, 'is', 'are')} in split {other!r} too"
        for other, rows in facts.get("overlap", {}).items()
        if rows
    ]


def _warnings(name: str, splits: Mapping[str, Mapping[str, Any]], train: str) -> list[str]:
    """What else deserves attention in one split, in sentences."""
    where, facts = f"split {name!r}" if name else "the data", splits[name]
    found = [] if facts["rows"] else [f"{where} has no rows"]
    for column, labels in facts["labels"].items():
        of = f" in {column!r}" if len(facts["labels"]) > 1 else ""
        found += _label_warnings(
            where, labels, splits.get(train, {}).get("labels", {}).get(column), of
        )
        if labels["unlabelled"] and labels["unlabelled"] < facts["rows"]:
            found.append(f"{where} has {_rows(labels['unlabelled'])} without a label{of}")
    for column, counts in facts["texts"].items():
        if blank := counts["missing"] + counts["empty"]:
            found.append(f"{where} has {_rows(blank)} without text in {column!r}")
    if facts.get("duplicates"):
        found.append(
            f"{where} has {_rows(facts['duplicates'], 'repeats', 'repeat')} an earlier one"
        )
    return found


def _label_warnings(
    where: str, labels: Mapping[str, Any], learned: Mapping[str, Any] | None, of: str
) -> list[str]:
    """Labels that are alone, and those that are not learned from."""
    present = [label for label, rows in labels.get("rows", {}).items() if rows]
    found = []
    if len(present) == 1 and "per_row" not in labels:
        found.append(f"{where} has one label only, {present[0]!r}{of}")
    trained = (learned or {}).get("rows", {})
    if strange := [label for label in present if trained and not trained.get(label)]:
        listed = ", ".join(map(repr, strange[:5])) + (" …" if len(strange) > 5 else "")
        found.append(f"{where} has labels{of} that the train split has not: {listed}")
    return found


def _rows(count: int, one: str = "", several: str = "") -> str:
    """`1 row`, `7 rows`; with a verb `1 row that is`, `7 rows that are`."""
    rows, verb = ("1 row", one) if count == 1 else (f"{count:,} rows", several)
    return f"{rows} that {verb}" if verb else rows
