"""The optimizer: which parameters it has, with which rates, and what it does to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.precision import MixedPrecision
from torch import nn

from mlrecipe import events
from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Head
from mlrecipe.recipe.schema import Component
from mlrecipe.registry import registries
from mlrecipe.training.optimization import Optimization
from mlrecipe.training.schedules import warn_of_warmup
from tests.training.test_fit import train
from tests.training.tiny import LABELS, components

HEAD = Head(problem_type="single_label_classification", labels=tuple(LABELS))


class Small(nn.Module):
    """Matrices, biases, a normalization, a scale, and something frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(5, 4)
        self.layer = nn.Linear(4, 4)
        self.norm = nn.LayerNorm(4)
        self.scale = nn.Parameter(torch.ones(4))
        self.frozen = nn.Linear(4, 4)
        self.frozen.requires_grad_(False)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """A number for each id."""
        return (self.norm(self.frozen(self.layer(self.words(ids)))) * self.scale).sum(-1)


def optimization(use: str = "AdamW", schedule: str = "constant", **given: Any) -> Optimization:
    rates = {key: given.pop(key) for key in ("layer_decay", "lr_by_name") if key in given}
    return Optimization(
        optimizer=Component(use=use, params=given), scheduler=Component(use=schedule),
        components=components(), **rates,
    )  # fmt: skip


def names_of(module: nn.Module, group: dict[str, Any]) -> set[str]:
    wanted = {id(parameter) for parameter in group["params"]}
    return {name for name, p in module.named_parameters() if id(p) in wanted}


def step(module: nn.Module, optimizer: torch.optim.Optimizer, ids: list[int]) -> None:
    """One real step, with a closure as Lightning gives it."""

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = module(torch.tensor(ids)).square().mean()
        loss.backward()
        return loss

    optimizer.step(closure)


def test_glue_21_biases_and_normalization_do_not_decay_and_all_else_does():
    """With gradients of 0 a step is decay alone: it shows which weights shrink, and by how much."""
    module = Small()
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    optimizer = optimization(lr=0.1, weight_decay=0.3).make_optimizer(module)
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)

    optimizer.step()

    shares = {
        name: (p.detach() / before[name]).nanmean().item() for name, p in module.named_parameters()
    }
    decayed = {"words.weight", "layer.weight", "scale"}
    assert {name for name, share in shares.items() if share != 1 and share == share} == decayed
    assert [shares[name] for name in sorted(decayed)] == pytest.approx([1 - 0.1 * 0.3] * 3)


def test_training_30_frozen_parameters_have_no_optimizer_state():
    """What does not learn is in no group, and a step leaves nothing for it."""
    module = Small()
    optimizer = optimization(lr=0.1).make_optimizer(module)

    step(module, optimizer, [0, 1, 2])

    frozen = set(map(id, module.frozen.parameters()))
    assert not frozen & {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert not frozen & set(map(id, optimizer.state))
    assert len(optimizer.state) == 6


def test_a_network_in_which_nothing_learns_is_refused():
    """An optimizer without parameters would fail in words of its own."""
    with pytest.raises(DataError, match="no parameter learns"):
        optimization().check(Small().requires_grad_(False))


def test_an_optimizer_without_decay_has_one_group_for_each_rate():
    """LBFGS takes a single group and no weight decay."""
    assert len(optimization("LBFGS").make_optimizer(Small()).param_groups) == 1


@pytest.mark.parametrize("name", registries["optimizer"].names())
def test_experiment_15_every_optimizer_of_the_catalog_makes_a_real_step(name: str):
    """It is torch's own class of that name, and what learns moves."""
    module = nn.Embedding(5, 4, sparse=name == "SparseAdam")
    before = module.weight.detach().clone()

    optimizer = optimization(name, lr=0.1).make_optimizer(module)
    step(module, optimizer, [0, 1])
    step(module, optimizer, [0, 1])

    assert type(optimizer) is registries["optimizer"].get(name) is getattr(torch.optim, name)
    assert not torch.equal(module.weight[0], before[0])


def test_every_optimizer_of_torch_is_in_the_catalog():
    """By the name of its class."""
    public = {
        name for name, kind in vars(torch.optim).items()
        if isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer)
    }  # fmt: skip

    assert set(registries["optimizer"].names()) == public - {"Optimizer"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("SparseAdam", "embeddings with sparse gradients only; 'scale' has dense ones"),
        ("Muon", "Muon learns matrices only: freeze what is none"),
    ],
)
def test_an_optimizer_that_does_not_fit_the_network_says_so(name: str, message: str):
    """Before any step is made."""
    with pytest.raises(DataError) as caught:
        optimization(name).check(Small())

    assert message in str(caught.value)
    assert caught.value.key == "train.optimizer"


