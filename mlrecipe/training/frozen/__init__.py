"""Frozen layers, computed once."""
