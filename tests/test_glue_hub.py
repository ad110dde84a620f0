"""GLUE from a stand-in of the Hugging Face hub, beside GLUE from its TSV files."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from mlrecipe.builtin.ops.load_glue import load_glue
from tests import glue as small
from tests.hub import serving
from tests.projects import Work

pytestmark = pytest.mark.heavy

TASKS = ("rte", "stsb", "mnli")
NODE = "[nodes.{task}_{name}]\nuse = 'load-glue'\ntask = '{task}'\npath = '{path}'\n"


def repository(root: Path, scratch: Path) -> dict[str, bytes | str]:
    """The tasks as the hub keeps them: a configuration each, a Parquet file for each split."""
    files: dict[str, bytes | str] = {}
    configs = []
    for task in TASKS:
        configs.append(f"- config_name: {task}\n  data_files:")
        for split, rows in load_glue(task=task, path=str(root), scratch=scratch).items():
            content = io.BytesIO()
            rows.to_parquet(content)
            files[f"{task}/{split}-00000-of-00001.parquet"] = content.getvalue()
            configs.append(f"  - split: {split}\n    path: {task}/{split}-*")
    return {**files, "README.md": "---\nconfigs:\n" + "\n".join(configs) + "\n---\n"}


@pytest.mark.long
def test_the_hub_gives_the_same_data_as_the_files(tmp_path: Path) -> None:
    """To the last byte of what is stored, at a commit that the lock file names."""
    work = Work(tmp_path / "project")
    (work.folder / "ops.py").unlink()
    root = small.write(work.folder / "data")
    nodes = [
        NODE.format(task=task, name=name, path=path)
        for task in TASKS
        for name, path in (("files", "data"), ("hub", "nyu-mll/glue"))
    ]
    work.write("recipe.toml", "name = 'x'\n" + "".join(nodes))
    with serving() as hub:
        hub.dataset("nyu-mll/glue").push(repository(root, tmp_path))
        environment = hub.environment(tmp_path / "home")
        done = work.run("prepare", "recipe.toml", **environment)
        assert done.code == 0, done.err

    for task in TASKS:
        told = [
            json.loads(work.run("inspect", f"{task}_{name}", "recipe.toml", "--json").out)
            for name in ("files", "hub")
        ]
        assert told[0]["digest"] == told[1]["digest"]
    assert "nyu-mll/glue" in (work.folder / "recipe.toml.lock").read_text()


def test_another_data_set_of_the_hub_has_no_such_task(tmp_path: Path) -> None:
    """Said in those words, and where GLUE is."""
    work = Work(tmp_path / "project")
    work.write("recipe.toml", "name = 'x'\n" + NODE.format(task="rte", name="hub", path="me/rows"))
    with serving() as hub:
        hub.dataset("me/rows").push({"train.csv": "text,label\na,0\n", "README.md": ""})

        done = work.run("prepare", "recipe.toml", **hub.environment(tmp_path / "home"))

    assert done.code != 0
    assert (
        "nodes.rte_hub.path: 'me/rows' has no task 'rte'; the hub has GLUE as 'nyu-mll/glue'"
        in (" ".join(done.err.split()))
    )
