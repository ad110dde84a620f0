"""Adapters of PEFT: put into a network, saved beside the merged model, loaded again.

A checkpoint with an adapter holds:

- `adapter/`: what PEFT itself reads; its configuration names the checkpoint that it was learnt on;
- where the adapter can be merged into the weights: the merged network, in the folder itself, so that
  it loads as any other;
- where it cannot (prompts and prefixes): the network without the adapter, in `base/`.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from mlrecipe.builtin.models import chains
from mlrecipe.builtin.models.heads import from_config
from mlrecipe.errors import DataError, did_you_mean

ADAPTER = "adapter"
BASE = "base"
_PLACE = "mlrecipe_adapter"
_VIRTUAL_TOKENS = 20
_SHORT = {"alpha": "lora_alpha", "dropout": "lora_dropout"}


class _Wrapped:
    """Holds PEFT's wrapper of a network without being a part of the network."""

    def __init__(self, wrapper: Any) -> None:
        self.wrapper = wrapper


def adapt(
    network: PreTrainedModel,
    settings: Mapping[str, Any],
    *,
    fresh: Collection[str],
    revision: str | None,
) -> nn.Module:
    """The network with an adapter; the adapter, the head and what starts at random learn.

    It is the network itself, changed in place, where the method changes layers, so that its parts
    keep their names; PEFT's wrapper where the method changes the input.

    Args:
        network: to be changed.
        settings: `method` and what PEFT's configuration class for it takes.
        fresh: parameters of the encoder that start at random.
        revision: of the checkpoint on the hub.

    Raises:
        DataError: PEFT is not installed, has no such method, or refuses the settings.
    """
    peft = _library()
    with _explained(network), _quiet():
        config = _configuration(peft, settings, of_words=bool(chains.noted(network.config)))
        given = list(config.modules_to_save or [])
        config.modules_to_save = sorted({*given, *_new_parts(network, fresh)})
        wrapper = peft.get_peft_model(network, config, revision=revision)
        config.modules_to_save = sorted(set(config.modules_to_save or []))  # each is there twice
        _require_places(network, _outputs(wrapper), str(settings.get("method")))
    if config.is_prompt_learning:
        return cast(nn.Module, wrapper)
    setattr(network, _PLACE, _Wrapped(wrapper))
    return network


def is_adapted(module: nn.Module) -> bool:
    """Whether `adapt` made it."""
    return _wrapper(module) is not None


def network_of(module: nn.Module) -> PreTrainedModel:
    """The network within PEFT's wrapper, where there is one."""
    inside = getattr(module, "get_base_model", None)
    return cast(PreTrainedModel, inside() if inside is not None else module)


def save(module: nn.Module, folder: Path) -> None:
    """Write the adapter and what it belongs to; the module is not changed."""
    wrapper = _wrapper(module)
    with _quiet():
        wrapper.save_pretrained(folder / ADAPTER, save_embedding_layers=False)
        merged = _merged(wrapper)
        if merged is not None:
            merged.save_pretrained(folder)
        else:
            is_apart = wrapper._is_prompt_learning
            base = network_of(wrapper) if is_apart else copy.deepcopy(wrapper).unload()
            base.save_pretrained(folder / BASE, state_dict=_without_adapter(base))


def load(base: nn.Module, folder: Path) -> nn.Module:
    """The network of `folder / BASE` with the adapter beside it.

    Raises:
        DataError: PEFT is not installed.
    """
    with _quiet():
        return cast(nn.Module, _library().PeftModel.from_pretrained(base, folder / ADAPTER))


def _library() -> Any:
    try:
        import peft
    except ImportError as error:
        raise DataError(
            "adapters need the package peft, which is not installed",
            key="model.peft",
            hint="pip install 'mlrecipe[peft]'",
        ) from error
    return peft


