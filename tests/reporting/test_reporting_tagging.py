"""The report of words with tags: what predictions come to, tag by tag and span by span."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from datasets import Dataset
from seqeval import scheme as schemes
from seqeval.metrics import classification_report as seqeval_report
from sklearn import metrics as sk

from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.tasks.token_classification import TokenClassification
from mlrecipe.interfaces import Head
from mlrecipe.recipe.schema import TestSpec
from mlrecipe.registry import registries
from mlrecipe.reporting.examples import WORST, words_of
from mlrecipe.reporting.report import report, write
from mlrecipe.training.fit import fit
from mlrecipe.training.predictions import Predictions
from mlrecipe.training.test import test as run_test
from tests.training.tiny import VOCABULARY, WORDS, components, make_spec

pytestmark = pytest.mark.heavy

EXACT = 1e-12
SEQEVAL = {"IOB1": "IOB1", "IOB2": "IOB2", "BIOES": "IOBES", "BILOU": "BILOU"}
NER = ("O", "B-LOC", "B-PER", "I-LOC", "I-PER")


def head_of(labels: tuple[str, ...] = NER, *, scheme: str = "IOB2", **settings: Any) -> Head:
    return Head(
        problem_type="token_classification", labels=labels, scheme=scheme, decoding="argmax",
        splitting="punctuation", **settings,
    )  # fmt: skip


def tags_of(scheme: str) -> tuple[str, ...]:
    """All tags of a scheme for two types."""
    prefixes = {"IOB1": "BI", "IOB2": "BI", "BIOES": "BIES", "BILOU": "BILU"}[scheme]
    return ("O", *(f"{prefix}-{name}" for prefix in prefixes for name in ("LOC", "PER")))


def taggings(labels: tuple[str, ...], *, rows: int = 60, seed: int = 0) -> Any:
    """Ids of tags and of predictions, of rows of 1 to 12 words, legal or not."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, 13, rows)
    gold = [random.integers(0, len(labels), n) for n in lengths]
    given = [np.where(random.random(len(g)) < 0.6, g, random.permutation(g)) for g in gold]
    return gold, given


def scores_of(given: Any, labels: int, width: int) -> np.ndarray:
    """As a step has them: the id that is decided on, then probabilities; -1 and 0 beyond the row."""
    scores = np.zeros((len(given), width, 1 + labels), np.float32)
    scores[..., 0] = -1
    for row, ids in enumerate(given):
        scores[row, : len(ids), 0] = ids
        scores[row, : len(ids), 1:] = 0.25 / (labels - 1)
        scores[row, np.arange(len(ids)), 1 + ids] = 0.75
    return scores


def targets_of(gold: Any, width: int) -> np.ndarray:
    targets = np.full((len(gold), width), -100)
    for row, ids in enumerate(gold):
        targets[row, : len(ids)] = ids
    return targets


def predicted(
    folder: Path, head: Head, given: Any, gold: Any, *, size: int = 7, padding: int = 0
) -> Path:
    """A file of predictions, written in batches of `size`, each as wide as its longest row and more."""
    path = folder / "predictions.arrow"
    with Predictions(path, head) as file:
        for start in range(0, len(given), size):
            part = given[start : start + size]
            width = max(map(len, part)) + padding
            targets = None
            if gold is not None:
                targets = torch.tensor(targets_of(gold[start : start + size], width))
            scores = torch.tensor(scores_of(part, len(head.labels), width))
            file.add(scores, targets, rows=np.arange(start, start + len(part)))
    return path


def named(ids: Any, labels: tuple[str, ...]) -> list[list[str]]:
    return [[labels[i] for i in row] for row in ids]


def test_sequence_11_each_tag_has_its_line_and_what_it_is_taken_for(tmp_path: Path):
    """Precision, recall, F1 and words of each tag, their means, and all of the confusion matrix."""
    gold, given = taggings(NER)

    found = report(predicted(tmp_path, head_of(), given, gold))

    there, ours = np.concatenate(gold), np.concatenate(given)
    expected: Any = sk.classification_report(
        there, ours, target_names=NER, output_dict=True, zero_division=0
    )
    for name in NER:
        one = found["classes"][name]
        assert one["words"] == expected[name]["support"]
        assert one["precision"] == pytest.approx(expected[name]["precision"], abs=EXACT)
        assert one["recall"] == pytest.approx(expected[name]["recall"], abs=EXACT)
        assert one["f1"] == pytest.approx(expected[name]["f1-score"], abs=EXACT)
    for mean in ("macro", "weighted"):
        assert found[mean]["f1"] == pytest.approx(expected[f"{mean} avg"]["f1-score"], abs=EXACT)
    assert found["accuracy"] == pytest.approx(expected["accuracy"], abs=EXACT)
    table = [[found["confusion"].get(a, {}).get(b, 0) for b in NER] for a in NER]
    assert table == sk.confusion_matrix(there, ours).tolist()
    assert found["words"] == len(there)


