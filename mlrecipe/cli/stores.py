"""Which store a `mlrecipe cache` command works on, and whether it is one."""

from __future__ import annotations

import os
from pathlib import Path

from mlrecipe.cli import render
from mlrecipe.cli.session import Session
from mlrecipe.errors import RequestError
from mlrecipe.recipe.project import shown
from mlrecipe.store.layout import Layout

_SCHEMA = "schema"


def looked_at(session: Session) -> Session:
    """The session, if its store can be one; says so where there is none yet.

    Raises:
        RequestError: a file or a folder of other things is in its place.
    """
    check(session)
    root = session.store.root
    if not root.is_dir() or not any(root.iterdir()):
        render.say(f"no store at {shown(root, here=session.here)} yet")
    return session


def check(session: Session) -> None:
    """Refuse a place that is no store, rather than find it empty.

    Raises:
        RequestError: a file or a folder of other things is in the store's place.
    """
    root = session.store.root
    key = "MLRECIPE_STORE" if os.environ.get("MLRECIPE_STORE") else None
    try:
        strangers = Layout(root).strangers()
    except NotADirectoryError:
        raise RequestError(
            f"{str(root)!r} is no store: {str(_file(root))!r} is a file", key=key,
            hint="name the folder of a store, or a new one",
        ) from None  # fmt: skip
    except OSError as error:
        reason = error.strerror or str(error)
        raise RequestError(f"cannot look at the store {str(root)!r}: {reason}", key=key) from error
    if strangers:
        near = _near(root)
        hint = f"did you mean {str(near)!r}?" if near else "name its folder, or a new or empty one"
        raise RequestError(
            f"{str(root)!r} is no store and has other files in it, such as {strangers[0]!r}",
            key=key, hint=hint,
        )  # fmt: skip


def _file(path: Path) -> Path:
    """The file that stands where a folder should be."""
    return next((p for p in (path, *path.parents) if p.exists() and not p.is_dir()), path)


def _near(root: Path) -> Path | None:
    """A store close by that may be the one that is meant."""
    places = [root / ".mlrecipe" / "store", root / "store", *list(root.parents)[:2]]
    return next((place for place in places if (place / _SCHEMA).is_file()), None)
