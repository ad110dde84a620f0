"""The op `tokenize` gives what AutoTokenizer gives, and says what is wrong with its data."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlrecipe import DataError
from mlrecipe.events import Event, Note, Progress, listening

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.filterwarnings("ignore:This sequence already has"),  # by the byte tokenizer
]

CORPUS = [
    "the film was a delight, and the actors were superb; nobody left early.",
    "a dull, over-long movie: i've seen better plots in adverts (really!).",
    "it cost 1,250 dollars and 30 cents to watch; the ending isn't worth it.",
    "unbelievable storytelling, naïve café scenes, über-cool music 電影 很 好看",
    "zebra quartz jumps swiftly over lazy foxes while drummers keep time",
] * 20

PIECES = [
    *"the film was a delight, and superb; nobody isn't quartz zebra movie 1,250".split(),
    "café", "cafe\u0301", "\u0301", "\u0301x", "e\u0301\u0327", "İstanbul", "ΣΑΣ", "ß", "ﬁne",
    "電影很好看", "한국어", "日本語です", "a" * 300, "word-" * 60, "\u0000", "\ufffd", "\u200b",
    "\u00ad", "\u00a0", "x\u00a0y", "\u3000", "\t", "\n", "\r\n", "a\tb\nc", "\u2028", "", "", " ",
    "🙂", "👩\u200d👩\u200d👧",
    "[SEP]", "[CLS]x", "x[MASK]y", "[UNK]", "<s>", "</s>", "<br", "/>", "...", "!?!",
    "'s", "\x07", "newtoken", "xnewtoken", "NewToken",
]  # fmt: skip


def random_texts(count: int, seed: int) -> list[str]:
    """Texts of pieces that are hard on whoever cuts at spaces, from empty to long ones."""
    rng = random.Random(seed)
    return ["".join(_random_pieces(rng)) for _ in range(count)]


def _random_pieces(rng: random.Random) -> Iterator[str]:
    some = rng.choices(PIECES, k=rng.randint(1, 12)) if rng.random() < 0.5 else PIECES
    for _ in range(rng.choice([0, 1, 5, 14, 15, 16, 17, 40, 120])):
        yield rng.choice(some)
        yield rng.choice([" ", " ", " ", " ", "  ", "   ", "", "\n", "\t "])
        if rng.random() < 0.05:
            yield chr(rng.choice([rng.randint(0, 0x2FF), rng.randint(0x300, 0xD7FF)]))


def _save(tokenizer: Any, folder: Path, **special: str) -> str:
    from transformers import PreTrainedTokenizerFast

    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    return str(folder)


def _wordpiece(folder: Path, *, lowercase: bool = True) -> str:
    from tokenizers import (
        AddedToken,
        Tokenizer,
        models,
        normalizers,
        pre_tokenizers,
        processors,
        trainers,
    )

    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(
        CORPUS, trainers.WordPieceTrainer(vocab_size=400, special_tokens=names, show_progress=False)
    )
    tokenizer.add_tokens([AddedToken("newtoken", single_word=True)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]"}
    return _save(tokenizer, folder, sep_token="[SEP]", mask_token="[MASK]", **special)


def _bert(folder: Path) -> str:
    """A tokenizer of transformers' own class, which builds its pipeline from its settings."""
    from transformers import BertTokenizer

    _wordpiece(folder / "trained")
    vocab = _vocab(folder / "trained")
    BertTokenizer(vocab=vocab, do_lower_case=True).save_pretrained(folder / "bert")
    return str(folder / "bert")


def _vocab(folder: Path) -> dict[str, int]:
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()


def _bytes(folder: Path) -> str:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

    names = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=names,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return _save(tokenizer, folder, bos_token="<s>", eos_token="</s>", pad_token="<pad>")


def _unigram(folder: Path) -> str:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=200, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>",
        show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
    )
    return _save(tokenizer, folder, eos_token="</s>", pad_token="<pad>", unk_token="<unk>")


def _words(folder: Path) -> str:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=True)]
    )
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=["[UNK]"], show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    return _save(tokenizer, folder, unk_token="[UNK]")


def _python(folder: Path) -> str:
    from transformers import ByT5Tokenizer

    ByT5Tokenizer().save_pretrained(folder)
    return str(folder)


