"""Recorders and images as outputs of nodes: stored, inspected, taken by the next op."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from mlrecipe.cli import app
from tests.projects import Work

pytestmark = pytest.mark.heavy

OPS = '''
from pathlib import Path

import mlrecipe


@mlrecipe.op("judge")
def judge(*, rows: int = 5):
    """Predictions with a score."""
    from PIL import Image

    found = mlrecipe.Recorder(split="test")
    found.log_batch(row=range(rows), score=[n % 3 / 2 for n in range(rows)])
    found.set_column("drawn", [Image.new("L", (2, 2), n) for n in range(rows)])
    found.record(mean=0.5, by={"a": 1})
    return found


@mlrecipe.op("photos")
def photos(*, path: mlrecipe.File):
    """Paths of images."""
    from datasets import Dataset

    return Dataset.from_dict({"photo": sorted(p.name for p in Path(path).iterdir())})


@mlrecipe.op("shrink")
def shrink(data, *, folder: mlrecipe.File, scratch: Path):
    """Smaller images beside rows with their names."""

    @mlrecipe.image_paths("photo", base=folder, folder=scratch)
    def smaller(row):
        return {"photo": row["photo"].resize((1, 1))}

    return {"rows": data.map(smaller), "images": scratch}


@mlrecipe.op("sizes")
def sizes(rows, images):
    """Size of each image."""

    @mlrecipe.image_paths("photo", base=images, folder=images)
    def size(row):
        return {"size": list(row["photo"].size)}

    return rows.map(size)["size"][:]
'''

RECIPE = """
name = "judged"
plugins = ["ops.py"]

[nodes.judged]
use = "judge"

[nodes.best]
use = "top-rows"
inputs = ["judged"]
by = "score"
n = 2

[nodes.rows]
use = "export-rows"
inputs = ["judged"]
format = "jsonl"
columns = ["row", "drawn"]

[nodes.right]
use = "filter"
inputs = ["judged"]
column = "score"
min = 0.5

[nodes.photos]
use = "photos"
path = "photos"

[nodes.small]
use = "shrink"
inputs = ["photos"]
folder = "photos"

[nodes.sizes]
use = "sizes"
inputs = { rows = "small.rows", images = "small.images" }
"""


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """The project with an op that gives a recorder, all nodes made."""
    work = Work(tmp_path_factory.mktemp("judged"))
    work.write("ops.py", OPS)
    work.write("recipe.toml", RECIPE)
    (work.folder / "photos").mkdir()
    for name in "ab":
        Image.new("RGB", (4, 4), (7, 7, 7)).save(work.folder / "photos" / f"{name}.png")
    work.prepare().raise_failures()
    return work


@pytest.fixture
def cli(judged, monkeypatch, capsys):
    """What a command prints that is run in the project, in this process."""
    monkeypatch.chdir(judged.folder)

    def call(*arguments):
        assert app.run(list(arguments)) == 0
        return capsys.readouterr().out

    return call


def test_a_recorder_is_a_nodes_output(judged, cli):
    """`inspect` shows statistics, types and rows; the next node takes it; nothing runs again."""
    shown = cli("inspect", "judged", "recipe.toml")
    found = json.loads(cli("inspect", "judged", "recipe.toml", "--json"))
    rows = cli("inspect", "best", "recipe.toml", "--rows", "2")

    assert "Recorder" in shown
    assert "mean: 0.5" in shown
    assert found["summary"]["statistics"] == {"mean": 0.5, "by": {"a": 1}}
    assert found["summary"]["schema"]["drawn"] == "struct<image: binary>"
    assert "row: 2" in rows
    assert set(judged.statuses().values()) == {"hit"}


def test_more_rows_than_the_record_has_are_read_from_the_output(cli):
    """`inspect --rows` of a recorder tells images by their size."""
    rows = json.loads(cli("inspect", "judged", "recipe.toml", "--rows", "5", "--json"))["sample"]

    assert [row["row"] for row in rows[""]] == [0, 1, 2, 3, 4]
    assert rows[""][4]["drawn"]["image"].endswith(" bytes")


def test_a_page_of_a_recorder_has_its_statistics(cli, tmp_path):
    """`inspect --html`."""
    cli("inspect", "judged", "recipe.toml", "--html", str(tmp_path / "page.html"))

    assert "<td>mean</td>" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_experiment_10_the_graph_exports_rows(judged):
    """A node's output is the folder with the file, its images and the statistics."""
    folder = judged.output("rows")

    lines = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    assert [line["row"] for line in lines] == [0, 1, 2, 3, 4]
    with Image.open(folder / lines[3]["drawn"]) as image:
        assert image.getpixel((0, 0)) == 3
    assert json.loads((folder / "statistics.json").read_text()) == {"mean": 0.5, "by": {"a": 1}}


def test_ops_on_data_take_recorders(judged):
    """`filter` keeps rows, split and images, and leaves the statistics behind."""
    right = judged.output("right")

    assert right.column("row") == [1, 2, 4]
    assert (right.split, right.statistics) == ("test", {})
    assert right[0]["drawn"].getpixel((0, 0)) == 1


def test_experiment_09_images_of_a_node_are_found_by_the_next(judged):
    """Rows and images are stored together; equal images are one file."""
    assert judged.output("sizes") == [[1, 1], [1, 1]]
    assert len(list(judged.output("small")["images"].iterdir())) == 1
