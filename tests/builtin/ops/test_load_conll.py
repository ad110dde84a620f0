"""The op `load-conll`."""

from __future__ import annotations

import gzip

import pytest
from datasets import Features, List, Value

from mlrecipe import DataError
from mlrecipe.builtin.ops.load_conll import load_conll

FILE = """-DOCSTART- -X- O O

EU NNP I-NP I-ORG
rejects VBZ I-VP O
German JJ I-NP I-MISC

Peter NNP I-NP I-PER
Blackburn NNP I-NP I-PER

-DOCSTART- -X- O O

BRUSSELS NNP I-NP I-LOC
"""
NAMES = ["tokens", "pos", "chunk", "tags"]
WORDS = [["EU", "rejects", "German"], ["Peter", "Blackburn"], ["BRUSSELS"]]
TAGS = [["I-ORG", "O", "I-MISC"], ["I-PER", "I-PER"], ["I-LOC"]]

CONLLU = """# newdoc id = one
# sent_id = 1
# text = I don't
1\tI\tI\tPRON\tPRP\t_\t3\tnsubj\t_\t_
2-3\tdon't\t_\t_\t_\t_\t_\t_\t_\tSpaceAfter=No
2\tdo\tdo\tAUX\tVBP\t_\t3\taux\t_\t_
3\tn't\tnot\tPART\tRB\t_\t0\troot\t_\t_
3.1\tgo\tgo\tVERB\tVB\t_\t_\t_\t0:root\t_

# newdoc id = two
# sent_id = 2
1\t10 000\t10000\tNUM\tCD\t_\t0\troot\t_\t_

"""


@pytest.fixture
def load(write):
    """A function that loads a text as the split `train`."""

    def load(text: str | bytes, name: str = "train.txt", **settings):
        return load_conll(**{"train": write(name, text), **settings})["train"]

    return load


def test_every_sentence_is_a_row(load):
    """By default the first column has the words and the last the tags; no row is a document's start."""
    rows = load(FILE)

    assert rows[:] == {"tokens": WORDS, "tags": TAGS}
    assert rows.features == Features({name: List(Value("string")) for name in ("tokens", "tags")})


def test_columns_by_their_names(load):
    """Words and tags come first, whatever their order in the file."""
    rows = load(FILE, columns=NAMES)

    assert rows.column_names == ["tokens", "tags", "pos", "chunk"]
    assert rows[1] == {
        "tokens": ["Peter", "Blackburn"], "tags": ["I-PER", "I-PER"],
        "pos": ["NNP", "NNP"], "chunk": ["I-NP", "I-NP"],
    }  # fmt: skip


@pytest.mark.parametrize(
    "columns",
    [{"tags": 3, "tokens": 1}, {"tokens": -4, "tags": -2}, ["tokens", "_", "tags", "_"]],
)
def test_columns_by_their_numbers(load, columns):
    """From 1, or back from -1; `_` is a column that nobody wants."""
    rows = load(FILE, columns=columns)

    assert rows.column_names == ["tokens", "tags"]
    assert rows["tags"][2] == ["I-NP"]


def test_a_file_of_words_alone_has_no_tags(load):
    """As rows to predict."""
    assert load("a\nb\n\nc\n")[:] == {"tokens": [["a", "b"], ["c"]]}


@pytest.mark.parametrize(
    "text",
    [
        FILE.replace("\n", "\r\n"),
        "\ufeff" + FILE,
        FILE.rstrip("\n"),
        FILE.replace("\n\n", "\n \t \n\n\n"),
        FILE.replace(" ", "\t"),
        FILE.replace(" ", "  "),
        FILE.replace("O\n", "O \n"),
        "\n\n" + FILE + "\n\n",
    ],
    ids=["crlf", "bom", "no-last-line", "spaces", "tabs", "many", "trailing", "around"],
)
def test_how_lines_are_written_is_no_part_of_the_words(load, text):
    """Line ends, a byte-order mark, blank lines of spaces, tabs for spaces."""
    assert load(text)[:] == {"tokens": WORDS, "tags": TAGS}


def test_a_space_that_does_not_break_is_part_of_a_word(load):
    """Python takes it, and other marks, for white space."""
    assert load("10\u00a0000 O\na\u2028b O\n")["tokens"][0] == ["10\u00a0000", "a\u2028b"]


