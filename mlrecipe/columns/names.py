"""Columns that hold the texts or the label, by what people call them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from mlrecipe.errors import DataError

TEXT_NAMES = frozenset(
    "text sentence review reviews comment comments message messages content body tweet document doc"
    " utterance abstract description question query headline post sms v2 email mail input statement"
    " article news passage prompt phrase transcript feedback complaint review_text tweet_text"
    " comment_text clean_text full_text raw_text snippet".split()
)
"""Names of columns that hold a text to classify, normalised."""

_LABEL_RANKS = (
    (100, "label gold_label labels"),
    (80, "target class category sentiment intent emotion topic polarity stance y"),
    (80, "label_text labelname label_name classification classes gold"),
    (60, "spam tag annotation answer is_duplicate is_spam toxic v1"),
    (30, "rating stars score quality similarity grade type kind genre department status language"),
)
LABEL_RANK = {name: rank for rank, names in _LABEL_RANKS for name in names.split()}
"""How strongly a name says that its column is what to learn, 0 to 100."""

VALUE_NAMES = frozenset(
    "score rating stars target label y similarity grade price value labels quality".split()
)
"""Names of columns that, full of numbers, are a number to predict rather than a class."""

PAIR_NAMES = (
    ("sentence1", "sentence2"), ("premise", "hypothesis"), ("question1", "question2"),
    ("question", "sentence"), ("question", "passage"), ("question", "context"),
    ("question", "answer"), ("query", "passage"), ("query", "document"), ("text1", "text2"),
    ("text_a", "text_b"), ("sentence_a", "sentence_b"), ("text", "text_pair"),
)  # fmt: skip
"""Columns that are read together, the first before the second."""

_WORDS = ("tokens", "words")
"""Names of columns of lists that surely are a row's words, normalised."""

_SEVERAL_NAMES = frozenset(
    "labels tags topics categories emotions genres keywords classes intents targets annotations".split()
)
"""Names of columns that hold several labels of each row, normalised."""

MADE = frozenset(
    "input_ids attention_mask token_type_ids truncated special_tokens_mask frozen_row"
    " windows word_starts word_lengths".split()
)
"""Names of columns that were made from others, normalised: nobody thinks of them as the data's own."""

_PASSED_OVER = MADE | frozenset("id idx index row row_id guid uid uuid unnamed_0".split())
"""Names of columns that are neither a text nor a label, normalised."""

_CLEAR_RANK = 60
_PART = re.compile(r"[12ab](?![a-z0-9])|(?<![a-z0-9])[12ab]")


def normalised(name: str) -> str:
    """The name in lower case with `_` between its words: `Review Text` gives `review_text`."""
    return re.sub(r"[^0-9a-z]+", "_", name.strip().lower()).strip("_")


def label_rank(name: str) -> int:
    """How strongly a name says `label`, 0 to 100."""
    plain = normalised(name)
    if plain in LABEL_RANK:
        return LABEL_RANK[plain]
    if plain.endswith(("_label", "_class", "_category", "_sentiment", "_target")):
        return 60
    if re.fullmatch(r"label_?\d+|(is|has)_\w+", plain):
        return 40
    return 0


def are_paired(first: str, second: str) -> bool:
    """Whether two names differ in a 1 and a 2, or an a and a b, only: `#1 String`, `#2 String`."""
    one, two = first.lower(), second.lower()
    for mark_one, mark_two in (("1", "2"), ("a", "b")):
        for match in _PART.finditer(one):
            if match[0] == mark_one and _swap(one, match.start(), mark_two) == two:
                return True
    return False


def kinds_of(features: Mapping[str, Any]) -> dict[str, str]:
    """Column → `text`, `class` (whole numbers, truth values, class labels), `number`, `list` or `other`.

    Args:
        features: those of a data set of the library datasets.
    """
    return {name: kind_of(feature) for name, feature in features.items()}


def find_texts(kinds: Mapping[str, str], *, key: str = "text") -> tuple[str, ...]:
    """The column with the texts, or the two columns with pairs of them.

    A column `text` where there is one; else two whose names make them a pair, such as `premise` and
    `hypothesis`; else one with a usual name; else the only one that holds texts and is no label by its name.

    Raises:
        DataError: there is none, or several that could be it; the message lists them.
    """
    texts = [name for name, kind in kinds.items() if kind == "text" and not is_passed_over(name)]
    if "text" in kinds:
        return ("text",)
    best = max((label_rank(name) for name in kinds), default=0)
    if best >= _CLEAR_RANK:  # `answer` is the label, unless another column is
        texts = [name for name in texts if label_rank(name) < best]
    if len(pairs := _pairs(texts)) == 1:
        return pairs[0]
    if pairs:
        listed = [" with ".join(map(repr, pair)) for pair in pairs]
        raise unclear("texts", listed, key=key, example=pairs[0][0])
    named = [name for name in texts if normalised(name) in TEXT_NAMES]
    found = named or [name for name in texts if label_rank(name) < _CLEAR_RANK]
    if len(found) == 1:
        return (found[0],)
    if found:
        raise unclear("texts", map(repr, found), key=key, example=found[0])
    example = next((name for name, kind in kinds.items() if kind == "text"), None)
    hint = f'say it: `{key} = "{example}"`' if example else "texts are a column of strings"
    if words := [n for n, kind in kinds.items() if kind == "list" and normalised(n) in _WORDS]:
        hint = f"column {words[0]!r} holds lists of words: take the op `tokenize-words`"
    raise _missing("texts", kinds, key=key, hint=hint)


