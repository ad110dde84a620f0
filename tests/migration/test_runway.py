"""A runway configuration becomes a recipe, and no key of it vanishes."""

from __future__ import annotations

from typing import Any

import pytest
import tomli

from mlrecipe.errors import RequestError
from mlrecipe.migration import runway
from mlrecipe.migration.ledger import DEAD, NONE, OURS, UNKNOWN, dotted
from tests.migration.configs import TOKENIZER, pipeline
from tests.migration.configs import runway as config

OPS = """
import mlrecipe

@mlrecipe.op("keep-long-reviews")
def keep(data, *, at_least: int, words: dict[str, list[int]]):
    return data
"""


def convert(values: dict[str, Any]) -> runway.Imported:
    """The configuration as `config.json`."""
    return runway.convert(values, file="config.json")


def recipe(values: dict[str, Any]) -> dict[str, Any]:
    """The recipe as values."""
    return tomli.loads(convert(values).text)


def whys(values: dict[str, Any]) -> dict[str, str]:
    """Dropped key → why."""
    return {item.key: item.why for item in convert(values).dropped}


def has(table: Any, key: str) -> bool:
    """Whether a recipe has a key, or leaves it to a default that is the same."""
    for part in key.split("."):
        if not isinstance(table, dict) or part not in table:
            return False
        table = table[part]
    return True


def test_experiment_38_no_key_vanishes():
    """Every leaf is carried to a key that the recipe has, or is listed with a reason."""
    done = convert(config())
    values = tomli.loads(done.text)
    listed = {item.key for item in done.dropped}

    for leaf in done.ledger.leaves():
        above = {dotted(leaf[:n]) for n in range(1, len(leaf) + 1)}
        carried = done.ledger.carried.get(leaf)
        assert (carried is not None) != bool(above & listed), dotted(leaf)
        if carried is not None and done.ledger.get(*leaf) not in (None, {}):
            place = (
                carried.rpartition(".")[0] if carried.endswith((".cache", ".force")) else carried
            )
            assert has(values, place), (dotted(leaf), carried)
    assert all(item.why for item in done.dropped)


def test_experiment_38_what_is_dropped_stands_in_the_recipe_too():
    """The comment at the top names every key that is listed."""
    done = convert(config())

    assert all(f"#   {item.key} = " in done.text for item in done.dropped)


def test_experiment_38_every_dead_key_is_listed():
    """What runway never read is called so."""
    found = whys(config())

    assert {key for key, why in found.items() if why == DEAD} == {
        "data_pipeline.DataPipelineLib", "data_pipeline.do_inspect", "data_pipeline.inspector_config",
        "meta.DATA_FOLDER", "meta.TENSORBOARD_FOLDER", "meta.platform_type",
        "meta.ignore_pretrained_weights", "meta.cuda", "meta.gpu_device", "test.test_with_lora",
        'data_pipeline.transforms."input:Load".inspect', "eval.pipeline_config.do_inspect",
    }  # fmt: skip
    assert found["test_suffix"].startswith(DEAD)
    assert found["train.lora_config"].startswith(DEAD)
    assert found["moon"] == found["train.lucky_number"] == UNKNOWN


def test_experiment_38_nodes_are_those_of_the_pipeline():
    """Known transforms become ops of mlrecipe, others keep their parameters; inputs come first."""
    nodes = recipe(config())["nodes"]

    assert list(nodes) == ["Load", "Split", "Tokens", "Tokens-output"]
    assert nodes["Load"] == {"use": "load-dataset", "path": "someone/reviews", "name": "plain"}
    assert nodes["Split"] == {
        "use": "split", "inputs": ["Load"], "source": "train", "seed": 7,
        "sizes": {"validation": 0.1, "test": 0.2},
    }  # fmt: skip
    assert nodes["Tokens"] == {
        "use": "tokenize", "inputs": ["Split"], "tokenizer": "some/encoder", "text": "review",
        "max_length": 96, "force": True,
    }  # fmt: skip
    assert nodes["Tokens-output"] == {
        "use": "keep-long-reviews", "inputs": ["Tokens"], "at_least": 3, "words": {"a": [1, 2]},
        "cache": False,
    }  # fmt: skip


