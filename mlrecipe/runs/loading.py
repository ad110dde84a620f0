"""How a trained model is loaded: the code for it, in a section of its card."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlrecipe.runs import snippets
from mlrecipe.runs.results import Story

_OF_WORDS = ("token_classification", "intent_and_slots")
_TOKENIZE = ("tokenize", "tokenize-words")


def kind_of(checkpoint: Path) -> str | None:
    """What loads a folder: `transformers`, or `mlrecipe` for a model of its own; None: only its project."""
    file = next(
        (f for place in (".", "base") if (f := checkpoint / place / "config.json").is_file()), None
    )
    if file is None:
        return None
    try:
        kind = json.loads(file.read_text(encoding="utf-8"))["model_type"]
    except (OSError, ValueError, KeyError, TypeError):
        return "transformers"
    return "mlrecipe" if str(kind).startswith("mlrecipe-") else "transformers"


def auto_class(folder: Path) -> str:
    """The class of transformers that loads a folder, by the networks that its configuration names."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        config = {}
    names = [str(name) for name in config.get("architectures") or ()]
    kind = "Token" if any(name.endswith("ForTokenClassification") for name in names) else "Sequence"
    return f"AutoModelFor{kind}Classification"


def library(told: Story) -> str | None:
    """What loads the checkpoint, as `kind_of` has it."""
    return kind_of(_folder(told))


def is_of_words(told: Story) -> bool:
    """Whether the model tags words."""
    return told.record.get("head", {}).get("problem_type") in _OF_WORDS


def max_length(told: Story) -> int | None:
    """How many tokens of a row the recipe kept, or gave the model at once; None: it does not say."""
    found = _tokenize(told).get("max_length")
    return found if isinstance(found, int) else None


def section(told: Story, model: str) -> str:
    """The section's text; `model` is where the files lie, as seen from the card."""
    kind = library(told)
    if kind == "mlrecipe":
        return f"mlrecipe itself loads it:\n\n{_with_mlrecipe(told, model)}"
    if kind is None:
        command = f"mlrecipe test {told.run.facts.get('recipe')} --run {told.run.id}"
        return f"The module is the project's own: `{command}` loads it."
    if (_folder(told) / "base").is_dir():
        said = "Its adapter cannot be merged into the weights:\n\n"
        code = snippets.with_peft(model, of_words=is_of_words(told))
        return said + fenced(code, "python")
    if is_of_words(told):
        return _loading_of_words(told, model)
    tokenize = _tokenize(told)
    is_pair, length = bool(tokenize.get("text_pair")), max_length(told)
    outputs = told.record.get("head", {}).get("outputs")
    if outputs:
        code = snippets.several(model, outputs, is_pair=is_pair, max_length=length)
    else:
        code = snippets.pipeline(model, is_pair=is_pair, max_length=length)
    said = fenced(code, "python")
    if length:
        said += (
            f"\n\nThe recipe cut each row to {length:,} tokens. The tokenizer of an exported folder has that "
            "as its `model_max_length`, so that `truncation=True` alone cuts there too."
        )
    return said


def fenced(body: str, language: str) -> str:
    """The body as code, in a fence longer than any within."""
    if not body:
        return ""
    longest = max((len(run) for run in re.findall("`+", body)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{body}\n{fence}"


def node(told: Story, name: str) -> Mapping[str, Any]:
    """A node of the run's recipe; empty where it has none of that name."""
    found = told.recipe.get("nodes", {}).get(name, {})
    return found if isinstance(found, dict) else {}


def _loading_of_words(told: Story, model: str) -> str:
    head = told.record.get("head", {})
    outputs, splitting = head.get("outputs") or {}, head.get("splitting")
    pooling = str(told.recipe.get("task", {}).get("pooling", "first"))
    if outputs or splitting == "whitespace":
        code = snippets.tags(model, outputs=outputs)
    else:
        code = snippets.spans(model, pooling=pooling)
    said = [fenced(code, "python")]
    if head.get("decoding") in ("crf", "viterbi"):
        said.append(
            "That decides for each word by itself. The model was made to decide for all words of a text "
            "at once, by the transitions between tags, which mlrecipe alone does:"
        )
    else:
        said.append(
            "With mlrecipe there is no limit to a text, and spans come with their characters:"
        )
    return "\n\n".join([*said, _with_mlrecipe(told, model)])


def _with_mlrecipe(told: Story, model: str) -> str:
    """The code; a checkpoint within a run is loaded by its run."""
    is_within = model.startswith("checkpoints/")
    return fenced(snippets.with_mlrecipe(f"runs/{told.run.id}" if is_within else model), "python")


def _folder(told: Story) -> Path:
    return told.run.folder / "checkpoints" / told.checkpoint


def _tokenize(told: Story) -> Mapping[str, Any]:
    names = [n for n in told.inputs if node(told, n).get("use") in _TOKENIZE]
    return node(told, names[-1]) if names else {}
