"""A resolved Hydra configuration becomes a recipe, and no key of it vanishes."""

from __future__ import annotations

import pytest
import tomli
import yaml

from mlrecipe.errors import RequestError
from mlrecipe.migration import hydra
from mlrecipe.migration.hydra import UNKNOWN
from mlrecipe.migration.ledger import NONE, OURS, dotted
from mlrecipe.migration.source import read_yaml
from tests.migration.configs import HYDRA


def convert(text, tmp_path):
    """The configuration as `config.yaml`."""
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return hydra.convert(read_yaml(path), file=path.name)


def test_experiment_38_no_key_of_hydra_vanishes(tmp_path):
    """Every leaf is carried to a key that the recipe has, or is listed with a reason."""
    done = convert(HYDRA, tmp_path)
    values = tomli.loads(done.text)
    listed = {item.key for item in done.dropped}

    for leaf in done.ledger.leaves():
        above = {dotted(leaf[:n]) for n in range(1, len(leaf) + 1)}
        carried = done.ledger.carried.get(leaf)
        assert (carried is not None) != bool(above & listed), dotted(leaf)
        if carried is not None and done.ledger.get(*leaf) is not None:
            found = values
            for part in carried.split("."):
                found = found[part]
    assert all(f"#   {item.key} = " in done.text for item in done.dropped)


@pytest.mark.heavy
def test_experiment_38_hydra_training_is_carried(tmp_path):
    """Data loading, optimizer, callbacks, loggers and Trainer arguments that mlrecipe has too."""
    values = tomli.loads(convert(HYDRA, tmp_path).text)

    assert values == {
        "name": "digits",
        "seed": 11,
        "train": {
            "batch_size": 40,
            "epochs": 12,
            "monitor": "valid/accuracy",
            "mode": "max",
            "optimizer": {"use": "Adam", "lr": 0.001, "weight_decay": 0.0},
            "scheduler": {"use": "constant", "warmup": 0.0},
            "callbacks": {
                "early_stopping": {
                    "use": "EarlyStopping", "monitor": "valid/accuracy", "mode": "max", "patience": 9,
                }
            },
            "loggers": {
                "tensorboard": {"use": "TensorBoardLogger", "prefix": "p"},
                "comet": {"use": "CometLogger", "offline": False},
            },
            "trainer": {"accelerator": "cpu", "gradient_clip_val": 0.5},
        },
    }  # fmt: skip


@pytest.mark.heavy
def test_experiment_38_hydra_reasons_fit(tmp_path):
    """What mlrecipe decides, what it has nothing for, and what nobody knows are told apart."""
    found = {item.key: item.why for item in convert(HYDRA, tmp_path).dropped}

    assert found["data._target_"].startswith(NONE)
    assert "own-op" in found["data._target_"]
    assert "own-components" in found["model._target_"]
    assert found["model.scheduler"].startswith(NONE)
    assert found["model.optimizer.momentum"].startswith(NONE)
    assert found["callbacks.mine"].startswith(NONE)
    assert found["callbacks.bar"].startswith(OURS)
    assert found["callbacks.model_checkpoint.save_last"].startswith(OURS)
    assert found["logger.csv"].startswith(OURS)
    assert found["trainer.devices"].startswith(NONE)
    assert found["trainer.min_epochs"].startswith(OURS)
    assert found["trainer.no_such_argument"].startswith(NONE)
    assert found["data.num_workers"].startswith(OURS)
    assert found["strange"] == UNKNOWN


def test_experiment_38_secrets_of_loggers_are_not_written(tmp_path):
    """A resolved configuration has keys of services in it: the recipe must not."""
    done = convert(HYDRA, tmp_path)

    assert "s3cret" not in done.text + str(done.dropped)
    assert "logger.comet.api_key" in {item.key for item in done.dropped}


def test_experiment_38_the_recipe_of_hydra_passes_check(work, tmp_path):
    """It can be read as it stands; comments say what is missing."""
    done = convert(HYDRA, tmp_path)
    work.write("imported.toml", done.text)

    assert work.request(recipe="imported.toml").loaded.recipe.train.epochs == 12
    assert "[model] and [task]" in done.text
    assert "#     [nodes.table]" in done.text


def test_experiment_38_hydra_zen_and_lists_of_callbacks(tmp_path):
    """`_zen_target`, callbacks in the trainer's own table, a logger that is no table of loggers."""
    values = {
        "trainer": {
            "_target_": "pytorch_lightning.Trainer",
            "max_steps": 70,
            "callbacks": [{"_target_": "pytorch_lightning.callbacks.Timer", "interval": "step"}],
            "logger": {"_target_": "pytorch_lightning.loggers.TensorBoardLogger", "save_dir": "x"},
        },
        "module": {
            "optim": {
                "_target_": "hydra_zen.funcs.zen_processing",
                "_zen_target": "torch.optim.AdamW",
                "_zen_partial": True,
                "betas": [0.8, 0.9],
            },
            "lr_scheduler": {
                "_target_": "transformers.get_linear_schedule_with_warmup",
                "num_warmup_steps": 30,
                "num_training_steps": 70,
            },
        },
        "datamodule": {"train_batch_size": 8, "val_batch_size": 9},
    }

    train = tomli.loads(convert(yaml.safe_dump(values), tmp_path).text)["train"]

    assert train["max_steps"] == 70
    assert (train["batch_size"], train["eval_batch_size"]) == (8, 9)
    # torch's own defaults, which are not those of a recipe
    assert train["optimizer"] == {
        "use": "AdamW", "betas": [0.8, 0.9], "lr": 0.001, "weight_decay": 0.01,
    }  # fmt: skip
    assert train["scheduler"] == {"use": "linear", "warmup": 30}
    assert train["callbacks"] == {"timer": {"use": "Timer", "interval": "step"}}
    assert train["loggers"] == {"logger": {"use": "TensorBoardLogger"}}


def test_an_optimizer_of_ones_own_is_warned_of(tmp_path):
    """Otherwise another one would be taken in silence."""
    done = convert("model: {optimizer: {_target_: mine.Lion, lr: 1.0}}\n", tmp_path)

    assert any("no optimizer" in warning for warning in done.warnings)
    assert any("max_epochs" in warning for warning in done.warnings)


def test_experiment_38_another_yaml_is_refused(tmp_path):
    """Nothing of Lightning is in it."""
    with pytest.raises(RequestError, match="no configuration of a Lightning project"):
        convert("services: {web: 1}\n", tmp_path)
