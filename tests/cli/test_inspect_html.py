"""`mlrecipe inspect --html`: one file with tables and plots."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest

from mlrecipe.cli import statistics

VOID = {"meta", "br", "hr", "img", "input", "link"}

OPS = '''

@mlrecipe.op("table")
def table(*, evil: str = ""):
    """Two splits of rows with texts and labels."""
    from datasets import Dataset, DatasetDict

    def split(rows, start):
        texts = [evil + " " + "word " * (i % 9) for i in range(start, start + rows)]
        labels = ["pos" if i % 3 else "neg" + evil for i in range(rows)]
        return Dataset.from_dict({"text": texts, "label": labels, "cut": [i % 4 == 0 for i in range(rows)]})

    return DatasetDict({"train": split(30, 0), "test": split(12, 5)}).rename_column("cut", "truncated")
'''

RECIPE = """
    name = "x"
    plugins = ["ops.py"]
    [nodes.rows]
    use = "table"
    [nodes.facts]
    use = "statistics"
    inputs = ["rows"]
"""


class Page(HTMLParser):
    """A page as its tags and texts; fails where tags do not nest."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(content)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        """One more is open."""
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        """A tag that closes itself."""
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        """The one that was opened last ends."""
        assert self._open.pop() == tag

    def handle_data(self, data):
        """A text, outside the style sheet."""
        if self._open and self._open[-1] != "style":
            self.texts.append(data.strip())

    def count(self, tag: str) -> int:
        """How often there is such a tag."""
        return sum(name == tag for name, _ in self.tags)


@pytest.fixture
def made(work, cli):
    """A project whose nodes are in the store."""
    with (work.folder / "ops.py").open("a") as file:
        file.write(OPS)
    work.write("recipe.toml", RECIPE)
    return work


@pytest.mark.heavy
def test_glue_10_statistics_are_a_page_with_plots(made, cli):
    """A table of all facts, bars of labels and of truncation, a histogram of lengths for each split."""
    assert cli("prepare", "recipe.toml").code == 0

    done = cli("inspect", "facts", "--html", "facts.html")

    page = Page((made.folder / "facts.html").read_text())
    assert (done.code, done.out) == (0, f"{made.folder / 'facts.html'}\n")
    assert page.count("svg") == 5  # labels and lengths of two splits, and what is truncated
    assert page.count("rect") >= 2 * 2 + 2 * 5 + 2
    for text in ("label pos", "20 (66.7%)", "labels in label", "lengths in words", "train", "words p95",
                 "rows that lost tokens", "truncated", "25.0%", "where it comes from"):  # fmt: skip
        assert text in page.texts
    assert any(text.startswith("8 (26.7%)") for text in page.texts)


@pytest.mark.heavy
def test_the_page_stands_alone(made, cli):
    """No script, no address, no file is asked for."""
    cli("prepare", "recipe.toml")
    cli("inspect", "facts", "--html", "facts.html")
    cli("inspect", "rows", "--html", "rows.html")

    for name in ("facts.html", "rows.html"):
        content = (made.folder / name).read_text()
        page = Page(content)
        assert not {"script", "link", "img", "iframe", "object", "a", "base"} & {
            t for t, _ in page.tags
        }
        assert not [a for _, attributes in page.tags for a in attributes if a.startswith("on")]
        assert not {"src", "href", "xlink:href"} & {a for _, found in page.tags for a in found}
        assert not re.search(r"https?:|url\(|@import", content)


@pytest.mark.heavy
def test_what_comes_from_the_data_is_escaped(made, cli):
    """Texts, labels and parameters are no markup, and no control characters."""
    evil = r"""<script>alert(1)</script>\"'&\u001b"""
    made.edit("recipe.toml", 'use = "table"', f'use = "table"\nevil = "{evil}"')
    assert cli("prepare", "recipe.toml").code == 0

    for node in ("facts", "rows"):
        cli("inspect", node, "--html", "page.html")

        content = (made.folder / "page.html").read_text()
        assert "<script" not in content
        assert "&lt;script&gt;" in content
        assert "\x1b" not in content
        Page(content)


@pytest.mark.heavy
def test_other_nodes_are_a_page_with_schema_counts_and_rows(made, cli):
    """What the terminal shows of them; `--rows` and `--columns` hold there too."""
    cli("prepare", "recipe.toml")

    done = cli("inspect", "rows", "--html", "rows.html", "--rows", "2", "--columns", "text")

    page = Page((made.folder / "rows.html").read_text())
    assert done.code == 0
    for text in (
        "columns",
        "truncated",
        "rows of train",
        "rows of test",
        "values in label",
        "30",
        "pos",
    ):
        assert text in page.texts
    assert page.texts.count("word") + page.texts.count("word word") >= 1


