"""Sending a run that was kept offline to Weights & Biases, with what it was made from and what it made.

Nothing heavy is imported here.
"""

from __future__ import annotations

import json
import netrc
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from mlrecipe.errors import MlrecipeError, RequestError
from mlrecipe.runs import run as running
from mlrecipe.runs.manifest import RECIPE, inputs_of
from mlrecipe.runs.run import Run

if TYPE_CHECKING:
    import wandb

TRACKERS = "trackers.json"
"""In a train run: each of its loggers by name, with what it must be made with to add to what it has."""

FOLDER = "wandb"
"""In a run's directory: what W&B keeps of it."""

_HOST = "api.wandb.ai"
"""Where W&B was at first: keys for it serve elsewhere too."""

_PATIENCE = 15
"""Seconds that W&B may take to answer at all."""

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What W&B has kept of a run on this machine."""

    run: Run
    id: str
    """Of the run at W&B."""

    project: str
    """At W&B."""

    entity: str | None
    """Whose project it is; None: the user's own."""

    parts: tuple[Path, ...]
    """Its files, oldest first: one of the training, one more each time it was resumed or tested."""

    @property
    def unsent(self) -> tuple[Path, ...]:
        """Those that W&B does not have."""
        return tuple(part for part in self.parts if not _mark(part).exists())


def kept(run: Run) -> Kept:
    """What there is to send of a train run.

    Raises:
        RequestError: nothing is, for it had no offline run of W&B.
    """
    for name, tracker in _read(run.folder / TRACKERS).items():
        if isinstance(tracker, Mapping) and tracker.get("use") == "WandbLogger":
            table = _table(run, name)
            place = str(table.get("save_dir", run.folder)).replace("${run_dir}", str(run.folder))
            entity = table.get("entity")
            parts = sorted(Path(place, FOLDER).glob(f"offline-run-*/run-{tracker['id']}.wandb"))
            if parts:
                return Kept(
                    run=run, id=str(tracker["id"]), project=str(tracker.get("project", "")),
                    entity=str(entity) if entity else None, parts=tuple(parts),
                )  # fmt: skip
    hint = 'a training that is to be sent needs [train.loggers.wandb] with use = "WandbLogger"'
    raise RequestError(f"run {run.id} has kept nothing for W&B", hint=hint)


def check_ready() -> None:
    """Raise unless W&B is here, knows who the user is, and answers.

    Raises:
        RequestError: it is not installed, or there is no login.
        MlrecipeError: its server cannot be reached: its own commands would try for hours.
    """
    if find_spec("wandb") is None:
        raise RequestError("wandb is not installed", hint="pip install 'mlrecipe[wandb]'")
    if not has_login():
        hint = "set the environment variable WANDB_API_KEY, or type `wandb login`"
        raise RequestError("you are not logged in to W&B", hint=hint)
    _reach()


def has_login() -> bool:
    """Whether W&B knows who the user is, without asking anybody."""
    import wandb

    settings = wandb.setup().settings
    known = (os.environ.get("WANDB_API_KEY"), settings.api_key, settings.identity_token_file)
    return any(known) or _is_in_netrc(str(settings.base_url))


def _is_in_netrc(url: str) -> bool:
    """Whether `wandb login` has kept a key for the server."""
    home = Path.home()
    paths = (os.environ.get("NETRC"), home / ".netrc", home / "_netrc")
    for path in filter(None, paths):
        try:
            hosts = netrc.netrc(str(path)).hosts
        except (OSError, netrc.NetrcParseError):
            continue
        if {urlsplit(url).netloc, _HOST} & set(hosts):
            return True
    return False


def _reach() -> None:
    import wandb

    url = str(wandb.setup().settings.base_url)
    try:
        with urlopen(Request(url, method="HEAD"), timeout=_PATIENCE):  # noqa: S310  # W&B's own setting
            return
    except HTTPError:
        return  # it answers
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        hint = "all is kept in the run: try again when the network is there"
        raise MlrecipeError(f"W&B cannot be reached at {url}: {reason}", hint=hint) from error


