"""Kept: what is dear to make and is asked for again, as long as somebody says that it should be kept."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

_here: ContextVar[dict[Hashable, Any] | None] = ContextVar("mlrecipe_kept", default=None)


def kept(key: Hashable, make: Callable[[], T]) -> T:
    """What `make` gives; within `keeping` what it gave for the same key before."""
    here = _here.get()
    if here is None:
        return make()
    if key not in here:
        here[key] = make()
    made: T = here[key]
    return made


@contextmanager
def keeping(place: dict[Hashable, Any]) -> Iterator[None]:
    """Within the block keep in `place`, which belongs to whoever calls the same op again and again."""
    token = _here.set(place)
    try:
        yield
    finally:
        _here.reset(token)