def test_a_separator_stands_once(load):
    """Then words may have spaces in them."""
    rows = load("New York\tB-LOC\n\t\n,\tO\n", separator="\t")

    assert rows[:] == {"tokens": [["New York"], [","]], "tags": [["B-LOC"], ["O"]]}


def test_documents_are_numbered(load):
    """In a column of their own, from 1."""
    assert load(FILE, documents="column")["document"][:] == [1, 1, 2]
    assert load("a x y O\n\n" + FILE, documents="column")["document"][:] == [1, 2, 2, 3]


def test_comments_are_left_out_before_a_sentence(load):
    """By their beginning; a word that looks like one stays."""
    text = "# id 1\na O\n# O\n\n# id 2\n# O\n"

    assert load(text, comments="# id")["tokens"][:] == [["a", "#"], ["#"]]


def test_tags_are_converted_on_the_way(load):
    """IOB1 in, others out; the scheme is found, or said."""
    assert load(FILE, to="IOB2")["tags"][:] == [
        ["B-ORG", "O", "B-MISC"],
        ["B-PER", "I-PER"],
        ["B-LOC"],
    ]
    assert load(FILE, scheme="IOB1", to="BIOES")["tags"][1] == ["B-PER", "E-PER"]
    assert load(FILE, to="plain", scheme="IOB1")["tags"][2] == ["LOC"]


def test_a_beginning_that_iob1_does_not_need_is_one(load):
    """Real data have some."""
    assert load("a O\nb B-X\nc I-X\n\nd I-X\ne B-X\n", scheme="IOB1", to="IOB2")["tags"][:] == [
        ["O", "B-X", "I-X"], ["B-X", "B-X"],
    ]  # fmt: skip


def test_a_tag_that_may_not_stand_there_is_named_by_row_and_word(load):
    """Nothing is lost in silence."""
    with pytest.raises(DataError, match=r"row 2 of split 'train', word 1: tag 'I-PER'") as error:
        load("a B-PER\n\nb I-PER\n", scheme="IOB2", to="BIOES")

    assert error.value.key == "scheme"
    assert "convert-tags" in error.value.hint


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        ("a O\nb\n", {}, "train.txt:2: the line has 1 column where line 1 has 2"),
        ("a x O\n\nb x y O\n", {}, "train.txt:3: the line has 4 columns where line 1 has 3"),
        ("a O\n", {"columns": NAMES},
         "train.txt:1: the line has 2 columns where 4 are expected (tokens, pos, chunk, tags)"),
        ("a\tO\nb O\n", {"separator": "\t"}, "train.txt:2: the line has 1 column where line 1 has 2"),
        ("a\tO\nb\t\n", {"separator": "\t"}, "train.txt:2: the word has no tag"),
    ],
)  # fmt: skip
def test_sequence_2_a_line_with_other_columns_is_named_with_both_counts(
    load, text, settings, message
):
    """File, line, what it has and what is expected."""
    with pytest.raises(DataError) as error:
        load(text, **settings)

    assert error.value.message.endswith(message)
    assert error.value.key == "train"


