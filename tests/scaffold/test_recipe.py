"""The recipe that is written for a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tomli

from mlrecipe.scaffold.recipe import from_table, slug
from mlrecipe.scaffold.table import look


def _write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _recipe(path: Path, **options: Any) -> tuple[dict[str, Any], str]:
    text = from_table(look(path), name="mine", **options)
    return tomli.loads(text), text


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    """Forty tidy rows."""
    rows = [f"some words of row {n},{'good' if n % 2 else 'bad'}" for n in range(40)]
    return _write(tmp_path / "a.csv", ["text,label", *rows])


def test_training_9_the_recipe_names_what_was_found(csv: Path) -> None:
    """File, text, label and labels stand in it; what is the default does not."""
    recipe, _ = _recipe(csv)

    assert recipe["nodes"]["table"] == {"use": "load-files", "train": "a.csv"}
    assert recipe["nodes"]["tokens"]["text"] == "text"
    assert recipe["task"]["label"] == "label"
    assert recipe["task"]["labels"] == ["bad", "good"]
    assert recipe["train"]["data"] in recipe["nodes"]


def test_training_9_each_reason_stands_in_a_comment(csv: Path) -> None:
    """Every choice that `look` made can be read in the recipe."""
    _, text = _recipe(csv)

    comments = " ".join(line[2:] for line in text.splitlines() if line.startswith("# "))
    for reason in look(csv).reasons.values():
        if reason != look(csv).reasons["task"]:
            assert reason in comments


def test_pairs_get_a_second_text(tmp_path: Path) -> None:
    """`text_pair` is set where texts come in pairs."""
    rows = [f"{n}\ta cat sat on mat {n}\ta dog ran by {n}\t{n % 2}" for n in range(40)]
    path = _write(tmp_path / "rte.tsv", ["index\tpremise\thypothesis\tlabel", *rows])

    recipe, text = _recipe(path)

    tokens = recipe["nodes"]["tokens"]
    assert (tokens["text"], tokens["text_pair"]) == ("premise", "hypothesis")
    assert recipe["task"]["labels"] == ["0", "1"]
    assert "column 'index' has another value in every row" in text


def test_a_tidy_tsv_needs_no_word_about_its_layout(tmp_path: Path) -> None:
    """Tabs without quotes are what `load-files` takes a `.tsv` for."""
    rows = [f"some words of row {n}\t{'good' if n % 2 else 'bad'}" for n in range(40)]

    recipe, _ = _recipe(_write(tmp_path / "a.tsv", ["text\tlabel", *rows]))

    assert recipe["nodes"]["table"] == {"use": "load-files", "train": "a.tsv"}


def test_a_small_model_reads_no_more_than_it_can(tmp_path: Path) -> None:
    """The proposal for a pretrained model stands in the comment."""
    rows = [f"{'word ' * 300}{n},{n % 2}" for n in range(40)]

    recipe, text = _recipe(_write(tmp_path / "a.csv", ["text,label", *rows]))

    assert recipe["nodes"]["tokens"]["max_length"] == 128
    assert "write 512" in text


def test_hostile_cells_stay_values(tmp_path: Path) -> None:
    """Quotes, backslashes, line breaks and `${…}` do not break out of their place."""
    rows = [f'some words of row {n},"{n % 2}""] # \\ é \x7f"' for n in range(40)]
    header = '"te""xt\n[train]","${env:HOME}"'
    path = _write(tmp_path / "a${x}.csv", [header, *rows])

    recipe, _ = _recipe(path)

    assert recipe["nodes"]["tokens"]["text"].replace("$${", "${") == look(path).text
    assert recipe["task"]["label"] == "$${env:HOME}"
    assert recipe["task"]["labels"] == list(look(path).labels)
    assert recipe["nodes"]["table"]["train"] == "a$${x}.csv"


def test_training_9_a_number_to_predict_gets_a_regression(tmp_path: Path) -> None:
    """Nothing in the recipe speaks of labels: rows are shared out and judged without."""
    lines = [f"a text of {n} words or so,{n % 26 / 5:.1f}" for n in range(40)]

    recipe, _ = _recipe(_write(tmp_path / "data.csv", ["text,score", *lines]))

    assert recipe["task"] == {
        "use": "text-regression", "label": "score",
        "metrics": ["pearson-corrcoef", "spearman-corrcoef"],
    }  # fmt: skip
    assert "stratify" not in recipe["nodes"]["split"]
    assert recipe["train"]["monitor"] == "valid/pearson-corrcoef"


def test_uneven_labels_are_judged_by_f1(tmp_path: Path) -> None:
    """Accuracy says little where one label is rare."""
    rows = [f"some words of row {n},{'spam' if n % 8 == 0 else 'ham'}" for n in range(400)]

    recipe, _ = _recipe(_write(tmp_path / "a.csv", ["text,label", *rows]))

    assert recipe["train"]["monitor"] == "valid/f1"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("My data (1)", "My-data-1"), ("..", "recipe"), ("a/b", "a-b"), ("größe_2.v3", "größe_2.v3")],
)
def test_slugs_are_safe_file_names(name: str, expected: str) -> None:
    """Nothing that a shell or a file system takes amiss."""
    assert slug(name) == expected
