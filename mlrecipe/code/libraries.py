"""Versions of installed distributions, read from folder names: no metadata is parsed, nothing imported."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Literal

Strictness = Literal["exact", "minor", "off"]


def version(module: str) -> str:
    """Major and minor version of the distribution that a top-level module comes from; `""` when unknown.

    The distribution is the one named like the module (`tokenizers`), which holds for what mlrecipe itself
    uses; for others (`PIL` of pillow) the slower metadata is asked.
    """
    return ".".join(full_version(module).split(".")[:2])


def versions(modules: Iterable[str], strictness: Strictness) -> dict[str, str]:
    """What of each module's version counts: all of it, major and minor, or nothing."""
    if strictness == "off":
        return {}
    read = full_version if strictness == "exact" else version
    return {name: read(name) for name in modules}


def full_version(module: str) -> str:
    """The whole version of the distribution that a top-level module comes from; `""` when unknown."""
    return _installed().get(_normal(module)) or _from_metadata(module)


def every_version() -> dict[str, str]:
    """The whole version of each distribution that is installed, by its name in lower case with dashes."""
    return dict(sorted(_installed().items()))


@lru_cache(maxsize=1)
def _installed() -> dict[str, str]:
    versions: dict[str, str] = {}
    for folder in reversed(sys.path):
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        for name in names:
            match = re.fullmatch(r"(.+?)-([^-]+)\.(?:dist|egg)-info", name)
            if match:
                versions[_normal(match[1])] = match[2]
    return versions


@cache
def _from_metadata(module: str) -> str:
    import importlib.metadata

    names = importlib.metadata.packages_distributions().get(module, [])
    return importlib.metadata.version(names[0]) if names else ""


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
