"""Versions of what is installed, without importing it."""

from __future__ import annotations

import importlib.metadata
import sys

from mlrecipe.code import libraries


def test_versions_are_those_of_the_metadata():
    """The quick way and the official one agree."""
    assert libraries.full_version("typer") == importlib.metadata.version("typer")
    assert libraries.full_version("tomli_w") == importlib.metadata.version("tomli-w")


def test_the_fingerprint_sees_major_and_minor_only():
    """A patch release reruns nothing."""
    assert libraries.version("typer") == ".".join(
        importlib.metadata.version("typer").split(".")[:2]
    )


def test_a_module_named_unlike_its_distribution_is_found():
    """The metadata is asked where the names differ."""
    assert libraries.full_version("_pytest") == importlib.metadata.version("pytest")


def test_what_is_not_installed_has_no_version():
    """No error: the name may be that of a file beside the op."""
    assert libraries.version("no_such_module_anywhere") == ""
    assert "no_such_module_anywhere" not in sys.modules
