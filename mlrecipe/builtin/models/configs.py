"""Configurations of networks: read, and changed as the recipe says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedConfig

from mlrecipe.errors import DataError, did_you_mean

DROPOUTS: dict[str, tuple[str, ...]] = {
    "hidden": (
        "hidden_dropout_prob", "dropout", "hidden_dropout", "resid_pdrop", "mlp_dropout",
        "hidden_dropout_rate",
    ),
    "attention": (
        "attention_probs_dropout_prob", "attention_dropout", "attn_pdrop", "attention_dropout_prob",
    ),
    "activation": ("activation_dropout",),
    "embeddings": ("embd_pdrop", "embedding_dropout"),
    "pooler": ("pooler_dropout",),
    "classifier": (
        "classifier_dropout", "seq_classif_dropout", "classifier_dropout_prob",
        "summary_first_dropout", "cls_dropout",
    ),
}  # fmt: skip
"""Part of a network → the settings that architectures have for its dropout."""


def read(source: str, revision: str | None, *, key: str) -> PreTrainedConfig:
    """The configuration of a folder, a file or a hub id; `key` is blamed where there is none."""
    try:
        config: PreTrainedConfig = AutoConfig.from_pretrained(
            source, revision=revision, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError) as error:
        raise unreadable(source, error, key=key) from error
    return config


def override(config: PreTrainedConfig, values: Mapping[str, Any]) -> None:
    """Change settings that are there.

    Raises:
        DataError: the configuration has no setting of that name.
    """
    for name, value in values.items():
        if not hasattr(config, name):
            raise DataError(
                f"the configuration has no setting {name!r}",
                key="config_overrides",
                hint=did_you_mean(name, config.to_dict()),
            )
        setattr(config, name, value)


def set_dropout(config: PreTrainedConfig, dropout: float | Mapping[str, float]) -> None:
    """Set every dropout, or that of each part that is named, such as `hidden`.

    Raises:
        DataError: a number is no probability, or the network has no dropout of that part.
    """
    if not isinstance(dropout, Mapping):
        _require_probability(dropout, key="dropout")
        for settings in _dropouts(config).values():
            _set(config, settings, dropout)
        return
    parts = _dropouts(config)
    for part, rate in dropout.items():
        if part not in parts:
            raise DataError(
                f"a {config.model_type} has no dropout {part!r}; it has: {', '.join(parts)}",
                key="dropout",
            )
        _require_probability(rate, key="dropout")
        _set(config, parts[part], rate)


def require_attention(config: PreTrainedConfig, name: str) -> None:
    """Raise unless the architecture computes attention in that way on this machine."""
    make: Any = AutoModelForSequenceClassification.from_config
    try:
        with torch.device("meta"):  # no weights: only what the architecture takes
            make(config, trust_remote_code=False, attn_implementation=name)
    except (ValueError, ImportError, RuntimeError, OSError) as error:
        raise DataError(
            f"a {config.model_type} cannot compute attention by {name!r}: {_first(error)}",
            key="attn_implementation",
            hint="`sdpa` and `eager` need nothing installed",
        ) from error


def unreadable(source: str, error: Exception, *, key: str) -> DataError:
    """What to tell of a source of a configuration or of weights that cannot be read."""
    is_path = Path(source).is_absolute()
    if is_path and not Path(source).exists():
        return DataError(f"{source!r} does not exist", key=key)
    hint = None if is_path else "give a folder, or an id that the hub has or that is downloaded"
    return DataError(f"cannot read {source!r}: {_first(error)}", key=key, hint=hint)


def _dropouts(config: PreTrainedConfig) -> dict[str, list[str]]:
    """The settings that this configuration has, by part."""
    has = {part: [n for n in names if hasattr(config, n)] for part, names in DROPOUTS.items()}
    return {part: names for part, names in has.items() if names}


def _set(config: PreTrainedConfig, names: list[str], rate: float) -> None:
    for name in names:
        setattr(config, name, rate)


def _require_probability(rate: object, *, key: str) -> None:
    if not (isinstance(rate, int | float) and 0 <= cast(float, rate) <= 1):
        raise DataError(f"{rate!r} is not between 0 and 1", key=key)


def _first(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
