"""Loading: a trained model by its run, its recipe or an exported folder, ready to predict."""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mlrecipe.errors import RequestError, did_you_mean
from mlrecipe.inference import requests
from mlrecipe.inference.exporting import portable
from mlrecipe.inference.hearing import heard
from mlrecipe.inference.passes import Precision
from mlrecipe.inference.predictor import Predictor
from mlrecipe.inference.tables import TablePredictor
from mlrecipe.runs.run import Run
from mlrecipe.training.keeping.records import RECORD

_PRECISIONS = ("fp32", "bf16")


def load(
    path: str | PathLike[str],
    *,
    checkpoint: str = "best",
    device: str | torch.device | None = None,
    batch_size: int | None = None,
    precision: Precision = "fp32",
) -> Predictor:
    """A trained model, ready to predict texts, words or rows; nothing is kept between two of them.

    Args:
        path: a train run (its folder, its id in the project here; of a test run the training that it tested),
            a recipe (its newest finished train run), or a folder that `mlrecipe export model` has written.
        checkpoint: which one of a run: `best`, `last` or another that it has kept.
        device: where it computes, such as `cpu` or `cuda:1`; by default where the recipe's Trainer would.
        batch_size: items that the network takes at once; by default the recipe's `test.batch_size`.
        precision: `fp32`, or `bf16` where speed is worth more than the last digits.

    Raises:
        RequestError: there is no such model, or it prepares its rows in a way that cannot be done to new ones.
        RecipeError: the run's recipe cannot be read any more, or a component of the project is gone.
        TrainingError: the checkpoint is damaged.
    """
    with heard():
        tables, name = opened(
            path, checkpoint=checkpoint, device=device, batch_size=batch_size, precision=precision
        )
    return Predictor(tables, name=name)


def opened(
    path: str | PathLike[str],
    *,
    checkpoint: str = "best",
    device: str | torch.device | None = None,
    batch_size: int | None = None,
    precision: Precision = "fp32",
) -> tuple[TablePredictor, str]:
    """What predicts tables with the model that `load` would load, and what it is called.

    Raises:
        RequestError: as `load`.
        RecipeError: as `load`.
        TrainingError: as `load`.
    """
    if precision not in _PRECISIONS:
        hint = did_you_mean(str(precision), _PRECISIONS)
        raise RequestError(f"no precision {precision!r}", key="precision", hint=hint)
    is_count = isinstance(batch_size, int | np.integer) and not isinstance(batch_size, bool)
    if batch_size is not None and not (is_count and batch_size >= 1):
        raise RequestError(f"{batch_size!r} is no number of items", key="batch_size")
    place = _place(path)
    where = None if device is None else _device(device)
    if (place / requests.EXPORTED).is_file():
        if checkpoint != "best":
            message = f"{str(path)!r} has one checkpoint, and no other {checkpoint!r}"
            raise RequestError(message, key="checkpoint", hint="a run has several: name the run")
        found = portable.read(place)
        tables = TablePredictor.of_weights(
            place, found.head, request=found.request, trained=found.columns,
            batch_size=batch_size, precision=precision, device=where,
        )  # fmt: skip
        return tables, str(path)
    run, checkpoint = _run(place, str(path), checkpoint)
    tables = TablePredictor.of_run(
        run, checkpoint=checkpoint, batch_size=batch_size, precision=precision, device=where
    )
    return tables, f"{run.id}, {checkpoint}"


def _place(given: Any) -> Path:
    """The path that was given, whatever that is."""
    if isinstance(given, str | PathLike) and isinstance(path := fspath(given), str):
        return Path(path).expanduser()
    what = "None" if given is None else f"of type {type(given).__name__}: {given!r:.40}"
    raise RequestError(f"the model's path is {what}", hint=requests.NAMES)


def _run(place: Path, text: str, checkpoint: str) -> tuple[Run, str]:
    """The train run that is meant, and which checkpoint of it."""
    if (place / RECORD).is_file() and place.parent.name == "checkpoints":
        return requests.run_of(str(place.parent.parent), project=place), place.name
    if (place / "config.json").is_file() or (place / "adapter_config.json").is_file():
        raise RequestError(
            f"{text!r} does not say how texts are prepared for its model: it has no {requests.EXPORTED}",
            hint="name the run, or export it anew: mlrecipe export model RUN --output FOLDER",
        )
    return requests.choose(text, here=Path.cwd()), checkpoint


def _device(named: str | torch.device) -> torch.device:
    """The device, which must be there.

    Raises:
        RequestError: it is not.
    """
    try:
        device = torch.device(named)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise RequestError(f"no device {str(named)!r} here: {reason}", key="device") from error
    return device
