"""The text of a recipe for words with tags: one that runs as it stands and says why it is as it is."""

from __future__ import annotations

from mlrecipe.scaffold.recipe import reading
from mlrecipe.scaffold.sequences import Sequences
from mlrecipe.scaffold.writing import remark, section, toml
from mlrecipe.tagging.layouts import TAGS, WORDS

PRETRAINED = "distilbert-base-cased"
"""The checkpoint that a variant proposes."""

_SEED = 42


def from_sequences(found: Sequences, *, name: str, file: str | None = None) -> str:
    """A recipe that learns the tags of a file's words, each choice with its reason.

    Args:
        found: what `look` found.
        name: name of the experiment.
        file: the file's path from the recipe's folder; by default its name alone.
    """
    sections = [
        _head(found, name),
        _load(found, file or found.path.name),
        _SPLITS,
        _TOKENS,
        _FACTS,
        _MODEL,
        _task(found),
        _train(found),
        _TEST,
        _pretrained(),
    ]
    return "\n".join(sections)


def _head(found: Sequences, name: str) -> str:
    intro = (
        f"Tags words ({_listed(found.labels)}), learned from {found.rows:,} rows with {found.count:,} words of"
        f" {found.path.name}. `mlrecipe new` looked at that file and wrote this recipe; it runs as it stands,"
        " offline and on a CPU. Each choice has its reason beside it: change what is wrong."
    )
    return remark(intro) + f"\nname = {toml(name)}\nseed = {_SEED}\n"


def _load(found: Sequences, file: str) -> str:
    keys: dict[str, object] = {"use": found.op, "train": file}
    if found.op == "load-tokens" and (found.words, found.tags) != (WORDS, TAGS):
        keys |= {"tokens": found.words, "tags": found.tags}
    if found.columns is not None:
        keys["columns"] = dict(found.columns)
    if found.layout is not None:
        keys |= reading(found.path, found.layout)
    elif found.encoding != "utf-8":
        keys["encoding"] = found.encoding
    reasons = [f"The file: {found.reason}."]
    if found.scheme == "IOB1":
        keys |= {"scheme": "IOB1", "to": "IOB2"}
        reasons.append(
            "Its tags mark spans as IOB1 does, `B-` only between two of one type; as IOB2 each span begins with"
            " `B-`, which is learned more easily, and is the same spans."
        )
    return remark(*reasons) + section("nodes.rows", keys)


_SPLITS = remark(
    "The file is one heap of rows: a fifth is kept for the test, and a tenth to judge the model while it"
    " learns. With files of their own for these, name them beside `train` as `valid` and `test`, and let"
    " [nodes.tokens] take 'rows'."
) + section(
    "nodes.split", {"use": "split", "inputs": ["rows"], "sizes": {"valid": 0.1, "test": 0.2}}
)

_TOKENS = remark(
    "Words as they are written, letter by letter, for a network that needs no vocabulary."
) + section("nodes.tokens", {"use": "tokenize-words", "inputs": ["split"]})

_FACTS = remark(
    "What went into training: counts of tags, lengths, rows that two splits share."
) + section("nodes.facts", {"use": "statistics", "inputs": ["tokens"]})

_MODEL = remark(
    "A small network that starts from random weights and learns on a CPU. For better results start from a"
    " pretrained encoder: `--pick model=pretrained`, see the end."
) + section("model", {"use": "word-char-bilstm"})


def _task(found: Sequences) -> str:
    is_plain = found.scheme == "plain"
    how = "each word has a plain tag" if is_plain else f"tags mark spans as {found.scheme} does"
    if found.scheme == "IOB1":
        how = "tags mark spans as IOB2 does (the counts are those of the file)"
    most = sorted(found.tag_counts.items(), key=lambda item: -item[1])[:12]
    more = ", …" if len(found.tag_counts) > len(most) else ""
    counts = ", ".join(f"{tag} {count:,}" for tag, count in most)
    metrics = ["accuracy", "f1-macro"] if is_plain else ["span-f1", "accuracy"]
    if is_plain and not _is_every_word_alone(found):
        metrics.append("span-f1")
    reason = f"The tags: {how}. Words of each: {counts}{more}."
    return remark(reason) + section(
        "task", {"use": "token-classification", "tags": TAGS, "metrics": metrics}
    )


def _is_every_word_alone(found: Sequences) -> bool:
    """Whether runs of one tag mean nothing, as with parts of speech."""
    return found.runs > 0.6 * found.count


def _train(found: Sequences) -> str:
    epochs = next((n for most, n in ((500, 30), (2_000, 20), (20_000, 10)) if found.rows < most), 4)
    size = 16 if found.rows < 2_000 else 32
    monitor = "valid/accuracy" if found.scheme == "plain" else "valid/span-f1"
    steps = max(1, round(found.rows * 0.7 / size)) * epochs
    comment = remark(
        f"{found.rows:,} rows make about {steps:,} steps of {size} rows in {epochs} epochs. The best epoch by"
        f" {monitor} is kept."
    )
    keys = {"data": "tokens", "epochs": epochs, "batch_size": size, "monitor": monitor}
    return comment + section("train", keys) + 'optimizer = { use = "AdamW", lr = 2e-3 }\n'


_TEST = section("test", {"split": "test"})


def _pretrained() -> str:
    comment = remark(
        "`mlrecipe run … --pick model=pretrained`: an encoder of the Hugging Face hub, or a folder, in place of"
        " the small network. It reads pieces of words, and learns best slowly."
    )
    return (
        comment
        + "[variant.model.pretrained]\n"
        + 'nodes.tokens.tokenizer = "${model.checkpoint}"\n'
        + "train.epochs           = 3\n"
        + "train.optimizer.lr     = 5e-5\n\n"
        + "[variant.model.pretrained.model]\n"
        + f'use        = "transformer"\ncheckpoint = {toml(PRETRAINED)}\n'
    )


def _listed(labels: list[str]) -> str:
    more = f" and {len(labels) - 8} more" if len(labels) > 8 else ""
    return ", ".join(labels[:8]) + more
