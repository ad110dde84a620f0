"""Images in recorders, and behind the paths of a data set's column."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from datasets import Dataset
from PIL import Image

from mlrecipe import DataError, Recorder, image_paths
from mlrecipe.builtin.formats.recorder import RecorderFormat

pytestmark = pytest.mark.heavy


@pytest.fixture
def photos(tmp_path) -> Dataset:
    """Three rows with paths of images of 4 by 2 pixels, relative to the folder of the test."""
    for n, name in enumerate("abc"):
        Image.new("RGB", (4, 2), (n, 0, 0)).save(tmp_path / f"{name}.jpg")
    return Dataset.from_dict({"photo": ["a.jpg", "b.jpg", "c.jpg"], "label": [0, 1, 0]})


def opened(path: Path) -> Image.Image:
    """The image, its file closed."""
    with Image.open(path) as image:
        return image.copy()


def pixels(image: Image.Image) -> tuple[str, tuple[int, int], bytes]:
    return image.mode, image.size, image.tobytes()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_experiment_10_images_come_back_as_they_were(mode, tmp_path):
    """Kept as PNG in memory and as files in the store, each mode with its pixels."""
    image = Image.new(mode, (3, 2))
    image.putpixel((1, 1), 1 if len(image.getbands()) == 1 else (9, 8, 7, 6)[: len(mode)])
    recorder = Recorder()
    recorder.log(drawn=image)
    RecorderFormat().save(recorder, tmp_path)

    stored = RecorderFormat().load(tmp_path)

    assert pixels(recorder[0]["drawn"]) == pixels(stored.column("drawn")[0]) == pixels(image)
    assert stored == recorder


def test_experiment_10_images_are_files_in_the_store(tmp_path):
    """Equal ones share one; they are named by their content."""
    recorder = Recorder()
    recorder.log_batch(drawn=[Image.new("L", (1, 1), n) for n in (0, 0, 1)])
    recorder.set_column("pages", [[Image.new("L", (1, 1), 0)], [], None])

    RecorderFormat().save(recorder, tmp_path)

    names = sorted(path.name for path in (tmp_path / "images").iterdir())
    assert len(names) == 2
    assert all(len(name) == 68 and name.endswith(".png") for name in names)


def test_an_image_keeps_nothing_but_its_pixels():
    """Equal pixels are equal bytes, whatever file they came from."""
    plain, told = Image.new("RGB", (2, 2)), Image.new("RGB", (2, 2))
    told.info = {"dpi": (300, 300), "comment": "by me"}
    recorder = Recorder()

    recorder.log_batch(drawn=[plain, told])

    assert len({recorder.table["drawn"].to_pylist()[n]["image"] for n in range(2)}) == 1


def test_an_image_that_changes_later_stays_as_it_was_logged():
    """The recorder has its own pixels."""
    image = Image.new("L", (2, 2), 5)
    recorder = Recorder()
    recorder.log(drawn=image)

    image.putpixel((0, 0), 200)

    assert recorder[0]["drawn"].getpixel((0, 0)) == 5


def test_an_image_of_numbers_that_png_cannot_hold_is_refused():
    """Floats would be cut to 8 bits."""
    with pytest.raises(DataError, match=r"mode 'F' cannot be kept as PNG; convert it first"):
        Recorder().log(drawn=Image.new("F", (1, 1)))


def test_without_pillow_the_error_names_the_extra():
    """Rows with images can be stored and loaded, but not looked at."""
    script = """
        import sys
        sys.modules["PIL"] = None
        import pyarrow as pa
        from mlrecipe import Recorder
        rows = Recorder(pa.table({"drawn": pa.array([{"image": b"x"}])}))
        assert rows.take([0]).column_names == ["drawn"]
        try:
            rows.column("drawn")
        except Exception as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", "if True:" + script], capture_output=True, text=True, check=True
    )

    told = "images need Pillow, which is not installed; pip install 'mlrecipe[images]'"
    assert done.stdout.strip() == told


