"""Metrics of spans and of words with tags."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from seqeval import scheme as seqeval_schemes
from seqeval.metrics import classification_report
from sklearn import metrics as sk

from mlrecipe.errors import DataError
from mlrecipe.interfaces import Head
from mlrecipe.registry import registries
from tests.builtin.metrics.tagged import Rows, batch_of, head_of, value
from tests.tagging.taggings import any_tags, names, pairs, spoilt

PEERS = {
    "IOB1": seqeval_schemes.IOB1, "IOB2": seqeval_schemes.IOB2, "BIOES": seqeval_schemes.IOBES,
    "BILOU": seqeval_schemes.BILOU,
}  # fmt: skip
RATES = {"precision": "precision", "recall": "recall", "f1": "f1-score"}
IN_SEQEVAL = {
    **{f"span-{name}": ("micro avg", rate) for name, rate in RATES.items()},
    **{f"span-{name}-macro": ("macro avg", rate) for name, rate in RATES.items()},
}
HEAD = head_of(names("IOB2"))


def require_equal_to_seqeval(scheme: str, seed: int) -> None:
    """Compare every metric of spans on one random tagging of a few rows."""
    gold, predicted = pairs(seed, scheme)
    head = head_of(names(scheme), scheme)
    found = {name: value(name, head, gold, predicted) for name in IN_SEQEVAL}
    report = seqeval_report(gold, predicted, scheme)
    for name, (average, rate) in IN_SEQEVAL.items():
        assert found[name] == pytest.approx(report[average][rate], abs=1e-12, rel=0), (name, seed)


def seqeval_report(gold: Rows, predicted: Rows, scheme: str) -> dict[str, Any]:
    """What seqeval's strict mode says; of no spans at all it cannot take a mean, and we say 0."""
    peer = PEERS[scheme]
    if not any(seqeval_schemes.Entities(side, peer).unique_tags for side in (gold, predicted)):
        return dict.fromkeys(("micro avg", "macro avg"), dict.fromkeys(RATES.values(), 0.0))
    report: dict[str, Any] = classification_report(
        gold, predicted, mode="strict", scheme=peer, output_dict=True, zero_division=0
    )
    return report


@pytest.mark.parametrize("scheme", PEERS)
def test_sequence_9_spans_equal_seqeval(scheme: str):
    """Strictly, to 1e-12, micro and macro, on random tags of which half are not legal."""
    for seed in range(20):
        require_equal_to_seqeval(scheme, seed)


@pytest.mark.real
@pytest.mark.timeout(600)
@pytest.mark.parametrize("scheme", PEERS)
def test_sequence_9_spans_equal_seqeval_on_a_thousand_taggings(scheme: str):
    """The same, of more of them."""
    for seed in range(1000):
        require_equal_to_seqeval(scheme, seed)


def test_sequence_9_spans_on_a_fixture():
    """Two of three predicted are right, of four; a label that is only predicted counts in the mean."""
    gold = ["B-PER I-PER O B-LOC B-LOC".split(), "O B-PER".split()]
    predicted = ["B-PER I-PER O B-X-Y B-LOC".split(), "O O".split()]

    assert value("span-precision", HEAD, gold, predicted) == pytest.approx(2 / 3, abs=1e-12)
    assert value("span-recall", HEAD, gold, predicted) == pytest.approx(2 / 4, abs=1e-12)
    assert value("span-f1", HEAD, gold, predicted) == pytest.approx(4 / 7, abs=1e-12)
    assert value("span-recall-macro", HEAD, gold, predicted) == pytest.approx(1 / 3, abs=1e-12)
    assert value("span-f1-macro", HEAD, gold, predicted) == pytest.approx(4 / 9, abs=1e-12)


def test_sequence_10_runs_of_plain_tags_are_judged_as_spans():
    """One word too many makes a span wrong, and the one after it."""
    gold = ["author author title title date".split()]
    predicted = ["author author author title date".split()]
    head = head_of(["author", "date", "title"], "plain")

    assert value("span-f1", head, gold, predicted) == pytest.approx(1 / 3, abs=1e-12)
    assert value("accuracy", head, gold, predicted) == pytest.approx(4 / 5, abs=1e-12)


def of_words(function: Callable[..., float], **settings: Any) -> Callable[[Rows, Rows], float]:
    """A function of all words' tags, one row after the other."""
    return lambda gold, predicted: function(
        *(list(itertools.chain(*rows)) for rows in (gold, predicted)), **settings
    )


OF_WORDS = {
    "accuracy": of_words(sk.accuracy_score),
    "balanced-accuracy": of_words(sk.balanced_accuracy_score),
    "cohen-kappa": of_words(sk.cohen_kappa_score),
    "f1-macro": of_words(sk.f1_score, average="macro", zero_division=0),
    "f1-micro": of_words(sk.f1_score, average="micro", zero_division=0),
    "f1-weighted": of_words(sk.f1_score, average="weighted", zero_division=0),
    "hamming-distance": of_words(sk.hamming_loss),
    "matthews-corrcoef": of_words(sk.matthews_corrcoef),
    "precision-macro": of_words(sk.precision_score, average="macro", zero_division=0),
    "precision-micro": of_words(sk.precision_score, average="micro", zero_division=0),
    "recall-macro": of_words(sk.recall_score, average="macro", zero_division=0),
    "recall-micro": of_words(sk.recall_score, average="micro", zero_division=0),
    "exact-match": lambda gold, predicted: sum(map(list.__eq__, gold, predicted)) / len(gold),
}


