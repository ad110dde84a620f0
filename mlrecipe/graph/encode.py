"""The canonical encoding of parameter values: equal bytes if and only if equal type and value."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import struct
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time
from enum import Enum
from pathlib import PurePath
from types import MappingProxyType
from typing import Any, NoReturn

from mlrecipe.errors import RequestError

_LENGTH = struct.Struct(">Q").pack
_NAN = struct.pack(">d", float("nan"))
_NUMPY_KINDS = "biufcmMSUV"
_TYPES = "none, bool, int, float, str, bytes, date, time, list, tuple, dict, set"


def digest(value: object, *, path: str = "value") -> str:
    """SHA-256 of the value's encoding, in hex.

    Raises:
        RequestError: as `encode` does.
    """
    return hashlib.sha256(encode(value, path=path)).hexdigest()


def encode(value: object, *, path: str = "value") -> bytes:
    """The value as tagged, length-prefixed bytes; the order of dicts and sets does not count.

    `path` is what errors call the value: `params['a'][3]`.

    Raises:
        RequestError: something in the value has no canonical encoding; its `key` is the path.
    """
    try:
        return _encode(value)
    except _Refused as refused:
        raise RequestError(
            f"cannot fingerprint {refused.what}", key=refused.place(path), hint=refused.hint
        ) from None
    except RecursionError:
        raise RequestError(
            "nested too deeply to be fingerprinted, or contains itself", key=path
        ) from None


class _Refused(Exception):
    """A value that has no encoding; where it is is put together on the way out, for errors alone."""

    def __init__(self, what: str, hint: str) -> None:
        self.what = what
        self.hint = hint
        self._steps: list[tuple[str, str]] = []

    def inside(self, after: str, before: str = "") -> _Refused:
        """The same, in a value that errors call `before` + the path of what holds it + `after`."""
        self._steps.append((before, after))
        return self

    def place(self, path: str) -> str:
        """The path of the value below that of the whole."""
        for before, after in reversed(self._steps):
            path = f"{before}{path}{after}"
        return path


def _encode(value: Any) -> bytes:
    encoder = _ENCODERS.get(type(value)) or _special(type(value)) or _strange
    return encoder(value)


def _special(kind: type) -> Callable[[Any], bytes] | None:
    """The encoder of a type that is recognized by what it is rather than by its name."""
    if issubclass(kind, PurePath):
        return _path
    if issubclass(kind, Enum):
        return _enum
    if dataclasses.is_dataclass(kind):
        return _dataclass
    names = {f"{base.__module__}.{base.__qualname__}" for base in kind.__mro__}
    if f"{kind.__module__}.{kind.__qualname__}" in ("numpy.ndarray", "numpy.memmap"):
        return _array
    if "numpy.generic" in names:
        return _scalar
    return _tensor if "torch.Tensor" in names else None


def _tagged(tag: bytes, payload: bytes) -> bytes:
    return tag + _LENGTH(len(payload)) + payload


def _none(value: None) -> bytes:
    return _tagged(b"N", b"")


def _bool(value: bool) -> bytes:
    return _tagged(b"B", b"\1" if value else b"\0")


def _int(value: int) -> bytes:
    return _tagged(b"I", value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def _float(value: float) -> bytes:
    # Every NaN is one NaN; 0.0 and -0.0 differ, as they do when divided by.
    return _tagged(b"F", _NAN if math.isnan(value) else struct.pack(">d", value))


def _str(value: str) -> bytes:
    return _tagged(b"S", value.encode("utf-8", "surrogatepass"))


def _bytes(value: bytes) -> bytes:
    return _tagged(b"Y", value)


def _when(tag: bytes) -> Callable[[Any], bytes]:
    def encoder(value: datetime | date | time) -> bytes:
        return _tagged(tag, value.isoformat().encode())

    return encoder


def _list(value: list[Any]) -> bytes:
    return _tagged(b"L", _items(value))


def _tuple(value: tuple[Any, ...]) -> bytes:
    return _tagged(b"T", _items(value))


def _items(values: Iterable[Any]) -> bytes:
    parts = []
    for index, item in enumerate(values):
        try:
            parts.append(_encode(item))
        except _Refused as refused:
            raise refused.inside(f"[{index}]") from None
    return b"".join(parts)


def _set(value: set[Any] | frozenset[Any]) -> bytes:
    parts = []
    for item in value:
        try:
            parts.append(_encode(item))
        except _Refused as refused:
            raise refused.inside(f"{{{item!r}}}") from None
    return _tagged(b"Z" if isinstance(value, frozenset) else b"X", b"".join(sorted(parts)))


def _dict(value: Mapping[Any, Any]) -> bytes:
    pairs = []
    for key, item in value.items():
        try:
            name = _encode(key)
        except _Refused as refused:
            raise refused.inside("", before=f"key {key!r} of ") from None
        try:
            pairs.append((name, _encode(item)))
        except _Refused as refused:
            raise refused.inside(f"[{key!r}]") from None
    return _tagged(b"D", b"".join([name + item for name, item in sorted(pairs)]))


def _enum(value: Enum) -> bytes:
    return _named(b"E", type(value), _encode((value.name, value.value)))


def _dataclass(value: Any) -> bytes:
    if not type(value).__dataclass_params__.frozen:
        _refuse(value, hint="declare the dataclass with frozen=True")
    fields = {}
    for field in dataclasses.fields(value):
        try:
            fields[field.name] = _encode(getattr(value, field.name))
        except _Refused as refused:
            raise refused.inside(f".{field.name}") from None
    body = b"".join(_str(name) + fields[name] for name in sorted(fields))
    return _named(b"C", type(value), body)


def _named(tag: bytes, kind: type, body: bytes) -> bytes:
    return _tagged(tag, _str(f"{kind.__module__}.{kind.__qualname__}") + body)


def _array(value: Any) -> bytes:
    return _numpy(b"A", value)


def _scalar(value: Any) -> bytes:
    return _numpy(b"G", value)


def _numpy(tag: bytes, value: Any) -> bytes:
    """Tag, name and little-endian type, shape, then the elements in C order."""
    dtype = value.dtype
    if dtype.kind not in _NUMPY_KINDS or dtype.hasobject or dtype.fields:
        _refuse(value, what=f"an array of {dtype}", hint="give it a plain numeric dtype")
    little = dtype.newbyteorder("<")
    head = _encode((dtype.name, little.str, tuple(value.shape)))
    return _tagged(tag, head + value.astype(little).tobytes(order="C"))


def _tensor(value: Any) -> bytes:
    """Name of the type, shape, then the elements in C order, whatever device they are on."""
    torch = sys.modules["torch"]
    if value.layout is not torch.strided or value.is_quantized:
        _refuse(value, what="a sparse or quantized tensor", hint="make it dense")
    plain = value.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
    head = _encode((str(value.dtype), tuple(value.shape)))
    return _tagged(b"H", head + plain.view(torch.uint8).numpy().tobytes())


def _path(value: PurePath) -> NoReturn:
    _refuse(
        value,
        hint="pass the path as text, and declare the parameter as `File` if what is in it counts",
    )


def _strange(value: object) -> NoReturn:
    _refuse(value)


def _refuse(value: object, *, what: str = "", hint: str = "") -> NoReturn:
    kind = type(value)
    raise _Refused(
        what or f"a value of type {kind.__module__}.{kind.__qualname__}",
        hint or f"use {_TYPES}, an array, a tensor or a frozen dataclass",
    )


_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    type(None): _none,
    bool: _bool,
    int: _int,
    float: _float,
    str: _str,
    bytes: _bytes,
    datetime: _when(b"W"),
    date: _when(b"w"),
    time: _when(b"t"),
    list: _list,
    tuple: _tuple,
    set: _set,
    frozenset: _set,
    dict: _dict,
    MappingProxyType: _dict,
}
