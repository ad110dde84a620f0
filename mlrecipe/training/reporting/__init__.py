"""Reporting: what predictions come to, class by class, computed from their file without a model."""
