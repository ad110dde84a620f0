"""The op `bleu`: BLEU of generated texts."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, Literal

import mlrecipe
from mlrecipe.builtin.ops import _recorders, _texts
from mlrecipe.interfaces import Column

if TYPE_CHECKING:
    from mlrecipe.recorder import Recorder


@mlrecipe.op("bleu")
def bleu(
    predictions: Recorder,
    *,
    prediction: Column = "prediction",
    reference: Column = "reference",
    remove: list[str] | None = None,
    tokenize: Literal["13a", "intl", "char", "zh", "none"] = "13a",
    lowercase: bool = False,
    smoothing: Literal["exp", "floor", "add-k", "none"] = "exp",
    column: str = "bleu",
) -> Recorder:
    """BLEU of generated texts (Papineni et al. 2002), computed by sacrebleu (Post 2018).

    Statistics: `bleu` of all rows, from 0 to 100; `precision_1` to `precision_4` of n-grams, in
    percent; `brevity_penalty`; `bleu_without_brevity_penalty`; `system_length` and
    `reference_length` in tokens; `mean_sentence_bleu`; and `signature`, sacrebleu's words for how it
    was computed, which belong into a paper. A column has the BLEU of each row, of as many orders of
    n-grams as the row has. BLEU of all rows is not the mean of rows.

    Args:
        predictions: a recorder with generated texts and references.
        prediction: column with the generated texts.
        reference: column with what they should have been: a text or a list of texts.
        remove: texts to take out of the generated ones, such as `["<pad>", "</s>"]`.
        tokenize: how texts are cut into tokens: `13a` as in WMT, `intl` for other scripts, `zh` for
            Chinese, `char` by characters, `none` where that has been done.
        lowercase: whether capitals do not count.
        smoothing: what is done where no n-gram of an order matches.
        column: name of the column with the BLEU of each row.
    """
    sacrebleu = _texts.sacrebleu()
    found = _recorders.recorder(predictions)
    texts = _texts.read(found, prediction=prediction, reference=reference, remove=remove)
    options = {"tokenize": tokenize, "lowercase": lowercase, "smooth_method": smoothing}
    whole = sacrebleu.BLEU(**options)
    result = whole.corpus_score(texts.predictions, texts.streams)
    each = sacrebleu.BLEU(**options, effective_order=True)
    scores = [
        each.sentence_score(text, references).score
        for text, references in zip(texts.predictions, texts.references, strict=True)
    ]
    statistics = {
        "bleu": result.score,
        **{f"precision_{n}": value for n, value in enumerate(result.precisions, 1)},
        "brevity_penalty": result.bp,
        "bleu_without_brevity_penalty": result.score / result.bp if result.bp else 0.0,
        "system_length": result.sys_len,
        "reference_length": result.ref_len,
        "mean_sentence_bleu": fmean(scores),
        "signature": str(whole.get_signature()),
    }
    return _texts.with_scores(found, {column: scores}, statistics, into="column")
