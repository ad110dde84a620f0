"""Carrying over what mlrecipe has too: Trainer arguments, optimizers, callbacks, loggers, names of metrics."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

from mlrecipe.code import kinds
from mlrecipe.code.catalog import Catalog
from mlrecipe.code.kinds import Kind
from mlrecipe.code.signatures import Signature
from mlrecipe.migration.draft import Draft, is_toml
from mlrecipe.migration.ledger import NONE, OURS, Ledger, Path
from mlrecipe.migration.secrets import references
from mlrecipe.recipe.trainer import OWN_TRAINER_KEYS, trainer_parameters
from mlrecipe.registry import Kind as ComponentKind
from mlrecipe.registry import registries

_ONE_PROCESS: Mapping[str, tuple[Any, ...]] = {
    "devices": (1, "1", "auto", None),
    "num_nodes": (1, None),
    "strategy": ("auto", None),
}
_METRICS = {
    "acc": "accuracy",
    "auc": "auroc",
    "f1-score": "f1",
    "macro-f1": "f1-macro",
    "mcc": "matthews-corrcoef",
    "micro-f1": "f1-micro",
}
_TAKES_SECRETS = re.compile(
    r"nodes\.|model\.|task\.|train\.(optimizer|scheduler|callbacks|loggers)\."
)
"""Keys of a recipe where a component takes what stands there: no others may name a secret."""

_COUNTS = {"max_epochs": "epochs", "max_steps": "max_steps", "val_check_interval": "validate_every"}
"""Argument of the Trainer → key of `[train]`, where it is a number from 1."""

CONSTANT = "there was no schedule; mlrecipe's default is linear"
"""Why a recipe says so."""

_CATALOG = Catalog()
_OPEN = Signature(component="class", name="", qualname="", file="", line=0, open=True)


def carry(ledger: Ledger, path: Path, draft: Draft, to: str, kind: Kind = kinds.ANY) -> bool:
    """Put the value at `path` under the key `to` if it can stand there; else it is dropped.

    In place of secrets the recipe names environment variables.
    """
    if not ledger.has(*path):
        return False
    value, variables = references(ledger.get(*path), to, ledger.variables)
    why = _refusal(value, to, kind, is_secret=bool(variables))
    if why or not is_toml(value):
        ledger.drop(*path, why=why or f"{NONE}: TOML has no null")
        return False
    ledger.take(*path, to=to, value=value)
    draft.set(to, value)
    if variables:
        names = f"the environment variable{'s'[: len(variables) > 1]} {', '.join(variables)}"
        draft.comment(to, f"What was secret is read from {names}.")
        ledger.warn(f"set {names}, from which {to} reads what was secret")
    return True


def fits(ledger: Ledger, path: Path, kind: Kind) -> bool:
    """Whether there is a value of the kind at `path`; another one is dropped."""
    if not ledger.has(*path):
        return False
    value, variables = references(ledger.get(*path), str(path[-1]), {})
    why = _refusal(value, "", kind, is_secret=bool(variables))
    if why:
        ledger.drop(*path, why=why)
    return not why


def _refusal(value: Any, to: str, kind: Kind, *, is_secret: bool = False) -> str:
    """Why a value cannot stand in a recipe; empty when it can."""
    if is_secret and (not _TAKES_SECRETS.match(to) or kinds.sources(kind)):
        return f"{NONE}: a secret belongs into the environment, not into a recipe"
    if problems := kinds.convert(value, kind)[1]:
        return f"{NONE}: {problems[0][1]}"
    return ""


def carry_parameters(
    ledger: Ledger,
    path: Path,
    draft: Draft,
    to: str,
    *,
    component: tuple[ComponentKind, str],
    ours: Mapping[str, str] | None = None,
) -> None:
    """Carry the table at `path` as the parameters of a component, which is put under the key `to`.

    Args:
        ledger: what is read.
        path: of a table there.
        draft: what is written.
        to: key of the component's table.
        component: kind and registered name.
        ours: parameters that the recipe does not set, and why.
    """
    kind, name = component
    found = _CATALOG.find(kind, name)
    signature = found.signature if found else _OPEN
    draft.set(f"{to}.use", name)
    for key in ledger.keys(*path):
        if ledger.is_settled((*path, key)):
            continue
        if ours and key in ours:
            ledger.drop(*path, key, why=f"{OURS}: {ours[key]}")
        else:
            _carry_parameter(ledger, (*path, key), draft, f"{to}.{key}", signature)


def _carry_parameter(
    ledger: Ledger, path: Path, draft: Draft, to: str, signature: Signature
) -> None:
    parameter = signature.params.get(str(path[-1]))
    if parameter is None and (not signature.open or "." in str(path[-1])):
        ledger.drop(*path, why=f"{NONE}: {signature.name} has no such parameter")
    elif ledger.get(*path) is None and (parameter is None or parameter.default is None):
        ledger.leave(*path, to=to)  # null is what it is when it is left out
    else:
        carry(ledger, path, draft, to, parameter.kind if parameter else kinds.ANY)


def carry_trainer(ledger: Ledger, path: Path, draft: Draft) -> None:
    """Carry the arguments of Lightning's Trainer in the table at `path`."""
    for name in ledger.keys(*path):
        if not ledger.is_settled((*path, name)):
            _carry_argument(ledger, (*path, name), draft)
    if draft.get("train.trainer.gradient_clip_val") is None:
        draft.set("train.trainer.gradient_clip_val", 0.0)
        text = "Gradients are not clipped, as before; mlrecipe's own default is a norm of 1."
        draft.comment("train.trainer.gradient_clip_val", text)


