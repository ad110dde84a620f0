"""Copied: what `mlrecipe cache push` and `pull` say of results while they copy them, and in the end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from mlrecipe import events
from mlrecipe.cli import amounts, render
from mlrecipe.cli.holdings import short
from mlrecipe.cli.session import Settings
from mlrecipe.store.records import Record

_SAID = {
    "pushed": "pushed",
    "pulled": "pulled",
    "record": "as records alone, for nothing needs their outputs",
    "there": "there already",
    "other": "other outputs of the same computations there",
    "gone": "no output here to push",
    "damaged": "damaged here",
    "missing": "not at the remote",
    "refused": "not usable",
}
_COLORS = {"pushed": "green", "pulled": "green", "refused": "yellow", "damaged": "red"}


class Done:
    """Tells how much of the outputs is copied."""

    def __init__(self) -> None:
        self._done = self._total = 0

    def begin(self, verb: str, records: Sequence[Record], where: str) -> None:
        """Say what there is to copy, as far as it is not there."""
        self._total = sum(record.bytes for record in records)
        facts = f"{amounts.counted(len(records), 'output')} ({render.size(self._total)}) {where}"
        if records:
            events.emit(events.StageStarted(verb, facts))

    def add(self, size: int) -> None:
        """Note that so many bytes more are copied."""
        self._done += size
        total = max(self._total, self._done)
        events.emit(events.Progress(self._done // 10**6, total // 10**6, "MB"))


def row(node: str, result: Any) -> dict[str, Any]:
    """A result as `--json` tells of it."""
    record: Record | None = result.record
    return {
        "node": node,
        "recipe": record.recipe if record else None,
        "status": result.status,
        "bytes": result.bytes,
        "reason": result.reason,
        "fingerprint": record.fingerprint if record else None,
        "digest": record.digest if record else None,
    }


def report(
    rows: list[dict[str, Any]], remote: str, settings: Settings,
    *, as_json: bool, is_dry: bool, began: float,
) -> None:  # fmt: skip
    """Print what was copied, or would be."""
    total = sum(row["bytes"] for row in rows)
    if as_json:
        render.document({"remote": remote, "dry_run": is_dry, "bytes": total, "results": rows})
        return
    if is_dry or settings.is_verbose:
        for line in render.columns(_cells(row, _whose(row, rows)) for row in rows):
            render.out(line)
    if settings.is_quiet:
        return
    counts = Counter(row["status"] for row in rows)
    parts = [f"{counts[status]} {said}" for status, said in _SAID.items() if counts[status]]
    would = "; nothing was copied (--dry-run)" if is_dry else ""
    seconds = render.duration(time.perf_counter() - began)
    render.say(
        f"{remote}: {', '.join(parts) or 'nothing to copy'} ({render.size(total)} in {seconds}){would}"
    )


def _whose(row: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """What tells a row from others of its node: the recipe, or which of its results it is."""
    same = [other for other in rows if other["node"] == row["node"]]
    if len(same) == 1:
        return str(row["node"])
    recipes = [other["recipe"] for other in same]
    which = f", {short(row['fingerprint'])}" if recipes.count(row["recipe"]) > 1 else ""
    return f"{row['node']} ({row['recipe']}{which})"


def _cells(row: dict[str, Any], name: str) -> Sequence[str]:
    status = row["status"]
    shown = render.styled(f"{status:<7}", _COLORS.get(status, "dim"))
    size = render.size(row["bytes"]) if row["bytes"] else ""
    return name, shown, size, row["reason"]
