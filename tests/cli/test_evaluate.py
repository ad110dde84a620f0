"""`mlrecipe evaluate`, and evaluation nodes in the other commands."""

from __future__ import annotations

import json
import re

import pytest

from tests.evaluations import Judged, read


@pytest.fixture
def work(tmp_path):
    """A small project whose recipe has an evaluation node."""
    return Judged(tmp_path / "project")


def test_experiment_11_evaluate_needs_neither_model_nor_torch(work):
    """The nodes of today's recipe over stored predictions, in a process that imports no torch."""
    run = work.tested()
    code = """
        import sys
        from mlrecipe.cli import app
        assert app.run(["evaluate", "recipe.toml"]) == 0
        assert app.run(["evaluate", "recipe.toml", "--set", "evaluate.nodes.hits.scale=2"]) == 0
        sys.exit("torch" in sys.modules or "transformers" in sys.modules)
        """

    done = work.python(code)

    assert done.code == 0, done.err
    assert read(run, "metrics.json")["test/hits/share"] == 1.5


def test_evaluate_says_what_came_out_and_where(work, cli):
    """Metrics of the nodes, the files, how to look at the rows; the second time nothing runs."""
    run = work.tested()

    first, second = cli("evaluate", "recipe.toml"), cli("evaluate", "recipe.toml")

    assert first.code == second.code == 0
    assert re.search(r"test/hits +share 0\.7500, rows 4", first.out)
    assert f"runs/{run.id}/predictions.arrow, with evaluation.json" in first.out
    assert "mlrecipe inspect hits recipe.toml" in first.out
    assert "all in the store" in second.err
    assert first.out == second.out
    assert work.ran() == ["right"]


def test_evaluate_json_has_the_nodes_and_all_metrics(work, cli):
    """One document; of each node op, fingerprint, digest, seconds and metrics."""
    run = work.tested()

    found = json.loads(cli("evaluate", "recipe.toml", "--json").out)

    assert (found["run"], found["folder"]) == (run.id, f"runs/{run.id}")
    assert set(found["nodes"]["hits"]) == {"op", "fingerprint", "digest", "seconds", "metrics"}
    assert found["metrics"]["test/accuracy"] == 0.5
    assert found["metrics"]["test/hits/share"] == 0.75


def test_the_run_that_is_named_is_evaluated(work, cli):
    """A test run, or a train run's newest test; by default the newest test of the recipe."""
    old, new = work.tested(name="old"), work.tested(name="new")

    assert cli("evaluate", "recipe.toml", "--run", "old").code == 0
    assert (old.folder / "evaluation.json").is_file()
    assert not (new.folder / "evaluation.json").is_file()
    assert cli("evaluate", "recipe.toml").code == 0
    assert (new.folder / "evaluation.json").is_file()


def test_a_forced_evaluation_node_runs_again(work, cli):
    """As a node does; a name that is none is refused."""
    work.tested("dev", "test")
    cli("evaluate", "recipe.toml")
    work.ran()

    assert cli("evaluate", "recipe.toml", "--force", "hits").code == 0
    assert work.ran() == ["right", "right"]
    refused = cli("evaluate", "recipe.toml", "--force", "hist")
    assert (refused.code, work.ran()) == (2, [])
    assert "no evaluation node 'hist'; did you mean 'hits'?" in refused.err
    assert cli("evaluate", "recipe.toml", "--force", "zzzz").err.endswith("'zzzz'; known: hits\n")


def test_recipe_mistakes_of_users_of_evaluate_are_told(work, cli):
    """Nothing tested yet, another recipe's run, other keys than those of evaluation."""
    nothing = cli("evaluate", "recipe.toml")
    assert (nothing.code, "has no finished test run to evaluate" in nothing.err) == (2, True)
    assert "mlrecipe run recipe.toml" in nothing.err

    work.tested(name="mine")
    work.write("other.toml", (work.folder / "recipe.toml").read_text())
    other = cli("evaluate", "other.toml", "--run", "mine")
    assert (other.code, "is one of recipe.toml, not of other.toml" in other.err) == (2, True)
    wrong = cli("evaluate", "recipe.toml", "--set", "train.epochs=3")
    assert (wrong.code, "only keys of [evaluate]" in wrong.err) == (2, True)
    as_data = cli("prepare", "recipe.toml", "hits")
    assert (as_data.code, "'hits' is an evaluation node" in as_data.err) == (2, True)


def test_the_test_of_a_module_of_ones_own_has_nothing_to_evaluate(work, cli):
    """It keeps no predictions: a clear error instead of an empty table."""
    run = work.tested()
    (run.folder / "predictions.arrow").unlink()

    done = cli("evaluate", "recipe.toml")

    assert done.code == 2
    assert "a LightningModule of one's own keeps no predictions" in done.err


