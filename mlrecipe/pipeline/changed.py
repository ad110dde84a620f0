"""Changed ops: those of the project whose code is not what a run was trained with."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mlrecipe import events
from mlrecipe.code.closure import code_digest
from mlrecipe.graph.graph import Node
from mlrecipe.interfaces import Memo
from mlrecipe.recipe.project import shown
from mlrecipe.runs import manifest
from mlrecipe.runs.run import Run


def tell(run: Run, nodes: Iterable[Node], *, project: Path, memo: Memo | None = None) -> None:
    """Warn of each of these ops, if its code was another when `run` was trained.

    The package's own ops are passed over, and so is what a run of before it was kept does not say.
    """
    trained = manifest.inputs_of(run)
    said: set[str] = set()
    for node in nodes:
        kept, op = trained.get(node.name, {}).get("code"), node.found.signature
        if not node.found.plugin or kept is None or op.name in said:
            continue
        now = code_digest(Path(op.file), op.qualname, roots=[project.resolve()], memo=memo)
        if now.digest != kept:
            said.add(op.name)
            where = f"{shown(Path(op.file), here=Path.cwd())}:{op.line}"
            text = f"the op {op.name!r} ({where}) is not what run {run.id} was trained with"
            events.emit(events.Note(f"{text}: predictions may be others", "warning"))
