"""Layers that join one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from mlrecipe import events
from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.errors import DataError
from mlrecipe.recipe.schema import Component
from mlrecipe.training.unfreezing import GradualUnfreezing
from tests.training.parts import Watch, stop_and_resume, train, weights, write_encoder
from tests.training.tiny import write_tiny

SLOW = {"slow": Component(use="gradual-unfreezing")}


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder of two layers; read only."""
    folder = write_tiny(tmp_path_factory.mktemp("checkpoint"))
    write_encoder(folder)
    return folder


def places(names: Any) -> set[str]:
    """`layer.1`, `embeddings`, `pooler` …: where parameters lie."""
    return {
        name.split("encoder.")[1][:7] if "encoder." in name else name.split(".")[-3 if "pool" in name else 0]
        if "embeddings" not in name else "embeddings"
        for name in names
    }  # fmt: skip


def look(trainer, module) -> dict[str, Any]:
    """What learns, what has moved the optimizer, and the rates."""
    optimizer = trainer.optimizers[0]
    named = {id(p): name for name, p in module.network.named_parameters()}
    return {
        "epoch": trainer.current_epoch,
        "learning": places(n for n, p in module.network.named_parameters() if p.requires_grad),
        "state": places(named[id(p)] for p in optimizer.state),
        "values": {n: p.detach().clone() for n, p in module.network.named_parameters()},
        "rates": {
            named[id(p)]: group["lr"] for group in optimizer.param_groups for p in group["params"]
        },
    }


@pytest.fixture(scope="module")
def seen(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """After each of five steps of four epochs, with layer-wise rates and decay."""
    watch = Watch()
    watch.look = look
    train(
        Transformer(checkpoint=str(checkpoint)), tmp_path_factory.mktemp("run"), epochs=4,
        watch=watch, callbacks=SLOW, layer_decay=0.5,
        optimizer=Component(use="AdamW", params={"lr": 1e-3, "weight_decay": 0.1}),
    )  # fmt: skip
    return watch.seen


HEAD = {"classifier", "pooler"}


def test_layers_join_from_the_top_epoch_by_epoch(seen: list[dict[str, Any]]):
    """First the head, then layer 2, layer 1, the embeddings."""
    wanted = [HEAD, HEAD | {"layer.1"}, HEAD | {"layer.1", "layer.0"}]
    wanted.append(wanted[-1] | {"embeddings"})

    assert [at["learning"] for at in seen] == [wanted[at["epoch"]] for at in seen]
    assert [at["epoch"] for at in seen] == [0] * 5 + [1] * 5 + [2] * 5 + [3] * 5


def test_training_30_what_has_not_joined_has_no_state_and_does_not_move(seen: list[dict[str, Any]]):
    """Weight decay does not shrink it either."""
    assert all(at["state"] == at["learning"] for at in seen)
    first, last_of_head = seen[0]["values"], seen[4]["values"]
    moved = {name for name, value in last_of_head.items() if not torch.equal(value, first[name])}
    assert places(moved) == HEAD


def test_what_joins_has_its_own_rate_of_the_schedule(seen: list[dict[str, Any]]):
    """That which it would have had from the start: layer-wise, and as far down as the schedule is."""
    rates = [at["rates"] for at in seen]
    low, top, head = (
        [step[name] for step in rates]
        for name in (
            "bert.embeddings.word_embeddings.weight",
            "bert.encoder.layer.1.output.dense.weight",
            "classifier.weight",
        )
    )

    assert top == pytest.approx([0.5 * rate for rate in head])
    assert low == pytest.approx([0.125 * rate for rate in head])
    assert head[10] > head[15] > 0


def test_a_resumed_training_unfreezes_as_if_it_had_not_been_stopped(
    checkpoint: Path, tmp_path: Path
):
    """Stopped in the middle of an epoch, where no epoch begins again."""
    model = Transformer(checkpoint=str(checkpoint))

    whole = train(model, tmp_path / "whole", epochs=3, callbacks=SLOW)
    resumed = stop_and_resume(model, tmp_path / "stopped", step=7, epochs=3, callbacks=SLOW)

    expected, found = weights(whole), weights(resumed)
    assert all(torch.equal(value, found[name]) for name, value in expected.items())


def test_what_the_model_freezes_never_joins(checkpoint: Path, tmp_path: Path, heard: list):
    """The callback tells what joins, and what will not in so few epochs."""
    watch = Watch()
    watch.look = look
    model = Transformer(checkpoint=str(checkpoint), freeze=["*embeddings*"])
    callbacks = {"slow": Component(use="gradual-unfreezing", params={"epochs_per_layer": 2})}

    train(model, tmp_path / "run", epochs=3, watch=watch, callbacks=callbacks)

    assert [at["learning"] for at in watch.seen] == [HEAD] * 10 + [HEAD | {"layer.1"}] * 5
    notes = [event.text for event in heard if isinstance(event, events.Note)]
    assert "never learn in 3 epochs: layer 1" in notes
    assert "epoch 3: layer 2 learns from now on" in notes

    train(model, tmp_path / "short", epochs=1, callbacks=callbacks)

    (short,) = (e.text for e in heard if isinstance(e, events.Note) and "in 1 epoch" in e.text)
    assert short.startswith("never learn in 1 epoch: ")


def test_several_processes_drop_the_gradients_of_what_has_not_joined(checkpoint: Path):
    """They have agreed on whose gradients to share, so those must come: they are dropped after."""
    from tests.builtin.models.networks import HEAD as LABELS
    from tests.builtin.models.networks import learn

    model = Transformer(checkpoint=str(checkpoint))
    network = model.build(LABELS)
    learn(network, steps=1)
    callback = GradualUnfreezing()
    callback.bind(model.parts(network))

    class Two:
        world_size = 2
        current_epoch = 1
        max_epochs = 4
        is_global_zero = True

    callback.on_train_start(Two(), None)
    callback.on_before_optimizer_step(Two(), None, None)

    assert all(parameter.requires_grad for parameter in network.parameters())
    having = {name for name, parameter in network.named_parameters() if parameter.grad is not None}
    assert places(having) == HEAD | {"layer.1"}


def test_freezing_everything_leaves_nothing_to_join(checkpoint: Path, tmp_path: Path):
    """It is an error before the first step."""
    model = Transformer(checkpoint=str(checkpoint), freeze=["bert.*"])

    with pytest.raises(DataError, match="no layer would ever learn"):
        train(model, tmp_path / "run", callbacks=SLOW)