def test_a_plain_value_is_on_the_page(work, cli):
    """A node that gives a list; nothing heavy is imported for it."""
    cli("prepare", "recipe.toml")

    assert cli("inspect", "sum", "recipe.toml", "--html", "sum.html").code == 0

    assert "[10, 12, 14, 16]" in Page((work.folder / "sum.html").read_text()).texts


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--html", "nowhere/x.html"), "--html: there is no folder 'nowhere'"),
        (("--html", "."), "--html: '.' is a folder; name a file in it"),
        (("--html", "x.html", "--json"), "--html does not go with --json"),
        (("--html", "x.html", "--repl"), "--html does not go with --repl"),
    ],
)
def test_a_page_that_cannot_be(work, cli, arguments, problem):
    """The request was wrong; nothing is written."""
    cli("prepare", "recipe.toml")

    done = cli("inspect", "sum", "recipe.toml", *arguments)

    assert (done.code, done.err) == (2, f"error: {problem}\n")
    assert not list(work.folder.glob("*.html*"))


def test_a_page_of_nothing_says_how_to_make_it(cli):
    """A node that has never run."""
    done = cli("inspect", "sum", "recipe.toml", "--html", "x.html")

    assert done.code == 2
    assert "nothing stored yet for 'sum'; mlrecipe prepare recipe.toml sum" in done.err


@pytest.mark.heavy
def test_statistics_are_a_table_in_the_terminal(made, cli):
    """The same that `prepare` prints, with every label, instead of JSON."""
    cli("prepare", "recipe.toml")

    done = cli("inspect", "facts")

    lines = [re.split(r"\s{2,}", line.strip()) for line in done.out.splitlines()]
    assert ["train", "test"] in lines
    assert ["label pos", "20 (66.7%)", "8 (66.7%)"] in lines
    assert ["rows also in train", "12"] in lines
    assert '"splits"' not in done.out
    assert "also" in done.out


@pytest.mark.heavy
@pytest.mark.parametrize(("data", "told"), [("rows", {"test"}), ("other", set())])
def test_training_knows_what_the_statistics_have_told(made, cli, data: str, told: set[str]):
    """Rows that splits share are told of once, where the node is of the data that are learnt from."""
    from mlrecipe.cli.prepare import carry_out
    from mlrecipe.cli.session import Session, Settings
    from mlrecipe.training.conduct import _told

    made.edit("recipe.toml", "[nodes.facts]", '[nodes.other]\nuse = "table"\n[nodes.facts]')
    session, settings = Session.of("recipe.toml"), Settings(is_quiet=True)
    request = session.open(None, settings=settings)
    records = carry_out(session, request, settings)
    train = SimpleNamespace(data=data, train_split="train")
    asked = SimpleNamespace(
        graph=request.graph, loaded=SimpleNamespace(recipe=SimpleNamespace(train=train))
    )

    assert _told(asked, records, session.store) == told


def test_prepare_prints_few_warnings_of_a_node(capsys):
    """Five lines at most, the last of which says where the others are; `inspect` prints all."""
    found = {"warnings": [f"w{number}" for number in range(14)]}

    statistics.warn("facts", found)
    few = capsys.readouterr().err.splitlines()
    statistics.warn("facts", found, most=None)
    every = capsys.readouterr().err.splitlines()
    statistics.warn("facts", {"warnings": found["warnings"][:5]})
    five = capsys.readouterr().err.splitlines()

    assert few == [*[f"warning: w{i}" for i in range(4)],
                   "warning: and 10 more: mlrecipe inspect facts"]  # fmt: skip
    assert (len(every), len(five)) == (14, 5)


@pytest.mark.heavy
def test_many_labels_are_summed_up_by_prepare(made, cli):
    """It lists nine and the sum of the others; `inspect` lists all. Zeros that say something stay."""
    with (made.folder / "ops.py").open("a") as file:
        file.write('''

@mlrecipe.op("many")
def many():
    """Rows with forty labels, and numbers from 0 on."""
    from datasets import Dataset

    rows = range(80)
    return Dataset.from_dict({"label": [f"l{i % 40:02}" for i in rows], "score": [i / 10 for i in rows]})
''')
    made.edit("recipe.toml", 'use = "table"', 'use = "many"')
    made.edit("recipe.toml", 'inputs = ["rows"]', 'inputs = ["rows"]\nlabel = ["label", "score"]')

    prepared = cli("prepare", "recipe.toml").out
    inspected = cli("inspect", "facts").out

    assert prepared.count("label label l") == 9
    assert re.search(r"label 31 more labels +62", prepared)
    assert inspected.count("label label l") == 40
    assert re.search(r"score label min +0\.0", prepared)
    assert re.search(r"score label max +7\.9", prepared)
