"""Words with tags: types of spans, what goes wrong with them, and the worst sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlrecipe.pages import html
from mlrecipe.pages.amounts import counted, number
from mlrecipe.pages.html import Markup
from mlrecipe.report.sections import classes

_KIND = "token_classification"
_MOST_WORDS = 80
_EXAMPLES = 5
_ERRORS = {
    "boundary": "right type, other words", "type": "right words, other type",
    "both": "other words and other type", "missed": "a span that was not found",
    "spurious": "a span where there is none",
}  # fmt: skip


def accounts(account: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The accounts of tags within one: itself, or an output's, by its name."""
    found = account.get("outputs", {"": account})
    return {name: one for name, one in found.items() if one.get("kind") == _KIND}


def spans(account: Mapping[str, Any]) -> Iterator[Markup]:
    """Types of spans, and each sort of error with examples."""
    found = account.get("spans")
    if not found:
        yield html.paragraph("No row has tags to compare with.")
        return
    yield html.paragraph(
        f"{account['accuracy']:.2%} of the words have the right tag; all tags are right in "
        f"{account['exact_match']:.1%} of {counted(account['labelled'], 'row')}. A span counts as right "
        f"where type and words are the same (scheme {account['scheme']})."
    )
    yield classes.table(found["types"], found)
    yield from _errors(account.get("errors", {}))


def worst(account: Mapping[str, Any]) -> Iterator[Markup]:
    """The rows of which most words are wrong, word by word."""
    rows = account.get("worst") or []
    if not rows:
        yield html.paragraph("No row is wrong.")
        return
    yield html.paragraph(
        "Under each word its tag; where it is wrong, also what was predicted.", kind="faint"
    )
    for row in rows:
        yield html.paragraph(
            f"row {row['row']}, {row['wrong']} of {counted(row['of_words'], 'word')} wrong",
            kind="faint",
        )
        yield _sentence(row)


def _sentence(row: Mapping[str, Any]) -> Markup:
    labels, given = row["labels"], row["predictions"]
    words = row.get("words") or [f"({row['from'] + place})" for place in range(len(labels))]
    cells = []
    for word, label, other in list(zip(words, labels, given, strict=False))[:_MOST_WORDS]:
        is_wrong = label is not None and label != other
        tag = "" if label in (None, "O") and not is_wrong else str(label)
        shown = f"{html.text(tag)} → {html.text(other)}" if is_wrong else html.text(tag) or "·"
        looks = ' class="wrong"' if is_wrong else ""
        cells.append(f"<span{looks}><bdi>{html.text(word)}</bdi><small>{shown}</small></span>")
    more = f" … {len(labels) - _MOST_WORDS} more" if len(labels) > _MOST_WORDS else ""
    return Markup(f'<p class="words">{"".join(cells)}{more}</p>')


def _errors(errors: Mapping[str, Any]) -> Iterator[Markup]:
    known = {name: errors[name] for name in _ERRORS if name in errors}
    if not known:
        return
    yield html.heading("span errors", level=3)
    rows = [(name, _ERRORS[name], number(one["count"])) for name, one in known.items()]
    yield html.table(("error", "what it is", "spans"), rows, numbers=(2,))
    examples = [
        (name, str(one["row"]), Markup(f"<bdi>{html.text(_words(one))}</bdi>"), _type(one["label"]),
         _type(one["prediction"]))
        for name, facts in known.items() for one in (facts.get("examples") or [])[:_EXAMPLES]
    ]  # fmt: skip
    if examples:
        header = ("error", "row", "words", "there", "predicted")
        yield html.table(header, examples, numbers=(1,), texts=(2,), caption="examples")


def _words(example: Mapping[str, Any]) -> str:
    return " ".join(map(str, example.get("words") or [])) or f"(from word {example['from']})"


def _type(span: Mapping[str, Any] | None) -> str:
    return "nothing" if span is None else f"{span['type'] or '-'} {span['start']} to {span['end']}"
