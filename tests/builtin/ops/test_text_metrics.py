"""The ops `bleu`, `chrf` and `rouge` against the packages' own numbers."""

from __future__ import annotations

import sys

import pytest

from mlrecipe import DataError, Recorder
from mlrecipe.builtin.ops.bleu import bleu
from mlrecipe.builtin.ops.chrf import chrf
from mlrecipe.builtin.ops.rouge import rouge

pytestmark = pytest.mark.heavy

SAID = ["the cat sat on the mat", "a dog barks at night", "birds fly", "it is what it is"]
MEANT = ["the cat is on the mat", "a dog barked at night", "the birds are flying away", "it is so"]
OTHER = ["there is a cat on the mat", "dogs bark at night", "birds fly away", "that is how it is"]


@pytest.fixture
def found() -> Recorder:
    """Generated texts with a reference each."""
    made = Recorder(statistics={"old": 1}, split="test")
    made.log_batch(row=range(4), prediction=SAID, reference=MEANT)
    return made


def test_bleu_is_sacrebleus(found):
    """Of all rows, of its parts and of each row."""
    sacrebleu = pytest.importorskip("sacrebleu")

    judged = bleu(found)

    whole = sacrebleu.corpus_bleu(SAID, [MEANT])
    each = [sacrebleu.sentence_bleu(s, [m]).score for s, m in zip(SAID, MEANT, strict=True)]
    statistics = judged.statistics
    assert statistics["bleu"] == whole.score
    assert [statistics[f"precision_{n}"] for n in (1, 2, 3, 4)] == whole.precisions
    assert (statistics["brevity_penalty"], statistics["system_length"]) == (whole.bp, whole.sys_len)
    assert statistics["reference_length"] == whole.ref_len
    assert statistics["bleu_without_brevity_penalty"] == pytest.approx(whole.score / whole.bp)
    assert statistics["mean_sentence_bleu"] == pytest.approx(sum(each) / 4)
    assert statistics["signature"].startswith(
        "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:"
    )
    assert judged.column("bleu") == each
    assert ("old" in statistics, judged.split, judged.column("row")) == (
        False,
        "test",
        [0, 1, 2, 3],
    )


def test_bleu_of_several_references_which_rows_may_have_more_or_less_of(found):
    """A list of texts to a row; sacrebleu takes references that are missing as None."""
    sacrebleu = pytest.importorskip("sacrebleu")
    found.set_column(
        "reference", [[m, o] for m, o in zip(MEANT[:3], OTHER, strict=False)] + [[MEANT[3]]]
    )

    judged = bleu(found)

    expected = sacrebleu.corpus_bleu(SAID, [MEANT, [*OTHER[:3], None]])
    assert judged.statistics["bleu"] == expected.score
    assert judged.column("bleu")[0] == sacrebleu.sentence_bleu(SAID[0], [MEANT[0], OTHER[0]]).score
    assert "nrefs:var" in judged.statistics["signature"]


def test_tokens_are_removed_from_what_was_generated(found):
    """As models leave them."""
    pytest.importorskip("sacrebleu")
    clean = bleu(found)
    found.set_column("prediction", [f"<pad> {text}</s><pad>" for text in SAID])

    judged = bleu(found, remove=["<pad>", "</s>"])

    assert judged.statistics == clean.statistics
    assert bleu(found).statistics["bleu"] < clean.statistics["bleu"]


def test_options_of_bleu_are_sacrebleus(found):
    """Tokens, capitals and smoothing are in the signature."""
    sacrebleu = pytest.importorskip("sacrebleu")

    judged = bleu(found, tokenize="char", lowercase=True, smoothing="floor", column="score")

    metric = sacrebleu.BLEU(tokenize="char", lowercase=True, smooth_method="floor")
    assert judged.statistics["bleu"] == metric.corpus_score(SAID, [MEANT]).score
    assert "case:lc|eff:no|tok:char|smooth:floor" in judged.statistics["signature"]
    assert "score" in judged.column_names


