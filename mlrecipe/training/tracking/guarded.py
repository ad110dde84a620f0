"""A logger that never stops a training: what it raises is told once, and then it is left out."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.loggers.logger import DummyLogger, Logger

from mlrecipe import events
from mlrecipe.errors import DataError, MlrecipeError

T = TypeVar("T")

_WRONG_PARAMETERS = (TypeError, ValueError, MisconfigurationException)
"""What a logger raises before it has begun when it is asked for something that it does not know."""


class Guarded(Logger):
    """A logger of a recipe, guarded: an error of its own ends what it is told, and nothing else.

    With `isinstance` it passes for the logger itself, for callbacks that look for one. Ctrl-C is no error.
    """

    def __init__(self, logger: Logger, *, name: str) -> None:
        """Guard a logger.

        Args:
            logger: told of everything.
            name: of its table in the recipe.
        """
        super().__init__()
        self._guarded = logger
        self._table = name
        self._is_open = False
        self._is_told = True

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self._guarded)

    @property
    def table(self) -> str:
        """Name of its table in the recipe."""
        return self._table

    @property
    def use(self) -> str:
        """Name of the logger's class."""
        return type(self._guarded).__name__

    @property
    def is_told(self) -> bool:
        """Whether it is told of what happens: it has not failed, and has not come to its end."""
        return self._is_told

    @property
    def name(self) -> str | None:
        """As the logger says."""
        return self._attempt(lambda: self._guarded.name)

    @property
    def version(self) -> int | str | None:
        """As the logger says."""
        return self._attempt(lambda: self._guarded.version)

    @property
    def save_dir(self) -> str | None:
        """As the logger says."""
        return self._attempt(lambda: self._guarded.save_dir)

    @property
    def root_dir(self) -> str | None:
        """As the logger says."""
        return self._attempt(lambda: self._guarded.root_dir)

    @property
    def log_dir(self) -> str | None:
        """As the logger says."""
        return self._attempt(lambda: self._guarded.log_dir)

    @property
    def group_separator(self) -> str:
        """As the logger says."""
        return self._guarded.group_separator

    @property
    def experiment(self) -> Any:
        """What the logger writes to, made at the first call; one that does nothing where that failed.

        Raises:
            DataError: the logger does not take its parameters.
        """
        if not self._is_open:
            self._open()
        found = self._attempt(lambda: getattr(self._guarded, "experiment", None))
        return DummyLogger().experiment if found is None else found

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Tell the logger of metrics."""
        self._attempt(lambda: self._guarded.log_metrics(dict(metrics), step))

    def log_final(self, metrics: Mapping[str, float], step: int) -> None:
        """Tell the logger what a stage came to; some keep that apart, by a method of this name."""
        tell = getattr(self._guarded, "log_final", self._guarded.log_metrics)
        self._attempt(lambda: tell(dict(metrics), step))

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Tell the logger what the training is made of."""
        self._attempt(lambda: self._guarded.log_hyperparams(params, *args, **kwargs))

    def log_graph(self, model: Any, input_array: Any = None) -> None:
        """Show the logger the network."""
        self._attempt(lambda: self._guarded.log_graph(model, input_array))

    def save(self) -> None:
        """Have the logger write what it holds."""
        self._attempt(self._guarded.save)

    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Tell the logger of a checkpoint of Lightning's."""
        self._attempt(lambda: self._guarded.after_save_checkpoint(checkpoint_callback))

    def finalize(self, status: str) -> None:
        """Have the logger come to its end; it is told nothing after that."""
        self._attempt(lambda: self._guarded.finalize(status))
        self._is_told = False

    def __getattr__(self, name: str) -> Any:
        """Anything else that the logger has; its methods are guarded too."""
        found = getattr(self.__dict__["_guarded"], name)
        if not callable(found):
            return found
        return lambda *args, **kwargs: self._attempt(lambda: found(*args, **kwargs))

    def _open(self) -> None:
        """Have the logger make what it writes to, before the training; wrong parameters are an error."""
        self._is_open = True
        try:
            with _same_randomness():
                getattr(self._guarded, "experiment", None)
        except _WRONG_PARAMETERS as error:
            self._is_told = False
            message = f"{self.use} refuses its parameters: {error}"
            raise DataError(message, key=f"train.loggers.{self._table}") from error
        except Exception as error:  # noqa: BLE001  # of the logger's own library: it is only a logger
            self._leave_out(error)

    def _attempt(self, call: Callable[[], T]) -> T | None:
        """What the logger gives, None once it is left out."""
        if not self._is_told:
            return None
        try:
            return call()
        except Exception as error:  # noqa: BLE001  # of the logger's own library: it is only a logger
            self._leave_out(error)
            return None

    def _leave_out(self, error: Exception) -> None:
        self._is_told = False
        tell_of(error, table=self._table, use=self.use)


def tell_of(error: Exception, *, table: str, use: str) -> None:
    """Warn that a logger failed, and that nothing else did."""
    first = str(error).strip().partition("\n")[0]
    cause = first if isinstance(error, MlrecipeError) else f"{type(error).__name__}: {first}"
    events.emit(events.Note(
        f"train.loggers.{table}: {use} failed and is told nothing more ({cause.rstrip(': ')}); "
        "the run itself goes on, and its files have it all", "warning",
    ))  # fmt: skip


@contextmanager
def _same_randomness() -> Iterator[None]:
    """Leave Python's and NumPy's generators as they were: some loggers draw themselves a name."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
