"""What trackers take from the run that they follow: its id, its name, its project, its tags."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mlrecipe.recipe.project import project_of
from mlrecipe.runs import run as running


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """A run as trackers know it."""

    id: str
    """Name of its folder."""

    name: str
    """Of the recipe; of the project where the run does not say."""

    project: Path
    """Root of the project."""

    group: str | None
    """The repeat run that it is a member of."""

    tags: tuple[str, ...]


def facts_of(folder: Path) -> RunFacts:
    """What is known of the run in a folder, which may be one that says nothing of itself."""
    folder = folder.resolve()
    project = project_of(folder)
    run = running.read(folder)
    said = {} if run is None else run.facts
    tags = said.get("tags", [])
    return RunFacts(
        id=folder.name, project=project, name=str(said.get("name") or project.name or "mlrecipe"),
        group=str(said["group"]) if said.get("group") else None,
        tags=tuple(str(tag) for tag in tags) if isinstance(tags, list) else (),
    )  # fmt: skip
