"""The op `temperature-scaling`: probabilities that are as sure as they are right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mlrecipe
from mlrecipe import events
from mlrecipe.builtin.ops import _choice, _evaluated
from mlrecipe.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

    from mlrecipe.recorder import Recorder


@mlrecipe.op("temperature-scaling")
def temperature_scaling(
    predictions: Recorder, *fit: Recorder, folds: int = 5, seed: int = 0
) -> Recorder:
    """Make probabilities as sure as they are right, by one number that their logits are divided by.

    Temperature scaling (Guo et al. 2017): the temperature is that of the least -log of the probabilities of
    the labels. What is predicted stays as it is, and so does which probability of a row is the greatest. Where
    a row may have several labels the threshold moves as the probabilities do.

    With a second input, such as `validation`, the temperature is fitted there: `inputs = ["predictions",
    "validation"]`. Without it the rows are dealt to `folds`, and each is scaled by what the others give, so
    that no row has a part in its own temperature.

    The rows are the predictions with other probabilities: other ops take them as they take predictions.

    Statistics: `temperature`, above 1 where predictions were too sure; without a second input the mean over the
    folds. `calibration-error` and `negative-log-likelihood` of the scaled probabilities, and both with
    `-before` of those before; of several labels means over them, of several outputs under `<output>/`.

    Args:
        predictions: those of one label, of several, or of several outputs.
        *fit: predictions to fit the temperature on; at most one input.
        folds: parts that the rows are dealt to where there is no second input.
        seed: seed of the dealing.
    """
    from mlrecipe.recorder.recorder import Recorder
    from mlrecipe.reporting import temperature

    table = _evaluated.rows_of(predictions)
    other = _evaluated.fitted_on(fit)
    if other is None:
        scaled, each = temperature.crossed(table, _folds(len(table), folds, seed))
    else:
        temperature.check_alike(table, other)
        each = [temperature.fit(other)]
        scaled = temperature.scaled(table, each[0])
    _warn(each)
    return Recorder(scaled, statistics=_statistics(each) | _compared(table, scaled))


def _folds(rows: int, folds: int, seed: int) -> Any:
    """The fold of each row, (rows,)."""
    import numpy as np

    if not 2 <= folds <= max(rows, 1):
        message = f"{rows:,} rows cannot be dealt to {folds} folds"
        raise DataError(message, key="folds", hint="it is at least 2, and at most the rows")
    return np.argsort(_choice.permutation(rows, seed, "")) % folds


def _statistics(each: list[dict[str, float]]) -> dict[str, float]:
    """The temperature of each output, or the one; of folds their mean."""
    return {
        f"{name}/temperature" if name else "temperature": sum(t[name] for t in each) / len(each)
        for name in each[0]
    }


def _compared(before: pa.Table, after: pa.Table) -> dict[str, float]:
    """The calibration after and before, where rows have labels."""
    from mlrecipe.reporting import calibration, tables

    if before.column("label").null_count == len(before):
        return {}
    said = {}
    for suffix, table in (("", after), ("-before", before)):
        found = calibration.calibrated(table)
        is_several = tables.head_of(table.schema).problem_type == tables.SEVERAL
        numbers = calibration.means(found) if is_several else calibration.statistics(found)
        for name, value in numbers.items():
            if name.endswith(("negative-log-likelihood", "calibration-error")):
                said[f"{name}{suffix}"] = value
    return {name: value for name, value in said.items() if "maximum" not in name}


def _warn(each: list[dict[str, float]]) -> None:
    from mlrecipe.reporting.temperature import HOTTEST

    ends = (HOTTEST, 1 / HOTTEST)
    if any(min(abs(t / end - 1) for end in ends) < 1e-9 for own in each for t in own.values()):
        text = "the temperature is the least or greatest one: what it is fitted on is all right, or few rows"
        events.emit(events.Note(text, level="warning"))
