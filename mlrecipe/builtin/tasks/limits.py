"""What a network can take: how many different tokens, and how many in a row."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from torch import nn

from mlrecipe.errors import DataError


def check_vocabulary(module: nn.Module, tokens: pa.ChunkedArray, *, split: str) -> None:
    """Raise when a token id is none of the network's: the texts were made for another model.

    `tokens` holds a list of ids for each row.
    """
    size = vocabulary(module)
    largest = max((pc.max(chunk.flatten()).as_py() or 0 for chunk in tokens.chunks), default=0)
    if size is not None and largest >= size:
        raise DataError(
            f"split {split!r} has the token id {largest}, and the model knows ids below {size}",
            key="data",
            hint="tokenize with the tokenizer that belongs to the model",
        )


def check_length(module: nn.Module, lengths: NDArray[np.int64], *, split: str) -> None:
    """Raise when a row has more tokens than the network has positions."""
    places = _positions(module)
    if places is None or not len(lengths) or lengths.max() <= places:
        return
    row = int(lengths.argmax())
    count = int((lengths > places).sum())
    raise DataError(
        f"{count:,} rows of split {split!r} have more than the {places} tokens that the model "
        f"takes (row {row} has {lengths[row]})",
        key="data",
        hint=f"set `max_length` of the tokenize node to at most {places}",
    )


def vocabulary(module: nn.Module) -> int | None:
    """Ids that the network knows, where it says so."""
    embeddings = getattr(network_of(module), "get_input_embeddings", lambda: None)()
    return embeddings.num_embeddings if isinstance(embeddings, nn.Embedding) else None


def network_of(module: nn.Module) -> nn.Module:
    """The network within a wrapper of the library PEFT, which puts something before its input."""
    inside: Callable[[], nn.Module] | None = getattr(module, "get_base_model", None)
    return module if inside is None else inside()


def _positions(module: nn.Module) -> int | None:
    for name, layer in module.named_modules():
        if isinstance(layer, nn.Embedding) and name.endswith("position_embeddings"):
            # RoBERTa and its kin count positions from the one after that of padding.
            before = 0 if layer.padding_idx is None else layer.padding_idx + 1
            return layer.num_embeddings - before - _virtual(module)
    return None


def _virtual(module: nn.Module) -> int:
    """Tokens that a wrapper of PEFT puts before each text: a prompt or a prefix."""
    return int(getattr(getattr(module, "active_peft_config", None), "num_virtual_tokens", 0))
