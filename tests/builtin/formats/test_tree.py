"""Containers with more than plain values in them."""

from __future__ import annotations

import sys
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import mlrecipe
from mlrecipe import DataError
from mlrecipe.errors import StoreError
from mlrecipe.interfaces import Summary
from mlrecipe.store import Store, objects
from tests.projects import Work
from tests.store.pages import computation

pytestmark = pytest.mark.heavy


@dataclass(frozen=True)
class Page:
    """A text of its own type."""

    text: str


READ: list[str] = []


@mlrecipe.format("page", types=(f"{__name__}.Page",))
class PageFormat:
    """Says what it reads."""

    def save(self, value: Page, folder: Path) -> None:
        """Write the text."""
        if not value.text:
            raise DataError("the page is empty", hint="write something")
        (folder / "page.txt").write_text(value.text)

    def load(self, folder: Path) -> Page:
        """Read the text."""
        READ.append((folder / "page.txt").read_text())
        return Page(READ[-1])

    def describe(self, value: Page) -> Summary:
        """The text."""
        return Summary(kind="Page", text=value.text)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A new store."""
    return Store(tmp_path / "store")


def test_a_user_s_own_format_works_inside_of_containers(store):
    """A composite is made of whatever formats there are."""
    value = {"pages": [Page("one"), Page("two")], "count": 2}

    record = store.publish(value, computation())

    assert store.load(record) == value
    assert record.summary["schema"] == {
        "pages": "list 2 entries",
        "pages.0": "Page one",
        "pages.1": "Page two",
        "count": "int 2",
    }


def test_one_entry_is_loaded_without_the_others(store):
    """What a node takes by name is all that is read."""
    value = {"a": Page("first"), "b": Page("second"), "c": {"deep": [1, 2]}}
    record = store.publish(value, computation())
    READ.clear()

    assert store.load(record, entry="b") == Page("second")
    assert store.load(record, entry="c") == {"deep": [1, 2]}
    assert READ == ["second"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('{"format":["0","page"]}', '{"format":["..","page"]}'),
        ('{"format":["0","page"]}', '{"format":["7","page"]}'),
        ('{"format":["0","page"]}', '{"format":["OUTSIDE","page"]}'),
        ('{"format":["0","page"]}', '{"format":[0,"page"]}'),
        ('{"file":"1"}', '{"file":"../../1"}'),
        ('{"file":"1"}', '{"file":"8"}'),
        ('{"file":"1"}', '{"file":"OUTSIDE/1"}'),
        ('{"file":"1"}', '{"own":"1"}'),
        ('{"file":"1"}', '{"_own":"1"}'),
        ('{"file":"1"}', '{"value":{"plain":"1"}}'),
    ],
)
@pytest.mark.parametrize("entry", ["", "page", "many"])
def test_planted_names_are_damage(store, tmp_path, old, new, entry):
    """What stands in a stored file leads to nothing outside the value, and is the name of no method."""
    record = store.publish({"page": Page("one"), "many": [1] * 20_000}, computation())
    data = store.object_folder(record.digest)
    outside = tmp_path / "outside"
    for place in (outside, data / "7"):
        place.mkdir()
        (place / "page.txt").write_text("planted")
    for place in (outside / "1.json", data / "8.json"):
        place.write_text("[2]")
    tree = data / "tree.json"
    text = tree.read_text()
    assert text.count(old) == 1, text
    planted = text.replace(old, new.replace("OUTSIDE", str(outside)))
    tree.chmod(0o644)
    tree.write_text(planted)
    READ.clear()

    with pytest.raises(StoreError) as caught:
        load(store, record, entry, spoilt="many" if "file" in old else "page")

    assert "planted" not in READ
    assert "of 'clean' is damaged: tree.json has" in str(caught.value)


def load(store, record, entry, *, spoilt):
    """Load past the glance at names and sizes, as where a planted text has the size of the first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objects, "damage", lambda folder, digest: "")
        if entry and entry != spoilt:
            store.load(record, entry=entry)  # what is asked for is whole
            entry = spoilt
        return store.load(record, entry=entry)


def splits(folder: Path) -> dict[str, Any]:
    """Values whose entries can be taken."""
    import torch
    from datasets import Dataset, DatasetDict

    data = Dataset.from_dict({"x": [1, 2]})
    return {
        "splits": DatasetDict(train=data, test=data.select([0])),
        "tensors": {"train": torch.ones(3), "test": torch.zeros(2)},
        "plain": {"train": [1], "test": [2]},
        "large plain": {"train": [1] * 20_000, "test": [2]},
        "mixed": {"train": data, "test": torch.zeros(2)},
    }


@pytest.mark.parametrize("name", ["splits", "tensors", "plain", "large plain", "mixed"])
def test_an_entry_is_what_the_whole_value_has_there(store, tmp_path, name):
    """Loading one entry and loading all give the same; a wrong name is told with those there are."""
    from tests.builtin.formats.samples import same

    record = store.publish(splits(tmp_path)[name], computation())

    for entry in ("train", "test"):
        assert same(store.load(record, entry=entry), store.load(record)[entry])
    with pytest.raises(DataError, match=r"has no entry 'tset'; it has: train, test") as caught:
        store.load(record, entry="tset")
    assert caught.value.key == "inputs"


def test_a_value_without_entries_says_so(store):
    """A number has none."""
    record = store.publish(7, computation())

    with pytest.raises(DataError, match="has no entry 'x'; it has: none"):
        store.load(record, entry="x")


