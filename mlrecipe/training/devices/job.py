"""The job: the line between its first process and the others, through torch's own store."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from torch.distributed import PrefixStore, Store  # type: ignore[attr-defined]

LOOK = 0.05
"""Seconds between two looks at whether there is something new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A stage that all processes of a job carry out together. JSON values only."""

    stage: str
    """`train` or `test`; `end` when there is no more to do."""

    folder: str = ""
    """The run directory, which the first process has made."""

    recipe: str = ""
    """The name by which the run knows its recipe."""

    records: Mapping[str, str] = field(default_factory=dict)
    """Node → its record as text: nobody else prepares it."""

    options: Mapping[str, Any] = field(default_factory=dict)
    """What else the stage is told."""


class Job:
    """What processes of one job tell each other."""

    def __init__(self, store: Store, *, name: str, told: int = 0) -> None:
        """Use a store that all processes reach.

        Args:
            store: of torch.distributed.
            name: of this process, for messages.
            told: orders that were told before this process came.
        """
        self._store = PrefixStore("mlrecipe", store)
        self._name = name
        self._told = told

    @property
    def told(self) -> int:
        """Orders that this process has told or heard."""
        return self._told

    def tell(self, order: Order) -> None:
        """Give all other processes their next order."""
        self._store.set(f"order/{self._told}", json.dumps(asdict(order)))
        self._told += 1

    def hear(self) -> Order:
        """Wait for the next order; a first process that is gone has ended the job."""
        key = f"order/{self._told}"
        try:
            while not self._store.check([key]):
                time.sleep(LOOK)
            order = Order(**json.loads(self._store.get(key)))
        except RuntimeError:  # torch's DistError: the connection is lost
            return Order(stage="end")
        self._told += 1
        return order

    def publish(self, name: str, value: Any) -> None:
        """Give all other processes a value that belongs to the newest order."""
        self._store.set(f"value/{self._told}/{name}", json.dumps(value))

    def receive(self, name: str) -> Any:
        """Wait for such a value."""
        key = f"value/{self._told}/{name}"
        while not self._store.check([key]):
            time.sleep(LOOK)
        return json.loads(self._store.get(key))

    def fail(self, message: str) -> None:
        """Say why this process fails, unless another has failed before it."""
        try:
            text = json.dumps([self._name, message])
            self._store.compare_set("failed", "", text)
        except RuntimeError:  # the job is over
            return

    def failure(self) -> str | None:
        """Which process failed first, and why; None as long as none did."""
        try:
            if not self._store.check(["failed"]):
                return None
            name, message = json.loads(self._store.get("failed"))
        except RuntimeError:
            return None
        return f"process {name} failed: {message}"
