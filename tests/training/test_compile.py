"""Training with a compiled network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._dynamo.backends.registry import lookup_backend

from mlrecipe import events
from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.errors import TrainingError
from mlrecipe.training import compiling
from mlrecipe.training.batching import widths
from tests.training.parts import Watch, train, weights

FEW = {"max_position_embeddings": 64, "num_hidden_layers": 1}


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    """One thread, and nothing compiled before."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()
    torch.set_num_threads(threads)


class Counting:
    """Runs graphs as they are, and counts them by the shape of their batch."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, graph: Any, inputs: list[Any]) -> Any:
        shapes = [tuple(t.shape) for t in inputs if getattr(t, "dtype", None) == torch.int64]
        self.shapes.append(max(shapes))
        return lookup_backend("eager")(graph, inputs)


@pytest.mark.long
def test_training_27_there_are_no_more_shapes_than_widths(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heard: list
):
    """Each shape of train batches is compiled once, whole, in however many epochs; weights are as without."""
    counting = Counting()
    monkeypatch.setattr(compiling, "BACKEND", counting)
    monkeypatch.setattr(widths, "MOST", 2)
    model = Transformer(config=str(tiny), config_overrides=FEW)
    watch = Watch()
    watch.look = lambda trainer, module: module.network._compiled_call_impl is not None

    report = train(model, tmp_path / "run", rows=44, epochs=2, compile=True, watch=watch)

    assert len(counting.shapes) == 2
    assert len(set(counting.shapes)) == len(counting.shapes)
    assert watch.seen == [True] * 12
    monkeypatch.setattr(compiling.torch.nn.Module, "compile", lambda *_, **__: None)
    plain = weights(train(model, tmp_path / "plain", rows=44, epochs=2, compile=True))
    found = weights(report)
    assert found.keys() == plain.keys()
    assert all(torch.allclose(found[name], plain[name], atol=1e-5) for name in plain)
    assert any("compiled" in event.text for event in heard if isinstance(event, events.Note))


def test_a_compiler_that_does_not_work_is_an_error(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Training does not go on without; the message says what to install or set."""

    def broken(graph: Any, inputs: list[Any]) -> Any:
        raise RuntimeError("no working C++ compiler found")

    monkeypatch.setattr(compiling, "BACKEND", broken)
    model = Transformer(config=str(tiny), config_overrides=FEW)

    with pytest.raises(TrainingError, match="no working C") as caught:
        train(model, tmp_path / "run", rows=8, compile=True)

    assert caught.value.key == "train.compile"
    assert "g++" in str(caught.value)


def test_more_versions_than_can_be_are_an_error(monkeypatch: pytest.MonkeyPatch):
    """Torch alone would go on uncompiled past its limit."""
    monkeypatch.setattr(compiling, "BACKEND", "eager")
    monkeypatch.setattr(compiling, "_MOST", 2)

    class Double(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 2

    network = Double()

    def use() -> None:
        with compiling.compiled(network, wanted=True):
            for width in range(1, 6):
                network(torch.zeros(width, 3))

    with pytest.raises(TrainingError, match=r"cannot compile.*limit"):
        use()
    assert network._compiled_call_impl is None


@pytest.mark.bench
def test_the_real_compiler_gives_the_same_weights(tiny: Path, tmp_path: Path):
    """Within what other arithmetic makes of them; takes minutes."""
    model = Transformer(config=str(tiny), config_overrides=FEW, dropout=0.0)
    found = weights(train(model, tmp_path / "run", rows=16, compile=True))
    plain = weights(train(model, tmp_path / "plain", rows=16))

    assert all(torch.allclose(found[name], plain[name], atol=1e-4) for name in plain)
