"""A session: which recipe, project and store one command works on."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mlrecipe import plugins
from mlrecipe.cli import collector, render
from mlrecipe.errors import RequestError
from mlrecipe.pipeline.places import store_root
from mlrecipe.pipeline.request import Check, Request, open_request
from mlrecipe.recipe.compose import compose
from mlrecipe.recipe.project import find_recipe, project_of, shown
from mlrecipe.recipe.schema import Group, Overrides
from mlrecipe.store.store import Store
from mlrecipe.training.checks import problems as training_problems

_LAST = "last-recipe"


@dataclass(frozen=True)
class Settings:
    """What the global options say."""

    is_verbose: bool = False
    is_quiet: bool = False
    shows_traceback: bool = False
    is_offline: bool = False


class Session:
    """The recipe at `path` and the project and store that go with it."""

    def __init__(self, path: Path, *, here: Path) -> None:
        self.path = path
        self.here = here
        self.project = project_of(path.parent)

    @classmethod
    def of(cls, recipe: str) -> Session:
        """The session of a recipe argument."""
        here = Path.cwd()
        return cls(find_recipe(recipe, here=here), here=here)

    @classmethod
    def in_folder(cls) -> Session:
        """The session of the project here, whatever its recipes."""
        here = Path.cwd()
        return cls(project_of(here) / "recipe.toml", here=here)

    @classmethod
    def guessed(cls, recipe: str | None) -> Session:
        """The session of the recipe named, else of the only one here, else of the one used last.

        Raises:
            RequestError: it cannot be told which recipe is meant.
        """
        if recipe is not None:
            return cls.of(recipe)
        here = Path.cwd()
        project = project_of(here)
        known = [p.resolve() for p in sorted(here.glob("*.toml")) if p.name != "pyproject.toml"]
        if len(known) == 1:
            return cls(known[0], here=here)
        last = Store(store_root(project)).memo.get(_LAST)
        if last is not None and (project / last).is_file():
            return cls(project / last, here=here)
        known += sorted((project / "recipes").glob("*.toml"))
        names = (
            ", ".join(sorted({shown(path, here=here) for path in known})) or "there is none here"
        )
        raise RequestError("which recipe? name it after the node", hint=f"recipes: {names}")

    @property
    def shown(self) -> str:
        """The recipe's path as the user knows it."""
        return shown(self.path, here=self.here)

    @cached_property
    def store(self) -> Store:
        """The project's store; nothing is written before it is used."""
        return Store(store_root(self.project))

    def open(
        self,
        overrides: Overrides | None,
        *,
        settings: Settings,
        checks: Sequence[Check] = (),
        needs_files: bool = True,
    ) -> Request:
        """The checked recipe; from here on the hub is reachable only if the recipe names an id of it.

        `checks` are further ones than every command makes. Without `needs_files` what it names need not be
        there.

        Raises:
            RecipeError: with every problem there is.
        """
        request = open_request(
            self.path, overrides or (), here=self.here, memo=self.store.memo,
            checks=(training_problems, *checks), needs_files=needs_files,
        )  # fmt: skip
        quiet_libraries(is_offline=settings.is_offline or not request.hub_ids)
        return request

    def pin(
        self,
        request: Request,
        *,
        settings: Settings,
        update: bool = False,
        nodes: Collection[str] = (),
        with_stages: bool = True,
    ) -> Request:
        """The request with its ids of the hub pinned to commits, in its lock file too; says what was done.

        `nodes` and `with_stages` say whose ids are needed, as in `Request.on_hub`.

        Raises:
            MlrecipeError: the hub does not have what the recipe names, or cannot be asked for an update.
        """
        if not all(name in request.graph.nodes for name in nodes):  # the plan says so
            return request
        places = request.on_hub(nodes, with_stages=with_stages)
        if not update and not any(e.revision and not e.commit for _, e in places):
            return request
        from mlrecipe.pipeline.hub import pin

        done = pin(request, places, update=update)
        for note in done.notes if not settings.is_quiet else ():
            render.say(note)
        for warning in done.warnings:
            render.warn(warning)
        return done.request

    def groups(self, overrides: Overrides) -> Mapping[str, Group]:
        """The recipe's groups of variants."""
        composed = compose(self.path, overrides.picks, here=self.here, project=self.project)
        return composed.variants.groups

    def remember(self) -> None:
        """Note that this recipe was used last in its project."""
        name = self.path.relative_to(self.project).as_posix()
        if self.store.memo.get(_LAST) != name:  # writing costs more than reading
            self.store.memo.set(_LAST, name)

    def load_plugins(self, request: Request) -> None:
        """Import the recipe's own files: from here on work is done."""
        collector.search_as_usual()
        plugins.load(request.catalog.plugins, project=self.project)


def quiet_libraries(*, is_offline: bool) -> None:
    """Set what the libraries read when they are imported: no telemetry, no chatter, no surprise calls."""
    settings = {
        "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1", "DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    }  # fmt: skip
    defaults = {
        "TRANSFORMERS_VERBOSITY": "error",
        "HF_HUB_VERBOSITY": "error",  # else each of its retries is told
        "TOKENIZERS_PARALLELISM": "true",
        # OpenMP's threads spin while they wait. By default so long that on busy cores a small network
        # takes 10 to 20 times as long; this short, it costs nothing on idle ones.
        "GOMP_SPINCOUNT": "10000",
        # Large tensors in large pages of memory: a step of a small encoder spares the kernel 100,000 faults.
        "THP_MEM_ALLOC_ENABLE": "1",
    }
    if is_offline:
        settings["HF_HUB_OFFLINE"] = "1"
    os.environ.update(settings)
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
