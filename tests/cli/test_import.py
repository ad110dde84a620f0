"""`mlrecipe import`."""

from __future__ import annotations

import json

import pytest

from tests.migration.configs import HYDRA
from tests.migration.configs import runway as config
from tests.projects import Work

OLD = """
from runway_for_ml.data_module.data_transforms import BaseTransform, register_transform_functor

@register_transform_functor
class Three(BaseTransform):
    def setup(self, start=1):
        self.start = start

    def _call(self, data):
        return [self.start, self.start + 1, self.start + 2]
"""
SMALL = {
    "data_pipeline": {
        "transforms": {"input:A": {"transform_name": "Three", "setup_kwargs": {"start": 5}}}
    }
}


@pytest.fixture
def runway(work: Work) -> Work:
    """A project with a configuration of runway and an old op."""
    work.write("configs/small.json", json.dumps(SMALL))
    work.write("config.json", json.dumps(config()))
    work.write("config.yaml", HYDRA)
    work.write("src/data_ops/three.py", OLD)
    return work


def test_experiment_38_import_writes_beside_the_file(runway, cli):
    """The recipe lies where the configuration does; what is lost is on standard error."""
    done = cli("import", "runway", "config.json")

    assert (done.code, done.out) == (0, "  config.toml\n")
    assert (runway.folder / "config.toml").is_file()
    assert "never read by runway\n" in done.err
    assert "meta.cuda" in done.err
    assert "s3cret" not in done.err


def test_experiment_38_import_runs_old_ops(runway, cli):
    """From the configuration to the output of an old class, by commands alone."""
    assert cli("import", "runway", "configs/small.json", "--ops", "src/data_ops").code == 0
    assert cli("check", "configs/small.toml").code == 0
    assert cli("prepare", "configs/small.toml").code == 0

    done = cli("inspect", "A", "configs/small.toml", "--json")

    assert json.loads(done.out)["value"] == [5, 6, 7]


def test_experiment_38_import_makes_a_project_where_there_is_none(tmp_path, monkeypatch, cli):
    """A folder with a runway project becomes one of mlrecipe, so that its ops are found."""
    folder = Work(tmp_path / "old").folder
    (folder / ".mlrecipe").rmdir()
    work = Work.__new__(Work)
    work.folder = folder
    work.write("configs/small.json", json.dumps(SMALL))
    work.write("src/data_ops/three.py", OLD)
    monkeypatch.chdir(folder)

    assert cli("import", "runway", "configs/small.json", "--ops", "src/data_ops").code == 0

    assert (folder / "runway_ops.py").is_file()
    assert cli("check", "configs/small.toml").code == 0


def test_experiment_38_import_never_overwrites(runway, cli):
    """A file that is there stays, unless --force says otherwise."""
    runway.write("config.toml", "name = 'mine'\n")

    refused = cli("import", "runway", "config.json")
    assert refused.code == 2
    assert "--output" in refused.err
    assert (runway.folder / "config.toml").read_text() == "name = 'mine'\n"

    assert cli("import", "runway", "config.json", "--force").code == 0
    assert "reviews" in (runway.folder / "config.toml").read_text()


def test_experiment_38_secrets_are_not_in_the_ops(runway, cli):
    """Ops that look into the old configuration get it without keys of services."""
    values = SMALL | {"meta": {"WANDB": {"api_key": "s3cret", "entity": "me"}}}
    runway.write("configs/small.json", json.dumps(values))
    runway.edit(
        "src/data_ops/three.py", "self.start = start", "self.start = self.global_config.start"
    )

    done = cli("import", "runway", "configs/small.json", "--ops", "src/data_ops")

    ops = (runway.folder / "runway_ops.py").read_text()
    assert done.code == 0
    assert "runway_ops.py has (hidden) for what is secret: meta.WANDB.api_key" in done.err
    assert "s3cret" not in ops
    assert "'entity': 'me'" in ops


def test_import_keeps_ops_that_are_there(runway, cli):
    """Ops written for another configuration are not touched: a second file is made."""
    runway.write("runway_ops.py", "x = 1\n")

    done = cli("import", "runway", "configs/small.json", "--ops", "src/data_ops")

    assert done.out == "  configs/small.toml\n  runway_ops_small.py\n"
    assert (runway.folder / "runway_ops.py").read_text() == "x = 1\n"
    assert cli("check", "configs/small.toml").code == 0


def test_experiment_38_import_prints(runway, cli):
    """`--output -` writes no file."""
    done = cli("import", "runway", "config.json", "--output", "-")

    assert "[nodes.Load]" in done.out
    assert not (runway.folder / "config.toml").exists()


def test_experiment_38_import_says_it_in_json(runway, cli):
    """One document: the recipe, what was dropped and why, warnings."""
    done = cli("import", "hydra", "config.yaml", "--json")

    found = json.loads(done.out)
    assert set(found) == {"recipe", "dropped", "warnings"}
    assert found["recipe"] == "config.toml"
    assert {"key": "strange", "value": 5, "why": "not known to mlrecipe"} in found["dropped"]
    assert done.err == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["import", "hidra", "config.yaml"], "did you mean 'hydra'?"),
        (["import", "hydra", "config.yaml", "--ops", "src"], "--ops is for runway"),
        (["import", "hydra", "nowhere.yaml"], "no file 'nowhere.yaml'"),
        (
            ["import", "hydra", "circle.yaml"],
            "circle.yaml:1: an alias stands inside of what it repeats",
        ),
        (["import", "hydra", "config.yaml", "--output", "nope/x.toml"], "no folder 'nope'"),
        (["import", "runway", "config.json", "--json", "--output", "-"], "standard output"),
        (["import", "runway", "config.json", "--ops", "src", "--output", "-"], "--output"),
        (["import", "runway", "recipe.toml"], "recipe.toml:1:1: not valid JSON"),
        (["import", "runway", "."], "cannot read '.'"),
        (["import", "hydra", "."], "cannot read '.'"),
    ],
)
def test_experiment_38_import_refuses(runway, cli, arguments, message):
    """Wrong requests are answered with what to do."""
    runway.write("circle.yaml", "a: &a [*a]\n")

    done = cli(*arguments)

    assert done.code == 2
    assert message in done.err
    assert "Traceback" not in done.err
    assert not (runway.folder / "nope").exists()
    assert not (runway.folder / "config.toml").exists()