@pytest.mark.parametrize("scheme", SEQEVAL)
def test_sequence_9_the_report_of_spans_is_seqeval_s(tmp_path: Path, scheme: str):
    """Strictly: precision, recall, F1 and spans of each type, and their means, of taggings legal or not."""
    labels = tags_of(scheme)
    gold, given = taggings(labels)

    found = report(predicted(tmp_path, head_of(labels, scheme=scheme), given, gold))["spans"]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected: Any = seqeval_report(
            named(gold, labels), named(given, labels), mode="strict", output_dict=True,
            scheme=getattr(schemes, SEQEVAL[scheme]), zero_division=0,
        )  # fmt: skip
    assert sorted(found["types"]) == ["LOC", "PER"]
    for name, one in found["types"].items():
        assert one["spans"] == expected[name]["support"]
        for ours, theirs in (("precision",) * 2, ("recall",) * 2, ("f1", "f1-score")):
            assert one[ours] == pytest.approx(expected[name][theirs], abs=EXACT)
    for mean in ("micro", "macro", "weighted"):
        for ours, theirs in (("precision",) * 2, ("recall",) * 2, ("f1", "f1-score")):
            value = expected[f"{mean} avg"][theirs]
            assert found[mean][ours] == pytest.approx(value, abs=EXACT)


def test_sequence_9_padding_is_no_part_of_the_report(tmp_path: Path):
    """Rows alone, in batches, and padded much longer give one report, byte for byte."""
    gold, given = taggings(NER)
    texts = [
        json.dumps(report(predicted(tmp_path, head_of(), given, gold, size=size, padding=padding)))
        for size, padding in ((1, 0), (7, 0), (60, 9))
    ]

    assert texts[0] == texts[1] == texts[2]
    assert json.loads(texts[0])["words"] == sum(map(len, gold))


@pytest.mark.parametrize("scheme", ["IOB2", "BILOU", "plain"])
def test_sequence_9_report_and_metrics_say_the_same(tmp_path: Path, scheme: str):
    """Computed twice, from the file and from the scores of a batch."""
    labels = ("O", "a", "b") if scheme == "plain" else tags_of(scheme)
    head = head_of(labels, scheme=scheme)
    gold, given = taggings(labels)

    found = report(predicted(tmp_path, head, given, gold))

    scores, targets = scores_of(given, len(labels), 12), targets_of(gold, 12)

    def metric(name: str) -> float:
        meter = registries["metric"].get(name)(head)
        meter.update(torch.tensor(scores), torch.tensor(targets))
        return float(meter.compute())

    for rate in ("precision", "recall", "f1"):
        assert found["spans"]["micro"][rate] == pytest.approx(metric(f"span-{rate}"), abs=EXACT)
        macro = metric(f"span-{rate}-macro")
        assert found["spans"]["macro"][rate] == pytest.approx(macro, abs=EXACT)
    assert found["exact_match"] == pytest.approx(metric("exact-match"), abs=EXACT)
    assert found["accuracy"] == pytest.approx(metric("accuracy"), abs=EXACT)
    assert found["macro"]["f1"] == pytest.approx(metric("f1-macro"), abs=EXACT)
    assert found["weighted"]["f1"] == pytest.approx(metric("f1-weighted"), abs=EXACT)


ROWS = {
    "right": ("B-PER I-PER O", "B-PER I-PER O"),
    "boundary": ("B-PER I-PER O", "B-PER O O"),
    "type": ("O B-PER I-PER", "O B-LOC I-LOC"),
    "both": ("B-PER I-PER O", "O B-LOC I-LOC"),
    "missed": ("O B-LOC O", "O O O"),
    "spurious": ("O O O", "O O B-LOC"),
}


def ids(text: str) -> np.ndarray:
    return np.array([NER.index(tag) for tag in text.split()])


def test_each_sort_of_error_is_counted_and_shown(tmp_path: Path):
    """With the row, the words, what is there and what was predicted."""
    gold, given = ([ids(pair[side]) for pair in ROWS.values()] for side in (0, 1))
    path = predicted(tmp_path, head_of(), given, gold)

    found = report(path, words=lambda row: [f"{row}a", f"{row}b", f"{row}c"])["errors"]

    assert {kind: one["count"] for kind, one in found.items()} == dict.fromkeys(ROWS, 1)
    assert found["both"]["examples"] == [
        {
            "row": 3, "from": 0, "words": ["3a", "3b", "3c"],
            "label": {"type": "PER", "start": 0, "end": 2},
            "prediction": {"type": "LOC", "start": 1, "end": 3},
        }
    ]  # fmt: skip
    assert found["missed"]["examples"][0]["prediction"] is None
    assert found["spurious"]["examples"][0]["label"] is None
    assert found["spurious"]["examples"][0]["words"] == ["5c"]


