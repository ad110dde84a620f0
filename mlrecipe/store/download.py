"""Downloads: an object from a bucket into a folder, every byte compared with the hash of what was written."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from mlrecipe.store import foreign, objects
from mlrecipe.store.bucket import Bucket, Piece
from mlrecipe.store.foreign import Listing, Refused
from mlrecipe.store.records import Record

PIECE = 8 << 20
"""Bytes that are asked for at once of a file."""

_AT_ONCE = 8
"""Pieces that are asked for together: with their size, this bounds what is kept in memory."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """An object in a bucket, its files there and of the right sizes."""

    bucket: Bucket
    place: str
    format: str
    manifest: bytes
    files: Listing

    def fill(self, folder: Path, *, formats: Collection[str], told: Callable[[int], None]) -> None:
        """Download it into an empty folder; `told` is called with the bytes of each step.

        Raises:
            Refused: it is not what was written.
            StoreError: the bucket cannot be read.
            OSError: the folder cannot be written.
        """
        data = folder / objects.DATA
        data.mkdir()
        for name in self.files:
            (data / name).parent.mkdir(parents=True, exist_ok=True)
            (data / name).touch(exist_ok=False)
        hashes = {name: hashlib.sha256() for name in self.files}
        for name, found in self._read():
            hashes[name].update(found)
            with open(data / name, "ab") as file:
                file.write(found)
            told(len(found))
        for name, (_, expected) in self.files.items():
            if hashes[name].hexdigest() != expected:
                raise Refused(f"{name} has other bytes than were written")
        foreign.check_parts(data, self.files, self.format, formats)
        objects.accept(folder, self.manifest)

    def _read(self) -> Iterator[tuple[str, bytes]]:
        """Name and the next bytes of each file, one file after the other."""
        pieces = _pieces(self.files)
        prefix = f"{self.place}/{objects.DATA}/"
        while batch := list(islice(pieces, _AT_ONCE)):
            ranges = self.bucket.ranges([(prefix + name, a, z) for name, a, z in batch])
            for (name, start, end), found in zip(batch, ranges, strict=True):
                if found is None or len(found) != end - start:
                    raise Refused(f"{name} changed while it was read")
                yield name, found


def look(bucket: Bucket, place: str, record: Record) -> Parcel:
    """The object of a record in a folder of a bucket, before anything of it is downloaded.

    Raises:
        Refused: something of it is missing, has another size, or is not what the record's digest names.
        StoreError: the bucket cannot be read.
    """
    manifest = bucket.read(f"{place}/{objects.MANIFEST}", foreign.MANIFEST_LIMIT + 1)
    if manifest is None:
        raise Refused(f"{objects.MANIFEST} is missing")
    files = foreign.listing(manifest, record)
    sizes = bucket.sizes(place)
    for name, (size, _) in files.items():
        found = sizes.get(f"{objects.DATA}/{name}")
        if found is None:
            raise Refused(f"{name} is missing")
        if found != size:
            raise Refused(f"{name} has not its {size:,} bytes")
    return Parcel(bucket, place, record.format, manifest, files)


def _pieces(files: Listing) -> Iterator[Piece]:
    for name, (size, _) in files.items():
        for start in range(0, size, PIECE):
            yield name, start, min(start + PIECE, size)
