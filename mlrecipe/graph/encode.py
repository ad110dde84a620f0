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
        return _encode(value, path)
    except RecursionError:
        raise RequestError(
            "nested too deeply to be fingerprinted, or contains itself", key=path
        ) from None


def _encode(value: Any, path: str) -> bytes:
    encoder = _ENCODERS.get(type(value)) or _special(type(value))
    return encoder(value, path) if encoder else _refuse(value, path)


def _special(kind: type) -> Callable[[Any, str], bytes] | None:
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
    return tag + len(payload).to_bytes(8, "big") + payload


def _none(value: None, path: str) -> bytes:
    return _tagged(b"N", b"")


def _bool(value: bool, path: str) -> bytes:
    return _tagged(b"B", b"\1" if value else b"\0")


def _int(value: int, path: str) -> bytes:
    return _tagged(b"I", value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def _float(value: float, path: str) -> bytes:
    # Every NaN is one NaN; 0.0 and -0.0 differ, as they do when divided by.
    return _tagged(b"F", _NAN if math.isnan(value) else struct.pack(">d", value))


def _str(value: str, path: str) -> bytes:
    return _tagged(b"S", value.encode("utf-8", "surrogatepass"))


def _bytes(value: bytes, path: str) -> bytes:
    return _tagged(b"Y", value)


def _when(tag: bytes) -> Callable[[Any, str], bytes]:
    def encoder(value: datetime | date | time, path: str) -> bytes:
        return _tagged(tag, value.isoformat().encode())

    return encoder


def _list(value: list[Any], path: str) -> bytes:
    return _tagged(b"L", _items(value, path))


def _tuple(value: tuple[Any, ...], path: str) -> bytes:
    return _tagged(b"T", _items(value, path))


def _items(values: Iterable[Any], path: str) -> bytes:
    return b"".join(_encode(item, f"{path}[{index}]") for index, item in enumerate(values))


def _set(value: set[Any] | frozenset[Any], path: str) -> bytes:
    tag = b"Z" if isinstance(value, frozenset) else b"X"
    return _tagged(tag, b"".join(sorted(_encode(item, f"{path}{{{item!r}}}") for item in value)))


def _dict(value: Mapping[Any, Any], path: str) -> bytes:
    pairs = [
        (_encode(key, f"key {key!r} of {path}"), _encode(item, f"{path}[{key!r}]"))
        for key, item in value.items()
    ]
    return _tagged(b"D", b"".join(key + item for key, item in sorted(pairs)))


def _enum(value: Enum, path: str) -> bytes:
    return _named(b"E", type(value), _encode((value.name, value.value), path))


def _dataclass(value: Any, path: str) -> bytes:
    if not type(value).__dataclass_params__.frozen:
        _refuse(value, path, hint="declare the dataclass with frozen=True")
    fields = {
        field.name: _encode(getattr(value, field.name), f"{path}.{field.name}")
        for field in dataclasses.fields(value)
    }
    body = b"".join(_str(name, path) + fields[name] for name in sorted(fields))
    return _named(b"C", type(value), body)


def _named(tag: bytes, kind: type, body: bytes) -> bytes:
    return _tagged(tag, _str(f"{kind.__module__}.{kind.__qualname__}", "") + body)


def _array(value: Any, path: str) -> bytes:
    return _numpy(b"A", value, path)


def _scalar(value: Any, path: str) -> bytes:
    return _numpy(b"G", value, path)


def _numpy(tag: bytes, value: Any, path: str) -> bytes:
    """Tag, name and little-endian type, shape, then the elements in C order."""
    dtype = value.dtype
    if dtype.kind not in _NUMPY_KINDS or dtype.hasobject or dtype.fields:
        _refuse(value, path, what=f"an array of {dtype}", hint="give it a plain numeric dtype")
    little = dtype.newbyteorder("<")
    head = _encode((dtype.name, little.str, tuple(value.shape)), path)
    return _tagged(tag, head + value.astype(little).tobytes(order="C"))


def _tensor(value: Any, path: str) -> bytes:
    """Name of the type, shape, then the elements in C order, whatever device they are on."""
    torch = sys.modules["torch"]
    if value.layout is not torch.strided or value.is_quantized:
        _refuse(value, path, what="a sparse or quantized tensor", hint="make it dense")
    plain = value.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
    head = _encode((str(value.dtype), tuple(value.shape)), path)
    return _tagged(b"H", head + plain.view(torch.uint8).numpy().tobytes())


def _path(value: PurePath, path: str) -> NoReturn:
    _refuse(
        value,
        path,
        hint="pass the path as text, and declare the parameter as `File` if what is in it counts",
    )


def _refuse(value: object, path: str, *, what: str = "", hint: str = "") -> NoReturn:
    kind = type(value)
    raise RequestError(
        f"cannot fingerprint {what or f'a value of type {kind.__module__}.{kind.__qualname__}'}",
        key=path,
        hint=hint or f"use {_TYPES}, an array, a tensor or a frozen dataclass",
    )


_ENCODERS: dict[type, Callable[[Any, str], bytes]] = {
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
