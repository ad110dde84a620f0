"""The JSON Schema of recipes: what an editor needs to complete and to check them as they are written."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from mlrecipe.code.catalog import Catalog
from mlrecipe.code.defaults import REQUIRED
from mlrecipe.code.signatures import FILLED, RESERVED, Parameter, Signature
from mlrecipe.recipe.json_kinds import (
    REFERENCE,
    TEXT,
    Schema,
    any_of,
    constant,
    of_kind,
    of_parameter,
    ref,
)  # fmt: skip
from mlrecipe.recipe.keys import table_at
from mlrecipe.recipe.layers import COMPONENTS
from mlrecipe.recipe.schema import DEFAULTS
from mlrecipe.recipe.shape import SPECS, component_kind, spec
from mlrecipe.recipe.trainer import FOR_MODULES, TRAINER, trainer_parameters
from mlrecipe.registry import Kind as ComponentKind

Keys = tuple[str, ...]
"""The way to a value from the recipe's root."""

FILE = ".mlrecipe/recipe.schema.json"
"""Where a project keeps the schema of its recipes."""

VARIANT_FILE = ".mlrecipe/variant.schema.json"
"""Where it keeps that of its files `variants/<group>/<option>.toml`."""

_DRAFT = "http://json-schema.org/draft-07/schema#"
_NODE = "node.name"
_PATCH = "patch"
_NOT_IN_PATCH = ("relative_to",)
"""Keys of a recipe that say how a file is read: a variant has no place for them."""

_TAKES_NODE = (("train", "data"), ("test", "data"))
_INHERITED = "Keys of a table that `extends` or a variant brings."

# Tombi takes a table for closed, even in a condition, unless the schema says otherwise.
_OPEN: Schema = {"additionalProperties": True}
_HAS_USE: Schema = {**_OPEN, "required": ["use"]}


def build(catalog: Catalog, *, node_names: Iterable[str] = ()) -> Schema:
    """The JSON Schema (draft-07) of recipes that use what the catalog knows.

    It accepts what `check` accepts, and refuses unknown components, unknown keys and values of the wrong
    type. What takes a look at several tables, such as a node that is not there, is left to `check`.

    Args:
        catalog: components, those of plugins included.
        node_names: offered wherever a recipe names a node; other names are accepted too.
    """
    return _Builder(catalog, sorted(set(node_names))).root()


def variant_schema(schema: Schema) -> Schema:
    """The JSON Schema of a variant's file, out of that of the recipes."""
    definitions = dict(schema["definitions"])
    patch = definitions.pop(_PATCH)
    return {
        "$schema": _DRAFT,
        "title": "A variant of a recipe of mlrecipe",
        **patch,
        "definitions": definitions,
    }


def directive(folder: Path, project: Path, file: str = FILE) -> str:
    """The first line of a recipe in `folder`, which tells editors where the project's schema is."""
    return f"#:schema {Path(os.path.relpath(project / file, folder)).as_posix()}"