def test_check_finds_runs_that_are_not_there(work, cli):
    """Before anything runs, with file and line."""
    work.add('[evaluate.nodes.gain]\nuse = "difference"\ninputs = ["run:gone", "predictions"]\n')

    done = cli("check", "recipe.toml")

    assert done.code == 2
    assert "recipe.toml:15" in done.err
    assert "no run 'gone'" in done.err


def test_experiment_40_an_evaluation_node_is_inspected_like_any(work, cli):
    """Its schema, statistics and rows; `predictions` too; before a test the command that makes it."""
    assert "mlrecipe run recipe.toml" in cli("inspect", "hits", "recipe.toml").err
    old = work.tested(right=[0, 0, 1])
    work.tested()
    nothing = cli("inspect", "hits", "recipe.toml")
    assert "make it with: mlrecipe evaluate recipe.toml" in nothing.out
    cli("evaluate", "recipe.toml")
    cli("evaluate", "recipe.toml", "--run", old.id)

    found = json.loads(cli("inspect", "hits", "recipe.toml", "--json", "--rows", "1").out)
    older = json.loads(cli("inspect", "hits", "--run", old.id, "--json").out)

    assert (found["op"], found["status"], found["inputs"]) == ("right", "hit", ["predictions"])
    [[row]] = found["sample"].values()
    assert (row["row"], row["label"], row["hit"]) == (0, "yes", 1)
    assert found["summary"]["rows"] != older["summary"]["rows"]
    assert cli("inspect", "predictions", "recipe.toml").code == 0


def test_the_graph_is_drawn_with_its_evaluation_nodes(work, cli):
    """Over the newest test's predictions; before there are any they would run."""
    before = json.loads(cli("graph", "recipe.toml", "--json").out)
    assert {"from": "predictions", "to": "hits"} in before["edges"]
    work.tested()
    cli("evaluate", "recipe.toml")

    after = json.loads(cli("graph", "recipe.toml", "--json").out)

    status = {node["node"]: node["status"] for node in after["nodes"]}
    assert status == {"words": "run", "first": "run", "predictions": "hit", "hits": "hit"}


def test_what_the_training_was_told_holds_for_its_evaluation(work, cli):
    """A data node that an evaluation node takes is that of the training, as its command line had it."""
    work.add('[evaluate.nodes.longest]\nuse = "longest"\ninputs = ["hits", "words"]\n')
    run = work.tested(name="mine")
    told = {"overrides": ["--set nodes.words.count=7"]}
    (work.folder / "runs" / "mine" / "command.json").write_text(json.dumps(told))
    cli("prepare", "recipe.toml", "--set", "nodes.words.count=7")
    work.ran()

    assert cli("evaluate", "recipe.toml").code == 0

    assert sorted(work.ran()) == ["longest", "right"]
    assert read(run, "evaluation.json")["longest"]["metrics"] == {"": 4.0}


TASK = """
[model]
use = "transformer"
config = "."
[task]
use = "text-classification"
metrics = ["accuracy"]
"""


def test_without_evaluation_nodes_the_report_is_made_anew(work, cli):
    """What the test has written beside its predictions comes of them alone."""
    run = work.tested()
    work.edit("recipe.toml", '[evaluate.nodes.hits]\nuse = "right"\ninputs = ["predictions"]\n', "")

    done = cli("evaluate", "recipe.toml")

    assert (done.code, "has no evaluation nodes" in done.err) == (0, True)
    report = read(run, "report.json")["splits"]["test"]
    assert (report["rows"], report["accuracy"]) == (4, 0.75)


def test_metrics_of_todays_task_are_measured_from_the_predictions(work, cli):
    """Those that the test did not measure; one that predictions do not tell is named."""
    work.add(TASK)
    run = work.tested()

    done = cli("evaluate", "recipe.toml", "--set", 'task.metrics=["accuracy", "balanced-accuracy"]')

    assert done.code == 0, done.err
    assert "measured from the predictions: test/balanced-accuracy" in done.err
    assert read(run, "metrics.json")["test/balanced-accuracy"] == 0.75
    assert read(run, "metrics.json")["test/accuracy"] == 0.5  # what was measured stays


MODULE = """
import mlrecipe
import pytorch_lightning as pl


@mlrecipe.module("line")
class Line(pl.LightningModule):
    pass
"""


def test_evaluation_nodes_of_a_module_of_ones_own_are_refused(work, cli):
    """At `check`, with the reason: there will be no predictions."""
    work.write("own.py", MODULE)
    work.edit("recipe.toml", '["ops.py"]', '["ops.py", "own.py"]')
    work.add('[task]\nuse = "line"\n')

    done = cli("check", "recipe.toml")

    assert done.code == 2
    assert "evaluate.nodes: does nothing with task 'line'" in done.err
    assert "the test of a module keeps no predictions" in done.err