@pytest.mark.heavy
def test_experiment_38_training_is_the_same():
    """What mlrecipe would do by default but runway did not is written out."""
    values = recipe(config())

    assert values["name"] == "my-reviews"
    assert values["seed"] == 2022
    assert values["model"] == {"use": "transformer", "checkpoint": "some/encoder"}
    assert values["task"] == {"use": "text-classification"}
    train = values["train"]
    assert train["data"] == "Tokens-output"  # the node that makes DataLoaders is no longer needed
    assert train["valid_split"] == "validation"
    assert (train["batch_size"], train["device_batch_size"]) == (192, 24)  # 2 batches on 4 devices
    assert (train["epochs"], train["validate_every"]) == (5, 25)
    assert (train["monitor"], train["mode"]) == ("valid/accuracy", "max")
    assert train["optimizer"] == {"use": "AdamW", "lr": 0.0003, "weight_decay": 0.0}
    assert train["scheduler"] == {"use": "linear", "warmup": 100}
    assert train["trainer"] == {"accelerator": "cpu", "devices": 4, "gradient_clip_val": 0.0}
    assert train["callbacks"] == {
        "early_stopping": {"use": "EarlyStopping", "patience": 4, "min_delta": 0.01}
    }
    assert train["loggers"] == {
        "tensorboard": {"use": "TensorBoardLogger"},
        "wandb": {"use": "WandbLogger", "entity": "me", "project": "p"},
    }
    assert values["test"] == {"batch_size": 48, "checkpoint": "best"}


def test_experiment_38_reasons_fit():
    """Keys that mlrecipe decides and keys that it has nothing for are told apart."""
    found = whys(config())

    assert found["train.dataloader_workers"].startswith(OURS)
    assert found["train.model_checkpoint_callback_paras.save_top_k"].startswith(OURS)
    assert "train.trainer_paras.devices" not in found
    assert found["test.trainer_paras"].startswith(OURS)
    assert found["model_config.beams"].startswith(NONE)
    assert found['eval.pipeline_config.transforms."input:R"'].startswith(NONE)
    assert "secret" in found["meta.WANDB.api_key"]


def test_experiment_38_secrets_are_not_written():
    """A key of a service is neither in the recipe nor in the list."""
    done = convert(config())

    assert "s3cret" not in done.text + str(done.dropped)


@pytest.mark.heavy
def test_experiment_38_parameters_that_are_no_more_are_dropped():
    """What today's classes do not take would be an error in the recipe."""
    found = whys(config())

    assert found["train.trainer_paras.gpus"].startswith(NONE)
    assert found["train.optimizer_config.optimizer_params.correct_bias"].startswith(NONE)


def test_experiment_38_the_recipe_passes_check(work):
    """With its ops there, nothing is wrong with the recipe."""
    done = convert(config())
    work.write(
        "imported.toml", done.text.replace("seed = 2022", 'seed = 2022\nplugins = ["own.py"]')
    )
    work.write("own.py", OPS)

    found = work.run("check", "imported.toml")

    assert found.code == 0, found.err


def test_experiment_38_without_a_model_the_data_can_be_prepared(work):
    """A model of the project's own code is left to the person; the rest passes `check`."""
    values = config()
    values["model_config"] = {"my_own": 1}
    done = convert(values)
    work.write(
        "imported.toml", done.text.replace("seed = 2022", 'seed = 2022\nplugins = ["own.py"]')
    )
    work.write("own.py", OPS)

    found = work.run("check", "imported.toml")

    assert found.code == 0, found.err
    assert '# With [model] and [task] there, add: data = "Tokens-output"' in done.text
    assert "# - there is no [model] yet" in done.text


def test_experiment_38_missing_ops_are_warned_of():
    """The op that a recipe names for an unknown transform is still to be written."""
    assert any("'keep-long-reviews'" in warning for warning in convert(config()).warnings)


def test_a_name_that_is_there_twice_gets_the_role():
    """`process:A` and `output:A` are two nodes; a third one is counted."""
    node = {"transform_name": "X"}
    transforms = {"process:A": node, "output:A": node, "output:A.": node, "no role": node}
    values = {"data_pipeline": {"transforms": transforms}}

    assert list(recipe(values)["nodes"]) == ["A", "A-output", "A-output-2", "no-role"]


