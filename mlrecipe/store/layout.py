"""Where everything is in a store's folder, and the files that mark it as one."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mlrecipe.errors import StoreError
from mlrecipe.store import files, records, scratch

_MARKERS = {
    ".gitignore": "*\n",
    "CACHEDIR.TAG": "Signature: 8a477f597d28d172789f06886806bc55\n# A store of mlrecipe.\n",
}
SCHEMA = "schema"
"""The file that says which version wrote the store."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one store."""

    root: Path

    @property
    def objects(self) -> Path:
        """Outputs, by digest."""
        return self.root / "v1" / "objects"

    @property
    def records(self) -> Path:
        """What each computation gave, by fingerprint: the truth."""
        return self.root / "v1" / "records"

    @property
    def tmp(self) -> Path:
        """Whatever is not whole yet."""
        return self.root / "v1" / "tmp"

    @property
    def locks(self) -> Path:
        """A file per computation that is going on."""
        return self.root / "v1" / "locks"

    @property
    def pins(self) -> Path:
        """A file per record that is kept until somebody unpins it."""
        return self.root / "v1" / "pins"

    @property
    def bare(self) -> Path:
        """A file per record that was pulled without its output, which nothing here needs."""
        return self.root / "v1" / "bare"

    @property
    def quarantine(self) -> Path:
        """What was found damaged, kept for a look."""
        return self.root / "v1" / "quarantine"

    @property
    def trash(self) -> Path:
        """What is being deleted."""
        return self.root / "v1" / "trash"

    @property
    def index(self) -> Path:
        """Can be deleted at any moment."""
        return self.root / "v1" / "index"

    def object(self, digest: str) -> Path:
        """Folder of an object."""
        return self.objects / _known(digest)[:2] / digest

    def record(self, fingerprint: str) -> Path:
        """File of a record."""
        # One path made once: a plan asks for thousands.
        return Path(f"{self.root}/v1/records/{_known(fingerprint)[:2]}/{fingerprint}.json")

    def check(self) -> None:
        """Read which version wrote the store; a store that is not there yet passes.

        Raises:
            StoreError: a newer mlrecipe wrote it.
        """
        path = self.root / SCHEMA
        try:
            records.check_schema(int(path.read_text(encoding="utf-8")))
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            reason = error.strerror or str(error)
            raise StoreError(f"cannot read the version in {str(path)!r}: {reason}") from error
        except ValueError as error:
            if not self._renew():
                raise StoreError(
                    f"{str(path)!r} does not say which version wrote the store",
                    hint=f"write {records.SCHEMA} into it if no newer mlrecipe has used the store",
                ) from error

    def _renew(self) -> bool:
        """Whether nothing but this version can have written the store; its marker is then written anew."""
        if set(os.listdir(self.root)) - {"v1", SCHEMA, *_MARKERS}:
            return False
        with suppress(OSError, StoreError):  # where it cannot be written, it can still be read
            files.make_folder(self.tmp)
            with scratch.folder(self.tmp) as draft:
                files.write(draft / SCHEMA, f"{records.SCHEMA}\n".encode())
                os.replace(draft / SCHEMA, self.root / SCHEMA)
            files.sync_folder(self.root)
        return True

    def make(self) -> None:
        """Make the folders and markers that are missing.

        Raises:
            StoreError: the folder has other things in it.
            OSError: it cannot be written.
        """
        if not (self.root / SCHEMA).exists():
            self._refuse_strangers()
        for folder in (self.tmp, self.locks):
            files.make_folder(folder)
        if not (self.root / SCHEMA).exists():
            self._mark()

    def strangers(self) -> list[str]:
        """Names in the folder that no store has; none where there is no folder, or a store.

        Raises:
            NotADirectoryError: it is a file, or lies below one.
            OSError: it cannot be read.
        """
        try:
            names = set(os.listdir(self.root))
        except FileNotFoundError:
            return []
        return [] if SCHEMA in names else sorted(names - {"v1", *_MARKERS})

    def _refuse_strangers(self) -> None:
        # Our .gitignore would hide whatever else is in the folder.
        if self.root.is_dir() and self.strangers():
            raise StoreError(
                f"{str(self.root)!r} is no store and has other files in it",
                hint="name a new or empty folder",
            )

    def _mark(self) -> None:
        with scratch.folder(self.tmp) as draft:
            for name, text in (_MARKERS | {SCHEMA: f"{records.SCHEMA}\n"}).items():
                files.write(draft / name, text.encode())
                files.link_new(draft / name, self.root / name)
        files.sync_folder(self.root)


def _known(name: str) -> str:
    """The name, if it is a SHA-256 and so cannot lead out of the store."""
    if not records.is_hash(name):
        raise StoreError(f"{name!r} is no SHA-256 in hex")
    return name