def test_every_metric_of_words_with_tags_is_compared():
    """One that is new is noticed here."""
    does = {entry.name for entry in registries["metric"] if "token_classification" in entry.types}

    assert does == OF_WORDS.keys() | IN_SEQEVAL.keys()


@pytest.mark.parametrize("name", sorted(OF_WORDS))
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true:UserWarning")
def test_sequence_9_words_equal_scikit_learn(name: str):
    """To 1e-9, all words of all rows together."""
    for seed in range(3):
        source = random.Random(seed)
        gold = [any_tags(source, "IOB2", source.randrange(9)) for _ in range(30)]
        predicted = [spoilt(source, row, "IOB2") for row in gold]

        found = value(name, HEAD, gold, predicted, size=7)

        assert found == pytest.approx(OF_WORDS[name](gold, predicted), abs=1e-9, rel=0)


@pytest.mark.parametrize("name", sorted(OF_WORDS.keys() | IN_SEQEVAL.keys()))
def test_sequence_9_padding_is_never_counted(name: str):
    """However far rows are padded, and whatever is predicted there."""
    gold, predicted = pairs(4, "IOB2")
    meter = registries["metric"].get(name)(HEAD)
    scores, targets = batch_of(gold, predicted, HEAD.labels, width=20)
    scores[..., 0][targets < 0] = 1
    meter.update(scores, targets)

    assert float(meter.compute()) == value(name, HEAD, gold, predicted, size=1)


@pytest.mark.parametrize("name", sorted(OF_WORDS.keys() | IN_SEQEVAL.keys()))
def test_what_several_processes_counted_adds_up(name: str):
    """The states of two are summed, and one of them may have had no rows."""
    gold, predicted = pairs(4, "IOB2")
    whole, first, second, none = (registries["metric"].get(name)(HEAD) for _ in range(4))
    whole.update(*batch_of(gold, predicted, HEAD.labels))
    first.update(*batch_of(gold[:1], predicted[:1], HEAD.labels))
    second.update(*batch_of(gold[1:], predicted[1:], HEAD.labels))

    for state, reduction in first._reductions.items():
        assert reduction is not None
        parts = [getattr(meter, state) for meter in (first, second, none)]
        setattr(first, state, reduction(torch.stack(parts)))

    assert float(first.compute()) == float(whole.compute())


@pytest.mark.parametrize("name", sorted(OF_WORDS.keys() | IN_SEQEVAL.keys()))
@pytest.mark.parametrize("rows", [[], [[]], [["O", "O"]]])
@pytest.mark.filterwarnings("ignore:The ``compute`` method of metric:UserWarning")
def test_no_words_and_no_spans_give_a_declared_value(name: str, rows: Rows):
    """0 where there is nothing to divide by, and never NaN."""
    found = value(name, HEAD, rows, rows)

    assert 0 <= found <= 1
    if name.startswith("span-"):
        assert found == 0


@pytest.mark.parametrize("name", ["f1", "precision", "recall"])
def test_sequence_9_which_f1_is_meant_must_be_said(name: str):
    """Of spans or of words: people mean either."""
    with pytest.raises(DataError, match=f"'{name}' may be that of spans or of words") as caught:
        registries["metric"].get(name)(HEAD)

    assert caught.value.hint == f"say `span-{name}`, or `{name}-macro` or `{name}-micro` of words"


@pytest.mark.parametrize("kind", ["token_classification", "intent_and_slots"])
def test_metrics_that_do_not_go_with_tags_are_refused(kind: str):
    """What the catalog says of each is so."""
    head = Head(problem_type=kind, labels=HEAD.labels, scheme="IOB2")
    for entry in registries["metric"]:
        factory = registries["metric"].get(entry.name)
        if kind in entry.types:
            factory(head)
            continue
        with pytest.raises(DataError, match=f"metric '{entry.name}'") as caught:
            factory(head)
        assert caught.value.key == "metrics"


def test_a_row_with_intent_and_slots_is_right_where_all_of_it_is():
    """The intent stands before the words: one wrong makes the row wrong."""
    head = Head(problem_type="intent_and_slots", labels=("a", "b"), scheme="plain")
    meter = registries["metric"].get("exact-match")(head)
    targets = torch.tensor([[1, 0, 2], [1, 0, -100], [0, 1, 1], [0, 1, 1]])
    scores = torch.zeros(4, 3, 4)
    scores[..., 0] = torch.tensor([[1, 0, 2], [1, 0, 7], [1, 1, 1], [0, 1, 0]])

    meter.update(scores, targets)

    assert float(meter.compute()) == 0.5
