"""A Hugging Face encoder with a head for labels of texts or words, from a checkpoint or a configuration."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

from mlrecipe import events, model
from mlrecipe.builtin.models import (
    adapters,
    chains,
    configs,
    freezing,
    heads,
    layers,
    tokenizers,
    trunk,
)
from mlrecipe.builtin.models.quiet import quiet
from mlrecipe.errors import DataError
from mlrecipe.interfaces import File, Head, ModelSource, Parts, TokenizerSource, Trunk


@model("transformer")
@dataclass(frozen=True, slots=True, kw_only=True)
class Transformer:
    """Any encoder's checkpoint, with a head for labels of texts or for tags of words.

    What `AutoModelForSequenceClassification` reads, for a task that tags words what
    `AutoModelForTokenClassification` reads; remote code is never run.
    """

    checkpoint: ModelSource | None = None
    """Folder or hub id of pretrained weights."""

    config: File | None = None
    """A `config.json`, or a folder with one: start from random weights, not from a checkpoint."""

    config_overrides: dict[str, Any] | None = None
    """Settings of the configuration to change, such as `num_hidden_layers`."""

    tokenizer: TokenizerSource | None = None
    """Tokenizer to save beside the weights; by default that of the checkpoint or of `config`."""

    revision: str | None = None
    """Branch, tag or commit of `checkpoint`, for a hub id."""

    tokenizer_revision: str | None = None
    """Branch, tag or commit of `tokenizer`, for a hub id."""

    dropout: float | dict[str, float] | None = None
    """Probability for every dropout of the network, or for that of some parts, `{ hidden = 0.1,
    attention = 0.0, classifier = 0.2 }`; by default as configured."""

    attn_implementation: str | None = None
    """How attention is computed: `sdpa`, `eager` …; by default what the library takes."""

    gradient_checkpointing: bool = False
    """True: layers are computed again for the backward pass, which takes time and saves memory."""

    new_head: bool = False
    """True: a classification head that the checkpoint brings is dropped and a new one learnt."""

    reinit_layers: int | None = None
    """The highest so many layers, and the pooler, start from fresh weights as configured."""

    freeze: list[str] | None = None
    """Glob patterns of the names of parameters that do not learn, such as `"*.embeddings.*"`."""

    freeze_layers: int | Literal["all"] | None = None
    """The embeddings and the lowest so many layers do not learn; `"all"`: nor does the rest of the
    encoder. What starts at random there learns all the same."""

    frozen_dropout: bool = False
    """Whether parts of which nothing learns still drop out in training; without, their outputs are
    always the same for the same text, and can be computed once."""

    peft: dict[str, Any] | None = None
    """An adapter of the library PEFT that learns in place of the network, `{ method = "lora", r = 8,
    alpha = 16, dropout = 0.05, target_modules = ["query", "value"] }`; other keys are those of
    PEFT's configuration for the method. Needs `mlrecipe[peft]`."""

    def build(self, head: Head) -> nn.Module:
        """The network in float32, its outputs in the order of `head.labels`.

        The head's weights are new unless the checkpoint has a head for the same labels.

        Raises:
            DataError: the checkpoint or the configuration cannot be read or does not fit, or there
                is no tokenizer to save beside the weights.
        """
        key, source = self._source()
        with quiet():
            config = self._read_config(source, key=key)
            self._require_tokenizer()
            if self.checkpoint is None:
                heads.describe(config, head)
                made = heads.from_config(config, attn_implementation=self.attn_implementation)
                return self._arranged(made, fresh=())
            return self._build_pretrained(source, config, head)

    def parts(self, module: nn.Module) -> Parts:
        """The encoder's layers, and how many of them stay as they are in training.

        Raises:
            DataError: the network has no layers of their own.
        """
        network = adapters.network_of(module)
        return Parts(
            encoder=layers.encoder_of(network),
            embeddings=layers.embeddings_of(network),
            layers=layers.layers_of(network, key="use"),
            below=layers.below(network, key="use"),
            fixed=None if adapters.is_adapted(module) else freezing.fixed_layers(network),
        )

    def trunk(self, module: nn.Module) -> Trunk | None:
        """The frozen lower part of a network, if there is one.

        Raises:
            DataError: it is not known how to keep the outputs of such a network.
        """
        return (
            None if adapters.is_adapted(module) else trunk.trunk_of(cast(PreTrainedModel, module))
        )

    def save(self, module: nn.Module, folder: Path) -> None:
        """Write configuration, weights (safetensors) and tokenizer for `from_pretrained`.

        With an adapter: as `adapters` says.
        """
        with quiet():
            if adapters.is_adapted(module):
                adapters.save(module, folder)
            else:
                cast(PreTrainedModel, module).save_pretrained(folder)
            if (source := self._tokenizer_source()) is not None:
                tokenizers.load(source, self._tokenizer_revision()).save_pretrained(folder)

    def load(self, folder: Path) -> nn.Module:
        """The module that `save` wrote, in float32; a merged adapter is part of its weights.

        What the recipe freezes is frozen in it, too.
        """
        base = folder / adapters.BASE
        is_apart = base.is_dir()
        with quiet():
            source = str(base if is_apart else folder)
            config = configs.read(source, None, key="checkpoint")
            loaded = _load(source, config, attn_implementation=self.attn_implementation)
            chains.attach(loaded)
            if chains.noted(config).get("crf_tags"):
                chains.restore(loaded, source, revision=None)
            if is_apart:
                return adapters.load(loaded, folder)
            if self.peft is None:
                self._freeze(cast(PreTrainedModel, loaded), fresh=())
            return cast(PreTrainedModel, loaded)

    def _build_pretrained(self, checkpoint: str, config: PreTrainedConfig, head: Head) -> nn.Module:
        order = None if self.new_head else heads.match(config, head, checkpoint)
        had = chains.noted(config)
        heads.describe(config, head)
        options: dict[str, Any] = {"revision": self.revision}
        options["attn_implementation"] = self.attn_implementation
        if order is None:
            options["ignore_mismatched_sizes"] = True
        try:
            loaded = _load(checkpoint, config, output_loading_info=True, **options)
        except (OSError, ValueError, RuntimeError) as error:
            raise configs.unreadable(checkpoint, error, key="checkpoint") from error
        module = cast(PreTrainedModel, loaded[0])
        _warn_of_missing(module, loaded[1]["missing_keys"])
        chains.attach(module)
        if order is not None:
            heads.reorder(module, order)
            self._take_transitions(module, checkpoint, order, head, had=had)
        elif heads.brings_head(config):
            heads.renew(module)
            events.emit(
                events.Note("the checkpoint's classification head is dropped for a new one")
            )
        return self._arranged(module, fresh=loaded[1]["missing_keys"])

    def _take_transitions(
        self, network: nn.Module, checkpoint: str, order: Sequence[int], head: Head, *,
        had: Mapping[str, Any],
    ) -> None:  # fmt: skip
        """Take the checkpoint's transitions between tags, if it has some and the task wants them."""
        count = chains.transitions_of(head)
        if had.get("crf_tags") and not count:
            events.emit(events.Note("the checkpoint's transitions between tags are dropped"))
        elif had.get("crf_tags"):
            before = len(head.labels) - count
            tags = [place - before for place in order[before:]]
            chains.restore(network, checkpoint, revision=self.revision, order=tags)

    def _arranged(self, network: PreTrainedModel, *, fresh: Collection[str]) -> nn.Module:
        """The network with what the recipe changes in it; `fresh` are parameters new to it."""
        if self.reinit_layers:
            fresh = {*fresh, *layers.renew_top(network, self.reinit_layers)}
        self._freeze(network, fresh=fresh)
        adapted = network if self.peft is None else adapters.adapt(
            network, self.peft, fresh=fresh, revision=self.revision
        )  # fmt: skip
        if self.gradient_checkpointing:
            _checkpoint(network)
        return adapted

    def _freeze(self, network: PreTrainedModel, *, fresh: Collection[str]) -> None:
        if not self.freeze and self.freeze_layers is None:
            return
        freezing.freeze(network, patterns=self.freeze or (), lowest=self.freeze_layers, fresh=fresh)
        if not self.frozen_dropout:
            freezing.hold(network)

    def _read_config(self, source: str, *, key: str) -> PreTrainedConfig:
        config = configs.read(source, self.revision, key=key)
        configs.override(config, self.config_overrides or {})
        if self.dropout is not None:
            configs.set_dropout(config, self.dropout)
        if self.attn_implementation is not None:
            configs.require_attention(config, self.attn_implementation)
        return config

    def _source(self) -> tuple[str, str]:
        """The parameter that says where to start from, and its value."""
        if (self.checkpoint is None) == (self.config is None):
            given = "both are" if self.checkpoint is not None else "neither is"
            raise DataError(
                f"a model starts from a checkpoint or from a config, and {given} given",
                key="checkpoint",
            )
        if self.checkpoint is not None:
            return "checkpoint", self.checkpoint
        return "config", str(self.config)

    def _require_tokenizer(self) -> None:
        source = self._tokenizer_source()
        if source is not None:
            key = "checkpoint" if self.tokenizer is None else "tokenizer"
            tokenizers.require(source, self._tokenizer_revision(), key=key)

    def _tokenizer_revision(self) -> str | None:
        return self.revision if self.tokenizer is None else self.tokenizer_revision

    def _tokenizer_source(self) -> str | None:
        """Where the tokenizer comes from; None only for a configuration that lies without one."""
        if self.tokenizer is not None or self.checkpoint is not None:
            return self.tokenizer or self.checkpoint
        folder = Path(str(self.config))
        folder = folder if folder.is_dir() else folder.parent
        return str(folder) if tokenizers.is_in(folder) else None