def test_parameters_that_an_optimizer_does_not_take_are_an_error():
    """The message has the optimizer's name."""
    with pytest.raises(DataError, match="AdamW refuses its parameters") as caught:
        optimization(lr=-1.0).make_optimizer(Small())

    assert caught.value.key == "train.optimizer"


def test_parameters_that_a_schedule_does_not_take_are_an_error():
    """A polynomial cannot fall to more than it starts from."""
    made = Optimization(
        optimizer=Component(use="AdamW", params={"lr": 1e-3}), components=components(),
        scheduler=Component(use="polynomial", params={"lr_end": 0.1}),
    )  # fmt: skip

    with pytest.raises(DataError, match="polynomial refuses its parameters") as caught:
        made.check(Small())

    assert caught.value.key == "train.scheduler"


@pytest.mark.parametrize(
    ("given", "fused"),
    [({}, True), ({"fused": False}, False), ({"foreach": True}, None), ({"fused": None}, True)],
)
def test_adamw_is_fused_unless_the_recipe_says_how(given: dict[str, Any], fused: bool | None):
    """One kernel makes the whole step; Adadelta has none."""
    made = optimization(lr=0.1, **given).make_optimizer(Small())

    assert made.defaults["fused"] is fused
    assert "fused" not in optimization("Adadelta").make_optimizer(Small()).defaults


def test_a_fused_step_is_the_plain_one_to_rounding_and_the_same_each_time():
    """Bit for bit the same in every run; within float32's rounding the formula's."""

    def learned(**given: Any) -> torch.Tensor:
        torch.manual_seed(3)
        module = Small()
        optimizer = optimization(lr=0.01, **given).make_optimizer(module)
        for _ in range(5):
            step(module, optimizer, [0, 1, 2, 3])
        return nn.utils.parameters_to_vector(module.parameters())

    assert torch.equal(learned(), learned())
    torch.testing.assert_close(learned(), learned(fused=False), rtol=1e-5, atol=1e-6)


def test_gradients_are_clipped_under_mixed_precision_with_a_fused_optimizer():
    """Lightning refuses to clip for an optimizer that says it unscales gradients itself."""
    module = Small()
    optimizer = optimization(lr=0.1).make_optimizer(module)
    for parameter in module.parameters():
        parameter.grad = torch.ones_like(parameter)

    MixedPrecision("bf16-mixed", "cpu").clip_gradients(optimizer, 0.5)

    norm = torch.stack([p.grad.norm() for g in optimizer.param_groups for p in g["params"]]).norm()
    assert norm == pytest.approx(0.5, rel=1e-4)


def test_a_fused_step_under_the_scaler_of_fp16_is_the_plain_one():
    """The scaler unscales the gradients before they are clipped, once, and the step is as without it."""

    def learned(scaler: torch.amp.GradScaler | None) -> torch.Tensor:
        torch.manual_seed(3)
        module = Small()
        optimizer = optimization(lr=0.01).make_optimizer(module)
        loss = module(torch.tensor([0, 1, 2])).square().mean()
        if scaler is None:
            loss.backward()
            optimizer.step()
        else:
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            scaler.step(optimizer)
        return nn.utils.parameters_to_vector(module.parameters())

    torch.testing.assert_close(learned(torch.amp.GradScaler("cpu")), learned(None))