KINDS = {
    "wordpiece": _wordpiece,
    "cased": lambda folder: _wordpiece(folder, lowercase=False),
    "bert": _bert,
    "bytes": _bytes,
    "unigram": _unigram,
    "words": _words,
    "python": _python,
}
BY_WORDS = {"wordpiece", "cased", "bert", "words"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A saved tokenizer of each kind."""
    return {name: make(tmp_path_factory.mktemp(name)) for name, make in KINDS.items()}


def run(tmp_path: Path, data: Any, **parameters: Any) -> Any:
    """The op's output, in a scratch folder of its own."""
    from mlrecipe.builtin.ops.tokenize import tokenize

    scratch = tmp_path / f"scratch-{len(list(tmp_path.iterdir()))}"
    scratch.mkdir()
    return tokenize(data, scratch=scratch, **parameters)


def texts_of(*texts: str, **columns: Any) -> Any:
    """A data set with a column of texts."""
    from datasets import Dataset

    return Dataset.from_dict({"text": list(texts), **columns})


def expected(folder: str, texts: list[str], max_length: int) -> tuple[list[list[int]], list[bool]]:
    """Ids by AutoTokenizer, and whether each text is longer than that."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(texts, truncation=True, max_length=max_length)["input_ids"]
    full = tokenizer(texts, verbose=False)["input_ids"]
    return ids, [len(row) > max_length for row in full]


@pytest.mark.parametrize("max_length", [4, 16, 17, 64])
@pytest.mark.parametrize("kind", KINDS)
def test_gives_the_ids_of_autotokenizer(
    folders: dict[str, str], tmp_path: Path, kind: str, max_length: int
) -> None:
    """Whatever the tokenizer and the text, ids and `truncated` are those of AutoTokenizer."""
    texts = random_texts(300, seed=max_length) + CORPUS[:5]

    done = run(
        tmp_path, texts_of(*texts), tokenizer=folders[kind], max_length=max_length, batch_rows=64
    )

    ids, truncated = expected(folders[kind], texts, max_length)
    assert done["input_ids"][:] == ids
    assert done["truncated"][:] == truncated


@pytest.mark.parametrize("kind", KINDS)
def test_takes_the_way_by_words_only_where_it_is_exact(folders: dict[str, str], kind: str) -> None:
    """Tokenizers that split at white space are encoded by words, all others row by row."""
    from transformers import AutoTokenizer

    from mlrecipe.builtin.ops._words import make_words

    tokenizer = AutoTokenizer.from_pretrained(folders[kind])
    if not tokenizer.is_fast:
        pytest.skip("has no Rust tokenizer")
    tokenizer("", truncation=True, max_length=16)

    assert (make_words(tokenizer.backend_tokenizer, 16) is not None) == (kind in BY_WORDS)


@pytest.mark.long
@pytest.mark.parametrize("kind", sorted(BY_WORDS))
@pytest.mark.parametrize("max_length", [8, 16, 40])
def test_words_give_what_rows_give(
    folders: dict[str, str], kind: str, max_length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows put together from words are those of the tokenizer, for every row said to be sure."""
    import numpy as np
    import pyarrow as pa
    from transformers import AutoTokenizer

    from mlrecipe.builtin.ops import _words

    monkeypatch.setattr(_words, "_LONG_WORD", 10_000)
    tokenizer = AutoTokenizer.from_pretrained(folders[kind])
    tokenizer("", truncation=True, max_length=max_length)
    words = _words.make_words(tokenizer.backend_tokenizer, max_length)
    assert words is not None
    n_sure = 0
    for seed in range(4):
        texts = random_texts(300, seed=100 + seed)
        found = words(pa.array(texts))
        assert found is not None
        ids, lengths, truncated, is_sure = found
        want, want_truncated = expected(folders[kind], texts, max_length)
        rows = [row.tolist() for row in np.split(ids, np.cumsum(lengths)[:-1])]
        n_sure += is_sure.sum()
        for row, one in enumerate(is_sure):
            if one:
                assert rows[row] == want[row], texts[row]
                assert truncated[row] == want_truncated[row], texts[row]
    assert n_sure > 800


def test_words_are_forgotten_before_they_fill_memory(
    folders: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When too many words are known, all are forgotten, and the ids stay right."""
    from mlrecipe.builtin.ops import _words

    monkeypatch.setattr(_words, "_MOST_WORDS", 50)
    texts = random_texts(300, seed=7)

    done = run(tmp_path, texts_of(*texts), tokenizer=folders["bert"], max_length=16, batch_rows=20)

    assert done["input_ids"][:] == expected(folders["bert"], texts, 16)[0]


def test_a_text_with_the_separating_word_in_it_is_right(
    folders: dict[str, str], tmp_path: Path
) -> None:
    """The word that separates others while they are tokenized may be a word of the data too."""
    from tokenizers import Tokenizer

    from mlrecipe.builtin.ops._words import _separator

    rust = Tokenizer.from_file(f"{folders['bert']}/tokenizer.json")
    word = _separator(rust)
    texts = [f"{word} {word} the {word}", f"film-{word} {word}{word}", str(word)]

    done = run(tmp_path, texts_of(*texts), tokenizer=folders["bert"], max_length=16)

    assert done["input_ids"][:] == expected(folders["bert"], texts, 16)[0]


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_are_cut_longest_first(folders: dict[str, str], tmp_path: Path, kind: str) -> None:
    """Pairs are the pairs of AutoTokenizer, with token types where the tokenizer has them."""
    from transformers import AutoTokenizer

    first, second = ([text[:200] for text in random_texts(80, seed)] for seed in (1, 2))
    tokenizer = AutoTokenizer.from_pretrained(folders[kind])
    want = tokenizer(first, second, truncation="longest_first", max_length=24)

    data = texts_of(*first, other=second)
    done = run(tmp_path, data, tokenizer=folders[kind], text_pair="other", max_length=24)

    full = tokenizer(first, second, verbose=False)["input_ids"]
    assert done["input_ids"][:] == want["input_ids"]
    assert done["truncated"][:] == [len(row) > 24 for row in full]
    has_types = "token_type_ids" in tokenizer.model_input_names
    assert ("token_type_ids" in done.column_names) == has_types
    if has_types:
        assert done["token_type_ids"][:] == want["token_type_ids"]


def test_a_single_text_has_no_token_types(folders: dict[str, str], tmp_path: Path) -> None:
    """Zeros are not stored: without pairs there are no token types and no mask."""
    done = run(tmp_path, texts_of("the film", label=[1]), tokenizer=folders["bert"])

    assert done.column_names == ["text", "label", "input_ids", "truncated"]


def test_left_truncation_is_kept(folders: dict[str, str], tmp_path: Path) -> None:
    """A tokenizer that truncates on the left does so here."""
    from transformers import AutoTokenizer

    AutoTokenizer.from_pretrained(folders["bert"], truncation_side="left").save_pretrained(
        tmp_path / "left"
    )
    texts = random_texts(50, seed=3)

    done = run(tmp_path, texts_of(*texts), tokenizer=str(tmp_path / "left"), max_length=12)

    assert done["input_ids"][:] == expected(str(tmp_path / "left"), texts, 12)[0]


def test_every_split_and_every_column_is_kept(folders: dict[str, str], tmp_path: Path) -> None:
    """Other columns, their features, the splits' order and empty splits come through."""
    from datasets import ClassLabel, DatasetDict

    train = texts_of(*CORPUS[:7], label=[0, 1, 0, 1, 0, 1, 0])
    train = train.cast_column("label", ClassLabel(names=["bad", "good"]))
    data = DatasetDict(train=train.select([6, 2, 4]), alpha=train.select([]))

    done = run(tmp_path, data, tokenizer=folders["bert"], batch_rows=2)

    assert list(done) == ["train", "alpha"]
    assert [len(split) for split in done.values()] == [3, 0]
    assert done["train"].features["label"] == train.features["label"]
    assert done["train"]["text"][:] == [CORPUS[6], CORPUS[2], CORPUS[4]]
    assert str(done["alpha"].data.schema.field("input_ids").type) == "list<item: int32>"


def test_keep_chooses_the_columns(folders: dict[str, str], tmp_path: Path) -> None:
    """Only the columns named in `keep` stay beside the new ones."""
    data = texts_of("a film", label=[1], id=[7])

    done = run(tmp_path, data, tokenizer=folders["bert"], keep=["label"])

    assert done.column_names == ["label", "input_ids", "truncated"]


@pytest.mark.parametrize("options", [{"batch_rows": 7}, {"num_workers": 1}, {"num_workers": 2}])
def test_store_08_speed_settings_do_not_change_the_output(
    folders: dict[str, str], tmp_path: Path, options: dict[str, int]
) -> None:
    """Threads and batch size are no part of the result."""
    data = texts_of(*random_texts(60, seed=5))

    done = run(tmp_path, data, tokenizer=folders["bert"], max_length=16, **options)

    plain = run(tmp_path, data, tokenizer=folders["bert"], max_length=16)
    assert done[:] == plain[:]


def test_num_workers_leaves_the_environment_as_it_was(
    folders: dict[str, str], tmp_path: Path
) -> None:
    """The library's settings are in the environment only while the op runs."""
    before = dict(os.environ)

    run(tmp_path, texts_of("a film"), tokenizer=folders["bert"], num_workers=1)

    assert dict(os.environ) == before


def test_a_missing_column_names_the_columns(folders: dict[str, str], tmp_path: Path) -> None:
    """The error says what there is, and what is near."""
    data = texts_of("a film", label=[1]).rename_column("text", "texts")

    with pytest.raises(DataError, match=r"'texts', 'label'.*did you mean 'texts'") as caught:
        run(tmp_path, data, tokenizer=folders["bert"], text="text")

    assert caught.value.key == "text"


@pytest.mark.parametrize(
    ("columns", "texts"),
    [
        (["premise", "hypothesis"], {"text": "premise", "text_pair": "hypothesis"}),
        (["review", "city"], {"text": "review"}),
        (["text", "sentence"], {"text": "text"}),
        (["v1", "v2"], {"text": "v2"}),
    ],
)
def test_glue_8_columns_with_usual_names_are_found(
    folders: dict[str, str], tmp_path: Path, columns: list[str], texts: dict[str, str]
) -> None:
    """What comes out is what the recipe would give that names them; and what was found is said."""
    from datasets import Dataset

    data = Dataset.from_dict({name: [f"{name} a", "b c"] for name in columns})
    heard: list[Event] = []
    for name in ("found", "named"):
        (tmp_path / name).mkdir()

    with listening(heard.append):
        found = run(tmp_path / "found", data, tokenizer=folders["bert"])
    named = run(tmp_path / "named", data, tokenizer=folders["bert"], **texts)

    assert found.to_dict() == named.to_dict()
    notes = [event.text for event in heard if isinstance(event, Note)]
    assert len(notes) == (texts != {"text": "text"})
    assert all(repr(column) in note for note in notes for column in texts.values())


def test_columns_that_could_both_be_the_texts_are_an_error(
    folders: dict[str, str], tmp_path: Path
) -> None:
    """It lists them."""
    from datasets import Dataset

    data = Dataset.from_dict({"headline": ["a"], "body": ["b"]})

    with pytest.raises(DataError, match="'headline' or 'body'") as caught:
        run(tmp_path, data, tokenizer=folders["bert"])

    assert caught.value.key == "text"


def test_a_column_that_is_no_text_is_refused(folders: dict[str, str], tmp_path: Path) -> None:
    """Numbers are not quietly turned into text."""
    with pytest.raises(DataError, match=r"column 'label' of the data set holds int64, not text"):
        run(tmp_path, texts_of("a", label=[1]), tokenizer=folders["bert"], text="label")


def test_lists_of_words_are_refused_with_the_op_that_takes_them(
    folders: dict[str, str], tmp_path: Path
) -> None:
    """Whoever takes `tokenize` for words is told."""
    data = texts_of("a", words=[["a", "b"]])

    with pytest.raises(DataError, match="'words' of the data set holds") as caught:
        run(tmp_path, data, tokenizer=folders["bert"], text="words")

    assert "`tokenize-words`" in str(caught.value.hint)


def test_a_null_text_is_named_by_split_and_row(folders: dict[str, str], tmp_path: Path) -> None:
    """The first row without a text is in the message."""
    from datasets import Dataset, DatasetDict

    data = DatasetDict(valid=Dataset.from_dict({"text": ["a", "b", "c", None, None]}))

    with pytest.raises(DataError, match=r"row 3 of split 'valid' has no text") as caught:
        run(tmp_path, data, tokenizer=folders["bert"], batch_rows=2)

    assert caught.value.key == "text"


def test_a_null_in_the_second_text_is_named_by_its_own_key(
    folders: dict[str, str], tmp_path: Path
) -> None:
    """The error points at the parameter whose column is at fault."""
    data = texts_of("a", "b", other=["x", None])

    with pytest.raises(DataError, match="row 1") as caught:
        run(tmp_path, data, tokenizer=folders["bert"], text_pair="other")

    assert caught.value.key == "text_pair"


def test_a_column_of_the_new_name_is_refused(folders: dict[str, str], tmp_path: Path) -> None:
    """Nothing is overwritten in silence."""
    with pytest.raises(DataError, match="'input_ids' already"):
        run(tmp_path, texts_of("a", input_ids=[[1]]), tokenizer=folders["bert"])


def test_a_max_length_without_room_is_refused(folders: dict[str, str], tmp_path: Path) -> None:
    """Special tokens alone would fill the row."""
    with pytest.raises(DataError, match="2 special tokens") as caught:
        run(tmp_path, texts_of("a"), tokenizer=folders["bert"], max_length=2)

    assert caught.value.key == "max_length"


@pytest.mark.parametrize("source", ["no-such/tokenizer", "/no/such/folder"])
def test_a_tokenizer_that_is_not_there_is_one_clear_error(tmp_path: Path, source: str) -> None:
    """No folder, no hub: one line that names the source."""
    with pytest.raises(DataError, match=source) as caught:
        run(tmp_path, texts_of("a"), tokenizer=source)

    assert caught.value.key == "tokenizer"
    assert "\n" not in str(caught.value)


def test_remote_code_is_never_run(folders: dict[str, str], tmp_path: Path) -> None:
    """A folder that brings its own tokenizer class does not get to run it."""
    import json
    import shutil

    folder = tmp_path / "evil"
    shutil.copytree(folders["bert"], folder)
    mark = tmp_path / "mark"
    (folder / "evil.py").write_text(f"open({str(mark)!r}, 'w').close()\nclass Evil: pass\n")
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config |= {"tokenizer_class": "Evil", "auto_map": {"AutoTokenizer": ["evil.Evil", None]}}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))

    with pytest.raises(DataError):
        run(tmp_path, texts_of("a"), tokenizer=str(folder))

    assert not mark.exists()


