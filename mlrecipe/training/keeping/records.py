"""Records of checkpoints: what lies beside the weights, read without any library of training."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlrecipe.errors import TrainingError
from mlrecipe.interfaces import Head

RECORD = "checkpoint.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointRecord:
    """What is known of a checkpoint; lies beside its weights as `checkpoint.json`."""

    step: int
    """Optimizer steps done."""

    epoch: int
    """The epoch that was on, from 1."""

    metrics: Mapping[str, float]
    """The newest metrics when it was written."""

    head: Head
    """What the model puts out."""

    sha256: Mapping[str, str]
    """Digest of every other file, by its name in the folder."""


def read_record(checkpoint: Path) -> CheckpointRecord:
    """What was written beside the checkpoint's weights, once its files have proved whole.

    Raises:
        TrainingError: there is no checkpoint, or a file is missing or changed.
    """
    try:
        data = json.loads((checkpoint / RECORD).read_text(encoding="utf-8"))
        head = data.pop("head")
        record = CheckpointRecord(**data, head=head_of(head))
    except FileNotFoundError as error:
        raise TrainingError(f"there is no checkpoint in {str(checkpoint)!r}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"cannot read {str(checkpoint / RECORD)!r}: {error}") from error
    found = digests(checkpoint)
    damaged = sorted(name for name, digest in record.sha256.items() if found.get(name) != digest)
    if damaged:
        raise TrainingError(
            f"checkpoint {str(checkpoint)!r} is damaged: {', '.join(damaged)} missing or changed"
        )
    return record


def head_of(data: Mapping[str, Any]) -> Head:
    """A head from its JSON; older ones lack what came later."""
    outputs = {column: tuple(labels) for column, labels in data.get("outputs", {}).items()}
    return Head(
        problem_type=data["problem_type"], labels=tuple(data["labels"]), outputs=outputs,
        targets=tuple(data.get("targets", ())), threshold=data.get("threshold", 0.5),
        **{name: data.get(name, "") for name in ("scheme", "decoding", "splitting")},
    )  # fmt: skip


def step_of(folder: Path) -> int | None:
    """The step of the checkpoint in a folder; None where there is none."""
    try:
        return int(json.loads((folder / RECORD).read_text(encoding="utf-8"))["step"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a checkpoint but its record, by its name in the folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != RECORD)
    return {path.relative_to(folder).as_posix(): _digest(path) for path in files}


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
