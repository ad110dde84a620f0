"""The Python code that loads a trained model without mlrecipe, as its card shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_AUTO = "from transformers import AutoModelForSequenceClassification, AutoTokenizer"


def pipeline(model: str, *, is_pair: bool, max_length: int | None) -> str:
    """A pipeline, and a call of it; `is_pair`: a row has two texts."""
    given = '{"text": "…", "text_pair": "…"}' if is_pair else '"…"'
    cut = f", truncation=True, max_length={max_length}" if max_length else ""
    return (
        "from transformers import pipeline\n\n"
        f'classify = pipeline("text-classification", model="{model}")\n'
        f"classify({given}{cut})"
    )


def several(
    model: str, outputs: Mapping[str, Sequence[str]], *, is_pair: bool, max_length: int | None
) -> str:
    """Network and tokenizer, and the probabilities of each output's labels, which stand side by side."""
    texts = '"…", "…"' if is_pair else '"…"'
    cut = f", truncation=True, max_length={max_length}" if max_length else ""
    names = {output: list(labels) for output, labels in outputs.items()}
    return (
        f"{_AUTO}\n\n"
        f'model = AutoModelForSequenceClassification.from_pretrained("{model}")\n'
        f'tokenizer = AutoTokenizer.from_pretrained("{model}")\n'
        f"labels = {names!r}\n\n"
        f'logits = model(**tokenizer({texts}, return_tensors="pt"{cut})).logits[0]\n'
        "parts = logits.split([len(names) for names in labels.values()])\n"
        "found = {\n"
        "    output: dict(zip(names, part.softmax(0).tolist()))\n"
        "    for (output, names), part in zip(labels.items(), parts)\n"
        "}"
    )


def with_peft(model: str) -> str:
    """The network, into which PEFT puts the adapter, and the tokenizer."""
    return (
        "from peft import PeftModel\n"
        f"{_AUTO}\n\n"
        f'base = AutoModelForSequenceClassification.from_pretrained("{model}/base")\n'
        f'model = PeftModel.from_pretrained(base, "{model}/adapter")\n'
        f'tokenizer = AutoTokenizer.from_pretrained("{model}")'
    )
