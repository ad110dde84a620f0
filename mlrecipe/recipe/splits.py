"""Splits: what `train.valid_split` and `test.split` name, and what the metrics of each are called."""

from __future__ import annotations

from collections.abc import Mapping

from mlrecipe.errors import DataError


def names(value: object) -> list[str]:
    """The splits that a value names, one or a list of them; an empty text names none."""
    found = value if isinstance(value, list) else [value]
    return [name for name in found if isinstance(name, str) and name]


def places(value: object, stage: str) -> dict[str, str]:
    """Split → what is before the `/` of its metrics: `stage` for a single one, of several each its own name."""
    found = names(value)
    return dict.fromkeys(found, stage) if len(found) == 1 else {name: name for name in found}


def watched(monitor: str, value: object) -> str:
    """The metric that `monitor` means with these splits to validate on.

    Of several, `valid/…` is that of the first, unless one of them is called so.
    """
    stage, slash, metric = monitor.partition("/")
    found = places(value, "valid")
    if stage != "valid" or not slash or not found:
        return monitor
    return f"{found.get('valid') or next(iter(found.values()))}/{metric}"


def meant(monitor: str, value: object) -> str | None:
    """What a monitor that names the only split to validate on should be: its metrics are `valid/…`."""
    found = names(value)
    start = f"{found[0]}/" if len(found) == 1 else ""
    is_named = bool(start) and monitor.startswith(start)
    return f"valid/{monitor.removeprefix(start)}" if is_named else None


def check(value: object, *, key: str) -> None:
    """Raise for a list that names no split, one of them twice, or one whose metrics or files would clash.

    Raises:
        DataError: with the key.
    """
    if not isinstance(value, list):
        return
    if not value or not all(isinstance(name, str) and name for name in value):
        what = "an empty name is among them" if value else "the list of splits is empty"
        hint = '`valid_split = ""` trains without validation' if "valid" in key else None
        raise DataError(what, key=key, hint=hint)
    twice = [name for position, name in enumerate(value) if name in value[:position]]
    if twice:
        raise DataError(f"split {twice[0]!r} is there twice", key=key)
    if len(value) > 1:
        _check_name(value, key=key)


def counted(rows: Mapping[str, int]) -> str:
    """`9,796 rows of split 'test_matched', 9,847 of 'test_mismatched'`."""
    first, *others = rows.items()
    parts = [f"{first[1]:,} {'row' if first[1] == 1 else 'rows'} of split {first[0]!r}"]
    return ", ".join([*parts, *(f"{count:,} of {name!r}" for name, count in others)])


def _check_name(found: list[str], *, key: str) -> None:
    if "valid" in key and "train" in found:
        message = (
            "among several splits each one's metrics stand under its own name, and `train/loss` is"
        )
        raise DataError(
            f"{message} that of training", key=key, hint="validate on 'train' alone, or rename it"
        )
    odd = [name for name in found if "/" in name or "\\" in name or name.startswith(".")]
    if odd:
        message = f"{odd[0]!r} cannot be part of the name of a metric or a file"
        raise DataError(
            message,
            key=key,
            hint="give the split another name where it is loaded, or test on it alone",
        )
