"""The tables [evaluate] and [evaluate.nodes.…]: what is accepted, what is refused, and where."""

from __future__ import annotations

import pytest

from mlrecipe.pipeline.judge import judge
from mlrecipe.pipeline.stages import train_fingerprint
from mlrecipe.recipe import evaluation
from mlrecipe.recipe.json_schema import build
from mlrecipe.recipe.load import load
from mlrecipe.recipe.resolved import resolved
from mlrecipe.recipe.settable import settable
from tests.evaluations import Judged


@pytest.fixture
def work(tmp_path):
    """A small project whose recipe has an evaluation node."""
    return Judged(tmp_path / "project")


def test_an_evaluation_node_is_a_node_like_any(work):
    """Its op, inputs and parameters are read as those of [nodes], its defaults are filled in."""
    request = work.request("evaluate.nodes.hits.scale=2.5")

    node = request.loaded.recipe.evaluate.nodes["hits"]
    assert (node.use, node.inputs, node.params) == ("right", ["predictions"], {"scale": 2.5})
    values = resolved(work.request().loaded, request.catalog)["evaluate"]
    assert values["nodes"]["hits"] == {"use": "right", "inputs": ["predictions"], "scale": 1.0}
    assert values["keep_validations"] == 1


def test_what_can_be_set_and_the_schema_know_evaluation_nodes(work):
    """`--set evaluate.nodes.hits.scale`, and a table for editors."""
    loading = load(work.folder / "recipe.toml", here=work.folder)

    keys = {item.key for item in settable(loading)}
    assert {"evaluate.keep_validations", "evaluate.validation"} <= keys
    assert {"evaluate.nodes.hits.scale", "evaluate.nodes.hits.inputs"} <= keys
    table = build(loading.catalog)["definitions"]["evaluate"]
    assert set(table["properties"]) == {"nodes", "validation", "keep_validations"}


WRONG = {
    'inputs = ["predictons"]': "did you mean 'predictions'?",
    'inputs = ["predictions.label"]': "'predictions' has no entries to choose from: take it whole",
    'inputs = ["run:"]': "name the run: `run:ID`",
    'inputs = ["words.none", "predictions"]': "op 'right' takes 1 input (predictions), got 2",
    'inputs = ["more"]': "inputs go in a circle: more → more",
    'inputs = ["predictions"]\nscal = 2': "did you mean 'scale'?",
    'inputs = ["predictions"]\nscale = "2"': "expected a number",
    'inputs = ["predictions"]\nshards = 2': "cannot run in shards",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_mistake_in_an_evaluation_node_is_told_with_its_line(work, text):
    """Unknown inputs, wrong numbers of them, circles, parameters."""
    work.add(f'[evaluate.nodes.more]\nuse = "right"\n{text}\n')

    problems = work.problems()

    assert any(WRONG[text] in problem for problem in problems), problems
    assert all(problem.startswith("recipe.toml:1") for problem in problems)


NAMES = {
    "words": "there is a node 'words' in [nodes] too",
    "predictions": "'predictions' is an input of evaluation nodes",
    "loss": "'loss' is a metric of the task already",
    '"a/b"': "may not have a '/'",
    '"a.b"': "may not contain a dot",
}


@pytest.mark.parametrize("name", NAMES)
def test_names_of_evaluation_nodes_are_free_of_doubt(work, name):
    """Neither nodes, inputs nor metrics are called so, and metrics can be told apart from nodes."""
    work.add(f'[evaluate.nodes.{name}]\nuse = "right"\ninputs = ["predictions"]\n')

    [problem] = work.problems()

    assert NAMES[name] in problem


def test_data_nodes_cannot_take_predictions(work):
    """The message says where they can be taken."""
    work.add('[nodes.scaled]\nuse = "scale"\ninputs = ["predictions"]\n')

    [problem] = work.problems()

    assert "predictions are inputs of nodes in [evaluate.nodes] alone" in problem


def test_an_entry_of_a_data_node_that_cannot_be_there_is_told(work):
    """As for nodes: what the node's output has is known from the file."""
    work.write("data/train.csv", "text,label\na,no\nb,yes\n")
    work.add(
        '[nodes.rows]\nuse = "load-files"\ntrain = "data/train.csv"\n'
        '[evaluate.nodes.seen]\nuse = "difference"\ninputs = ["predictions", "rows.tran"]\n'
    )

    [problem] = work.problems()

    assert "no entry 'tran' in the output of node 'rows'; did you mean 'train'?" in problem


def test_validations_have_the_nodes_that_hang_on_predictions_alone(work):
    """Not those that need data nodes, other runs, or the tested checkpoint's validation."""
    work.add(
        '[evaluate.nodes.longest]\nuse = "longest"\ninputs = ["hits", "words"]\n'
        '[evaluate.nodes.again]\nuse = "right"\ninputs = "hits"\n'
        '[evaluate.nodes.since]\nuse = "difference"\ninputs = ["validation", "predictions"]\n'
    )
    values = work.request().loaded.values

    assert evaluation.on_validation(values) == ["hits", "again"]
    assert evaluation.on_validation(work.request("evaluate.validation=[]").loaded.values) == []
    [problem] = work.problems('evaluate.validation=["again", "longest"]')
    assert "its input 'words' is not there after a validation" in problem
    [problem] = work.problems('evaluate.validation=["agian"]')
    assert "did you mean 'again'?" in problem


def test_predictions_of_validations_are_wanted_where_a_node_takes_them(work):
    """Also when no node runs on validation."""
    assert judge(work.request("evaluate.validation=[]")) is None

    work.add('[evaluate.nodes.since]\nuse = "difference"\ninputs = ["validation", "predictions"]\n')

    assert judge(work.request("evaluate.validation=[]")) is not None


def test_a_training_hangs_on_the_evaluation_nodes_that_guide_it_alone(work):
    """Others may change: the training is still the same."""
    work.add('[evaluate.nodes.other]\nuse = "right"\ninputs = ["predictions"]\n')

    def named(*overrides):
        return train_fingerprint(work.request(*overrides), {}, None)

    free, guided = [], ["train.monitor=valid/hits/share"]
    assert named(*free, "evaluate.nodes.hits.scale=3") == named(*free)
    assert named(*guided, "evaluate.nodes.other.scale=3") == named(*guided)
    assert named(*guided, "evaluate.nodes.hits.scale=3") != named(*guided)
    before = named(*guided)
    work.edit("ops.py", "share=scale * sum(hits)", "share=scale + sum(hits)")
    assert named(*guided) != before
