"""Plain values as canonical JSON text: what a record holds and the `json` format writes."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, timezone
from typing import Any

from mlrecipe.errors import DataError, StoreError

RETURNABLE = (
    "a node may return None, bool, int, float, str, bytes, list, tuple, dict, set, frozenset, "
    "date, datetime, or a type that has a format (mlrecipe list formats)"
)

DECIMAL_BITS = 10_000
"""Python refuses to write or read longer decimal numbers (sys.set_int_max_str_digits)."""


def encode(value: Any, path: str = "value") -> str:
    """The value as canonical JSON text: equal values of equal types give equal text.

    The order of a dict is part of its value; the order of a set is not. What JSON lacks is an
    object with one key that starts with `$`: `{"$tuple":[1,2]}`. Errors call the value `path`.

    Raises:
        DataError: some part of the value has another type; the message says where it is.
    """
    try:
        return _dump(_tag(value, path))
    except RecursionError:
        raise DataError("the value is nested too deeply, or holds itself") from None


def decode(text: str) -> Any:
    """The value that `encode` turned into `text`, of the same types.

    Raises:
        StoreError: the text was not written by `encode`.
    """
    try:
        return _untag(json.loads(text))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise StoreError(f"cannot read a stored value: {error}") from error


def _dump(tagged: Any) -> str:
    return json.dumps(tagged, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _tag(value: Any, path: str) -> Any:
    # Exact types only: a subclass (an enum, a NumPy float) would not come back as itself.
    tag = _TAGGERS.get(type(value))
    if tag is None:
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        raise DataError(f"{path} has type {kind!r}, which cannot be stored", hint=RETURNABLE)
    return tag(value, path)


def _tag_plain(value: Any, path: str) -> Any:
    return value


def _tag_int(value: int, path: str) -> Any:
    return value if value.bit_length() < DECIMAL_BITS else {"$int": hex(value)}


def _tag_float(value: float, path: str) -> Any:
    return value if math.isfinite(value) else {"$float": repr(value)}


def _tag_str(value: str, path: str) -> str:
    if not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise DataError(f"{path} is not valid text: {value[:40]!r}") from None
    return value


def _tag_list(value: list[Any], path: str) -> Any:
    return [_tag(item, f"{path}[{index}]") for index, item in enumerate(value)]


def _tag_tuple(value: tuple[Any, ...], path: str) -> Any:
    return {"$tuple": [_tag(item, f"{path}[{index}]") for index, item in enumerate(value)]}


def _tag_set(value: set[Any] | frozenset[Any], path: str) -> Any:
    items = [_tag(item, f"an item of {path}") for item in value]
    return {f"${type(value).__name__}": sorted(items, key=_dump)}


def _tag_dict(value: dict[Any, Any], path: str) -> Any:
    items = [
        (_tag(key, f"{path} key {name}"), _tag(item, f"{path}[{name}]"))
        for key, item in value.items()
        for name in [_name(key)]
    ]
    if all(type(key) is str and not key.startswith("$") for key in value):
        return dict(items)
    return {"$dict": [list(pair) for pair in items]}


def _name(key: Any) -> str:
    try:
        return repr(key)
    except ValueError:  # a number in it is too long for decimal digits
        return "…"


def _tag_bytes(value: bytes, path: str) -> Any:
    return {"$bytes": base64.b64encode(value).decode("ascii")}


def _tag_datetime(value: datetime, path: str) -> Any:
    if value.tzinfo is not None and type(value.tzinfo) is not timezone:
        raise DataError(
            f"{path} has the time zone {value.tzinfo!r}, which cannot be stored",
            hint="use datetime.timezone, or .astimezone(timezone.utc)",
        )
    return {"$datetime": value.isoformat()}


def _tag_date(value: date, path: str) -> Any:
    return {"$date": value.isoformat()}


_TAGGERS: Mapping[type, Callable[[Any, str], Any]] = {
    type(None): _tag_plain,
    bool: _tag_plain,
    int: _tag_int,
    float: _tag_float,
    str: _tag_str,
    list: _tag_list,
    tuple: _tag_tuple,
    set: _tag_set,
    frozenset: _tag_set,
    dict: _tag_dict,
    bytes: _tag_bytes,
    datetime: _tag_datetime,
    date: _tag_date,
}

TYPES = frozenset(_TAGGERS)
"""What `encode` takes: these types, not their subclasses."""


def _untag(tagged: Any) -> Any:
    if isinstance(tagged, list):
        return [_untag(item) for item in tagged]
    if not isinstance(tagged, dict):
        return tagged
    if len(tagged) == 1:
        (name, content), *_ = tagged.items()
        if name.startswith("$"):
            return _READERS[name](content)
    return {name: _untag(content) for name, content in tagged.items()}


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "$int": lambda content: int(content, 16),
    "$float": float,
    "$tuple": lambda content: tuple(_untag(item) for item in content),
    "$set": lambda content: {_untag(item) for item in content},
    "$frozenset": lambda content: frozenset(_untag(item) for item in content),
    "$dict": lambda content: {_untag(key): _untag(item) for key, item in content},
    "$bytes": lambda content: base64.b64decode(content, validate=True),
    "$datetime": datetime.fromisoformat,
    "$date": date.fromisoformat,
}
