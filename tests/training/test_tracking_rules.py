"""What `check` says of loggers that contradict themselves, or each other."""

from __future__ import annotations

from typing import Any

import pytest

from mlrecipe.code.catalog import Catalog
from mlrecipe.recipe.layers import Layer, merge
from mlrecipe.training.rules.loggers import advice, problems

WANDB = {"use": "WandbLogger"}
BOARD = {"use": "TensorBoardLogger"}


def said(**loggers: Any) -> list[tuple[str, str]]:
    """Key and message of each problem."""
    tree = merge([Layer(name="r.toml", values={"train": {"loggers": loggers}})])
    return [(problem.key, problem.message) for problem in problems(tree, Catalog())]


def test_checkpoints_are_not_uploaded_while_a_run_is_kept_offline() -> None:
    """Offline is the default; without it they may be."""
    ((key, message),) = said(w={**WANDB, "log_model": "all"})

    assert key == "train.loggers.w.log_model"
    assert "`offline = false`" in message
    assert said(w={**WANDB, "log_model": True, "offline": False}) == []
    assert said(w={**WANDB, "log_model": False}) == []


@pytest.mark.parametrize(
    ("one", "other", "message"),
    [
        (WANDB, {**WANDB, "project": "p"}, "one run at W&B, and 'a' writes it already"),
        (BOARD, {**BOARD, "prefix": "p"}, "the same files as 'a'"),
    ],
)
def test_two_loggers_that_would_write_over_each_other(
    one: dict[str, Any], other: dict[str, Any], message: str
) -> None:
    """The second is the one that is wrong."""
    ((key, text),) = said(a=one, b=other)

    assert key == "train.loggers.b"
    assert message in text


def test_two_boards_in_folders_of_their_own_are_fine() -> None:
    """A name is enough; so are other loggers."""
    assert said(a=BOARD, b={**BOARD, "name": "second"}, c=WANDB, d={"use": "CSVLogger"}) == []


def test_what_to_install_is_an_extra_where_there_is_one() -> None:
    """Others are named as the registry does."""
    assert advice("MLFlowLogger") == "pip install 'mlrecipe[mlflow]'"
    assert advice("CometLogger") == "pip install comet-ml"
    assert advice("Memory") == ""
