"""The op `load-dataset`: a data set of the Hugging Face hub, or a folder laid out like one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlrecipe
from mlrecipe.builtin.ops import _reading, _types
from mlrecipe.builtin.ops._delimited import Layout
from mlrecipe.builtin.ops._files import Source
from mlrecipe.builtin.ops._reading import Wanted, unknown_column
from mlrecipe.errors import DataError, did_you_mean
from mlrecipe.interfaces import DatasetSource

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

_OWN = {"name", "version", "data_dir", "data_files", "description", "sep", "delimiter", "features"}


@mlrecipe.op("load-dataset")
def load_dataset(
    *,
    path: DatasetSource,
    name: str | None = None,
    split: str | None = None,
    revision: str | None = None,
    columns: list[str] | None = None,
    limit: int | None = None,
    scratch: Path,
) -> DatasetDict:
    """Load a data set of the Hugging Face hub, or a local folder laid out like one.

    A local folder holds data files (CSV, TSV, JSON, JSON Lines, Parquet, Arrow;
    `data/train-*.parquet` and the like), perhaps a README with configurations; or what
    `save_to_disk` wrote. Splits keep their names: the hub's `validation` stays `validation`. Equal
    rows give the same data as with `load-files`. Code that comes with a data set is never run.

    Args:
        path: id on the hub, such as `stanfordnlp/imdb`, or a folder.
        name: configuration, for data sets that have several.
        split: the only split to load; by default all.
        revision: branch, tag or commit on the hub.
        columns: columns to keep, in this order.
        limit: at most this many rows of each split.
        scratch: folder for what `datasets` prepares from a local folder.
    """
    folder = Path(path)
    if folder.is_dir() and any((folder / n).is_file() for n in ("dataset_dict.json", "state.json")):
        found = _saved(folder)
    else:
        builder = _builder(path, name, revision, scratch)
        wanted = Wanted(columns=columns, limit=limit)
        plain = _plain_files(builder, is_local=folder.is_dir())
        if plain:
            return _reading.read(_only(plain, split), _layout(builder), _declared(builder, wanted))
        found = _prepared(builder, path)
    return _canonical(_only(found, split), columns, limit)


def _saved(folder: Path) -> Mapping[str, Dataset]:
    """What `save_to_disk` wrote; a single data set is the split `train`."""
    from datasets import DatasetDict, load_from_disk

    try:
        data = load_from_disk(str(folder))
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {str(folder)!r}: {error}", key="path") from error
    return data if isinstance(data, DatasetDict) else {str(data.split or "train"): data}


def _builder(path: str, name: str | None, revision: str | None, scratch: Path) -> Any:
    """What `datasets` knows of the data set before it reads its files."""
    import datasets

    is_local = Path(path).is_dir()
    # Nothing that an earlier run prepared from a folder may be taken for what the folder holds now.
    cache = str(scratch / "datasets") if is_local else None
    with _reported(path):
        builder = datasets.load_dataset_builder(
            path, name, revision=None if is_local else revision, cache_dir=cache
        )
    if not is_local:
        _check_commit(builder, path, revision)
    return builder


def _check_commit(builder: Any, path: str, revision: str | None) -> None:
    """Raise if it is another commit: without the hub, `datasets` takes the last one it prepared."""
    if revision is None or re.fullmatch("[0-9a-f]{40}", revision) is None:
        return
    if builder.hash != revision:
        raise DataError(
            f"the hub cannot be reached, and the cache has {path!r} at another commit than "
            f"{revision[:10]}",
            key="path",
            hint="connect to the network once (without --offline)",
        )


def _plain_files(builder: Any, *, is_local: bool) -> dict[str, list[Source]]:
    """The files of each split that are read here rather than by `datasets`, or nothing.

    pandas and Arrow guess more than we want when they read CSV and JSON: dates, missing values,
    truth values. Parquet of the hub is left to `datasets`, which keeps what it downloads.
    """
    module = type(builder).__module__.rpartition(".")[2]
    if module not in (("csv", "json", "parquet", "arrow") if is_local else ("csv", "json")):
        return {}
    if not _is_default(builder.config):
        return {}
    files = {str(split): list(named) for split, named in builder.config.data_files.items()}
    if any(path.endswith(".zip") for named in files.values() for path in named):
        return {}
    if not is_local:
        files = _downloaded(builder, files)
    return {
        split: [Source(path=Path(path), key="path", format=module) for path in paths]
        for split, paths in files.items()
    }


def _is_default(config: Any) -> bool:
    """Whether a configuration says nothing of how its files are to be read but the delimiter."""
    return all(
        field.default is MISSING or getattr(config, field.name) == field.default
        for field in fields(config)
        if field.name not in _OWN
    )


def _downloaded(builder: Any, files: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    from datasets import DownloadManager

    with _reported(str(builder.repo_id or builder.dataset_name)):
        manager = DownloadManager(dataset_name=builder.dataset_name, base_path=builder.base_path)
        return {
            split: [str(path) for path in manager.download_and_extract(list(named))]
            for split, named in files.items()
        }


def _layout(builder: Any) -> Layout:
    return Layout(delimiter=getattr(builder.config, "sep", None))


def _declared(builder: Any, wanted: Wanted) -> Wanted:
    """With the types and classes that the data set's README declares."""
    from datasets import ClassLabel, Value

    features = builder.info.features or {}
    types, classes = {}, {}
    for column, feature in features.items():
        if wanted.columns is not None and column not in wanted.columns:
            continue
        if isinstance(feature, ClassLabel) and feature.names:
            classes[column] = list(feature.names)
        elif isinstance(feature, Value):
            kind = str(_types.canonical(feature.pa_type))
            types.update({column: kind} if kind in ("string", "int64", "double", "bool") else {})
    types = {column: kind.replace("double", "float64") for column, kind in types.items()}
    return Wanted(columns=wanted.columns, limit=wanted.limit, types=types, classes=classes)


