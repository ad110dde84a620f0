"""Distributed: the processes of one job, what the first tells the others, and how all end together."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.utilities.distributed import _set_num_threads_if_needed
from pytorch_lightning import Trainer
from pytorch_lightning.strategies import DeepSpeedStrategy, FSDPStrategy, ModelParallelStrategy
from pytorch_lightning.strategies.launchers.multiprocessing import _MultiProcessingLauncher
from pytorch_lightning.strategies.launchers.subprocess_script import _SubprocessScriptLauncher
from torch import Tensor
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from mlrecipe.errors import DataError, MlrecipeError, Terminated, TrainingError
from mlrecipe.training.devices import ranks
from mlrecipe.training.devices.job import LOOK, Job, Order
from mlrecipe.training.devices.observer import Observer
from mlrecipe.training.rules import devices as rules_devices

_PATIENCE = timedelta(hours=24)
"""How long a process waits for the first one, which may have data to prepare."""

_GRACE = 3.0
"""Seconds in which the cause of a broken connection is to show."""

# This process's path for modules, and not its folder: a file there may be called like any library.
_START = (
    "import sys; sys.path[:] = sys.argv[1:]; sys.argv[1:] = []; "
    "from mlrecipe.training import follow; follow.main()"
)


@dataclass(slots=True)
class _Lead:
    """What the first process of a job knows of it; a process leads one job at a time."""

    job: Job | None = None
    order: Order | None = None
    observer: Observer | None = None
    values: dict[str, Any] = field(default_factory=dict)


_lead = _Lead()


@contextmanager
def stage(make_order: Callable[[], Order]) -> Iterator[None]:
    """Do the block's work together with the other processes of the job, where there are or will be any.

    Raises:
        TrainingError: another process failed; this one ends with its message.
    """
    rank = ranks.own()
    if rank is not None and not rank.is_first:
        yield  # it was told already
        return
    _lead.order, _lead.values = make_order(), {}
    if rank is not None and _lead.job is None:
        _lead.job = _open(_environment(rank), is_first=True, name=rank.name)
    if _lead.job is not None:
        _lead.job.tell(_lead.order)
    try:
        yield
    except (MlrecipeError, KeyboardInterrupt, Terminated):  # all were asked to stop
        _drop()
        raise
    except BaseException as error:
        failure = _failure(error)
        _drop()
        if failure is None:
            raise
        raise TrainingError(failure, hint="all processes of the job were ended") from error
    finally:
        _lead.order = None


def mean(trainer: Trainer, value: Tensor, *, weight: float) -> Tensor:
    """The mean of a value over all processes, of which each has a weight."""
    if trainer.world_size == 1:
        return value
    parts = torch.stack([value.float() * weight, value.new_tensor(weight).float()])
    total = trainer.strategy.reduce(parts, reduce_op="sum")
    assert isinstance(total, Tensor)
    return total[0] / total[1]


def agreed(name: str, find: Callable[[], Any]) -> Any:
    """A JSON value that the first process finds, in all processes of the job; one alone finds its own."""
    if ranks.is_follower():
        assert _lead.job is not None, "a process follows a job that it has joined"
        return _lead.job.receive(name)
    value = find()
    _lead.values[name] = value
    if _lead.job is not None:
        _lead.job.publish(name, value)
    return value


def close() -> None:
    """End the job's other processes: there is no more to do; the next job starts anew."""
    if _lead.job is not None:
        _lead.job.tell(Order(stage="end"))
    if _lead.observer is not None:
        _lead.observer.wait()
        if dist.is_initialized():
            dist.destroy_process_group()
        for name in ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
            os.environ.pop(name, None)
    _lead.job = _lead.observer = None


atexit.register(close)


def join(environ: Mapping[str, str]) -> Job:
    """The job that this process, which is not its first, belongs to; waits for the first to come."""
    rank = ranks.own(environ)
    assert rank is not None, "the caller looked"
    told = int(environ.get(ranks.ORDERS, "0"))
    if ranks.JOB in environ:
        address, _, port = environ[ranks.JOB].rpartition(":")
        store = TCPStore(address, int(port), is_master=False, wait_for_workers=False)
        _lead.job = Job(store, name=rank.name, told=told)
    else:
        _lead.job = _open(_environment(rank), is_first=False, name=rank.name)
    return _lead.job


