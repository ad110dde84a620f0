"""What goes wrong in sqlite, as faults of the index."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeVar

from mlrecipe.store.index import CorruptIndex, IndexFault

T = TypeVar("T")

# Of the errors that sqlite calls operational: a table or column is missing, a text is none.
_LASTING = ("no such", "Could not decode")


def guarded(work: Callable[[], T]) -> T:
    """What `work` gives, with every trouble of sqlite and of the disk as an `IndexFault`."""
    try:
        return work()
    except (sqlite3.OperationalError, OSError) as error:
        lasting = str(error).startswith(_LASTING)
        raise (CorruptIndex if lasting else IndexFault)(str(error)) from error
    except (sqlite3.Error, TypeError, ValueError, AttributeError, KeyError) as error:
        raise CorruptIndex(str(error)) from error
