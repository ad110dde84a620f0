"""Portable: what must lie beside exported weights for `mlrecipe.load` to prepare rows as in training."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import tomli_w

import mlrecipe
from mlrecipe.errors import RecipeError, RequestError
from mlrecipe.graph.graph import Node
from mlrecipe.inference.requests import EXPORTED, is_of_model, read_request, request_of
from mlrecipe.inference.routes import routes
from mlrecipe.interfaces import Head
from mlrecipe.pipeline.request import Request
from mlrecipe.recipe.resolved import resolved, written
from mlrecipe.runs import manifest
from mlrecipe.runs.run import Run
from mlrecipe.training.keeping.records import RECORD, head_of

_VERSION = 1
_HERE = "."
"""Stands for the exported folder."""

_OF_FILES = ("types", "delimiter", "quoting", "encoding", "header", "columns")
"""What of `load-files` says how new files are read, too."""

_OF_MODEL = ("checkpoint", "config", "tokenizer")
_VOCABULARIES = (
    "tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Portable:
    """What was written beside the weights."""

    head: Head
    columns: Mapping[str, Mapping[str, str]]
    """Node → column → type, of what the model was trained on."""

    request: Request
    """Of a recipe with the preparation, the model and the task, and without any data."""


def describe(run: Run, checkpoint: Path, head: Head) -> dict[str, Any]:
    """What is to be written beside the weights of a train run.

    Raises:
        RequestError: the run's recipe prepares rows in a way that cannot be done to new ones, or cannot be
            read any more.
    """
    request = request_of(run)
    name = request.loaded.recipe.train.data.partition(".")[0]
    on_way = {node.name: node for way in routes(request.graph, name) for node in way}
    facts = manifest.inputs_of(run)
    values = written(resolved(request.loaded, request.catalog))
    needed = request.graph.upto([name])
    nodes = {n.name: _node(n, values["nodes"][n.name], request, checkpoint, on_way) for n in needed}
    return {
        "version": _VERSION, "mlrecipe": mlrecipe.__version__, "run": run.id,
        "needs": _own(request, on_way), "head": asdict(head),
        "columns": {n: facts[n].get("columns", {}) for n in nodes if n in facts},
        "files": _files(checkpoint),
        "recipe": {
            "name": values["name"], "nodes": nodes, "model": _model(values["model"]),
            "task": values["task"], "train": {"data": values["train"]["data"]},
            "test": {"batch_size": request.loaded.recipe.test.batch_size},
        },
    }  # fmt: skip


def read(folder: Path) -> Portable:
    """What `describe` said of an exported folder.

    Raises:
        RequestError: it was not written, or by a newer mlrecipe; it is damaged, or a file beside it is gone; or
            the model needs code of its own project.
    """
    try:
        data = json.loads((folder / EXPORTED).read_text(encoding="utf-8"))
        if not isinstance(data, dict):
            raise _damaged(folder, "it is no object of JSON")
        version, head = data["version"], head_of(data["head"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RequestError(f"cannot read {str(folder / EXPORTED)!r}: {error}") from error
    if version != _VERSION:
        by = data.get("mlrecipe", "another version")
        raise RequestError(
            f"{str(folder)!r} was exported by mlrecipe {by}, which is newer", hint="update it"
        )
    _require_shape(data, folder)
    if data["needs"]:
        raise RequestError(
            f"the model in {str(folder)!r} needs the code of its project: {', '.join(data['needs'])}",
            hint="load the run that it was exported from, in its project",
        )
    _require_files(data, folder)
    return Portable(head=head, columns=data["columns"], request=_request(data, folder))


def _request(data: Mapping[str, Any], folder: Path) -> Request:
    """The request of the recipe that was written."""
    with tempfile.TemporaryDirectory(prefix="mlrecipe-") as made:
        place = Path(made) / "recipe.toml"
        (place.parent / ".mlrecipe").mkdir()  # a project by itself
        try:
            text = tomli_w.dumps(_placed(data["recipe"], folder))
            place.write_text(text, encoding="utf-8")
            name = str(data.get("run", folder.name))
            return read_request(place, name=name, of=repr(str(folder)))
        except RecipeError as error:
            raise _damaged(folder, f"recipe: {error.problems[0].message}") from error
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise _damaged(folder, f"recipe: {error}") from error


def _require_shape(data: Mapping[str, Any], folder: Path) -> None:
    """Raise unless what is read below is there."""
    for key, kind in (("needs", list), ("columns", dict), ("recipe", dict), ("files", list)):
        if not isinstance(data.get(key, [] if key == "files" else None), kind):
            raise _damaged(folder, f"{key} is {data.get(key)!r:.40}")
    odd = next((name for name, each in data["columns"].items() if not isinstance(each, dict)), None)
    if odd is not None:
        raise _damaged(folder, f"columns.{odd} is {data['columns'][odd]!r:.40}")
    for key in ("model", "nodes", "task", "train"):
        if not isinstance(data["recipe"].get(key), dict):
            raise _damaged(folder, f"recipe.{key} is {data['recipe'].get(key)!r:.40}")


def _require_files(data: Mapping[str, Any], folder: Path) -> None:
    """Raise unless the files are there that the folder was exported with; older exports do not name them."""
    missing = [str(name) for name in data.get("files", []) if not (folder / str(name)).is_file()]
    nodes = data["recipe"]["nodes"].values()
    is_here = any(isinstance(node, dict) and node.get("tokenizer") == _HERE for node in nodes)
    if "files" not in data and is_here:
        has_one = any((folder / name).is_file() for name in _VOCABULARIES)
        missing = [] if has_one else [_VOCABULARIES[0]]
    if missing:
        files = ", ".join(missing)
        raise RequestError(
            f"the model in {str(folder)!r} is not whole: it was exported with {files}, not there any more",
            hint="copy the whole folder, or export the run anew: mlrecipe export model RUN --output FOLDER",
        )


def _damaged(folder: Path, what: str) -> RequestError:
    return RequestError(
        f"{str(folder / EXPORTED)!r} is damaged: {what}",
        hint="export the run anew: mlrecipe export model RUN --output FOLDER",
    )


def _files(checkpoint: Path) -> list[str]:
    """The files that the model and its tokenizer are, by their names in the folder."""
    found = (path.relative_to(checkpoint) for path in checkpoint.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in found if path.as_posix() != RECORD)


def _node(
    node: Node, values: Mapping[str, Any], request: Request, checkpoint: Path,
    on_way: Mapping[str, Node],
) -> dict[str, Any]:  # fmt: skip
    """A node as it is kept: of a source no more than how its files were written."""
    is_foreign = bool(node.found.plugin) and node.name not in on_way
    if not node.inputs or is_foreign:
        is_files = node.spec.use == "load-files" and not node.found.plugin
        kept = {key: values[key] for key in _OF_FILES if is_files and key in values}
        return {"use": "load-files", "train": "rows", **kept}
    made = dict(values)
    tokenizer = node.arguments.get("tokenizer")
    if isinstance(tokenizer, str) and is_of_model(tokenizer, request, checkpoint):
        made |= {"tokenizer": _HERE}
        made.pop("revision", None)
    return made


def _model(values: Mapping[str, Any]) -> dict[str, Any]:
    """The model's table with the folder in the place of what it was made from."""
    made = {key: _HERE if key in _OF_MODEL else value for key, value in values.items()}
    return {key: value for key, value in made.items() if not key.endswith("revision")}


def _own(request: Request, on_way: Mapping[str, Node]) -> list[str]:
    """What of the project's own code predicting runs."""
    recipe = request.loaded.recipe
    found = {f"op {node.spec.use!r}" for node in on_way.values() if node.found.plugin}
    for kind, component in (("model", recipe.model), ("task", recipe.task)):
        known = request.catalog.find(kind, component.use) if component else None  # type: ignore[arg-type]
        if component and known and known.plugin:
            found.add(f"{kind} {component.use!r}")
    return sorted(found)


def _placed(recipe: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The recipe with the folder's path wherever it is meant; the rest as it was before it was written."""
    here = written(str(folder.resolve()))
    model = {k: here if k in _OF_MODEL else v for k, v in recipe["model"].items()}
    nodes = {
        name: {k: here if (k, v) == ("tokenizer", _HERE) else v for k, v in values.items()}
        for name, values in recipe["nodes"].items()
    }
    return {**recipe, "model": model, "nodes": nodes}
