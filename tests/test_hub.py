"""A recipe whose data, tokenizer and model are on the hub, from first run to rerun."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.hub import serving
from tests.projects import Work

pytestmark = pytest.mark.heavy

RECIPE = """
name = "x"
seed = 1
[nodes.rows]
use = "load-dataset"
path = "me/rows"
[nodes.tokens]
use = "tokenize"
inputs = "rows"
tokenizer = "me/words"
max_length = 16
[model]
use = "transformer"
checkpoint = "me/tiny"
tokenizer = "me/words"
[task]
use = "text-classification"
labels = ["neg", "pos"]
[train]
data = "tokens"
epochs = 1
valid_split = ""
monitor = "train/loss"
"""


@pytest.fixture
def hub(tmp_path):
    """A hub with a data set, a model with weights and a tokenizer."""
    from transformers import BertConfig, BertForSequenceClassification

    from tests.training.tiny import write_tiny, write_tokenizer

    tiny = write_tiny(tmp_path / "tiny", num_labels=2)
    BertForSequenceClassification(BertConfig.from_pretrained(tiny)).save_pretrained(tiny)
    write_tokenizer(tmp_path / "words")
    with serving() as made:
        made.dataset("me/rows").push(rows("good great", "bad awful"))
        made.model("me/tiny").push_folder(tiny)
        made.model("me/words").push_folder(tmp_path / "words")
        yield made


def rows(positive, negative):
    """Files of a data set with these texts."""
    table = (
        f"text,label\n{positive},pos\n{negative},neg\n" + f"{positive},pos\n{negative},neg\n" * 3
    )
    return {"README.md": "---\nlicense: mit\n---\n", "train.csv": table, "test.csv": table}


@pytest.mark.long
def test_store_16_data_tokenizer_and_model_are_loaded_at_their_commits(hub, tmp_path):
    """What moves on the hub changes no run before an update, and a run's own recipe never."""
    work = Work(tmp_path / "project")
    (work.folder / "ops.py").unlink()
    work.write("recipe.toml", RECIPE)
    environment = hub.environment(tmp_path / "home")

    def run(*arguments):
        done = work.run(*arguments, **environment)
        assert done.code == 0, done.err
        return done

    first = json.loads(run("run", "recipe.toml", "--json").out)[0]
    old = {name: r.branches["main"] for (_, name), r in hub.repositories.items()}
    lock = (work.folder / "recipe.toml.lock").read_text()
    assert all(commit in lock for commit in old.values())
    assert {
        path.split("/resolve/")[1].split("/")[0] for path in hub.asked if "/resolve/" in path
    } == {*old.values()}

    # Everything moves; the new model cannot even be read.
    hub.dataset("me/rows").push(rows("fine good", "poor bad"))
    hub.model("me/words").push({"tokenizer.json": "{}"})
    hub.model("me/tiny").push({"config.json": "{}"})
    hub.asked.clear()
    told = run("run", "recipe.toml")
    assert "2 nodes, all in the store" in told.err
    assert f"run {first['run']} is equal and finished; used again" in told.err
    assert hub.asked == []

    # The first run's recipe says what it used, on a machine that has nothing of it.
    shutil.rmtree(work.folder / ".mlrecipe" / "store")
    shutil.rmtree(tmp_path / "home")
    again = json.loads(run("train", f"{first['folder']}/recipe.resolved.toml", "--json").out)[0]
    for name, keys in (("inputs.json", ("rows", "tokens")), ("run.json", ("fingerprint",))):
        old_facts, facts = (
            json.loads((work.folder / one["folder"] / name).read_text()) for one in (first, again)
        )
        assert [facts[key] for key in keys] == [old_facts[key] for key in keys]


def test_offline_the_cache_of_another_commit_is_not_taken(tmp_path):
    """The library `datasets` would take what it prepared last; its rows are not those of the commit."""
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    def table(word):
        content = io.BytesIO()
        pq.write_table(pa.table({"text": [word]}), content)
        return {"data/train-00000-of-00001.parquet": content.getvalue()}

    work = Work(tmp_path / "project")
    code = """
        from pathlib import Path
        from mlrecipe.builtin.ops.load_dataset import load_dataset
        from mlrecipe.errors import DataError
        for commit in {commits!r}:
            try:
                print(load_dataset(path="me/rows", revision=commit, scratch=Path())["train"]["text"][:])
            except DataError as error:
                print(error)
        """
    with serving() as hub:
        old = hub.dataset("me/rows").push(table("old"))
        new = hub.dataset("me/rows").push(table("new"))
        environment = hub.environment(tmp_path / "home")
        online = work.python(code.format(commits=[old]), **environment)
        offline = work.python(
            code.format(commits=[old, new]), **environment | {"HF_HUB_OFFLINE": "1"}
        )

    assert online.out == "['old']\n", online.err
    assert offline.out.splitlines() == [
        "['old']",
        f"path: the hub cannot be reached, and the cache has 'me/rows' at another commit than {new[:10]}; "
        "connect to the network once (without --offline)",
    ]
