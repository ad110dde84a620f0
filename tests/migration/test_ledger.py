"""The ledger knows what became of every leaf."""

from __future__ import annotations

import pytest

from mlrecipe.migration.ledger import NONE, OURS, Ledger, by_reason

VALUES = {"a": {"b": 1, "c": {"d": [1, 2], "e": {}}}, "f": [{"g": None}, 3], "x:y": "z"}


def test_what_nobody_asked_for_is_listed_as_unknown():
    """A key that no code looked at cannot vanish."""
    ledger = Ledger(VALUES)
    ledger.take("a", "b", to="train.b")

    dropped = ledger.close({"train": {"b": 1}}, "never heard of")

    assert [(item.key, item.value, item.why) for item in dropped] == [
        ("a.c", {"d": [1, 2], "e": {}}, "never heard of"),
        ("f", [{"g": None}, 3], "never heard of"),
        ('"x:y"', "z", "never heard of"),
    ]
    assert all(ledger.is_settled(leaf) for leaf in ledger.leaves())


def test_dropping_a_table_leaves_what_was_carried():
    """Only what is left below a table is listed, key by key."""
    ledger = Ledger(VALUES)
    ledger.take("a", "c", "d", to="nodes.d")

    ledger.drop("a", why=OURS)

    assert {item.key for item in ledger.close({"nodes": {"d": [1, 2]}}) if item.why == OURS} == {
        "a.b",
        "a.c.e",
    }


def test_a_list_of_tables_is_read_item_by_item():
    """Items of a list have leaves of their own."""
    ledger = Ledger(VALUES)
    ledger.take("f", 0, "g", to="g")
    ledger.drop("f", why=NONE)

    assert "f[1]" in {item.key for item in ledger.close({})}


@pytest.mark.parametrize(
    ("recipe", "why"),
    [({}, "nothing says it"), ({"train": {"b": 2}}, "train.b is set by another key")],
)
def test_what_the_recipe_does_not_say_is_not_carried(recipe, why):
    """A key that was taken and not written, or written over, is listed like one that was not taken."""
    ledger = Ledger({"a": {"b": 1, "c": 2}})
    ledger.take("a", "b", to="train.b")
    ledger.drop("a", why=OURS)

    assert [(item.key, item.why) for item in ledger.close(recipe)] == [
        ("a.b", f"{NONE}: {why}"), ("a.c", OURS),
    ]  # fmt: skip
    assert ledger.carried == {}


def test_a_value_may_be_said_in_another_way():
    """What counts is the value that the recipe was to have; left out is one too."""
    ledger = Ledger({"a": {"name": "my x", "off": None, "on": True}})
    ledger.take("a", "name", to="name", value="my-x")
    ledger.leave("a", "off", to="off")
    ledger.leave("a", "on", to="on")

    dropped = ledger.close({"name": "my-x", "on": False})

    assert [(item.key, item.why) for item in dropped] == [
        ("a.on", f"{NONE}: on is set by another key")
    ]


def test_secrets_are_not_shown():
    """A password is not repeated, wherever it is."""
    ledger = Ledger({"logger": {"api_key": "s3cret", "deep": [{"password": "s3cret"}]}})

    assert "s3cret" not in str(ledger.close({}))


def test_reasons_are_grouped_what_needs_attention_first():
    """What has no counterpart comes before what mlrecipe does itself."""
    ledger = Ledger({"a": 1, "b": 2, "c": 3})
    ledger.drop("a", why=f"{OURS}: so it is")
    ledger.drop("b", why=f"{NONE}: alas")

    found = by_reason(ledger.close({}, "unknown"))

    assert list(found) == [NONE, "unknown", OURS]
    assert [detail for _, detail in found[OURS]] == ["so it is"]
