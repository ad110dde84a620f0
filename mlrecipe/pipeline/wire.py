"""The wire: what a driver and its workers tell each other, as lines of JSON and never as pickles."""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from mlrecipe import errors, events
from mlrecipe.errors import MlrecipeError, Problem, RecipeError
from mlrecipe.pipeline.jobs import Job
from mlrecipe.pipeline.lockfile import Pin, Pins
from mlrecipe.pipeline.plan import parts_with_inputs
from mlrecipe.pipeline.request import Request
from mlrecipe.pipeline.shards import Shard
from mlrecipe.recipe.schema import Overrides
from mlrecipe.secrecy import redact
from mlrecipe.store import records
from mlrecipe.store.records import Record
from mlrecipe.store.store import Store

Message = dict[str, Any]


class WorkerTraceback(Exception):
    """Stands for the error in the worker, as the cause of the one that it led to here."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def line(message: Mapping[str, Any]) -> bytes:
    """A message as a line."""
    return json.dumps(message, ensure_ascii=True, default=str).encode() + b"\n"


def greeting(request: Request, store: Store, *, driver: int) -> Message:
    """What a worker is told first: which recipe, which store, and who its driver is."""
    loaded = request.loaded
    return {
        "recipe": str(loaded.path),
        "overrides": asdict(loaded.overrides),
        "here": str(request.here),
        "name": request.name,
        "pins": [asdict(pin) for pin in request.pins.values()],
        "store": str(store.root),
        "driver": driver,
    }


def overrides_of(message: Message) -> Overrides:
    """The overrides of a greeting."""
    given: Mapping[str, list[str]] = message["overrides"]
    return Overrides(**{key: tuple(texts) for key, texts in given.items()})


def pins_of(message: Message) -> Pins:
    """What the driver knows of the hub."""
    pins = [Pin(**fields) for fields in message["pins"]]
    return {pin.asked: pin for pin in pins}


def job_to_json(job: Job) -> Message:
    """A job as a worker needs it: which node, of which inputs, and what it must come to."""
    return {
        "node": job.step.node.name,
        "shard": [job.shard.index, job.shard.count] if job.shard else None,
        "fingerprint": job.fingerprint,
        "parts": parts_with_inputs(job.step, job.inputs),
        "inputs": {name: _record_to_json(record) for name, record in job.inputs.items()},
        "reasons": list(job.step.reasons),
        "since": job.since,
    }


def shard_of(message: Message) -> Shard | None:
    """The shard that a job is for."""
    given = message["shard"]
    return Shard(index=given[0], count=given[1]) if given else None


def inputs_of(message: Message) -> dict[str, Record]:
    """The records of a job's inputs."""
    return {name: records.from_bytes(_to_bytes(text)) for name, text in message["inputs"].items()}


def event_to_json(event: events.Event) -> Message:
    """An event, without secrets; its fields are JSON values."""
    return {"event": type(event).__name__, "fields": _redacted(asdict(event))}


def event_of(message: Message, *, node: str) -> events.Event:
    """The event, with the node that it came from where it says none."""
    kind: type[events.Event] = getattr(events, message["event"])
    given: dict[str, Any] = message["fields"]
    if kind in (events.Progress, events.Note):
        given = given | {"node": given["node"] or node}
    return kind(**given)


def error_to_json(error: MlrecipeError) -> Message:
    """An error, without secrets, with its traceback as text."""
    fields = {
        "message": error.message,
        "key": error.key,
        "hint": error.hint,
        "problems": [asdict(problem) for problem in getattr(error, "problems", ())],
        "subject": getattr(error, "subject", ""),
        "traceback": "".join(traceback.format_exception(error)),
    }
    return {"error": type(error).__name__, "fields": _redacted(fields)}


def error_of(message: Message) -> MlrecipeError:
    """The error, of the same class."""
    kind, given = getattr(errors, message["error"], MlrecipeError), message["fields"]
    if kind is RecipeError:
        problems = [Problem(**problem) for problem in given["problems"]]
        error: MlrecipeError = RecipeError(problems, subject=given["subject"])
    else:
        error = kind(given["message"], key=given["key"], hint=given["hint"])
    error.__cause__ = WorkerTraceback(given["traceback"].rstrip())
    return error


def _record_to_json(record: Record) -> str:
    return records.to_bytes(record).decode("utf-8", "surrogatepass")


def _to_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _redacted(value: Any) -> Any:
    """The value with no secret in any of its texts; the wire's own words are left alone."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: _redacted(below) for key, below in value.items()}
    return [_redacted(below) for below in value] if isinstance(value, (list, tuple)) else value
