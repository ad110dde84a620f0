"""The tables of a test on words with tags, in the lines that are left."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mlrecipe.cli import reported
from mlrecipe.runs.run import Run

RATES = {"precision": 0.5, "recall": 0.25, "f1": 0.3333}
ERRORS = ("right", "boundary", "type", "both", "missed", "spurious")


def tagged(types: int = 2, *, scheme: str = "IOB2", worst: int = 5, **facts: Any) -> dict[str, Any]:
    """A report of words with tags, of which the first type is found worst."""
    names = [f"type-{i}" for i in range(types)]
    tags = ["O", *names] if scheme == "plain" else ["O", *(f"B-{name}" for name in names)]
    spans = {n: {**RATES, "f1": (i + 1) / types, "spans": 10} for i, n in enumerate(names)}
    return {
        "kind": "token_classification", "scheme": scheme, "rows": 1000, "labelled": 1000,
        "words": 12_000, "accuracy": 0.9876, "exact_match": 0.75, "predicted_spans": {},
        "classes": {tag: {**RATES, "words": 100} for tag in tags}, "micro": RATES, "macro": RATES,
        "spans": {"types": spans, "micro": RATES, "macro": RATES},
        "confusion": {tags[1]: {tags[0]: 12, tags[1]: 88}, tags[0]: {tags[1]: 1234}},
        "errors": {name: {"count": i or 7} for i, name in enumerate(ERRORS)},
        "calibration": {"error": 0.1, "bins": []},
        "worst": [
            {"row": 1000 + i, "of_words": 3, "wrong": 1, "words": ["the", "Hague", "\x1b[31m"],
             "labels": ["O", tags[1], "O"], "predictions": ["O", "O", "O"]}
            for i in range(worst)
        ],
        **facts,
    }  # fmt: skip


def shown(
    folder: Path, splits: Mapping[str, Any], capsys: pytest.CaptureFixture[str], *, lines: int
) -> list[str]:
    """What is printed of a report."""
    (folder / "report.json").write_text(json.dumps({"splits": splits}))
    reported.show(Run(folder=folder, facts={}), lines=lines)
    return capsys.readouterr().out.splitlines()


def test_sequence_11_a_test_shows_types_errors_and_the_worst_rows(tmp_path, capsys):
    """In one table and a few lines: what is found how well, what goes wrong, and where."""
    printed = shown(tmp_path, {"test": tagged()}, capsys, lines=30)

    assert printed[1].split() == ["type", "precision", "recall", "f1", "spans"]
    assert printed[2].split() == ["type-0", "0.5000", "0.2500", "0.5000", "10"]
    assert [line.split()[0] for line in printed[4:6]] == ["micro", "macro"]
    assert [" ".join(line.split()) for line in printed[6:]] == [
        "right 98.76% of words, 75.0% of 1,000 rows",
        "errors 1 boundary, 2 type, 3 both, 4 missed, 5 spurious; 7 right",
        "confusions O → B-type-0 1,234, B-type-0 → O 12",
        "worst rows row 1,000, 1 of 3 words: Hague B-type-0 → O",
        "row 1,001, 1 of 3 words: Hague B-type-0 → O",
        "row 1,002, 1 of 3 words: Hague B-type-0 → O",
    ]


def test_plain_tags_are_told_word_by_word(tmp_path, capsys):
    """And as runs of one tag, where those are longer than single words."""
    long = shown(tmp_path, {"test": tagged(scheme="plain")}, capsys, lines=30)
    short = shown(tmp_path, {"test": tagged(scheme="plain", words=21)}, capsys, lines=30)

    assert long[1].split() == ["tag", "precision", "recall", "f1", "words"]
    assert [line.split()[0] for line in long[2:7]] == ["O", "type-0", "type-1", "micro", "macro"]
    assert "runs of one tag, 20: micro F1 0.3333, macro F1 0.3333" in long[8]
    assert not any("runs of one tag" in line or "errors" in line for line in short)


@pytest.mark.parametrize("lines", [-2, *range(12), 20, 33])
@pytest.mark.parametrize("types", [0, 1, 3, 20, 300])
def test_training_40_the_tables_of_tags_keep_to_their_lines(
    tmp_path, capsys, types: int, lines: int
):
    """Of one split and of two; each line of 80 columns, and where nothing fits nothing is printed."""
    for scheme in ("IOB2", "plain"):
        one = tagged(max(types, 1), scheme=scheme)
        one["spans"]["types"] = dict(list(one["spans"]["types"].items())[:types])
        for splits in ({"test": one}, {"dev": one, "test": one}):
            printed = shown(tmp_path, splits, capsys, lines=lines)
            assert len(printed) <= max(lines, 0)
            assert not printed or len(printed) > 2
            assert max(map(len, printed), default=0) <= 80


def test_of_many_types_the_worst_are_shown(tmp_path, capsys):
    """And what goes wrong keeps its lines."""
    printed = shown(tmp_path, {"test": tagged(300)}, capsys, lines=14)

    assert [line.split()[0] for line in printed[2:4]] == ["type-0", "type-1"]
    assert any("more of higher F1" in line for line in printed)
    assert any(line.split()[0] == "errors" for line in printed[1:])


def test_a_word_of_the_data_commands_no_terminal(tmp_path, capsys):
    """Control characters of words and tags are written out."""
    worst = tagged()["worst"][0] | {"words": ["\x1b[31m"], "labels": ["O"], "predictions": ["B-x"]}

    printed = shown(tmp_path, {"test": tagged(worst=0) | {"worst": [worst]}}, capsys, lines=30)

    assert "\\x1b[31m O → B-x" in printed[-1]
    assert "\x1b" not in "".join(printed)


def test_rows_without_tags_have_their_predicted_types_counted(tmp_path, capsys):
    """In one line."""
    bare = {
        "kind": "token_classification", "scheme": "IOB2", "rows": 40, "labelled": 0, "words": 520,
        "predicted": {"O": 500}, "predicted_spans": {"LOC": 5, "ORG": 0, "PER": 31},
    }  # fmt: skip

    printed = shown(tmp_path, {"test": bare}, capsys, lines=20)

    assert printed == ["", "  predicted  spans in 40 rows: PER 31, LOC 5"]


def test_intent_and_slots_have_a_table_each_and_the_share_of_whole_rows(tmp_path, capsys):
    """The intents' as that of any labels."""
    mean = {"precision": 0.5, "recall": 0.5, "f1": 0.5}
    intent = {
        "kind": "single_label_classification", "rows": 10, "labelled": 10,
        "classes": {"ask": {**mean, "rows": 10}}, "macro": mean, "weighted": mean,
        "confusion": {"ask": {"ask": 10}}, "calibration": {"error": 0.0312, "bins": []},
    }  # fmt: skip
    both = {"kind": "intent_and_slots", "rows": 10, "labelled": 10, "exact_match": 0.625,
            "outputs": {"what": intent, "slots": tagged()}}  # fmt: skip

    printed = shown(tmp_path, {"test": both}, capsys, lines=30)

    assert [line.split()[0] for line in printed if "precision" in line] == ["what", "slots"]
    assert any("62.5% with the what" in line for line in printed)
