"""How a step's examples come apart into the batches that devices take; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass

from mlrecipe.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Batching:
    """How many rows a device takes at once, and how often it does so for one optimizer step."""

    micro: int
    """Rows of one batch on one device."""

    accumulation: int
    """Batches of one device in one step."""

    world_size: int = 1
    """Devices."""

    @property
    def batch_size(self) -> int:
        """Rows of one step over all devices."""
        return self.micro * self.accumulation * self.world_size

    def steps(self, rows: int) -> list[int]:
        """Rows of each step of an epoch: all full, but for a rest at the end."""
        return self._cut(rows, self.batch_size)

    def rounds(self, rows: int) -> list[int]:
        """A step's rows, as many as all devices take at once in each of its batches."""
        return self._cut(rows, self.micro * self.world_size)

    def batches(self, rows: int) -> int:
        """Batches of each device in an epoch of so many rows."""
        return sum(len(self.rounds(step)) for step in self.steps(rows))

    def _cut(self, rows: int, size: int) -> list[int]:
        """Pieces of `size` and a rest that has a row for each device.

        A rest of fewer rows borrows from the piece before it; where each device takes only a row at
        once, nothing can be lent, and the rest joins that piece.
        """
        pieces = [size] * (rows // size)
        rest = rows % size
        missing = self.world_size - rest
        if not rest:
            return pieces
        if missing <= 0 or not pieces:
            return [*pieces, rest]
        if self.micro == 1:
            return [*pieces[:-1], size + rest]
        return [*pieces[:-1], size - missing, rest + missing]


def arithmetic(batch_size: int, device_batch_size: int | None, world_size: int) -> Batching:
    """Steps of `batch_size` rows over `world_size` devices that take `device_batch_size` at most.

    A device's share of the step that is over its limit is taken in batches of the limit when that
    divides it, else in halves of halves.

    Raises:
        DataError: the devices cannot share the rows evenly, or no halving fits.
    """
    if batch_size % world_size:
        near = _near(batch_size, world_size)
        message = f"{batch_size} examples cannot be shared evenly by {world_size} devices"
        raise DataError(message, key="train.batch_size", hint=f"nearest sizes that work: {near}")
    share = batch_size // world_size
    micro = _micro(share, device_batch_size)
    if micro is None:
        assert device_batch_size is not None
        near = _near(batch_size, device_batch_size * world_size)
        raise DataError(
            f"a device's {share} examples of a step can be taken neither {device_batch_size} at once "
            "nor in halves of halves",
            key="train.device_batch_size",
            hint=f"nearest sizes that work: `train.batch_size` of {near}, or "
            f"`train.device_batch_size` of {_divisor(share, device_batch_size)}",
        )
    return Batching(micro=micro, accumulation=share // micro, world_size=world_size)


def _micro(share: int, limit: int | None) -> int | None:
    """Rows of one batch: the limit or the share, halved until it fits."""
    if limit is None or share <= limit:
        return share
    if share % limit == 0:
        return limit
    while share > limit:
        if share % 2:
            return None
        share //= 2
    return share


def _near(size: int, divisor: int) -> str:
    """The multiples of `divisor` below and above `size`."""
    below = size // divisor * divisor
    return " and ".join(str(near) for near in (below, below + divisor) if near)


def _divisor(share: int, limit: int) -> int:
    """The largest batch below the limit that divides the share."""
    return next(size for size in range(limit, 0, -1) if share % size == 0)