def send(what: Kept, parts: Sequence[Path]) -> None:
    """Send files to W&B by its own `wandb sync`.

    Raises:
        MlrecipeError: it could not be done, so far as its own words tell why.
    """
    command = [sys.executable, "-m", "wandb", "sync", *(str(part.parent) for part in parts)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    left = [part for part in parts if not _mark(part).exists()]
    if done.returncode or left:
        said = [line for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
        reason = " ".join(said[-2:]).strip() or f"it ended with {done.returncode}"
        raise MlrecipeError(
            f"`wandb sync` did not send {what.run.id}: {reason}",
            hint="nothing is lost: try again when the network is there",
        )


def link(what: Kept) -> list[str]:
    """Tell W&B what the run was made from and what it made, as references; gives their names.

    Raises:
        MlrecipeError: W&B refused it.
    """
    import wandb

    try:
        at_wandb = wandb.init(
            id=what.id, project=what.project, entity=what.entity, resume="must", mode="online",
            dir=str(what.run.folder), settings=wandb.Settings(silent=True, console="off"),
        )  # fmt: skip
        used, made = list(inputs(what.run)), list(outputs(what.run))
        with at_wandb:
            for artifact in used:
                at_wandb.use_artifact(artifact)
            for artifact in made:
                at_wandb.log_artifact(artifact, aliases=["latest", what.id])
    except Exception as error:  # of W&B: the network, the login, the server
        message = f"W&B has the metrics of {what.run.id}, but not its lineage: {error}"
        raise MlrecipeError(message, hint="the same command tries again") from error
    return [artifact.name for artifact in [*used, *made]]


def inputs(run: Run) -> Iterator[wandb.Artifact]:
    """One artifact for each node that the run used: a reference to its output's digest, no content."""
    import wandb

    for node, facts in inputs_of(run).items():
        known = {key: facts.get(key) for key in ("op", "fingerprint", "digest", "files")}
        artifact = wandb.Artifact(_clean(node), type="dataset", metadata={**known, "node": node})
        artifact.add_reference(f"mlrecipe://store/{facts.get('digest')}", name=_clean(node))
        yield artifact


def outputs(run: Run) -> Iterator[wandb.Artifact]:
    """One artifact for each checkpoint, and for the predictions of each test: references to the files."""
    import wandb

    name = _clean(str(run.facts.get("name", "run")))
    tests = [
        each for each in running.every(run.folder.parent.parent)
        if each.facts.get("parent") == run.id and each.status == "finished"
    ]  # fmt: skip
    for each in [run, *tests]:
        for output, facts in _read(each.folder / "outputs.json").items():
            artifact = wandb.Artifact(
                f"{name}-{_clean(output)}", type="model" if each is run else "predictions",
                metadata={"run": each.id, "sha256": facts["sha256"]},
            )  # fmt: skip
            whole = each.folder / facts["path"]
            for file in facts["sha256"]:
                path = whole / file if whole.is_dir() else whole
                if path.is_file():
                    artifact.add_reference(path.resolve().as_uri(), name=file)
            yield artifact


def _mark(part: Path) -> Path:
    """What `wandb sync` puts beside a file that was sent."""
    return part.with_name(f"{part.name}.synced")


def _table(run: Run, name: str) -> Mapping[str, Any]:
    """A logger's table in the run's resolved recipe."""
    import tomli

    try:
        recipe = tomli.loads((run.folder / RECIPE).read_text(encoding="utf-8"))
        found: dict[str, Any] = recipe["train"]["loggers"][name]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return found


def _read(path: Path) -> dict[str, Any]:
    """A JSON file of a run; empty where it cannot be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _clean(name: str) -> str:
    return _NOT_IN_NAMES.sub("-", name).strip("-") or "unnamed"
