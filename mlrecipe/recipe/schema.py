"""What a recipe says, as frozen values: the end of loading, the start of everything else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mlrecipe.recipe.sources import Group as Group  # noqa: PLC0414  # part of this contract
from mlrecipe.recipe.sources import Origin as Origin  # noqa: PLC0414  # part of this contract
from mlrecipe.recipe.sources import Overrides as Overrides  # noqa: PLC0414  # part of this contract

DEFAULTS: dict[str, Any] = {
    "train": {
        "optimizer": {"use": "AdamW", "lr": 2e-5, "weight_decay": 0.01},
        "scheduler": {"use": "linear", "warmup": 0.06},
        "trainer": {"gradient_clip_val": 1.0},
    }
}
"""Defaults of tables: what a recipe writes is merged over them.

The values are common ones for fine-tuning an encoder: learning rate, decay and warm-up as in the GLUE settings
of RoBERTa (Liu et al. 2019, table 10) in their middle, clipping at norm 1 as Hugging Face's Trainer does.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A registered component and the parameters that the recipe gives it."""

    use: str
    """Registered name."""

    params: Mapping[str, Any] = field(default_factory=dict)
    """What the recipe sets; the component's own defaults are not filled in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """A node: a named use of an op."""

    use: str
    """Registered name of the op."""

    inputs: list[str] | dict[str, str] | str = field(default_factory=list)
    """Nodes whose outputs the op takes: one, an ordered list, or a table by the op's own input names.
    `"split.train"` takes one entry of a dict-like output."""

    cache: bool = True
    """False: the op runs every time; its dependents still go by the digest of its output."""

    force: bool = False
    """True: the op runs even where its output is in the store."""

    version: str = ""
    """A hand-set part of the fingerprint: change it to run again."""

    shards: int = 1
    """Pieces of the rows that the op works on one by one, or several at once with `--jobs`; each is stored
    as it is done. Only for ops that treat each row by itself; the output does not depend on it."""

    params: Mapping[str, Any] = field(default_factory=dict)
    """Every other key of the table: the op's parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSpec:
    """How to fit the model."""

    data: str = ""
    """Node whose output has the splits to train and validate on; required by `train`."""

    train_split: str = "train"
    """Split to learn from."""

    valid_split: str | list[str] = "valid"
    """Split to validate on after each epoch; `""` trains without validation. Of a list of several, each
    one's metrics stand under its own name, such as `dev_2/accuracy`; `valid/…` in a `monitor` then means the
    first, and with `folds` the first is the fold's part."""

    batch_size: int = 32
    """Examples per optimizer step, over all devices."""

    device_batch_size: int | None = None
    """The most examples that one device takes at once: a step of more is accumulated from several batches.
    By default a device takes its whole share of the step at once."""

    parts: Literal["auto", "whole"] = "auto"
    """How a batch goes through the network. `auto`: on a CPU, where its rows are long, in parts that the caches
    hold, which takes less time and gives the same gradients but for rounding; `whole`: at once."""

    eval_batch_size: int = 64
    """Examples per batch and device in validation."""

    epochs: int = 3
    """Passes over the train split."""

    max_steps: int | None = None
    """Optimizer steps after which training ends, whatever `epochs` says."""

    batching: Literal["bucket", "tokens", "fixed", "shuffle"] = "bucket"
    """How rows become batches. `bucket`: seeded shuffle, then rows of like length together; `tokens`: the same,
    with as many rows as `tokens_per_batch` allows; `fixed`: seeded shuffle, each row padded to `pad_to`;
    `shuffle`: seeded shuffle alone. All but `fixed` pad each batch to its longest row."""

    tokens_per_batch: int | None = None
    """With `batching = "tokens"`: the most places, rows times tokens of the longest row, of one device's batch;
    it then takes the place of `batch_size`."""

    pad_to: int | None = None
    """With `batching = "fixed"`: tokens that each row is padded to; by default those of the longest row."""

    sampling: Literal["all", "weighted", "balanced", "undersampled"] = "all"
    """Which rows an epoch sees. `all`: each once; `weighted`: as many, drawn with replacement by
    `sampling_weights`; `balanced`: as many, each label drawn equally often; `undersampled`: of each label as
    many rows as the rarest has."""

    sampling_weights: str | None = None
    """With `sampling = "weighted"`: the column that holds each row's weight."""

    strategy: Literal["mosbach"] | None = None
    """A known set of settings; what the recipe sets itself wins. `mosbach`: small data sets made stable, by the
    model's architecture (Mosbach et al. 2021, On the Stability of Fine-tuning BERT)."""

    optimizer: Component = field(default_factory=lambda: _default("optimizer"))
    """Any public optimizer of torch by class name. Biases and normalization weights do not decay."""

    layer_decay: float | None = None
    """Layer-wise decay of the learning rate: a layer's is that of the layer above times this."""

    lr_by_name: Mapping[str, float] = field(default_factory=dict)
    """Glob pattern of parameter names → learning rate, such as `"classifier.*" = 1e-3`; the first that fits
    holds."""

    scheduler: Component = field(default_factory=lambda: _default("scheduler"))
    """Learning-rate schedule by the name that transformers gives it; `warmup` is a fraction below 1,
    else steps."""

    validate_every: int | None = None
    """Optimizer steps between validations; by default once an epoch."""

    monitor: str = "valid/loss"
    """Metric by which the best checkpoint is chosen."""

    mode: Literal["auto", "min", "max"] = "auto"
    """Whether a smaller or a larger `monitor` is better; `auto`: smaller for losses and errors."""

    top_k: int = 1
    """How many of the best checkpoints are kept: `best`, `best-2`, …"""

    save_every: int | None = None
    """Optimizer steps between checkpoints that are kept as `step-N`."""

    resume_every: int | None = None
    """Optimizer steps between two savings of all that `--resume` needs; by default at the end of each epoch and
    when training is interrupted."""

    compile: bool = False
    """True: the network is compiled by `torch.compile`; batches are then padded to a few widths only."""

    cache_frozen: bool = True
    """Whether outputs of the model's frozen layers are computed once and kept in the store."""

    repeat: int = 1
    """Trainings with seeds that follow each other; their metrics are reported as mean and deviation."""

    folds: int | None = None
    """Trainings of a cross-validation: each validates on another part of the train split."""

    fold: int | None = None
    """With `folds`: the one of them, from 1, that is trained; by default all are."""

    seed: int | None = None
    """Seed of weights, dropout and batches; by default the recipe's `seed`."""

    trainer: Mapping[str, Any] = field(default_factory=lambda: dict(DEFAULTS["train"]["trainer"]))
    """Any argument of Lightning's Trainer but those that mlrecipe sets itself. `precision` may also be
    `auto`: bf16 where a short probe shows it to be faster."""

    callbacks: Mapping[str, Component] = field(default_factory=dict)
    """Lightning callbacks, each in a table of your own naming, such as `[train.callbacks.stop]`, with `use`."""

    loggers: Mapping[str, Component] = field(default_factory=dict)
    """Lightning loggers, each in a table of your own naming with `use`; a CSV log is always written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestSpec:
    """How to test the trained model."""

    __test__ = False  # not a test class for pytest

    data: str = ""
    """Node whose output has the split to test on; by default `train.data`."""

    split: str | list[str] = "test"
    """Split to test on. Of a list of several, each one's metrics stand under its own name, and its
    predictions are in a file of its own, `predictions-<split>.arrow`. Splits without labels are predicted."""

    batch_size: int = 64
    """Examples per batch."""

    checkpoint: Literal["best", "last"] = "best"
    """Which checkpoint of the train run to test."""

    suffix: str = ""
    """Goes into the name of the test run's directory, to tell several tests of a training apart."""

    keep: list[str] | None = None
    """Columns of the tested rows that are kept beside their predictions. By default those with texts, labels,
    numbers, and lists of words or tags: none that hold token ids or other lists of numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateSpec:
    """What is computed over predictions."""

    nodes: Mapping[str, NodeSpec] = field(default_factory=dict)
    """The evaluation graph, a table per node, as in `[nodes]`. Inputs are `predictions` (of the test, or of the
    validation), `validation` (of the tested checkpoint), `run:ID` (of another run; `run:ID:SPLIT` of one of
    its splits), other evaluation nodes and nodes of `[nodes]`."""

    validation: list[str] | None = None
    """Evaluation nodes that are computed after each validation too, so that `monitor` may name their metrics:
    `valid/<node>/<metric>`. By default all that hang on `predictions` alone; `[]` for none."""

    keep_validations: int = 1
    """Of so many validations, the newest, the predictions are kept; beside them those of the validations
    whose checkpoints are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """How runs are called; nothing of it changes what they compute."""

    name: str = ""
    """Name of the train run's directory, which must not be there yet; its tests' begin with it. By default
    each run has a new name of time, experiment, stage and four letters."""

    tags: list[str] = field(default_factory=list)
    """Words to find runs by: `mlrecipe runs list --tag final`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One experiment."""

    name: str
    """Name of the experiment; part of its runs' names."""

    seed: int = 0
    """Default of every op that declares a seed, and of `train.seed`."""

    limit: int | None = None
    """At most this many rows of each source split, for trying things out."""

    library_versions: Literal["exact", "minor", "off"] = "minor"
    """What of the version of a library that an op's code imports makes the op run again: any change, one of
    major or minor version, or none."""

    relative_to: str = ""
    """Folder of the project that relative paths start from; by default this file's own folder."""

    plugins: list[str] = field(default_factory=list)
    """Python files of this project that register ops, tasks, models and metrics."""

    nodes: Mapping[str, NodeSpec] = field(default_factory=dict)
    """The data graph, a table per node."""

    data: Component | None = None
    """A `LightningDataModule`, for a task that is a `LightningModule`. Other tasks take their rows from the
    node `train.data`."""

    model: Component | None = None
    """What learns. A task that is a `LightningModule` brings its own."""

    task: Component | None = None
    """What is learned."""

    train: TrainSpec = field(default_factory=TrainSpec)
    """How to fit the model."""

    test: TestSpec = field(default_factory=TestSpec)
    """How to test it."""

    evaluate: EvaluateSpec = field(default_factory=EvaluateSpec)
    """What is computed over predictions."""

    run: RunSpec = field(default_factory=RunSpec)
    """How runs are called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """How a recipe is made of several files and of variants; read first, and no part of what it then says.

    Later wins: defaults < `extends`, left to right < the file itself < picked variants < `--set-file` <
    `--set`.
    Tables merge; arrays and scalars replace; where `use` changes, the parameters given before go.
    """

    extends: list[str] = field(default_factory=list)
    """Recipes that this one starts from, as paths relative to this file; later wins. What they say of files
    is relative to them, and their plugins count too."""

    unset: list[str] = field(default_factory=list)
    """Keys, such as `train.scheduler`, that are taken out of what was inherited."""

    pick: Mapping[str, str] = field(default_factory=dict)
    """Group → option: which variants hold unless `--pick` says otherwise; a later group wins over an
    earlier one."""

    variant: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """`[variant.<group>.<option>…]`: a patch from the recipe's root, put on top when it is picked. The file
    `variants/<group>/<option>.toml` beside a recipe is the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A recipe with all that its commands need to know about where it came from."""

    recipe: Recipe

    path: Path
    """The recipe's file, absolute."""

    project: Path
    """Root of the project, absolute."""

    base: Path
    """Folder that the recipe's relative paths start from, absolute."""

    values: Mapping[str, Any]
    """The resolved recipe as plain TOML values, without defaults."""

    overrides: Overrides = field(default_factory=Overrides)
    """What the command line changed."""


def _default(key: str) -> Component:
    table = dict(DEFAULTS["train"][key])
    return Component(use=table.pop("use"), params=table)