def test_the_worst_rows_have_most_words_wrong(tmp_path: Path):
    """Ten at most, the worst first, with their words, tags and predictions; right rows are none of them."""
    wrong = [0, 3, 1, *[1] * 12, 2]
    gold = [np.zeros(4, int) for _ in wrong]
    given = [np.array([1] * n + [0] * (4 - n)) for n in wrong]

    found = report(predicted(tmp_path, head_of(), given, gold), words=lambda row: list("abcd"))

    worst = found["worst"]
    assert [(one["row"], one["wrong"]) for one in worst[:4]] == [(1, 3), (15, 2), (2, 1), (3, 1)]
    assert len(worst) == WORST
    assert worst[0] == {
        "row": 1, "of_words": 4, "wrong": 3, "from": 0, "probability": 0.75,
        "words": ["a", "b", "c", "d"], "labels": ["O"] * 4,
        "predictions": ["B-LOC"] * 3 + ["O"],
    }  # fmt: skip


def test_a_long_row_is_shown_where_it_goes_wrong(tmp_path: Path):
    """200 words of it, from a little before the first wrong one."""
    gold, given = np.zeros(1000, int), np.zeros(1000, int)
    given[500] = 1

    (one,) = report(predicted(tmp_path, head_of(), [given], [gold]))["worst"]

    assert (one["from"], len(one["labels"]), one["of_words"]) == (490, 200, 1000)
    assert one["predictions"][10] == "B-LOC"
    assert "words" not in one


def test_rows_without_tags_are_counted_but_not_judged(tmp_path: Path):
    """How often each tag and type was predicted is known; nothing else is."""
    given = [ids("B-PER I-PER O"), ids("B-LOC O O B-LOC")]

    found = report(predicted(tmp_path, head_of(), given, None))

    assert found == {
        "kind": "token_classification", "scheme": "IOB2", "rows": 2, "labelled": 0, "words": 7,
        "predicted": {"O": 3, "B-LOC": 2, "B-PER": 1, "I-LOC": 0, "I-PER": 1},
        "predicted_spans": {"LOC": 2, "PER": 1},
    }  # fmt: skip


FRAMES = Head(
    problem_type="intent_and_slots", scheme="IOB2", decoding="argmax", splitting="punctuation",
    labels=("what=ask", "what=tell", *(f"slots={tag}" for tag in NER)),
    outputs={"what": ("ask", "tell"), "slots": NER},
)  # fmt: skip


def test_intent_and_slots_have_a_report_each_and_one_of_whole_rows(tmp_path: Path):
    """Each as if it were alone; a row is right when its intent and all its tags are."""
    gold, given = taggings(NER, rows=20)
    given[0], intents = gold[0], [(row % 2, int(row % 5 == 1)) for row in range(20)]
    width = 1 + max(map(len, gold))
    both = [[np.concatenate([[i[side]], row]) for i, row in zip(intents, part, strict=True)]
            for side, part in enumerate((gold, given))]  # fmt: skip
    path = tmp_path / "frames.arrow"
    with Predictions(path, FRAMES) as file:
        file.add(
            torch.tensor(scores_of(both[1], 5, width)), torch.tensor(targets_of(both[0], width)),
            rows=np.arange(20),
        )  # fmt: skip

    found = report(path)

    right = [i == j and (a == b).all() for (i, j), a, b in zip(intents, gold, given, strict=True)]
    assert found["exact_match"] == pytest.approx(np.mean(right), abs=EXACT)
    assert found["outputs"]["slots"] == report(predicted(tmp_path, head_of(), given, gold))
    accuracy = np.mean([i == j for i, j in intents])
    assert found["outputs"]["what"]["accuracy"] == pytest.approx(accuracy, abs=EXACT)
    assert found["outputs"]["what"]["calibration"]["bins"][0]["confidence"] == pytest.approx(0.75)


def test_a_file_without_a_head_is_read_as_before(tmp_path: Path):
    """Lists of labels were those of rows with several."""
    names = pa.list_(pa.string())
    columns = {"row": pa.int64(), "label": names, "prediction": names,
               "probabilities": pa.list_(pa.float32())}  # fmt: skip
    schema = pa.schema(columns).with_metadata({"labels": json.dumps(["a", "b"])})
    rows = [{"row": 0, "label": ["a"], "prediction": ["a", "b"], "probabilities": [0.9, 0.8]}]
    path = tmp_path / "predictions.arrow"
    with pa.ipc.new_stream(str(path), schema) as stream:
        stream.write_table(pa.Table.from_pylist(rows, schema=schema))

    assert report(path)["kind"] == "multi_label_classification"


