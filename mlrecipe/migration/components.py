"""Carrying over what mlrecipe has too: Trainer arguments, optimizers, callbacks, loggers, names of metrics."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
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

_STRATEGIES = (
    "auto", "ddp", "ddp_find_unused_parameters_true", "ddp_find_unused_parameters_false",
)  # fmt: skip
_COPIES = ("ddp_spawn", "ddp_fork", "ddp_notebook")
"""Beginnings of strategies that differ from `ddp` in how processes are started alone."""

_IN_PIECES = ("fsdp", "deepspeed")
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


def carry_trainer(ledger: Ledger, paths: Sequence[Path], draft: Draft) -> None:
    """Carry the arguments of Lightning's Trainer in the tables at `paths`, of which the last one wins."""
    for path in paths:
        for name in ledger.keys(*path):
            if not ledger.is_settled((*path, name)):
                _carry_argument(ledger, (*path, name), draft)
    gathered = [(*path, "accumulate_grad_batches") for path in paths]
    last = next((g for g in reversed(gathered) if ledger.has(*g)), gathered[0])
    _count_steps(ledger, paths, draft, times=ledger.get(*last))
    _gather(ledger, last, draft)
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
        return  # it goes with the devices: `_gather`
    elif name in OWN_TRAINER_KEYS:
        ledger.drop(*path, why=f"{OURS}: {OWN_TRAINER_KEYS[name]}")
    elif name == "strategy" and value is not None:
        _carry_strategy(ledger, path, draft)
    elif (known := _trainer_arguments()) and name not in known:
        ledger.drop(*path, why=f"{NONE}: the Trainer of this Lightning has no such argument")
    elif value is None and name == "gradient_clip_val":
        draft.set(f"train.trainer.{name}", 0.0)
        ledger.take(*path, to=f"train.trainer.{name}", value=0.0)
    elif value is None:
        ledger.leave(*path, to=f"train.trainer.{name}")
    else:
        carry(ledger, path, draft, f"train.trainer.{name}")


def _carry_strategy(ledger: Ledger, path: Path, draft: Draft) -> None:
    value = ledger.get(*path)
    if value in _STRATEGIES:
        carry(ledger, path, draft, "train.trainer.strategy")
    elif isinstance(value, str) and value.startswith(_COPIES):
        draft.set("train.trainer.strategy", "ddp")
        ledger.take(*path, to="train.trainer.strategy", value="ddp")
    elif isinstance(value, str) and value.startswith(_IN_PIECES):
        ledger.drop(*path, why=f"{NONE}: a network in pieces cannot be saved and resumed yet")
    elif isinstance(value, str):
        ledger.drop(*path, why=f"{NONE}: known are {', '.join(_STRATEGIES[:2])}")
    else:
        ledger.drop(*path, why=f'{NONE}: name it, such as strategy = "ddp"')


def _count_steps(ledger: Ledger, paths: Sequence[Path], draft: Draft, *, times: Any) -> None:
    """Batches between validations as steps, where a step was made of several batches."""
    batches = draft.get("train.validate_every")
    if type(times) is not int or times < 2 or type(batches) is not int:
        return
    steps = max(1, batches // times)
    draft.set("train.validate_every", steps)
    for path in paths:
        if ledger.get(*path, "val_check_interval") == batches:
            ledger.take(*path, "val_check_interval", to="train.validate_every", value=steps)
    if batches % times:
        ledger.warn(
            f"{batches} batches between validations are no whole steps: it is {steps} steps"
        )


def _gather(ledger: Ledger, path: Path, draft: Draft) -> None:
    """A step of several batches or devices: the recipe says how much it has in all.

    `path` is where it stands of how many batches a step was made.
    """
    times, devices = ledger.get(*path), _devices(draft)
    is_gathered = isinstance(times, int) and times > 1 and not ledger.is_settled(path)
    size = draft.get("train.batch_size")
    if devices is None:
        text = "train.batch_size is of a whole step: set it to what all devices take together"
        ledger.warn(text)
    factor = (times if is_gathered else 1) * (devices or 1)
    if factor == 1:
        return
    if not isinstance(size, int):
        why = f"{NONE}: set train.batch_size to the examples of a whole step"
        ledger.drop(*path, why=why)
        return
    ledger.move("train.batch_size", "train.device_batch_size")
    draft.set("train.device_batch_size", size)
    draft.set("train.batch_size", size * factor)
    if is_gathered:
        ledger.take(*path, to="train.batch_size", value=size * factor)


def _devices(draft: Draft) -> int | None:
    """How many devices the recipe's training has; None: that depends on the machine."""
    devices, nodes = (draft.get(f"train.trainer.{key}") for key in ("devices", "num_nodes"))
    if isinstance(devices, str):
        parts = [part for part in devices.split(",") if part.strip()]
        devices = int(devices) if devices.strip().isdigit() else parts if "," in devices else -1
    if isinstance(devices, list):
        devices = len(devices)
    devices = 1 if devices is None else devices
    nodes = 1 if nodes is None else nodes
    is_known = isinstance(devices, int) and isinstance(nodes, int) and devices >= 1 <= nodes
    return devices * nodes if is_known else None


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
