"""What a model answers to single texts, as `mlrecipe predict --text` shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlrecipe.cli import render

if TYPE_CHECKING:
    from mlrecipe.inference.replies import Answer, Span, Tags

_COLORS = ("green", "yellow", "cyan", "red")
_MOST = 5
"""Labels that are shown where it was not said how many."""


def show(texts: Sequence[str], answers: Sequence[Answer], *, top: int | None = None) -> None:
    """Print the answer to each text; where there are several, below the text.

    Args:
        texts: as they were given.
        answers: to each.
        top: so many labels with their probabilities; by default some.
    """
    for number, (text, answer) in enumerate(zip(texts, answers, strict=True)):
        if number:
            render.out()
        if len(texts) > 1 and not _shows_text(answer):
            render.out(render.visible(text) or "(no text)")
        for line in _lines(answer, top):
            render.out(line)


def document(texts: Sequence[str], answers: Sequence[Answer], *, model: str) -> dict[str, Any]:
    """The same for scripts."""
    pairs = zip(texts, answers, strict=True)
    return {
        "model": model,
        "answers": [{"text": text, **answer.to_dict()} for text, answer in pairs],
    }


def _shows_text(answer: Answer) -> bool:
    from mlrecipe.inference.replies import Frame, Tags

    return isinstance(answer, Frame | Tags)


def _lines(answer: Answer, top: int | None) -> list[str]:
    from mlrecipe.inference import replies

    match answer:
        case replies.Tags():
            return [*_tagged(answer), *_words(answer)]
        case replies.Frame(intent=intent, slots=slots):
            name = render.styled(render.visible(intent.label), "bold")
            lines = [*_tagged(slots, f"{name}  {intent.score:.4f}"), *_others(intent, top)]
            return [*lines, *_words(slots)]
        case replies.Label():
            shown = list(answer.probabilities.items())[: top or _MOST]
            return render.columns([(render.visible(n), f"{p:.4f}") for n, p in shown])
        case replies.Labels(labels=labels, probabilities=shares):
            some = list(shares.items())[: top or max(_MOST, len(labels))]
            return render.columns(
                [(render.visible(n), f"{p:.4f}", "✓" if n in labels else "") for n, p in some]
            )
        case replies.Outputs(outputs=outputs):
            return render.columns(
                [
                    (column, render.visible(a.label), f"{a.score:.4f}")
                    for column, a in outputs.items()
                ]
            )
        case replies.Number(value=value):
            return [f"  {value:.6g}"]


def _others(intent: Any, top: int | None) -> list[str]:
    """The intents that were asked for beside the best."""
    if top is None:
        return []
    return render.columns(
        [(render.visible(n), f"{p:.4f}") for n, p in intent.probabilities.items()]
    )


def _words(answer: Tags) -> list[str]:
    """Of each word the tags that were asked for."""
    shares = [[f"{tag} {p:.4f}" for tag, p in word.items()] for word in answer.probabilities]
    rows = zip(answer.tokens, shares, strict=True) if shares else ()
    return render.columns(
        [(render.visible(word), *map(render.visible, some)) for word, some in rows]
    )


def _tagged(answer: Tags, first: str = "") -> list[str]:
    """The text with its spans in colours, then each span with its place and score."""
    lines = [first] if first else []
    if not answer.tokens:
        return [*lines, "(no words)"]
    labels = list(dict.fromkeys(span.label for span in answer.spans))
    colors = {label: _COLORS[n % len(_COLORS)] for n, label in enumerate(labels)}
    lines.append(_painted(answer, colors))
    if not answer.spans:
        return [*lines, "  (no spans)"]
    return lines + render.columns(
        [
            (render.visible(span.label or "-"), render.visible(span.text), _place(span),
             f"{span.score:.4f}")
            for span in answer.spans
        ]
    )  # fmt: skip


def _place(span: Span) -> str:
    return f"{span.start}-{span.end}"


def _painted(answer: Tags, colors: dict[str, str]) -> str:
    made, at = "", 0
    for span in answer.spans:
        made += render.visible(answer.text[at : span.start])
        made += render.styled(render.visible(span.text), colors[span.label])
        at = span.end
    return made + render.visible(answer.text[at:])
