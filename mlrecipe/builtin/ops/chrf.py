"""The op `chrf`: chrF of generated texts."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

import mlrecipe
from mlrecipe.builtin.ops import _recorders, _texts
from mlrecipe.interfaces import Column

if TYPE_CHECKING:
    from mlrecipe.recorder import Recorder


@mlrecipe.op("chrf")
def chrf(
    predictions: Recorder,
    *,
    prediction: Column = "prediction",
    reference: Column = "reference",
    remove: list[str] | None = None,
    word_order: int = 0,
    lowercase: bool = False,
    column: str = "chrf",
) -> Recorder:
    """The chrF of generated texts (Popović 2015), computed by sacrebleu (Post 2018).

    Statistics: `chrf` of all rows, from 0 to 100; `mean_sentence_chrf`; and `signature`, sacrebleu's
    words for how it was computed. A column has the chrF of each row.

    Args:
        predictions: a recorder with generated texts and references.
        prediction: column with the generated texts.
        reference: column with what they should have been: a text or a list of texts.
        remove: texts to take out of the generated ones, such as `["<pad>", "</s>"]`.
        word_order: longest n-grams of words that count beside those of characters: 2 is chrF++
            (Popović 2017).
        lowercase: whether capitals do not count.
        column: name of the column with the chrF of each row.
    """
    sacrebleu = _texts.sacrebleu()
    found = _recorders.recorder(predictions)
    texts = _texts.read(found, prediction=prediction, reference=reference, remove=remove)
    metric = sacrebleu.CHRF(word_order=word_order, lowercase=lowercase)
    result = metric.corpus_score(texts.predictions, texts.streams)
    scores = [
        metric.sentence_score(text, references).score
        for text, references in zip(texts.predictions, texts.references, strict=True)
    ]
    statistics = {
        "chrf": result.score,
        "mean_sentence_chrf": fmean(scores),
        "signature": str(metric.get_signature()),
    }
    return _texts.with_scores(found, {column: scores}, statistics, into="column")