def test_a_rate_by_name_holds_for_what_fits_and_the_first_pattern_wins():
    """The rest has the recipe's rate; a pattern's rate is not multiplied by anything."""
    module = Small()
    patterns = {"layer.b*": 0.5, "layer.*": 0.25, "norm.*": 0.125}
    made = optimization(lr=0.1, weight_decay=0.2, lr_by_name=patterns).make_optimizer(module)

    found = {
        n: (g["lr"], g["weight_decay"]) for g in made.param_groups for n in names_of(module, g)
    }

    assert found == {
        "words.weight": (0.1, 0.2), "scale": (0.1, 0.2), "layer.weight": (0.25, 0.2),
        "layer.bias": (0.5, 0.0), "norm.weight": (0.125, 0.0), "norm.bias": (0.125, 0.0),
    }  # fmt: skip
    assert made.param_groups[0]["lr"] == 0.1


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        ({"layr.*": 0.1}, "no parameter has a name like 'layr.*'; did you mean 'layer'?"),
        ({"frozen.*": 0.1}, "no parameter like 'frozen.*' learns: 'frozen.weight', for one"),
        ({"layer.*": 0.1, "layer.bias": 0.2}, "has its rate from a pattern before it"),
    ],
)
def test_a_pattern_that_fits_nothing_that_learns_is_an_error(patterns: dict, message: str):
    """With the nearest names."""
    with pytest.raises(DataError) as caught:
        optimization(lr_by_name=patterns).check(Small())

    assert message in str(caught.value)
    assert caught.value.key == "train.lr_by_name"


def test_the_head_of_a_real_network_learns_at_its_own_rate(tiny: Path):
    """Names are those that `named_parameters` gives; the line that is printed has every rate."""
    network = Transformer(config=str(tiny)).build(HEAD)
    made = optimization(lr=2e-5, lr_by_name={"classifier.*": 1e-3})

    assert made.describe(network) == "learning rates: others 2e-05, classifier.* 0.001"


def test_a_warm_up_that_never_ends_is_told():
    """The rate would not come to its height; a fraction always ends."""
    heard: list[Any] = []
    with events.listening(heard.append):
        warn_of_warmup(500, 100)
        warn_of_warmup(0.5, 100)

    assert [(event.level, event.text) for event in heard] == [
        ("warning", "the warm-up takes 500 steps and there will be 100: the learning rate never comes "
                    "to its height"),
    ]  # fmt: skip


@pytest.mark.parametrize("given", [{"norm": 0.01}, {"value": 0.0005}, {}])
def test_gradients_are_clipped_as_the_recipe_says(tiny: Path, run: Path, given: dict[str, float]):
    """By norm or by value; a step of SGD with rate 1 moves the weights by the very gradient."""
    algorithm, value = next(iter(given.items()), (None, 0.0))
    changed: list[torch.Tensor] = []

    class Watch(pl.Callback):
        def on_train_batch_start(self, trainer: Any, module: Any, *_: Any) -> None:
            self.before = (
                nn.utils.parameters_to_vector(module.network.parameters()).detach().clone()
            )

        def on_train_batch_end(self, trainer: Any, module: Any, *_: Any) -> None:
            after = nn.utils.parameters_to_vector(module.network.parameters()).detach()
            changed.append(after - self.before)

    train(
        tiny, run, optimizer=Component(use="SGD", params={"lr": 1.0}), max_steps=1,
        scheduler=Component(use="constant"), extra={"Watch": Watch},
        callbacks={"watch": Component(use="Watch")},
        trainer={"accelerator": "cpu", "gradient_clip_val": value, "gradient_clip_algorithm": algorithm},
    )  # fmt: skip

    norm, largest = changed[0].norm().item(), changed[0].abs().max().item()
    if algorithm == "norm":
        assert norm == pytest.approx(0.01, rel=1e-3)
    elif algorithm == "value":
        assert largest == pytest.approx(0.0005, rel=1e-3)
    else:
        assert norm > 0.1
        assert largest > 0.005


def test_lbfgs_trains(tiny: Path, run: Path):
    """It computes the loss of a batch several times in a step."""
    report = train(tiny, run, optimizer=Component(use="LBFGS", params={"lr": 0.1, "max_iter": 2}))

    assert report.steps == 8


def test_lbfgs_over_several_batches_is_refused(tiny: Path, run: Path):
    """It would compute the loss anew on the last of a step's batches only."""
    with pytest.raises(DataError, match="a step is 2 batches here") as caught:
        train(tiny, run, optimizer=Component(use="LBFGS"), batch_size=8, device_batch_size=4)

    assert caught.value.key == "train.optimizer"
