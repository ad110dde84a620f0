"""A Hugging Face encoder with a classification head, from a checkpoint or from a configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    PreTrainedConfig,
    PreTrainedModel,
)

from mlrecipe import events, model
from mlrecipe.builtin.models import heads, tokenizers
from mlrecipe.builtin.models.quiet import quiet
from mlrecipe.errors import DataError, did_you_mean
from mlrecipe.interfaces import File, Head, ModelSource, TokenizerSource

_DROPOUTS = (
    "hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout", "dropout",
    "attention_dropout", "activation_dropout", "seq_classif_dropout", "hidden_dropout",
    "classifier_dropout_prob", "embd_pdrop", "resid_pdrop", "attn_pdrop", "summary_first_dropout",
    "embedding_dropout", "mlp_dropout", "pooler_dropout",
)  # fmt: skip


@model("transformer")
@dataclass(frozen=True, slots=True, kw_only=True)
class Transformer:
    """Any checkpoint that `AutoModelForSequenceClassification` reads. Remote code is never run."""

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

    dropout: float | None = None
    """Probability for every dropout of the network; by default as configured."""

    attn_implementation: str | None = None
    """How attention is computed: `sdpa`, `eager` …; by default what the library takes."""

    new_head: bool = False
    """True: a classification head that the checkpoint brings is dropped and a new one learnt."""

    def build(self, head: Head) -> PreTrainedModel:
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
                return heads.from_config(config, attn_implementation=self.attn_implementation)
            return self._build_pretrained(source, config, head)

    def save(self, module: nn.Module, folder: Path) -> None:
        """Write configuration, weights (safetensors) and tokenizer for `from_pretrained`."""
        with quiet():
            cast(PreTrainedModel, module).save_pretrained(folder)
            if (source := self._tokenizer_source()) is not None:
                tokenizers.load(source, self._tokenizer_revision()).save_pretrained(folder)

    def load(self, folder: Path) -> PreTrainedModel:
        """The module that `save` wrote, in float32."""
        with quiet():
            loaded = _load(str(folder), attn_implementation=self.attn_implementation)
        return cast(PreTrainedModel, loaded)

    def _build_pretrained(
        self, checkpoint: str, config: PreTrainedConfig, head: Head
    ) -> PreTrainedModel:
        order = None if self.new_head else heads.match(config, head, checkpoint)
        heads.describe(config, head)
        options: dict[str, Any] = {"revision": self.revision}
        options["attn_implementation"] = self.attn_implementation
        if order is None:
            options["ignore_mismatched_sizes"] = True
        try:
            loaded = _load(checkpoint, config=config, output_loading_info=True, **options)
        except (OSError, ValueError, RuntimeError) as error:
            raise _unreadable(checkpoint, error, key="checkpoint") from error
        module = cast(PreTrainedModel, loaded[0])
        _warn_of_missing(module, loaded[1]["missing_keys"])
        if order is not None:
            heads.reorder(module, order)
        elif heads.brings_head(config):
            heads.renew(module)
            events.emit(
                events.Note("the checkpoint's classification head is dropped for a new one")
            )
        return module

    def _read_config(self, source: str, *, key: str) -> PreTrainedConfig:
        try:
            config: PreTrainedConfig = AutoConfig.from_pretrained(
                source, revision=self.revision, trust_remote_code=False
            )
        except (OSError, ValueError, KeyError) as error:
            raise _unreadable(source, error, key=key) from error
        _override(config, self.config_overrides or {})
        if self.dropout is not None:
            if not 0 <= self.dropout <= 1:
                raise DataError(f"{self.dropout!r} is not between 0 and 1", key="dropout")
            known = [name for name in _DROPOUTS if hasattr(config, name)]
            _override(config, dict.fromkeys(known, self.dropout))
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


def _load(source: str, **options: Any) -> Any:
    given = {name: value for name, value in options.items() if value is not None}
    # By default the library takes the checkpoint's own type: half-precision files would train so.
    return AutoModelForSequenceClassification.from_pretrained(
        source, dtype=torch.float32, trust_remote_code=False, **given
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


def _override(config: PreTrainedConfig, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if not hasattr(config, name):
            raise DataError(
                f"the configuration has no setting {name!r}",
                key="config_overrides",
                hint=did_you_mean(name, config.to_dict()),
            )
        setattr(config, name, value)


def _unreadable(source: str, error: Exception, *, key: str) -> DataError:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    is_path = Path(source).is_absolute()
    if is_path and not Path(source).exists():
        return DataError(f"{source!r} does not exist", key=key)
    hint = None if is_path else "give a folder, or an id that the hub has or that is downloaded"
    return DataError(f"cannot read {source!r}: {first}", key=key, hint=hint)
