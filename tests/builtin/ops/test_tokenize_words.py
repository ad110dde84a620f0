"""The op `tokenize-words` gives what transformers gives for words, and says what is wrong with its data."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value

from mlrecipe import DataError
from mlrecipe.builtin.ops import _word_pieces
from mlrecipe.builtin.ops.tokenize_words import tokenize_words
from tests.builtin.ops.test_tokenize import CORPUS, KINDS, PIECES

pytestmark = pytest.mark.heavy

NEW = ["input_ids", "windows", "word_starts", "word_lengths", "truncated"]
ODD = [*PIECES, "two words", " led", "trailing ", "👍🏽", "\u200b\u200d", "x" * 1000, "née", "#tag"]


def _roberta(folder: Path) -> str:
    """A tokenizer of transformers' own byte-level class."""
    from transformers import AutoTokenizer, RobertaTokenizer

    trained = AutoTokenizer.from_pretrained(KINDS["bytes"](folder / "trained"))
    model = trained.backend_tokenizer.to_str()
    spec = __import__("json").loads(model)["model"]
    merges = [tuple(pair) for pair in spec["merges"]]
    RobertaTokenizer(vocab=spec["vocab"], merges=merges).save_pretrained(folder / "roberta")
    return str(folder / "roberta")


def _split_bytes(folder: Path) -> str:
    """A tokenizer that splits texts by a pattern before it looks at bytes, as those of Llama 3 and Qwen do."""
    from tokenizers import Regex, pre_tokenizers
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(KINDS["bytes"](folder / "trained"))
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r" ?\w+| ?[^\s\w]+|\s+"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.save_pretrained(folder / "split")
    return str(folder / "split")


MORE = {**KINDS, "roberta": _roberta, "split-bytes": _split_bytes}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A saved tokenizer of each kind."""
    return {name: make(tmp_path_factory.mktemp(name)) for name, make in MORE.items()}


@pytest.fixture
def run(tmp_path: Path):
    """The op's output, in a scratch folder of its own."""

    def run(data: Any, **parameters: Any) -> Any:
        scratch = tmp_path / f"scratch-{len(list(tmp_path.iterdir()))}"
        scratch.mkdir()
        return tokenize_words(data, scratch=scratch, **parameters)

    return run


def rows_of(*words: list[str], **columns: Any) -> Dataset:
    features = Features({"tokens": List(Value("string"))})
    data = Dataset.from_dict({"tokens": list(words)}, features=features)
    for name, values in columns.items():
        data = data.add_column(name, values)
    return data


def random_rows(count: int, seed: int) -> list[list[str]]:
    """Rows of words that are hard on tokenizers, from none to some dozens."""
    pick = random.Random(seed)
    plain = " ".join(CORPUS[:5]).split()
    lengths = [pick.choice([0, 1, 2, 5, 20, 60]) for _ in range(count)]
    return [[pick.choice(ODD if pick.random() < 0.4 else plain) for _ in range(n)] for n in lengths]


