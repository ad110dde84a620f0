"""Formats of transformers' models and tokenizers: folders as `save_pretrained` writes them, no pickle."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import transformers
from transformers import PreTrainedModel, PreTrainedTokenizerBase

import mlrecipe
from mlrecipe.builtin.models.quiet import quiet
from mlrecipe.errors import DataError, StoreError
from mlrecipe.interfaces import Summary

_CLASS = "class.json"
_FOLDER = "model"

# Where a tokenizer was loaded from, which is no part of it.
_ORIGINS = ("is_local", "local_files_only", "name_or_path", "vocab_file", "tokenizer_file")


@mlrecipe.format("transformers-model", types=("transformers.modeling_utils.PreTrainedModel",))
class ModelFormat:
    """A model of transformers; it comes back as the same class, on the CPU, in evaluation mode.

    What `model/` holds can be given to `from_pretrained`.
    """

    def save(self, value: PreTrainedModel, folder: Path) -> None:
        """Write configuration and weights.

        Raises:
            DataError: its class is none of transformers' own: loading it would need your code.
        """
        _save_class(value, folder)
        with quiet():
            value.save_pretrained(folder / _FOLDER)

    def load(self, folder: Path) -> PreTrainedModel:
        """The model; no code but that of transformers is run.

        Raises:
            StoreError: the files do not fit the class.
        """
        kind = _load_class(folder, PreTrainedModel)
        with quiet():
            model, found = kind.from_pretrained(
                folder / _FOLDER,
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
            )
        for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"):
            if found[problem]:
                names = ", ".join(sorted(map(str, found[problem]))[:3])
                raise StoreError(f"a stored model has {problem.replace('_', ' ')}: {names}")
        model.name_or_path = model.config.name_or_path = ""
        loaded: PreTrainedModel = model
        return loaded

    def describe(self, value: PreTrainedModel) -> Summary:
        """Its class and size."""
        return Summary(kind=type(value).__name__, text=f"{value.num_parameters()} parameters")


@mlrecipe.format(
    "transformers-tokenizer",
    types=("transformers.tokenization_utils_base.PreTrainedTokenizerBase",),
)
class TokenizerFormat:
    """A tokenizer of transformers; it comes back as the same class."""

    def save(self, value: PreTrainedTokenizerBase, folder: Path) -> None:
        """Write the tokenizer; where it came from and what it was last called with leave no trace.

        Raises:
            DataError: its class is none of transformers' own: loading it would need your code.
        """
        _save_class(value, folder)
        with quiet():
            _fresh(value).save_pretrained(folder / _FOLDER)
        path = folder / _FOLDER / "tokenizer_config.json"
        settings = json.loads(path.read_text(encoding="utf-8"))
        kept = {key: item for key, item in settings.items() if key not in _ORIGINS}
        path.write_text(json.dumps(kept, indent=2, sort_keys=True), encoding="utf-8")

    def load(self, folder: Path) -> PreTrainedTokenizerBase:
        """The tokenizer; no code but that of transformers is run."""
        kind = _load_class(folder, PreTrainedTokenizerBase)
        with quiet():
            tokenizer = kind.from_pretrained(folder / _FOLDER, local_files_only=True)
        tokenizer.name_or_path = ""
        loaded: PreTrainedTokenizerBase = tokenizer
        return loaded

    def describe(self, value: PreTrainedTokenizerBase) -> Summary:
        """Its class and size."""
        return Summary(kind=type(value).__name__, text=f"{len(value)} tokens")


def _fresh(tokenizer: PreTrainedTokenizerBase) -> Any:
    """A copy without the padding and truncation of the last call (which change `tokenizer.json`)."""
    fresh: Any = copy.deepcopy(tokenizer)
    backend = getattr(fresh, "backend_tokenizer", None)
    if backend is not None:
        backend.no_padding()
        backend.no_truncation()
    for side in ("padding_side", "truncation_side"):  # not written unless they were given
        fresh.init_kwargs[side] = getattr(fresh, side)
    return fresh


def _save_class(value: Any, folder: Path) -> None:
    name = type(value).__name__
    if getattr(transformers, name, None) is not type(value):
        raise DataError(
            f"{name!r} is no class of transformers, so it could not be loaded without your code",
            hint="return model.state_dict(), or register a format for it",
        )
    (folder / _CLASS).write_text(json.dumps({"transformers": name}), encoding="utf-8")


def _load_class(folder: Path, base: type) -> Any:
    name = json.loads((folder / _CLASS).read_text(encoding="utf-8"))["transformers"]
    kind = getattr(transformers, name, None)
    if not (isinstance(kind, type) and issubclass(kind, base)):
        raise StoreError(f"this transformers has no {base.__name__} called {name!r}")
    return kind