def _carry_argument(ledger: Ledger, path: Path, draft: Draft) -> None:
    name, value = str(path[-1]), ledger.get(*path)
    if name in _COUNTS and value is not None:
        _carry_count(ledger, path, draft, f"train.{_COUNTS[name]}")
    elif name == "check_val_every_n_epoch" and value not in (None, 1):
        ledger.drop(*path, why=f"{NONE}: mlrecipe validates once an epoch or more often")
    elif name == "accumulate_grad_batches" and isinstance(value, int) and value > 1:
        _carry_accumulation(ledger, path, draft)
    elif name in OWN_TRAINER_KEYS:
        ledger.drop(*path, why=f"{OURS}: {OWN_TRAINER_KEYS[name]}")
    elif name in _ONE_PROCESS:
        fits = value in _ONE_PROCESS[name]
        ledger.drop(*path, why=f"{OURS if fits else NONE}: training runs in one process")
    elif (known := _trainer_arguments()) and name not in known:
        ledger.drop(*path, why=f"{NONE}: the Trainer of this Lightning has no such argument")
    elif value is None and name == "gradient_clip_val":
        draft.set(f"train.trainer.{name}", 0.0)
        ledger.take(*path, to=f"train.trainer.{name}", value=0.0)
    elif value is None:
        ledger.leave(*path, to=f"train.trainer.{name}")
    else:
        carry(ledger, path, draft, f"train.trainer.{name}")


def _carry_accumulation(ledger: Ledger, path: Path, draft: Draft) -> None:
    """A step of several batches: the recipe says how much it has in all, and how much a device takes."""
    size = draft.get("train.batch_size")
    if not isinstance(size, int):
        ledger.drop(*path, why=f"{NONE}: set train.batch_size to the examples of a whole step")
        return
    ledger.move("train.batch_size", "train.device_batch_size")
    draft.set("train.device_batch_size", size)
    draft.set("train.batch_size", size * ledger.get(*path))
    ledger.take(*path, to="train.batch_size", value=size * ledger.get(*path))


@cache
def _trainer_arguments() -> Collection[str]:
    return trainer_parameters(_CATALOG).keys()


def _carry_count(ledger: Ledger, path: Path, draft: Draft, to: str) -> None:
    name, value = str(path[-1]), ledger.get(*path)
    is_part = name == "val_check_interval" and type(value) is float
    if (is_part and value == 1.0) or (name == "max_steps" and value == -1):
        ledger.leave(*path, to=to)  # Lightning's own default
    elif is_part:
        why = f"{NONE}: {to} counts optimizer steps, not parts of an epoch"
        ledger.drop(*path, why=why)
    elif type(value) is int and value < 1:
        ledger.drop(*path, why=f"{NONE}: {to} is 1 or more")
    else:
        carry(ledger, path, draft, to, Kind("int"))


def fill_optimizer(draft: Draft, **defaults: float) -> None:
    """Write out what an AdamW had by default elsewhere: mlrecipe's own defaults are others."""
    for name, value in defaults.items():
        is_given = draft.get(f"train.optimizer.{name}") is not None
        if draft.get("train.optimizer.use") == "AdamW" and not is_given:
            draft.set(f"train.optimizer.{name}", value)


def warn_of_defaults(ledger: Ledger, draft: Draft) -> None:
    """Say where training will go by mlrecipe's defaults, for want of something that could be carried."""
    if draft.get("train.optimizer") is None:
        ledger.warn("no optimizer was carried over: mlrecipe takes AdamW with its own settings")
    if not any(draft.get(f"train.{key}") for key in ("epochs", "max_steps")):
        ledger.warn("neither max_epochs nor max_steps was carried: mlrecipe trains for 3 epochs")


def metric(name: Any) -> str | None:
    """What mlrecipe calls the metric that others log as `val_loss`; None if it has none like it."""
    if not isinstance(name, str):
        return None
    match = re.fullmatch(r"(train|val|valid|validation|dev|eval)[/_.-](.+)", name.lower())
    if match is None:
        return None
    split = "train" if match[1] == "train" else "valid"
    plain = match[2].replace("_", "-")
    plain = _METRICS.get(plain, plain)
    is_known = plain == "loss" or (split == "valid" and plain in registries["metric"])
    return f"{split}/{plain}" if is_known else None


def carry_monitor(ledger: Ledger, path: Path, draft: Draft, to: str) -> bool:
    """Carry `monitor` and `mode` of the table at `path` to the table `to` of the recipe.

    A metric goes to the metrics of the task too. Returns whether `monitor` was carried.
    """
    name = ledger.get(*path, "monitor")
    known = metric(name)
    if known is None:
        why = f"{NONE}: no metric is called that; see `mlrecipe list metrics`"
        default = f"{OURS}: train.monitor says by what the best checkpoint is chosen"
        ledger.drop(*path, "monitor", why=default if name is None else why)
        ledger.drop(*path, "mode", why=f"{OURS}: it goes with the metric that is monitored")
        return False
    ledger.take(*path, "monitor", to=f"{to}.monitor", value=known)
    draft.set(f"{to}.monitor", known)
    if ledger.has(*path, "mode"):
        carry(ledger, (*path, "mode"), draft, f"{to}.mode", _MODE)
    plain = known.partition("/")[2]
    metrics = draft.get("task.metrics") or ["accuracy"]
    if draft.get("task") and plain != "loss" and plain not in metrics:
        draft.set("task.metrics", [*metrics, plain])
    return True


_MODE = Kind("literal", ("min", "max"))