def _load(source: str, config: PreTrainedConfig, **options: Any) -> Any:
    given = {name: value for name, value in options.items() if value is not None}
    # By default the library takes the checkpoint's own type: half-precision files would train so.
    return heads.auto(config).from_pretrained(
        source, config=config, dtype=torch.float32, trust_remote_code=False, **given
    )


def _warn_of_missing(module: PreTrainedModel, missing: Iterable[str]) -> None:
    """Say so when the encoder itself lacks weights; a missing head or pooler is as it should be."""
    encoder = f"{module.base_model_prefix}."
    names = sorted(n for n in missing if n.startswith(encoder) and "pooler" not in n)
    if names:
        text = (
            f"{len(names)} weights are not in the checkpoint and start at random, {names[0]} first"
        )
        events.emit(events.Note(text, "warning"))


def _checkpoint(network: PreTrainedModel) -> None:
    if not network.supports_gradient_checkpointing:
        raise DataError(
            f"a {network.config.model_type} has no gradient checkpointing",
            key="gradient_checkpointing",
        )
    names = ("activation_checkpointing_enable", "gradient_checkpointing_enable")  # new and old
    enable: Any = next(getattr(network, name) for name in names if hasattr(network, name))
    enable({"use_reentrant": False})
    # Only reentrant checkpoints need this; it would run the backward pass through frozen layers.
    cast(Any, network).disable_input_require_grads()
    network.config.use_cache = False  # else the library warns; only generation has a cache
