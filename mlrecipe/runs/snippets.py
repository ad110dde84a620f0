"""The Python code that loads a trained model without mlrecipe, as its card shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_OF_TEXTS, _OF_WORDS = "AutoModelForSequenceClassification", "AutoModelForTokenClassification"
_AUTO = f"from transformers import {_OF_TEXTS}, AutoTokenizer"


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


def spans(model: str, *, pooling: str) -> str:
    """A pipeline that finds words and spans in a text by itself, and a call of it."""
    strategy = "first" if pooling == "first" else "average"
    return (
        "from transformers import pipeline\n\n"
        f'tag = pipeline("token-classification", model="{model}", aggregation_strategy="{strategy}")\n'
        'tag("…")'
    )


def tags(model: str, *, outputs: Mapping[str, Sequence[str]]) -> str:
    """The tag of each word, read at its first piece; of intent and slots the intent, too."""
    auto = _AUTO.replace(_OF_TEXTS, _OF_WORDS)
    names = {output: list(labels) for output, labels in outputs.items()}
    lines = [
        f"{auto}\n",
        f'model = {_OF_WORDS}.from_pretrained("{model}")',
        f'tokenizer = AutoTokenizer.from_pretrained("{model}")\n',
        'words = "… …".split()',
        'inputs = tokenizer(words, is_split_into_words=True, return_tensors="pt")',
        "logits = model(**inputs).logits[0]",
    ]
    if names:
        (intent, intents), (slots, _) = names.items()
        count = len(intents)
        lines += [
            f"labels = {names!r}",
            f"intent = labels[{intent!r}][int(logits[0, :{count}].argmax())]",
            f"names, logits = labels[{slots!r}], logits[:, {count}:]",
        ]
    else:
        lines.append("names = model.config.id2label")
    lines += [
        "firsts = [inputs.word_ids().index(number) for number in range(len(words))]",
        "tags = [names[int(place)] for place in logits[firsts].argmax(-1)]",
    ]
    return "\n".join(lines)


def with_mlrecipe(model: str) -> str:
    """A predictor of mlrecipe, and a call of it."""
    return f'import mlrecipe\n\npredictor = mlrecipe.load("{model}")\npredictor.predict("…")'


def with_peft(model: str, *, of_words: bool = False) -> str:
    """The network, into which PEFT puts the adapter, and the tokenizer."""
    kind = _OF_WORDS if of_words else _OF_TEXTS
    return (
        "from peft import PeftModel\n"
        f"{_AUTO.replace(_OF_TEXTS, kind)}\n\n"
        f'base = {kind}.from_pretrained("{model}/base")\n'
        f'model = PeftModel.from_pretrained(base, "{model}/adapter")\n'
        f'tokenizer = AutoTokenizer.from_pretrained("{model}")'
    )
