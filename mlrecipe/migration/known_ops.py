"""Transforms of runway itself that mlrecipe has an op for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mlrecipe.code.kinds import Kind
from mlrecipe.migration.components import carry, fits
from mlrecipe.migration.draft import Draft
from mlrecipe.migration.ledger import DEAD, NONE, OURS, Ledger, Path
from mlrecipe.migration.pipeline import Pipeline

_COUNT = Kind("union", (Kind("int"), Kind("float")))
_TEXT = Kind("union", (Kind("str"), Kind("none")))


def _load_dataset(pipeline: Pipeline, path: Path, to: str) -> None:
    ledger, draft, kwargs = pipeline.ledger, pipeline.draft, (*path, "setup_kwargs")
    draft.set(f"{to}.use", "load-dataset")
    name = _carry_place(ledger, draft, kwargs, f"{to}.path")
    ledger.drop(*kwargs, "fields", why=f"{DEAD}: load-dataset has `columns`")
    load = (*kwargs, "load_kwargs")
    for key in ("name", "revision"):
        carry(ledger, (*load, key), draft, f"{to}.{key}", Kind("str"))
    ledger.drop(*load, "split", why=f"{NONE}: all splits are loaded; the op `select` keeps some")
    ledger.drop(*load, "trust_remote_code", why=f"{NONE}: code that comes with data is never run")
    hint = "the op load-files reads files, whatever their format"
    for key in ("data_files", "data_dir"):
        ledger.drop(*load, key, why=f"{NONE}: {hint}")
    ledger.drop(*load, why=f"{NONE}: load-dataset has no such parameter")
    if ledger.has(*load, "data_files"):
        ledger.warn(f"{to}: {name!r} with data_files: {hint}")


def _carry_place(ledger: Ledger, draft: Draft, kwargs: Path, to: str) -> str:
    """Where a data set is: in a folder or of an owner on the hub, or either alone."""
    keys = [key for key in ("dataset_path", "dataset_name") if fits(ledger, (*kwargs, key), _TEXT)]
    place = "/".join(filter(None, (ledger.get(*kwargs, key) for key in keys)))
    if place:
        draft.set(to, place)
    for key in keys:
        ledger.take(*kwargs, key, to=to, value=place or None)
    return place


def _tokenize(pipeline: Pipeline, path: Path, to: str) -> None:
    ledger, draft, kwargs = pipeline.ledger, pipeline.draft, (*path, "setup_kwargs")
    config, options = (
        (*kwargs, "tokenizer_config"),
        (*kwargs, "tokenizer_config", "tokenize_kwargs"),
    )
    draft.set(f"{to}.use", "tokenize")
    pipeline.note_splits(ledger.get(*kwargs, "splits_to_process"))
    carry(ledger, (*config, "version_name"), draft, f"{to}.tokenizer", Kind("str"))
    pipeline.tokenizer = draft.get(f"{to}.tokenizer") or ""
    carry(
        ledger,
        (*config, "from_pretrained_kwargs", "revision"),
        draft,
        f"{to}.revision",
        Kind("str"),
    )
    _tokenized_field(ledger, draft, kwargs, to)
    carry(ledger, (*options, "max_length"), draft, f"{to}.max_length", Kind("int"))
    files = f"{OURS}: the tokenizer's own files say of what class it is"
    ledger.drop(*config, "class_name", why=files)
    ledger.drop(*kwargs, "_use_auto", why=files)
    ledger.drop(*options, "padding", why=f"{OURS}: batches are padded to their longest row")
    ledger.drop(*options, "truncation", why=f"{OURS}: what is longer than max_length is cut off")
    ledger.drop(*kwargs, "splits_to_process", why=f"{OURS}: every split is tokenized")
    ledger.drop(*kwargs, why=f"{NONE}: the op tokenize has no such parameter")


def _tokenized_field(ledger: Ledger, draft: Draft, kwargs: Path, to: str) -> None:
    """The first field; a second one would be tokenized by itself, which `tokenize` does not."""
    fields = ledger.get(*kwargs, "tokenize_fields_list")
    texts = fields if isinstance(fields, list) else []
    if len(texts) == 1 and isinstance(texts[0], str):
        draft.set(f"{to}.text", texts[0])
        ledger.take(*kwargs, "tokenize_fields_list", to=f"{to}.text", value=texts[0])
        renames = (*kwargs, "rename_col_dict")
        for column in ("input_ids", "token_type_ids"):
            if ledger.get(*renames, f"{texts[0]}_{column}") == column:
                why = f"{OURS}: the op tokenize calls it so anyway"
                ledger.drop(*renames, f"{texts[0]}_{column}", why=why)
        mask = f"{OURS}: the mask is made with the batch"
        ledger.drop(*renames, f"{texts[0]}_attention_mask", why=mask)
        ledger.drop(*renames, why=f"{NONE}: put a node of the op `rename` after this one")
        return
    why = f"{NONE}: tokenize reads one text, or a pair of texts as one; put one node for each text"
    if len(texts) < 2:
        why = f"{NONE}: it names no text"
    ledger.drop(*kwargs, "tokenize_fields_list", why=why)
    ledger.drop(*kwargs, "rename_col_dict", why=why)
    what = "no text to tokenize is named"
    if len(texts) > 1:
        what = f"{len(texts)} texts were tokenized one by one"
    ledger.warn(f"{to}: {what}; `text` is left to you")


def _split(pipeline: Pipeline, path: Path, to: str) -> None:
    ledger, draft, kwargs = pipeline.ledger, pipeline.draft, (*path, "setup_kwargs")
    draft.set(f"{to}.use", "split")
    draft.set(f"{to}.source", "train")
    draft.set(f"{to}.sizes", {})
    for key, split in (("valid_size", "validation"), ("test_size", "test")):
        if ledger.get(*kwargs, key) is None:
            ledger.leave(*kwargs, key, to=f"{to}.sizes.{split}")
        else:
            carry(ledger, (*kwargs, key), draft, f"{to}.sizes.{split}", _COUNT)
    options = (*kwargs, "train_test_split_kwargs")
    for key, new, kind in (
        ("seed", "seed", "int"), ("shuffle", "shuffle", "bool"), ("stratify_by_column", "stratify", "str"),
    ):  # fmt: skip
        carry(ledger, (*options, key), draft, f"{to}.{new}", Kind(kind))
    ledger.drop(*kwargs, why=f"{NONE}: the op split has no such parameter")
    draft.comment(to, "The rows chosen are others than those that runway chose.")
    if draft.get(f"{to}.sizes.validation") is not None:
        pipeline.valid_splits.add("validation")


def _breakpoint(pipeline: Pipeline, path: Path, to: str) -> None:
    pipeline.draft.set(f"{to}.use", "breakpoint")
    pipeline.ledger.drop(*path, "setup_kwargs", why=DEAD)
    pipeline.ledger.warn(f"{to} opens a prompt in every run: take it out if you do not want that")


KNOWN: Mapping[str, Callable[[Pipeline, Path, str], None]] = {
    "HFDatasetTokenizeTransform": _tokenize,
    "InsertBreakpoint": _breakpoint,
    "LoadHFDataset": _load_dataset,
    "SplitHFDatasetToTrainTestValidation": _split,
}
"""Transforms of runway itself that have an op."""
