"""Where data come from does not matter: equal rows give equal output."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from mlrecipe.cli.app import run as command

pytestmark = pytest.mark.heavy

ROWS = [
    {"text": 'good, "really" good', "label": "pos", "stars": 5},
    {"text": "two\tcells?", "label": "neg", "stars": 1},
    {"text": "ünïcode 007", "label": "neg", "stars": 2},
]


def write(folder: Path, kind: str) -> Path:
    """The rows as a file or folder of that kind."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / f"rows.{kind}"
    if kind == "csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, ROWS[0])
            writer.writeheader()
            writer.writerows(ROWS)
    elif kind == "tsv":
        lines = ["\t".join(ROWS[0])]
        lines += ["\t".join(str(v) for v in row.values()) for row in ROWS]
        path.write_text("\n".join(lines) + "\n")
    elif kind == "json":
        path.write_text(json.dumps(ROWS))
    elif kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    elif kind == "parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    elif kind == "arrow":
        table = pa.Table.from_pylist(ROWS)
        with path.open("wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
    else:
        path = folder / "hub"
        (path / "data").mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(ROWS), path / "data" / "train-00000-of-00001.parquet")
    return path


def digest(project: Path, path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The digest of a node that loads the file."""
    loader = "load-dataset" if path.is_dir() else "load-files"
    key = "path" if path.is_dir() else "train"
    recipe = project / f"{path.name.replace('.', '-')}.toml"
    recipe.write_text(f'name = "x"\n[nodes.rows]\nuse = "{loader}"\n{key} = "{path.name}"\n')
    assert command(["prepare", str(recipe)]) == 0
    capsys.readouterr()
    assert command(["inspect", "rows", str(recipe), "--json"]) == 0
    return str(json.loads(capsys.readouterr().out)["digest"])


@pytest.mark.parametrize("kind", ["json", "jsonl", "parquet", "arrow", "hub"])
def test_training_13_every_format_gives_the_same_output(
    project: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    """JSON, JSON Lines, Parquet, Arrow and the hub's layout give what CSV gives."""
    assert digest(project, write(project, kind), capsys) == digest(
        project, write(project, "csv"), capsys
    )


def test_training_13_tsv_gives_the_same_output(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """TSV too, for texts that it can hold."""
    monkeypatch.setitem(ROWS[1], "text", "no tab")

    assert digest(project, write(project, "tsv"), capsys) == digest(
        project, write(project, "csv"), capsys
    )
