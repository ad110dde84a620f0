"""Strategies: known settings that hold where the recipe says nothing itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlrecipe.recipe.load import Loading, load
from mlrecipe.recipe.origins import origins
from mlrecipe.recipe.resolved import resolved, to_toml

RECIPE = """
name = "small"

[model]
use = "transformer"
checkpoint = "model"

[train]
strategy = "mosbach"
"""
BERT = {
    "epochs": 20, "batch_size": 16, "trainer": {"gradient_clip_val": 1.0},
    "optimizer": {"use": "AdamW", "lr": 2e-5, "betas": [0.9, 0.999], "eps": 1e-6, "weight_decay": 0.01},
    "scheduler": {"use": "linear", "warmup": 0.1},
}  # fmt: skip


def opened(
    folder: Path, text: str, *, kind: str | None = "bert", sets: tuple[str, ...] = ()
) -> Loading:
    """The recipe beside a model of that type."""
    (folder / ".mlrecipe").mkdir(exist_ok=True)
    (folder / "model").mkdir(exist_ok=True)
    if kind is not None:
        (folder / "model" / "config.json").write_text(json.dumps({"model_type": kind}))
    path = folder / "r.toml"
    path.write_text(text)
    return load(path, sets, here=folder)


def settings(loading: Loading) -> dict[str, Any]:
    """What of the strategy's keys holds."""
    assert not loading.problems
    assert loading.loaded is not None
    values = resolved(loading.loaded, loading.catalog)["train"]
    return {
        key: {name: values[key][name] for name in below} if isinstance(below, dict) else values[key]
        for key, below in BERT.items()
    }


def test_mosbach_gives_berts_settings_and_says_so(tmp_path: Path):
    """The recipe that is resolved, the one that trains, and the origins agree."""
    loading = opened(tmp_path, RECIPE)

    assert settings(loading) == BERT
    spec = loading.loaded.recipe.train
    assert (spec.epochs, spec.batch_size, spec.optimizer.params["lr"]) == (20, 16, 2e-5)
    places = origins(loading.tree)
    assert places["train.optimizer.lr"] == places["train.epochs"] == "strategy mosbach"
    assert places["train.scheduler.warmup"] == "strategy mosbach"
    assert places["train.strategy"].startswith("r.toml:9")


@pytest.mark.parametrize(
    ("kind", "changes", "model"),
    [
        (
            "roberta",
            {"optimizer": {"lr": 1e-5, "betas": [0.9, 0.98], "weight_decay": 0.1},
             "trainer": {"gradient_clip_val": 0.0}},
            None,
        ),
        ("albert", {"optimizer": {"lr": 1e-5, "weight_decay": 0.0}}, 0.0),
    ],
)  # fmt: skip
def test_mosbach_goes_by_the_models_architecture(
    tmp_path: Path, kind: str, changes: dict[str, Any], model: float | None
):
    """RoBERTa decays more and is not clipped; ALBERT has no dropout and no decay."""
    loading = opened(tmp_path, RECIPE, kind=kind)

    expected = {
        key: below | changes.get(key, {}) if isinstance(below, dict) else below
        for key, below in BERT.items()
    }
    assert settings(loading) == expected
    assert loading.loaded.recipe.model.params.get("dropout") == model


def test_what_the_recipe_sets_itself_wins(tmp_path: Path):
    """In the file or on the command line, also where it sets the default's own value."""
    text = RECIPE + "epochs = 3\noptimizer = { use = 'AdamW', lr = 2e-4 }\n"

    loading = opened(tmp_path, text, sets=("train.scheduler.warmup=0.06", "train.batch_size=8"))

    assert settings(loading) == BERT | {
        "epochs": 3, "batch_size": 8, "scheduler": {"use": "linear", "warmup": 0.06},
        "optimizer": BERT["optimizer"] | {"lr": 2e-4},
    }  # fmt: skip


def test_another_optimizer_keeps_its_own_parameters(tmp_path: Path):
    """AdamW's say nothing of SGD; all else of the strategy holds."""
    loading = opened(tmp_path, RECIPE + "optimizer = 'SGD'\nscheduler = 'constant'\n", kind="t5")

    assert not loading.problems
    spec = loading.loaded.recipe.train
    assert (spec.optimizer.use, dict(spec.optimizer.params)) == ("SGD", {})
    assert (spec.scheduler.use, dict(spec.scheduler.params)) == ("constant", {})
    assert spec.epochs == 20


@pytest.mark.parametrize("kind", [None, "distilbert"])
def test_an_architecture_that_is_not_known_asks_for_the_rate(tmp_path: Path, kind: str | None):
    """With a rate the rest is BERT's."""
    [problem] = opened(tmp_path, RECIPE, kind=kind).problems

    what = "has no local `config.json`" if kind is None else "for the architecture 'distilbert'"
    assert what in problem.message
    assert "bert, roberta, albert: set 'train.optimizer.lr' yourself" in problem.message
    assert (problem.key, problem.line) == ("train.strategy", 9)

    with_rate = opened(tmp_path, RECIPE + "optimizer = { lr = 3e-5 }\n", kind=kind)
    assert settings(with_rate) == BERT | {"optimizer": BERT["optimizer"] | {"lr": 3e-5}}


def test_the_resolved_recipe_gives_the_same_wherever_the_model_is(tmp_path: Path):
    """It has every value written out, and is not changed by being read again."""
    loading = opened(tmp_path, RECIPE)
    values = resolved(loading.loaded, loading.catalog)

    (tmp_path / "model" / "config.json").unlink()
    again = opened(tmp_path, to_toml(values), kind=None)

    assert not again.problems
    assert resolved(again.loaded, again.catalog) == values


def test_references_see_what_the_strategy_sets(tmp_path: Path):
    """Also where the model is a reference itself, which is resolved first."""
    plain = RECIPE + 'max_steps = "${train.epochs}"\n'
    late = RECIPE.replace('"model"', '"${env:NO_MODEL:-model}"')

    assert opened(tmp_path, plain).loaded.recipe.train.max_steps == 20
    assert settings(opened(tmp_path, late)) == BERT


def test_the_models_folder_is_looked_for_from_the_file_that_names_it(tmp_path: Path):
    """A recipe that another one extends has its own folder."""
    (tmp_path / "base").mkdir()
    opened(tmp_path / "base", RECIPE, kind="roberta")

    loading = opened(tmp_path, 'extends = ["base/r.toml"]\nname = "other"\n', kind=None)

    assert settings(loading)["optimizer"]["lr"] == 1e-5
