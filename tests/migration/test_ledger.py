"""The ledger knows what became of every leaf."""

from __future__ import annotations

from mlrecipe.migration.ledger import NONE, OURS, Ledger, by_reason

VALUES = {"a": {"b": 1, "c": {"d": [1, 2], "e": {}}}, "f": [{"g": None}, 3], "x:y": "z"}


def test_what_nobody_asked_for_is_listed_as_unknown():
    """A key that no code looked at cannot vanish."""
    ledger = Ledger(VALUES)
    ledger.take("a", "b", to="train.b")

    dropped = ledger.close("never heard of")

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

    assert {item.key for item in ledger.close() if item.why == OURS} == {"a.b", "a.c.e"}


def test_a_list_of_tables_is_read_item_by_item():
    """Items of a list have leaves of their own."""
    ledger = Ledger(VALUES)
    ledger.take("f", 0, "g", to="g")
    ledger.drop("f", why=NONE)

    assert "f[1]" in {item.key for item in ledger.close()}


def test_secrets_are_not_shown():
    """A password is not repeated, wherever it is."""
    ledger = Ledger({"logger": {"api_key": "s3cret", "deep": [{"password": "s3cret"}]}})

    assert "s3cret" not in str(ledger.close())


def test_reasons_are_grouped_what_needs_attention_first():
    """What has no counterpart comes before what mlrecipe does itself."""
    ledger = Ledger({"a": 1, "b": 2, "c": 3})
    ledger.drop("a", why=f"{OURS}: so it is")
    ledger.drop("b", why=f"{NONE}: alas")

    found = by_reason(ledger.close("unknown"))

    assert list(found) == [NONE, "unknown", OURS]
    assert [detail for _, detail in found[OURS]] == ["so it is"]
