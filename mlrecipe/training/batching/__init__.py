"""Batches: which rows each holds, in which order, how much each weighs, and rows into tensors."""
