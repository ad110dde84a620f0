"""Weights & Biases: a run kept in the run directory, which `mlrecipe runs sync` can send on."""

from __future__ import annotations

import hashlib
import os
import re
import time
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from lightning_fabric.loggers.logger import rank_zero_experiment
from lightning_fabric.utilities.rank_zero import rank_zero_only
from pytorch_lightning import loggers

from mlrecipe import logger
from mlrecipe.errors import DataError, did_you_mean
from mlrecipe.training.tracking.facts import facts_of
from mlrecipe.training.tracking.parameters import nested
from mlrecipe.training.tracking.syncing import FOLDER, has_login

_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9_.-]+")
_LONGEST_ID = 64
_QUIET: Mapping[str, Any] = {"silent": True, "console": "off"}
"""W&B's settings: it prints nothing, and does not take what is printed."""

_PLACES = {"WANDB_DATA_DIR": "data", "WANDB_CACHE_DIR": "cache", "WANDB_ARTIFACT_DIR": "artifacts"}
"""Variables that say where W&B keeps more → a folder in its own: else it is in the user's home, where a
later sync on another machine does not find it (wandb/server#149)."""


@logger("WandbLogger")
class WandbLogger(loggers.WandbLogger):
    """Writes metrics for Weights & Biases, by default without the network; needs the package wandb."""

    def __init__(  # noqa: PLR0913  # all that one may want to say
        self,
        *,
        project: str | None = None,
        name: str | None = None,
        id: str | None = None,
        save_dir: str | None = None,
        offline: bool = True,
        entity: str | None = None,
        group: str | None = None,
        tags: list[str] | None = None,
        notes: str | None = None,
        log_model: Literal["all"] | bool = False,
        checkpoint_name: str | None = None,
        prefix: str = "",
        **settings: Any,
    ) -> None:
        """Write to W&B; other settings are those of `wandb.init`.

        Args:
            project: at W&B; by default called as the folder of this project.
            name: of the run there; by default the run's id.
            id: of the run there; by default the run's id.
            save_dir: a folder; by default the run directory.
            offline: whether all stays on this machine until `mlrecipe runs sync`.
            entity: whose project it is: a user or a team.
            group: of the run; by default the repeat run that it belongs to.
            tags: of the run; by default `run.tags`.
            notes: about the run.
            log_model: whether checkpoints of the callback `ModelCheckpoint` are uploaded.
            checkpoint_name: what they are called at W&B.
            prefix: put before every metric's name.
            settings: further ones of `wandb.init`.
        """
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # it would be sent to others
        own = settings.pop("settings", None) or {}
        super().__init__(
            project=project or "mlrecipe",
            name=name,
            id=id,
            save_dir=save_dir or ".",
            log_model=log_model,
            checkpoint_name=checkpoint_name,
            prefix=prefix,
            entity=entity,
            group=group,
            tags=tags,
            notes=notes,
            # Not Lightning's own `offline`, which would set it for the whole process.
            mode="offline" if offline else "online",
            settings={**_QUIET, **own},
            **_known(settings),
        )
        self._wandb_init.pop("anonymous", None)  # W&B warns of it, whatever it is
        self._environment: dict[str, str | None] = {}
        if not offline:
            _require_login()

    @staticmethod
    def defaults(folder: Path) -> dict[str, Any]:
        """What the run in a folder is called at W&B."""
        facts = facts_of(folder)
        said = {"group": facts.group, "tags": list(facts.tags)}
        return {
            "save_dir": str(folder), "id": id_of(facts.id), "name": facts.id,
            "project": _NOT_IN_IDS.sub("-", facts.project.name) or "mlrecipe",
            **{name: value for name, value in said.items() if value},
        }  # fmt: skip

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """W&B's run, made at the first call."""
        if self._experiment is None:
            self._settle_places()
        return super().experiment

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace) -> None:
        """Write the values, dotted keys as tables: W&B shows them with dots again."""
        given = params if isinstance(params, Mapping) else vars(params)
        super().log_hyperparams(nested(given))

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Write metrics, W&B's own step being the optimizer's.

        So the parts of a training that was resumed offline, each a file of its own, follow each other.
        """
        named = {f"{self._prefix}{self.LOGGER_JOIN_CHAR}{name}" if self._prefix else name: value
                 for name, value in metrics.items()}  # fmt: skip
        if step is None:
            self.experiment.log(named)
        else:
            self.experiment.log({**named, "trainer/global_step": step}, step=step)

    @rank_zero_only
    def log_final(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Write what a stage came to into the run's summary."""
        self.experiment.summary.update(dict(metrics))

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write what is held, and finish the run, however it ended."""
        try:
            super().finalize(status)
        finally:
            self._finish(is_well=status in ("success", "finished"))

    def _settle_places(self) -> None:
        folder = Path(self.save_dir or ".").absolute() / FOLDER
        folder.mkdir(parents=True, exist_ok=True)  # else W&B takes the folder for temporary files
        # W&B names a part of a run after the second in which it begins: a second one would replace it.
        while list(folder.glob(f"*run-{time.strftime('%Y%m%d_%H%M%S')}-*")):
            time.sleep(0.05)
        for variable, name in _PLACES.items():
            self._environment[variable] = os.environ.get(variable)
            os.environ[variable] = str(folder / name)

    def _finish(self, *, is_well: bool) -> None:
        run, self._experiment = self._experiment, None
        try:
            if run is not None:
                self._id = run.id
                run.finish(exit_code=0 if is_well else 1)
        finally:
            for variable, value in self._environment.items():
                if value is None:
                    os.environ.pop(variable, None)
                else:
                    os.environ[variable] = value
            self._environment = {}


def id_of(run: str) -> str:
    """A run's id as W&B takes it: of few characters, and not too long."""
    clean = _NOT_IN_IDS.sub("-", run)
    if len(clean) <= _LONGEST_ID:
        return clean
    digest = hashlib.sha256(run.encode()).hexdigest()[:8]
    return f"{clean[: _LONGEST_ID - 9]}-{digest}"


@rank_zero_only
def _require_login() -> None:
    """Raise where W&B would ask who the user is."""
    if not has_login():
        hint = "set the environment variable WANDB_API_KEY, type `wandb login`, or leave out `offline = false`"
        raise DataError("you are not logged in to W&B", key="offline", hint=hint)


def _known(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, if all of them are of `wandb.init`."""
    import inspect

    try:
        import wandb
    except ImportError:  # Lightning says it
        return dict(settings)
    names = [name for name in inspect.signature(wandb.init).parameters if name != "config"]
    for name in settings:
        if name not in names:
            raise TypeError(f"no setting {name!r}; {did_you_mean(name, names)}")
    return dict(settings)