@pytest.mark.parametrize(
    ("settings", "key", "message"),
    [
        ({"columns": {"tokens": 0, "tags": 3}}, "columns", "columns count from 1, and 'tokens' is 0"),
        ({"columns": {"tokens": 1, "tags": 5}}, "columns", "'tags' is column 5, a line has 4 columns"),
        ({"columns": {"tokens": 1, "tags": "upos"}}, "columns", "only the columns of CoNLL-U"),
        ({"columns": ["word", "pos", "chunk", "ner"]}, "columns", "no column is named 'tokens'"),
        ({"columns": ["tokens", "a", "a", "tags"]}, "columns", "two columns are named 'a'"),
        ({"scheme": "IOB2"}, "scheme", "changes nothing"),
        ({"separator": ""}, "separator", "separates nothing"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be(load, settings, key, message):
    """One clear error with its key."""
    with pytest.raises(DataError, match=message) as error:
        load(FILE, **settings)

    assert error.value.key == key


@pytest.mark.parametrize("text", ["", "\n\n", "-DOCSTART- O\n\n"])
def test_a_file_without_sentences_is_an_error(load, text):
    """Rather than no rows."""
    with pytest.raises(DataError, match=r"train\.txt: it has no sentence"):
        load(text)


def test_no_file_is_an_error():
    """It says what to set."""
    with pytest.raises(DataError, match="no file is named"):
        load_conll()


def test_a_limit_holds_for_every_split(write):
    """Over all files of a split."""
    first, second = write("a.txt", FILE), write("b.txt.gz", gzip.compress(FILE.encode()))

    data = load_conll(train=[first, second], files={"more": first}, limit=4)

    assert {name: len(rows) for name, rows in data.items()} == {"train": 4, "more": 3}


def test_a_folder_is_read_in_the_order_of_names(write):
    """Of its files those that may be CoNLL."""
    write("some/2.conll", "b O\n")
    write("some/1.txt", "a O\n")
    folder = write("some/readme.md", "# none\n").rpartition("/")[0]

    assert load_conll(test=folder)["test"]["tokens"][:] == [["a"], ["b"]]


def test_files_of_a_split_have_the_same_columns(write):
    """The error names both."""
    with pytest.raises(
        DataError, match=r"b\.txt: its columns \(tokens\) are not those of .*a\.txt"
    ):
        load_conll(train=[write("a.txt", "a O\n"), write("b.txt", "b\n")])


@pytest.mark.parametrize("settings", [{}, {"format": "conllu"}])
def test_conllu_gives_syntactic_words_and_their_parts_of_speech(load, settings):
    """Without comments and empty nodes; it is known by its ten columns."""
    rows = load(CONLLU, **settings)

    assert rows[:] == {
        "tokens": [["I", "do", "n't"], ["10 000"]],
        "tags": [["PRON", "AUX", "PART"], ["NUM"]],
    }


def test_conllu_gives_written_words_where_so_asked(load):
    """Their values are those of the words that they are made of."""
    rows = load(CONLLU, words="surface", columns=["tokens", "tags", "lemma"])

    assert rows[0] == {
        "tokens": ["I", "don't"], "tags": ["PRON", "AUX+PART"], "lemma": ["I", "do+not"],
    }  # fmt: skip


@pytest.mark.parametrize(
    "columns",
    [{"tokens": "form", "tags": "xpos", "deprel": "deprel"}, {"tokens": 2, "tags": 5, "deprel": 8}],
)
def test_columns_of_conllu_by_name_or_number(load, columns):
    """Any of the ten."""
    rows = load(CONLLU, columns=columns)

    assert rows[0]["tags"] == ["PRP", "VBP", "RB"]
    assert rows[0]["deprel"] == ["nsubj", "aux", "root"]


def test_documents_of_conllu(load):
    """By its comments."""
    assert load(CONLLU, documents="column")["document"][:] == [1, 2]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1\tI\tI", "1\tI", "train.txt:4: the line has 9 columns where 10 are expected"),
        ("1\tI\tI", "x\tI\tI", "train.txt:4: its first column 'x' is no number of a word"),
        ("2-3\t", "2-5\t", "train.txt:5: not all words of token 2-5 are there"),
    ],
)
def test_damaged_conllu_is_named_by_its_line(load, old, new, message):
    """Whatever is wrong."""
    with pytest.raises(DataError) as error:
        load(CONLLU.replace(old, new, 1), format="conllu", words="surface")

    assert error.value.message.endswith(message)


def test_an_unknown_column_of_conllu_is_an_error(load):
    """With the nearest."""
    with pytest.raises(DataError, match="CoNLL-U has no column 'lema'") as error:
        load(CONLLU, columns=["tokens", "lema"])

    assert error.value.hint == "did you mean 'lemma'?"


@pytest.mark.parametrize(
    ("settings", "message", "key"),
    [
        ({"separator": "|"}, "it does not stand between the columns of 'EU B-ORG'", "separator"),
        ({"columns": {"tokens": 1, "tags": -1}, "separator": "|"}, "are both column 1 of 1", "columns"),
        ({"columns": {"tokens": 2, "tags": -1}}, "'tokens' and 'tags' are both column 2 of 2", "columns"),
    ],
)  # fmt: skip
def test_words_are_never_taken_for_their_tags(load, settings, message, key):
    """Where a separator that the file does not have makes one column of all."""
    with pytest.raises(DataError) as error:
        load("EU B-ORG\nrejects O\n", **settings)

    assert message in error.value.message
    assert error.value.key == key
    assert "separator" in error.value.hint or key == "separator"


def test_words_with_spaces_alone_may_be_read_by_their_name(load):
    """A column that is said to be alone."""
    assert load("New York\n", separator="\t", columns=["tokens"])[0] == {"tokens": ["New York"]}
