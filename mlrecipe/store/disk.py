"""How the index keeps rows in diskcache: text in, text out, never a pickle and never a file.

diskcache unpickles whatever its table says is a pickle, and opens whatever file a row names
(CVE-2025-69872); `JSONDisk` does the same. The table is a file that others may have written.
"""

from __future__ import annotations

from typing import Any, NoReturn

import diskcache
from diskcache.core import MODE_RAW, UNKNOWN

from mlrecipe.store.index import RefusedError


class TextDisk(diskcache.Disk):  # type: ignore[misc]  # diskcache has no types
    """Keys are str, values are str or bytes, everything is in the table itself."""

    def put(self, key: Any) -> tuple[str, bool]:
        """The key as it stands.

        Raises:
            RefusedError: it is no str.
        """
        if type(key) is not str:
            _refuse("a key", key)
        return key, True

    def get(self, key: Any, raw: Any) -> str:
        """The key of a row.

        Raises:
            RefusedError: the row's key is a pickle, or no str.
        """
        if raw != 1 or type(key) is not str:
            _refuse("a key", key)
        return key

    def store(
        self, value: Any, read: bool, key: Any = UNKNOWN
    ) -> tuple[int, int, None, str | bytes]:
        """The columns of a row: size, mode, file name and value.

        Raises:
            RefusedError: the value is neither str nor bytes.
        """
        if read or type(value) not in (str, bytes):
            _refuse("a value", value)
        return 0, MODE_RAW, None, value

    def fetch(self, mode: Any, filename: Any, value: Any, read: bool) -> str | bytes:
        """The value of a row.

        Raises:
            RefusedError: the row is a pickle, names a file, or holds neither str nor bytes.
        """
        if mode != MODE_RAW or filename is not None or read or type(value) not in (str, bytes):
            _refuse(f"a row of mode {mode!r} and file {filename!r} with", value)
        kept: str | bytes = value
        return kept

    def filename(self, key: Any = UNKNOWN, value: Any = UNKNOWN) -> NoReturn:
        """No row has a file."""
        _refuse("a file for", key)

    def remove(self, file_path: Any) -> None:
        """Does nothing: no row has a file, so a name found in one is somebody else's."""


def _refuse(what: str, value: object) -> NoReturn:
    raise RefusedError(f"refused {what} {type(value).__name__} in the index")
