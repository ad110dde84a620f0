"""Configurations of the shape of real ones, each key with a value of its own."""

from __future__ import annotations

from typing import Any

TOKENIZER = {
    "version_name": "some/encoder",
    "class_name": "AutoTokenizer",
    "tokenize_kwargs": {"padding": "max_length", "truncation": True, "max_length": 96},
}


def pipeline(**transforms: Any) -> dict[str, Any]:
    """A data pipeline whose node `a_b` is called `a:b`."""
    return {
        "DataPipelineLib": "data_modules",
        "name": "ReviewPipeline",
        "regenerate": False,
        "do_inspect": True,
        "inspector_config": {"log_dir": "tests/"},
        "transforms": {name.replace("_", ":", 1): node for name, node in transforms.items()},
    }


def runway() -> dict[str, Any]:
    """An evaluated configuration of runway with a bit of everything."""
    return {
        "experiment_name": "my reviews",
        "test_suffix": "first",
        "meta": {
            "DATA_FOLDER": "data/",
            "EXPERIMENT_FOLDER": "./experiments/",
            "TENSORBOARD_FOLDER": "./boards/",
            "WANDB": {"CACHE_DIR": "cache/w", "entity": "me", "project": "p", "api_key": "s3cret"},
            "logger_enable": ["tensorboard", "csv", "wandb"],
            "platform_type": "pytorch",
            "ignore_pretrained_weights": [],
            "seed": 2022,
            "default_cache_dir": "cache/",
            "cuda": 0,
            "gpu_device": 1,
        },
        "data_pipeline": pipeline(
            input_Load={
                "transform_name": "LoadHFDataset",
                "setup_kwargs": {
                    "dataset_name": "reviews",
                    "dataset_path": "someone",
                    "fields": ["text"],
                    "load_kwargs": {"name": "plain", "data_dir": "x"},
                },
                "cache": True,
                "inspect": True,
            },
            process_Split={
                "input_node": "input:Load",
                "transform_name": "SplitHFDatasetToTrainTestValidation",
                "setup_kwargs": {
                    "test_size": 0.2,
                    "valid_size": 0.1,
                    "train_test_split_kwargs": {"seed": 7, "keep_in_memory": True},
                },
            },
            process_Tokens={
                "input_node": ["process:Split"],
                "transform_name": "HFDatasetTokenizeTransform",
                "setup_kwargs": {
                    "tokenizer_config": TOKENIZER,
                    "tokenize_fields_list": ["review"],
                    "rename_col_dict": {
                        "review_input_ids": "input_ids",
                        "review_attention_mask": "attention_mask",
                        "stars": "label",
                    },
                    "splits_to_process": ["train", "validation", "test"],
                },
                "regenerate": True,
            },
            output_Tokens={
                "input_node": "process:Tokens",
                "transform_name": "KeepLongReviews",
                "setup_kwargs": {"at_least": 3, "words": {"a": [1, 2]}, "nothing": None},
                "cache": False,
                "cache_dir": "cache/long",
                "dont_check_input_cache": True,
            },
            output_Dataloaders={
                "input_node": "output:Tokens",
                "transform_name": "MakeReviewDataloaders",
                "setup_kwargs": {},
            },
        ),
        "tokenizer_config": TOKENIZER,
        "model_config": {
            "ModelLib": "transformers",
            "ModelClass": "BertForSequenceClassification",
            "ConfigClass": "BertConfig",
            "model_version": "some/encoder",
            "load_checkpoint_kwargs": {"num_labels": 2, "output_attentions": True},
            "base_model": "bert",
            "beams": 4,
        },
        "executor": {
            "ExecutorClass": "ReviewExecutor",
            "init_kwargs": {"use_data_node": "output:Dataloaders", "use_dtype": "bf16"},
        },
        "train": {
            "batch_size": 24,
            "dataloader_workers": 4,
            "trainer_paras": {
                "max_epochs": 5,
                "accelerator": "cpu",
                "devices": 4,
                "accumulate_grad_batches": 2,
                "val_check_interval": 50,
                "check_val_every_n_epoch": None,
                "gpus": 1,
            },
            "model_checkpoint_callback_paras": {
                "monitor": "val_acc", "mode": "max", "save_top_k": 3, "filename": "m_{step}",
            },
            "early_stop_patience": 4,
            "early_stopping_callback_paras": {"min_delta": 0.01, "verbose": True},
            "optimizer_config": {
                "optimizer_name": "AdamW",
                "optimizer_params": {"lr": 0.0003, "correct_bias": True},
                "scheduler": "linear",
                "scheduler_params": {"num_warmup_steps": 100, "num_cycles": 2},
            },
            "use_lora": False,
            "lora_config": {"model": {"r": 8}},
            "trainer_fit_paras": {"ckpt_path": "old.ckpt"},
            "lucky_number": 13,
        },
        "test": {
            "batch_size": 48,
            "checkpoint_name": "best.ckpt",
            "load_best_model": True,
            "trainer_paras": {"devices": 1},
            "test_with_lora": False,
        },
        "eval": {
            "pipeline_config": {"do_inspect": True, "name": "E", "transforms": {"input:R": {"cache": False}}}
        },
        "moon": {"phase": "full", "tides": [{"high": 1}, {"low": None}]},
    }  # fmt: skip


HYDRA = """
task_name: digits
tags: [dev]
train: true
test: true
ckpt_path: null
seed: 11
data:
  _target_: src.data.DigitsDataModule
  batch_size: 40
  num_workers: 2
  data_dir: /data
  split: [55, 5, 10]
model:
  _target_: src.models.DigitsModule
  optimizer:
    _target_: torch.optim.Adam
    _partial_: true
    lr: 1e-3
    weight_decay: 0.0
    momentum: 0.9
  scheduler:
    _target_: torch.optim.lr_scheduler.ReduceLROnPlateau
    _partial_: true
    factor: 0.1
  net:
    _target_: src.nets.Dense
    size: 64
callbacks:
  model_checkpoint:
    _target_: lightning.pytorch.callbacks.ModelCheckpoint
    monitor: val/acc
    mode: max
    save_last: true
    dirpath: /o
  early_stopping:
    _target_: lightning.pytorch.callbacks.EarlyStopping
    monitor: val/acc
    mode: max
    patience: 9
    verbose: false
    stopping_threshold: null
  bar:
    _target_: lightning.pytorch.callbacks.RichProgressBar
  mine:
    _target_: src.callbacks.Shout
    loud: true
logger:
  csv:
    _target_: lightning.pytorch.loggers.csv_logs.CSVLogger
    save_dir: /o
  tensorboard:
    _target_: lightning.pytorch.loggers.tensorboard.TensorBoardLogger
    save_dir: /o
    prefix: p
  comet:
    _target_: lightning.pytorch.loggers.comet.CometLogger
    api_key: s3cret
    offline: false
trainer:
  _target_: lightning.pytorch.trainer.Trainer
  default_root_dir: /o
  min_epochs: 1
  max_epochs: 12
  accelerator: cpu
  devices: 2
  gradient_clip_val: 0.5
  no_such_argument: 1
paths:
  root_dir: /r
extras:
  print_config: true
strange: 5
"""
