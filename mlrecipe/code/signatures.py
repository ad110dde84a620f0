"""Signatures: what a component accepts, read from its source file; nothing is imported or run."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlrecipe.code import defaults, kinds
from mlrecipe.code.defaults import REQUIRED, Unreadable
from mlrecipe.code.kinds import ANY, Kind
from mlrecipe.registry import DECORATORS

RESERVED = ("use", "inputs", "cache", "force", "version", "shards")
"""Keys of a node's table that are not parameters: no op may have a parameter of that name."""

FILLED = ("seed", "limit", "scratch")
"""Keyword-only parameters that mlrecipe fills in when the recipe does not."""

LIGHTNING = "lightning"
"""Option of a task that brings its own network, loss, optimizers and steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One thing that a recipe may set on a component."""

    name: str
    kind: Kind = ANY
    default: Any = REQUIRED
    doc: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What one component accepts."""

    component: str
    """Kind of component: `op`, `task` …; `class` or `function` when it carries no decorator."""

    name: str
    """Registered name, or the name in Python."""

    qualname: str
    """Name of the function or class in its file."""

    file: str
    line: int
    inputs: tuple[str, ...] = ()
    """Positional parameters of a function, in order."""

    variadic: bool = False
    """Whether it takes any number of inputs (`*inputs`)."""

    params: Mapping[str, Parameter] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of the decorator, and `LIGHTNING` for a task that is a `LightningModule`."""

    doc: str = ""
    open: bool = False
    """Whether it takes parameters that it does not name (`**kwargs`)."""

    problems: tuple[str, ...] = ()
    """What is wrong with the declaration itself."""


def scan(source: str, file: str) -> list[Signature]:
    """Every component that the source registers with a decorator of mlrecipe, in order of lines.

    Raises:
        SyntaxError: `source` is not Python.
    """
    tree = ast.parse(source, filename=file)
    aliases = _aliases(tree)
    found = []
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            for decorator in node.decorator_list:
                component = _component(decorator, aliases)
                if component and isinstance(decorator, ast.Call):
                    found.append(_signature(node, tree, file, component, decorator))
    return found


def of(source: str, file: str, qualname: str) -> Signature | None:
    """The signature of a class or function that carries no decorator of ours, or None."""
    tree = ast.parse(source, filename=file)
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == qualname:
            return _signature(node, tree, file, "", None)
    return None


def classes(source: str, file: str) -> dict[str, Signature]:
    """The signature of every class of a source."""
    tree = ast.parse(source, filename=file)
    found = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    return {node.name: _signature(node, tree, file, "", None) for node in found}


def to_json(signature: Signature) -> dict[str, Any]:
    """The signature as JSON values; `from_json` gives it back."""
    params = [
        [p.name, kinds.to_json(p.kind), defaults.to_json(p.default), p.doc]
        for p in signature.params.values()
    ]
    plain = {name: getattr(signature, name) for name in _PLAIN}
    return {**plain, "params": params, "options": _options_to_json(signature.options)}


def from_json(data: Mapping[str, Any]) -> Signature:
    """The signature that `to_json` wrote."""
    params = {
        name: Parameter(
            name=name, kind=kinds.from_json(kind), default=defaults.from_json(default), doc=doc
        )
        for name, kind, default, doc in data["params"]
    }
    plain = {name: data[name] for name in _PLAIN}
    plain["inputs"], plain["problems"] = tuple(plain["inputs"]), tuple(plain["problems"])
    options = {k: tuple(v) if isinstance(v, list) else v for k, v in data["options"].items()}
    return Signature(**plain, params=params, options=options)


_PLAIN = (
    "component", "name", "qualname", "file", "line", "inputs", "variadic", "doc", "open", "problems",
)  # fmt: skip


def _aliases(tree: ast.Module) -> dict[str, str]:
    """Names in a module that mean `mlrecipe` ("") or one of its decorators (its name)."""
    names: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.Import):
            names |= {a.asname or a.name: "" for a in node.names if a.name == "mlrecipe"}
        elif isinstance(node, ast.ImportFrom) and node.module in ("mlrecipe", "mlrecipe.registry"):
            names |= {a.asname or a.name: a.name for a in node.names if a.name in DECORATORS}
    return names


def _component(decorator: ast.expr, aliases: Mapping[str, str]) -> str:
    """Which of mlrecipe's decorators it is, if any."""
    call = decorator.func if isinstance(decorator, ast.Call) else decorator
    match call:
        case ast.Attribute(value=ast.Name(id=module), attr=name) if aliases.get(module) == "":
            return name if name in DECORATORS else ""
        case ast.Name(id=name):
            return aliases.get(name, "")
    return ""


def is_decorator(node: ast.expr, aliases: Mapping[str, str]) -> bool:
    """Whether a decorator is one of mlrecipe's own."""
    return bool(_component(node, aliases))


aliases_of = _aliases


def _signature(
    node: ast.FunctionDef | ast.ClassDef,
    tree: ast.Module,
    file: str,
    component: str,
    decorator: ast.Call | None,
) -> Signature:
    name, options, problems = _decorator_arguments(decorator, node.name)
    if component == "module":
        options[LIGHTNING] = True
    elif component == "task" and _is_lightning(node):
        problems.append("a LightningModule is registered with @mlrecipe.module")
    component = DECORATORS.get(component, component)
    doc = ast.get_docstring(node) or ""
    if isinstance(node, ast.ClassDef):
        inputs: tuple[str, ...] = ()
        variadic = False
        params, is_open = _class_parameters(node, tree)
    else:
        inputs, variadic, params, is_open = _function_parameters(node)
    docs = _argument_docs(_init_doc(node)) | _argument_docs(doc)
    documented = {
        n: Parameter(name=n, kind=p.kind, default=p.default, doc=p.doc or docs.get(n, ""))
        for n, p in params.items()
    }
    if component == "op":
        problems += [f"an op may not have a parameter {n!r}" for n in params if n in RESERVED]
    return Signature(
        component=component or ("class" if isinstance(node, ast.ClassDef) else "function"),
        name=name, qualname=node.name, file=file, line=node.lineno, inputs=inputs,
        variadic=variadic, params=documented, options=options, doc=doc, open=is_open,
        problems=tuple(problems),
    )  # fmt: skip


