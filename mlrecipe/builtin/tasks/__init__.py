"""Tasks: how rows become batches, and batches losses and predictions."""
