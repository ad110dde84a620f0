"""The trunk: the frozen lower part of a network, what it puts out recorded once and put in its place later."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import chain
from types import MappingProxyType
from typing import Any, Literal, TypeVar, cast

import torch
import transformers
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

from mlrecipe.builtin.models import chains, configs, freezing, layers
from mlrecipe.errors import DataError

T = TypeVar("T")
Kept = Literal["tokens", "first", "mean"]

VERSION = 1
"""Goes up when what is recorded changes."""

ARCHITECTURES = (
    "albert", "bert", "deberta-v2", "distilbert", "electra", "modernbert", "mpnet", "roberta",
    "xlm-roberta",
)  # fmt: skip
"""Those whose way from the embeddings to the head is known here."""

_IN_TUPLES = ("deberta-v2", "mpnet")  # what their layers give
_OF_THE_HEAD = (
    "id2label", "label2id", "problem_type", "_name_or_path", "architectures", "transformers_version",
    "dtype", chains.NOTE,
)  # fmt: skip
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class EncoderTrunk:
    """The embeddings and the lowest layers of an encoder, or all of it."""

    def __init__(self, network: PreTrainedModel, *, count: int | None) -> None:
        """Take the embeddings and the lowest `count` layers; None for all layers that ALBERT shares."""
        self._network = network
        self._encoder = layers.encoder_of(network)
        self._embeddings = layers.embeddings_of(network)
        self._layers = () if count is None else layers.layers_of(network, key="freeze_layers")
        self._count = count
        self._is_all = count is None or count == len(self._layers)
        self._kept = self._keep()

    @property
    def facts(self) -> Mapping[str, Any]:
        """Architecture, layers, and the libraries that compute them."""
        config = self._network.config.to_diff_dict()
        for name in chain(_OF_THE_HEAD, *configs.DROPOUTS.values()):
            config.pop(name, None)
        library = ".".join(transformers.__version__.split(".")[:2])
        return MappingProxyType({
            "version": VERSION, "config": config, "layers": self._count, "kept": self._kept,
            "attention": str(self._network.config._attn_implementation),
            "transformers": library, "torch": ".".join(torch.__version__.split(".")[:2]),
        })  # fmt: skip

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """Parameters and buffers of the trunk, by name."""
        prefix = f"{self._network.base_model_prefix}."
        above = set()
        if self._count is not None:
            above = layers.above(self._network, self._count, key="freeze_layers")
        own = "final_norm." if self._kept == "mean" else "\0"
        return {
            name: tensor
            for name, tensor in self._network.state_dict(keep_vars=True).items()
            if name.startswith(f"{prefix}{own}")
            or (name.startswith(prefix) and name not in above
                and not name.startswith(f"{prefix}pooler"))
        }  # fmt: skip

    @property
    def size(self) -> int:
        """Numbers of each vector."""
        config = self._network.config
        if self._count == 0 and config.model_type == "electra":
            return int(config.embedding_size)
        return int(config.hidden_size)

    @property
    def is_pooled(self) -> bool:
        """Whether the head takes one vector of each row, so that one is enough."""
        return self._kept != "tokens"

    def record(self, batch: Mapping[str, Tensor], forward: Callable[[], object]) -> Tensor:
        """What the trunk puts out while `forward` runs, (rows, tokens, size) or (rows, size)."""
        with self._catching() as caught:
            try:
                forward()
            except _Reached:
                states = caught[0]
            else:
                raise DataError("the task does not run the network through its layers", key="use")
        if self._kept == "first":
            return states[:, 0]
        if self._kept == "mean":
            mask = batch["attention_mask"].unsqueeze(-1)
            states = cast(Any, self._encoder).final_norm(states)
            return cast(Tensor, (states * mask).sum(dim=1) / mask.sum(dim=1))
        return states

    def replay(self, states: Tensor, forward: Callable[[], T]) -> T:
        """What `forward` gives with `states` in the place of the trunk, of which nothing is computed."""
        with ExitStack() as stack:
            for module, stand_in in self._stand_ins(states):
                stack.enter_context(_instead(module, stand_in))
            return forward()

    def narrow(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The batch as the rest of the network needs it: of pooled rows one token."""
        if not self.is_pooled:
            return dict(batch)
        return {name: t[:, :1] if name in _INPUTS else t for name, t in batch.items()}

    def _keep(self) -> Kept:
        if not self._is_all or chains.noted(self._network.config):
            return "tokens"
        if getattr(self._network.config, "classifier_pooling", "cls") == "cls":
            return "first"
        norm = cast(nn.Module, cast(Any, self._encoder).final_norm)
        return "tokens" if any(p.requires_grad for p in norm.parameters()) else "mean"

    @contextmanager
    def _catching(self) -> Iterator[list[Tensor]]:
        """Catch what arrives at the trunk's end; the rest of the network is not run."""
        caught: list[Tensor] = []

        def catch(found: Any) -> None:
            caught.append(_tensor(found))
            raise _Reached

        if self._count is None:
            end = cast(nn.Module, cast(Any, self._encoder).encoder)
            handle = end.register_forward_hook(lambda module, given, found: catch(found))
        elif self._count == 0:
            handle = self._embeddings.register_forward_hook(lambda m, given, found: catch(found))
        elif self._is_all:
            handle = self._layers[-1].register_forward_hook(lambda m, given, found: catch(found))
        else:
            handle = self._layers[self._count].register_forward_pre_hook(
                lambda m, given, named: catch(given[0] if given else named["hidden_states"]),
                with_kwargs=True,
            )
        try:
            yield caught
        finally:
            handle.remove()

    def _stand_ins(self, states: Tensor) -> Iterator[tuple[nn.Module, Callable[..., Any]]]:
        """Module → what is called instead of it."""
        if self._is_all:
            yield self._encoder, lambda *given, **named: self._top(states)
            return
        if self._count == 0:
            yield self._embeddings, lambda *given, **named: states
            return
        in_tuple = self._network.config.model_type in _IN_TUPLES
        for module in (self._embeddings, getattr(self._encoder, "embeddings_project", None)):
            if module is not None:
                yield module, lambda *given, **named: states  # its shape alone matters
        for layer in self._layers[: self._count]:
            yield layer, lambda *given, **named: (states, None) if in_tuple else states
        if (mixer := getattr(getattr(self._encoder, "encoder", None), "conv", None)) is not None:
            yield mixer, lambda *given, **named: states  # DeBERTa's, beside its first layer

    def _top(self, states: Tensor) -> BaseModelOutputWithPooling:
        """What the encoder makes of what comes out of its last layer."""
        encoder = cast(Any, self._encoder)
        if states.dim() == 2:
            states = states.unsqueeze(1)
        if self._kept != "mean" and hasattr(encoder, "final_norm"):
            states = encoder.final_norm(states)
        pooler, pooled = getattr(encoder, "pooler", None), None
        if pooler is not None and hasattr(encoder, "pooler_activation"):  # ALBERT
            pooled = encoder.pooler_activation(pooler(states[:, 0]))
        elif pooler is not None:
            pooled = pooler(states)
        return BaseModelOutputWithPooling(last_hidden_state=states, pooler_output=pooled)


