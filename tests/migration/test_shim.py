"""Old transforms run unedited, as ops whose results are kept and which notice an edit."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mlrecipe.errors import OpError
from mlrecipe.migration import shim
from mlrecipe.migration.project import import_runway
from mlrecipe.migration.stand_ins import Config
from tests.migration.configs import pipeline
from tests.projects import Work

OLD = '''
import os
from pathlib import Path

from runway_for_ml.data_module.data_transforms import BaseTransform, register_transform_functor
from runway_for_ml.data_module.data_transforms import EasyDict
from src.counting import count
from utils.cleaning import clean

WORDS = ["Red", "green", "BLUE"]


def note(name):
    with open(Path(__file__).parents[2] / "ran.txt", "a") as file:
        file.write(name + "\\n")


@register_transform_functor
class LoadWords(BaseTransform):
    """Some words."""

    def setup(self, *args, **kwargs):
        self.module_config = EasyDict(kwargs)

    def _call(self, data):
        note("load")
        assert data is None
        rows = [{"text": word} for word in WORDS[: self.module_config.rows.at_most]]
        return EasyDict({"rows": rows, "owner": self.global_config.meta.get("owner", "nobody")})


@register_transform_functor
class Clean(BaseTransform):
    def setup(self, suffix: str = None, version=1):
        self.suffix, self.version = suffix, version

    def _preprocess(self, data):
        return data.rows

    def _call(self, rows):
        note("clean")
        assert os.path.isdir(self.cache_dir)
        words = [clean(row["text"]) + (self.suffix or "") for row in rows]
        return [word for word in words if count(word) > self.version]


@register_transform_functor
class Join(BaseTransform):
    def setup(self, separator=", "):
        self.separator = separator

    def _call(self, parts):
        note("join")
        assert isinstance(parts, list)
        return self.separator.join(word for part in parts for word in part)


class Unregistered:
    def setup(self):
        pass
'''

CONFIG: dict[str, Any] = {
    "meta": {"owner": "me"},
    "data_pipeline": pipeline(
        input_Words={
            "transform_name": "LoadWords", "setup_kwargs": {"rows": {"at_most": 3}}, "cache": True,
        },
        process_Clean={
            "input_node": "input:Words", "transform_name": "Clean",
            "setup_kwargs": {"suffix": "!", "version": 4},
        },
        output_Joined={
            "input_node": ["process:Clean", "process:Clean"], "transform_name": "Join",
        },
    ),
}  # fmt: skip

HUGGING_FACE = """
from datasets import DatasetDict
from runway_for_ml.data_module.data_transforms import HFDatasetTransform, register_transform_functor


@register_transform_functor
class Shout(HFDatasetTransform):
    def setup(self, mark, **kwargs):
        super().setup(**kwargs)
        self.mark = mark

    def _call(self, data, *args, **kwargs):
        res = {}
        for split in data:
            ds = data[split]
            if split in self.splits_to_process:
                ds = ds.map(lambda row: {"text": row["text"].upper() + self.mark})
            res[split] = ds
        return res
"""


@pytest.fixture
def project(work: Work) -> Work:
    """A runway project with its transforms and modules that they import."""
    work.write("src/data_ops/words.py", OLD)
    work.write("src/data_ops/__init__.py", "raise ImportError('imports all beside it')\n")
    work.write("src/counting.py", "def count(word):\n    return len(word)\n")
    work.write("src/utils/cleaning.py", "def clean(word):\n    return word.lower()\n")
    return work


def imported(project: Work, values: dict[str, Any] = CONFIG) -> None:
    """`recipe.toml` and `runway_ops.py` of the project, made from the configuration."""
    path = project.write("config.json", json.dumps(values))
    import_runway(
        path,
        recipe=project.folder / "recipe.toml",
        ops=[project.folder / "src/data_ops"],
        force=True,
    )


def test_experiment_38_old_ops_run_unedited(project):
    """Classes of runway run through `prepare`, without runway, each once."""
    imported(project)

    assert project.output("Joined") == "green!, blue!, green!, blue!"
    assert project.ran() == ["load", "clean", "join"]
    assert project.output("Words")["owner"] == "me"
    assert project.ran() == []
    assert set(project.statuses().values()) == {"hit"}


@pytest.mark.parametrize(
    ("file", "old", "new", "result", "ran"),
    [
        ("src/data_ops/words.py", "self.separator.join", '"".join',
         "green!blue!green!blue!", ["join"]),
        ("src/counting.py", "len(word)", "len(word) - 1", "green!, green!", ["clean", "join"]),
        ("src/utils/cleaning.py", "word.lower()", "word.title()",
         "Green!, Blue!, Green!, Blue!", ["load", "clean", "join"]),
    ],
)  # fmt: skip
def test_experiment_38_an_edit_of_old_code_runs_again(project, file, old, new, result, ran):
    """The old file, what it imports from the project and what it imports from src/: only what uses it runs."""
    imported(project)
    project.output("Joined")
    project.ran()

    project.edit(file, old, new)

    assert project.output("Joined") == result
    assert project.ran() == ran


def test_experiment_38_star_imports_of_runway_work(project):
    """They bring along what runway's module had imported; any edit of the file counts then."""
    project.edit("src/data_ops/words.py", "import os\nfrom pathlib import Path\n", "")
    project.edit(
        "src/data_ops/words.py", "import BaseTransform, register_transform_functor", "import *"
    )
    imported(project)

    assert project.output("Joined") == "green!, blue!, green!, blue!"
    project.edit("src/data_ops/words.py", "green", "grey")
    assert project.output("Joined") == "grey!, blue!, grey!, blue!"