def _is_lightning(node: ast.FunctionDef | ast.ClassDef) -> bool:
    bases = node.bases if isinstance(node, ast.ClassDef) else []
    return any(ast.unparse(base).rpartition(".")[2] == "LightningModule" for base in bases)


def _decorator_arguments(
    decorator: ast.Call | None, fallback: str
) -> tuple[str, dict[str, Any], list[str]]:
    if decorator is None:
        return fallback, {}, []
    problems: list[str] = []
    name = defaults.literal(decorator.args[0]) if decorator.args else None
    if not isinstance(name, str):
        problems.append("the name given to the decorator must be a text written out")
        name = fallback
    options = {k.arg: defaults.literal(k.value) for k in decorator.keywords if k.arg}
    for key, value in options.items():
        if isinstance(value, Unreadable):
            problems.append(f"{key}={value.source} must be written out: it is read without running")
    return name, options, problems


def _function_parameters(
    node: ast.FunctionDef, *, skip_self: bool = False
) -> tuple[tuple[str, ...], bool, dict[str, Parameter], bool]:
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args][1 if skip_self else 0 :]
    params = {
        arg.arg: _parameter(arg, default)
        for arg, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    }
    inputs = tuple(arg.arg for arg in positional)
    return inputs, arguments.vararg is not None, params, arguments.kwarg is not None


def _parameter(arg: ast.arg, default: ast.expr | None) -> Parameter:
    kind = kinds.parse(arg.annotation)
    value = REQUIRED if default is None else defaults.of(default, kind)
    return Parameter(name=arg.arg, kind=kind, default=value)


def _class_parameters(node: ast.ClassDef, tree: ast.Module) -> tuple[dict[str, Parameter], bool]:
    """Parameters of a class: of its `__init__`, else its dataclass fields, else its base's in the file."""
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return _init_parameters(item)
    if any("dataclass" in ast.unparse(d) for d in node.decorator_list):
        return _field_parameters(node), False
    bases = {b.id for b in node.bases if isinstance(b, ast.Name)}
    for other in tree.body:
        if isinstance(other, ast.ClassDef) and other.name in bases:
            return _class_parameters(other, tree)
    return {}, bool(node.bases)


def _init_doc(node: ast.FunctionDef | ast.ClassDef) -> str:
    """The docstring of a class's `__init__`, where there is one."""
    inits = [i for i in node.body if isinstance(i, ast.FunctionDef) and i.name == "__init__"]
    is_class = isinstance(node, ast.ClassDef)
    return (ast.get_docstring(inits[0]) or "") if is_class and inits else ""


def _init_parameters(node: ast.FunctionDef) -> tuple[dict[str, Parameter], bool]:
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    missing: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    pairs = list(zip(positional, [*missing, *arguments.defaults], strict=True))[1:]
    pairs += list(zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True))
    return {arg.arg: _parameter(arg, value) for arg, value in pairs}, arguments.kwarg is not None


def _field_parameters(node: ast.ClassDef) -> dict[str, Parameter]:
    params: dict[str, Parameter] = {}
    following: Iterable[ast.stmt | None] = [*node.body[1:], None]
    for item, after in zip(node.body, following, strict=True):
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            if not _is_given(item):
                continue
            kind = kinds.parse(item.annotation)
            default = REQUIRED if item.value is None else defaults.of_field(item.value, kind)
            doc = ""
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                doc = " ".join(str(after.value.value).split())
            name = item.target.id
            params[name] = Parameter(name=name, kind=kind, default=default, doc=doc)
    return params


def _is_given(item: ast.AnnAssign) -> bool:
    """Whether a dataclass takes the field: no `ClassVar`, no `KW_ONLY`, not with `init=False`."""
    kind = ast.unparse(item.annotation).strip("'\"").partition("[")[0].rpartition(".")[2]
    value = item.value
    is_field = isinstance(value, ast.Call) and ast.unparse(value.func).endswith("field")
    told = value.keywords if isinstance(value, ast.Call) and is_field else []
    is_left_out = any(k.arg == "init" and defaults.literal(k.value) is False for k in told)
    return kind not in ("ClassVar", "KW_ONLY") and not is_left_out


def _argument_docs(doc: str) -> dict[str, str]:
    """Parameter → text, from the `Args:` section of a Google docstring."""
    lines = doc.splitlines()
    starts = [i for i, line in enumerate(lines) if line.strip() in ("Args:", "Arguments:")]
    docs: dict[str, str] = {}
    current = ""
    for line in lines[starts[0] + 1 :] if starts else []:
        text = line.strip()
        indent = len(line) - len(line.lstrip())
        if text and indent == 0:
            break
        head, colon, rest = text.partition(":")
        if text and colon and indent <= 4 and head.split(" ")[0].isidentifier():
            current = head.split(" ")[0]
            docs[current] = rest.strip()
        elif text and current:
            docs[current] = f"{docs[current]} {text}".strip()
    return docs


def _options_to_json(options: Mapping[str, Any]) -> dict[str, Any]:
    return {k: repr(v) if isinstance(v, Unreadable) else v for k, v in options.items()}
