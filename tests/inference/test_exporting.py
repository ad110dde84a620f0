"""Exported models: what the folder holds, what loads it, and when nothing is written."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from mlrecipe.cli.app import run as command
from mlrecipe.errors import RequestError, TrainingError
from mlrecipe.inference.exporting.model import export
from mlrecipe.runs import run as running
from mlrecipe.runs.results import recipe_of
from mlrecipe.runs.run import Run
from mlrecipe.scaffold.project import create

pytestmark = [
    pytest.mark.heavy,
    # PEFT asks transformers in a way that the newest one deprecates.
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning"),
]

QUICK = ("--set", "limit=60", "--set", "train.epochs=1", "--json")


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """The folder as the current one."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def trained(folder: Path, *settings: str, verb: str = "train") -> Run:
    """The newest train run of the demo in a folder, after another one with these settings."""
    with inside(folder):
        assert command([verb, "demo.toml", *QUICK, *settings]) == 0
    return next(run for run in running.every(folder) if run.facts["stage"] == "train")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A train run of the demo, tested; read only."""
    folder = tmp_path_factory.mktemp("demo")
    create(folder)
    return trained(folder, verb="run")


LOAD = """
import json, sys
sys.modules["mlrecipe"] = None  # whoever imports it fails
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

{code}
classified = classify("a good film")
model = AutoModelForSequenceClassification.from_pretrained(".")
tokens = AutoTokenizer.from_pretrained(".")("a good film", return_tensors="pt")
logits = model.eval()(**tokens).logits[0].tolist()
print(json.dumps([classified, logits, model.config.id2label, model.config.problem_type]))
"""


def test_glue_34_the_folder_loads_with_plain_transformers(demo: Run, tmp_path: Path) -> None:
    """A process that cannot import mlrecipe gets the run's own answers, by the code of the card."""
    import torch

    from mlrecipe.builtin.models.transformer import Transformer

    folder = export(demo, tmp_path / "model").folder
    code = (folder / "README.md").read_text().split("```python\n")[1].split("```")[0]
    code = "\n".join(code.splitlines()[:-1])  # its last line calls it with a text of dots
    done = subprocess.run(
        [sys.executable, "-c", LOAD.format(code=code)], cwd=folder, capture_output=True, text=True,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"}, check=False, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr

    [[classified], logits, names, kind] = json.loads(done.stdout)
    checkpoint = demo.checkpoint("best")
    network = Transformer(config=str(checkpoint / "config.json")).load(checkpoint).eval()
    from transformers import AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(checkpoint)("a good film", return_tensors="pt")
    ours = network(**tokens).logits[0].detach()
    assert torch.allclose(ours, torch.tensor(logits), atol=1e-6)
    assert (names, kind) == ({"0": "negative", "1": "positive"}, "single_label_classification")
    assert classified["label"] == names[str(int(ours.argmax()))]
    assert classified["score"] == pytest.approx(float(ours.softmax(0).max()), abs=1e-6)


def test_the_folder_has_weights_card_recipe_and_metrics(demo: Run, tmp_path: Path) -> None:
    """And nothing that is mlrecipe's alone; the weights are the checkpoint's, byte by byte.

    The tokenizer cuts rows at the recipe's own length.
    """
    from transformers import AutoTokenizer

    done = export(demo, tmp_path / "model", license_name="mit")

    assert done.is_plain
    assert set(done.files) == {
        "README.md", "config.json", "metrics.json", "mlrecipe.json", "model.safetensors", "recipe.toml",
        "tokenizer.json", "tokenizer_config.json",
    }  # fmt: skip
    best = demo.checkpoint("best")
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        assert (done.folder / name).read_bytes() == (best / name).read_bytes()
    recipe = demo.folder / "recipe.resolved.toml"
    assert (done.folder / "recipe.toml").read_text() == recipe.read_text()
    text = "word " * 200
    tokens = AutoTokenizer.from_pretrained(done.folder)(text, truncation=True)["input_ids"]
    length = recipe_of(demo)["nodes"]["tokens"]["max_length"]
    assert len(tokens) == length < len(AutoTokenizer.from_pretrained(best)(text)["input_ids"])
    assert f"cut each row to {length} tokens" in (done.folder / "README.md").read_text()
    told = json.loads((done.folder / "metrics.json").read_text())
    assert [result["split"] for result in told["results"]] == ["valid", "test"]
    assert ModelCard.load(done.folder / "README.md").data.license == "mit"


def test_the_card_gives_the_hub_each_metric_of_each_split(demo: Run, tmp_path: Path) -> None:
    """As the runs' own files have them, the checkpoint's validation and its newest test."""
    data = ModelCard.load(export(demo, tmp_path / "model").folder / "README.md").data

    found = {(r.dataset_split, r.metric_name): r.metric_value for r in data.eval_results or []}
    test = next(
        run for run in running.every(demo.folder.parents[1]) if run.facts["stage"] == "test"
    )
    valid, tested = (json.loads((r.folder / "metrics.json").read_text()) for r in (demo, test))
    assert found == {
        (split, name): metrics[f"{split}/{name}"]
        for split, metrics in (("valid", valid), ("test", tested)) for name in ("accuracy", "f1")
    }  # fmt: skip
    assert (data.library_name, data.pipeline_tag) == ("transformers", "text-classification")
    assert (data.license, data.base_model) == (None, None)


def test_the_card_says_what_the_model_was_made_from(demo: Run, tmp_path: Path) -> None:
    """Digests of the nodes and of the files they read, recipe, versions."""
    text = (export(demo, tmp_path / "model").folder / "README.md").read_text()

    inputs = json.loads((demo.folder / "inputs.json").read_text())
    for node in inputs.values():
        assert node["digest"] in text
        assert node["fingerprint"] in text
        assert all(digest in text for files in node["files"].values() for _, digest in files)
    assert (demo.folder / "recipe.resolved.toml").read_text().strip() in text
    versions = json.loads((demo.folder / "env.json").read_text())["libraries"]
    assert f"torch: {versions['torch']}" in text


def test_a_folder_that_holds_something_is_replaced_whole_or_left_alone(
    demo: Run, tmp_path: Path
) -> None:
    """Without `force` nothing changes; with it nothing of what was there is left."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")

    with pytest.raises(RequestError, match="is not empty"):
        export(demo, folder)
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]

    export(demo, folder, force=True)
    assert not (folder / "mine.txt").exists()
    assert (folder / "model.safetensors").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("place", [".", "runs", "runs/mine", ".mlrecipe/store"])
def test_a_folder_of_the_project_itself_is_never_replaced(demo: Run, place: str) -> None:
    """Whatever `force` says: runs and store are in it."""
    before = sorted(demo.folder.parents[1].iterdir())

    with pytest.raises(RequestError, match="holds more than a model"):
        export(demo, demo.folder.parents[1] / place, force=True)

    assert sorted(demo.folder.parents[1].iterdir()) == before


def test_glue_35_a_training_that_was_never_tested_has_its_card(tmp_path: Path) -> None:
    """Beside its checkpoints, which it says how to load."""
    create(tmp_path)
    run = trained(tmp_path)

    card = (run.folder / "model-card.md").read_text()
    assert f"| valid | `accuracy` | {run_metrics(run)['valid/accuracy']:.4f} | 6 |" in card
    assert 'model="checkpoints/best"' in card


def run_metrics(run: Run) -> dict[str, float]:
    """What `metrics.json` says."""
    found: dict[str, float] = json.loads((run.folder / "metrics.json").read_text())
    return found


def test_a_damaged_checkpoint_is_not_exported(tmp_path: Path) -> None:
    """Its files are held against their digests first."""
    create(tmp_path)
    run = trained(tmp_path)
    (run.checkpoint("best") / "tokenizer.json").write_text("{}")

    with pytest.raises(TrainingError, match=r"damaged: tokenizer\.json"):
        export(run, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_another_checkpoint_has_its_own_metrics(demo: Run, tmp_path: Path) -> None:
    """A test of the best one says nothing of the last."""
    folder = export(demo, tmp_path / "model", checkpoint="last").folder

    told = json.loads((folder / "metrics.json").read_text())
    assert (told["checkpoint"], [result["split"] for result in told["results"]]) == (
        "last",
        ["valid"],
    )


ADAPTERS = {
    "lora": '{ method = "lora", r = 2, target_modules = ["query", "value"] }',
    "prompt": '{ method = "prompt-tuning", num_virtual_tokens = 2 }',
}


@pytest.mark.parametrize("kind", ADAPTERS)
def test_an_adapter_is_merged_where_it_can_be_and_else_beside(
    demo: Run, kind: str, tmp_path: Path
) -> None:
    """The card's own code loads it either way."""
    pytest.importorskip("peft")
    create(tmp_path / "project")
    base = f"model.checkpoint={demo.checkpoint('best')}"
    adapter = f"model.peft={ADAPTERS[kind]}"
    run = trained(tmp_path / "project", "--unset", "model.config", "--set", base, "--set", adapter)

    done = export(run, tmp_path / "model")

    assert (done.folder / "adapter" / "adapter_model.safetensors").is_file()
    assert done.is_plain == (kind == "lora")
    code = (done.folder / "README.md").read_text().split("```python\n")[1].split("```")[0]
    made: dict[str, object] = {}
    with inside(done.folder):
        exec(code.replace('classify("…"', 'found = classify("a film"'), made)
    assert ("model" in made) == (kind == "prompt")
    assert ("found" in made) == (kind == "lora")


OUTPUTS = """
name = "two"
[nodes.rows]
use = "load-files"
train = "rows.csv"
[nodes.tokens]
use = "tokenize"
inputs = ["rows"]
tokenizer = "{base}"
max_length = 16
[model]
use = "transformer"
checkpoint = "{base}"
new_head = true
[task]
use = "multi-output-classification"
outputs = ["intent", "topic"]
[train]
data = "tokens"
epochs = 1
valid_split = ""
monitor = "train/loss"
"""


def test_the_card_of_several_outputs_has_code_that_tells_them_apart(
    demo: Run, tmp_path: Path
) -> None:
    """Each output's probabilities are of its own labels, and sum to one."""
    (tmp_path / ".mlrecipe").mkdir()
    (tmp_path / "two.toml").write_text(OUTPUTS.format(base=demo.checkpoint("best")))
    lines = ["buy art,buy,art", "sell food,sell,food", "ask art,ask,art"] * 4
    (tmp_path / "rows.csv").write_text("\n".join(["text,intent,topic", *lines, ""]))
    with inside(tmp_path):
        assert command(["train", "two.toml", "--json"]) == 0
    (run,) = running.every(tmp_path)

    folder = export(run, tmp_path / "model").folder

    code = (folder / "README.md").read_text().split("```python\n")[1].split("```")[0]
    made: dict[str, dict[str, dict[str, float]]] = {}
    with inside(folder):
        exec(code, made)
    labels = {output: set(names) for output, names in made["found"].items()}
    assert labels == {"intent": {"ask", "buy", "sell"}, "topic": {"art", "food"}}
    assert all(sum(of.values()) == pytest.approx(1) for of in made["found"].values())
