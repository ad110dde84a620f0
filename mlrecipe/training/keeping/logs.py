"""The CSV log that every training writes, and that goes on where it was."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning_fabric.loggers.logger import rank_zero_experiment
from lightning_fabric.utilities.rank_zero import rank_zero_only
from pytorch_lightning import loggers
from pytorch_lightning.loggers.csv_logs import ExperimentWriter

_FLUSH_EVERY = 10


class Log(loggers.CSVLogger):
    """`logs/metrics.csv`: as Lightning's, but it can be continued, and is never half rewritten."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, name="logs", version="", flush_logs_every_n_steps=_FLUSH_EVERY)
        self.begins_anew = True
        """Whether what is there already is removed."""

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """What writes the file."""
        if self._experiment is None:
            self._experiment = _Writer(log_dir=self.log_dir)
            if self.begins_anew:
                self._experiment.rewrite([])
        return self._experiment

    def state_dict(self) -> dict[str, Any]:
        """How far the file is: its columns, and its rows once all are written."""
        self.experiment.save()
        return {"columns": list(self.experiment.metrics_keys), "rows": self.experiment.count}

    @rank_zero_only
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take the file back to where it was: what was written later will be written again."""
        made = _Writer(log_dir=self.log_dir)
        made.metrics_keys = list(state["columns"])
        made.rewrite(made.rows()[: int(state["rows"])])
        self._experiment = made


class _Writer(ExperimentWriter):
    """Appends rows; where a column is new the file is replaced whole."""

    def __init__(self, log_dir: str) -> None:
        self.count = 0
        super().__init__(log_dir)

    def _check_log_dir_exists(self) -> None:
        """Lightning removes what is there; that is for `Log` to say."""

    def rows(self) -> list[dict[str, str]]:
        """The rows of the file as they stand; a half-written last line is none."""
        try:
            text = Path(self.metrics_file_path).read_bytes().decode()
        except FileNotFoundError:
            return []
        whole = text[: text.rfind("\n") + 1]
        return list(csv.DictReader(io.StringIO(whole, newline="")))

    def rewrite(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Replace the file by these rows; without any there is none."""
        path = Path(self.metrics_file_path)
        self.count = len(rows)
        if not rows:
            path.unlink(missing_ok=True)
            return
        beside = path.with_name(f".{path.name}.new")
        with beside.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=self.metrics_keys, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
        os.replace(beside, path)

    def save(self) -> None:
        """Write what came since."""
        self.count += len(self.metrics)
        super().save()

    def _rewrite_with_new_header(self, fieldnames: list[str]) -> None:
        count = self.count
        self.rewrite(self.rows())
        self.count = count
