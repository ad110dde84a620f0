"""Secrets in another framework's configuration: which values are some, and what stands for them in a recipe."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_Path = tuple[str | int, ...]

HIDDEN = "(hidden)"

_ALWAYS = {
    "apikey", "accesskey", "accesstoken", "auth", "authkey", "authorization", "authtoken", "cookie",
    "credential", "credentials", "jwt", "passcode", "passphrase", "passwd", "password", "passwords",
    "privatekey", "pwd", "secret", "secretkey", "secrets",
}  # fmt: skip
"""A name that ends in one of these words is that of a secret, and so is all below it."""

_OF_TEXT = {"bearer", "key", "token"}
"""A text is a secret if it is called so; a number, such as that of a token, is none."""

_KEYS = {
    "access", "account", "api", "app", "auth", "aws", "azure", "client", "comet", "consumer", "deploy",
    "encryption", "hf", "license", "master", "neptune", "openai", "private", "secret", "security", "service",
    "shared", "signing", "ssh", "storage", "subscription", "user", "wandb",
}  # fmt: skip
"""Words before `key` that make it a secret: `sort_key` and `label_key` are none."""

_VOCABULARY = {
    "additional", "answer", "audio", "begin", "blank", "bos", "class", "cls", "context", "decoder",
    "delimiter", "doc", "document", "empty", "end", "eos", "extra", "first", "forced", "image", "label",
    "last", "mask", "middle", "pad", "padding", "prefix", "prompt", "query", "question", "sep", "separator",
    "source", "space", "special", "start", "stop", "suffix", "target", "text", "unk", "unknown", "video",
    "word",
}  # fmt: skip
"""Words before `token` that make it one of a tokenizer, which is no secret."""

_SPECIAL = re.compile(r"<[^<>]*>|\[[^\[\]]*\]|")
"""How tokenizers write such tokens: `<s>`, `[PAD]`."""

_VALUE = re.compile(
    r"\w[\w+.-]*://[^/\s:@]*:[^/\s@]+@"  # an address with a password in it
    r"|-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|^(Bearer|Basic) \S{8,}$"
    r"|^(hf_|gh[pousr]_|github_pat_|glpat-|sk-|xox[abp]-|AKIA)[\w-]{16,}$"
)
"""Texts that are secrets whatever they are called."""

_SECTIONS = re.compile(r"^(nodes|train\.(callbacks|loggers))\.")


class Reference(str):
    """A text with a reference that the recipe is to resolve, `${secret:NAME}`."""

    __slots__ = ()


def is_secret(key: str | int, value: Any = "") -> bool:
    """Whether a value of that name is, or holds, what no recipe may hold."""
    if value is None or isinstance(value, bool) or not isinstance(key, str):
        return False
    *before, last = _words(key) or [""]
    if last == "id" and before[-1:] == ["key"]:  # an access key's name goes with its secret
        last, before = "key", before[:-1]
    if last in _ALWAYS:
        return True
    if last not in _OF_TEXT or not isinstance(value, str) or _SPECIAL.fullmatch(value):
        return False
    nearest = before[-1] if before else ""
    return (nearest in _KEYS or not nearest) if last == "key" else nearest not in _VOCABULARY


def without_secrets(value: Any, path: Sequence[str | int] = ()) -> Any:
    """The value, which is at that path of a configuration, with the secrets in it hidden."""
    is_below = any(is_secret(key, {}) for key in path[:-1])
    return _replaced(value, tuple(path), lambda path, secret: HIDDEN, is_below=is_below)


def places(value: Any) -> list[tuple[str | int, ...]]:
    """Where in a configuration there are secrets."""
    found: list[_Path] = []

    def note(path: _Path, secret: Any) -> str:
        found.append(path)
        return HIDDEN

    _replaced(value, (), note)
    return found


def references(value: Any, key: str, taken: dict[str, Any]) -> tuple[Any, list[str]]:
    """The value of a recipe's key with a reference for each secret, and the environment variables it names.

    `taken` is what each variable stands for already; new ones are added.
    """
    names: list[str] = []

    def refer(path: _Path, secret: Any) -> Reference:
        name = _variable(path, secret, taken)
        names.append(name)
        return Reference(f"${{secret:{name}}}")

    return _replaced(value, tuple(key.split(".")), refer), names


def _replaced(
    value: Any, path: _Path, by: Callable[[_Path, Any], str], *, is_below: bool = False
) -> Any:
    """The value with something in place of each text and number that is a secret.

    `is_below` says that it is in a table of secrets.
    """
    is_below = is_below or bool(path and is_secret(path[-1], value))
    if isinstance(value, Mapping):
        return {k: _replaced(v, (*path, k), by, is_below=is_below) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_replaced(v, (*path, i), by, is_below=is_below) for i, v in enumerate(value)]
    if value in (None, "") or isinstance(value, bool):
        return value
    is_plain = isinstance(value, str) and _VALUE.search(value) is not None
    return by(path, value) if is_below or is_plain else value


def _variable(path: _Path, secret: Any, taken: dict[str, Any]) -> str:
    """An environment variable for a secret: `WANDB_API_KEY` for `train.loggers.wandb.api_key`."""
    key = _SECTIONS.sub("", ".".join(map(str, path)))
    name = re.sub(r"[^A-Z0-9]+", "_", key.upper()).strip("_")
    name = wanted = f"_{name}" if not name or name[0].isdigit() else name
    number = 1
    while taken.setdefault(name, secret) != secret:
        number += 1
        name = f"{wanted}_{number}"
    return name


def _words(key: str) -> list[str]:
    """`apiKey`, `api-key` and `API_KEY` as `api` and `key`."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", key)]
