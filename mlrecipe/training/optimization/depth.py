"""Depth: how far below the head each parameter lies, told from the names that transformers gives them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mlrecipe.errors import DataError

HEAD, EMBEDDINGS = "head", "embeddings"

KNOWN = (
    "bert", "roberta", "xlm-roberta", "distilbert", "electra", "deberta", "deberta-v2", "mpnet",
    "modernbert",
)  # fmt: skip
"""Architectures whose layers are told apart, as a configuration's `model_type` names them."""

_TRUNK = r"(?:^|\.)(?:bert|roberta|distilbert|electra|deberta|mpnet|model)\."
_LAYER = re.compile(rf"{_TRUNK}(?:encoder\.layer|transformer\.layer|layers)\.(\d+)\.")
# What comes before the first layer, and what all layers share: the positions of DeBERTa and MPNet.
_BOTTOM = re.compile(
    rf"{_TRUNK}(?:embeddings|embeddings_project|"
    r"encoder\.(?:rel_embeddings|relative_attention_bias|LayerNorm|conv))\."
)
_SHARED = "albert_layer_groups."
_WRAPPERS = re.compile(
    r"^base_model\.model\.|(?:modules_to_save\.default|_orig_mod|_fsdp_wrapped_module|"
    r"_checkpoint_wrapped_module)\."
)


def plain(name: str) -> str:
    """The name without what `torch.compile`, FSDP, checkpointing and PEFT put into it."""
    return _WRAPPERS.sub("", name)


def places(names: Iterable[str]) -> dict[str, tuple[str, int]]:
    """Each parameter's place and its distance from the head: `head` 0, the top layer 1 … `embeddings`.

    Layers are counted from 1 at the bottom: `layer 12` is the top one of twelve. Poolers and final
    normalizations belong to the head.

    Raises:
        DataError: the names are not those of an architecture with layers that can be told apart.
    """
    names = list(names)
    layers = {name: int(match[1]) for name in names if (match := _LAYER.search(plain(name)))}
    if any(_SHARED in name for name in names):
        raise _unfit("the layers of ALBERT share their weights: there is one rate for all")
    if not layers:
        raise _unfit(
            f"cannot tell the layers of this network by its names; known: {', '.join(KNOWN)}"
        )
    count = max(layers.values()) + 1
    found: dict[str, tuple[str, int]] = {}
    for name in names:
        if name in layers:
            found[name] = (f"layer {layers[name] + 1}", count - layers[name])
        elif _BOTTOM.search(plain(name)):
            found[name] = (EMBEDDINGS, count + 1)
        else:
            found[name] = (HEAD, 0)
    return found


def _unfit(message: str) -> DataError:
    hint = "leave it out, or set rates with `train.lr_by_name`"
    return DataError(message, key="train.layer_decay", hint=hint)
