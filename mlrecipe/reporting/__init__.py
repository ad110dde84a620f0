"""Reporting: what predictions come to, counted from their files."""
