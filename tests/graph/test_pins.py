"""Which parameter tells a component what of the hub it is to load."""

from __future__ import annotations

import pytest

from mlrecipe.code.kinds import Kind
from mlrecipe.code.signatures import Parameter
from mlrecipe.graph.externals import External, digests
from mlrecipe.graph.pins import asked, is_commit, pin
from mlrecipe.recipe.deferred import Deferred

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER = COMMIT[::-1]
TEXT = Kind("union", (Kind("str"), Kind("none")))
COMMITS = {
    ("model", "a/b", "main"): COMMIT,
    ("model", "a/b", "v1"): OTHER,
    ("dataset", "a/b", "main"): OTHER,
}


def parameters(*names, **kinds):
    """Sources by name and kind, then texts."""
    made = {name: Parameter(name=name, kind=Kind(kind)) for name, kind in kinds.items()}
    return made | {name: Parameter(name=name, kind=TEXT, default=None) for name in names}


def named(**kinds):
    """Each parameter names `a/b`."""
    return {name: (External(kind=kind, text="a/b"),) for name, kind in kinds.items()}


def test_the_first_source_has_the_parameter_revision():
    """The op is told the commit, and the fingerprint has it."""
    known = parameters("revision", path="dataset")

    told, found = pin({"path": "a/b"}, named(path="dataset"), known, COMMITS)

    assert told == {"revision": OTHER}
    assert digests(found["path"][0]) == [("hub", f"a/b@{OTHER}")]


def test_another_source_has_a_parameter_of_its_own():
    """A tokenizer that is not the checkpoint's has another revision."""
    known = parameters("revision", "tokenizer_revision", checkpoint="model", tokenizer="tokenizer")
    values = {"checkpoint": "a/b", "revision": "v1", "tokenizer": "a/b"}

    told, found = pin(values, named(checkpoint="model", tokenizer="tokenizer"), known, COMMITS)

    assert told == {"revision": OTHER, "tokenizer_revision": COMMIT}
    assert [found[key][0].revision for key in ("checkpoint", "tokenizer")] == ["v1", "main"]


def test_a_source_without_such_a_parameter_goes_by_its_name():
    """It cannot be told what to load, so its result is not named by a commit."""
    known = parameters("revision", checkpoint="model", tokenizer="tokenizer")

    told, found = pin({"tokenizer": "a/b"}, named(tokenizer="tokenizer"), known, COMMITS)

    assert told == {}
    assert digests(found["tokenizer"][0]) == [("hub", "a/b")]
    assert asked(found["tokenizer"][0]) is None


def test_what_was_not_asked_yet_goes_by_its_name():
    """With what there is to ask."""
    told, found = pin(
        {"path": "a/b"}, named(path="model"), parameters("revision", path="model"), {}
    )

    assert told == {}
    assert asked(found["path"][0]) == ("model", "a/b", "main")


def test_a_commit_in_full_needs_no_answer():
    """It counts like a branch that was pinned to it."""
    known = parameters("revision", path="model")

    told, found = pin({"path": "a/b", "revision": COMMIT}, named(path="model"), known, {})

    assert told == {"revision": COMMIT}
    assert digests(found["path"][0]) == [("hub", f"a/b@{COMMIT}")]


def test_the_default_of_revision_is_asked_for():
    """Where the component has one."""
    known = parameters(path="model") | {
        "revision": Parameter(name="revision", kind=TEXT, default="v1")
    }

    assert pin({"path": "a/b"}, named(path="model"), known, COMMITS)[0] == {"revision": OTHER}


@pytest.mark.parametrize(
    ("values", "items"),
    [
        ({"path": ["a/b"]}, named(path="model")),
        ({"path": "x", "revision": "v1"}, {"path": (External(kind="model", text="x", path="/x"),)}),
        ({"path": "a/b", "revision": Deferred("${secret:X}")}, named(path="model")),
    ],
)
def test_nothing_is_told_of_lists_folders_and_secrets(values, items):
    """A list has many commits, a folder none, and a secret may not be asked about."""
    told, found = pin(values, items, parameters("revision", path="model"), COMMITS)

    assert told == {}
    assert asked(found["path"][0]) is None


@pytest.mark.parametrize("text", ["main", COMMIT[:-1], COMMIT + "0", COMMIT.upper(), f"{COMMIT}\n"])
def test_only_forty_small_digits_are_a_commit(text):
    """Anything else is asked."""
    assert not is_commit(text)
