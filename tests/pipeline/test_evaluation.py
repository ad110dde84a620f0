"""The evaluation graph over predictions: of a test, of a validation, of other runs."""

from __future__ import annotations

import pytest

from mlrecipe import events, plugins
from mlrecipe.errors import MlrecipeError, RecipeError
from mlrecipe.pipeline import evaluation, roots
from mlrecipe.pipeline.execute import execute
from mlrecipe.pipeline.judge import judge
from mlrecipe.pipeline.plan import plan
from mlrecipe.runs import predictions
from mlrecipe.store import usage
from tests.evaluations import Judged, read, write


@pytest.fixture
def work(tmp_path):
    """A small project whose recipe has an evaluation node."""
    return Judged(tmp_path / "project")


def evaluate(work, run, *overrides):
    """Evaluates a test run; what each node came to."""
    request, store = work.request(*overrides), work.store
    plugins.load(request.catalog.plugins, project=work.folder)
    target = evaluation.target(request, run)
    planned = plan(target.request, store, nodes=[*target.places])
    results = execute(planned, target.request, store)
    results.raise_failures()
    found = evaluation.evaluated(target, results.records, store)
    evaluation.conclude(target, found)
    return found


def test_experiment_11_validation_and_test_are_judged_by_one_definition(work):
    """The same nodes over the same predictions give the same metrics, in a training and after a test."""
    work.add('[evaluate.nodes.again]\nuse = "right"\ninputs = "hits"\nscale = 4.0\n')
    run = work.tested()
    request = work.request()
    plugins.load(request.catalog.plugins, project=work.folder)

    on_validation = judge(request).evaluate(run.folder / "predictions.arrow", split="test")

    evaluate(work, run)
    on_test = {k.removeprefix("test/"): v for k, v in read(run, "metrics.json").items()}
    assert dict(on_validation) == {k: v for k, v in on_test.items() if k != "accuracy"}
    assert on_validation == {
        "hits/share": 0.75, "hits/rows": 4, "again/share": 3.0, "again/rows": 4
    }  # fmt: skip


def test_what_a_node_does_to_its_input_no_other_sees(work):
    """In a training as in the store: the op changes the recorder that it is given."""
    work.add(
        '[evaluate.nodes.same]\nuse = "right"\ninputs = "hits"\nscale = 4.0\n'
        '[evaluate.nodes.between]\nuse = "difference"\ninputs = ["predictions", "hits"]\n'
    )
    run = work.tested()
    request = work.request()
    plugins.load(request.catalog.plugins, project=work.folder)

    found = judge(request).evaluate(run.folder / "predictions.arrow", split="test")

    assert (found["hits/share"], found["same/share"]) == (0.75, 3.0)
    assert (found["between/more"], found["between/of/a"]) == (0, 3)


def test_experiment_37_a_node_takes_another_runs_predictions_by_its_id(work):
    """Of a test run, or of a train run its newest test; part of an id will do."""
    other = work.tested(right=[0, 0, 0, 1], name="old")
    work.add(
        '[evaluate.nodes.gain]\nuse = "difference"\ninputs = ["run:old-test", "predictions"]\n'
        '[evaluate.nodes.loss-of]\nuse = "difference"\ninputs = ["predictions", "run:old"]\n'
    )

    evaluate(work, work.tested())

    found = evaluate(work, work.tested())
    assert found["gain"]["metrics"] == {"more": 2.0, "of/a": 1.0, "of/b": 3.0}
    assert found["loss-of"]["metrics"]["more"] == -2.0
    assert predictions.tested(work.folder, other).id == "old-test"


def test_predictions_that_are_not_there_are_one_error_with_the_line(work):
    """Unknown and unfinished runs, splits that a run has not, a validation that was not kept."""
    run = work.tested(name="old")
    work.tested("dev", "test", name="both")
    work.tested(name="going").update(status="running")
    check = evaluation.runs_of(work.folder)

    for text, message in {
        "run:odl": "no run 'odl'; did you mean",
        "run:going-test": "run going-test is running, not finished",
        "run:old:dev": "run old-test has no predictions of split 'dev'; ",
        "run:both:tset": "did you mean 'test'?",
    }.items():
        work.write("recipe.toml", f"""
            name = "small"
            plugins = ["ops.py"]
            [evaluate.nodes.gain]
            use = "difference"
            inputs = ["{text}", "predictions"]
            """)  # fmt: skip
        request = work.request()
        [problem] = check(request.tree, request.catalog)
        assert (problem.file, problem.line, problem.key) == (
            "recipe.toml", 5, "evaluate.nodes.gain.inputs[0]"
        )  # fmt: skip
        assert message in problem.message
    work.edit("recipe.toml", "run:both:tset", "validation")
    with pytest.raises(RecipeError, match="has no checkpoint 'best'"):
        evaluation.target(work.request(), run)


