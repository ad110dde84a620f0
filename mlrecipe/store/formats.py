"""Which format a value is stored with."""

from __future__ import annotations

from typing import Any

from mlrecipe.errors import DataError
from mlrecipe.registry import registries

# What to return instead of a type that no format can keep.
_INSTEAD = {
    "builtins.function": "return what it gives; a recipe names functions by their op",
    "builtins.generator": "return list(…)",
    "collections.UserDict": "return dict(…)",
    "datasets.iterable_dataset.IterableDataset": "return Dataset.from_list(list(…))",
    "datasets.dataset_dict.IterableDatasetDict": "return a DatasetDict of its splits",
    "numpy.generic": "return value.item()",
    "polars.dataframe.frame.DataFrame": "return value.to_arrow()",
    "scipy.sparse._base._spbase": "return a dict of its arrays: data, indices, indptr",
    "torch.nn.modules.module.Module": "return module.state_dict(), or a model of transformers",
}


def choose(value: Any) -> str:
    """The name of the format for the value's type, or for the nearest of its bases that has one.

    Raises:
        DataError: there is none; the hint says what to return instead, or lists what there is.
    """
    names = {kind: entry.name for entry in registries["format"] for kind in entry.types}
    hint = ""
    for base in map(_qualified, type(value).__mro__):
        if base in names and not hint:
            return names[base]
        hint = hint or _INSTEAD.get(base, "")
    known = ", ".join(sorted({kind.rpartition(".")[2] for kind in names}))
    raise DataError(
        f"a node cannot return a value of type {_qualified(type(value))!r}",
        hint=hint or f"return one of: {known}; or register a format for it",
    )


def _qualified(kind: type) -> str:
    """Module and name, as a format's `types` has them; a project's own modules are named from its root."""
    from mlrecipe.code.catalog import PROJECT_PACKAGE  # not where the store is only read

    module = kind.__module__.removeprefix(f"{PROJECT_PACKAGE}.")
    return f"{module}.{kind.__qualname__}"
