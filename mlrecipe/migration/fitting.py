"""Model, training and test of a runway configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlrecipe.code.kinds import Kind
from mlrecipe.migration.components import (
    CONSTANT,
    carry,
    carry_monitor,
    carry_parameters,
    carry_trainer,
    fill_optimizer,
    warn_of_defaults,
)
from mlrecipe.migration.draft import Draft
from mlrecipe.migration.ledger import DEAD, NONE, OURS, Ledger, Path
from mlrecipe.registry import registries

_MODEL: Path = ("model_config",)
_TRAIN: Path = ("train",)
_HEAD = "ForSequenceClassification"
_LOGGERS = {"tensorboard": "TensorBoardLogger", "wandb": "WandbLogger"}
_KEPT = "the best and the last checkpoint are always kept"


def carry_model(ledger: Ledger, draft: Draft, *, tokenizer: str) -> None:
    """Carry `model_config` to `[model]` and `[task]`, where it is a sequence classifier of transformers."""
    kind = ledger.get(*_MODEL, "ModelClass")
    given = (*_MODEL, "from_pretrained_kwargs")
    is_guess = kind is None and ledger.has(*given, "num_labels")
    if (isinstance(kind, str) and kind.endswith(_HEAD)) or is_guess:
        _carry_checkpoint(ledger, draft, given)
    if "model" in draft.values:
        draft.set("task.use", "text-classification")
        if is_guess:
            text = "no ModelClass is named; num_labels was taken to mean classification of texts"
            ledger.warn(f"model_config: {text}")
        ledger.take(*_MODEL, "ModelClass", to="model.use", value="transformer")
        ledger.drop(*_MODEL, "ModelLib", why=f"{OURS}: model.use says so")
        why = f"{OURS}: there are as many labels as the data has, or as task.labels lists"
        for table in (given, (*_MODEL, "load_checkpoint_kwargs"), (*_MODEL, "additional_kwargs")):
            ledger.drop(*table, "num_labels", why=why)
        ledger.drop(*_MODEL, "ConfigClass", why=f"{OURS}: the checkpoint says so")
        if tokenizer and tokenizer != draft.get("model.checkpoint"):
            draft.set("model.tokenizer", tokenizer)
    ledger.drop(*_MODEL, "base_model", why=f"{NONE}: it was a tag of a run")
    ledger.drop(*_MODEL, why=f"{NONE}: it was read by the executor's own code")


def _carry_checkpoint(ledger: Ledger, draft: Draft, given: Path) -> None:
    places: list[Path] = [(*_MODEL, "checkpoint_path"), (*_MODEL, "model_version"),
                          (*given, "pretrained_model_name_or_path")]  # fmt: skip
    text = Kind("str")
    found = [path for path in places if ledger.get(*path)]
    if not found:
        return
    draft.set("model.use", "transformer")
    if ledger.get(*_MODEL, "train_from_scratch") is True:
        text_ = "runway overwrote it with pretrained weights; for random ones set model.config"
        ledger.drop(*_MODEL, "train_from_scratch", why=f"{NONE}: {text_}")
    ledger.drop(*_MODEL, "train_from_scratch", why=f"{OURS}: model.checkpoint starts from weights")
    carry(ledger, found[0], draft, "model.checkpoint", text)
    for path in found[1:]:
        ledger.drop(*path, why=f"{DEAD}: {found[0][-1]} is there")
    for table in (given, (*_MODEL, "load_checkpoint_kwargs")):
        carry(ledger, (*table, "revision"), draft, "model.revision", text)


def carry_training(ledger: Ledger, draft: Draft) -> None:
    """Carry `train` and the loggers."""
    carry(ledger, (*_TRAIN, "batch_size"), draft, "train.batch_size", Kind("int"))
    ledger.drop(*_TRAIN, "dataloader_workers", why=f"{OURS}: batches are made in the process")
    _carry_checkpoints(ledger, draft)
    _carry_optimizer(ledger, draft)
    carry_trainer(ledger, [(*_TRAIN, "trainer_args"), (*_TRAIN, "trainer_paras")], draft)
    warn_of_defaults(ledger, draft)
    _carry_lora(ledger)
    why = f"{NONE}: training starts from model.checkpoint"
    ledger.drop(*_TRAIN, "trainer_fit_paras", "ckpt_path", why=why)
    ledger.drop(*_TRAIN, "trainer_fit_paras", why=f"{NONE}: mlrecipe calls the Trainer")
    _carry_loggers(ledger, draft)


def _carry_checkpoints(ledger: Ledger, draft: Draft) -> None:
    saved = (*_TRAIN, "model_checkpoint_callback_paras")
    is_monitored = bool(ledger.get(*saved, "monitor"))
    if ledger.has(*saved, "monitor"):
        carry_monitor(ledger, saved, draft, "train")
    ledger.drop(*saved, why=f"{OURS}: {_KEPT}")
    stop, patience = (*_TRAIN, "early_stopping_callback_paras"), (*_TRAIN, "early_stop_patience")
    if not is_monitored or not ledger.get(*patience):
        why = f"{DEAD}: without a monitored metric and early_stop_patience nothing stops early"
        ledger.drop(*patience, why=why)
        ledger.drop(*stop, why=why)
        return
    to = "train.callbacks.early_stopping"
    draft.set(f"{to}.use", "EarlyStopping")
    if ledger.has(*stop, "monitor"):
        carry_monitor(ledger, stop, draft, to)
    if ledger.has(*stop, "patience"):
        ledger.drop(*patience, why=f"{DEAD}: only whether it is above 0")
    else:
        carry(ledger, patience, draft, f"{to}.patience", Kind("int"))
    ours = {"verbose": "it says when training stops"}
    carry_parameters(ledger, stop, draft, to, component=("callback", "EarlyStopping"), ours=ours)


def _carry_optimizer(ledger: Ledger, draft: Draft) -> None:
    path = (*_TRAIN, "optimizer_config")
    name = ledger.get(*path, "optimizer_name")
    if isinstance(name, str) and name in registries["optimizer"]:
        to = "train.optimizer"
        ledger.take(*path, "optimizer_name", to=f"{to}.use")
        carry_parameters(
            ledger, (*path, "optimizer_params"), draft, to, component=("optimizer", name)
        )
        fill_optimizer(draft, lr=1e-3, weight_decay=0.0)  # of transformers' AdamW
        _carry_schedule(ledger, draft, path)
    ledger.drop(*path, why=f"{NONE}: see `mlrecipe list optimizers`")


def _carry_schedule(ledger: Ledger, draft: Draft, path: Path) -> None:
    name = ledger.get(*path, "scheduler")
    use = name if name in ("linear", "cosine") else "constant"
    ledger.take(*path, "scheduler", to="train.scheduler.use", value=use)
    draft.set("train.scheduler.use", use)
    if name is None:
        draft.comment("train.scheduler", f"The learning rate stays constant: {CONSTANT}.")
    draft.set("train.scheduler.warmup", 0.0)
    if use == "cosine":
        ledger.warn("runway's cosine schedule could not run; this one falls over all steps")
    elif name is not None and name != use:
        ledger.warn(f"scheduler {name!r} was constant in runway, and is so here")
    carry(ledger, (*path, "scheduler_params", "num_warmup_steps"), draft,
          "train.scheduler.warmup", Kind("float"))  # fmt: skip
    why = f"{DEAD}: only num_warmup_steps is"
    ledger.drop(*path, "scheduler_params", why=why)


def _carry_lora(ledger: Ledger) -> None:
    if ledger.get(*_TRAIN, "use_lora"):
        why = f"{NONE}: LoRA; write a model of your own, see docs/how-to/own-components.md"
        ledger.drop(*_TRAIN, "use_lora", why=why)
        ledger.drop(*_TRAIN, "lora_config", why=why)
    ledger.drop(*_TRAIN, "use_lora", why=f"{OURS}: all weights of the model learn")
    ledger.drop(*_TRAIN, "lora_config", why=f"{DEAD}: use_lora is not true")


def _carry_loggers(ledger: Ledger, draft: Draft) -> None:
    enabled = ledger.get("meta", "logger_enable")
    names = enabled if isinstance(enabled, list) else []
    carried = [name for name in names if isinstance(name, str) and name in _LOGGERS]
    for name in carried:
        draft.set(f"train.loggers.{name}.use", _LOGGERS[name])
    for name in names:
        if name not in (*carried, "csv"):
            ledger.warn(f"meta.logger_enable: there is no logger like {name!r}")
    if carried:
        loggers = draft.get("train.loggers")
        ledger.take("meta", "logger_enable", to="train.loggers", value=loggers)
    elif enabled in (None, [], ["csv"]):
        ledger.drop("meta", "logger_enable", why=f"{OURS}: a CSV log is always written")
    ledger.drop("meta", "logger_enable", why=f"{NONE}: see `mlrecipe list loggers`")
    wandb: Path = ("meta", "WANDB")
    if "wandb" in carried:
        why = f"{NONE}: a secret; wandb reads it from the environment variable WANDB_API_KEY"
        ledger.drop(*wandb, "api_key", why=why)
        ledger.drop(*wandb, "CACHE_DIR", why=f"{NONE}: set the variable WANDB_CACHE_DIR")
        carry_parameters(
            ledger, wandb, draft, "train.loggers.wandb", component=("logger", "WandbLogger")
        )
    ledger.drop(*wandb, why=f"{DEAD}: the logger wandb is not enabled")


def carry_test(ledger: Ledger, draft: Draft) -> None:
    """Carry `test`."""
    carry(ledger, ("test", "batch_size"), draft, "test.batch_size", Kind("int"))
    if ledger.get("test", "load_best_model") is True:
        ledger.take("test", "load_best_model", to="test.checkpoint", value="best")
        draft.set("test.checkpoint", "best")
    reasons: Mapping[str, Any] = {
        "dataloader_workers": f"{OURS}: batches are made in the process",
        "trainer_paras": f"{OURS}: the test takes train.trainer",
        "trainer_args": f"{OURS}: the test takes train.trainer",
        "checkpoint_name": f"{OURS}: the test takes the best checkpoint of the newest run",
        "load_model_path": f"{OURS}: the test takes the best checkpoint of the newest run",
        "load_best_model": f"{OURS}: the test takes the best checkpoint of the newest run",
        "test_with_lora": DEAD,
        "test_lora_config": DEAD,
    }
    for key, why in reasons.items():
        ledger.drop("test", key, why=why)
