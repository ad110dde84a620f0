"""`mlrecipe.output`: a node's value in Python."""

from __future__ import annotations

import pytest

import mlrecipe
from mlrecipe.errors import RecipeError, RequestError


@pytest.fixture(autouse=True)
def there(work, monkeypatch):
    monkeypatch.chdir(work.folder)


def test_a_node_is_computed_once(work):
    """With what it needs and no more; then it comes from the store."""
    assert mlrecipe.output("recipe.toml", "sum") == [10, 12, 14, 16]
    assert work.ran() == ["numbers", "numbers", "add"]
    assert mlrecipe.output("recipe", "sum") == [10, 12, 14, 16]
    assert work.ran() == []


def test_overrides_are_as_on_the_command_line(work):
    """`set` and `pick`."""
    with (work.folder / "recipe.toml").open("a") as file:
        file.write("\n[variant.size.two.nodes.first]\ncount = 2\n")

    assert mlrecipe.output("recipe.toml", "first", set=["nodes.first.start=7"]) == [7, 8, 9, 10]
    assert mlrecipe.output("recipe.toml", "first", pick=["size=two"]) == [0, 1]


def test_an_entry_of_an_output(work):
    """As in `inputs`."""
    with (work.folder / "recipe.toml").open("a") as file:
        file.write('\n[nodes.halves]\nuse = "parity"\ninputs = ["first"]\n')

    assert mlrecipe.output("recipe.toml", "halves.odd") == [1, 3]
    with pytest.raises(RequestError, match="has no entry 'od'; did you mean 'odd'"):
        mlrecipe.output("recipe.toml", "halves.od")


def test_mistakes_are_errors_to_catch(work):
    """Of the recipe and of the node's name."""
    with pytest.raises(RequestError, match="no node 'smu'; did you mean 'sum'"):
        mlrecipe.output("recipe.toml", "smu")
    work.edit("recipe.toml", "start = 10", "strat = 10")
    with pytest.raises(RecipeError, match="did you mean 'start'"):
        mlrecipe.output("recipe.toml", "sum")


def test_mlrecipe_has_nothing_else_by_that_name():
    """A misspelt attribute is one."""
    with pytest.raises(AttributeError, match="'outptu'"):
        _ = mlrecipe.outptu
