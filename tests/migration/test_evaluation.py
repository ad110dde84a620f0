"""Evaluation pipelines of runway become evaluation nodes, and no key of them vanishes."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import tomli

from mlrecipe.migration import evaluation, runway
from mlrecipe.migration.ledger import DEAD, NONE, OURS, dotted

BLEU = {
    "input_node": "input:Get",
    "transform_name": "ComputeBLEU",
    "setup_kwargs": {
        "ref_field": "answer", "pred_field": "generated", "inp_field": "question",
        "special_tokens_to_remove": ["<pad>", "</s>"],
    },
    "regenerate": False,
    "cache": False,
}  # fmt: skip
GET = {"transform_name": "GetEvaluationRecorder", "setup_kwargs": {}, "cache": False}


def graph(**transforms: Any) -> dict[str, Any]:
    """An evaluation pipeline whose node `a_b` is called `a:b`."""
    return {
        "DataPipelineLib": "data_modules",
        "name": "Evaluation",
        "regenerate": True,
        "do_inspect": True,
        "out_ops": ["output:Merge"],
        "transforms": {name.replace("_", ":", 1): copy.deepcopy(t) for name, t in transforms.items()},
    }  # fmt: skip


def whole() -> dict[str, Any]:
    """Every transform of runway for evaluations, and one of somebody's own."""
    return graph(
        input_Get=GET,
        process_BLEU=BLEU,
        process_Other={
            "input_node": ["input:Get"],
            "transform_name": "ComputeBLEU",
            "setup_kwargs": {"ref_field": "title", "pred_field": "generated", "beams": 4},
        },
        process_Own={
            "input_node": "input:Get",
            "transform_name": "EvaluateLength",
            "setup_kwargs": {"pred_field": "generated"},
        },
        output_Merge={
            "input_node": ["process:BLEU", "process:Other", "process:Own"],
            "transform_name": "MergeAllEvalRecorderAndSave",
            "setup_kwargs": {"eval_record_name": "merged", "base_dir": "x", "save_recorder": True},
        },
        output_Show={
            "input_node": "output:Merge",
            "transform_name": "DisplayEvalResults",
            "setup_kwargs": {"rows_to_display": 5, "display_format": "csv"},
        },
    )


def convert(**pipelines: Any) -> runway.Imported:
    """A configuration with these evaluation pipelines."""
    return runway.convert({"data_pipeline": {}, "eval": pipelines}, file="config.json")


def evaluate(**pipelines: Any) -> Any:
    """The recipe's `[evaluate]`."""
    return tomli.loads(convert(**pipelines).text).get("evaluate")


def whys(**pipelines: Any) -> dict[str, str]:
    """Dropped key → why."""
    return {item.key: item.why for item in convert(**pipelines).dropped}


def at(node: str, *keys: str) -> str:
    """The dotted key of a node of the tests' pipeline."""
    return dotted(("eval", "pipeline_config", "transforms", node, *keys))


def test_experiment_38_evaluation_pipelines_become_evaluation_nodes() -> None:
    """BLEU stays BLEU, merged as before; the recorder is the input `predictions`."""
    assert evaluate(pipeline_config=whole()) == {
        "validation": [],
        "nodes": {
            "BLEU": {
                "use": "bleu", "inputs": ["predictions"], "prediction": "generated",
                "reference": "answer", "remove": ["<pad>", "</s>"], "column": "sentence_bleu",
            },
            "Other": {
                "use": "bleu", "inputs": ["predictions"], "prediction": "generated",
                "reference": "title", "column": "sentence_bleu",
            },
            "Merge": {
                "use": "merge-predictions", "inputs": ["BLEU", "Other"], "suffixes": ["-Other"],
            },
        },
    }  # fmt: skip


