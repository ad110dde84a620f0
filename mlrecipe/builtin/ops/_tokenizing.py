"""What `tokenize` and `tokenize-words` share: their tokenizer, its threads, and checks of their columns."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlrecipe.errors import DataError, did_you_mean
from mlrecipe.events import Note, emit

if TYPE_CHECKING:
    from datasets import Dataset


def load_tokenizer(source: str, revision: str | None) -> Any:
    """What `AutoTokenizer` makes of `source`; code that comes with it is never run.

    Its class may build another pipeline than `tokenizer.json` describes, so that file alone
    would not tell what the model was trained with.

    Raises:
        DataError: there is no tokenizer.
    """
    if Path(source).is_absolute() and not Path(source).exists():
        raise DataError(f"no folder {source!r}", key="tokenizer")
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(source, revision=revision, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        reason = str(error).strip().splitlines()
        raise DataError(
            f"cannot load a tokenizer from {source!r}: {reason[0] if reason else error!r}",
            key="tokenizer",
            hint="give a folder with tokenizer.json or the vocabulary's files, or a hub id",
        ) from error


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Let the Rust library use this many threads; it reads the count once in a process."""
    if count is None:
        yield
        return
    wanted = {"RAYON_NUM_THREADS": str(count), "TOKENIZERS_PARALLELISM": str(count > 1).lower()}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def warn_of_length(tokenizer: Any, max_length: int) -> None:
    """Say it where rows may have more tokens than the model takes."""
    if max_length > tokenizer.model_max_length:
        emit(
            Note(
                f"max_length {max_length} is more than the {tokenizer.model_max_length} "
                "tokens that the model takes",
                level="warning",
            )
        )


def check_kept(name: str, split: Dataset, keep: list[str] | None, new: Sequence[str]) -> None:
    """Raise a DataError if a column to keep is missing, or has the name of a new one."""
    for column in split.column_names if keep is None else keep:
        require(name, split, "keep", column)
        if column in new:
            raise DataError(
                f"{place(name)} has a column {column!r} already",
                key="keep",
                hint="name the columns to keep, without it",
            )


def require(name: str, split: Dataset, key: str, column: str) -> None:
    """Raise a DataError that says what there is, if the split has no such column."""
    if column in split.column_names:
        return
    there = ", ".join(repr(each) for each in split.column_names)
    raise DataError(
        f"{place(name)} has no column {column!r}; it has {there}",
        key=key,
        hint=did_you_mean(column, split.column_names),
    )


def place(name: str) -> str:
    """The split in words: a data set without splits is the one split `""`."""
    return f"split {name!r}" if name else "the data set"
