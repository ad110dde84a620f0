"""`import hydra`: the resolved Hydra configuration of a Lightning project as a recipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path as File
from typing import Any

from mlrecipe.code.kinds import Kind
from mlrecipe.errors import RequestError
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
from mlrecipe.migration.ledger import NONE, OURS, Ledger, Path, dotted
from mlrecipe.migration.runway import Imported, carry_name, in_sections, slug
from mlrecipe.registry import Kind as ComponentKind
from mlrecipe.registry import registries

UNKNOWN = "not known to mlrecipe"

_DATA = ("data", "datamodule", "data_module", "dm")
_MODEL = ("model", "module", "lightning_module", "pl_module")
_LOGGERS = ("logger", "loggers")
_TARGETS = ("_zen_target", "_target_")
_MACHINERY = ("_partial_", "_recursive_", "_convert_", "_zen_partial", "_zen_exclude", "_args_")
_OWN_CODE = "docs/how-to/own-components.md"
_OPTIMIZERS = ("optimizer", "optim")
_SCHEDULERS = ("scheduler", "lr_scheduler")
_SCHEDULES = {
    "get_constant_schedule": "constant",
    "get_constant_schedule_with_warmup": "constant",
    "get_cosine_schedule_with_warmup": "cosine",
    "get_linear_schedule_with_warmup": "linear",
}
_DRAWN = ("ModelSummary", "RichModelSummary", "RichProgressBar", "TQDMProgressBar", "ProgressBar")
_FOLDERS = {"save_dir": "a run's files are in its run directory", "verbose": "it says so anyway"}
_TOP = {
    "train": f"{OURS}: it is the command `train`",
    "test": f"{OURS}: it is the command `test`",
    "ckpt_path": f"{OURS}: every `train` starts a run of its own",
    "optimized_metric": f"{NONE}: there are no sweeps",
    "tags": f"{NONE}: a run is named after its recipe",
    "paths": f"{OURS}: results are in .mlrecipe/store and runs/",
    "hydra": f"{OURS}: runs are in runs/",
    "extras": f"{NONE}: it was read by the project's own code",
}
_WORKERS = ("num_workers", "pin_memory", "persistent_workers", "prefetch_factor")


def convert(values: Mapping[str, Any], *, file: str) -> Imported:
    """The recipe that says what a Hydra configuration says, as far as that can be said.

    Args:
        values: the resolved configuration.
        file: its name, for the comment at the top.

    Raises:
        RequestError: it has neither a trainer nor a model nor data.
    """
    ledger, draft = Ledger(values), Draft()
    if not any(key in values for key in ("trainer", *_DATA, *_MODEL)):
        message = f"{file}: this is no configuration of a Lightning project"
        raise RequestError(message, hint="it has none of the tables trainer, model, data")
    carry_name(ledger, draft, "task_name", File(file).stem)
    if ledger.get("seed") is not None:
        carry(ledger, ("seed",), draft, "seed", Kind("int"))
    _data(ledger, draft)
    _optimization(ledger, draft)
    _callbacks(ledger, draft)
    _loggers(ledger, draft)
    _machinery(ledger, ("trainer",))
    carry_trainer(ledger, [("trainer",)], draft)
    warn_of_defaults(ledger, draft)
    _model(ledger)
    for key, why in {"seed": f"{OURS}: without one the seed is 0", **_TOP}.items():
        ledger.drop(key, why=why)
    for table in ("nodes", "model"):
        draft.comment(table, *_MISSING[table])
    draft.values = in_sections(draft.values)
    dropped = ledger.close(draft.values, UNKNOWN)
    head = [f"Made from {file} by `mlrecipe import hydra`.", "", "Left to you:",
            "- [nodes], [model] and [task]: see the end of this file",
            *(f"- {warning}" for warning in ledger.warnings)]  # fmt: skip
    text = draft.text(head, dropped)
    return Imported(text=text, dropped=dropped, warnings=ledger.warnings, ledger=ledger)


_MISSING = {
    "nodes": (
        "What the data module did is the work of nodes: read the data, split it, make it into what"
        " the model takes. Name the last one as train.data, such as:",
        "",
        '    [nodes.table]            # and then: [train] data = "table"',
        '    use   = "load-files"',
        '    train = "data/train.csv"',
    ),
    "model": (
        "What the LightningModule did is the work of a model (the network) and of a task (batches,"
        f" loss, metrics), built in or your own: {_OWN_CODE}. For texts, such as:",
        "",
        "    [model]",
        '    use        = "transformer"',
        '    checkpoint = "distilbert-base-uncased"',
        "",
        "    [task]",
        '    use = "text-classification"',
    ),
}


def _target(ledger: Ledger, path: Path) -> str:
    """The name in Python of what a table is to become; empty when it says none."""
    found = (ledger.get(*path, key) for key in _TARGETS)
    return next((name for name in found if isinstance(name, str)), "")


def _machinery(ledger: Ledger, path: Path) -> None:
    """Keys by which Hydra makes objects."""
    why = f"{OURS}: it makes its components by their names"
    for key in (*_TARGETS, *_MACHINERY):
        ledger.drop(*path, key, why=why)


def _data(ledger: Ledger, draft: Draft) -> None:
    for name in _DATA:
        for key, to in (
            ("batch_size", "train.batch_size"), ("train_batch_size", "train.batch_size"),
            ("eval_batch_size", "train.eval_batch_size"), ("val_batch_size", "train.eval_batch_size"),
            ("test_batch_size", "test.batch_size"),
        ):  # fmt: skip
            if draft.get(to) is None:
                carry(ledger, (name, key), draft, to, Kind("int"))
        for key in _WORKERS:
            ledger.drop(name, key, why=f"{OURS}: batches are made in the process")
        why = f"{NONE}: a data module's work is that of nodes; write ops, see docs/how-to/own-op.md"
        _drop_each(ledger, (name,), why)


def _model(ledger: Ledger) -> None:
    why = f"{NONE}: a LightningModule's work is that of a model and a task; see {_OWN_CODE}"
    for name in _MODEL:
        _drop_each(ledger, (name,), why)


def _drop_each(ledger: Ledger, path: Path, why: str) -> None:
    for key in ledger.keys(*path):
        ledger.drop(*path, key, why=why)
    ledger.drop(*path, why=why)


def _optimization(ledger: Ledger, draft: Draft) -> None:
    tables: list[Path] = [(name,) for name in _MODEL if ledger.keys(name)]
    for path in _places(ledger, [*tables, ()], _OPTIMIZERS):
        module, _, name = _target(ledger, path).rpartition(".")
        if module.startswith("torch.optim") and name in registries["optimizer"]:
            _component(ledger, path, draft, "train.optimizer", ("optimizer", name))
            fill_optimizer(draft, lr=1e-3, weight_decay=0.01)
            break
        if module:
            ledger.drop(*path, why=f"{NONE}: see `mlrecipe list optimizers`, or register your own")
    draft.set("train.scheduler", {"use": "constant", "warmup": 0.0})
    paths = list(_places(ledger, [*tables, ()], _SCHEDULERS))
    carried = [_schedule(ledger, path, draft) for path in paths]
    if not any(carried):
        lost = [_target(ledger, path) or dotted(path) for path in paths if ledger.get(*path)]
        why = f"{lost[0]} was not carried over; set train.scheduler" if lost else CONSTANT
        draft.comment("train.scheduler", f"The learning rate stays constant: {why}.")
        if lost:
            ledger.warn(f"the learning rate stays constant: {why}")


def _places(ledger: Ledger, tables: list[Path], names: tuple[str, ...]) -> Iterator[Path]:
    for table in tables:
        yield from ((*table, name) for name in names if ledger.has(*table, name))


def _schedule(ledger: Ledger, path: Path, draft: Draft) -> bool:
    """Carry a schedule, if mlrecipe has it."""
    use = _SCHEDULES.get(_target(ledger, path).rpartition(".")[2])
    if use is None:
        if ledger.get(*path) is None:
            ledger.take(*path, to="train.scheduler.use", value="constant")
        known = "it knows constant, linear, cosine and others of transformers"
        ledger.drop(*path, why=f"{NONE}: mlrecipe has no such schedule; {known}")
        return False
    draft.set("train.scheduler.use", use)
    warmup = (*path, "num_warmup_steps")
    carry(ledger, warmup, draft, "train.scheduler.warmup", Kind("float"))
    ledger.drop(*path, "num_training_steps", why=f"{OURS}: it knows how many steps there will be")
    _component(ledger, path, draft, "train.scheduler", ("scheduler", use))
    return True


def _component(
    ledger: Ledger, path: Path, draft: Draft, to: str, component: tuple[ComponentKind, str],
    ours: Mapping[str, str] | None = None,
) -> None:  # fmt: skip
    for key in _TARGETS:
        if ledger.get(*path, key):
            ledger.take(*path, key, to=f"{to}.use", value=component[1])
    _machinery(ledger, path)
    carry_parameters(ledger, path, draft, to, component=component, ours=ours)


def _callbacks(ledger: Ledger, draft: Draft) -> None:
    for path, name in _members(ledger, ("callbacks",), ("trainer", "callbacks")):
        target = _target(ledger, path).rpartition(".")
        if target[2] == "ModelCheckpoint" and _is_lightning(target[0]):
            carry_monitor(ledger, path, draft, "train")
            _drop_each(ledger, path, f"{OURS}: the best and the last checkpoint are always kept")
        elif target[2] in _DRAWN and _is_lightning(target[0]):
            ledger.drop(*path, why=f"{OURS}: it draws its own progress and says the model's size")
        elif target[2] in registries["callback"] and _is_lightning(target[0]):
            to = f"train.callbacks.{name}"
            draft.set(f"{to}.use", target[2])
            if ledger.has(*path, "monitor"):
                carry_monitor(ledger, path, draft, to)
            _component(ledger, path, draft, to, ("callback", target[2]), _FOLDERS)
        else:
            why = f"{NONE}: see `mlrecipe list callbacks`, or register your own: {_OWN_CODE}"
            ledger.drop(*path, why=why)


def _loggers(ledger: Ledger, draft: Draft) -> None:
    tables: list[Path] = [*((name,) for name in _LOGGERS), ("trainer", "logger")]
    for path, name in _members(ledger, *tables):
        module, _, kind = _target(ledger, path).rpartition(".")
        if kind == "CSVLogger" and _is_lightning(module):
            ledger.drop(*path, why=f"{OURS}: a CSV log is always written")
        elif kind in registries["logger"] and _is_lightning(module):
            _component(ledger, path, draft, f"train.loggers.{name}", ("logger", kind), _FOLDERS)
        else:
            ledger.drop(*path, why=f"{NONE}: see `mlrecipe list loggers`")


def _is_lightning(module: str) -> bool:
    return module.startswith(("lightning.pytorch.", "pytorch_lightning."))


def _members(ledger: Ledger, *tables: Path) -> Iterator[tuple[Path, str]]:
    """Path and name of each object in tables of objects, lists of them, or tables that are one."""
    taken: set[str] = set()
    for table in tables:
        value = ledger.get(*table)
        if isinstance(value, Mapping) and not _target(ledger, table):
            paths: list[Path] = [(*table, key) for key in value]
        elif isinstance(value, list):
            paths = [(*table, number) for number in range(len(value))]
        else:
            paths = [table] if isinstance(value, Mapping) else []
        for path in paths:
            last = path[-1]
            plain = _target(ledger, path).rpartition(".")[2].lower() or "own"
            name = slug(last.replace(".", "-")) if isinstance(last, str) else plain
            while name in taken:
                name += "_"
            taken.add(name)
            yield path, name