class _Builder:
    """Makes the schema; what several tables share goes into its definitions."""

    def __init__(self, catalog: Catalog, node_names: list[str]) -> None:
        self._catalog = catalog
        self._definitions: dict[str, Schema] = {
            REFERENCE: {
                "description": "A reference, such as `${train.batch_size}` or `${none}`.",
                "type": "string",
                "pattern": r"\$\{",
            },
            _NODE: {"anyOf": [{"enum": node_names}, TEXT]} if node_names else TEXT,
        }

    def root(self) -> Schema:
        """The whole schema."""
        composition = spec("Composition").params
        table = self._table(())
        self._definitions[_PATCH] = self._patch(table, of_parameter(composition["unset"]))
        keys = {name: of_parameter(p) for name, p in composition.items()}
        keys["variant"] = of_parameter(composition["variant"], _tables(_tables(ref(_PATCH))))
        composed = [{**_OPEN, "required": [key]} for key in ("extends", "variant", "pick")]
        return {
            "$schema": _DRAFT,
            "title": "A recipe of mlrecipe",
            **table,
            "properties": {**table["properties"], **keys},
            # Where parts of a recipe may be elsewhere, nothing can be said to be missing.
            "if": {"anyOf": composed},
            "else": {**self._whole(()), "required": ["name"]},
            "definitions": self._definitions,
        }

    def _patch(self, table: Schema, unset: Schema) -> Schema:
        """What a variant may say: any key of a recipe, and which keys go."""
        keys = {name: s for name, s in table["properties"].items() if name not in _NOT_IN_PATCH}
        doc = "A patch of a recipe, from its root, that is put on top when it is picked."
        return {**table, "description": doc, "properties": {**keys, "unset": unset}}

    def _table(self, path: Keys) -> Schema:
        """A table that is a dataclass of the recipe's schema; none of its keys is required."""
        signature, defaults = spec(SPECS[path]), table_at(DEFAULTS, path)
        fields = {
            name: replace(field, default=defaults.get(name, field.default))
            for name, field in signature.params.items()
        }
        return {
            "description": _summary(signature),
            "type": "object",
            "properties": {name: self._field((*path, name), f) for name, f in fields.items()},
            "additionalProperties": False,
        }

    def _field(self, path: Keys, parameter: Parameter) -> Schema:
        if path in SPECS:
            name = ".".join(path)
            self._definitions.setdefault(name, self._table(path))
            return ref(name)
        if (kind := component_kind(path)) is not None:
            choices = [self._component(kind), self._name(kind)]
            return of_parameter(parameter, {"anyOf": choices[: 1 + (path in COMPONENTS)]})
        if (kind := component_kind((*path, ""))) is not None:
            return of_parameter(parameter, _tables(self._component(kind)))
        if path == TRAINER:
            return of_parameter(parameter, self._trainer())
        return of_parameter(parameter, ref(_NODE) if path in _TAKES_NODE else None)

    def _trainer(self) -> Schema:
        """The arguments of Lightning's Trainer; their types are its own to check."""
        every = self._catalog.trainer().params
        for_modules = [every[name] for name in FOR_MODULES if name in every]
        known = [*trainer_parameters(self._catalog).values(), *for_modules]
        return {
            "type": "object",
            "properties": {p.name: {"description": p.doc or p.name} for p in known},
            "additionalProperties": not known,
        }

    def _component(self, kind: ComponentKind) -> Schema:
        """A table that sets up a component, or says more of one that is set up elsewhere."""
        if kind not in self._definitions:
            keys = _node_keys() if kind == "op" else {}
            known = [self._branch(signature, keys) for signature in self._signatures(kind)]
            table: Schema = {"type": "object", "additionalProperties": True}
            computed = {"use": ref(REFERENCE), **keys}
            # These are offered while the table is still empty.
            inherited = {"use": self._name(kind), **keys}
            self._definitions[kind] = {
                "anyOf": [
                    *known,
                    {**table, "properties": computed, "required": ["use"]},
                    {"description": _INHERITED, **table, "properties": inherited, "not": _HAS_USE},
                ]
            }
        return ref(kind)

    def _branch(self, signature: Signature, keys: Mapping[str, Schema]) -> Schema:
        """The table of one component."""
        return {
            "title": signature.name,
            "description": _summary(signature),
            "type": "object",
            "properties": {
                "use": constant(signature.name, _first_line(signature)),
                **keys,
                **{p.name: self._parameter(signature, p) for p in _settable(signature)},
            },
            "required": ["use"],
            "additionalProperties": signature.open,
        }

    def _parameter(self, signature: Signature, parameter: Parameter) -> Schema:
        if signature.component == "op" and parameter.name in FILLED and not parameter.doc:
            return of_parameter(replace(parameter, doc=spec("Recipe").params[parameter.name].doc))
        if signature.component == "task" and parameter.name == "metrics":
            return of_parameter(parameter, of_kind(parameter.kind, text=self._name("metric")))
        return of_parameter(parameter)

    def _name(self, kind: ComponentKind) -> Schema:
        """The name of a component."""
        name = f"{kind}.name"
        if name not in self._definitions:
            docs = {s.name: _first_line(s) for s in self._signatures(kind)}
            self._definitions[name] = any_of(docs)
        return ref(name)

    def _whole(self, path: Keys) -> Schema:
        """What the table at `path` must have if nothing of it is elsewhere."""
        found: dict[str, Schema] = {}
        for name in spec(SPECS[path]).params:
            inner = (*path, name)
            if inner in SPECS:
                found[name] = self._whole(inner)
            elif (kind := component_kind(inner)) is not None and not table_at(DEFAULTS, inner):
                found[name] = self._needs(kind)
            elif (kind := component_kind((*inner, ""))) is not None:
                found[name] = {"additionalProperties": self._needs(kind)}
        return {**_OPEN, "properties": found}

    def _needs(self, kind: ComponentKind) -> Schema:
        """What a component's table must have: `use`, and the keys that it calls for."""
        needs = {s.name: _required(s) for s in self._signatures(kind)}
        needs = {name: keys for name, keys in needs.items() if keys}
        choices: list[Schema] = [
            {**_OPEN, "properties": {"use": constant(name)}, "required": keys}
            for name, keys in needs.items()
        ]
        others = {**_OPEN, "properties": {"use": {"not": {"enum": list(needs)}}}}
        return {**_HAS_USE, "anyOf": [*choices, others]} if needs else _HAS_USE

    def _signatures(self, kind: ComponentKind) -> Iterator[Signature]:
        for name in self._catalog.names(kind):
            if (found := self._catalog.find(kind, name)) is not None:
                yield found.signature


def _tables(values: Schema) -> Schema:
    """A table of tables of the user's own naming."""
    return {"type": "object", "additionalProperties": values}


def _node_keys() -> dict[str, Schema]:
    """What every node may have, whatever its op."""
    fields = {name: p for name, p in spec("NodeSpec").params.items() if name in RESERVED}
    names = of_kind(fields["inputs"].kind, text=ref(_NODE))
    return {
        name: of_parameter(p, names if name == "inputs" else None)
        for name, p in fields.items()
        if name != "use"
    }


def _settable(signature: Signature) -> list[Parameter]:
    """The parameters that a recipe may give."""
    is_op = signature.component == "op"
    return [p for p in signature.params.values() if not (is_op and p.name == "scratch")]


def _required(signature: Signature) -> list[str]:
    filled = FILLED if signature.component == "op" else ()
    return [p.name for p in _settable(signature) if p.default is REQUIRED and p.name not in filled]


def _summary(signature: Signature) -> str:
    """The first paragraph of a docstring."""
    return " ".join(signature.doc.strip().partition("\n\n")[0].split()) or signature.name


def _first_line(signature: Signature) -> str:
    return signature.doc.strip().partition("\n")[0]
