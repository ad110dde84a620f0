"""Shards: the same output in pieces, each stored as it is done and computed once."""

from __future__ import annotations

import shutil

import pytest

from mlrecipe.errors import OpError, RecipeError
from mlrecipe.events import NodeFinished
from mlrecipe.pipeline.request import open_request
from mlrecipe.recipe.schema import Overrides
from tests.projects import Work

OPS = '''
import os
import time


@mlrecipe.op("twice", rowwise=True)
def twice(values, *, wrong: int | None = None, dies_at: int | None = None):
    """Each value twice, odd ones left out; notes what it saw."""
    note(f"twice:{','.join(map(str, values))}")
    if wrong in values:
        raise mlrecipe.DataError(f"row {values.index(wrong)} is wrong", key="wrong")
    if dies_at in values and not Path(__file__).with_name("heal").exists():
        os.kill(os.getpid(), 9)
    return [2 * v for v in values if v % 2 == 0]


@mlrecipe.op("meet", rowwise=True)
def meet(values, *, offset: int = 0):
    """Ends well only while as many are at work as there are rows."""
    here = Path(__file__).parent
    (here / f"row{values[0]}").write_text("")
    end = time.monotonic() + 30
    while len(list(here.glob("row*"))) < 2:
        assert time.monotonic() < end, "the other never came"
        time.sleep(0.01)
    time.sleep(0.2)  # both at once
    return [v + offset for v in values]


@mlrecipe.op("sum-up", rowwise=True)
def sum_up(values):
    """No rows."""
    return sum(values)


@mlrecipe.op("plus", rowwise=True)
def plus(values, others):
    """Takes a second input whole."""
    return [v + sum(others) for v in values]
'''

RECIPE = """
name = "x"
plugins = ["ops.py"]
[nodes.all]
use = "numbers"
count = 10
[nodes.out]
use = "twice"
inputs = "all"
"""


@pytest.fixture
def sharded(work):
    """A project with ops that can run in shards."""
    with (work.folder / "ops.py").open("a") as file:
        file.write(OPS)
    work.write("recipe.toml", RECIPE)
    return work


def copy_of(work, folder):
    """Another project with the same files and a store of its own."""
    other = Work(folder / "other")
    left_out = shutil.ignore_patterns(".mlrecipe")
    shutil.copytree(work.folder, other.folder, dirs_exist_ok=True, ignore=left_out)
    return other


def saw(work):
    """What the op saw at each of its runs."""
    return [n.partition(":")[2] for n in work.ran() if n.startswith("twice")]


def digest(work, *overrides, jobs=1):
    results = work.prepare(*overrides, jobs=jobs)
    results.raise_failures()
    return results.records["out"].digest


@pytest.mark.parametrize("rows", [0, 1, 2, 10])
def test_the_output_does_not_depend_on_the_number_of_shards(sharded, tmp_path, rows):
    """With more rows than shards, as many, fewer and none."""
    found = set()
    for shards in (1, 3, 7):
        other = copy_of(sharded, tmp_path / str(shards))
        found.add(digest(other, f"nodes.all.count={rows}", f"nodes.out.shards={shards}"))

    assert len(found) == 1


def test_each_shard_sees_its_own_rows(sharded):
    """Runs of rows in their order, the longer ones first."""
    digest(sharded, "nodes.out.shards=3")

    assert saw(sharded) == ["0,1,2,3", "4,5,6", "7,8,9"]


def test_shards_are_no_part_of_the_fingerprint(sharded):
    """Another number of them is a hit."""
    digest(sharded, "nodes.out.shards=3")
    sharded.ran()

    assert (
        sharded.statuses("nodes.out.shards=5") == sharded.statuses() == {"all": "hit", "out": "hit"}
    )
    digest(sharded, "nodes.out.shards=5")
    assert sharded.ran() == []


