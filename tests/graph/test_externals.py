"""What parameters name outside the recipe."""

from __future__ import annotations

import os

import pytest

from mlrecipe.code import stamps as stamps_
from mlrecipe.code.kinds import Kind
from mlrecipe.errors import RequestError
from mlrecipe.graph import externals
from mlrecipe.graph.externals import again, changed, digests, file_digest, resolve, stamps

FILE, DATASET, TOKENIZER, MODEL = (Kind(n) for n in ("file", "dataset", "tokenizer", "model"))


class Memo(dict):
    """Texts in memory."""

    set = dict.__setitem__


@pytest.fixture
def base(tmp_path):
    for name in ("a.csv", "b.csv", "deep/c.csv", "deep/.hidden", "deep/.git/config", "deep/__pycache__/x.pyc",
                 "model/tokenizer.json", "model/vocab.txt", "model/config.json",
                 "model/weights.safetensors", "bare/config.json"):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


def one(value, kind, base):
    resolved, [found] = resolve(value, kind, base)
    return resolved, found


def names(found):
    return [name for name, _ in found.files]


def test_a_file_counts_by_its_name_and_content(base):
    """Relative to the recipe's folder; what the op gets is absolute."""
    value, found = one("a.csv", FILE, base)

    assert value == str(base / "a.csv")
    assert (names(found), found.problem, found.is_hub) == (["a.csv"], "", False)


def test_a_folder_counts_file_by_file(base):
    """Hidden files and caches do not."""
    assert names(one("deep", FILE, base)[1]) == ["c.csv"]
    assert names(one(".", FILE, base)[1])[:2] == ["a.csv", "b.csv"]


def test_a_glob_counts_what_matches(base):
    """Sorted; none is a problem."""
    assert names(one("*.csv", FILE, base)[1]) == ["a.csv", "b.csv"]
    assert names(one("**/*.csv", FILE, base)[1]) == ["a.csv", "b.csv", "deep/c.csv"]
    assert one("*.tsv", FILE, base)[1].problem == "no file matches '*.tsv'"


def test_the_same_files_have_the_same_names_wherever_they_lie(base, tmp_path_factory):
    """A fingerprint does not see the project's folder."""
    other = tmp_path_factory.mktemp("other")
    for name in ("a.csv", "b.csv"):
        (other / name).write_text(name)

    for value in ("a.csv", "*.csv", str(other / "a.csv")):
        assert digests(one(value, FILE, base)[1])[0] == digests(one(value, FILE, other)[1])[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.cvs", "no such file: 'a.cvs'; did you mean 'a.csv'?"),
        ("zzz", "no such file: 'zzz'"),
        ("gone/a.csv", "no such file: 'gone/a.csv'; its folder"),
    ],
)
def test_a_missing_file_is_a_problem(base, text, message):
    """With the nearest name beside it, or the folder that is not there."""
    assert one(text, FILE, base)[1].problem.startswith(message)


def test_lists_and_tables_of_files(base):
    """As the kind has them."""
    value, found = resolve(["a.csv", "b.csv"], Kind("list", (FILE,)), base)
    table, more = resolve({"x": "a.csv"}, Kind("dict", (FILE,)), base)

    assert value == [str(base / "a.csv"), str(base / "b.csv")]
    assert table == {"x": str(base / "a.csv")}
    assert [e.text for e in [*found, *more]] == ["a.csv", "b.csv", "a.csv"]


def test_what_is_no_source_is_left_alone(base):
    """A text parameter that happens to name a file is a text."""
    assert resolve("a.csv", Kind("str"), base) == ("a.csv", [])
    assert resolve(3, FILE, base) == (3, [])


def test_home_is_understood(base, monkeypatch):
    """As in a shell."""
    monkeypatch.setenv("HOME", str(base))

    assert one("~/a.csv", FILE, base / "deep")[0] == str(base / "a.csv")


def test_a_tokenizer_is_only_its_own_files(base):
    """Weights and the model's configuration change no token."""
    assert names(one("model", TOKENIZER, base)[1]) == ["tokenizer.json", "vocab.txt"]
    assert "weights.safetensors" in names(one("model", MODEL, base)[1])


def test_a_folder_without_a_tokenizer_is_a_problem(base):
    """With what to do."""
    problem = one("bare", TOKENIZER, base)[1].problem

    assert "the folder 'bare' has no tokenizer" in problem
    assert "save_pretrained" in problem


@pytest.mark.parametrize("text", ["bert-base-uncased", "stanfordnlp/imdb", "a/b.c-d"])
def test_an_id_of_the_hub_stays_as_it_is(base, text):
    """Nothing is asked of the network."""
    value, found = one(text, DATASET, base)

    assert (value, found.is_hub, found.files) == (text, True, ())


@pytest.mark.parametrize("text", ["./nowhere", "/nowhere/at/all", "a/b/c", "a.csv"])
def test_what_is_neither_folder_nor_id_is_a_problem(base, text):
    """A path that leads nowhere is not taken for an id."""
    assert one(text, MODEL, base)[1].problem