def test_a_word_without_a_tag_is_not_judged(tmp_path: Path):
    """It is in no span, and no row is wrong for it."""
    names = pa.list_(pa.string())
    columns = {"row": pa.int64(), "label": names, "prediction": names,
               "probabilities": pa.list_(pa.float32())}  # fmt: skip
    head = {"problem_type": "token_classification", "scheme": "IOB2", "labels": NER}
    schema = pa.schema(columns).with_metadata({"labels": json.dumps(NER), "head": json.dumps(head)})
    row = {"row": 0, "label": ["B-PER", None, "O"], "prediction": ["B-PER", "I-PER", "O"],
           "probabilities": [0.5, 0.5, 0.5]}  # fmt: skip
    path = tmp_path / "predictions.arrow"
    with pa.ipc.new_stream(str(path), schema) as stream:
        stream.write_table(pa.Table.from_pylist([row], schema=schema))

    found = report(path)

    assert (found["words"], found["accuracy"], found["exact_match"]) == (3, 1.0, 1.0)
    assert sum(one["words"] for one in found["classes"].values()) == 2
    assert found["spans"]["micro"]["f1"] == 1.0
    assert found["worst"] == []


def test_words_are_those_of_the_rows(tmp_path: Path):
    """A column that is plain to be the words gives them; without one there are none."""
    rows = Dataset.from_dict({"tokens": [["a", "b"], ["c"]], "tags": [["O", "O"], ["O"]]})
    words = words_of(rows)

    assert words is not None
    assert words(1) == ["c"]
    assert words_of(Dataset.from_dict({"input_ids": [[1, 2]]})) is None


def test_a_report_of_tags_can_be_made_again_from_the_file(tmp_path: Path):
    """It says the same, byte for byte, and is JSON of finite numbers."""
    gold, given = taggings(NER)
    path = predicted(tmp_path, head_of(), given, gold)

    first = write(tmp_path, {"test": path}).read_bytes()

    assert write(tmp_path, {"test": path}).read_bytes() == first
    assert json.loads(first)["splits"]["test"]["kind"] == "token_classification"


def sentences(count: int, *, seed: int) -> Dataset:
    """Rows as `tokenize-words` writes them, a token for each word; some tags cannot be learnt."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        words = [WORDS[i] for i in random.integers(0, len(WORDS), random.integers(2, 9))]
        odd = random.random(len(words)) < 0.2
        names = [word in ("good", "great") for word in words]
        tags = ["B-LOC" if a != b else "O" for a, b in zip(names, odd, strict=True)]
        ids = [2, *(VOCABULARY[word] for word in words), 3]
        rows.append(
            {"tokens": words, "tags": tags, "input_ids": ids, "windows": [len(ids)],
             "word_starts": list(range(1, len(words) + 1)), "word_lengths": [1] * len(words)}
        )  # fmt: skip
    return Dataset.from_list(rows)


def test_sequence_11_a_test_saves_tables_confusions_and_worst_rows(tiny: Path, tmp_path: Path):
    """`report.json` agrees with the metrics, and its worst rows have the words of the split."""
    rows = {name: sentences(24, seed=seed) for seed, name in enumerate(("train", "valid", "test"))}
    task = TokenClassification(metrics=["span-f1", "accuracy", "f1-macro"])
    run, folder = tmp_path / "run", tmp_path / "tested"
    run.mkdir()
    folder.mkdir()
    trained = fit(
        task=task, model=Transformer(config=str(tiny)), spec=make_spec(monitor="valid/loss"),
        seed=1, data=rows, components=components(), folder=run,
    )  # fmt: skip
    run_test(
        task=task, model=Transformer(config="/nowhere"), spec=TestSpec(split="test", batch_size=5),
        data=rows, checkpoint=trained.model_folder, folder=folder, trainer={"accelerator": "cpu"},
    )  # fmt: skip

    found = json.loads((folder / "report.json").read_text())["splits"]["test"]

    metrics = json.loads((folder / "metrics.json").read_text())["metrics"]
    assert found["words"] == sum(map(len, rows["test"]["tokens"]))
    assert found["accuracy"] == pytest.approx(metrics["test/accuracy"], abs=EXACT)
    assert found["macro"]["f1"] == pytest.approx(metrics["test/f1-macro"], abs=EXACT)
    assert found["spans"]["micro"]["f1"] == pytest.approx(metrics["test/span-f1"], abs=EXACT)
    assert {"O", "B-LOC"} <= set(found["classes"])
    assert sum(map(sum, (row.values() for row in found["confusion"].values()))) == found["words"]
    worst = found["worst"][0]
    row = rows["test"][worst["row"]]
    assert (worst["words"], worst["labels"]) == (row["tokens"], row["tags"])
