"""Lightning's own classes where a recipe need not repeat what mlrecipe knows: metric and folder."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from pytorch_lightning import callbacks, loggers

from mlrecipe import callback, events, logger


@callback("EarlyStopping")
class EarlyStopping(callbacks.EarlyStopping):
    """Stops training when a metric no longer improves."""

    def __init__(  # noqa: PLR0913  # all that Lightning's takes
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
        check_on_train_epoch_end: bool | None = None,
        verbose: bool = False,
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
            check_on_train_epoch_end: whether to look at the end of an epoch of training; by default at that
                of a validation, where there is one.
            verbose: whether to say what each look came to.
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
            check_on_train_epoch_end=check_on_train_epoch_end,
            verbose=verbose,
            log_rank_zero_only=True,
        )

    @staticmethod
    def _log_info(trainer: Any, message: str, log_rank_zero_only: bool) -> None:
        if trainer.is_global_zero:
            events.emit(events.Note(message))


@callback("ModelCheckpoint")
class ModelCheckpoint(callbacks.ModelCheckpoint):
    """Keeps further checkpoints, in Lightning's own format, under `checkpoints/lightning`."""

    def __init__(  # noqa: PLR0913  # all that Lightning's takes
        self,
        *,
        dirpath: str | None = None,
        filename: str | None = None,
        monitor: str | None = None,
        mode: Literal["min", "max"] | None = None,
        save_last: bool | Literal["link"] | None = None,
        save_top_k: int = 1,
        save_weights_only: bool = False,
        save_on_exception: bool = False,
        every_n_train_steps: int | None = None,
        every_n_epochs: int | None = None,
        train_time_interval: float | None = None,
        save_on_train_epoch_end: bool | None = None,
        auto_insert_metric_name: bool = True,
        enable_version_counter: bool = True,
    ) -> None:
        """Say which, and when.

        Args:
            dirpath: a folder; by default one in the run directory.
            filename: such as `{epoch}-{step}`.
            monitor: the metric that says which are best; by default the last is kept.
            mode: whether it should fall or rise; by default losses and errors should fall.
            save_last: whether the last is kept as `last.ckpt`, too; `link`: as a link to it.
            save_top_k: how many of the best are kept; -1: all.
            save_weights_only: whether what only resuming needs is left out.
            save_on_exception: whether one is written when training fails.
            every_n_train_steps: optimizer steps between two.
            every_n_epochs: epochs between two.
            train_time_interval: seconds between two.
            save_on_train_epoch_end: whether to look at the end of an epoch of training; by default at that
                of a validation, where there is one.
            auto_insert_metric_name: whether `{epoch}` in the name becomes `epoch=1`, not `1`.
            enable_version_counter: whether a file that is there already is kept, and the new one numbered.
        """
        interval = None if train_time_interval is None else timedelta(seconds=train_time_interval)
        super().__init__(
            dirpath=dirpath,
            filename=filename,
            monitor=monitor,
            mode=mode or "min",
            save_last=save_last,
            save_top_k=save_top_k,
            save_weights_only=save_weights_only,
            save_on_exception=save_on_exception,
            every_n_train_steps=every_n_train_steps,
            every_n_epochs=every_n_epochs,
            train_time_interval=interval,
            save_on_train_epoch_end=save_on_train_epoch_end,
            auto_insert_metric_name=auto_insert_metric_name,
            enable_version_counter=enable_version_counter,
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
