"""Stand-ins for what transforms of a runway project import from runway_for_ml."""

from __future__ import annotations

import importlib
import importlib.util
import logging
from collections.abc import Callable, Mapping
from typing import Any

from mlrecipe.errors import OpError


class Config(dict[str, Any]):
    """A dict whose keys can be read and set as attributes, in tables inside it too."""

    def __init__(self, *tables: Any, **values: Any) -> None:
        super().__init__()
        self.update(*tables, **values)

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, attributes(value))

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        del self[name]

    def update(self, *tables: Any, **values: Any) -> None:
        """Set keys, tables among the values becoming `Config`."""
        for key, value in dict(*tables, **values).items():
            self[key] = value

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value of a key, set to `default` first where there is none."""
        if key not in self:
            self[key] = default
        return self[key]

    def copy(self) -> Config:
        """Another one with the same values."""
        return Config(self)


def attributes(value: Any) -> Any:
    """The value with `Config` for every plain dict in it."""
    if type(value) is dict:
        return Config(value)
    return [attributes(item) for item in value] if type(value) is list else value


class BaseTransform:
    """What a transform is to runway: set up once, then called with the data."""

    def __init__(
        self,
        *_: Any,
        name: str | None = None,
        use_dummy_data: bool = False,
        global_config: Any = None,
        transform_id: str | None = None,
        transform_hash: str | None = None,
        cache_dir: str | None = None,
        **__: Any,
    ) -> None:
        self.name = name or type(self).__name__
        self.use_dummy_data = use_dummy_data
        self.global_config = global_config
        self.transform_id = transform_id
        self.transform_hash = transform_hash
        self.cache_dir = cache_dir

    def __call__(self, data: Any, *_: Any, **__: Any) -> Any:
        """The transformed data."""
        prepared = self._preprocess(data)
        self._check_input(prepared)
        result = self._call(prepared)
        self._check_output(result)
        return result

    def setup(self, *_: Any, **__: Any) -> None:
        """Take the settings; every transform has its own."""
        raise NotImplementedError(f"{self.name} has no setup()")

    def _preprocess(self, data: Any) -> Any:
        return data

    def _check_input(self, data: Any) -> bool:
        return True

    def _check_output(self, data: Any) -> bool:
        return True

    def _call(self, data: Any, *_: Any, **__: Any) -> Any:
        raise NotImplementedError(f"{self.name} has no _call()")


class HFDatasetTransform(BaseTransform):
    """A transform of data sets."""

    def setup(
        self,
        rename_col_dict: Any = None,
        splits_to_process: Any = ("train", "test", "validation"),
        _num_proc: int = 1,
        *_: Any,
        **__: Any,
    ) -> None:
        """Keep the settings as attributes."""
        self.rename_col_dict = rename_col_dict
        self.splits_to_process = list(splits_to_process)
        self._num_proc = _num_proc

    def image_magic(self, *_: Any, **__: Any) -> Any:
        """Not there: it keeps pictures as files in a cache folder, which an op of mlrecipe does not have."""
        raise OpError(
            "`image_magic` of runway has no stand-in",
            hint="decorate the function with mlrecipe.image_paths, which does the same",
        )


Registry = Config
REGISTRIES = {
    name: Registry()
    for name in (
        "DataTransform_Registry", "FeatureLoader_Registry", "Model_Registry", "Executor_Registry",
    )
}  # fmt: skip


def register_to(registry: Registry, name: str | None = None) -> Callable[[Any], Any]:
    """A decorator that enters an object into a registry."""

    def register(found: Any) -> Any:
        register_func_to_registry(found, registry, name)
        return found

    return register


def register_func_to_registry(found: Any, registry: Registry, name: str | None = None) -> None:
    """Enter an object into a registry; a file may be imported again, so the last one counts."""
    registry[name or found.__name__] = found


def get_tokenizer(tokenizer_config: Mapping[str, Any]) -> Any:
    """The tokenizer that a `tokenizer_config` names."""
    kind = getattr(importlib.import_module("transformers"), tokenizer_config["class_name"])
    options = tokenizer_config.get("from_pretrained_kwargs", {})
    tokenizer = kind.from_pretrained(tokenizer_config["version_name"], **options)
    if tokenizer_config["class_name"].startswith("GPT2"):
        tokenizer.pad_token = "[PAD]"  # noqa: S105
    tokenizer.add_tokens(list(tokenizer_config.get("additional_tokens", [])))
    return tokenizer


def get_tokenizer_auto(tokenizer_config: Mapping[str, Any]) -> Any:
    """The tokenizer of that name, of whatever class it is."""
    found: Any = importlib.import_module("transformers").AutoTokenizer
    return found.from_pretrained(tokenizer_config["version_name"])


def keep_ds_columns(ds: Any, keep_cols: Any) -> Any:
    """The data set with only those of its columns."""
    return ds.select_columns([name for name in ds.column_names if name in keep_cols])


NAMES: dict[str, Any] = {
    "BaseTransform": BaseTransform,
    "HFDatasetTransform": HFDatasetTransform,
    "register_transform_functor": register_to(REGISTRIES["DataTransform_Registry"]),
    "register_transform": register_to(REGISTRIES["DataTransform_Registry"]),
    "register_executor": register_to(REGISTRIES["Executor_Registry"]),
    "register_model": register_to(REGISTRIES["Model_Registry"]),
    "register_to": register_to,
    "register_func_to_registry": register_func_to_registry,
    "get_tokenizer": get_tokenizer,
    "get_tokenizer_auto": get_tokenizer_auto,
    "keep_ds_columns": keep_ds_columns,
    "EasyDict": Config,
    "logger": logging.getLogger("runway_for_ml"),
    **REGISTRIES,
}
"""What can be imported from every stand-in module."""

_LIBRARIES = {
    "AutoTokenizer": "transformers:AutoTokenizer",
    "Dataset": "datasets:Dataset",
    "DatasetDict": "datasets:DatasetDict",
    "Dict": "typing:Dict",
    "Image": "PIL:Image",
    "Iterable": "collections.abc:Iterable",
    "List": "typing:List",
    "Mapping": "collections.abc:Mapping",
    "Path": "pathlib:Path",
    "copy": "copy",
    "defaultdict": "collections:defaultdict",
    "functools": "functools",
    "load_dataset": "datasets:load_dataset",
    "logging": "logging",
    "os": "os",
    "pd": "pandas",
    "pprint": "pprint:pprint",
    "random": "random",
    "string": "string",
    "tqdm": "tqdm:tqdm",
    "transformers": "transformers",
}
"""What a star import of runway's modules brings along, as far as it is installed here."""


def star() -> list[str]:
    """What `from runway_for_ml.data_module.data_transforms import *` gives."""
    tops = {name: where.partition(":")[0].partition(".")[0] for name, where in _LIBRARIES.items()}
    return [*NAMES, *(n for n, top in tops.items() if importlib.util.find_spec(top) is not None)]


def lookup(module: str, name: str) -> Any:
    """What a stand-in module has under a name.

    Raises:
        OpError: there is no stand-in.
    """
    if name in NAMES:
        return NAMES[name]
    if name in _LIBRARIES:
        where, _, attribute = _LIBRARIES[name].partition(":")
        found = importlib.import_module(where)
        return getattr(found, attribute) if attribute else found
    if name.startswith("__"):
        raise AttributeError(name)
    raise OpError(
        f"{module}.{name} has no stand-in in mlrecipe",
        hint="install runway_for_ml beside mlrecipe, or write the op anew",
    )
