"""Differences between two runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlrecipe.runs import differences as telling
from mlrecipe.runs.differences import differences, unknown
from mlrecipe.runs.manifest import CODE, COMPONENTS
from mlrecipe.runs.run import Run, create

INPUTS = {
    "table": {"op": "load-files", "code": "c1", "digest": "d1",
              "files": {"train": [["reviews.csv", "f1"]]}},
    "tokens": {"op": "mine", "code": "c2", "digest": "d2", "files": {}},
}  # fmt: skip
ENVIRONMENT = {
    "python": "3.11.7", "cpus": 2, "libraries": {"torch": "2.13.0"},
    "packages": {"torch": "2.13.0", "rich": "14.0"}, "git": {"commit": "aaa", "branch": "main"},
}  # fmt: skip


def make(project: Path, **changed: Any) -> Run:
    """A run with all files that are compared."""
    run = create(project, name="x", stage="train", recipe="r.toml", **changed.pop("facts", {}))
    recipe = changed.get("recipe", "[train]\nlr = 0.1\nepochs = 3\n")
    (run.folder / "recipe.resolved.toml").write_text(recipe)
    run.write("inputs.json", changed.get("inputs", INPUTS))
    model = {"use": "transformer", "files": [["config", "config.json", "m1"]], "code": ""}
    run.write(COMPONENTS, changed.get("components", {"model": model}))
    run.write("env.json", changed.get("environment", ENVIRONMENT))
    run.write("metrics.json", changed.get("metrics", {"valid/f1": 0.5}))
    (run.folder / CODE).mkdir()
    (run.folder / CODE / "ops.py").write_text(changed.get("code", "one\ntwo\n"))
    if "patch" in changed:
        (run.folder / "git.patch").write_text(changed["patch"])
    return run.finish("finished")


def told(a: Run, b: Run) -> list[tuple[str, str]]:
    """What is said of two runs."""
    return [(item.about, str(item)) for item in differences(a, b)]


def test_two_equal_runs_differ_in_nothing(project: Path) -> None:
    """But for their names and times, which are nobody's business."""
    assert told(make(project), make(project, facts={"tags": ["b"]})) == []


@pytest.mark.parametrize(
    ("changed", "about", "said"),
    [
        ({"recipe": "[train]\nlr = 0.2\nepochs = 3\n"}, "recipe", "train.lr 0.1 → 0.2"),
        ({"recipe": "[train]\nlr = 0.1\n"}, "recipe", "train.epochs 3 → none"),
        ({"code": "one\nthree\n"}, "code", "ops.py: 1 line added, 1 removed"),
        ({"inputs": {**INPUTS, "tokens": {**INPUTS["tokens"], "code": "c3"}}}, "code",
         "op 'mine': other code, c2 → c3"),
        ({"components": {"model": {"use": "transformer", "files": [["config", "config.json", "m2"]]}}},
         "data", "model.config: config.json: other content, m1 → m2"),
        ({"inputs": {**INPUTS, "tokens": {**INPUTS["tokens"], "digest": "d3"}}}, "data",
         "output of tokens: other content, d2 → d3"),
        ({"environment": {**ENVIRONMENT, "python": "3.12.1"}}, "environment",
         'python "3.11.7" → "3.12.1"'),
        ({"environment": {**ENVIRONMENT, "packages": {"torch": "2.13.0"}}}, "environment",
         'rich "14.0" → none'),
        ({"environment": {**ENVIRONMENT, "accelerator": {"devices": ["H100"]}}}, "environment",
         'devices none → ["H100"]'),
        ({"environment": {**ENVIRONMENT, "git": {"commit": "bbb", "branch": "main"}}}, "git",
         'commit "aaa" → "bbb"'),
        ({"patch": "+x"}, "git", "git.patch: what was not committed is not the same"),
        ({"metrics": {"valid/f1": 0.625}}, "metrics", "valid/f1 0.5000 → 0.6250 (+0.1250)"),
    ],
)  # fmt: skip
def test_experiment_36_each_kind_of_difference_is_told_in_words(
    project: Path, changed: dict[str, Any], about: str, said: str
) -> None:
    """Recipe, code, data, environment, repository, metrics: one difference, and nothing else."""
    assert told(make(project), make(project, **changed)) == [(about, said)]


def test_the_metrics_of_a_training_are_those_of_its_newest_test_too(project: Path) -> None:
    """So that two trainings are compared by what was tested of them."""
    runs = [make(project), make(project)]
    for run, value in zip(runs, (0.25, 0.75), strict=True):
        test = create(project, name="x", stage="test", recipe="r.toml", parent=run.id)
        test.write("metrics.json", {"test/f1": value})
        test.finish("finished")
        create(project, name="x", stage="test", recipe="r.toml", parent=run.id).finish("failed")

    assert told(*runs) == [("metrics", "test/f1 0.2500 → 0.7500 (+0.5000)")]


def test_many_files_of_one_parameter_are_one_difference(project: Path) -> None:
    """A folder of images is not told file by file."""

    def pages(end: str) -> dict[str, Any]:
        files = {"path": [[f"{n}.png", f"{n}{end}"] for n in range(9)]}
        return {"pages": {"op": "load", "code": "c", "digest": "d", "files": files}}

    runs = make(project, inputs=pages("a")), make(project, inputs=pages("b"))

    assert told(*runs) == [("data", "nodes.pages.path: 9 files differ, such as 0.png")]


def test_what_a_run_does_not_say_is_no_difference(project: Path) -> None:
    """One of before packages and code were kept, or whose files are gone: it is told apart."""
    run, old = make(project), make(project)
    for name in (COMPONENTS, f"{CODE}/ops.py", "metrics.json", "recipe.resolved.toml"):
        (old.folder / name).unlink()
    old.write("env.json", {"python": "3.11.7", "libraries": {"torch": "2.13.0"}})

    assert told(old, run) == [
        ("git", 'commit none → "aaa"'), ("git", 'branch none → "main"'),
    ]  # fmt: skip
    facts = [telling.facts_of(each) for each in (old, run)]
    assert unknown(*facts) == [f"recipe of {old.id}", f"metrics of {old.id}"]
