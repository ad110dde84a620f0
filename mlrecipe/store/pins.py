"""Pins: records that stay until somebody unpins them, an empty file each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlrecipe.interfaces import Fingerprint
from mlrecipe.store import files

if TYPE_CHECKING:
    from mlrecipe.store.store import Store


def pin(store: Store, fingerprint: Fingerprint) -> None:
    """Keep a record, and what it was made from, from any gc.

    Raises:
        StoreError: the store cannot be written.
    """
    with store.writing():
        files.make_folder(store.paths.pins)
        (store.paths.pins / fingerprint).touch()
        files.sync_folder(store.paths.pins)


def unpin(store: Store, fingerprint: Fingerprint) -> None:
    """Undo `pin`.

    Raises:
        StoreError: the store cannot be written.
    """
    with store.writing():
        (store.paths.pins / fingerprint).unlink(missing_ok=True)
