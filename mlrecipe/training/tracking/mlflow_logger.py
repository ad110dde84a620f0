"""MLflow: a run in a database of the project, or at a server."""

from __future__ import annotations

import logging
import os
import re
import warnings
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from lightning_fabric.loggers.logger import rank_zero_experiment
from lightning_fabric.utilities.rank_zero import rank_zero_only
from pytorch_lightning import loggers

from mlrecipe import logger
from mlrecipe.recipe.project import MARKERS
from mlrecipe.training.tracking.facts import facts_of

_SERVER = "MLFLOW_TRACKING_URI"
_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",  # read when it is imported
    # By default MLflow tries for minutes to reach a server that is down.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_/. :-]")
_LONGEST_NAME = 250


@logger("MLFlowLogger")
class MLFlowLogger(loggers.MLFlowLogger):
    """Writes metrics to MLflow, by default to a database of the project; needs the package mlflow."""

    def __init__(  # noqa: PLR0913  # all that Lightning's takes
        self,
        *,
        experiment_name: str | None = None,
        run_name: str | None = None,
        tracking_uri: str | None = None,
        tags: dict[str, Any] | None = None,
        log_model: Literal["all"] | bool = False,
        prefix: str = "",
        artifact_location: str | None = None,
        run_id: str | None = None,
        synchronous: bool | None = None,
    ) -> None:
        """Write to a server or a database.

        Args:
            experiment_name: what MLflow groups runs by; by default the recipe's name.
            run_name: by default the run's id.
            tracking_uri: a server, or `sqlite:///` and a path; by default the environment's
                MLFLOW_TRACKING_URI, else `.mlrecipe/mlflow.db` of the project.
            tags: of the run at MLflow.
            log_model: whether checkpoints of the callback `ModelCheckpoint` are copied to MLflow.
            prefix: put before every metric's name.
            artifact_location: where files are kept; by default beside the database.
            run_id: of a run at MLflow that is to go on.
            synchronous: whether each call waits until it is stored.
        """
        for name, value in _DEFAULTS.items():
            os.environ.setdefault(name, value)
        with _quietly():
            super().__init__(
                experiment_name=experiment_name or "mlrecipe",
                run_name=run_name,
                tracking_uri=tracking_uri or "sqlite:///mlflow.db",
                tags=tags,
                save_dir=None,
                log_model=log_model,
                prefix=prefix,
                artifact_location=artifact_location,
                run_id=run_id,
                synchronous=synchronous,
            )
        self._goes_on = run_id is not None

    @staticmethod
    def defaults(folder: Path) -> dict[str, Any]:
        """What the run in a folder is called, and where it is kept."""
        facts = facts_of(folder)
        said = {"mlrecipe.run": facts.id, "mlrecipe.group": facts.group,
                "mlrecipe.tags": ", ".join(facts.tags)}  # fmt: skip
        found: dict[str, Any] = {
            "experiment_name": facts.name, "run_name": facts.id,
            "tags": {name: value for name, value in said.items() if value},
        }  # fmt: skip
        if os.environ.get(_SERVER):
            return {**found, "tracking_uri": os.environ[_SERVER]}
        kept = facts.project / MARKERS[0]
        kept.mkdir(exist_ok=True)
        database, files = kept / "mlflow.db", kept / "mlflow-artifacts"
        return {
            **found, "tracking_uri": f"sqlite:///{database}", "artifact_location": files.as_uri()
        }  # fmt: skip

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """MLflow's client; the run is made, or taken up again, at the first call."""
        if not self._initialized:
            with _quietly(), _same_server():
                client = super().experiment
                if self._goes_on:
                    client.update_run(self._run_id, status="RUNNING")
        return self._mlflow_client

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace) -> None:
        """Write the values that are not there yet: MLflow never changes one."""
        given = params if isinstance(params, Mapping) else vars(params)
        named = {
            _NOT_IN_NAMES.sub("_", str(name))[:_LONGEST_NAME]: value
            for name, value in given.items()
        }
        there = self.experiment.get_run(self.run_id).data.params
        super().log_hyperparams({name: v for name, v in named.items() if name not in there})


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep MLflow from telling of every table that it makes, and its database library of MLflow."""
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _same_server() -> Iterator[None]:
    """Leave the variable as it was that MLflow sets for the whole process."""
    before = os.environ.get(_SERVER)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_SERVER, None)
        else:
            os.environ[_SERVER] = before