def test_training_21_progress_counts_rows_of_all_splits(
    folders: dict[str, str], tmp_path: Path
) -> None:
    """Each batch tells how far the whole work is."""
    from datasets import DatasetDict

    events: list[Event] = []
    data = DatasetDict(train=texts_of(*CORPUS[:5]), test=texts_of(*CORPUS[:2]))

    with listening(events.append):
        run(tmp_path, data, tokenizer=folders["bert"], batch_rows=2)

    progress = [(event.done, event.total) for event in events if isinstance(event, Progress)]
    assert progress == [(2, 7), (4, 7), (5, 7), (7, 7)]


def test_more_than_the_model_takes_is_warned_of(folders: dict[str, str], tmp_path: Path) -> None:
    """A longer `max_length` than the tokenizer's own gives a note, not silence until training."""
    from transformers import AutoTokenizer

    folder = str(tmp_path / "short")
    AutoTokenizer.from_pretrained(folders["bert"], model_max_length=128).save_pretrained(folder)
    events: list[Event] = []

    with listening(events.append):
        run(tmp_path, texts_of("a"), tokenizer=folder, max_length=256)

    assert [event.level for event in events if isinstance(event, Note)] == ["warning"]


def test_the_input_is_not_changed(folders: dict[str, str], tmp_path: Path) -> None:
    """The op gives a new data set."""
    data = texts_of(*CORPUS[:3]).with_format("numpy", columns=["text"])

    run(tmp_path, data, tokenizer=folders["bert"])

    assert data.column_names == ["text"]
    assert data.format["type"] == "numpy"


def test_the_result_is_memory_mapped(folders: dict[str, str], tmp_path: Path) -> None:
    """The result lies in files, so that memory does not grow with the data."""
    done = run(tmp_path, texts_of(*CORPUS[:3]), tokenizer=folders["bert"])

    assert [Path(file["filename"]).name for file in done.cache_files] == ["0.arrow"]


@pytest.mark.real
@pytest.mark.parametrize("max_length", [32, 256])
def test_a_real_tokenizer_gives_the_same_ids(tmp_path: Path, max_length: int) -> None:
    """The real MiniLM tokenizer, whose file has a padding and a truncation of its own."""
    folder = os.environ.get("MLRECIPE_TEST_MODEL")
    if not folder:
        pytest.skip("MLRECIPE_TEST_MODEL names no model")
    texts = random_texts(500, seed=11) + CORPUS

    done = run(tmp_path, texts_of(*texts), tokenizer=folder, max_length=max_length)

    ids, truncated = expected(folder, texts, max_length)
    assert done["input_ids"][:] == ids
    assert done["truncated"][:] == truncated