def test_shards_run_at_once(sharded):
    """Each of two ends only while the other is at work."""
    sharded.edit("recipe.toml", 'use = "twice"', 'use = "meet"\nshards = 2\noffset = 1')

    results = sharded.prepare(jobs=2)

    results.raise_failures()
    assert sharded.store.load(results.records["out"]) == list(range(1, 11))


def test_shards_in_workers_give_the_same(sharded, tmp_path):
    """And each is computed once."""
    other = copy_of(sharded, tmp_path)

    assert digest(sharded, "nodes.out.shards=3", jobs=3) == digest(other)
    assert sorted(saw(sharded)) == ["0,1,2,3", "4,5,6", "7,8,9"]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_after_a_kill_only_missing_shards_run(sharded, jobs):
    """Those that were done are in the store."""
    options = ["--set", "nodes.out.shards=5", "--set", "nodes.out.dies_at=4", "-j", jobs]
    assert sharded.run("prepare", "recipe.toml", *options).code in (1, -9)
    first = saw(sharded)
    assert "4,5" in first

    sharded.write("heal", "")
    done = sharded.run("prepare", "recipe.toml", *options)

    assert done.code == 0, done.err
    again = saw(sharded)
    assert "4,5" in again
    assert "0,1" not in again
    assert sorted({*first, *again}) == ["0,1", "2,3", "4,5", "6,7", "8,9"]
    assert len(first) + len(again) == 6  # one of them twice: that which was killed


def test_a_failing_shard_leaves_the_others_that_are_done(sharded):
    """Its error names the shard, in which rows were counted; no further one is begun."""
    results = sharded.prepare("nodes.out.shards=3", "nodes.out.wrong=5")

    with pytest.raises(RecipeError) as caught:
        results.raise_failures()
    assert str(caught.value) == "--set #2  nodes.out.wrong: row 1 is wrong (in shard 2/3)"
    assert list(results.failures) == ["out"]
    assert saw(sharded) == ["0,1,2,3", "4,5,6"]


def test_what_is_forced_is_computed_anew_in_all_its_shards(sharded):
    """In this process and in others, once each."""
    first = digest(sharded, "nodes.out.shards=2")
    sharded.ran()

    for jobs in (1, 2):
        results = sharded.prepare("nodes.out.shards=2", force=["out"], jobs=jobs)
        results.raise_failures()
        assert results.records["out"].digest == first
        assert sorted(saw(sharded)) == ["0,1,2,3,4", "5,6,7,8,9"]


def test_what_is_never_cached_runs_in_all_its_shards_each_time(sharded):
    """Its shards are not reused either."""
    for _ in range(2):
        digest(sharded, "nodes.out.shards=2", "nodes.out.cache=false")
        assert saw(sharded) == ["0,1,2,3,4", "5,6,7,8,9"]


def test_other_inputs_are_given_whole(sharded):
    """Only the first is cut."""
    sharded.edit("recipe.toml", 'use = "twice"\ninputs = "all"',
                 'use = "plus"\ninputs = ["all", "all"]\nshards = 4')  # fmt: skip

    results = sharded.prepare()

    results.raise_failures()
    assert sharded.store.load(results.records["out"]) == [45 + v for v in range(10)]


def test_shards_do_not_hide_the_last_output_of_their_node(sharded):
    """Why it runs is still told from its own last run."""
    digest(sharded, "nodes.out.shards=2")

    assert sharded.reasons("out", "nodes.out.wrong=7") == ["wrong none → 7"]


def test_a_node_of_which_only_shards_are_stored_was_never_run(sharded):
    """They are other computations than the node."""
    sharded.prepare("nodes.out.shards=2", "nodes.out.wrong=9")

    assert saw(sharded)[0] == "0,1,2,3,4"
    assert sharded.reasons("out", "nodes.out.wrong=9") == ["never run before"]