def test_experiment_09_a_function_of_map_gets_images_and_gives_paths(photos, tmp_path):
    """Images that it returns are files named by their content; the data set has their names."""

    @image_paths("photo", folder=tmp_path / "out", base=tmp_path)
    def smaller(row):
        return {"photo": row["photo"].resize((2, 1)), "width": row["photo"].width}

    found = photos.map(smaller)

    assert found["width"][:] == [4, 4, 4]
    assert found["label"][:] == [0, 1, 0]
    assert all(opened(tmp_path / "out" / name).size == (2, 1) for name in found["photo"])
    assert all(Path(name).suffix == ".png" for name in found["photo"])
    assert str(found.features["photo"].dtype) == "string"


def test_experiment_09_batches_and_several_images_to_a_row(photos, tmp_path):
    """In a batch columns are lists; a row may have a list of paths, and null stays None."""
    rows = photos.add_column("pages", [["a.jpg", "b.jpg"], [], None])

    @image_paths("photo", "pages", folder=tmp_path / "out", base=tmp_path)
    def turned(batch):
        return {
            "photo": [image.rotate(90, expand=True) for image in batch["photo"]],
            "thumb": [pages and pages[0].resize((1, 1)) for pages in batch["pages"]],
            "count": [pages if pages is None else len(pages) for pages in batch["pages"]],
        }

    found = rows.map(turned, batched=True)

    assert [opened(tmp_path / "out" / name).size for name in found["photo"]] == [(2, 4)] * 3
    assert found["count"][:] == [2, 0, None]
    assert opened(tmp_path / "out" / found["thumb"][0]).size == (1, 1)
    assert found["pages"][:] == [["a.jpg", "b.jpg"], [], None]


def test_experiment_09_an_image_that_was_only_read_keeps_its_path(photos, tmp_path):
    """A function may return its row as it is: only what is named as an output is written."""

    @image_paths("photo", folder=tmp_path / "out", base=tmp_path, outputs=["thumb"])
    def measured(row):
        row["thumb"] = row["photo"].resize((1, 1))
        return row

    found = photos.map(measured)

    assert found["photo"][:] == ["a.jpg", "b.jpg", "c.jpg"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(found["thumb"])


def test_experiment_09_every_image_that_is_returned_is_in_the_folder(photos, tmp_path):
    """Changed, changed in place or not at all: all paths of a column begin in one place."""

    @image_paths("photo", folder=tmp_path / "out", base=tmp_path)
    def some(row):
        if row["label"]:
            row["photo"].thumbnail((2, 2))
        return row

    found = photos.map(some)

    sizes = [opened(tmp_path / "out" / name).size for name in found["photo"]]
    assert sizes == [(4, 2), (2, 1), (4, 2)]


def test_a_new_image_in_a_column_that_is_no_output_is_refused(tmp_path):
    """It would have no path."""
    draw = image_paths(folder=tmp_path, outputs=["thumb"])
    make = draw(lambda row: {"other": Image.new("L", (1, 1))})

    with pytest.raises(DataError, match="'other' has a new image, and is not one of `outputs`"):
        make({})


def test_experiment_09_arguments_of_map_reach_the_function(photos, tmp_path):
    """Indices, and `fn_kwargs`."""

    @image_paths("photo", folder=tmp_path / "out", base=tmp_path)
    def numbered(row, index, *, add):
        return {"n": index + add}

    assert photos.map(numbered, with_indices=True, fn_kwargs={"add": 5})["n"][:] == [5, 6, 7]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"photo": "gone.jpg"}, r"column 'photo': there is no image 'gone.jpg'"),
        ({"photo": "text.txt"}, "column 'photo': 'text.txt': it is no image that Pillow knows"),
        ({"photos": "a.jpg"}, "no column 'photo'; did you mean 'photos'"),
        ({"photo": 3}, "holds values of type 'int', not paths"),
    ],
)
def test_a_path_that_leads_nowhere_is_told(row, told, tmp_path):
    """With the column and the path."""
    (tmp_path / "text.txt").write_text("no image")
    look = image_paths("photo", folder=tmp_path, base=tmp_path)(lambda row: row)

    with pytest.raises(DataError, match=told):
        look(row)


def test_plugins_that_import_the_decorator_stay_light():
    """Neither it nor `mlrecipe` itself brings along what is heavy."""
    script = (
        "import sys; from mlrecipe import image_paths; from mlrecipe.recorder import metrics_of;"
        "print(*sorted({'pyarrow', 'numpy', 'PIL', 'torch'} & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == ""