def test_store_13_a_remembered_digest_goes_by_the_stamp(base, monkeypatch):
    """A touch reads the file again to the same digest; an edit with the old time is seen."""
    monkeypatch.setattr(stamps_, "RACY_NS", -1)
    path, memo, read = base / "a.csv", Memo(), []
    hashed = externals._hash
    monkeypatch.setattr(externals, "_hash", lambda p: read.append(p) or hashed(p))
    first, info = file_digest(path, memo), path.stat()

    assert file_digest(path, memo) == first
    assert len(read) == 1

    os.utime(path, ns=(1, 1))
    assert file_digest(path, memo) == first
    assert len(read) == 2

    path.write_text("A.csv")
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
    assert file_digest(path, memo) != first


def test_store_14_a_fresh_file_is_not_remembered(base):
    """It may change again within the clock's grain."""
    memo = Memo()

    file_digest(base / "a.csv", memo)

    assert memo == {}


def test_store_13_a_file_put_in_its_place_is_seen(base, monkeypatch):
    """Same size, same time, another inode: `mv new old`."""
    monkeypatch.setattr(stamps_, "RACY_NS", -1)
    path, memo = base / "a.csv", Memo()
    first, info = file_digest(path, memo), path.stat()
    (base / "new").write_text("A.csv")
    os.utime(base / "new", ns=(info.st_atime_ns, info.st_mtime_ns))

    os.replace(base / "new", path)

    assert (path.stat().st_size, path.stat().st_mtime_ns) == (info.st_size, info.st_mtime_ns)
    assert file_digest(path, memo) != first


def test_a_file_that_cannot_be_read_is_told(base):
    """By its name, as the user's own mistake."""
    with pytest.raises(RequestError, match=r"cannot read '.*none\.csv': No such file"):
        file_digest(base / "none.csv")


def _tree(base):
    folder = base / "tree"
    for name in ("a.txt", "b.txt", "sub/c.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "sub/d.txt").write_text(""),
        lambda folder: (folder / "a.txt").unlink(),
        lambda folder: (folder / "a.txt").rename(folder / "e.txt"),
        lambda folder: (folder / "a.txt").rename(folder / "sub/a.txt"),
        lambda folder: (folder / "sub/c.txt").write_text("C"),
        lambda folder: (folder / "empty").mkdir(),
        lambda folder: (folder / "sub/empty").mkdir(),
        lambda folder: (folder / "more").symlink_to(folder / "sub"),
        lambda folder: (folder / "gone").symlink_to("nowhere"),
        lambda folder: (folder / "round").symlink_to(folder),
    ],
    ids=["added", "removed", "renamed", "moved", "edited", "empty folder", "empty folder below",
         "link to a folder", "link to nowhere", "link back"],
)  # fmt: skip
def test_store_13_every_change_of_a_folder_is_seen(base, change):
    """Files by name and content, links by what stands behind them, and empty folders; during a run too."""
    folder = _tree(base)
    found = one("tree", FILE, base)[1]
    before, looked = digests(found), stamps([found])

    change(folder)

    assert digests(one("tree", FILE, base)[1]) != before
    assert digests(again(found)) != before
    assert changed(looked, stamps([found]))


def test_a_folder_is_the_same_however_it_was_made(base):
    """The order of making, the times, and links to equal content do not count."""
    folder = _tree(base)
    before = digests(one("tree", FILE, base)[1])

    (folder / "a.txt").unlink()
    (folder / "a.txt").write_text("a.txt")
    os.utime(folder / "b.txt", ns=(1, 1))
    (folder / "sub").rename(base / "elsewhere")
    (folder / "sub").symlink_to(base / "elsewhere")

    assert digests(one("tree", FILE, base)[1]) == before
    assert [name for name, _ in before] == ["a.txt", "b.txt", "sub/c.txt"]


def test_a_link_that_leads_nowhere_counts_by_where_it_leads(base):
    """It may lead somewhere on another day."""
    folder = _tree(base)
    (folder / "gone").symlink_to("nowhere")
    before = digests(one("tree", FILE, base)[1])

    (folder / "gone").unlink()
    (folder / "gone").symlink_to("elsewhere")

    assert digests(one("tree", FILE, base)[1]) != before


def test_a_pipe_in_a_folder_is_not_waited_for(base):
    """It has no content of its own."""
    folder = _tree(base)
    before = digests(one("tree", FILE, base)[1])

    os.mkfifo(folder / "pipe")

    assert digests(one("tree", FILE, base)[1]) == before


def test_nothing_is_changed_where_nothing_changed(base):
    """Reading a file changes no stamp."""
    found = [one(text, FILE, base)[1] for text in ("a.csv", "*.csv", "deep")]
    before = stamps(found)
    (base / "a.csv").read_text()

    assert changed(before, stamps(found)) == []


def test_a_file_that_a_glob_matches_now_is_seen(base):
    """And one that it matches no more."""
    found = one("*.csv", FILE, base)[1]
    before = stamps([found])

    (base / "c.csv").write_text("")
    (base / "a.csv").unlink()

    assert changed(before, stamps([found])) == [str(base / "a.csv"), str(base / "c.csv")]


def test_a_link_back_is_not_followed(base):
    """What lies in the folder counts once."""
    folder = _tree(base)
    (folder / "sub" / "round").symlink_to(folder)

    found = one("tree", FILE, base)[1]

    assert names(found) == ["a.txt", "b.txt", "sub/c.txt"]
    assert found.others == (("sub/round/", "a link back"),)
