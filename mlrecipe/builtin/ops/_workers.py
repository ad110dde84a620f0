"""Workers of an op: processes that do the same to many pieces, whose results come in the pieces' order.

What is worked out hangs on the pieces alone, so that it is the same for any number of workers.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from mlrecipe.errors import DataError

if TYPE_CHECKING:
    from concurrent.futures import Future

S = TypeVar("S")
P = TypeVar("P")
T = TypeVar("T")

_AHEAD = 4
"""Pieces per worker that are given out before the first of them is asked for."""


def in_order(
    work: Callable[[S, P], T], shared: S, pieces: Sequence[P], *, num_workers: int
) -> Iterator[T]:
    """`work(shared, piece)` of each piece, in the order of the pieces; by one worker in this process.

    Args:
        work: a function of a module, which other processes can import.
        shared: what all pieces need; each process gets it once.
        pieces: what is different.
        num_workers: processes to do it; there are never more than pieces.

    Raises:
        DataError: `num_workers` is not a number of processes, or one of them has died.
    """
    if num_workers < 1:
        raise DataError(f"expected at least 1, got {num_workers}", key="num_workers")
    count = min(num_workers, len(pieces))
    if count > 1:
        yield from _in_processes(work, shared, pieces, count)
        return
    for piece in pieces:
        yield work(shared, piece)


def _in_processes(
    work: Callable[[S, P], T], shared: S, pieces: Sequence[P], count: int
) -> Iterator[T]:
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    # Not forked: a copy of a process whose threads hold locks may wait for them for ever.
    pool = ProcessPoolExecutor(
        count, mp_context=get_context("spawn"), initializer=_begin, initargs=(work, shared)
    )
    try:
        ahead: deque[Future[T]] = deque()
        for piece in pieces:
            with _without_interrupts():
                ahead.append(pool.submit(_work, piece))
            if len(ahead) > _AHEAD * count:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    except BrokenProcessPool:
        raise DataError(
            "one of the worker processes has died", key="num_workers",
            hint="perhaps memory was short: try fewer workers",
        ) from None  # fmt: skip
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Processes that are started in the block hear of no Ctrl-C: it is for the one that starts them."""
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # started in the block, it would let them through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_given: tuple[Callable[[Any, Any], Any], Any] | None = None
"""In a worker: what to do, and what all pieces need."""


def _begin(work: Callable[[S, P], T], shared: S) -> None:
    global _given  # noqa: PLW0603 - a worker process has nothing else to keep it in
    _given = work, shared
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # a Ctrl-C is for the process that started this one
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when the one that started it does, however that ends."""
    from multiprocessing import parent_process

    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(piece: Any) -> Any:
    assert _given is not None
    work, shared = _given
    return work(shared, piece)
