"""Clusters of errors: what wrong rows share."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from mlrecipe.errors import DataError
from mlrecipe.reporting.clusters import OTHER, Limits, clusters, table_of
from mlrecipe.reporting.terms import log_odds, vocabulary
from tests.reporting.predicted import one_label, several, tagged

COMMON = "the film was a story of two people in town and then some more".split()


def reviews(rows: int = 400, seed: int = 0) -> pa.Table:
    """Two labels; negative rows with `not bad` are taken for positive ones, and so are some at random."""
    random = np.random.default_rng(seed)
    texts, targets, scores = [], [], []
    for row in range(rows):
        words = random.choice(COMMON, 12).tolist()
        label = row % 2
        is_odd = label == 0 and row % 10 == 0
        if is_odd:
            words[3:3] = ["not", "BAD,"]
        elif random.random() < 0.7:
            words.insert(0, "not" if row % 4 else "bad")
        wrong = is_odd or random.random() < 0.05
        texts.append(" ".join(words))
        targets.append(label)
        scores.append([0.2, 0.8] if (label == 1) != wrong else [0.9, 0.1])
    return one_label(scores, targets, ["neg", "pos"], text=texts)


def test_rows_that_share_telling_words_are_a_cluster():
    """The words are found, pairs of them too, and how much likelier they make the error."""
    table = reviews()

    first, *rest = clusters(table)

    assert first.pair == ("", "neg", "pos")
    assert first.words[0] == "not bad"
    texts = table.column("text").to_pylist()
    assert set(range(0, 400, 10)) == {*first.rows.tolist()}
    assert all("not BAD," in texts[row] for row in first.rows)
    assert first.wrong == 1
    assert first.usual < 0.35
    assert not any(cluster.words for cluster in rest)


def test_each_error_is_in_one_cluster_or_in_what_is_left():
    """Nothing is lost, and nothing is counted twice."""
    table = reviews()

    found = clusters(table)

    rows = np.concatenate([cluster.rows for cluster in found])
    wrong = [i for i, (a, b) in enumerate(zip(table["label"].to_pylist(),
             table["prediction"].to_pylist(), strict=True)) if a != b]  # fmt: skip
    assert sorted(rows.tolist()) == wrong


def test_words_that_say_nothing_make_no_cluster():
    """Errors at random share no words, however many are looked at."""
    random = np.random.default_rng(5)
    texts = [" ".join(random.choice(COMMON, 12)) for _ in range(600)]
    targets = random.integers(0, 2, 600)
    given = np.where(random.random(600) < 0.2, 1 - targets, targets)
    table = one_label(np.eye(2)[given] * 0.8 + 0.1, targets, ["neg", "pos"], text=texts)

    found = clusters(table)

    assert not any(cluster.words for cluster in found)


def test_the_same_rows_give_the_same_clusters():
    """Nothing is drawn."""
    one, other = (clusters(reviews()) for _ in range(2))

    assert [(c.pair, c.words, c.rows.tolist()) for c in one] == [
        (c.pair, c.words, c.rows.tolist()) for c in other
    ]


def test_clusters_beyond_the_most_go_to_what_is_left():
    """Their rows are not lost."""
    table = reviews()
    everything = sum(len(cluster.rows) for cluster in clusters(table))

    found = clusters(table, limits=Limits(most=1, least=2, chance=0.9))

    assert len([cluster for cluster in found if cluster.words]) == 1
    assert sum(len(cluster.rows) for cluster in found) == everything


def test_rare_pairs_are_taken_together():
    """So that few errors of each of many labels still say something."""
    texts = ["odd thing here"] * 6 + ["a plain row"] * 30
    targets = [0, 1, 2, 3, 4, 5, *range(6)] + [i % 6 for i in range(24)]
    given = [1, 2, 3, 4, 5, 0, *targets[6:]]
    table = one_label(np.eye(6)[given], targets, "abcdef", text=texts)

    found = clusters(table)

    assert [cluster.pair for cluster in found] == [OTHER]
    assert len(found[0].rows) == 6
    assert found[0].words


def test_clusters_as_rows_have_examples():
    """Of the greatest loss, shortened, with their numbers."""
    table = reviews()

    rows = table_of(clusters(table), table, examples=2)

    first = rows.to_pylist()[0]
    assert len(first["examples"]) == 2
    assert first["examples"][0] == table["text"][first["example_rows"][0]].as_py()
    assert sum(rows.column("share").to_pylist()) == pytest.approx(1)


def test_tags_and_several_labels_have_clusters_too():
    """By their surest wrong decision."""
    words = [["to", "Rome"]] * 8 + [["to", "me"]] * 20
    tags = tagged([["O", "B-X"]] * 8 + [["O", "O"]] * 20, [["O", "O"]] * 28, [[0.9, 0.9]] * 28,
                  ["O", "B-X"], words=words)  # fmt: skip
    there = np.array([[True, False]] * 28)
    scores = np.array([[0.1, 0.1]] * 8 + [[0.9, 0.1]] * 20)
    labels = several(scores, there, ["a", "b"], text=[" ".join(row) for row in words])

    assert clusters(tags)[0].pair == ("", "B-X", "O")
    assert clusters(tags)[0].words[0] in ("rome", "to rome")
    assert clusters(labels)[0].pair == ("a", "yes", "no")


def test_without_texts_there_are_no_clusters():
    """The message says what columns there are, and what to do."""
    with pytest.raises(DataError, match=r"text: no column .*columns of the tested rows: none"):
        clusters(one_label([[0.9, 0.1]], [1], "ab"))


def test_all_right_is_no_cluster():
    """And no error."""
    table = one_label([[0.9, 0.1]], [0], "ab", text=["fine"])

    assert clusters(table) == []
    assert table_of([], table).num_rows == 0


def test_words_are_told_in_any_language():
    """Lower-cased, without punctuation; pairs only of neighbours in a row."""
    texts = pa.chunked_array([["Größe, ÉTÉ don't!", "été größe", "ÉTÉ don't"]])

    found, where = vocabulary(texts, least=2)

    assert {found.name(i) for i in range(len(found))} == {"größe", "été", "don't", "été don't"}
    again = list(found.find(texts))
    assert [f.terms.tolist() for f in again] == [where.terms.tolist()]


def test_log_odds_are_those_of_the_formula():
    """Of a word in 8 of 10 rows and in 5 of 90 others, with a prior of 10 rows."""
    found = log_odds(np.array([8]), 10, np.array([5]), 90, prior=10.0)

    share = 13 / 100
    a, b, c, d = 8 + 10 * share, 2 + 10 * (1 - share), 5 + 10 * share, 85 + 10 * (1 - share)
    expected = (np.log(a / b) - np.log(c / d)) / np.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
    assert found == pytest.approx([expected])


def test_rows_that_are_not_looked_at_count_in_the_shares(monkeypatch: pytest.MonkeyPatch):
    """Where some right rows stand for all, an error is not told as more usual than it is."""
    table = reviews(2000)
    usual = {cluster.pair: cluster.usual for cluster in clusters(table)}
    monkeypatch.setattr("mlrecipe.reporting.clusters._MOST_RIGHT", 300)

    found = {cluster.pair: cluster.usual for cluster in clusters(table)}

    assert found == pytest.approx(usual, abs=0.03)


def test_large_strings_are_texts():
    """As a data frame of pandas has them."""
    table = reviews()
    large = table["text"].cast(pa.large_string())
    other = table.set_column(table.schema.get_field_index("text"), "text", large)

    assert [c.words for c in clusters(other)] == [c.words for c in clusters(table)]
