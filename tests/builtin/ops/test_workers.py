"""Ops that share their work out among processes or threads: the same bytes for any number of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value

from mlrecipe import DataError
from mlrecipe.builtin.formats.dataset import DatasetDictFormat
from mlrecipe.builtin.ops import _workers
from mlrecipe.builtin.ops.statistics import statistics
from mlrecipe.store import values
from tests.projects import ROOT, Work, work

__all__ = ["work"]

ROWS = 25_000
"""Three pieces of work, the last one not full."""


def large() -> DatasetDict:
    """Splits with everything that is looked at."""
    features = Features(
        {"text": Value("string"), "second": Value("string"), "label": ClassLabel(names=["a", "b", "c"]),
         "score": Value("float32"), "tags": List(Value("string")), "truncated": Value("bool"),
         "input_ids": List(Value("int32"))}
    )  # fmt: skip

    def split(rows: int, start: int) -> Dataset:
        numbers = range(start, start + rows)
        columns = {
            "text": [None if i % 97 == 0 else f"{i % 20_011} has {'many ' * (i % 7)}words" for i in numbers],
            "second": [f"and {i % 20_011} more" for i in numbers],
            "label": [i % 4 - 1 for i in numbers],
            "score": [None if i % 89 == 0 else (i % 501) / 100.1 for i in numbers],
            "tags": [[f"t{k}" for k in range(i % 4)] for i in numbers],
            "truncated": [i % 13 == 0 for i in numbers],
            "input_ids": [list(range(i % 31)) for i in numbers],
        }  # fmt: skip
        return Dataset.from_dict(columns, features=features)

    return DatasetDict(train=split(ROWS, 0), valid=split(1, 3), test=split(12_000, 18_000))


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> DatasetDict:
    """The same, mapped from files as every op gets it."""
    folder = tmp_path_factory.mktemp("large")
    DatasetDictFormat().save(large(), folder)
    return DatasetDictFormat().load(folder)


@pytest.mark.long
def test_glue_9_statistics_are_the_same_for_any_number_of_workers(stored):
    """Byte for byte, with every column that can be looked at."""
    columns = {"text": ["text", "second"], "label": ["label", "score", "tags"]}

    one = statistics(stored, **columns)
    several = statistics(stored, **columns, num_workers=3)

    assert values.encode(several) == values.encode(one)


def test_glue_9_workers_together_see_all_rows(stored):
    """Counts over all of them, duplicates and overlaps between the rows of different workers included."""
    found = statistics(stored, text="second", label="label", num_workers=2)["splits"]

    assert {name: facts["rows"] for name, facts in found.items()} == {
        "train": ROWS, "valid": 1, "test": 12_000
    }  # fmt: skip
    for facts in found.values():
        labels = facts["labels"]["label"]
        assert sum(labels["rows"].values()) + labels["unlabelled"] == facts["rows"]
        assert sum(facts["length"]["histogram"]["rows"]) == facts["rows"]
    assert found["train"]["duplicates"] == ROWS - 20_011
    assert found["test"]["overlap"] == {"train": 12_000, "valid": 1}
    assert found["train"]["truncated"] == len(range(0, ROWS, 13))


def twice(factor: int, number: int) -> int:
    """A piece of work."""
    return factor * number


def slow_first(delay: float, number: int) -> int:
    """A piece of work of which the first takes longest."""
    time.sleep(delay if number == 0 else 0)
    return number


def die(_: None, number: int) -> int:
    """A piece of work that ends its process."""
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_a_number_of_workers_that_cannot_be_is_found_by_check(work):
    """Before anything runs."""
    work.write(
        "recipe.toml",
        """
        name = "x"
        [nodes.rows]
        use = "load-files"
        train = "rows.csv"
        [nodes.facts]
        use = "statistics"
        inputs = ["rows"]
        num_workers = 0
        """,
    )
    work.write("rows.csv", "text,label\na b,c\n")

    (problem,) = work.problems()

    assert problem == "recipe.toml:8:1  nodes.facts.num_workers: expected at least 1, got 0"


def test_results_come_in_the_order_of_the_pieces():
    """Whichever is done first, and more pieces than are given out at once."""
    assert list(_workers.in_order(slow_first, 0.3, range(20), num_workers=2)) == list(range(20))
    assert list(_workers.in_order(twice, 3, [4, 5], num_workers=1)) == [12, 15]
    assert list(_workers.in_order(twice, 3, [], num_workers=4)) == []


def test_a_worker_that_dies_is_an_error():
    """It says what to do."""
    with pytest.raises(
        DataError, match=r"num_workers: one of the worker processes has died; perhaps"
    ):
        list(_workers.in_order(die, None, range(8), num_workers=2))


SLOWLY = """
    import os, pathlib, time

    def slowly(settings, number):
        folder, seconds = settings
        path = pathlib.Path(folder, f"pid{number}")
        path.with_suffix(".new").write_text(str(os.getpid()))
        path.with_suffix(".new").rename(path)
        time.sleep(seconds)
