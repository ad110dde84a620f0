"""Significance: intervals of metrics, and whether two sets of predictions differ."""
