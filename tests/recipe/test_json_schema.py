"""The JSON Schema of recipes: what it accepts, refuses and says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tomli
from jsonschema import Draft7Validator

from mlrecipe.code.catalog import Catalog
from mlrecipe.recipe.json_kinds import of_parameter
from mlrecipe.recipe.json_schema import build
from mlrecipe.recipe.shape import component_kind, spec
from mlrecipe.scaffold.project import create

ROOT = Path(__file__).parents[2]
COMPONENTS = {
    "op": ("nodes", "x"),
    "model": ("model",),
    "task": ("task",),
    "optimizer": ("train", "optimizer"),
    "scheduler": ("train", "scheduler"),
    "callback": ("train", "callbacks", "x"),
    "logger": ("train", "loggers", "x"),
}
WHOLE = """
name = "whole"
[nodes.rows]
use = "load-files"
train = "a.csv"
[nodes.tokens]
use = "tokenize"
inputs = ["rows"]
tokenizer = "models/tiny"
[model]
use = "transformer"
config = "models/tiny"
[task]
use = "text-classification"
[train]
data = "tokens"
"""


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """What comes with mlrecipe."""
    return Catalog()


@pytest.fixture(scope="module")
def schema(catalog: Catalog) -> dict[str, Any]:
    """The schema of recipes without plugins, in a project whose recipes have two nodes."""
    return build(catalog, node_names=["tokens", "rows"])


def _problems(schema: dict[str, Any], text: str) -> list[str]:
    return [e.message for e in Draft7Validator(schema).iter_errors(tomli.loads(text))]


def _branch(schema: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    (found,) = [b for b in schema["definitions"][kind]["anyOf"] if b.get("title") == name]
    assert isinstance(found, dict)
    return found


def test_the_schema_is_valid_itself(schema: dict[str, Any]) -> None:
    """It is JSON Schema as draft-07 has it, and JSON."""
    Draft7Validator.check_schema(schema)

    assert json.loads(json.dumps(schema, allow_nan=False)) == schema


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.toml")), ids=lambda p: p.name)
def test_recipe_38_every_shipped_recipe_validates(schema: dict[str, Any], path: Path) -> None:
    """Nothing in recipes/ is refused."""
    assert _problems(schema, path.read_text(encoding="utf-8")) == []


def test_recipe_38_the_recipes_that_new_writes_validate(
    schema: dict[str, Any], tmp_path: Path
) -> None:
    """The demo's recipe, and one for a person's own table."""
    table = tmp_path / "reviews.csv"
    rows = [f"some words of row {n},{'good' if n % 2 else 'bad'}" for n in range(40)]
    table.write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    create(tmp_path / "demo")
    create(tmp_path / "own", table=table)

    for path in (tmp_path / "demo" / "demo.toml", tmp_path / "own" / "reviews.toml"):
        assert _problems(schema, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("value", ["0.1", "1", '"${train.lr}"', '"${env:WARMUP:-0.1}"'])
def test_recipe_39_a_reference_stands_for_a_number(schema: dict[str, Any], value: str) -> None:
    """Where a float is asked for, a number or a text with a reference may stand."""
    text = f'name = "x"\n[train.scheduler]\nuse = "linear"\nwarmup = {value}'

    assert _problems(schema, text) == []


@pytest.mark.parametrize("value", ['"long"', '"0.1"', "true", "[0.1]"])
def test_recipe_39_other_texts_are_no_numbers(schema: dict[str, Any], value: str) -> None:
    """A text without a reference is refused where a float is asked for, as `check` refuses it."""
    text = f'name = "x"\n[train.scheduler]\nuse = "linear"\nwarmup = {value}'

    assert len(_problems(schema, text)) == 1


def test_recipe_39_none_is_a_reference_too(schema: dict[str, Any]) -> None:
    """`"${none}"` stands wherever there may be nothing."""
    assert _problems(schema, 'name = "x"\nlimit = "${none}"\n[train]\nmax_steps = "${none}"') == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('tokenizer = "models/tiny"', 'tokenizer = "models/tiny"\nmax_lenght = 12'),
        ('tokenizer = "models/tiny"', 'tokenizer = "models/tiny"\nmax_length = "12"'),
        ('tokenizer = "models/tiny"', 'tokenizer = "models/tiny"\nscratch = "tmp"'),
        ('tokenizer = "models/tiny"', ""),
        ('inputs = ["rows"]', "inputs = [3]"),
        ('use = "tokenize"', 'use = "tokenise"'),
        ('use = "tokenize"', 'usa = "tokenize"'),
        ('use = "transformer"', 'use = "text-classification"'),
        ('use = "text-classification"', 'use = "text-classification"\nmetrics = ["acuracy"]'),
        ('data = "tokens"', 'data = "tokens"\nbatch_sze = 3'),
        ('data = "tokens"', 'data = "tokens"\nbatch_size = 3.5'),
        ('data = "tokens"', 'data = "tokens"\nbatch_size = true'),
        ('data = "tokens"', 'data = "tokens"\nbatching = "buckets"'),
        ('data = "tokens"', 'data = "tokens"\noptimizer = "AdamV"'),
        ('data = "tokens"', 'data = "tokens"\ncallbacks.stop.patience = 2'),
        ('name = "whole"', ""),
        ('name = "whole"', 'name = "whole"\nvariant.size.small.train.epoch = 1'),
        ('name = "whole"', 'name = "whole"\nvariant.size.small.model.use = "transfomer"'),
    ],
)
def test_mistakes_are_refused(schema: dict[str, Any], old: str, new: str) -> None:
    """One slip makes a recipe invalid that is valid without it."""
    assert WHOLE.count(old) == 1
    assert _problems(schema, WHOLE) == []

    assert _problems(schema, WHOLE.replace(old, new)) != []


@pytest.mark.parametrize(
    "text",
    [
        'name = "x"\nmodel = "transformer"\ntrain.optimizer = "SGD"\ntrain.scheduler = "cosine"',
        'name = "x"\ntask = "${env:TASK:-text-classification}"',
        'name = "x"\n[train.optimizer]\nlr = 0.1',
        'name = "x"\n[nodes.a]\nuse = "${env:OP:-split}"\nsize = 3',
        'name = "x"\n[nodes.a]\nuse = "split"\ninputs = "split.train"',
        'name = "x"\n[nodes.a]\nuse = "split"\ninputs = { data = "other" }\ncache = false',
        'name = "x"\n[train]\ndata = "not.known.yet"\ntrainer = { deterministic = true }',
        'name = "x"\n[train.loggers.board]\nuse = "TensorBoardLogger"\nflush_secs = 3',
        'extends = ["base.toml"]\nunset = ["train.scheduler"]',
        'extends = ["base.toml"]\n[nodes.tokens]\nmax_length = 12',
        'extends = ["base.toml"]\n[nodes.tokens]\nuse = "tokenize"\nmax_length = 12',
        'name = "x"\npick = { size = "small" }\n[nodes.tokens]\ncache = false',
        'name = "x"\n[variant.size.small.nodes.tokens]\nmax_length = 12\n[variant.size.big]\nseed = 3',
        'name = "x"\n[variant.size.small.nodes.tokens]\nuse = "tokenize"\nmax_length = 12',
        'name = "x"\n[variant.size.small]\nunset = ["train.scheduler"]\nmodel = "transformer"',
    ],
)  # fmt: skip
def test_what_a_recipe_may_say_is_accepted(schema: dict[str, Any], text: str) -> None:
    """Bare names, references, parts of what is inherited, and variants are no mistakes."""
    assert _problems(schema, text) == []


@pytest.mark.parametrize("kind", COMPONENTS)
def test_every_default_written_out_is_accepted(
    schema: dict[str, Any], catalog: Catalog, kind: Any
) -> None:
    """A component's own defaults, and references for all its other parameters, fit its table."""
    path = COMPONENTS[kind]
    assert component_kind(path) == kind

    for name in catalog.names(kind):
        found = catalog.find(kind, name)
        assert found is not None
        params = {n: p for n, p in found.signature.params.items() if n != "scratch"}
        given = {n: of_parameter(p).get("default", "${a.b}") for n, p in params.items()}
        recipe: dict[str, Any] = {"use": name, **given}
        for key in reversed(path):
            recipe = {key: recipe}
        errors = Draft7Validator(schema).iter_errors({"name": "x", **recipe})
        assert [(name, e.message) for e in errors] == []


