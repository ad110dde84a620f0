"""The op `error-clusters`: wrong rows by the words that they share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mlrecipe
from mlrecipe.builtin.ops import _evaluated
from mlrecipe.interfaces import Column

if TYPE_CHECKING:
    from mlrecipe.recorder import Recorder


@mlrecipe.op("error-clusters")
def error_clusters(
    predictions: Recorder,
    *,
    text: Column | list[Column] | None = None,
    most: int = 10,
    least: int = 5,
    chance: float = 0.05,
    examples: int = 3,
) -> Recorder:
    """Group the wrong rows by words, and pairs of words, that right rows of the same label have seldom.

    Words are found by their log odds with an informative Dirichlet prior (Monroe, Colaresi & Quinn 2008),
    counted in rows. The one that tells most makes a cluster of the wrong rows that have it, then the next one
    of those that are left. The same rows give the same clusters: nothing is drawn. Of more than 20,000 errors
    evenly spaced ones are looked at, and `rows` counts these.

    A row for each cluster, the largest first: `label` and `prediction` (`about` before them where more than one
    thing is said of a row), `rows`, `share` of all errors, `words`, the first of which all its rows have;
    `wrong`, the share that goes wrong in this way of all rows with that word, and `usual`, that share with any
    word; `z`, how sure the difference is, in standard errors; some `examples`, those of the greatest loss,
    with their row numbers, `example_rows`. After them what is left of each pair of label and prediction,
    without words.

    Statistics: `rows` with a label, `errors`, `clusters`, `grouped`, the share of errors that is in one, and
    `largest`, the rows of the largest.

    Args:
        predictions: those of labels or tags, with texts.
        text: column or columns with the texts; by default the one that is plain to hold them.
        most: clusters at most, beside what is left.
        least: rows of a cluster at least.
        chance: how likely the errors of a label and prediction may be to have a cluster by chance, however
            many words are looked at (Bonferroni's correction).
        examples: rows to show of each cluster.
    """
    from mlrecipe.reporting import clusters, mistakes

    table = _evaluated.rows_of(predictions)
    columns = [text] if isinstance(text, str) else list(text or ())
    limits = clusters.Limits(most=most, least=least, chance=chance)
    found = clusters.clusters(table, columns=columns, limits=limits)
    rows = clusters.table_of(found, table, columns=columns, examples=examples)
    counted = mistakes.statistics(table)
    told = [len(each.rows) for each in found if each.words]
    statistics = {
        "rows": counted["rows"], "errors": counted["errors"], "clusters": len(told),
        "grouped": sum(told) / max(sum(len(each.rows) for each in found), 1),
        "largest": max(told, default=0),
    }  # fmt: skip
    return _evaluated.recorder(rows, statistics, predictions)