def test_a_sharded_node_costs_what_its_shards_cost(sharded, heard):
    """CPU time is summed, whoever spent it and when."""
    results = sharded.prepare("nodes.out.shards=4", jobs=2)

    results.raise_failures()
    told = {e.node for e in heard if isinstance(e, NodeFinished)}
    assert told == {"all", "out[1/4]", "out[2/4]", "out[3/4]", "out[4/4]", "out"}
    shards = [r for r in sharded.store.every() if r.node.startswith("out[")]
    assert results.records["out"].cpu_seconds > sum(r.cpu_seconds for r in shards) > 0


def test_shards_that_ran_at_once_took_no_longer_than_the_clock(sharded):
    """What was done while 6 s went by was not done in 9 s."""
    sharded.write("recipe.toml", RECIPE.replace('use = "twice"', 'use = "meet"\nshards = 2')
                  .replace("count = 10", "count = 2"))  # fmt: skip

    results = sharded.prepare(jobs=2)

    results.raise_failures()
    shards = [r.seconds for r in sharded.store.every() if r.node.startswith("out[")]
    assert max(shards) < results.records["out"].seconds < sum(shards)


def test_a_shard_that_fails_is_named(sharded):
    """Not its node alone: which rows are to be looked at."""
    sharded.edit("ops.py", "        raise mlrecipe.DataError(", "        raise ValueError(")
    sharded.edit("ops.py", ', key="wrong")', ")")

    with pytest.raises(OpError, match=r"ValueError: row 0 is wrong \(in shard 2/2"):
        sharded.prepare("nodes.out.shards=2", "nodes.out.wrong=5").raise_failures()


# ------------------------------------------------------------------------------------------ refused


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('use = "twice"', 'use = "scale"\nshards = 2',
         "recipe.toml:8:1  nodes.out.shards: op 'scale' cannot run in shards: it is not declared to treat "
         "each row by itself (rowwise=True in its decorator)"),
        ("count = 10", "shards = 2",
         "recipe.toml:5:1  nodes.all.shards: op 'numbers' cannot run in shards: it is not declared to treat "
         "each row by itself (rowwise=True in its decorator)"),
        ('use = "twice"', 'use = "twice"\nshards = 0',
         "recipe.toml:8:1  nodes.out.shards: expected at least 1, got 0"),
        ('use = "twice"', 'use = "twice"\nshards = "2"',
         "recipe.toml:8:1  nodes.out.shards: expected an integer, got the text '2'"),
    ],
)  # fmt: skip
def test_shards_that_cannot_be_are_found_at_check_time(sharded, old, new, problem):
    """With file and line."""
    sharded.edit("recipe.toml", old, new)

    (found,) = sharded.problems()
    assert found.partition(":")[0] == "recipe.toml"
    assert found == problem


def test_one_shard_is_allowed_of_any_op(sharded):
    """So that it can be switched off from the command line."""
    sharded.edit("recipe.toml", 'use = "twice"', 'use = "scale"\nshards = 1')

    digest(sharded)


def test_an_op_may_have_no_parameter_of_that_name(sharded):
    """It is a key of every node."""
    sharded.edit(
        "ops.py", "def plus(values, others):", "def plus(values, others, *, shards: int = 1):"
    )

    assert any("an op may not have a parameter 'shards'" in text for text in sharded.problems())


def test_shards_stay_when_a_later_layer_takes_another_op(sharded):
    """Like the other keys of a node that are no parameters."""
    with (sharded.folder / "recipe.toml").open("a") as file:
        file.write('shards = 2\nwrong = 4\n[variant.way.other.nodes.out]\nuse = "meet"\n')
    request = open_request(
        sharded.folder / "recipe.toml", Overrides(picks=("way=other",)), here=sharded.folder
    )

    spec = request.graph.nodes["out"].spec
    assert (spec.use, spec.shards, dict(spec.params)) == ("meet", 2, {})