def find_label(
    kinds: Mapping[str, str], *, wanted: Iterable[str], several: bool = False, key: str = "label"
) -> str:
    """The column with what is to be learned.

    A column `label` where there is one; else the one whose name says so most; else the only one of a fitting
    kind that is not the texts.

    Args:
        kinds: column → what it holds.
        wanted: the kinds that fit, `("number",)` where a number is to be learned.
        several: whether a row may have several labels.
        key: the parameter that would say it.

    Raises:
        DataError: there is none, or several that could be it; the message lists them.
    """
    if "label" in kinds:
        return "label"
    wanted = tuple(wanted)
    fits = [n for n, kind in kinds.items() if kind in wanted and not is_passed_over(n)]
    ranks = {name: _rank(name, is_number="number" in wanted, several=several) for name in fits}
    best = max(ranks.values(), default=0)
    found = [name for name in fits if ranks[name] == best]
    if best < _CLEAR_RANK:
        texts = _texts_of(kinds)
        found = [name for name in fits if name not in texts]
    if len(found) == 1:
        return found[0]
    if found:
        raise unclear("label", map(repr, found), key=key, example=found[0])
    raise _missing("label", kinds, key=key, hint=_other_task(kinds, wanted, several, key))


def may_have_texts(names: Iterable[str]) -> bool:
    """Whether texts may be found among columns of which nothing but the names is known."""
    return any(not is_passed_over(n) and label_rank(n) < _CLEAR_RANK for n in names)


def may_have_pairs(names: Iterable[str] | None) -> bool:
    """Whether the texts found among columns may be pairs; of the columns the names are known, or nothing."""
    return names is None or ("text" not in names and bool(_pairs(list(names))))


def may_have_label(names: Iterable[str]) -> bool:
    """Whether a label may be found among columns of which nothing but the names is known."""
    left = [name for name in names if not is_passed_over(name)]
    return any(label_rank(n) or normalised(n) not in TEXT_NAMES for n in left)


def kind_of(feature: Any) -> str:
    """What a column of this feature holds, as `kinds_of` says it."""
    if isinstance(feature, list | dict) or hasattr(feature, "feature"):
        return "list"
    kind = str(getattr(feature, "dtype", ""))
    if kind in ("string", "large_string"):
        return "text"
    if kind == "bool" or kind.startswith(("int", "uint")):
        return "class"
    return "number" if kind.startswith("float") else "other"


def _pairs(texts: list[str]) -> list[tuple[str, ...]]:
    """Columns that are read together, by their names; a label by its name is of no pair."""
    by_name = {normalised(name): name for name in texts}
    plain = [name for name in texts if not label_rank(name)]
    usual = [
        (by_name[first], by_name[second])
        for first, second in PAIR_NAMES
        if by_name.keys() >= {first, second}
    ]
    alike = [(one, two) for one in plain for two in plain if are_paired(one, two)]
    return list(dict.fromkeys([*usual, *alike]))


def _texts_of(kinds: Mapping[str, str]) -> tuple[str, ...]:
    """The texts, where they are plain to see; a label by its name is none."""
    try:
        return find_texts(kinds)
    except DataError:
        return tuple(name for name in kinds if normalised(name) in TEXT_NAMES)


def _rank(name: str, *, is_number: bool, several: bool) -> int:
    """How strongly a name says that its column is the one to learn, 0 to 200."""
    if is_number:
        return 100 if normalised(name) in VALUE_NAMES else 0
    return 200 if several and normalised(name) in _SEVERAL_NAMES else label_rank(name)


def is_passed_over(name: str) -> bool:
    """Whether a column of this name is neither the data's own text nor what is to be learned."""
    return normalised(name) in _PASSED_OVER


def unclear(what: str, found: Iterable[str], *, key: str, example: str) -> DataError:
    """The error where several columns could be what is looked for."""
    return DataError(
        f"which column holds the {what}? it could be {' or '.join(found)}",
        key=key,
        hint=f'say it: `{key} = "{example}"`',
    )


def _other_task(kinds: Mapping[str, str], wanted: tuple[str, ...], several: bool, key: str) -> str:
    """The likeliest column to learn, of a kind that does not fit, with the task or parameter for it."""
    texts = _texts_of(kinds)
    left = [name for name in kinds if name not in texts and not is_passed_over(name)]
    if not left:
        return "the data need a column with what is to be learned, beside the texts"
    name = max(left, key=lambda n: _rank(n, is_number=kinds[n] == "number", several=True))
    kind, say = kinds[name], f'`{key} = "{name}"`'
    flags = [n for n in left if kinds[n] == "class"]
    if several and kind == "text":
        return f'where it holds several labels a row, say it: {say} and `separator = ","`'
    if several and kind == "list":
        return f"column {name!r} holds lists: leave `separator` out and say {say}"
    if several and len(flags) > 1:
        names = ", ".join(f'"{n}"' for n in flags)
        return f"where they are 0 or 1, say it: `labels_from = [{names}]`"
    fitting = {"number": "text-regression", "list": "multi-label-classification"}
    task = fitting.get(kind, "text-classification" if kind in ("text", "class") else None)
    if task is None or kind in wanted:
        return f"say it: {say}"
    what = {"number": "numbers", "list": "lists"}.get(kind, "labels")
    return f"column {name!r} holds {what}: take the task `{task}` with {say}"


def _missing(what: str, kinds: Mapping[str, str], *, key: str, hint: str) -> DataError:
    own = {name: kind for name, kind in kinds.items() if normalised(name) not in MADE}
    listed = ", ".join(f"{name} ({kind})" for name, kind in own.items())
    return DataError(
        f"no column is like the {what}; the columns: {listed or 'none'}",
        key=key,
        hint=hint,
    )


def _swap(name: str, position: int, letter: str) -> str:
    return name[:position] + letter + name[position + 1 :]