def test_two_texts_are_left_to_the_person():
    """runway tokenized each field by itself, which is no pair of texts: nothing is guessed."""
    kwargs = {
        "tokenizer_config": TOKENIZER,
        "tokenize_fields_list": ["a", "b"],
        "rename_col_dict": {},
    }
    node = {"transform_name": "HFDatasetTokenizeTransform", "setup_kwargs": kwargs}
    values = {"data_pipeline": pipeline(input_T=node)}

    assert "text" not in recipe(values)["nodes"]["T"]
    assert any("2 texts" in warning for warning in convert(values).warnings)


@pytest.mark.parametrize("fields", [None, [], "review", [3]])
def test_no_text_to_tokenize_is_told(fields):
    """Nobody tokenized "0 texts one by one"."""
    node = {
        "transform_name": "HFDatasetTokenizeTransform",
        "setup_kwargs": {"tokenize_fields_list": fields},
    }

    warnings = convert({"data_pipeline": pipeline(input_T=node)}).warnings

    assert "nodes.T: no text to tokenize is named; `text` is left to you" in warnings


@pytest.mark.parametrize(
    ("table", "key", "value", "why"),
    [
        ("train.trainer_paras", "max_epochs", "two", "expected an integer, got the text 'two'"),
        ("train.trainer_paras", "max_epochs", True, "expected an integer, got true"),
        ("train.trainer_paras", "max_steps", 0, "train.max_steps is 1 or more"),
        ("train.trainer_paras", "val_check_interval", "x", "expected an integer, got the text 'x'"),
        ("train.trainer_paras", "val_check_interval", 0.5, "not parts of an epoch"),
        ("meta", "seed", "x", "expected an integer, got the text 'x'"),
        ("", "experiment_name", 3, "expected text, got 3"),
        ("", "use_dummy_data", "x", "expected true or false, got the text 'x'"),
    ],
)
def test_a_value_of_the_wrong_type_is_called_that(table, key, value, why):
    """It is not filed under what mlrecipe does itself."""
    values = {key: value}
    for name in reversed(table.split(".") if table else []):
        values = {name: values}

    found = whys({"data_pipeline": {}, **values})[f"{table}.{key}".lstrip(".")]

    assert found.startswith(NONE)
    assert found.endswith(why)


def test_a_setting_does_not_take_the_place_of_a_key_of_nodes():
    """`use` of an old transform is a parameter of its op, which `use` names."""
    node = {"transform_name": "Own", "setup_kwargs": {"use": "x", "version": 2, "limit": 3}}

    assert recipe({"data_pipeline": pipeline(input_A=node)})["nodes"]["A"] == {
        "use": "own", "use_": "x", "version_": 2, "limit": 3,
    }  # fmt: skip


def test_regenerating_everything_is_carried():
    """`regenerate` of the pipeline forces every node that is kept at all."""
    values = {
        "data_pipeline": pipeline(
            input_A={"transform_name": "X"}, input_B={"transform_name": "Y", "cache": False}
        )
    }
    values["data_pipeline"]["regenerate"] = True

    nodes = recipe(values)["nodes"]

    assert nodes["A"]["force"] is True
    assert nodes["B"] == {"use": "y", "cache": False}


def test_without_an_early_stop_patience_nothing_stops_early():
    """As in runway, the callback's own table is not enough."""
    values = config()
    del values["train"]["early_stop_patience"]

    assert "callbacks" not in recipe(values)["train"]
    assert whys(values)["train.early_stopping_callback_paras"].startswith(DEAD)


def test_a_metric_of_ones_own_is_not_monitored():
    """No metric of mlrecipe is called so: the default stands."""
    values = config()
    values["train"]["model_checkpoint_callback_paras"]["monitor"] = "val_loss_of_my_own"

    assert "monitor" not in recipe(values)["train"]
    assert whys(values)["train.model_checkpoint_callback_paras.monitor"].startswith(NONE)


def test_texts_that_look_like_references_stay_texts(work):
    """`${` in a configuration of runway is only text."""
    node = {"transform_name": "numbers", "setup_kwargs": {"note": '${HOME} " \\ \u007f\n#'}}
    values = {"data_pipeline": pipeline(input_A=node)}

    assert recipe(values)["nodes"]["A"]["note"] == '$${HOME} " \\ \u007f\n#'


def test_experiment_38_another_configuration_is_refused():
    """Without a data pipeline it is none of runway."""
    with pytest.raises(
        RequestError, match="no configuration of runway: it has no table data_pipeline"
    ):
        convert({"model": {}})
