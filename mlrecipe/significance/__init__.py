"""Significance: how far metrics can be trusted, and whether a difference is more than chance.

All of it is computed from tables of predictions, as `mlrecipe test` writes them: no model, no torch.
"""

from mlrecipe.significance.alike import Unlike, unlike
from mlrecipe.significance.comparison import Comparison, Drawing, adjusted, compare, compare_all
from mlrecipe.significance.intervals import Interval, is_known
from mlrecipe.significance.measures import is_error, measure, names
from mlrecipe.significance.resampled import interval_of_rows, intervals

__all__ = [
    "Comparison",
    "Drawing",
    "Interval",
    "Unlike",
    "adjusted",
    "compare",
    "compare_all",
    "interval_of_rows",
    "intervals",
    "is_error",
    "is_known",
    "measure",
    "names",
    "unlike",
]