def _configuration(peft: Any, settings: Mapping[str, Any], *, of_words: bool) -> Any:
    """PEFT's configuration for a method by its name, `prefix-tuning` or `PREFIX_TUNING`."""
    kinds = {
        str(kind.value).lower().replace("_", "-"): made
        for kind, made in peft.mapping.PEFT_TYPE_TO_CONFIG_MAPPING.items()
    }
    given = dict(settings)
    method = str(given.pop("method", "")).lower().replace("_", "-")
    if method not in kinds:
        hint = did_you_mean(method, kinds)
        raise DataError(f"PEFT has no method {method!r}", key="peft", hint=hint)
    known = {field.name for field in fields(kinds[method]) if field.init} - {"task_type"}
    if "modules_to_save" not in known and not hasattr(kinds[method], "modules_to_save"):
        raise DataError(f"{method} does not let a new head learn", key="peft")
    given = {_full(name, known): value for name, value in given.items()}
    for name in given:
        if name not in known:
            message = f"{method} has no setting {name!r}"
            raise DataError(message, key="peft", hint=did_you_mean(name, known))
    if "num_virtual_tokens" in known:
        given = {"num_virtual_tokens": _VIRTUAL_TOKENS} | given
    if method == "adalora":
        # The real number is known, and set, when training starts.
        given = {"total_step": 2**31} | given
    return kinds[method](task_type="TOKEN_CLS" if of_words else "SEQ_CLS", **given)


def _full(name: str, known: Collection[str]) -> str:
    """PEFT's name of a setting whose short one a recipe may use."""
    full = _SHORT.get(name, name)
    return full if full in known else name


def _new_parts(network: PreTrainedModel, fresh: Collection[str]) -> set[str]:
    """Parts that learn whole: everything outside of the encoder, and what starts at random in it."""
    prefix = network.base_model_prefix
    outside = {
        name
        for name, part in network.named_children()
        if name != prefix and any(True for _ in part.parameters())
    }
    inside = {n.split(".")[1] for n in fresh if n.startswith(f"{prefix}.") and "pooler" in n}
    return outside | inside


def _wrapper(module: nn.Module) -> Any:
    held = getattr(module, _PLACE, None)
    if held is not None:
        return held.wrapper
    return module if hasattr(module, "get_base_model") else None


def _merged(wrapper: Any) -> PreTrainedModel | None:
    """A network that puts out the same without an adapter, where there is one."""
    if wrapper._is_prompt_learning:
        return None
    twin = copy.deepcopy(wrapper)
    before = _outputs(twin)
    try:
        merged = cast(PreTrainedModel, twin.merge_and_unload(safe_merge=True))
    except (NotImplementedError, AttributeError, ValueError):
        return None
    # Not every method of PEFT that offers to merge gives what it gave before.
    near = math.sqrt(torch.finfo(before.dtype).eps)
    same = torch.allclose(_outputs(merged), before, rtol=near, atol=near)
    return merged if same and merged.state_dict().keys() == _names(merged) else None


def _names(network: PreTrainedModel) -> set[str]:
    """The names of the weights that a network of this configuration has."""
    with torch.device("meta"):
        return set(from_config(network.config).state_dict())


def _outputs(module: nn.Module) -> Tensor:
    """The logits for a few tokens, dropout off."""
    modes = {part: part.training for part in module.modules()}
    network = network_of(module)
    vocabulary: Any = network.get_input_embeddings()
    tokens = network.dummy_inputs["input_ids"] % vocabulary.num_embeddings
    tokens = tokens.to(next(network.parameters()).device)
    module.eval()
    with torch.no_grad():
        logits = module(input_ids=tokens, attention_mask=torch.ones_like(tokens)).logits
    for part, mode in modes.items():
        part.training = mode
    return cast(Tensor, logits)


def _require_places(network: PreTrainedModel, logits: Tensor, method: str) -> None:
    """Raise where an adapter puts tokens before the text of a network whose outputs belong to places."""
    given = network.dummy_inputs["input_ids"].shape[1]
    if chains.noted(network.config) and logits.shape[1] != given:
        message = f"{method!r} puts tokens before each text, and words are found by their places"
        raise DataError(message, key="peft", hint="use a method that changes layers, such as lora")


def _without_adapter(base: nn.Module) -> dict[str, Tensor]:
    """The weights of a network whose parts PEFT has wrapped, as they were."""
    return {
        name.replace(".original_module", ""): value
        for name, value in base.state_dict().items()
        if ".modules_to_save." not in name
    }


@contextmanager
def _explained(network: PreTrainedModel) -> Iterator[None]:
    """Turn what PEFT says against its settings into an error of the recipe."""
    try:
        yield
    except DataError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, NotImplementedError,
            RuntimeError, ImportError) as error:  # fmt: skip
        linear = {n.rpartition(".")[2] for n, m in network.named_modules() if type(m) is nn.Linear}
        about_layers = linear and "target" in str(error)
        hint = f"linear layers of it: {', '.join(sorted(linear))}" if about_layers else None
        raise DataError(f"PEFT refuses: {error}", key="peft", hint=hint) from error


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
