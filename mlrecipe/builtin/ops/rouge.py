"""The op `rouge`: ROUGE of generated texts."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

import mlrecipe
from mlrecipe.builtin.ops import _recorders, _texts
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Column

if TYPE_CHECKING:
    from mlrecipe.recorder import Recorder

_RATES = {"f1": "fmeasure", "precision": "precision", "recall": "recall"}
"""What we call them → what rouge-score does."""


@mlrecipe.op("rouge")
def rouge(
    predictions: Recorder,
    *,
    prediction: Column = "prediction",
    reference: Column = "reference",
    remove: list[str] | None = None,
    kinds: list[Literal["rouge1", "rouge2", "rougeL", "rougeLsum"]] | None = None,
    stemmer: bool = False,
) -> Recorder:
    """ROUGE of generated texts (Lin 2004), computed by Google's rouge-score.

    Statistics, from 0 to 1, each the mean over the rows: for each kind its F1 under the kind's name,
    `rouge1_precision` and `rouge1_recall`. A column for each kind has the F1 of each row. Of several
    references the best counts. `rougeLsum` takes lines as sentences. Only Latin letters and digits
    count: other scripts give 0.

    Args:
        predictions: a recorder with generated texts and references.
        prediction: column with the generated texts.
        reference: column with what they should have been: a text or a list of texts.
        remove: texts to take out of the generated ones, such as `["<pad>", "</s>"]`.
        kinds: what to compute; by default rouge1, rouge2, rougeL and rougeLsum.
        stemmer: whether words are cut to their stems (Porter 1980), which is for English.
    """
    package = _texts.rouge_score()
    found = _recorders.recorder(predictions)
    if kinds is not None and not kinds:
        raise DataError("there is nothing to compute", key="kinds")
    texts = _texts.read(found, prediction=prediction, reference=reference, remove=remove)
    scorer = package.RougeScorer(
        kinds or ["rouge1", "rouge2", "rougeL", "rougeLsum"], use_stemmer=stemmer
    )
    scores = [
        scorer.score_multi(references, text)
        for text, references in zip(texts.predictions, texts.references, strict=True)
    ]
    columns = {kind: [row[kind].fmeasure for row in scores] for kind in scorer.rouge_types}
    return _texts.with_scores(found, columns, _statistics(scores), into="kinds")


def _statistics(scores: list[dict[str, Any]]) -> dict[str, float]:
    return {
        kind if name == "f1" else f"{kind}_{name}": fmean(
            getattr(row[kind], attribute) for row in scores
        )
        for kind in scores[0]
        for name, attribute in _RATES.items()
    }
