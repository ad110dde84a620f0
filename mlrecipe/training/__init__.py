"""Training and testing a model with Lightning, given data that are loaded."""