def test_experiment_38_what_no_evaluation_node_says_is_listed() -> None:
    """With the reason: who does it now, or that runway never read it."""
    found = whys(pipeline_config=whole())

    assert found[at("input:Get")] == f"{OURS}: it is the input `predictions`"
    assert found[at("process:BLEU", "setup_kwargs", "inp_field")] == DEAD
    assert found[at("process:BLEU", "cache")].startswith(OURS)
    assert found[at("process:Other", "setup_kwargs", "beams")].startswith(NONE)
    assert found[at("process:Own")].startswith(f"{NONE}: its op is to be written")
    assert found[at("output:Merge", "setup_kwargs", "base_dir")] == DEAD
    assert found[at("output:Merge", "setup_kwargs", "eval_record_name")].startswith(OURS)
    assert "mlrecipe inspect" in found[at("output:Show")]
    assert found["eval.pipeline_config.regenerate"].startswith(OURS)
    assert found["eval.pipeline_config.DataPipelineLib"] == DEAD
    assert found["eval.pipeline_config.out_ops"].startswith(NONE)


@pytest.mark.parametrize(
    "pipelines",
    [
        {"pipeline_config": whole()},
        {"pipeline_config": whole(), "valid_eval_pipeline_config": whole()},
        {"valid_eval_pipeline_config": whole()},
        {"pipeline_config": graph(input_Get={**GET, "setup_kwargs": {"keep_top_n": 9}})},
    ],
)
def test_experiment_38_no_key_of_an_evaluation_pipeline_vanishes(pipelines: dict) -> None:
    """Each leaf is listed, or taking it out, where both pipelines have it of both, makes another recipe."""
    done = convert(**pipelines)
    listed, values = {item.key for item in done.dropped}, tomli.loads(done.text)

    for leaf in done.ledger.leaves():
        if listed & {dotted(leaf[:n]) for n in range(1, len(leaf) + 1)}:
            continue
        less = copy.deepcopy(pipelines)
        for each in less.values():
            table = each
            for key in leaf[2:-1]:
                table = table[key]
            del table[leaf[-1]]
        assert tomli.loads(convert(**less).text) != values, dotted(leaf)


@pytest.mark.parametrize("transform", [*evaluation.KNOWN, "OfMyOwn", "LoadHFDataset"])
@pytest.mark.parametrize("value", ["marked", 7, True, None, ["marked"], {"marked": "text"}])
def test_experiment_38_a_key_of_any_type_is_carried_or_listed(transform: str, value: Any) -> None:
    """Whatever stands in a node, under names that are known and under others."""
    names = ("ref_field", "keep_top_n", "base_dir", "special_tokens_to_remove", "other")
    for table in ("", "setup_kwargs"):
        for key in (*names, "cache", "input_node", "setup_kwargs"):
            below = {key: copy.deepcopy(value)}
            node = {"transform_name": transform, **({table: below} if table else below)}
            done = convert(pipeline_config=graph(input_Get=GET, process_Node=node))
            listed = {item.key for item in done.dropped}
            for leaf in done.ledger.leaves():
                above = {dotted(leaf[:n]) for n in range(1, len(leaf) + 1)}
                assert (leaf in done.ledger.carried) != bool(above & listed), dotted(leaf)


def test_experiment_38_the_same_pipeline_after_validations_makes_no_second_nodes() -> None:
    """Its nodes are named in `validation`; they have one definition."""
    found = evaluate(pipeline_config=whole(), valid_eval_pipeline_config=whole())

    assert found["validation"] == ["BLEU", "Other", "Merge"]
    assert list(found["nodes"]) == ["BLEU", "Other", "Merge"]


def test_experiment_38_another_pipeline_after_validations_has_nodes_of_its_own() -> None:
    """What differs gets a name of its own, and so does what hangs on it."""
    other = whole()
    other["transforms"]["process:BLEU"]["setup_kwargs"]["ref_field"] = "title"

    found = evaluate(pipeline_config=whole(), valid_eval_pipeline_config=other)

    assert found["validation"] == ["BLEU-valid", "Other", "Merge-valid"]
    assert found["nodes"]["BLEU-valid"]["reference"] == "title"
    assert found["nodes"]["Merge-valid"]["inputs"] == ["BLEU-valid", "Other"]


def test_experiment_38_first_rows_of_a_recorder_are_selected() -> None:
    """`keep_top_n` kept the first rows of a test; a validation's recorder was not cut."""
    first = graph(input_Get={**GET, "setup_kwargs": {"keep_top_n": 9}}, process_BLEU=BLEU)

    found = evaluate(pipeline_config=first, valid_eval_pipeline_config=first)

    assert found["nodes"]["Get"] == {"use": "select", "inputs": ["predictions"], "first": 9}
    assert found["nodes"]["BLEU"]["inputs"] == ["Get"]
    assert found["nodes"]["BLEU-valid"]["inputs"] == ["predictions"]
    assert found["validation"] == ["BLEU-valid"]