def launch_with(trainer: Trainer) -> None:
    """Let the Trainer start processes as mlrecipe wants them: silent, told what to do, ended with this one.

    Raises:
        DataError: the Trainer would copy this process, or the launcher started another number of them.
    """
    launcher = trainer.strategy.launcher
    rank = ranks.own()
    if isinstance(launcher, _MultiProcessingLauncher):
        message = "processes that are copies of this one cannot write one run"
        raise DataError(message, key="train.trainer.strategy", hint='use `strategy = "ddp"`')
    if isinstance(trainer.strategy, (FSDPStrategy, DeepSpeedStrategy, ModelParallelStrategy)):
        hint = 'use `strategy = "ddp"`'
        raise DataError(rules_devices.IN_PIECES, key="train.trainer.strategy", hint=hint)
    asked = trainer.num_devices * trainer.num_nodes
    is_aside = asked == 1 and _lead.order is None  # what the first process does alone
    if rank is not None and rank.world_size not in (None, asked) and not is_aside:
        raise DataError(
            f"{rank.launcher} started {rank.world_size} processes, and the recipe asks for {asked}: "
            "devices times num_nodes",
            key="train.trainer.devices",
            hint="make them equal",
        )
    if isinstance(launcher, _SubprocessScriptLauncher):
        own = _Launcher(launcher.cluster_environment, launcher.num_processes, launcher.num_nodes)
        trainer.strategy._launcher = own


class _Launcher(_SubprocessScriptLauncher):
    """Starts the node's other processes, which then follow the first one's orders.

    Lightning's own would run the command again with all it prints, and when a process fails it kills this one.
    """

    def launch(
        self,
        function: Callable[..., Any],
        *args: Any,
        trainer: Trainer | None = None,
        **kwargs: Any,
    ) -> Any:
        """Start the other processes, unless they are there, and call the function."""
        environment = self.cluster_environment
        environment.validate_settings(num_devices=self.num_processes, num_nodes=self.num_nodes)
        if not environment.creates_processes_externally:
            self._start()
        _set_num_threads_if_needed(num_processes=self.num_processes)
        return function(*args, **kwargs)

    def _start(self) -> None:
        environment = self.cluster_environment
        os.environ["MASTER_ADDR"] = environment.main_address
        os.environ["MASTER_PORT"] = str(environment.main_port)
        os.environ["NODE_RANK"] = str(environment.node_rank())
        os.environ["LOCAL_RANK"] = "0"
        os.environ["WORLD_SIZE"] = str(self.num_processes * self.num_nodes)
        job = _lead.job
        if job is None:
            assert _lead.order is not None, "several processes train within `stage`"
            job = _lead.job = _open(environment, is_first=True, name="0")
            job.tell(_lead.order)
            for name, value in _lead.values.items():
                job.publish(name, value)
        for local_rank in range(1, self.num_processes):
            self.procs.append(_start_process(environment, local_rank, told=job.told - 1))
        _lead.observer = Observer(self.procs)


def _start_process(
    environment: ClusterEnvironment, local_rank: int, *, told: int
) -> subprocess.Popen[bytes]:
    """Another process of this node; a session of its own, so that Ctrl-C comes to the first one alone."""
    own = {
        ranks.JOB: f"{environment.main_address}:{environment.main_port}",
        ranks.ORDERS: str(told),
        "LOCAL_RANK": str(local_rank),
    }
    is_heard = "--traceback" in sys.argv
    return subprocess.Popen(
        [sys.executable, "-c", _START, *sys.path], env={**os.environ, **own},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=None if is_heard else subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def _environment(rank: ranks.Rank) -> ClusterEnvironment | None:
    return SLURMEnvironment() if rank.launcher == "slurm" else None


def _open(environment: ClusterEnvironment | None, *, is_first: bool, name: str) -> Job:
    """The job's store, at the address at which Lightning will have torch open its own: they share a server."""
    address = environment.main_address if environment else os.environ["MASTER_ADDR"]
    port = environment.main_port if environment else int(os.environ["MASTER_PORT"])
    has_server = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    store = TCPStore(
        address, port, is_master=is_first and not has_server, timeout=_PATIENCE,
        wait_for_workers=False, multi_tenant=True,
    )  # fmt: skip
    return Job(store, name=name)


def _failure(error: BaseException) -> str | None:
    """What another process failed of, if that is what an error of this one comes from."""
    if _lead.job is None or isinstance(error, KeyboardInterrupt):
        return None
    if not isinstance(error, RuntimeError):  # not of a lost connection
        return _lead.job.failure()
    until = time.monotonic() + _GRACE
    while True:
        found = _lead.job.failure() or (_lead.observer.failure() if _lead.observer else None)
        if found is not None or time.monotonic() >= until:
            return found
        time.sleep(LOOK)


def _drop() -> None:
    """Kill the processes that this one started: it has failed, or was told to end."""
    if _lead.observer is not None:
        _lead.observer.kill(signal.SIGKILL)
        close()
