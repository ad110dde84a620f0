"""Projects, recipes and plugins: which file is meant, and which may not be."""

from __future__ import annotations

import pytest

from mlrecipe.errors import RequestError
from mlrecipe.recipe.project import find_recipe, plugin, project_of, recipes_in, shown


def test_a_project_is_the_nearest_folder_with_a_marker(tmp_path):
    """`.mlrecipe` or `pyproject.toml`, at or above the recipe's folder."""
    (tmp_path / "outer" / "inner" / "deep").mkdir(parents=True)
    (tmp_path / "outer" / "pyproject.toml").touch()

    assert project_of(tmp_path / "outer" / "inner" / "deep") == tmp_path / "outer"

    (tmp_path / "outer" / "inner" / ".mlrecipe").mkdir()

    assert project_of(tmp_path / "outer" / "inner" / "deep") == tmp_path / "outer" / "inner"


def test_a_folder_without_any_marker_is_its_own_project(tmp_path):
    """A lone recipe belongs to its folder."""
    assert project_of(tmp_path) == tmp_path


def test_a_recipe_is_found_here_or_among_the_projects_recipes(tmp_path):
    """With or without `.toml`; a file here comes first."""
    (tmp_path / ".mlrecipe").mkdir()
    (tmp_path / "recipes").mkdir()
    (tmp_path / "here").mkdir()
    for name in ("recipes/a.toml", "recipes/b.toml", "here/a.toml"):
        (tmp_path / name).touch()

    assert find_recipe("a.toml", here=tmp_path / "here") == tmp_path / "here" / "a.toml"
    assert find_recipe("b", here=tmp_path / "here") == tmp_path / "recipes" / "b.toml"


def test_an_unknown_recipe_names_the_nearest(tmp_path):
    """Or says that there are none."""
    (tmp_path / "imdb.toml").touch()

    with pytest.raises(
        RequestError, match=r"no recipe 'imbd.toml' here; did you mean 'imdb.toml'\?"
    ):
        find_recipe("imbd.toml", here=tmp_path)


def test_a_folder_is_no_recipe(tmp_path):
    """The message says so."""
    (tmp_path / "here").mkdir()

    with pytest.raises(RequestError, match="'here' is a folder, not a recipe"):
        find_recipe("here", here=tmp_path)


def test_paths_are_shown_as_the_user_knows_them(tmp_path):
    """Relative to where they are, unless that is far away."""
    here = tmp_path / "a"

    assert shown(tmp_path / "a" / "r.toml", here=here) == "r.toml"
    assert shown(tmp_path / "b" / "r.toml", here=here) == "../b/r.toml"
    assert shown(tmp_path / "r.toml", here=here / "x" / "y" / "z") == str(tmp_path / "r.toml")


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "project"
    (root / "code").mkdir(parents=True)
    for path in (root / "ops.py", root / "code" / "more.py", tmp_path / "outside.py"):
        path.write_text("")
    (root / "notes.txt").touch()
    (root / "my-ops.py").touch()
    (root / "link.py").symlink_to(tmp_path / "outside.py")
    (root / "folder").symlink_to(tmp_path)
    (root / "inside.py").symlink_to(root / "ops.py")
    return root


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("ops.py", "ops"),
        ("code/more.py", "code.more"),
        ("code/../ops.py", "ops"),
        ("inside.py", "ops"),
    ],
)
def test_a_plugin_inside_the_project_is_a_module_of_it(folder, name, module):
    """Named by where the file really lies."""
    assert plugin(name, base=folder, project=folder).module == f"mlrecipe_project.{module}"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("{root}/ops.py", "must be a path inside the project, not an absolute one"),
        ("~/ops.py", "must be a path inside the project, not an absolute one"),
        ("../outside.py", "lies outside the project 'project'"),
        ("link.py", "lies outside the project 'project'"),
        ("folder/outside.py", "lies outside the project 'project'"),
        ("opps.py", "no plugin file 'opps.py'; did you mean 'ops.py'?"),
        ("notes.txt", "must be a .py file"),
        ("my-ops.py", "must be a .py file whose path is made of Python names"),
        ("code", "no plugin file 'code'"),
    ],
)
def test_recipe_35_a_plugin_outside_the_project_is_refused(folder, name, message):
    """Absolute, home, parent and symlinked-out paths, and what is no Python module."""
    with pytest.raises(RequestError) as caught:
        plugin(name.format(root=folder), base=folder, project=folder)

    assert message in str(caught.value)


def test_the_recipes_of_a_folder(tmp_path):
    """No variants, runs, hidden files or settings, and nothing that another recipe extends."""
    for name in ("a.toml", "sub/b.toml", "base/c.toml", "variants/m/d.toml", "runs/x/e.toml",
                 ".hidden/f.toml", "pyproject.toml"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "a.toml").write_text('extends = ["base/c.toml", "no.toml"]\n')
    (tmp_path / "broken.toml").write_text("= 1")

    found = [str(path.relative_to(tmp_path)) for path in recipes_in(tmp_path)]

    assert found == ["a.toml", "broken.toml", "sub/b.toml"]
