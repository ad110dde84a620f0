"""Making projects: the demo, and one for a table."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import tomli

from mlrecipe.errors import DataError, RequestError
from mlrecipe.scaffold.project import create

DEMO = {
    ".gitignore",
    "demo.toml",
    "ops.py",
    "data/reviews.csv",
    "models/tiny/config.json",
    "models/tiny/tokenizer.json",
    "models/tiny/tokenizer_config.json",
}


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    """A table of a person's own, in a folder that is no project."""
    rows = [f"some words of row {n},{'good' if n % 2 else 'bad'}" for n in range(40)]
    path = tmp_path / "home" / "my reviews.csv"
    path.parent.mkdir()
    path.write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    return path


def _files(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def _train(recipe: Path) -> str:
    train = tomli.loads(recipe.read_text(encoding="utf-8"))["nodes"]["table"]["train"]
    assert isinstance(train, str)
    return train


def test_experiment_1_the_demo_has_all_that_its_recipe_names(tmp_path: Path) -> None:
    """Recipe, data, model, an example of an op, and the folder that makes it a project."""
    folder = tmp_path / "new" / "one"

    written = create(folder)

    assert {str(path.relative_to(folder)) for path in written} == DEMO == _files(folder)
    assert (folder / ".mlrecipe").is_dir()
    recipe = tomli.loads((folder / "demo.toml").read_text(encoding="utf-8"))
    assert (folder / recipe["nodes"]["table"]["train"]).is_file()
    assert (folder / recipe["nodes"]["tokens"]["tokenizer"] / "tokenizer.json").is_file()
    assert (folder / recipe["model"]["config"] / "config.json").is_file()
    assert "plugins" not in recipe


def test_the_example_op_is_what_the_recipe_says(tmp_path: Path) -> None:
    """ops.py registers `mask-numbers`, and is Python."""
    create(tmp_path / "demo")

    tree = ast.parse((tmp_path / "demo" / "ops.py").read_text(encoding="utf-8"))

    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert [ast.unparse(f.decorator_list[0]) for f in functions] == ["mlrecipe.op('mask-numbers')"]


def test_a_new_folder_is_as_open_as_any(tmp_path: Path) -> None:
    """It is not closed to others as temporary folders are."""
    (tmp_path / "plain").mkdir()

    create(tmp_path / "demo")

    assert (tmp_path / "demo").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_training_9_a_table_gets_a_recipe_beside_it(csv: Path) -> None:
    """The recipe is named after the table, which it names by a relative path and does not copy."""
    create(csv.parent, table=csv)

    assert _train(csv.parent / "my-reviews.toml") == "my reviews.csv"
    assert (csv.parent / ".mlrecipe").is_dir()
    assert not (csv.parent / "data").exists()


def test_a_table_elsewhere_is_named_from_the_folder(csv: Path, tmp_path: Path) -> None:
    """Large files are not copied."""
    create(tmp_path / "work" / "p", table=csv, name="p")

    assert _train(tmp_path / "work" / "p" / "p.toml") == "../../home/my reviews.csv"


def test_inside_of_a_project_no_second_one_is_made(csv: Path, tmp_path: Path) -> None:
    """A recipe in a project's subfolder shares the project's store."""
    (tmp_path / ".mlrecipe").mkdir()

    create(csv.parent, table=csv)

    assert not (csv.parent / ".mlrecipe").exists()
    assert not (csv.parent / ".gitignore").exists()


def test_files_that_are_there_are_never_changed(tmp_path: Path) -> None:
    """The error names the file, and nothing at all was written."""
    (tmp_path / "demo.toml").write_text("mine", encoding="utf-8")

    with pytest.raises(RequestError, match=r"there already: .*demo\.toml"):
        create(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["demo.toml"]
    assert (tmp_path / "demo.toml").read_text(encoding="utf-8") == "mine"


def test_a_recipe_that_is_there_is_said_even_where_it_is_equal(csv: Path) -> None:
    """Asking twice for the same is a mistake, not silence."""
    create(csv.parent, table=csv)

    with pytest.raises(RequestError, match=r"my-reviews\.toml"):
        create(csv.parent, table=csv)


def test_a_second_table_shares_the_small_model(csv: Path) -> None:
    """Equal files and the folder's own `.gitignore` are left as they are."""
    (csv.parent / ".gitignore").write_text("*.csv\n", encoding="utf-8")
    other = csv.with_name("other.csv")
    other.write_bytes(csv.read_bytes())
    create(csv.parent, table=csv)

    written = create(csv.parent, table=other)

    assert [path.name for path in written] == ["other.toml"]
    assert (csv.parent / ".gitignore").read_text(encoding="utf-8") == "*.csv\n"


def test_a_table_that_cannot_be_used_leaves_nothing(tmp_path: Path) -> None:
    """The table is looked at before anything is written."""
    with pytest.raises(DataError):
        create(tmp_path / "p", table=tmp_path / "none.csv")

    assert list(tmp_path.iterdir()) == []


def test_what_was_moved_is_taken_back_when_a_file_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder in the way of a later file leaves no half of a project."""
    import os

    real, calls = os.link, []

    def fail_late(source: Path, target: Path) -> None:
        calls.append(target)
        if len(calls) == len(DEMO):
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "link", fail_late)

    with pytest.raises(RequestError, match="No space left on device"):
        create(tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    """`new` wants a folder."""
    (tmp_path / "p").write_text("", encoding="utf-8")

    with pytest.raises(RequestError, match="is a file, not a folder"):
        create(tmp_path / "p")


def test_nothing_heavy_is_imported(tmp_path: Path) -> None:
    """Making a project needs no library of data or training."""
    code = (
        "import sys; from pathlib import Path; from mlrecipe.scaffold.project import create;"
        f"create(Path({str(tmp_path / 'p')!r}));"
        "heavy = {'torch', 'numpy', 'pandas', 'pyarrow', 'datasets', 'transformers'};"
        "sys.exit(', '.join(heavy & set(sys.modules)) or None)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