def _prepared(builder: Any, path: str) -> Mapping[str, Dataset]:
    """What `datasets` makes of the files; from its cache where it has done so before."""
    with _reported(path):
        builder.download_and_prepare()
        found: Mapping[str, Dataset] = builder.as_dataset()
    return found


def _only(splits: Mapping[str, Any], split: str | None) -> dict[str, Any]:
    if split is None:
        return dict(splits)
    if split not in splits:
        raise DataError(
            f"there is no split {split!r}", key="split", hint=did_you_mean(split, splits)
        )
    return {split: splits[split]}


def _canonical(
    splits: Mapping[str, Dataset], columns: Sequence[str] | None, limit: int | None
) -> DatasetDict:
    from datasets import DatasetDict

    known = dict.fromkeys(name for split in splits.values() for name in split.column_names)
    for column in columns or ():
        if column not in known:
            raise unknown_column(column, known, key="columns")
    return DatasetDict(
        {
            name: _canonical_split(split, columns or split.column_names, limit)
            for name, split in splits.items()
        }
    )


def _canonical_split(split: Dataset, columns: Sequence[str], limit: int | None) -> Dataset:
    """The rows with the types that `load-files` gives; classes and everything nested stay."""
    from datasets import Dataset, DatasetInfo, Features, Value
    from datasets.table import InMemoryTable

    names = [name for name in columns if name in split.column_names]
    rows = len(split) if limit is None else min(limit, len(split))
    table = split.with_format("arrow")[:rows].select(names)
    features = Features({name: split.features[name] for name in names})
    for position, (name, feature) in enumerate(features.items()):
        if isinstance(feature, Value):
            kind = _types.agreed([_types.canonical(feature.pa_type)])
            features[name] = Value(str(kind).replace("double", "float64"))
            column = table.column(name).cast(features[name].pa_type)
            table = table.set_column(position, name, column)
    info = DatasetInfo(features=features)
    table = InMemoryTable(table.replace_schema_metadata(None))
    return Dataset(table, info=info, fingerprint=_reading.fingerprint())


@contextmanager
def _reported(path: str) -> Iterator[None]:
    """Turn what `datasets` raises into errors about the recipe; keep its progress bars quiet."""
    from datasets.exceptions import DatasetNotFoundError, DatasetsError

    try:
        with _quiet():
            yield
    except ConnectionError as error:
        raise _unreachable(path, error) from error
    except DatasetNotFoundError as error:
        raise DataError(str(error).partition("\n")[0].rstrip("."), key="path") from error
    except ValueError as error:
        raise DataError(_one_line(error), key=_faulty(error)) from error
    except (DatasetsError, OSError, RuntimeError) as error:
        reason = error.__cause__ or error
        message = f"the data set {path!r} cannot be loaded: {_one_line(reason)}"
        raise DataError(message, key="path") from error


@contextmanager
def _quiet() -> Iterator[None]:
    from datasets.utils import are_progress_bars_disabled, disable_progress_bars
    from datasets.utils import enable_progress_bars as enable

    was_disabled = are_progress_bars_disabled()
    disable_progress_bars()
    try:
        yield
    finally:
        if not was_disabled:
            enable()


def _unreachable(path: str, error: Exception) -> DataError:
    from datasets.config import HF_HUB_OFFLINE

    remedy = "connect to the network"
    if HF_HUB_OFFLINE:  # said, or because the hub did not answer when it was asked for the commit
        remedy += " and drop --offline (or HF_HUB_OFFLINE)"
    return DataError(
        f"{path!r} is no folder here, and the Hugging Face hub cannot be reached",
        key="path",
        hint=f"{remedy}, or name a local folder with the data set",
    )


def _faulty(error: ValueError) -> str:
    """The parameter that a ValueError of `datasets` is about."""
    return "name" if "onfig name" in str(error) or "BuilderConfig" in str(error) else "path"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
