"""TensorBoard: event files in the run's logs, with the recipe among its hyper-parameters."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from lightning_fabric.utilities.rank_zero import rank_zero_only
from pytorch_lightning import loggers

from mlrecipe import logger


@logger("TensorBoardLogger")
class TensorBoardLogger(loggers.TensorBoardLogger):
    """Writes metrics for TensorBoard; needs the package tensorboard."""

    def __init__(
        self,
        *,
        save_dir: str | None = None,
        name: str = "tensorboard",
        version: int | str | None = "",
        prefix: str = "",
        **settings: Any,
    ) -> None:
        """Write to `save_dir/name/version`; other settings are those of the summary writer.

        Args:
            save_dir: a folder; by default the run's `logs`.
            name: of a folder in it.
            version: of a folder in that; by default there is none.
            prefix: put before every metric's name.
            settings: further ones of TensorBoard's writer.
        """
        super().__init__(save_dir or ".", name=name, version=version, prefix=prefix, **settings)
        self._session_end: Any = None
        self._is_described = False

    @staticmethod
    def defaults(folder: Path) -> dict[str, Any]:
        """Where it writes for the run in a folder."""
        return {"save_dir": str(folder / "logs")}

    @rank_zero_only
    def log_hyperparams(
        self, params: dict[str, Any] | Namespace, metrics: Any = None, step: int | None = None
    ) -> None:
        """Remember the values until the first metrics are written: all of them make one description."""
        self.hparams.update(params if isinstance(params, Mapping) else vars(params))
        if metrics:
            self.log_metrics(metrics, step)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Write metrics."""
        self._describe()
        super().log_metrics(metrics, step)

    @rank_zero_only
    def save(self) -> None:
        """Write what is held."""
        self._describe()
        super().save()

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Say how it ended, and close the file."""
        if status == "success" and self._session_end is not None:
            self._add(self._session_end)
        super().finalize(status)

    def _describe(self) -> None:
        """Write the hyper-parameters, once.

        The metrics that go with them are not named: TensorBoard then takes all that the run has
        (tensorboard.plugins.hparams.backend_context), while Lightning would show an invented `hp_metric`.
        """
        if self._is_described or not self.hparams:
            return
        self._is_described = True
        values = {str(name): _plain(value) for name, value in self.hparams.items()}
        _, start, self._session_end = _summaries()(values, {})
        self._add(start)

    def _add(self, summary: Any) -> None:
        self.experiment._get_file_writer().add_summary(summary)


def _summaries() -> Any:
    """What makes the records of hyper-parameters: torch's, or that of tensorboardX where only it is there."""
    try:
        return import_module("torch.utils.tensorboard.summary").hparams
    except ImportError:
        return import_module("tensorboardX.summary").hparams


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | bool | int | float) else json.dumps(value, default=str)
