"""Lightning's own classes where a recipe need not repeat what mlrecipe knows: metric and folder."""

from __future__ import annotations

from typing import Any, Literal

from pytorch_lightning import callbacks, loggers

from mlrecipe import callback, logger


@callback("EarlyStopping")
class EarlyStopping(callbacks.EarlyStopping):
    """Stops training when a metric no longer improves."""

    def __init__(
        self,
        *,
        monitor: str | None = None,
        mode: Literal["min", "max"] | None = None,
        patience: int = 3,
        min_delta: float = 0.0,
        strict: bool = True,
        check_finite: bool = True,
        stopping_threshold: float | None = None,
        divergence_threshold: float | None = None,
    ) -> None:
        """Watch one metric.

        Args:
            monitor: the metric; by default `train.monitor`.
            mode: whether it should fall or rise; by default as for `train.monitor`.
            patience: validations without improvement after which training stops.
            min_delta: the least change that counts as an improvement.
            strict: whether it is an error when the metric is not there.
            check_finite: whether to stop when the metric is no finite number.
            stopping_threshold: stop once the metric is better than this.
            divergence_threshold: stop once the metric is worse than this.
        """
        super().__init__(
            monitor=monitor or "valid/loss",
            mode=mode or "min",
            patience=patience,
            min_delta=min_delta,
            strict=strict,
            check_finite=check_finite,
            stopping_threshold=stopping_threshold,
            divergence_threshold=divergence_threshold,
        )


@logger("CSVLogger")
class CSVLogger(loggers.CSVLogger):
    """Writes metrics to a further CSV file; `logs/metrics.csv` is always there."""

    def __init__(
        self,
        *,
        save_dir: str | None = None,
        name: str = "csv",
        version: int | str | None = None,
        prefix: str = "",
        flush_logs_every_n_steps: int = 100,
    ) -> None:
        """Write to `save_dir/name/version`.

        Args:
            save_dir: a folder; by default the run directory.
            name: of a folder in it.
            version: of a folder in that; by default the next free number.
            prefix: put before every metric's name.
            flush_logs_every_n_steps: steps between two writes.
        """
        super().__init__(
            save_dir or ".",
            name=name,
            version=version,
            prefix=prefix,
            flush_logs_every_n_steps=flush_logs_every_n_steps,
        )


@logger("TensorBoardLogger")
class TensorBoardLogger(loggers.TensorBoardLogger):
    """Writes metrics for TensorBoard; needs the package tensorboard."""

    def __init__(
        self,
        *,
        save_dir: str | None = None,
        name: str = "tensorboard",
        version: int | str | None = None,
        prefix: str = "",
        **settings: Any,
    ) -> None:
        """Write to `save_dir/name/version`; other settings are those of the summary writer.

        Args:
            save_dir: a folder; by default the run directory.
            name: of a folder in it.
            version: of a folder in that; by default the next free number.
            prefix: put before every metric's name.
            settings: further ones of TensorBoard's writer.
        """
        super().__init__(save_dir or ".", name=name, version=version, prefix=prefix, **settings)
