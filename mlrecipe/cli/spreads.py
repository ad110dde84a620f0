"""Spreads: what the members of a group come to, printed: each metric, and where all is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlrecipe.cli import render
from mlrecipe.cli.repeating import STAGE, Group
from mlrecipe.cli.session import Session
from mlrecipe.recipe.project import shown
from mlrecipe.runs.run import Run

_MOST = 5
"""The most members that each have a line."""


def close(session: Session, group: Group, *, tests: Sequence[Run] = (), as_json: bool) -> None:
    """The closing table: each metric's mean and deviation, and where everything is."""
    from mlrecipe.training import repeats

    found = repeats.summary([repeats.read_metrics(member.run) for member in group.members])
    if tests:
        found |= repeats.summary([repeats.read_metrics(run) for run in tests])
    if as_json:
        render.document(_document(session, group, tests, found))
        return
    render.out()
    for line in render.columns([(name, _spread(value)) for name, value in found.items()]):
        render.out(line)
    render.out()
    for line in render.columns(_places(session, group, tests)):
        render.out(line)


def _places(session: Session, group: Group, tests: Sequence[Run]) -> list[tuple[str, str]]:
    """Where the group is, its members, and what is predicted for what folds left out."""
    folder = shown(group.run.folder, here=session.here)
    rows = [("group", folder)]
    members = [(m.name, shown(m.run.folder, here=session.here)) for m in group.members]
    if len(members) > _MOST:
        members = [("trainings", f"{len(members)}, listed in {folder}/repeat.json")]
    kept = [path.name for path in group.run.folder.glob("predictions*.arrow")]
    name = kept[0] if len(kept) == 1 else "predictions-seed-*.arrow"
    rows += [*members, *([("left out", f"{folder}/{name}")] if kept else [])]
    if not tests:
        rows.append(("next", f"mlrecipe test {session.shown} --run {group.members[0].run.id}"))
    return rows


def _document(
    session: Session, group: Group, tests: Sequence[Run], found: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "run": group.run.id,
        "stage": STAGE,
        "folder": group.run.folder.relative_to(session.project).as_posix(),
        "metrics": found,
        "runs": [
            {"run": m.run.id, "seed": m.seed, "fold": m.fold,
             "folder": m.run.folder.relative_to(session.project).as_posix()}
            for m in group.members
        ],
        "tests": [run.id for run in tests],
    }  # fmt: skip


def _spread(value: Mapping[str, Any]) -> str:
    """`0.8123 ± 0.0102  (0.8021, 0.8225)`."""
    deviation = "" if value["std"] is None else f" ± {value['std']:.4f}"
    each = ", ".join(f"{v:.4f}" for v in value["values"][:10])
    more = ", …" if len(value["values"]) > 10 else ""
    return f"{value['mean']:.4f}{deviation}  ({each}{more})"