def test_an_output_without_rows_is_refused(sharded):
    """At the node's shards, with what it gave."""
    sharded.edit("recipe.toml", 'use = "twice"', 'use = "sum-up"\nshards = 2')

    with pytest.raises(
        RecipeError, match=r"recipe.toml:8:1  nodes.out.shards: .*'int', which has no rows"
    ):
        sharded.prepare().raise_failures()


def test_an_input_without_rows_is_refused(sharded):
    """At the node's shards."""
    sharded.edit("recipe.toml", 'inputs = "all"', 'inputs = "all"\nshards = 2')
    sharded.edit("ops.py", "    return list(range(start, start + count))", "    return {'a': 1}")

    with pytest.raises(
        RecipeError, match=r"nodes.out.shards: a value of type 'dict' cannot be cut"
    ):
        sharded.prepare().raise_failures()


# --------------------------------------------------------------------------------------- data sets


TABLES = '''
@mlrecipe.op("rows")
def rows(*, sizes: dict[str, int]):
    """Splits of so many rows, with texts, numbers and classes."""
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

    features = Features({"text": Value("string"), "n": Value("int64"), "label": ClassLabel(names=["a", "b"])})
    def split(size):
        data = {"text": [f"row {i} has {'many ' * (i % 5)}words" if i % 7 else None for i in range(size)],
                "n": list(range(size)), "label": [i % 2 for i in range(size)]}
        return Dataset.from_dict(data, features=features)
    return DatasetDict({name: split(size) for name, size in sizes.items()})


@mlrecipe.op("longer", rowwise=True)
def longer(data):
    """With a new column."""
    from datasets.utils.logging import disable_progress_bar

    disable_progress_bar()
    return data.map(lambda row: {"length": len(row["text"] or "")})


@mlrecipe.op("guess", rowwise=True)
def guess(data):
    """Not by rows: the type of the new column depends on the rows that there are."""
    from datasets import Dataset

    def values(split):
        return [1.5 if n > 6 else n for n in split["n"]] if max(split["n"]) > 6 else list(split["n"])
    return Dataset.from_dict({"m": values(data)})
'''

SIZES = "{ train = 23, valid = 2, test = 0 }"


@pytest.fixture
def tables(work):
    """A project with data sets."""
    with (work.folder / "ops.py").open("a") as file:
        file.write(TABLES)
    work.write(
        "recipe.toml",
        f"""
        name = "x"
        plugins = ["ops.py"]
        [nodes.all]
        use = "rows"
        sizes = {SIZES}
        [nodes.full]
        use = "filter"
        inputs = "all"
        column = "text"
        not_empty = true
        shards = 1
        [nodes.renamed]
        use = "rename"
        inputs = "full"
        columns = {{ n = "number" }}
        shards = 1
        [nodes.out]
        use = "longer"
        inputs = "renamed"
        shards = 1
    """,
    )
    return work


@pytest.mark.long
@pytest.mark.heavy
@pytest.mark.parametrize("shards", [3, 7])
def test_data_sets_are_the_same_in_shards(tables, tmp_path, shards):
    """Built-in ops and one that adds a column; splits with fewer rows than shards, and with none."""
    other = copy_of(tables, tmp_path)
    nodes = ("full", "renamed", "out")

    whole = tables.prepare()
    pieces = other.prepare(*(f"nodes.{name}.shards={shards}" for name in nodes))

    whole.raise_failures()
    pieces.raise_failures()
    assert {n: pieces.records[n].digest for n in nodes} == {
        n: whole.records[n].digest for n in nodes
    }
    assert pieces.records["out"].summary == whole.records["out"].summary
    assert dict(whole.records["out"].summary["rows"]) == {"train": 19, "valid": 1, "test": 0}