def test_keys_have_the_docs_and_defaults_of_the_dataclasses(schema: dict[str, Any]) -> None:
    """What an editor shows of a key is what the recipe's own schema says of it."""
    seed, batch = spec("Recipe").params["seed"], spec("TrainSpec").params["batch_size"]
    train = schema["definitions"]["train"]["properties"]

    assert schema["properties"].keys() == {*spec("Recipe").params, *spec("Composition").params}
    assert train.keys() == spec("TrainSpec").params.keys()
    assert schema["properties"]["seed"]["description"] == seed.doc
    assert schema["properties"]["seed"]["default"] == 0
    assert train["batch_size"]["description"] == batch.doc
    assert train["batch_size"]["default"] == batch.default
    assert train["optimizer"]["default"]["use"] == "AdamW"


def test_parameters_have_their_docs_types_and_defaults(
    schema: dict[str, Any], catalog: Catalog
) -> None:
    """What an editor shows of an op's parameter is what its docstring says."""
    found = catalog.find("op", "tokenize")
    assert found is not None

    length = _branch(schema, "op", "tokenize")["properties"]["max_length"]

    assert length["description"] == found.signature.params["max_length"].doc
    assert length["default"] == found.signature.params["max_length"].default
    assert {"type": "integer"} in length["anyOf"]


