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
            "batch_size": 80,  # of both devices
            "device_batch_size": 40,
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
                "comet": {
                    "use": "CometLogger", "api_key": "${secret:COMET_API_KEY}", "offline": False,
                },
            },
            "trainer": {
                "accelerator": "cpu", "devices": 2, "gradient_clip_val": 0.5, "min_epochs": 1,
            },
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
    assert "trainer.devices" not in found
    assert found["trainer.default_root_dir"].startswith(OURS)
    assert found["trainer.no_such_argument"].startswith(NONE)
    assert found["data.num_workers"].startswith(OURS)
    assert found["strange"] == UNKNOWN


def test_experiment_38_secrets_of_loggers_are_not_written(tmp_path):
    """A resolved configuration has keys of services in it: the recipe names environment variables for them."""
    done = convert(HYDRA, tmp_path)

    assert "s3cret" not in done.text + str(done.dropped) + str(done.warnings)
    assert (
        "# What was secret is read from the environment variable COMET_API_KEY.\n"
        'api_key = "${secret:COMET_API_KEY}"\n'
    ) in done.text
    assert any("COMET_API_KEY" in warning for warning in done.warnings)


def test_experiment_38_secrets_inside_of_values_are_not_written(tmp_path):
    """Whatever a logger takes, at any depth, and in what is only listed."""
    done = convert(
        """
        trainer: {max_epochs: 1, accelerator: "https://me:s3cret@x.org"}
        data: {headers: {authorization: s3cret}}
        logger:
          wandb:
            _target_: pytorch_lightning.loggers.WandbLogger
            token: s3cret
            tokenizer: bert
            settings: {tags: [a], login: {password: 12345, credentials: [s3cret, {user: s3cret2}]}}
        """,
        tmp_path,
    )

    wandb = tomli.loads(done.text)["train"]["loggers"]["wandb"]
    login = wandb.pop("settings")["login"]
    assert "s3cret" not in done.text + str(done.dropped) + str(done.warnings)
    assert "12345" not in done.text
    assert wandb == {
        "use": "WandbLogger", "token": "${secret:WANDB_TOKEN}", "tokenizer": "bert",
    }  # fmt: skip
    assert login["password"] == "${secret:WANDB_SETTINGS_LOGIN_PASSWORD}"
    assert login["credentials"][1] == {"user": "${secret:WANDB_SETTINGS_LOGIN_CREDENTIALS_1_USER}"}
    assert {item.key for item in done.dropped} >= {"trainer.accelerator", "data.headers"}


@pytest.mark.parametrize(
    ("scheduler", "said"),
    [
        ("", "there was no schedule"),
        ("scheduler: null", "there was no schedule"),
        ("scheduler: {_target_: torch.optim.lr_scheduler.StepLR}", "StepLR was not carried over"),
    ],
)
def test_a_constant_rate_is_told(tmp_path, scheduler, said):
    """The recipe says `constant` where mlrecipe's default is another: a comment says why."""
    done = convert(f"model: {{optimizer: {{lr: 1.0}}, {scheduler}}}\n", tmp_path)

    comment = done.text.partition("\n[train.scheduler]")[0].rpartition("\n\n")[2]
    assert comment.startswith("# The learning rate stays constant: ")
    assert said in comment
    assert any(said in warning for warning in done.warnings) == ("StepLR" in said)


def test_a_second_schedule_is_listed(tmp_path):
    """A recipe has one: what the other one says is not called carried, whichever it is."""
    done = convert(
        """
        model: {scheduler: {_target_: transformers.get_linear_schedule_with_warmup, num_warmup_steps: 3}}
        lr_scheduler: {_target_: transformers.get_cosine_schedule_with_warmup, num_warmup_steps: 4}
        """,
        tmp_path,
    )

    assert tomli.loads(done.text)["train"]["scheduler"] == {"use": "cosine", "warmup": 4}
    assert {"model.scheduler._target_", "model.scheduler.num_warmup_steps"} <= {
        item.key for item in done.dropped if item.why.endswith("is set by another key")
    }


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


@pytest.mark.parametrize(
    ("trainer", "train"),
    [
        ("strategy: ddp, devices: 4", {"batch_size": 32, "device_batch_size": 8}),
        ("strategy: ddp_spawn, devices: [0, 2]", {"batch_size": 16, "device_batch_size": 8}),
        ("devices: 2, num_nodes: 3, accumulate_grad_batches: 2",
         {"batch_size": 96, "device_batch_size": 8}),
        ("strategy: auto, devices: 1", {"batch_size": 8}),
        ("devices: auto", {"batch_size": 8}),
    ],
)  # fmt: skip
def test_experiment_38_devices_are_carried_with_what_they_take_together(tmp_path, trainer, train):
    """The Trainer's own arguments; a step has the rows of all devices, as it had."""
    done = convert(f"data: {{batch_size: 8}}\ntrainer: {{max_epochs: 1, {trainer}}}\n", tmp_path)

    found = tomli.loads(done.text)["train"]
    given = dict(pair.split(": ", 1) for pair in trainer.replace("[0, 2]", "[0;2]").split(", "))
    assert {k: v for k, v in found.items() if k.endswith("batch_size")} == train
    assert found["trainer"].keys() - {"gradient_clip_val"} == given.keys() - {
        "accumulate_grad_batches"
    }
    assert found["trainer"].get("strategy", "auto") in ("auto", "ddp")
    assert not [item for item in done.dropped if "trainer." in item.key]
    is_told = any("train.batch_size is of a whole step" in text for text in done.warnings)
    assert is_told == ("devices: auto" in trainer)


@pytest.mark.parametrize(
    ("strategy", "reason"),
    [
        ("fsdp", "a network in pieces cannot be saved and resumed yet"),
        ("deepspeed_stage_2", "a network in pieces cannot be saved and resumed yet"),
        ("dp", "known are auto, ddp"),
        ("{_target_: lightning.pytorch.strategies.DDPStrategy}", 'strategy = "ddp"'),
    ],
)
def test_experiment_38_strategies_that_cannot_be_carried_are_listed(tmp_path, strategy, reason):
    """With the reason."""
    done = convert(f"trainer: {{max_epochs: 1, strategy: {strategy}}}\n", tmp_path)

    (item,) = (item for item in done.dropped if item.key == "trainer.strategy")
    assert item.why.startswith(NONE)
    assert reason in item.why
    assert "strategy" not in tomli.loads(done.text)["train"]["trainer"]


@pytest.mark.parametrize(("gathered", "steps"), [(1, 100), (4, 25), (200, 1)])
def test_batches_between_validations_become_steps(tmp_path, gathered, steps):
    """Lightning counts batches, a recipe the steps that are made of them."""
    trainer = f"accumulate_grad_batches: {gathered}, val_check_interval: 100"
    done = convert(f"data: {{batch_size: 8}}\ntrainer: {{max_epochs: 1, {trainer}}}\n", tmp_path)

    assert tomli.loads(done.text)["train"]["validate_every"] == steps
    assert not [item for item in done.dropped if "val_check_interval" in item.key]
