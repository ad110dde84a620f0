"""What `load-files` makes of the files that recipes were written for."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import tomli

from mlrecipe.registry import registries
from mlrecipe.scaffold.recipe import from_table
from mlrecipe.scaffold.table import Table, look

pytestmark = pytest.mark.heavy

TEXTS = [f"Number {n}, we said; and it's {'fine' if n % 3 else 'bad'} | really" for n in range(30)]
LABELS = ["ham" if n % 3 else "spam" for n in range(30)]


def _quoted(mark: str, header: str, tail: str = "") -> str:
    rows = [f'{lab}{mark}"{t} ""so"""{tail}' for t, lab in zip(TEXTS, LABELS, strict=True)]
    return "\n".join([header, *rows, ""])


def _plain(values: list[Any], header: str = "label\ttext") -> str:
    rows = [f'{lab}\t"{t}' for t, lab in zip(TEXTS, values, strict=True)]
    return "\n".join([*([header] if header else []), *rows, ""])


def _json(values: list[Any]) -> str:
    rows = [{"text": t, "label": lab} for t, lab in zip(TEXTS, values, strict=True)]
    return "\n".join(map(json.dumps, rows))


NUMBERS = [n % 3 for n in range(30)]

FILES: dict[str, tuple[str, str, str]] = {
    "tidy": ("a.csv", _quoted(",", "label,text"), "utf-8"),
    "excel": ("a.csv", _quoted(";", "label;text").replace("\n", "\r\n"), "utf-8-sig"),
    "windows": ("a.csv", _quoted(";", "label;text").replace("fine", "schön"), "cp1252"),
    "unicode text": ("a.txt", _plain(LABELS).replace("\n", "\r\n"), "utf-16"),
    "kaggle": ("spam.csv", _quoted(",", "v1,v2,,,", ",,,"), "utf-8"),
    "no header": ("sms.tsv", _plain(LABELS, header=""), "utf-8"),
    "quoted tabs": ("a.tsv", _quoted("\t", "label\ttext"), "utf-8"),
    "stray quotes in csv": ("a.csv", _plain(LABELS), "utf-8"),
    "bars": ("a.txt", _quoted("|", "label|text"), "utf-8"),
    "old mac": ("a.csv", _quoted(",", "label,text").replace("\n", "\r"), "utf-8"),
    "blank lines": ("a.csv", _quoted(",", "label,text").replace("\n", "\n\n"), "utf-8"),
    "whole numbers": ("a.tsv", _plain(NUMBERS), "utf-8"),
    "numbers with points": ("a.tsv", _plain([f"{n}.0" for n in NUMBERS]), "utf-8"),
    "leading zeros": ("a.tsv", _plain([f"0{n}" for n in NUMBERS]), "utf-8"),
    "spaced numbers": ("a.tsv", _plain([f" {n}" for n in NUMBERS]), "utf-8"),
    "json lines": ("a.jsonl", _json(LABELS), "utf-8"),
    "json lines as text": ("a.txt", _json(LABELS), "utf-8"),
    "json numbers": ("a.json", _json(NUMBERS), "utf-8"),
    "json floats": ("a.json", _json([float(n) for n in NUMBERS]), "utf-8"),
    "json truth": ("a.json", _json([n == 0 for n in NUMBERS]), "utf-8"),
}


def _load(table: Table) -> Any:
    node = tomli.loads(from_table(table, name="x"))["nodes"]["table"]
    op = registries["op"].get(node.pop("use"))
    return op(**(node | {"train": str(table.path)}))["train"]


def _run(table: Table) -> Any:
    """What reaches `tokens`: the data graph up to there, node after node."""
    import datasets

    nodes = tomli.loads(from_table(table, name="x"))["nodes"]
    values = {"table": datasets.DatasetDict({"train": _load(table)})}
    for name, node in nodes.items():
        if name == "tokens":
            return values[node["inputs"][0]]
        if name != "table":
            op, inputs = registries["op"].get(node.pop("use")), node.pop("inputs")
            values[name] = op(*[values[source] for source in inputs], **node)
    return None


@pytest.mark.parametrize("case", FILES)
def test_training_9_the_recipe_loads_what_was_seen(tmp_path: Path, case: str) -> None:
    """Rows, texts and labels are those that `look` counted, whatever the file's shape."""
    name, content, encoding = FILES[case]
    path = tmp_path / name
    path.write_bytes(content.encode(encoding))
    table = look(path)

    loaded = _load(table)

    assert loaded.num_rows == table.rows == 30
    assert [str(label) for label in sorted(set(loaded[table.label]))] == list(table.labels)
    assert str(loaded.features[table.label].dtype) in ("string", "int64", "bool")
    assert all("we said" in text for text in loaded[table.text])


@pytest.mark.parametrize("labels", [["a", "b", ""] * 10, [1, 0, ""] * 10, [None, "a", "b"] * 10])
def test_rows_without_text_or_label_are_left_out(tmp_path: Path, labels: list[Any]) -> None:
    """The recipe's filters and its split leave complete rows in three parts."""
    texts = ["" if n == 1 else text for n, text in enumerate(TEXTS)]
    rows = [{"text": t, "label": lab} for t, lab in zip(texts, labels, strict=True)]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    if None not in labels:
        path = tmp_path / "a.csv"
        cells = [f'"{t}",{lab}' for t, lab in zip(texts, labels, strict=True)]
        path.write_text("\n".join(["text,label", *cells]), encoding="utf-8")

    splits = _run(look(path))

    assert {name: len(rows) for name, rows in splits.items()} == {
        "train": 13,
        "valid": 2,
        "test": 4,
    }
    for part in splits.values():
        assert all(part["text"])
        assert all(label not in (None, "") for label in part["label"])


@pytest.mark.real
@pytest.mark.skipif("MLRECIPE_TEST_DATA" not in os.environ, reason="MLRECIPE_TEST_DATA is not set")
@pytest.mark.parametrize(
    "name", ["sms_spam/SMSSpamCollection.tsv", "glue/MRPC/train.tsv", "glue/CoLA/train.tsv"]
)
def test_training_9_the_recipe_loads_real_tables(name: str) -> None:
    """Well-known data sets as their authors left them."""
    table = look(Path(os.environ["MLRECIPE_TEST_DATA"]) / name)

    loaded = _load(table)

    assert loaded.num_rows == table.rows
    assert [str(label) for label in sorted(set(loaded[table.label]))] == list(table.labels)