def test_a_node_that_fails_leaves_the_others_and_the_test(work, cli):
    """What could be computed is in the store; mended, the one node runs alone."""
    run = work.tested()
    work.add('[evaluate.nodes.odd]\nuse = "picky"\ninputs = "predictions"\ncolumn = "txt"\n')

    failed = cli("evaluate", "recipe.toml")
    mended = cli("evaluate", "recipe.toml", "--set", "evaluate.nodes.odd.column=label")

    assert (failed.code, mended.code) == (2, 0)
    assert "recipe.toml:16" in failed.err
    assert work.ran() == ["right"]
    assert read(run, "metrics.json")["test/odd"] == 4.0


@pytest.mark.parametrize(
    ("name", "told"),
    [("hit", "no node 'hit'; did you mean 'hits'?"),
     ("qqqq", "no node 'qqqq'; known: first, hits, words")],
)  # fmt: skip
def test_a_name_near_that_of_an_evaluation_node_is_told(work, cli, name, told):
    """`inspect` knows the nodes of the data and of the evaluation."""
    done = cli("inspect", name, "recipe.toml")

    assert (done.code, done.err) == (2, f"error: {told}\n")


def test_of_a_test_of_several_splits_the_nodes_are_named(work, cli):
    """One for each split."""
    work.tested("dev", "test")

    done = cli("inspect", "hits", "recipe.toml")

    assert done.err == (
        "error: node 'hits' is there for each split of the test; name one of them: dev/hits, test/hits\n"
    )


def test_a_run_is_evaluated_with_the_recipe_that_it_has_kept(work, cli):
    """Where its own is not here, as after `runs import`: the errors name the copy, and the copy does."""
    run = work.tested()
    kept = f"runs/{run.id}/recipe.resolved.toml"
    text = (work.folder / "recipe.toml").read_text()
    text += '[nodes.table]\nuse = "load-files"\ntrain = "gone.csv"\n'
    work.write(kept, f'relative_to = "."\n{text}')
    (work.folder / "recipe.toml").unlink()

    errors = [
        cli("evaluate", "recipe.toml", "--run", run.id), cli("evaluate", "recipe.toml"),
        cli("inspect", "hits", "--run", run.id),
    ]  # fmt: skip
    done = cli("evaluate", kept)

    assert [each.code for each in errors] == [2, 2, 2]
    assert f"; its run has kept a copy: mlrecipe evaluate {kept} --run {run.id}\n" in errors[0].err
    assert errors[0].err == errors[1].err
    assert f"mlrecipe inspect hits {kept} --run {run.id}\n" in errors[2].err
    assert (done.code, "share 0.7500" in done.out) == (0, True)
    assert cli("inspect", "hits", kept, "--run", run.id).code == 0
    work.write("other.toml", 'name = "other"\n')
    assert f"mlrecipe evaluate {kept}" in cli("evaluate", "other.toml", "--run", run.id).err


def test_a_metric_without_a_name_is_an_error_of_its_node(work, cli):
    """The node's place in the recipe, its op, and what a name is."""
    path = work.folder / "ops.py"
    body = '@mlrecipe.op("nameless")\ndef nameless(predictions):\n    return {"": 1.0}\n'
    path.write_text(f"{path.read_text()}\n\n{body}")
    work.add('[evaluate.nodes.odd]\nuse = "nameless"\ninputs = ["predictions"]\n')
    run = work.tested()

    done = cli("evaluate", "recipe.toml")

    assert done.code == 2
    assert "evaluate.nodes.odd: op 'nameless': a metric cannot be called ''" in done.err
    assert "Traceback" not in done.err
    assert not (run.folder / "evaluation.json").exists()


@pytest.mark.parametrize("gone", ["rows", "parent", "checkpoint"])
def test_evaluate_leaves_out_what_a_run_does_not_say(work, cli, gone):
    """Nodes that ran are told, even if the run says nothing of its rows, its training or its checkpoint."""
    run = work.tested()
    facts = {name: fact for name, fact in read(run, "run.json").items() if name != gone}
    (run.folder / "run.json").write_text(json.dumps(facts))

    done = cli("evaluate", "recipe.toml")

    assert done.code == 0, done.err
    assert re.search(r"^ *evaluated +\S", done.out, re.MULTILINE)
    assert "None" not in done.out


def test_what_to_look_at_is_of_the_run_that_was_evaluated(work, cli):
    """Without the run `inspect` would show the newest test."""
    old = work.tested(right=[0, 0, 1])
    work.tested()

    done = cli("evaluate", "recipe.toml", "--run", old.id)

    assert f"mlrecipe inspect hits recipe.toml --run {old.id}" in done.out


def test_the_metrics_of_the_last_node_go_with_it(work, cli):
    """As those of any other node that the recipe no longer has."""
    run = work.tested()
    cli("evaluate", "recipe.toml")
    before = read(run, "metrics.json")
    work.edit("recipe.toml", '[evaluate.nodes.hits]\nuse = "right"\ninputs = ["predictions"]\n', "")

    cli("evaluate", "recipe.toml")

    assert [name for name in before if name.startswith("test/hits")]
    assert not [name for name in read(run, "metrics.json") if name.startswith("test/hits")]