def peer(folder: str, kind: str) -> Any:
    """What transformers has for words: byte-level tokenizers are made with `add_prefix_space=True`."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import AutoTokenizer

    if kind == "roberta":
        return AutoTokenizer.from_pretrained(folder, add_prefix_space=True)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if kind == "bytes":  # the class of any tokenizer.json pays no regard to the argument
        tokenizer.backend_tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=True)
    return tokenizer


def flat(pieces: list[list[int]]) -> list[int]:
    return [piece for own in pieces for piece in own]


def expected(tokenizer: Any, row: list[str], kind: str) -> tuple[list[int], list[list[int]]]:
    """Ids with special tokens, and those of each word, by transformers; unknown where a word has none."""
    if kind == "python":
        pieces = [tokenizer.convert_tokens_to_ids(tokenizer.tokenize(word)) for word in row]
        whole = tokenizer.build_inputs_with_special_tokens(flat(pieces))
        assert not row or whole == tokenizer([row], is_split_into_words=True)["input_ids"][0]
        pieces = [ids or [tokenizer.unk_token_id] for ids in pieces]
        return tokenizer.build_inputs_with_special_tokens(flat(pieces)), pieces
    given = [f" {w}" if w and w[0] != " " else w for w in row] if kind == "split-bytes" else row
    found = tokenizer(given, is_split_into_words=True)
    pieces = [[] for _ in row]
    for token, word in zip(found["input_ids"], found.word_ids(), strict=True):
        if word is not None:
            pieces[word].append(token)
    pieces = [ids or [tokenizer.unk_token_id] for ids in pieces]
    one = tokenizer(["the"], is_split_into_words=True)
    words = one.word_ids()
    first, last = words.index(0), len(words) - words[::-1].index(0)
    return one["input_ids"][:first] + flat(pieces) + one["input_ids"][last:], pieces


@pytest.mark.filterwarnings("ignore:This sequence already has")  # by the byte tokenizer
@pytest.mark.parametrize("kind", MORE)
def test_sequence_5_pieces_and_words_are_those_of_transformers(
    folders: dict[str, str], run: Any, kind: str
) -> None:
    """Piece for piece and word for word, whatever the words; one that has no piece gets the unknown token."""
    rows = [*random_rows(60, seed=3), [], ["\u200b"], ["", "a", ""], ["the"] * 10_000]
    if kind in (
        "bytes",
        "split-bytes",
    ):  # these have no token for unknown words, and something for all others
        rows = [[word for word in row if word] for row in rows]

    done = run(rows_of(*rows), tokenizer=folders[kind], max_length=100_000, batch_rows=16)

    tokenizer = peer(folders[kind], kind)
    for row, made in zip(rows, done, strict=True):
        ids, pieces = expected(tokenizer, row, kind)
        assert made["word_lengths"] == [len(own) for own in pieces]
        spans = zip(made["word_starts"], made["word_lengths"], strict=True)
        assert [made["input_ids"][a : a + n] for a, n in spans] == pieces
        if row or ids:
            assert made["input_ids"] == ids
        assert made["windows"] == [len(made["input_ids"])]
    assert not any(done["truncated"])


@pytest.mark.parametrize("kind", ["bert", "roberta", "unigram", "python"])
def test_sequence_6_every_word_of_a_long_row_is_in_a_window(
    folders: dict[str, str], run: Any, kind: str
) -> None:
    """What is read of each word is what is read where the row needs one window only."""
    rows = random_rows(20, seed=5)
    rows = [[word for word in row if len(word) < 12] * 3 for row in rows]

    done = run(rows_of(*rows), tokenizer=folders[kind], max_length=64, stride=16)

    whole = run(rows_of(*rows), tokenizer=folders[kind], max_length=100_000)
    assert max(len(windows) for windows in done["windows"]) > 3
    assert max(n for windows in done["windows"] for n in windows) <= 64
    for made, one in zip(done, whole, strict=True):
        assert sum(made["windows"]) == len(made["input_ids"])
        assert pieces_of(made) == pieces_of(one)
    assert not any(done["truncated"])


def pieces_of(row: dict[str, Any]) -> list[list[int]]:
    """The pieces of each word, from where it is read."""
    spans = zip(row["word_starts"], row["word_lengths"], strict=True)
    return [row["input_ids"][start : start + length] for start, length in spans]


def test_sequence_7_first_and_mean_can_be_read_of_every_word(
    folders: dict[str, str], run: Any
) -> None:
    """A word's pieces stand together, from `word_starts` on, in one window."""
    row = "the film xylophone storytelling pneumonia".split() * 9

    (made,) = run(rows_of(row), tokenizer=folders["bert"], max_length=24, stride=8)

    edges = np.cumsum([0, *made["windows"]])
    starts, lengths = np.array(made["word_starts"]), np.array(made["word_lengths"])
    window = np.searchsorted(edges, starts, side="right") - 1
    assert max(made["word_lengths"]) > 1
    assert (starts > edges[window]).all()
    assert (starts + lengths < edges[window + 1]).all()


