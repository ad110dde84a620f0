"""Places: where a project keeps what it computes."""

from __future__ import annotations

import os
from pathlib import Path


def store_root(project: Path) -> Path:
    """Where a project's results are kept."""
    return Path(os.environ.get("MLRECIPE_STORE") or project / ".mlrecipe" / "store").absolute()
