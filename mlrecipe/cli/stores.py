"""Which store a `mlrecipe cache` command works on, and whether there is one."""

from __future__ import annotations

from mlrecipe.cli import render
from mlrecipe.cli.session import Session
from mlrecipe.recipe.project import shown


def looked_at(session: Session) -> Session:
    """The session; says so where it has no store yet.

    Raises:
        RequestError: there is something else in the store's place.
    """
    root = session.store.root
    if not root.is_dir() or not any(root.iterdir()):
        render.say(f"no store at {shown(root, here=session.here)} yet")
    return session


def check(session: Session) -> None:
    """Refuse a place that is no store, rather than find it empty.

    Raises:
        RequestError: there is something else in the store's place.
    """
    _ = session.store  # whose place is looked at when it is asked for