def test_stride_is_at_most_half_of_a_window(folders: dict[str, str], run: Any) -> None:
    """So that its default goes with every `max_length`."""
    rows = rows_of("the film was a delight".split() * 10)

    done = run(rows, tokenizer=folders["bert"], max_length=16, stride=400)

    assert done[:] == run(rows, tokenizer=folders["bert"], max_length=16, stride=7)[:]


def test_a_word_of_too_many_pieces_is_cut(folders: dict[str, str], run: Any) -> None:
    """It is said in `truncated`, and the words around it keep their pieces."""
    rows = rows_of(["the", "film-" * 30, "the"], ["the"])

    done = run(rows, tokenizer=folders["bert"], max_length=16)

    whole = run(rows, tokenizer=folders["bert"], max_length=1000)
    assert done["truncated"][:] == [True, False]
    cut, full = pieces_of(done[0]), pieces_of(whole[0])
    assert (cut[0], cut[1], cut[2]) == (full[0], full[1][:14], full[2])


def test_a_row_without_words_is_one_window_of_special_tokens(
    folders: dict[str, str], run: Any
) -> None:
    """Where there are no special tokens either it is one unknown token, for a network needs something."""
    from transformers import AutoTokenizer

    bert, plain = folders["bert"], folders["words"]

    rows = run(rows_of([], ["the"]), tokenizer=bert), run(rows_of([]), tokenizer=plain)

    cls, sep = AutoTokenizer.from_pretrained(bert)("")["input_ids"]
    unknown = AutoTokenizer.from_pretrained(plain).unk_token_id
    assert rows[0]["input_ids"][0] == [cls, sep]
    assert rows[0]["word_starts"][0] == []
    assert rows[1][0] == {
        "tokens": [], "input_ids": [unknown], "windows": [1], "word_starts": [], "word_lengths": [],
        "truncated": False,
    }  # fmt: skip


def test_without_a_tokenizer_words_are_their_bytes(run: Any) -> None:
    """Each as one more, in one window however long; an empty word is the byte that no text has."""
    data = rows_of(["ab", "", "é"], [], ["x" * 2000]).select([1, 0, 2])

    done = run(data, max_length=16)

    assert done[1] == {
        "tokens": ["ab", "", "é"], "input_ids": [98, 99, 256, 0xC3 + 1, 0xA9 + 1], "windows": [5],
        "word_starts": [0, 2, 3], "word_lengths": [2, 1, 2], "truncated": False,
    }  # fmt: skip
    assert done["input_ids"][0] == [256]
    assert done["windows"][2] == [2000]


@pytest.mark.parametrize("kind", sorted(set(MORE) - {"python"}))
def test_words_tokenized_once_give_what_whole_rows_give(folders: dict[str, str], kind: str) -> None:
    """The fast way is held against the safe one."""
    from transformers import AutoTokenizer

    rust = AutoTokenizer.from_pretrained(folders[kind]).backend_tokenizer
    rust.no_padding()
    rust.no_truncation()
    spaced = _word_pieces._with_space(rust)
    fast = _word_pieces._Known(lambda words: _word_pieces._singly(rust, spaced(words)))
    rows = pa.array(random_rows(50, seed=9), pa.list_(pa.string()))

    found, safe = fast(rows), _word_pieces._Rows(rust, spaced)(rows)

    assert found.ids.tolist() == safe.ids.tolist()
    assert found.lengths.tolist() == safe.lengths.tolist()


def test_the_fast_way_is_left_where_it_differs() -> None:
    """Words that are tokenized with regard to each other are tokenized in their rows."""
    right = _word_pieces.Pieces(np.array([1, 2], np.int32), np.array([1, 1]))
    wrong = _word_pieces.Pieces(np.array([1, 3], np.int32), np.array([1, 1]))

    chosen = _word_pieces._Probed(lambda rows: wrong, lambda rows: right)

    assert chosen(pa.array([["a", "b"]])) is right


