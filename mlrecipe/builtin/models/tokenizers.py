"""The tokenizer that is saved beside a model, so that the folder serves alone."""

from __future__ import annotations

import functools
from pathlib import Path

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from mlrecipe.builtin.models.quiet import quiet
from mlrecipe.errors import DataError

_FILES = (
    "tokenizer.json", "tokenizer_config.json", "vocab.txt", "vocab.json", "spiece.model",
    "sentencepiece.bpe.model", "tokenizer.model",
)  # fmt: skip


def is_in(folder: Path) -> bool:
    """Whether a folder holds tokenizer files."""
    return any((folder / name).is_file() for name in _FILES)


def require(source: str, revision: str | None, *, key: str) -> None:
    """Raise unless `source` gives a tokenizer: better before training than at its end."""
    folder = Path(source)
    if folder.is_dir() and not is_in(folder):
        raise DataError(
            f"{source!r} has no tokenizer",
            key=key,
            hint=f"one has one of {', '.join(_FILES)}; name another with `tokenizer`",
        )
    try:
        load(source, revision)
    except (OSError, ValueError, KeyError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(f"cannot read the tokenizer of {source!r}: {first}", key=key) from error


@functools.lru_cache(maxsize=4)
def load(source: str, revision: str | None) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder or a hub id, read once."""
    with quiet():
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            source, revision=revision, trust_remote_code=False
        )
    return tokenizer
