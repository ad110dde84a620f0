"""The model `word-char-bilstm`: a small network for tags of words, learnt from nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import nn

from mlrecipe import model
from mlrecipe.builtin.models import chains
from mlrecipe.builtin.models.word_char_network import Sizes, WordCharNetwork
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Head

KIND = "mlrecipe-word-char-bilstm"
"""The `model_type` in its `config.json`."""

_CONFIG, _WEIGHTS = "config.json", "model.safetensors"


@model("word-char-bilstm")
@dataclass(frozen=True, slots=True, kw_only=True)
class WordCharBiLSTM:
    """LSTMs both ways over words, each known by its letters and by hashes of its form, without a vocabulary.

    Takes rows of `tokenize-words` without a tokenizer. As Ma & Hovy 2016 (arXiv 1603.01354), with hashed
    vectors of words in place of pretrained ones; learns all from the train split.
    """

    word_dim: int = 100
    """Numbers of a word's own vector."""

    affix_dim: int = 30
    """Numbers of each of the vectors of its first three bytes, its last three, and its shape, as `Xxxx.`."""

    buckets: int = 5000
    """Rows of each table of vectors; words that share one of their two rows still differ in the other."""

    char_dim: int = 30
    """Numbers of the vector of a letter, that is of a byte."""

    char_filters: int = 50
    """Filters of three letters each that look at the spelling."""

    hidden: int = 200
    """Numbers of the state of each LSTM; there is one each way."""

    layers: int = 1
    """LSTMs on top of each other, each way."""

    dropout: float = 0.5
    """Probability for the letters, and for what goes into the LSTMs and comes out of them."""

    word_dropout: float = 0.1
    """Probability that a word's own vector is left out in training, as if the word were new."""

    word_bytes: int = 64
    """So many bytes of a word are looked at; of a longer one the first and the last half of so many."""

    def build(self, head: Head) -> nn.Module:
        """The network with fresh weights, its outputs for each word in the order of `head.labels`.

        Raises:
            DataError: the task does not tag words, or a size cannot be.
        """
        if not chains.is_of_words(head):
            raise DataError(
                f"it tags words, and the task is {head.problem_type!r}",
                key="use",
                hint="the tasks token-classification and intent-and-slots tag words",
            )
        self._require_sizes()
        sizes = Sizes(**asdict(self))
        transitions = chains.transitions_of(head)
        network = WordCharNetwork(sizes, outputs=len(head.labels), crf_tags=transitions)
        network.facts["labels"] = list(head.labels)
        return network

    def save(self, module: nn.Module, folder: Path) -> None:
        """Write configuration and weights (safetensors)."""
        assert isinstance(module, WordCharNetwork)
        config = {"model_type": KIND, **module.facts}
        text = json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False)
        (folder / _CONFIG).write_text(text + "\n", encoding="utf-8")
        weights = {name: value.contiguous() for name, value in module.state_dict().items()}
        save_file(weights, folder / _WEIGHTS, metadata={"format": "pt"})

    def load(self, folder: Path) -> nn.Module:
        """The module that `save` wrote.

        Raises:
            DataError: the folder holds something else.
        """
        config = _read(folder / _CONFIG)
        names = {field.name for field in fields(Sizes)}
        try:
            sizes = Sizes(**{name: config[name] for name in names})
            network = WordCharNetwork(sizes, outputs=config["outputs"], crf_tags=config["crf_tags"])
            network.load_state_dict(load_file(folder / _WEIGHTS))
        except (KeyError, OSError, RuntimeError) as error:
            message = f"cannot read the network in {str(folder)!r}: {error}"
            raise DataError(message, key="use") from error
        network.facts["labels"] = config.get("labels", [])
        return network

    def _require_sizes(self) -> None:
        for name, value in asdict(self).items():
            is_rate = name.endswith("dropout")
            if is_rate and not 0 <= value < 1:
                raise DataError(f"{value!r} is not from 0 up to less than 1", key=name)
            if not is_rate and value < (2 if name == "word_bytes" else 1):
                raise DataError(f"{value!r} is too small", key=name)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {str(path)!r}: {error}", key="use") from error
    if not isinstance(config, dict) or config.get("model_type") != KIND:
        raise DataError(f"{str(path)!r} is not that of a word-char-bilstm", key="use")
    return config
