"""How weights are updated: the optimizer, its groups of parameters with their rates, and its schedule."""

from mlrecipe.training.optimization.optimizer import Components, Optimization, check_closure

__all__ = ["Components", "Optimization", "check_closure"]
