"""Files of other frameworks are read whole, or refused with a place."""

from __future__ import annotations

import pytest

from mlrecipe.errors import RequestError
from mlrecipe.migration.source import read_json, read_yaml

DEEP = "[" * 3000 + "]" * 3000
LAUGHS = "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
"""A billion laughs, in a few lines."""

READERS = {".json": read_json, ".yaml": read_yaml}


@pytest.mark.parametrize(
    ("name", "text", "place", "message"),
    [
        ("c.json", '{"a": 1,\n "b": }', ":2:7", "not valid JSON"),
        ("c.json", '{"a": 1,\n "b": 2,\n "a": 3}', ":3", "'a' is there twice"),
        ("c.json", "[1]", ":1", "is a table"),
        ("c.yaml", "a: 1\nb: [1,\n", ":3:1", "not valid YAML"),
        ("c.yaml", "a: 1\nb:\n  c: 2\n  c: 3\n", ":4", "'c' is there twice"),
        ("c.yaml", "a: !!python/object:os.system 1\n", ":1:4", "not valid YAML"),
        ("c.yaml", "- 1\n", ":1", "is a table"),
        ("c.yaml", "a: &a [*a]\n", ":1", "an alias stands inside of what it repeats"),
        ("c.yaml", "b: 1\na: &a\n  c: {<<: *a}\n", ":2", "an alias stands inside"),
        ("c.yaml", LAUGHS, ":5", "more than 100000 values"),
        ("c.yaml", f"a: {DEEP}\n", "", "nested too deeply"),
        ("c.yaml", f"a: {'[' * 60}{']' * 60}\n", "", "more than 50 tables and lists"),
        ("c.yaml", "a: 2020-13-45\n", "", "not valid YAML: month"),
        ("c.yaml", 'a: "\\ud800"\n', "", "half a character"),
        ("c.json", f'{{"a": {DEEP}}}', "", "nested too deeply"),
        ("c.json", f'{{"a": {"9" * 5000}}}', "", "not valid JSON: exceeds"),
        ("c.json", '{"a": "\\ud800"}', "", "half a character"),
        ("c.yaml", "a: 1\nb:\n  - ${paths.out}/x\n", ":3", "'${paths.out}' is not resolved"),
    ],
)
def test_experiment_38_bad_files_are_named_with_their_line(tmp_path, name, text, place, message):
    """An error says which file, which line, what is wrong."""
    path = tmp_path / name
    path.write_text(text)

    with pytest.raises(RequestError, match=message.replace("$", r"\$")) as caught:
        READERS[path.suffix](path)

    assert f"{path}{place}:" in str(caught.value)


def test_experiment_38_an_unresolved_configuration_says_how_to_resolve_it(tmp_path):
    """Hydra's own command for it is named."""
    path = tmp_path / "c.yaml"
    path.write_text("out: ${hydra:runtime.output_dir}")

    with pytest.raises(RequestError, match="--cfg job --resolve"):
        read_yaml(path)


def test_aliases_are_read(tmp_path):
    """The same table in several places is in order, however deep."""
    path = tmp_path / "c.yaml"
    path.write_text("a: &a {b: &b [1]}\nc: {<<: *a, d: *a, e: [*b, *b]}\n")

    assert read_yaml(path)["c"] == {"b": [1], "d": {"b": [1]}, "e": [[1], [1]]}


def test_jsonnet_that_is_not_evaluated_is_told_apart(tmp_path):
    """A .jsonnet file is answered with the command that evaluates it."""
    path = tmp_path / "c.jsonnet"
    path.write_text("local a = 1; { b: a }")

    with pytest.raises(RequestError, match=r"jsonnet c\.jsonnet > c\.json"):
        read_json(path)


def test_yaml_numbers_are_those_of_hydra(tmp_path):
    """`1e-3` is a number for Hydra, whatever YAML 1.1 says."""
    path = tmp_path / "c.yaml"
    path.write_text("lr: 1e-3\nname: 1e\nlist: [2.5E+4]\n1: one\n")

    assert read_yaml(path) == {"lr": 0.001, "name": "1e", "list": [25000.0], "1": "one"}
