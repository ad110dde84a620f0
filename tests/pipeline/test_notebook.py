"""`mlrecipe.output`: a node's value in Python."""

from __future__ import annotations

import pytest

import mlrecipe
from mlrecipe.builtin.formats.plain import JsonFormat
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
    with pytest.raises(RequestError, match="has no entry 'od'; it has: even, odd; did you"):
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


def test_one_override_may_be_a_text(work):
    """Of which the letters are no overrides."""
    with (work.folder / "recipe.toml").open("a") as file:
        file.write("\n[variant.size.two.nodes.first]\ncount = 2\n")

    assert mlrecipe.output("recipe.toml", "first", set="nodes.first.start=7") == [7, 8, 9, 10]
    assert mlrecipe.output("recipe.toml", "first", pick="size=two") == [0, 1]


def test_an_entry_of_what_has_none(work):
    """An error to catch, with what there is."""
    with pytest.raises(RequestError) as caught:
        mlrecipe.output("recipe.toml", "first.x")

    assert str(caught.value) == "the output of 'first' has no entry 'x'; it has: none"


def test_store_42_an_output_is_noted_as_in_use_until_it_is_loaded(work, monkeypatch):
    """So that a gc elsewhere leaves it alone: one that is a hit too."""
    work.edit("recipe.toml", "start = 10\ncount = 4", "start = 10\ncount = 9000")
    mlrecipe.output("recipe.toml", "second")
    digest = work.store.latest("recipe.toml", "second").digest
    seen = []
    load = JsonFormat.load

    def looking(self, folder):
        seen.extend(path.read_text() for path in work.store.paths.tmp.glob("*/uses"))
        return load(self, folder)

    monkeypatch.setattr(JsonFormat, "load", looking)

    assert len(mlrecipe.output("recipe.toml", "second")) == 9000

    assert digest in "".join(seen)
    assert not list(work.store.paths.tmp.glob("*/uses"))


def test_store_20_a_damaged_output_is_computed_anew_with_a_warning(work):
    """At the line that asked for it; the command line warns of it too."""
    assert mlrecipe.output("recipe.toml", "sum") == [10, 12, 14, 16]
    path = work.store.paths.record(work.store.latest("recipe.toml", "sum").fingerprint)
    path.chmod(0o644)
    path.write_text(path.read_text().replace("[10,12", "[66,12"))

    with pytest.warns(UserWarning, match="the stored output of 'sum' cannot be used") as caught:
        assert mlrecipe.output("recipe.toml", "sum") == [10, 12, 14, 16]

    assert [warning.filename for warning in caught] == [__file__]


def test_who_listens_is_told_of_it_instead(work, heard):
    """An event is no warning of Python then."""
    mlrecipe.output("recipe.toml", "sum")
    path = work.store.paths.record(work.store.latest("recipe.toml", "sum").fingerprint)
    path.chmod(0o644)
    path.write_text(path.read_text().replace("[10,12", "[66,12"))

    mlrecipe.output("recipe.toml", "sum")

    assert any("the stored output of 'sum'" in getattr(event, "text", "") for event in heard)