def test_the_order_of_keys_is_part_of_the_value_and_a_name_s_type_too(store):
    """What comes back in its order has its order in its digest."""
    import torch

    ones = torch.ones(1)
    values = [
        {"a": ones, "b": ones}, {"b": ones, "a": ones},
        {"a": [ones], "b": 1}, {"b": 1, "a": [ones]},
        {"a": (ones,), "b": 1}, {1: ones}, {"1": ones}, {1.0: ones}, {"1": [ones]},
    ]  # fmt: skip

    found = [store.publish(value, computation(str(i))) for i, value in enumerate(values)]

    assert len({record.digest for record in found}) == len(values)
    assert [list(store.load(record)) for record in found] == [list(value) for value in values]
    assert [type(*store.load(record)) for record in found[5:8]] == [int, str, float]


def bad() -> dict[str, tuple[Any, str, str]]:
    """Values that cannot be stored: the value, the message, the hint."""
    import numpy as np
    import torch
    from transformers import BatchEncoding

    objects = np.array([{}], dtype=object)
    return {
        "objects": ({"a": [1, objects]}, r"value\['a'\]\[1\]: an array of dtype object", "fixed-length"),
        "module": ([torch.nn.Linear(1, 1)], r"value\[0\] has type '.*Linear'", "state_dict"),
        "alone": (torch.nn.Linear(1, 1), "cannot return a value of type '.*Linear'", "state_dict"),
        "number": (np.float64(1), "numpy.float64", r"value.item\(\)"),
        "inside": ({"a": np.float64(1)}, r"value\['a'\] has type 'numpy.float64'", r"value.item\(\)"),
        "parameter": ({"a": {"b": torch.nn.Parameter(torch.ones(1))}}, r"\['a'\]\['b'\]", "detach"),
        "batch": (BatchEncoding({"x": [1]}), "BatchEncoding", r"dict\("),
        "subclass": ({"a": OrderedDict(b=torch.ones(1))}, r"value\['a'\] has type .*OrderedDict", "dict"),
        "key": ({(1, b"x", 1j): torch.ones(1)}, "key", "may return"),
        "page": ({"a": {"b": Page("")}}, r"value\['a'\]\['b'\]: the page is empty", "something"),
        "generator": ((n for n in range(3)), "generator", r"list\("),
    }  # fmt: skip


@pytest.mark.parametrize(
    "name",
    "objects module alone number inside parameter batch subclass key page generator".split(),
)
def test_store_11_what_would_need_pickle_is_refused_with_its_place_and_a_way(store, name):
    """No pickle, ever: the error says where the value is and what to return instead."""
    value, message, hint = bad()[name]

    with pytest.raises(DataError, match=message) as caught:
        store.publish(value, computation())

    import re

    assert re.search(hint, caught.value.hint or "")
    assert list((store.root / "v1" / "objects").glob("*/*")) == []


def test_a_container_that_holds_itself_is_refused(store):
    """Endless nesting ends in a sentence, also with tensors in it."""
    import torch

    value: list[Any] = [torch.ones(1)]
    value.append(value)

    with pytest.raises(DataError, match="holds itself"):
        store.publish(value, computation())


def test_many_tensors_are_one_file(store):
    """A thousand small tensors are not a thousand files to put on the disk."""
    import numpy as np
    import torch

    value = {n: {"avg": torch.ones(2), "sq": np.zeros(2)} for n in range(500)}

    record = store.publish(value, computation())

    files = sorted(path.name for path in store.object_folder(record.digest).rglob("*"))
    assert files == ["data.safetensors", "tree.json"]


def test_every_sibling_format_is_described(store):
    """Rows, types and samples of tables in a composite are there for `inspect`."""
    from datasets import Dataset, DatasetDict

    data = Dataset.from_dict({"label": ["a", "b"] * 5})
    value = {"data": DatasetDict(train=data), "vocab": ["a", "b"]}

    summary = store.publish(value, computation()).summary

    assert summary["rows"] == {"data.train": 10}
    assert summary["schema"]["data.label"] == "string"
    assert summary["labels"] == {"data.label": {"train": {"a": 5, "b": 5}}}
    assert len(summary["sample"]["data.train"]) == 3


OPS = '''
from __future__ import annotations

import mlrecipe


@mlrecipe.op("make")
def make():
    """Data, words and a matrix."""
    import numpy as np
    from datasets import Dataset, DatasetDict

    data = DatasetDict(train=Dataset.from_dict({"x": [1, 2, 3]}))
    return {"data": data, "vocab": ["a", "b"], "matrix": np.ones((2, 2))}


@mlrecipe.op("report")
def report(words, *, scratch):
    """A folder with a file."""
    (scratch / "made").mkdir()
    (scratch / "made" / "words.txt").write_text(" ".join(words))
    return scratch / "made"


@mlrecipe.op("look")
def look(data, matrix, made):
    """What the inputs are."""
    import numpy as np

    return [type(data).__name__, type(matrix).__name__, float(np.sum(matrix)), (made / "words.txt").read_text()]
'''

RECIPE = """
name = "parts"
plugins = ["ops.py"]

[nodes.made]
use = "make"

[nodes.report]
use = "report"
inputs = "made.vocab"

[nodes.look]
use = "look"
inputs = ["made.data", "made.matrix", "report"]
"""


def test_nodes_take_entries_of_a_composite_and_files_of_another_node(tmp_path):
    """From end to end: entries by `node.entry`, and a folder that was written in scratch."""
    work = Work(tmp_path)
    work.write("ops.py", OPS)
    work.write("recipe.toml", RECIPE)

    assert work.run("prepare", "recipe.toml").code == 0

    record = work.store.latest("recipe.toml", "look")
    assert work.store.load(record) == ["DatasetDict", "ndarray", 4.0, "a b"]
    assert sys.modules["numpy"]
