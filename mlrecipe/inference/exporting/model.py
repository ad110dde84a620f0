"""Exported models: a folder that loads without a run, most of them without mlrecipe, with card and recipe."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlrecipe import events
from mlrecipe.errors import MlrecipeError, RequestError
from mlrecipe.inference.exporting import portable
from mlrecipe.inference.requests import EXPORTED
from mlrecipe.interfaces import Head
from mlrecipe.runs import card, loading
from mlrecipe.runs.manifest import RECIPE
from mlrecipe.runs.results import Story, story
from mlrecipe.runs.run import Run, write_json, write_text
from mlrecipe.training.keeping.exchange import exchange
from mlrecipe.training.keeping.records import RECORD, read_record

_TOKENIZER = "tokenizer_config.json"
_LOCAL = re.compile(r"""["'`](~?/[^"'`\n]*)["'`]""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an exported folder holds."""

    folder: Path
    files: dict[str, int]
    """Every file's size in bytes, by its name in the folder."""

    is_plain: bool
    """Whether `from_pretrained` of transformers alone loads it."""

    loads: str
    """How it is loaded: a line of Python, or a few words."""


def export(
    run: Run, output: Path, *, checkpoint: str = "best", force: bool = False,
    license_name: str | None = None, model: str = ".",
) -> Exported:  # fmt: skip
    """Write a checkpoint of a train run into the folder `output`, which appears whole or not at all.

    Args:
        run: a train run.
        output: a folder that is not there, or empty.
        checkpoint: `best`, `last` or another that the run has.
        force: whether a folder that holds something is replaced, with all that it holds.
        license_name: the hub's name of a licence, for the card.
        model: by what name the card says that the model is loaded.

    Raises:
        RequestError: the run has no such checkpoint, it is of a model of the project's own, or the folder
            holds something.
        TrainingError: the checkpoint is damaged.
        MlrecipeError: the folder cannot be written.
    """
    output = Path(os.path.realpath(output))
    source = run.checkpoint(checkpoint)
    require_known(source, run)
    _require_free(output, run, force=force)
    record = read_record(source)
    told = story(run, checkpoint)
    with _whole(output) as fresh:
        shutil.copytree(source, fresh, ignore=_only_files_of(source), dirs_exist_ok=True)
        _cut_alike(fresh / _TOKENIZER, loading.max_length(told))
        write_text(fresh / "README.md", card.text(told, model=model, license_name=license_name))
        for name in (RECIPE, f"{RECIPE}.lock"):
            if (run.folder / name).is_file():
                text = (run.folder / name).read_text(encoding="utf-8")
                write_text(fresh / name.replace(RECIPE, "recipe.toml"), text)
        write_json(fresh / "metrics.json", _metrics(told))
        _keep_preparation(fresh, run, source, record.head)
    return look(output)


def _keep_preparation(folder: Path, run: Run, source: Path, head: Head) -> None:
    """Write what `mlrecipe.load` needs beside the weights, where new rows can be prepared at all."""
    try:
        write_json(folder / EXPORTED, portable.describe(run, source, head))
    except RequestError as error:
        text = f"mlrecipe.load will not read the folder: {error}"
        events.emit(events.Note(text, "warning"))


def look(folder: Path) -> Exported:
    """What an exported folder holds."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}
    is_ours = loading.kind_of(folder) == "mlrecipe"
    is_plain = not is_ours and (folder / "config.json").is_file()
    how = "mlrecipe.load({})" if is_ours else f"{loading.auto_class(folder)}.from_pretrained({{}})"
    with_peft = "it loads with PEFT, as its README.md says"
    return Exported(
        folder=folder, files=sizes, is_plain=is_plain,
        loads=how.format(repr(str(folder))) if is_ours or is_plain else with_peft,
    )  # fmt: skip


def require_known(checkpoint: Path, run: Run) -> None:
    """Raise unless transformers loads the checkpoint, alone or with PEFT, or it is of a model of mlrecipe."""
    if loading.kind_of(checkpoint) is not None:
        return
    files = ", ".join(sorted(p.name for p in checkpoint.iterdir() if p.name != RECORD))
    raise RequestError(
        f"checkpoint {checkpoint.name!r} of run {run.id} is no folder of a transformers model: it has no "
        f"config.json, only {files or 'nothing'}",
        hint="models that transformers or mlrecipe itself loads are exported; others stay in their runs",
    )


def local_paths(folder: Path) -> list[str]:
    """Paths of this machine that an exported folder's texts name, for all who read it to see."""
    found: set[str] = set()
    for path in folder.rglob("*"):
        if path.suffix in (".md", ".toml", ".json") and not path.name.startswith("tokenizer"):
            found.update(_LOCAL.findall(path.read_text(encoding="utf-8", errors="replace")))
    return sorted(found)


def _cut_alike(path: Path, length: int | None) -> None:
    """Let a tokenizer cut rows at the recipe's own length, where its model could take more."""
    if length is None or not path.is_file():
        return
    config = json.loads(path.read_text(encoding="utf-8"))
    known = config.get("model_max_length")
    if not isinstance(known, int | float) or known > length:
        write_json(path, {**config, "model_max_length": length})


def _metrics(told: Story) -> dict[str, Any]:
    results = [
        {"split": r.split, "rows": r.rows, "metrics": dict(r.metrics), "run": r.run.id}
        for r in told.results
    ]
    return {"run": told.run.id, "checkpoint": told.checkpoint, "results": results}


def _only_files_of(checkpoint: Path) -> Any:
    """Leaves out what is mlrecipe's own: the checkpoint's record."""

    def left_out(folder: str, names: list[str]) -> set[str]:
        return {RECORD} & set(names) if Path(folder) == checkpoint else set()

    return left_out


def _require_free(output: Path, run: Run, *, force: bool) -> None:
    if output.exists() and not output.is_dir():
        raise RequestError(f"{str(output)!r} is a file, not a folder", key="--output")
    project = Path(os.path.realpath(run.folder.parent.parent))
    kept = [Path.cwd(), Path.home(), project, Path(os.path.realpath(run.folder))]
    inside = [project / "runs", project / ".mlrecipe"]
    if any(output == k or output in k.parents for k in kept) or any(
        output == i or i in output.parents for i in inside
    ):
        message = (
            f"{str(output)!r} holds more than a model, or is a part of the project's own records"
        )
        raise RequestError(message, key="--output", hint="name a folder of its own")
    if output.is_dir() and any(output.iterdir()) and not force:
        raise RequestError(
            f"{str(output)!r} is not empty",
            key="--output",
            hint="--force replaces the folder with all that it holds",
        )


@contextmanager
def _whole(output: Path) -> Iterator[Path]:
    """A fresh folder beside `output` that takes its name, and what was there goes, once it is done."""
    fresh = output.with_name(f".{output.name}.{os.getpid()}.new")
    try:
        fresh.mkdir(parents=True)
        yield fresh
        exchange(fresh, output)
    except OSError as error:
        what = f"cannot write {str(output)!r}: {error.strerror or error}"
        raise MlrecipeError(what) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)  # after an exchange: what was there before
