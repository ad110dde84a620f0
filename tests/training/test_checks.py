"""What is refused before any work."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest
import pytorch_lightning as pl

from mlrecipe.errors import DataError
from mlrecipe.recipe.schema import TrainSpec
from mlrecipe.training.checks import OWN_TRAINER_KEYS, resolve_mode, validate_request


@pytest.mark.parametrize(
    ("changes", "key", "message"),
    [
        ({"trainer": {"max_epochs": 3}}, "train.trainer", "set `train.epochs`"),
        ({"trainer": {"callbacks": []}}, "train.trainer", "use `train.callbacks`"),
        ({"batch_size": 0}, "train.batch_size", "0 is not at least 1"),
        ({"validate_every": -1}, "train.validate_every", "-1 is not at least 1"),
        ({"monitor": "valid/acuracy"}, "train.monitor", "did you mean 'valid/accuracy'?"),
    ],
)
def test_a_wrong_request_names_the_key_and_the_way_out(changes: dict, key: str, message: str):
    """The key is the recipe's own."""
    with pytest.raises(DataError, match=message.replace("?", r"\?")) as caught:
        validate_request(spec=TrainSpec(**changes), metrics=["accuracy"])

    assert caught.value.key == key


def test_training_34_an_unknown_monitor_lists_the_names():
    """All names are there to choose from."""
    with pytest.raises(DataError, match="known: train/loss, valid/accuracy, valid/f1, valid/loss"):
        validate_request(spec=TrainSpec(monitor="bleu"), metrics=["accuracy", "f1"])


def test_what_mlrecipe_sets_itself_is_an_argument_of_the_trainer():
    """The list follows Lightning's Trainer."""
    assert set(OWN_TRAINER_KEYS) <= set(inspect.signature(pl.Trainer.__init__).parameters)


@pytest.mark.parametrize(
    ("monitor", "mode", "expected"),
    [
        ("valid/loss", "auto", "min"),
        ("valid/calibration-error", "auto", "min"),
        ("valid/accuracy", "auto", "max"),
        ("valid/accuracy", "min", "min"),
    ],
)
def test_losses_and_errors_should_fall(monitor: str, mode: str, expected: str):
    """Everything else should rise, unless the recipe says otherwise."""
    assert resolve_mode(monitor, mode) == expected


def test_the_checks_import_nothing_heavy():
    """They can be made by a command that must start fast."""
    code = "import sys, mlrecipe.training.checks; print('torch' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