@pytest.mark.parametrize("kind", [*COMPONENTS, "metric"])
def test_every_name_is_offered_with_its_first_line(
    schema: dict[str, Any], catalog: Catalog, kind: Any
) -> None:
    """Names after `use` can be completed, also while the table is still empty, and say what they are."""
    offered = {c["const"]: c.get("description") for c in _constants(schema, f"{kind}.name")}

    docs = {name: catalog.find(kind, name) for name in catalog.names(kind)}
    assert offered == {
        name: found.signature.doc.strip().partition("\n")[0] or None
        for name, found in docs.items()
        if found is not None
    }
    if kind != "metric":
        *_, empty = schema["definitions"][kind]["anyOf"]
        assert empty["properties"]["use"] == {"$ref": f"#/definitions/{kind}.name"}
        for name, doc in offered.items():
            use = _branch(schema, kind, name)["properties"]["use"]
            assert (use["const"], use.get("description")) == (name, doc)


def _constants(schema: dict[str, Any], definition: str) -> list[dict[str, Any]]:
    return [choice for choice in schema["definitions"][definition]["anyOf"] if "const" in choice]


def test_names_of_nodes_are_offered(schema: dict[str, Any]) -> None:
    """`inputs` and `data` complete the nodes that the project's recipes have."""
    assert schema["definitions"]["node.name"]["anyOf"][0] == {"enum": ["rows", "tokens"]}
    inputs = _branch(schema, "op", "split")["properties"]["inputs"]
    assert {"$ref": "#/definitions/node.name"} in inputs["anyOf"]
    for table in ("train", "test"):
        data = schema["definitions"][table]["properties"]["data"]
        assert data["anyOf"] == [{"$ref": "#/definitions/node.name"}]


def test_tables_say_whether_they_are_closed(schema: dict[str, Any]) -> None:
    """Tombi warns of every key of a table that does not say whether it takes others."""
    tables = [t for t in _below(schema) if t.get("type") == "object" or "properties" in t]

    assert [t for t in tables if "additionalProperties" not in t] == []


def _below(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, list):
        return [found for item in value for found in _below(item)]
    if not isinstance(value, dict):
        return []
    keys = {k: v for k, v in value.items() if k not in ("default", "enum", "const")}
    inner = keys.pop("properties", {}), keys.pop("definitions", {})
    named = [found for table in inner for v in table.values() for found in _below(v)]
    return [value, *named, *(found for v in keys.values() for found in _below(v))]


def test_the_schema_is_small_and_says_nothing_of_this_machine(schema: dict[str, Any]) -> None:
    """Editors read it at once, and it may be shared."""
    text = json.dumps(schema)

    assert len(text) < 300_000
    assert str(ROOT) not in text
    assert "site-packages" not in text
