"""Adoption: publishing here what another store computed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mlrecipe.store import files, outputs, scratch
from mlrecipe.store.records import Record
from mlrecipe.store.store import Store


def adopt(store: Store, record: Record, fill: Callable[[Path], object] | None = None) -> Record:
    """Publish a record, and the whole object that `fill` writes into an empty folder, if it is not here.

    Without `fill` the output may stay elsewhere: the record is then marked as one that lacks it on purpose. An
    earlier record of the same computation stays: use what is returned.

    Raises:
        StoreError: the store cannot be written.
    """
    paths = store.paths
    with store.writing():
        paths.make()
        with scratch.folder(paths.tmp) as draft:
            if fill is not None:
                (draft / "object").mkdir()
                fill(draft / "object")
                outputs.place(record.digest, draft=draft, paths=paths)
            elif outputs.damage(record, paths):
                files.make_folder(paths.bare)
                (paths.bare / record.fingerprint).touch()
            written = store.commit(record, draft)
            outputs.restore(record, draft=draft, paths=paths)
            return written