def test_words_are_forgotten_before_they_fill_memory(
    folders: dict[str, str], run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When too many are known, all are forgotten, and the ids stay right."""
    rows = rows_of(*random_rows(40, seed=1))
    before = run(rows, tokenizer=folders["bert"])
    monkeypatch.setattr(_word_pieces, "_MOST_WORDS", 20)

    done = run(rows, tokenizer=folders["bert"], batch_rows=3)

    assert done[:] == before[:]


def test_a_tokenizer_that_draws_lots_tokenizes_rows(
    tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dropout gives one word different pieces: they are not remembered, even if a trial shows no difference."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocab = {"[UNK]": 0, "a": 1, "b": 2, "ab": 3}
    tokenizer = Tokenizer(models.BPE(vocab, [("a", "b")], dropout=0.5, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    loaded = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]")
    loaded.save_pretrained(tmp_path / "lots")
    monkeypatch.setattr(_word_pieces, "_are_equal", lambda one, other: True)

    done = run(rows_of(["ab"] * 200), tokenizer=str(tmp_path / "lots"))

    assert {tuple(own) for own in pieces_of(done[0])} == {(3,), (1, 2)}


def test_every_split_and_every_column_is_kept(folders: dict[str, str], run: Any) -> None:
    """Other columns, their features, the splits' order and empty splits come through."""
    train = rows_of(["a", "b"], ["c"], ["d", "e"], tags=[[0, 1], [1], [0, 0]])
    train = train.cast_column("tags", List(ClassLabel(names=["O", "B-X"])))
    data = DatasetDict(train=train.select([2, 0]), alpha=train.select([]))

    done = run(data, tokenizer=folders["bert"], batch_rows=1)

    assert list(done) == ["train", "alpha"]
    assert [len(split) for split in done.values()] == [2, 0]
    assert done["train"].features["tags"] == train.features["tags"]
    assert done["train"]["tokens"][:] == [["d", "e"], ["a", "b"]]
    assert done["alpha"].column_names == ["tokens", "tags", *NEW]
    assert str(done["alpha"].data.schema.field("windows").type) == "list<item: int32>"


def test_keep_chooses_the_columns(folders: dict[str, str], run: Any) -> None:
    """Only the columns named in `keep` stay beside the new ones."""
    done = run(rows_of(["a"], tags=[["O"]], id=[7]), tokenizer=folders["bert"], keep=["tags"])

    assert done.column_names == ["tags", *NEW]


@pytest.mark.parametrize("options", [{"batch_rows": 7}, {"num_workers": 1}, {"num_workers": 2}])
def test_store_08_speed_settings_do_not_change_the_output(
    folders: dict[str, str], run: Any, options: dict[str, int]
) -> None:
    """Threads and batch size are no part of the result."""
    data = rows_of(*random_rows(30, seed=2))

    done = run(data, tokenizer=folders["bert"], max_length=16, **options)

    assert done[:] == run(data, tokenizer=folders["bert"], max_length=16)[:]


@pytest.mark.parametrize(("name", "noted"), [("tokens", 0), ("words", 1), ("sentence", 1)])
def test_the_column_with_words_is_found(
    folders: dict[str, str], run: Any, notes: list[str], name: str, noted: int
) -> None:
    """Lists of strings that are no tags; which was taken is said where it is not `tokens`."""
    data = Dataset.from_dict({name: [["a", "b"]], "tags": [["O", "O"]], "id": ["x"]})

    done = run(data, tokenizer=folders["bert"])

    assert len(done["word_starts"][0]) == 2
    assert [repr(name) in note for note in notes] == [True] * noted


@pytest.mark.parametrize(
    ("data", "settings", "key", "message"),
    [
        (rows_of(["a"]), {"words": "token"}, "words", "no column 'token'; it has 'tokens'"),
        (
            rows_of(["a"], id=[1]),
            {"words": "id"},
            "words",
            "'id' .* holds int64, not lists of words",
        ),
        (rows_of(["a"], text=["a b"]), {"words": "text"}, "words", "holds string, not lists"),
        (rows_of(["a"], x=[[1]]), {"words": "x"}, "words", "holds lists of int64, not"),
        (rows_of(["a"], windows=[1]), {}, "keep", "a column 'windows' already"),
        (rows_of(["a"]), {"keep": ["tag"]}, "keep", "no column 'tag'"),
        (rows_of(["a"]), {"stride": -1}, "stride", "at least 0"),
        (rows_of(["a"]), {"max_length": 2}, "max_length", "leaves no room for words"),
        (rows_of(["a"]), {"tokenizer": "/no/such"}, "tokenizer", "no folder '/no/such'"),
        (Dataset.from_dict({"text": ["a"]}), {}, "words", "no column is like the words"),
        (rows_of(["a"], b=[["x"]]).rename_column("tokens", "c"), {}, "words", "'c' or 'b'"),
    ],
)
def test_mistakes_are_told_with_their_key(
    folders: dict[str, str], run: Any, data: Dataset, settings: Any, key: str, message: str
) -> None:
    """Each is one clear error."""
    with pytest.raises(DataError, match=message) as caught:
        run(data, **{"tokenizer": folders["bert"], **settings})

    assert caught.value.key == key


@pytest.mark.parametrize(
    ("row", "message"),
    [(None, "row 3 of split 'dev' has no words"), (["a", None], "row 3 .* in the place of a word")],
)
def test_nulls_are_named_by_split_and_row(
    folders: dict[str, str], run: Any, row: Any, message: str
) -> None:
    """The first row that has one is in the message."""
    data = DatasetDict(dev=rows_of(["a"], ["b"], ["c"], row, row))

    with pytest.raises(DataError, match=message) as caught:
        run(data, tokenizer=folders["bert"], batch_rows=2)

    assert caught.value.key == "words"


def test_sequence_5_a_word_of_which_nothing_can_be_made_is_an_error(
    tmp_path: Path, run: Any
) -> None:
    """Where the tokenizer has no token for unknown words, the word and its row are named."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordLevel({"a": 0}))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(tmp_path / "none")

    with pytest.raises(DataError, match="nothing of the word '' in row 2 of the data set"):
        run(rows_of(["a"], [], ["a", ""]), tokenizer=str(tmp_path / "none"), batch_rows=2)


def test_the_input_is_not_changed_and_the_result_is_memory_mapped(
    folders: dict[str, str], run: Any
) -> None:
    """The op gives a new data set, which lies in a file."""
    data = rows_of(["a", "b"]).with_format("numpy")

    done = run(data, tokenizer=folders["bert"])

    assert data.column_names == ["tokens"]
    assert data.format["type"] == "numpy"
    assert [Path(file["filename"]).name for file in done.cache_files] == ["0.arrow"]


@pytest.mark.real
@pytest.mark.parametrize("max_length", [24, 512])
def test_a_real_tokenizer_gives_the_same_pieces(run: Any, max_length: int) -> None:
    """The real MiniLM tokenizer, whose file has a padding and a truncation of its own."""
    import os

    folder = os.environ.get("MLRECIPE_TEST_MODEL")
    if not folder:
        pytest.skip("MLRECIPE_TEST_MODEL names no model")
    rows = random_rows(300, seed=11)

    done = run(rows_of(*rows), tokenizer=folder, max_length=max_length)

    tokenizer = peer(folder, "real")
    for row, made in zip(rows, done, strict=True):
        ids, pieces = expected(tokenizer, row, "real")
        if not made["truncated"]:
            assert pieces_of(made) == pieces
        assert max(made["windows"]) <= max_length
        assert made["input_ids"] == ids or len(ids) > max_length
