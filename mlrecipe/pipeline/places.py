"""Places: where a project keeps what it computes."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from mlrecipe.errors import RequestError
from mlrecipe.store.layout import SCHEMA, Layout

_VARIABLE = "MLRECIPE_STORE"


def store_root(project: Path) -> Path:
    """Where a project's results are kept: a store, an empty folder, or nothing yet.

    Raises:
        RequestError: something else is there, or it cannot be looked at.
    """
    told = os.environ.get(_VARIABLE, "").strip()
    if not told:
        return _checked((project / ".mlrecipe" / "store").absolute(), "")
    # No shell replaces a tilde in a file of settings.
    return _checked(Path(os.path.expanduser(told)).absolute(), f"{_VARIABLE} is {told!r}: ")


def _checked(root: Path, why: str) -> Path:
    try:
        layout = Layout(root)
        strangers = layout.strangers()
        with suppress(FileNotFoundError):
            os.stat(layout.index)  # whether there is a way into it
    except NotADirectoryError:
        raise RequestError(
            f"{why}{str(root)!r} is no store: {str(_file(layout.index))!r} is a file",
            hint="name the folder of a store, or a new one" if why else "move it away",
        ) from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise RequestError(f"{why}cannot look at the store {str(root)!r}: {reason}") from error
    if strangers:
        near = _near(root)
        hint = f"did you mean {str(near)!r}?" if near else "name its folder, or a new or empty one"
        raise RequestError(
            f"{why}{str(root)!r} is no store and has other files in it, such as {strangers[0]!r}",
            hint=hint,
        )
    return root


def _file(path: Path) -> Path:
    """The file that stands where a folder should be."""
    return next((p for p in (path, *path.parents) if p.exists() and not p.is_dir()), path)


def _near(root: Path) -> Path | None:
    """A store close by that may be the one that is meant."""
    places = [root / ".mlrecipe" / "store", root / "store", *list(root.parents)[:2]]
    return next((place for place in places if (place / SCHEMA).is_file()), None)
