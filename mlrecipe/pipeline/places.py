"""Places: where a project keeps what it computes."""

from __future__ import annotations

import os
from pathlib import Path

from mlrecipe.errors import RequestError

_VARIABLE = "MLRECIPE_STORE"


def store_root(project: Path) -> Path:
    """Where a project's results are kept.

    Raises:
        RequestError: the environment names a place where no folder can be.
    """
    told = os.environ.get(_VARIABLE, "").strip()
    if not told:
        return (project / ".mlrecipe" / "store").absolute()
    root = Path(os.path.expanduser(told)).absolute()  # no shell does it in a file of settings
    above = next(path for path in (root, *root.parents) if path.exists())
    if not above.is_dir():
        raise RequestError(f"{_VARIABLE} is {told!r}: {str(above)!r} is no folder")
    return root