"""

MAIN = """
    import os, pathlib, sys, time
    from mlrecipe.builtin.ops import _workers
    from slowly import slowly

    if __name__ == "__mp_main__":  # a worker that is starting
        pathlib.Path(__file__).with_name(f"started{os.getpid()}").touch()
        time.sleep(0.5)
    if __name__ == "__main__":
        try:
            list(_workers.in_order(slowly, (sys.argv[1], float(sys.argv[2])), range(2), num_workers=2))
        except KeyboardInterrupt:
            print("interrupted")
"""


@pytest.fixture
def start(tmp_path):
    """A function that starts a process with two workers, each of which is at work for so many seconds."""
    (tmp_path / "slowly.py").write_text(dedent(SLOWLY))
    (tmp_path / "main.py").write_text(dedent(MAIN))

    def start(seconds: float) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(tmp_path / "main.py"), str(tmp_path), str(seconds)],
            env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    return start


def test_workers_end_with_the_process_that_started_them(start, tmp_path):
    """Even if it is killed."""
    with start(60) as process:
        wait(lambda: len(list(tmp_path.glob("pid[01]"))) == 2)
        process.kill()
        pids = [int(path.read_text()) for path in tmp_path.glob("pid[01]")]

        assert wait(lambda: not any(is_alive(pid) for pid in pids))


def test_a_ctrl_c_is_not_for_workers(start, tmp_path):
    """Whatever they are at, starting included, nothing but their parent speaks of it."""
    with start(0.1) as process:
        assert wait(lambda: len(list(tmp_path.glob("started*"))) == 2)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)

    assert (out, err) == ("interrupted\n", "")


def wait(is_so) -> bool:
    """Whether it becomes so within half a minute."""
    end = time.monotonic() + 30
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def is_alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


TOKENIZE = """
    import hashlib, sys
    from pathlib import Path
    from datasets import Dataset
    from mlrecipe.builtin.ops.tokenize import tokenize

    texts = [f"row {i} has {'many ' * (i % 40)}words, isn't it" for i in range(300)]
    data = Dataset.from_dict({"text": texts, "second": texts[::-1]})
    for name, pair in (("words", None), ("rows", None), ("words", "second")):
        scratch = Path(sys.argv[1], f"{name}{pair}"); scratch.mkdir(parents=True)
        tokenize(data, tokenizer=sys.argv[2] + "/" + name, text_pair=pair, max_length=20,
                 num_workers=int(sys.argv[3]), batch_rows=50, scratch=scratch)
        print(hashlib.sha256((scratch / "0.arrow").read_bytes()).hexdigest())
