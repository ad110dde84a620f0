"""What the tests of models ask of a network."""

from __future__ import annotations

import torch
from torch import nn

from mlrecipe.interfaces import Head

HEAD = Head(problem_type="single_label_classification", labels=("negative", "positive"))
IDS = torch.tensor([[2, 5, 9, 3], [2, 8, 8, 3]])


def logits(network: nn.Module) -> torch.Tensor:
    """Outputs for two texts, dropout off."""
    with torch.no_grad():
        return network.eval()(input_ids=IDS, attention_mask=torch.ones_like(IDS)).logits


def learning(network: nn.Module) -> set[str]:
    """Names of the parameters that learn."""
    return {name for name, parameter in network.named_parameters() if parameter.requires_grad}


def learn(network: nn.Module, *, steps: int = 3) -> None:
    """A few steps, with which everything that learns moves."""
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.3)
    network.train()
    for _ in range(steps):
        optimizer.zero_grad()
        given = network(input_ids=IDS, attention_mask=torch.ones_like(IDS)).logits
        torch.nn.functional.cross_entropy(given, torch.tensor([0, 1])).backward()
        optimizer.step()