def test_the_validation_of_the_tested_checkpoint_is_an_input(work):
    """Its predictions are those that training kept at the checkpoint's step."""
    work.add('[evaluate.nodes.drop]\nuse = "difference"\ninputs = ["validation", "predictions"]\n')
    run = work.tested(name="mine")
    folder = work.folder / "runs" / "mine"
    (folder / "checkpoints" / "best").mkdir(parents=True)
    (folder / "checkpoints" / "best" / "checkpoint.json").write_text('{"step": 7}')
    with pytest.raises(
        RecipeError, match="has not kept the predictions of the validation at step 7"
    ):
        evaluate(work, run)
    write(folder / "validations" / "step-7" / "predictions.arrow", [1, 1, 1, 1], "valid")

    assert evaluate(work, run)["drop"]["metrics"]["more"] == -1


def test_what_is_in_the_store_is_not_computed_again(work):
    """A changed node runs alone; a new test run has predictions of its own."""
    work.add('[evaluate.nodes.longest]\nuse = "longest"\ninputs = ["hits", "words"]\n')
    run = work.tested()
    evaluate(work, run)
    assert sorted(work.ran()) == ["longest", "right", "words"]

    evaluate(work, run)
    assert work.ran() == []
    evaluate(work, run, "nodes.words.count=5")
    assert sorted(work.ran()) == ["longest", "words"]
    evaluate(work, work.tested(right=[0, 1, 1, 1]))
    assert sorted(work.ran()) == ["longest", "right"]


def test_metrics_are_replaced_when_a_run_is_evaluated_again(work):
    """Of nodes that are gone nothing stays; what the test measured is not touched."""
    run = work.tested()
    evaluate(work, run)
    assert read(run, "metrics.json")["test/hits/share"] == 0.75

    work.edit("recipe.toml", "nodes.hits]", "nodes.found]")
    evaluate(work, run, "evaluate.nodes.found.scale=2.0")

    assert read(run, "metrics.json") == {
        "test/accuracy": 0.5, "test/found/share": 1.5, "test/found/rows": 4,
    }  # fmt: skip
    facts = read(run, "evaluation.json")["found"]
    assert (facts["op"], facts["metrics"]) == ("right", {"share": 1.5, "rows": 4})
    assert facts["digest"] == work.store.record(facts["fingerprint"]).digest


def test_each_split_of_several_has_its_own_nodes(work):
    """Metrics stand under the split's name; one without labels is left out."""
    run = work.tested("dev", "test", "blind", unlabelled=["blind"])

    found = evaluate(work, run)

    assert list(found) == ["dev/hits", "test/hits"]
    metrics = read(run, "metrics.json")
    assert metrics["dev/hits/share"] == metrics["test/hits/share"] == 0.75
    assert not any(name.startswith("blind/hits") for name in metrics)


def test_an_error_of_an_evaluation_node_is_placed_at_its_parameter(work):
    """In a training and after a test; what cannot be stored is told as for nodes."""
    work.add('[evaluate.nodes.odd]\nuse = "picky"\ninputs = "predictions"\ncolumn = "txt"\n')
    run = work.tested()
    with pytest.raises(RecipeError) as after:
        evaluate(work, run)
    with pytest.raises(RecipeError) as during:
        judge(work.request()).evaluate(run.folder / "predictions.arrow", split="test")

    for caught in (after, during):
        [problem] = caught.value.problems
        assert (problem.file, problem.key) == ("recipe.toml", "evaluate.nodes.odd.column")
        assert "no column 'txt'; name one that is there" in problem.message
    work.add('[evaluate.nodes.rows]\nuse = "no-format"\ninputs = "predictions"\n')
    with pytest.raises(MlrecipeError, match="cannot return a value of type"):
        evaluate(work, run, "evaluate.nodes.odd.column=label")


def test_a_gc_leaves_what_kept_runs_and_the_recipe_were_evaluated_to(work):
    """Copies of predictions may go: the run has them."""
    first, second = work.tested(right=[1, 0, 0, 0]), work.tested()
    kept = [evaluate(work, run)["hits"]["fingerprint"] for run in (first, second)]
    store = work.store

    found = roots.finder(store, work.folder)(usage.census(store)).records

    assert found[kept[0]] == f"run {first.id}"
    assert set(kept) <= found.keys()
    reads = [e.record for e in usage.census(store).entries.values() if e.record.op != "right"]
    assert sum(record.fingerprint in found for record in reads) == 1
    only = roots.finder(store, work.folder, keep_runs=0)(usage.census(store)).records
    assert kept[0] not in only
    assert only[kept[1]] == "the newest of hits"


def test_experiment_27_what_a_node_has_to_say_is_said_once_in_a_training(work):
    """With the node that it is of, however many validations there are; with other numbers it is the same."""
    table = '[evaluate.nodes.{}]\nuse = "slices"\ninputs = "predictions"\nby = "prediction"\n'
    work.add(table.format("parts") + table.format("more"))
    runs = [work.tested(right=[1, 0, 0, 0]), work.tested(right=[1, 1, 0, 0, 0])]
    judging, told = judge(work.request()), list[events.Event]()

    with events.listening(told.append):
        for run in (*runs, *runs):
            judging.evaluate(run.folder / "predictions.arrow", split="test")

    notes = [event for event in told if isinstance(event, events.Note)]
    assert [(note.node, note.level) for note in notes] == [
        ("parts", "warning"),
        ("more", "warning"),
    ]
    assert all("fewer than two slices have 30 rows" in note.text for note in notes)