@pytest.mark.long
@pytest.mark.heavy
@pytest.mark.parametrize("is_pair", [False, True])
def test_tokens_are_the_same_in_shards(tables, tmp_path, is_pair):
    """Of texts and of pairs; encoded by words or by rows."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(
        models.WordLevel({"[UNK]": 0, "row": 1, "has": 2, "many": 3}, unk_token="[UNK]")
    )
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="[UNK]", pad_token="[UNK]"
    ).save_pretrained(tables.folder / "words")
    tables.edit(
        "recipe.toml", 'use = "longer"\ninputs = "renamed"',
        'use = "tokenize"\ninputs = "full"\ntokenizer = "words"\nmax_length = 5\nnum_workers = 1'
        + ('\ntext = "text"\ntext_pair = "text"' if is_pair else ""),
    )  # fmt: skip
    other = copy_of(tables, tmp_path)

    whole, pieces = tables.prepare(), other.prepare("nodes.out.shards=3")

    whole.raise_failures()
    pieces.raise_failures()
    assert pieces.records["out"].digest == whole.records["out"].digest


@pytest.mark.heavy
def test_shards_are_put_together_without_being_read(tmp_path):
    """What is to be written is mapped from the shards' files: memory is bounded."""
    import pyarrow as pa
    from datasets import Dataset

    from mlrecipe.builtin.formats.dataset import DatasetFormat

    parts = []
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        DatasetFormat().save(Dataset.from_dict({"text": ["x" * 1000] * 5000}), folder)
        parts.append(DatasetFormat().load(folder))
    before = pa.total_allocated_bytes()

    joined = DatasetFormat().join(parts)

    assert len(joined) == 15_000
    assert pa.total_allocated_bytes() - before < 1 << 20


@pytest.mark.heavy
def test_no_more_shards_than_rows(tables, heard):
    """The largest split decides."""
    tables.prepare(
        "nodes.full.shards=7", "nodes.all.sizes.train=4", nodes=["full"]
    ).raise_failures()

    told = [e.node for e in heard if isinstance(e, NodeFinished)]
    assert told == ["all", "full[1/4]", "full[2/4]", "full[3/4]", "full[4/4]", "full"]


@pytest.mark.heavy
def test_shards_that_do_not_go_together_are_refused(tables):
    """An op that says it treats each row by itself, and does not."""
    tables.edit("recipe.toml", 'use = "longer"\ninputs = "renamed"',
                'use = "guess"\ninputs = "all.train"')  # fmt: skip

    with pytest.raises(RecipeError) as caught:
        tables.prepare("nodes.out.shards=4", nodes=["out"]).raise_failures()

    assert (
        "nodes.out.shards: shards 1 and 2 gave different columns: 'm' is Value('int64') and"
        in str(caught.value)
    )


@pytest.mark.heavy
def test_the_place_of_a_shard_is_told_with_its_first_rows(tables):
    """For errors that count rows."""
    with (tables.folder / "ops.py").open("a") as file:
        file.write('\n\n@mlrecipe.op("picky", rowwise=True)\ndef picky(data):\n'
                   "    if 20 in data['train']['n']:\n"
                   "        raise mlrecipe.DataError('row 4 is wrong')\n    return data\n")  # fmt: skip
    tables.edit(
        "recipe.toml", 'use = "longer"\ninputs = "renamed"', 'use = "picky"\ninputs = "all"'
    )

    results = tables.prepare("nodes.out.shards=3", nodes=["out"])

    assert (
        "row 4 is wrong (in shard 3/3, from row 16 of 'train', row 2 of 'valid', row 0 of 'test' on)"
        in str(results.failures["out"])
    )


def test_a_failed_op_in_a_shard_is_an_error_of_its_node(sharded):
    """With the line of the project where it came from."""
    sharded.edit("ops.py", "    return [2 * v", "    values[9]\n    return [2 * v")

    results = sharded.prepare("nodes.out.shards=2")

    with pytest.raises(
        OpError, match=r"node 'out' \(op 'twice'\) failed at ops.py:\d+: IndexError"
    ):
        results.raise_failures()