def trunk_of(network: PreTrainedModel) -> EncoderTrunk | None:
    """The frozen part of a network, whose outputs never change; None where there is none.

    Raises:
        DataError: the architecture is not known here.
    """
    kind = network.config.model_type
    count = freezing.fixed_layers(network)
    if count is None and not _shared_are_held(network):
        return None
    if kind not in ARCHITECTURES or (kind == "albert") != (count is None):
        raise DataError(f"the outputs of a frozen {kind} cannot be kept")
    has_mixer = getattr(network.config, "conv_kernel_size", 0) and count == 1
    if kind == "deberta-v2" and has_mixer and network.config.num_hidden_layers == 1:
        raise DataError(f"the outputs of a frozen {kind} of one layer cannot be kept")
    return EncoderTrunk(network, count=count)


class _Reached(Exception):
    """The end of the trunk was reached."""


def _shared_are_held(network: PreTrainedModel) -> bool:
    """Whether an encoder without layers of their own is frozen up to its pooler."""
    encoder = layers.encoder_of(network)
    stack = getattr(encoder, "encoder", encoder)
    return all(_is_held(part) for part in (layers.embeddings_of(network), stack))


def _is_held(module: nn.Module) -> bool:
    """Whether nothing of it learns or drops out."""
    return "train" in module.__dict__ and not any(p.requires_grad for p in module.parameters())


def _tensor(found: Any) -> Tensor:
    return cast(Tensor, found if isinstance(found, Tensor) else found[0])


@contextmanager
def _instead(module: nn.Module, stand_in: Callable[..., Any]) -> Iterator[None]:
    module.__dict__["forward"] = stand_in
    try:
        yield
    finally:
        del module.__dict__["forward"]