@pytest.mark.parametrize("order", [0, 2])
def test_chrf_is_sacrebleus(found, order):
    """chrF and chrF++, of all rows and of each."""
    sacrebleu = pytest.importorskip("sacrebleu")

    judged = chrf(found, word_order=order)

    metric = sacrebleu.CHRF(word_order=order)
    each = [metric.sentence_score(s, [m]).score for s, m in zip(SAID, MEANT, strict=True)]
    assert judged.statistics["chrf"] == metric.corpus_score(SAID, [MEANT]).score
    assert judged.column("chrf") == each
    assert judged.statistics["mean_sentence_chrf"] == pytest.approx(sum(each) / 4)
    assert f"nw:{order}" in judged.statistics["signature"]


def test_rouge_is_rouge_scores(found):
    """The mean over the rows of F1, precision and recall, and the F1 of each row."""
    package = pytest.importorskip("rouge_score.rouge_scorer")

    judged = rouge(found)

    kinds = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
    scorer = package.RougeScorer(kinds)
    each = [scorer.score(m, s) for s, m in zip(SAID, MEANT, strict=True)]
    for kind in kinds:
        assert judged.column(kind) == [row[kind].fmeasure for row in each]
        for name, attribute in (
            ("", "fmeasure"),
            ("_precision", "precision"),
            ("_recall", "recall"),
        ):
            mean = sum(getattr(row[kind], attribute) for row in each) / 4
            assert judged.statistics[kind + name] == pytest.approx(mean)


def test_rouge_takes_the_best_of_several_references(found):
    """As rouge-score does; with stems and fewer kinds, where that is asked for."""
    package = pytest.importorskip("rouge_score.rouge_scorer")
    found.set_column("reference", [list(pair) for pair in zip(MEANT, OTHER, strict=True)])

    judged = rouge(found, kinds=["rougeL"], stemmer=True)

    scorer = package.RougeScorer(["rougeL"], use_stemmer=True)
    best = [
        scorer.score_multi(list(pair), said)["rougeL"].fmeasure
        for said, *pair in zip(SAID, MEANT, OTHER, strict=True)
    ]
    assert judged.column("rougeL") == best
    assert set(judged.statistics) == {"rougeL", "rougeL_precision", "rougeL_recall"}


def test_ops_follow_each_other(found):
    """Columns gather; the statistics are each op's own."""
    pytest.importorskip("sacrebleu")

    judged = chrf(bleu(found))

    assert judged.column_names[-2:] == ["bleu", "chrf"]
    assert "bleu" not in judged.statistics
    with pytest.raises(DataError, match="a column 'bleu' already") as caught:
        bleu(judged)
    assert caught.value.key == "column"


@pytest.mark.parametrize("op", [bleu, chrf, rouge])
@pytest.mark.parametrize(
    ("columns", "given", "key", "told"),
    [
        ({"reference": ["a", None]}, {}, "reference", "row 8 has nothing in column 'reference'"),
        ({"reference": [["a"], []]}, {}, "reference", "row 8 has no reference"),
        ({"prediction": [1, 2]}, {}, "prediction", "row 7 has a value of type 'int'"),
        ({}, {"prediction": "said"}, "prediction", "no column 'said'"),
    ],
)
def test_rows_without_texts_are_refused(op, columns, given, key, told):
    """The message says which row, by its number in the split."""
    pytest.importorskip("sacrebleu")
    pytest.importorskip("rouge_score")
    made = Recorder()
    made.log_batch(**{"row": [7, 8], "prediction": ["a", "b"], "reference": ["a", "b"], **columns})

    with pytest.raises(DataError, match=told) as caught:
        op(made, **given)
    assert caught.value.key == key


@pytest.mark.parametrize("op", [bleu, chrf, rouge])
def test_a_missing_package_is_named_with_its_extra(op, found, monkeypatch):
    """One line says what to install."""
    for name in ("sacrebleu", "sacrebleu.metrics", "rouge_score", "rouge_score.rouge_scorer"):
        monkeypatch.setitem(sys.modules, name, None)

    with pytest.raises(
        DataError, match=r"which is not installed; pip install 'mlrecipe\[text-metrics\]'"
    ):
        op(found)