def test_experiment_38_parameters_are_those_of_setup(project):
    """What the old class does not take is an error of `check`; types are those that it declares."""
    imported(project)

    problems = project.problems("nodes.Clean.suffix=3", "nodes.Joined.seperator=x")

    assert any("nodes.Joined.seperator: unknown key" in problem for problem in problems)
    assert not any("version" in problem for problem in problems)


def test_experiment_38_names_of_mlrecipe_are_evaded(project):
    """A setting called `version` keeps its meaning under another name."""
    imported(project)

    assert project.request().graph.nodes["Clean"].spec.params["version_"] == 4


@pytest.mark.heavy
def test_experiment_38_old_ops_work_on_data_sets(project):
    """A transform of Hugging Face data sets gets what is in the store; its dict of splits is one again."""
    project.write("src/data_ops/shout.py", HUGGING_FACE)
    project.write("data/data/train.csv", "text,label\nred,a\nblue,b\n")
    project.write("data/data/test.csv", "text,label\ngrey,a\n")
    imported(project, {
        "data_pipeline": pipeline(
            input_Load={"transform_name": "LoadHFDataset", "setup_kwargs": {"dataset_name": "./data"}},
            output_Loud={
                "input_node": "input:Load", "transform_name": "Shout",
                "setup_kwargs": {"mark": "!", "splits_to_process": ["train"]},
            },
        )
    })  # fmt: skip

    loud = project.output("Loud")

    assert type(loud).__name__ == "DatasetDict"
    assert loud["train"]["text"][:] == ["RED!", "BLUE!"]
    assert loud["test"]["text"][:] == ["grey"]
    assert project.statuses() == {"Load": "hit", "Loud": "hit"}


def test_experiment_38_code_that_is_not_watched_is_told(project, heard):
    """An import from src/ that came later is not part of the fingerprint: that is said."""
    imported(project)
    project.write("src/utils/late.py", "X = 1\n")
    project.edit(
        "src/data_ops/words.py", "import clean\n", "import clean\nfrom utils.late import X\n"
    )

    project.output("Joined")

    assert any("src/utils/late.py" in getattr(event, "text", "") for event in heard)


def test_experiment_38_what_has_no_stand_in_is_named(project):
    """An import that cannot be satisfied says of what, and what to do."""
    project.edit("src/data_ops/words.py", "WORDS =",
                 "from runway_for_ml.data_module.data_transforms import ComputeBLEU\nWORDS =")  # fmt: skip
    imported(project)

    with pytest.raises(OpError, match="ComputeBLEU has no stand-in"):
        project.output("Words")


def test_experiment_38_only_what_is_set_is_passed_on(project):
    """A transform that takes anything gets what the configuration has, not defaults of its base besides."""
    project.write(
        "src/data_ops/words.py",
        """
        from runway_for_ml.data_module.data_transforms import HFDatasetTransform, register_transform_functor

        @register_transform_functor
        class Echo(HFDatasetTransform):
            def setup(self, *args, **kwargs):
                self.kwargs = kwargs

            def _call(self, data):
                return self.kwargs
    """,
    )
    node = {"transform_name": "Echo", "setup_kwargs": {"a": 1}}
    imported(project, {"data_pipeline": pipeline(input_Echo=node)})

    assert project.output("Echo") == {"a": 1}
    assert project.output("Echo", "nodes.Echo.splits_to_process=['x']") == {
        "a": 1, "splits_to_process": ["x"],
    }  # fmt: skip


def test_the_rows_limit_is_dummy_data(project):
    """`--set limit=…` reaches an old op as `use_dummy_data`."""
    project.edit("src/data_ops/words.py", "note(\"load\")",
                 'note("load")\n        assert self.use_dummy_data')  # fmt: skip
    imported(project)

    project.output("Words", "limit=5")

    assert project.ran() == ["load"]


def test_modules_of_the_project_are_forgotten(project):
    """Neither the search path nor modules called `src` or `utils` stay behind."""
    import sys

    imported(project)
    before = list(sys.path)

    project.output("Joined")

    assert sys.path == before
    assert not {"src", "src.counting", "utils", "utils.cleaning"} & set(sys.modules)


def test_tables_are_plain_when_they_are_stored():
    """Dicts with attributes, at any depth, become dicts."""
    found = shim.plain(Config({"a": {"b": [{"c": 1}]}, "d": ({"e": 2},)}))

    assert found == {"a": {"b": [{"c": 1}]}, "d": ({"e": 2},)}
    assert type(found) is type(found["a"]) is type(found["a"]["b"][0]) is dict


def test_tables_have_attributes_when_they_come():
    """Keys are attributes, in what is set later too."""
    table = Config(a={"b": [{"c": 1}]})
    table.d = {"e": 2}

    assert (table.a.b[0].c, table.d.e, table.get("x")) == (1, 2, None)
    with pytest.raises(AttributeError):
        _ = table.x