"""


@pytest.mark.long
@pytest.mark.heavy
def test_glue_9_tokens_are_the_same_for_any_number_of_threads(tmp_path):
    """The files' bytes: by words, by rows, and of pairs; in a process each, for it reads the number once."""
    tokenizers_in(tmp_path / "tokenizers")
    found = []
    for workers in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", dedent(TOKENIZE), str(tmp_path / workers),
             str(tmp_path / "tokenizers"), workers],
            env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        found.append(done.stdout.split())

    assert len(set(found[0])) == 3
    assert found[0] == found[1]


def tokenizers_in(folder: Path) -> None:
    """Two tokenizers: one that can be used by words, and one that cannot."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = "[UNK] [CLS] [SEP] row has many words , isn ' t it".split()
    for name, splitter in (
        ("words", pre_tokenizers.BertPreTokenizer()),
        ("rows", pre_tokenizers.Metaspace()),
    ):
        made = Tokenizer(models.WordPiece({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
        made.normalizer = normalizers.BertNormalizer()
        made.pre_tokenizer = splitter
        made.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
        PreTrainedTokenizerFast(tokenizer_object=made, unk_token="[UNK]").save_pretrained(
            folder / name
        )


OWN = '''
    from __future__ import annotations

    import mlrecipe


    @mlrecipe.op("rows")
    def rows(*, count: int):
        """Splits with texts and numbers."""
        from datasets import Dataset, DatasetDict

        def split(size):
            return Dataset.from_dict({"text": [f"row {i}" if i % 7 else "" for i in range(size)],
                                      "n": list(range(size))})
        return DatasetDict({"train": split(count), "valid": split(2)})


    @mlrecipe.op("strip", rowwise=True)
    def strip(data):
        """A new column."""
        from datasets.utils.logging import disable_progress_bar

        disable_progress_bar()
        return data.map(lambda row: {"short": row["text"][4:]})
'''

RECIPE = """
    name = "x"
    plugins = ["ops.py"]
    [nodes.all]
    use = "rows"
    count = 23
    [nodes.full]
    use = "filter"
    inputs = "all"
    column = "text"
    not_empty = true
    shards = SHARDS
    [nodes.renamed]
    use = "rename"
    inputs = "full"
    columns = { n = "number" }
    shards = SHARDS
    [nodes.own]
    use = "strip"
    inputs = "renamed"
    shards = SHARDS
"""


@pytest.mark.long
@pytest.mark.heavy
def test_glue_9_shards_and_jobs_do_not_change_the_output(tmp_path):
    """Built-in ops by rows and one of a user's, in one piece or several, by one process or several."""
    digests = {}
    for shards in (1, 3):
        for jobs in (1, 2):
            project = Work(tmp_path / f"{shards}-{jobs}")
            project.write("ops.py", OWN)
            project.write("recipe.toml", RECIPE.replace("SHARDS", str(shards)))
            results = project.prepare(jobs=jobs)
            results.raise_failures()
            digests[shards, jobs] = {name: r.digest for name, r in results.records.items()}

    assert len(set(digests[1, 1].values())) == 4
    assert list(digests.values()) == [digests[1, 1]] * 4


@pytest.mark.heavy
def test_the_example_of_the_page_on_parallel_work_runs(work):
    """The op and the recipe that it shows give the same in one piece and in several."""
    page = (ROOT / "docs/how-to/parallel.md").read_text()
    for name in ("clean.py", "reviews.toml"):
        text = page.partition(f"# {name}\n")[2].partition("```")[0]
        assert text
        work.write(name, text)
    work.write(
        "reviews.csv", "text,label\n" + "".join(f"<b>row {i}</b>,{i % 2}\n" for i in range(9))
    )

    one = work.run("prepare", "reviews.toml", "--set", "nodes.clean.shards=1")
    digest = work.store.latest("reviews.toml", "clean").digest
    several = work.run("prepare", "reviews.toml", "--jobs", "2", "--force", "clean")

    assert (one.code, several.code) == (0, 0), one.err + several.err
    assert work.store.latest("reviews.toml", "clean").digest == digest
    assert (
        work.store.load(work.store.latest("reviews.toml", "clean"))["train"]["text"][3] == "row 3"
    )
