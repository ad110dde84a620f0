"""Items: what is given to a predictor in a script, as rows of columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from mlrecipe.errors import RequestError, suggest
from mlrecipe.inference import words
from mlrecipe.inference.reading import whole
from mlrecipe.inference.words import Worded


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """What items are made of."""

    texts: tuple[str, ...] = ()
    """The columns with texts that the preparation reads: one, or two for pairs; none where it is not known."""

    words: str = ""
    """Where words have tags: the column with words."""

    splitting: str = ""
    """Where words have tags: how a text becomes words."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item."""

    row: Mapping[str, Any]
    """Column → value."""

    worded: Worded | None = None
    """Where words have tags: the words in their text."""


@dataclass(frozen=True, slots=True)
class Items:
    """What is to be predicted."""

    items: list[Item] = field(default_factory=list)
    is_one: bool = False
    """Whether one item was given, and not a list with one."""


def of(given: Any, tokens: Sequence[str] | None, taking: Taking) -> Items:
    """The items of what `predict` is given.

    Raises:
        RequestError: one is not what the model takes.
    """
    if getattr(given, "ndim", None) == 0 and hasattr(given, "item"):  # of numpy
        given = given.item()
    if tokens is not None:
        return Items([_of_words(_checked(tokens, "tokens"), taking, "tokens")], is_one=True)
    if isinstance(given, str | bytes | Mapping | tuple) or not isinstance(given, Iterable):
        return Items([_item(given, taking, "the item")], is_one=True)
    if isinstance(given, pa.Array | pa.ChunkedArray):
        given = given.to_pylist()
    if hasattr(given, "iterrows") or isinstance(given, pa.Table):
        hint = "give its rows, `.to_dict('records')` or `.to_pylist()`, or one column of texts"
        raise RequestError(f"a {type(given).__name__} is no list of items", hint=hint)
    made = [_item(each, taking, f"item {number}") for number, each in enumerate(given)]
    _require_alike(made, taking)
    return Items(made)


def table(items: Sequence[Item], taking: Taking) -> pa.Table:
    """The rows of items.

    Raises:
        RequestError: the values of a column have no type in common.
    """
    names = dict.fromkeys(name for item in items for name in item.row)
    made = {}
    for name in names:
        values = [whole(item.row.get(name)) for item in items]
        kind = pa.list_(pa.string()) if name == taking.words else None
        kind = pa.string() if name in taking.texts else kind
        try:
            made[name] = pa.array(values, kind)
        except (pa.ArrowException, TypeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise RequestError(f"the values of {name!r} are of no one kind: {reason}") from error
    return pa.table(made)


def _require_alike(made: Sequence[Item], taking: Taking) -> None:
    """Raise where some items have a text that another has no key for; all of them may go by other names."""
    for name in taking.texts:
        lacking = [number for number, item in enumerate(made) if name not in item.row]
        if lacking and len(lacking) < len(made):
            row = made[lacking[0]].row
            near = suggest(name, row)
            raise RequestError(
                f"item {lacking[0]} has no {name!r}, and others have one; it has {_listed(row)}",
                hint=f"rename {near!r}" if near else f"where there is no text: {{{name!r}: None}}",
            )


def _item(given: Any, taking: Taking, what: str) -> Item:
    if isinstance(given, str):
        return _of_text(given, taking, what)
    if isinstance(given, Mapping):
        return _of_row(given, taking, what)
    if isinstance(given, Sequence) and not isinstance(given, bytes):
        return _of_list(given, taking, what)
    if hasattr(given, "tolist") and getattr(given, "ndim", 0) == 1:
        return _of_list(given.tolist(), taking, what)
    hint = "decode it: `.decode()`" if isinstance(given, bytes) else None
    raise RequestError(
        f"{what} is {_kind(given)}, not a text, words or a row of columns", hint=hint
    )


def _of_text(text: str, taking: Taking, what: str) -> Item:
    if taking.words:
        worded = words.split(text, taking.splitting)
        return Item({taking.words: worded.words}, worded)
    if len(taking.texts) > 1:
        first, second = taking.texts
        raise RequestError(
            f"{what} is one text, and the model reads pairs of {first!r} and {second!r}",
            hint=f"give a tuple of two texts, or {{{first!r}: …, {second!r}: …}}",
        )
    return Item({(taking.texts or ("text",))[0]: text})


def _of_list(given: Sequence[Any], taking: Taking, what: str) -> Item:
    """Two texts where the model reads pairs, else words."""
    texts = _checked(given, what)
    if taking.words:
        return _of_words(texts, taking, what)
    if len(taking.texts) == 2:
        if len(texts) != 2:
            raise RequestError(f"{what} has {len(texts)} texts, and the model reads pairs")
        return Item(dict(zip(taking.texts, texts, strict=True)))
    if isinstance(given, tuple):
        hint = "several texts are a list; the words of one are `tokens=[…]`"
        said = "a pair of texts" if len(texts) == 2 else f"a tuple with {len(texts)} in it"
        raise RequestError(f"{what} is {said}, and the model reads one text", hint=hint)
    return _of_words(texts, taking, what)


def _of_words(tokens: Sequence[str], taking: Taking, what: str) -> Item:
    worded = words.join(tokens)
    if taking.words:
        return Item({taking.words: list(tokens)}, worded)
    return _of_text(worded.text, taking, what)


def _of_row(given: Mapping[str, Any], taking: Taking, what: str) -> Item:
    if not given:
        raise RequestError(f"{what} is a row without columns")
    if taking.words:
        return _of_tagged_row(given, taking, what)
    wanted = (taking.texts or ("text",))[0]
    row = dict(given)
    if len(taking.texts) == 1 and wanted not in row and "text" in row:
        row[wanted] = row.pop("text")
    for name in taking.texts:
        value = row.get(name)
        if value is not None and not isinstance(value, str):
            raise RequestError(f"{name!r} of {what} is {_kind(value)}, not a text")
    return Item(row)


def _of_tagged_row(given: Mapping[str, Any], taking: Taking, what: str) -> Item:
    """A row with words, under their column's name or `tokens`; else with a text."""
    name = next((n for n in (taking.words, "tokens", "words") if given.get(n) is not None), None)
    rest = {key: value for key, value in given.items() if key not in (name, taking.words)}
    if name is not None:
        worded = words.join(_checked(given[name], f"{name!r} of {what}"))
        return Item({**rest, taking.words: worded.words}, worded)
    texts = [key for key, value in given.items() if isinstance(value, str)]
    key = "text" if "text" in given else texts[0] if len(texts) == 1 else None
    if key is None:
        raise RequestError(
            f"{what} has neither words in {taking.words!r} nor a 'text'; it has {_listed(given)}"
        )
    text = given[key]
    if text is not None and not isinstance(text, str):
        raise RequestError(f"{key!r} of {what} is {_kind(text)}, not a text")
    worded = words.split(text or "", taking.splitting)
    return Item({**rest, taking.words: worded.words}, worded)


def _checked(given: Any, what: str) -> list[str]:
    """The texts of a list, of which each must be one."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise RequestError(f"{what} is {_kind(given)}, not a list of words")
    found = list(given)
    odd = next((n for n, each in enumerate(found) if not isinstance(each, str)), None)
    if odd is not None:
        raise RequestError(f"place {odd} of {what} is {_kind(found[odd])}, not a text")
    return found


def _kind(value: Any) -> str:
    return "None" if value is None else f"of type {type(value).__name__}: {value!r:.40}"


def _listed(given: Mapping[str, Any]) -> str:
    return ", ".join(map(repr, given)) or "nothing"
