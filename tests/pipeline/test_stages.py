"""The fingerprints of stages: what makes a training a new one, and what does not."""

from __future__ import annotations

import pytest

from mlrecipe.pipeline import stages

BASE = '''
import pytorch_lightning as pl

WIDTH = 3


class Base(pl.LightningModule):
    """What networks here share."""

    def layers(self):
        return WIDTH


class Unrelated:
    depth = 1
'''

NET = '''
import mlrecipe

from .base import Base


@mlrecipe.model("net")
class Net(Base):
    """A network."""

    def __init__(self, *, size: int = 4):
        super().__init__()
        self.size = size


@mlrecipe.task("count")
class Count:
    """A task."""

    def __init__(self, *, metrics: list[str] = []):
        self.metrics = metrics
'''


@pytest.fixture
def trainable(work):
    work.write("base.py", BASE)
    work.write("net.py", NET)
    work.edit("recipe.toml", '["ops.py"]', '["ops.py", "net.py"]')
    with (work.folder / "recipe.toml").open("a") as file:
        file.write('\n[model]\nuse = "net"\n[task]\nuse = "count"\n[train]\ndata = "scaled"\n')
    return work


def looked_at(work):
    """The training's fingerprint, and the statuses of the nodes."""
    request = work.request()
    records = {"scaled": work.store.latest("recipe.toml", "scaled")}
    return stages.train_fingerprint(request, records), set(work.statuses().values())


EDITS = [
    ("base.py", "        return WIDTH", "        return WIDTH + 1", True),
    ("base.py", "WIDTH = 3", "WIDTH = 4", True),
    ("net.py", "        self.size = size", "        self.size = size + 1", True),
    ("base.py", "    depth = 1", "    depth = 2", False),
    ("base.py", '"""What networks here share."""', '"""What all networks here share."""', False),
]


@pytest.mark.heavy
@pytest.mark.parametrize(("file", "old", "new", "is_new"), EDITS)
def test_store_07_a_base_class_of_the_model_makes_a_new_training(trainable, file, old, new, is_new):
    """And of a method's constants; no node runs again, since none reaches them."""
    trainable.prepare().raise_failures()
    before, _ = looked_at(trainable)

    trainable.edit(file, old, new)
    after, statuses = looked_at(trainable)

    assert (before != after) is is_new
    assert statuses == {"hit"}