def test_experiment_38_a_merge_of_one_needs_no_node() -> None:
    """It only saved what is saved anyway; what takes it takes its input."""
    merge = {"transform_name": "MergeAllEvalRecorderAndSave", "input_node": ["process:BLEU"]}
    after = {**BLEU, "input_node": "output:Merge"}

    found = evaluate(
        pipeline_config=graph(
            input_Get=GET, process_BLEU=BLEU, output_Merge=merge, output_After=after
        )
    )

    assert list(found["nodes"]) == ["BLEU", "After"]
    assert found["nodes"]["After"]["inputs"] == ["BLEU"]


def test_experiment_38_an_evaluation_of_ones_own_is_left_as_a_comment() -> None:
    """The recipe can be run without it, and says what to add."""
    done = convert(pipeline_config=whole())

    assert "Own" not in tomli.loads(done.text)["evaluate"]["nodes"]
    assert (
        '# [evaluate.nodes.Own]\n# use = "evaluate-length"\n# inputs = ["predictions"]' in done.text
    )
    assert any("in place of EvaluateLength" in warning for warning in done.warnings)
    assert any("'process:Own', which is not carried" in warning for warning in done.warnings)


def test_experiment_38_a_recorder_of_elsewhere_is_told() -> None:
    """Another run's predictions have a name in mlrecipe, which only the person knows."""
    get = {**GET, "setup_kwargs": {"base_dir": "experiments/old", "keep_top_n": None}}

    done = convert(pipeline_config=graph(input_Get=get))

    why = next(item.why for item in done.dropped if item.key.endswith("base_dir"))
    assert 'inputs = ["run:ID"]' in why
    assert any("read a recorder of its own" in warning for warning in done.warnings)


def test_experiment_38_two_inputs_of_bleu_become_one() -> None:
    """The docstring of runway wired two, its code took one."""
    load = {"transform_name": "LoadHFDataset", "setup_kwargs": {"dataset_name": "x"}}
    two = {**BLEU, "input_node": ["input:References", "input:Get"]}
    pipeline = graph(input_References=load, input_Get=GET, process_BLEU=two)

    assert evaluate(pipeline_config=pipeline)["nodes"]["BLEU"]["inputs"] == ["predictions"]
    assert "takes one input" in whys(pipeline_config=pipeline)[at("process:BLEU", "input_node")]
    assert "[nodes]" in whys(pipeline_config=pipeline)[at("input:References")]


def test_experiment_38_names_that_mean_something_else_are_not_taken() -> None:
    """An evaluation node may not be called like a metric, a node or an input."""
    found = evaluate(
        pipeline_config=graph(input_Get=GET, process_accuracy=BLEU, process_predictions=BLEU)
    )

    assert list(found["nodes"]) == ["accuracy-2", "predictions-2"]


def test_experiment_38_inputs_that_are_not_there_are_told() -> None:
    """A node of nothing, and one of itself, are left out."""
    lost = {**BLEU, "input_node": "process:Nowhere"}
    circle = {**BLEU, "input_node": "process:Circle"}

    done = convert(pipeline_config=graph(process_Lost=lost, process_Circle=circle))

    assert "evaluate" not in tomli.loads(done.text)
    assert any("'process:Nowhere', which is no node" in warning for warning in done.warnings)
    assert any("'process:Circle', which is itself" in warning for warning in done.warnings)


def test_experiment_38_a_pipeline_that_never_ran_is_dead() -> None:
    """`test_eval_pipeline_config` was built, and that was all."""
    found = whys(test_eval_pipeline_config=whole())

    assert found["eval.test_eval_pipeline_config"].startswith(DEAD)


def test_experiment_38_imported_evaluation_nodes_pass_check(work) -> None:
    """Their ops, parameters and inputs are what mlrecipe knows."""
    work.write("imported.toml", convert(pipeline_config=whole()).text)

    found = work.run("check", "imported.toml")

    assert found.code == 0, found.err
