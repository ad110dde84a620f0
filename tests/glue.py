"""GLUE in a few rows: every task's files in the layout of its download."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

HEADERS: Mapping[str, tuple[str, str]] = {
    "CoLA": ("", "index\tsentence"),
    "SST-2": ("sentence\tlabel", "index\tsentence"),
    "MRPC": (
        "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String",
        "index\t#1 ID\t#2 ID\t#1 String\t#2 String",
    ),
    "STS-B": (
        "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore",
        "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2",
    ),
    "QQP": ("id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate", "id\tquestion1\tquestion2"),
    "MNLI": (
        "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\t"
        "sentence1_parse\tsentence2_parse\tsentence1\tsentence2\tlabel1\tgold_label",
        "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\t"
        "sentence1_parse\tsentence2_parse\tsentence1\tsentence2",
    ),
    "QNLI": ("index\tquestion\tsentence\tlabel", "index\tquestion\tsentence"),
    "RTE": ("index\tsentence1\tsentence2\tlabel", "index\tsentence1\tsentence2"),
    "WNLI": ("index\tsentence1\tsentence2\tlabel", "index\tsentence1\tsentence2"),
    "AX": ("", "index\tsentence1\tsentence2"),
}
"""Folder → header of train and dev files, and of test files; empty where there is none."""

LABELS: Mapping[str, tuple[str, ...]] = {
    "STS-B": ("0.000", "2.500", "5.000", "3.800"),
    "MNLI": ("neutral", "entailment", "contradiction"),
    "QNLI": ("entailment", "not_entailment"),
    "RTE": ("not_entailment", "entailment"),
}
"""Folder → labels as its files have them; in all others 0 and 1."""

SPLITS = {
    "MNLI": {
        "train": "train", "validation_matched": "dev_matched",
        "validation_mismatched": "dev_mismatched", "test_matched": "test_matched",
        "test_mismatched": "test_mismatched",
    },
    "AX": {"test": "diagnostic"},
}  # fmt: skip
"""Folder → split → file, where it is not as everywhere."""

_EVERYWHERE = {"train": "train", "validation": "dev", "test": "test"}


def row(folder: str, number: int, *, is_test: bool) -> str:
    """One line; its texts say what its label is."""
    labels = LABELS.get(folder, ("0", "1"))
    label = labels[number % len(labels)]
    word = ("bad", "good", "fine", "great")[number % len(labels)]
    first, second = f'" a {word} film, number {number}', f"it was {word}"
    if folder == "CoLA":
        return (
            f"{number}\t{first}" if is_test else f"gj04\t{label}\t{'*' * (label == '0')}\t{first}"
        )
    if folder == "SST-2":
        return f"{number}\t{first} " if is_test else f"{first} \t{label}"
    if folder == "MRPC":
        return f"{number if is_test else label}\t1{number}\t2{number}\t{first}\t{second}"
    middle = {"STS-B": "g\tf\ty\to\ts1\ts2\t", "MNLI": "p\tq\tg\tb1\tb2\tp1\tp2\t"}.get(folder, "")
    if folder == "QQP" and not is_test:
        middle = f"1{number}\t2{number}\t"
    end = "" if is_test else f"\tl1\t{label}" if folder == "MNLI" else f"\t{label}"
    return f"{number}\t{middle}{first}\t{second}{end}"


def write(root: Path, rows: int = 12, only: str = "") -> Path:
    """The folder of all tasks: train and AX have `rows` rows, every other split half as many."""
    for folder, (header, test_header) in HEADERS.items():
        if only in ("", folder):
            (root / folder).mkdir(parents=True)
            for split, file in SPLITS.get(folder, _EVERYWHERE).items():
                is_test = split.startswith("test")
                count = rows if split == "train" or folder == "AX" else rows // 2
                lines = [row(folder, number, is_test=is_test) for number in range(count)]
                names = test_header if is_test else header
                text = "\n".join([names] * bool(names) + lines) + "\n"
                (root / folder / f"{file}.tsv").write_text(text, encoding="utf-8")
    return root
