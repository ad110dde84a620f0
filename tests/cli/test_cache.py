"""`mlrecipe cache`: looking at the store, checking it, and making room in it."""

from __future__ import annotations

import json
import os
import re
import shutil
import time

import pytest

from mlrecipe.cli import amounts, complete
from mlrecipe.cli.app import GROUPS
from mlrecipe.errors import RequestError

LONG = ["--set", "nodes.first.count=30000", "--set", "nodes.second.count=30000"]
TWICE = '''

@mlrecipe.op("twice", rowwise=True)
def twice(values):
    """Each value twice."""
    note("twice")
    return [2 * v for v in values]
'''
SLOW = '''

@mlrecipe.op("slow")
def slow(values):
    """The values, once somebody says so."""
    import time
    note("slow")
    while not Path(__file__).with_name("go").exists():
        time.sleep(0.01)
    return values
'''


@pytest.fixture
def prepared(cli):
    """The project's recipe with small outputs, then with large ones."""
    assert cli("prepare", "recipe.toml").code == 0
    assert cli("prepare", "recipe.toml", *LONG).code == 0
    return cli


@pytest.fixture
def sharded(cli, work):
    """The project's recipe with one more node, which was worked on in three shards."""
    with (work.folder / "ops.py").open("a") as file:
        file.write(TWICE)
    with (work.folder / "recipe.toml").open("a") as file:
        file.write('\n[nodes.doubled]\nuse = "twice"\ninputs = ["first"]\nshards = 3\n')
    work.edit("recipe.toml", "count = 4\n\n[nodes.second]", "count = 30000\n\n[nodes.second]")
    done = work.run("prepare", "recipe.toml")
    assert done.code == 0, done.err
    return cli


def answer(done):
    assert done.code == 0, done.err
    return json.loads(done.out)


def listed(cli, *arguments):
    return [
        (row["recipe"], row["node"]) for row in answer(cli("cache", "list", "--json", *arguments))
    ]


def removed(cli, *arguments):
    done = answer(cli("cache", "gc", "--json", "--grace", "0", *arguments))
    return sorted(row["node"] for row in done["removed"])


def age(work, seconds):
    """Make everything in the store older."""
    then = time.time() - seconds
    for path in (work.folder / ".mlrecipe/store/v1").glob("*/*/*"):
        os.utime(path, (then, then))


def flip(work):
    """Change one byte of a stored output."""
    path = next((work.folder / ".mlrecipe/store/v1/objects").glob("*/*/data/*"))
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)


# ------------------------------------------------------------------------------------------- the group


@pytest.mark.parametrize("command", GROUPS["cache"])
def test_every_command_of_the_group_explains_itself_with_an_example(cli, command):
    """`mlrecipe cache COMMAND --help`."""
    done = cli("cache", command, "--help")

    assert done.code == 0
    assert f"mlrecipe cache {command}" in " ".join(done.out.split())


def test_the_group_alone_lists_its_commands(cli):
    """With what each does."""
    out = cli("cache", "--help").out

    assert re.findall(r"^│ (\w+) ", out, re.MULTILINE) == list(GROUPS["cache"])


def test_an_unknown_command_of_the_group_names_the_nearest(cli):
    """Exit code 2."""
    done = cli("cache", "verfy")

    assert done.code == 2
    assert "no command 'cache verfy'; did you mean 'verify'?" in done.err


def test_global_options_may_stand_within_the_group(prepared):
    """Before, between and after."""
    for line in (["-v", "cache", "gc"], ["cache", "-v", "gc"], ["cache", "gc", "-v"]):
        assert "recipe.toml uses it for sum" in prepared(*line).out


def test_completion_knows_the_group(work):
    """Its commands, then what each takes."""

    def offers(line):
        words = complete.read(f"mlrecipe {line}").words
        return [found.text for found in complete.complete(words, here=work.folder)]

    assert offers("cache ") == list(GROUPS["cache"])
    assert offers("cache v") == ["verify"]
    assert offers("cache list s") == ["second", "sum", "scaled"]
    assert offers("cache rm --recipe r") == ["recipe.toml"]
    assert offers("cache gc --max") == ["--max-size"]


# ------------------------------------------------------------------------------------------------ list


def test_list_shows_every_result(prepared):
    """A line each, with what a user asks for first."""
    done = prepared("cache", "list")

    header, *rows = done.out.splitlines()
    assert header.split() == ["recipe", "node", "op", "size", "age", "last", "used", "fingerprint"]
    assert len(rows) == 8
    assert rows[0].split()[:5] == ["recipe.toml", "first", "numbers", "169", "kB"]
    assert sum(row.endswith("newest") for row in rows) == 4


def test_list_takes_nodes_and_a_recipe(prepared, work):
    """A recipe by any of its names, also when it is gone."""
    work.write(
        "recipes/other.toml", 'name = "o"\nplugins = ["../ops.py"]\n[nodes.a]\nuse = "numbers"\n'
    )
    assert prepared("prepare", "other").code == 0
    (work.folder / "recipes/other.toml").unlink()

    assert listed(prepared, "sum") == [("recipe.toml", "sum")] * 2
    row = answer(prepared("cache", "list", "--json", "sum"))[0]
    assert answer(prepared("cache", "list", "--json", row["fingerprint"][:12])) == [row]
    for name in ("other", "recipes/other.toml", "recipes/other"):
        assert listed(prepared, "--recipe", name) == [("recipes/other.toml", "a")]
    assert len(listed(prepared, "--recipe", "recipe.toml")) == 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sums"], "nothing is stored of 'sums'; did you mean 'sum'?"),
        (
            ["--recipe", "recipe.tml"],
            "nothing is stored of 'recipe.tml'; did you mean 'recipe.toml'?",
        ),
    ],
)
def test_list_of_what_is_not_there_names_the_nearest(prepared, arguments, message):
    """Exit code 2."""
    done = prepared("cache", "list", *arguments)

    assert (done.code, done.err) == (2, f"error: {message}\n")


def test_an_empty_store_is_no_error(cli, work):
    """For none of them; and nothing is made."""
    assert listed(cli) == []
    for command in ("list", "du", "verify", "gc"):
        assert cli("cache", command).err.startswith("no store at .mlrecipe/store yet\n")
    assert answer(cli("cache", "du", "--json"))["bytes"] == 0
    assert answer(cli("cache", "verify", "--json"))["ok"]
    assert removed(cli) == []
    assert not (work.folder / ".mlrecipe/store").exists()


# -------------------------------------------------------------------------------------------------- du


def test_du_adds_up(prepared, work):
    """Recipes, leftovers and the store's own files together are the total."""
    other = (work.folder / "recipe.toml").read_text().replace("count = 4\n", "count = 30000\n")
    work.write("other.toml", other.replace("start = 10", "start = 11"))
    prepared("prepare", "other.toml")

    facts = answer(prepared("cache", "du", "--json"))

    names = [share["recipes"] for share in facts["recipes"]]
    assert sorted(names) == [["other.toml"], ["other.toml", "recipe.toml"], ["recipe.toml"]]
    objects = sum(share["bytes"] for share in facts["recipes"]) + facts["unreferenced"]["bytes"]
    assert objects == facts["parts"]["objects"]
    assert facts["bytes"] == sum(facts["parts"].values())
    table = prepared("cache", "du").out
    assert "shared by other.toml, recipe.toml" in table
    assert table.splitlines()[-1].split()[0] == "total"


def test_du_tells_runs_and_recipes_that_are_gone(prepared, work):
    """A run counts what it was made from, once more."""
    make_run(work, "one", prepared)
    make_run(work, "two", prepared)
    (work.folder / "recipe.toml").unlink()

    facts = answer(prepared("cache", "du", "--json"))

    assert [share["gone"] for share in facts["recipes"]] == [["recipe.toml"]]
    assert [(run["run"], run["alone"]) for run in facts["runs"]] == [("two", 0), ("one", 0)]
    assert facts["runs"][0]["bytes"] > 100_000
    assert "recipe.toml (gone)" in prepared("cache", "du").out


# ---------------------------------------------------------------------------------------------- verify


def test_verify_of_a_whole_store_exits_0(prepared):
    """And says what was read."""
    done = prepared("cache", "verify")

    assert done.code == 0
    assert done.out.startswith(
        "everything is as it was written: 8 records and 4 objects, 755 kB in "
    )


def test_store_36_verify_finds_a_flipped_byte_and_the_next_run_recomputes(prepared, work):
    """From the command line, exit code 1."""
    flip(work)
    assert set(work.statuses(*LONG[1::2]).values()) == {"hit"}

    done = prepared("cache", "verify", "--json")

    finding, *others = json.loads(done.out)["findings"]
    assert (done.code, finding["kind"]) == (1, "damaged object")
    assert {other["kind"] for other in others} <= {"doubtful record"}  # what was made from it
    assert "v1/quarantine/" in finding["moved"]
    work.ran()
    assert prepared("prepare", "recipe.toml", *LONG, finding["users"][0][1]).code == 0
    assert work.ran() != []
    assert prepared("cache", "verify").code == 0


def test_verify_says_what_is_wrong_in_words(prepared, work):
    """What it is, whose, and where it is now."""
    flip(work)

    done = prepared("cache", "verify")

    assert done.code == 1
    first, *others, last = done.out.splitlines()
    assert first.startswith("damaged object ")
    assert all(", which is damaged" in line for line in others)
    assert (
        " of recipe.toml): value.json has other bytes than were written; moved to .mlrecipe"
        in first
    )
    assert " in 8 records and 4 objects" in last
    assert "no recipe here, as it stands, needs what is lost" in done.err
    assert prepared("cache", "verify").code == 0


# -------------------------------------------------------------------------------------------------- gc


def test_gc_is_dry_unless_told_otherwise(prepared, work):
    """The recipe is as it was for the small outputs; the large ones are the newest: all stay."""
    assert removed(prepared) == []
    work.edit("recipe.toml", "start = 10\n", "start = 20\n")
    expected = ["first", "scaled", "second", "sum"]
    assert removed(prepared) == ["scaled", "second", "sum"]
    (work.folder / "recipe.toml").rename(work.folder / "recipe.old")
    assert removed(prepared) == sorted([*expected, *expected])

    done = prepared("cache", "gc", "--grace", "0")
    assert "would remove 8 results" in done.out
    assert "do it with --yes" in done.err
    assert len(listed(prepared)) == 8

    assert removed(prepared, "--yes") == sorted([*expected, *expected])
    assert listed(prepared) == []


def test_gc_leaves_what_is_young(prepared, work):
    """An hour, unless told otherwise."""
    (work.folder / "recipe.toml").unlink()

    assert "8 used a short while ago" in prepared("cache", "gc", "--yes").out
    age(work, 7200)
    prepared("cache", "gc", "--yes", "--grace", "3h")
    assert len(listed(prepared)) == 8
    prepared("cache", "gc", "--yes")
    assert listed(prepared) == []


def test_gc_removes_the_results_of_a_node_that_is_no_more(prepared, work):
    """The others are as they were."""
    work.edit("recipe.toml", '[nodes.scaled]\nuse = "scale"\ninputs = "sum"\n', "")

    assert removed(prepared) == ["scaled", "scaled"]


def test_gc_leaves_a_node_that_only_a_variant_has(prepared, work):
    """Whether it is picked or not."""
    work.edit("recipe.toml", "[nodes.scaled]", "[variant.more.yes.nodes.scaled]")

    assert removed(prepared) == ["scaled"]  # of two, the one that is not the newest


def test_gc_leaves_the_newest_of_a_recipe_with_mistakes(prepared, work):
    """What it uses cannot be told."""
    work.write("recipe.toml", 'name = "broken"\n[nodes\n')

    assert removed(prepared) == ["first", "scaled", "second", "sum"]
    assert len(removed(prepared, "--yes")) == 4
    assert all("newest" in row["states"] for row in answer(prepared("cache", "list", "--json")))


def test_gc_leaves_what_a_recipe_would_use_that_never_ran(prepared, work):
    """A copy of a recipe under another name finds its results."""
    (work.folder / "recipe.toml").rename(work.folder / "renamed.toml")

    assert removed(prepared) == ["first", "scaled", "second", "sum"]
    prepared("cache", "gc", "--yes", "--grace", "0")
    work.ran()
    assert prepared("prepare", "renamed.toml").code == 0
    assert work.ran() == []


def test_gc_leaves_what_runs_were_made_from(prepared, work):
    """All runs, or the newest of them."""
    make_run(work, "20260101-old", prepared)
    assert prepared("prepare", "recipe.toml", "--set", "nodes.first.start=5", *LONG).code == 0
    make_run(work, "20260102-new", prepared)
    (work.folder / "recipe.toml").unlink()

    assert removed(prepared) == ["first", "scaled", "second", "sum"]
    assert removed(prepared, "--keep-runs", "1") == [
        "first",
        "first",
        *["scaled"] * 2,
        "second",
        "sum",
        "sum",
    ]
    assert len(removed(prepared, "--keep-runs", "0")) == 11


def test_gc_leaves_a_run_that_is_going_on(prepared, work):
    """However few are to be kept."""
    make_run(work, "now", prepared, status="running", pid=os.getpid())
    (work.folder / "recipe.toml").unlink()

    assert len(removed(prepared, "--keep-runs", "0")) == 4


def test_gc_leaves_what_is_pinned_with_its_inputs(prepared, work):
    """Until it is unpinned."""
    assert prepared("cache", "pin", "sum").code == 0
    (work.folder / "recipe.toml").unlink()

    assert removed(prepared) == ["scaled", "scaled"]
    assert prepared("cache", "pin", "--remove", "sum").code == 0
    assert len(removed(prepared)) == 8


@pytest.mark.long
def test_gc_makes_a_store_as_small_as_it_is_told(work):
    """What was used longest ago goes first, and no more than is needed."""
    for changes in ([], LONG):
        assert work.run("prepare", "recipe.toml", *changes).code == 0
    (work.folder / "recipe.toml").unlink()
    age(work, 7200)
    limit = answer(work.run("cache", "du", "--json"))["bytes"] - 300_000

    done = answer(work.run("cache", "gc", "--json", "--yes", "--max-size", str(limit)))

    assert 0 < len(done["removed"]) < 8
    assert done["bytes_after"] <= limit
    assert answer(work.run("cache", "du", "--json"))["bytes"] <= limit


def test_gc_that_cannot_make_the_store_small_enough_says_so(prepared, work):
    """Exit code 1: what is needed stays."""
    dry = prepared("cache", "gc", "--max-size", "1kB", "--grace", "0")
    done = prepared("cache", "gc", "--max-size", "1kB", "--grace", "0", "--yes")

    assert (dry.code, done.code) == (1, 1)
    assert re.search(
        r"the store would still take \S+ .B, more than 1.0 kB, and nothing else may be removed; "
        r"what stays: 4 newest of their nodes, 4 used by recipes as they are; index: \d+ kB", dry.err,
    )  # fmt: skip
    assert re.search(r"the store takes \S+ .B, more than 1.0 kB, and nothing else may", done.err)
    assert len(listed(prepared)) == 8


@pytest.mark.long
def test_gc_and_du_mean_the_same_by_what_the_store_takes(work):
    """The index with it, which both tell apart."""
    work.run("prepare", "recipe.toml")
    gc = answer(work.run("cache", "gc", "--json", "--yes"))
    du = answer(work.run("cache", "du", "--json"))

    assert (gc["bytes_after"], gc["bytes_index"]) == (du["bytes"], du["parts"]["index"])
    assert " kB of it index" in work.run("cache", "gc").out


def test_gc_of_what_is_old(prepared, work):
    """By its last use."""
    (work.folder / "recipe.toml").unlink()
    age(work, 7200)

    assert removed(prepared, "--older-than", "1d") == []
    assert len(removed(prepared, "--older-than", "1h")) in (4, 8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--max-size", "big"], "--max-size: 'big' is no size; such as 10GB"),
        (["--older-than", "30"], "--older-than: '30' is no time; such as 30d"),
        (["--grace", "1y"], "--grace: '1y' is no time"),
    ],
)
def test_gc_refuses_amounts_that_are_none(cli, arguments, message):
    """Exit code 2, with an example."""
    done = cli("cache", "gc", *arguments)

    assert done.code == 2
    assert message in done.err


def test_gc_of_a_store_that_several_projects_use_leaves_recipes_that_are_not_here(
    cli, work, tmp_path, monkeypatch
):
    """They may be those of another project."""
    monkeypatch.setenv("MLRECIPE_STORE", str(tmp_path / "shared"))
    cli("prepare", "recipe.toml")
    cli("prepare", "recipe.toml", *LONG)
    (work.folder / "recipe.toml").unlink()

    assert removed(cli) == ["first", "scaled", "second", "sum"]


@pytest.mark.long
def test_store_42_gc_during_a_run_removes_nothing_that_it_needs(work):
    """A real run waits while everything that nobody else needs is removed, and then goes on."""
    with (work.folder / "ops.py").open("a") as file:
        file.write(SLOW)
    work.edit("recipe.toml", '[nodes.sum]\nuse = "add"\ninputs = ["first", "second"]\n',
              '[nodes.late]\nuse = "slow"\ninputs = ["second"]\n'
              '[nodes.sum]\nuse = "add"\ninputs = ["first", "late"]\n')  # fmt: skip
    seven = [*LONG, "--set", "nodes.first.start=7"]
    assert work.run("prepare", "recipe.toml", "first", "second", *seven).code == 0
    assert work.run("prepare", "recipe.toml", "first", *LONG).code == 0
    age(work, 7200)
    with work.start("prepare", "recipe.toml", *seven) as process:
        end = time.monotonic() + 30
        while "slow" not in (work.folder / "ran.txt").read_text():
            assert time.monotonic() < end
        newer = work.run("prepare", "recipe.toml", "first", "--set", "nodes.first.count=30001")

        done = work.run("cache", "gc", "--yes", "--json", "--grace", "0", "--max-size", "0")

        (work.folder / "go").touch()
        _, err = process.communicate(timeout=30)
    reasons = [(row["node"], row["reason"]) for row in json.loads(done.out)["kept"]]
    assert newer.code == 0
    assert [row["node"] for row in json.loads(done.out)["removed"]] == ["first"]
    assert ("first", "in use") in reasons
    assert process.returncode == 0, err
    assert work.output("sum", *seven[1::2])[:2] == [17, 19]


# -------------------------------------------------------------------------------------------------- rm


def test_rm_removes_the_results_of_a_node(prepared, work):
    """And says how much that frees; the next run computes them again."""
    dry = prepared("cache", "rm", "sum", "--dry-run")
    assert len(listed(prepared, "sum")) == 2

    done = prepared("cache", "rm", "sum")

    assert "would remove 2 results, 17" in dry.out
    assert "removed 2 results, 17" in done.out
    assert ("recipe.toml", "sum") not in listed(prepared)
    assert work.statuses()["sum"] == "run"


def test_rm_of_a_node_takes_its_shards(sharded):
    """Also where the node was never put together, and `list` shows them by its name."""
    names = [f"doubled[{n}/3]" for n in (1, 2, 3)]
    assert [node for _, node in listed(sharded, "doubled")] == ["doubled", *names]

    done = answer(sharded("cache", "rm", "doubled", "--json"))

    assert sorted(row["node"] for row in done["removed"]) == ["doubled", *names]
    assert {node for _, node in listed(sharded)} == {"first", "second", "sum", "scaled"}


def test_verify_of_lost_shards_ends_well(sharded, work):
    """Nothing needs them any more; the second time there is nothing to find."""
    store = work.store
    for number in (1, 3):
        record = store.latest("recipe.toml", f"doubled[{number}/3]")
        shutil.rmtree(store.paths.object(record.digest))
    store.close()

    first, second = sharded("cache", "verify"), sharded("cache", "verify")

    assert (first.code, second.code) == (1, 0)
    assert first.out.count("missing object ") == 2
    assert "no recipe here, as it stands, needs what is lost" in first.err
    assert second.out.startswith("everything is as it was written")


def test_verify_says_what_the_next_run_computes_again(sharded, work):
    """The nodes that recipes need, by name; in JSON too."""
    store = work.store
    shutil.rmtree(store.paths.object(store.latest("recipe.toml", "doubled").digest))
    store.close()

    done = sharded("cache", "verify", "--json")

    assert json.loads(done.out)["recompute"] == [["recipe.toml", "doubled"]]
    shutil.rmtree(work.folder / ".mlrecipe/store/v1/bare")
    assert "the next run computes again: doubled of recipe.toml" in sharded("cache", "verify").err


def fold(path):
    path.unlink()
    path.mkdir()


def _others(record):
    return (path for path in record.parents[1].glob("*/*.json") if path != record)


DAMAGES = [
    lambda path: path.write_text("{"),
    lambda path: path.write_text(path.read_text().replace('"seconds": ', '"second": ')),
    lambda path: path.write_text(next(_others(path)).read_text()),
    fold,
]


@pytest.mark.parametrize("has_index", [True, False])
@pytest.mark.parametrize("damage", DAMAGES, ids=["cut", "field", "swapped", "folder"])
def test_verify_of_a_damaged_record_says_what_the_next_run_computes_again(
    prepared, work, damage, has_index
):
    """The fingerprint is the file's name: whose it was is known without what is in it."""
    path = work.store.paths.record(work.plan().by_node["sum"].record.fingerprint)
    path.chmod(0o644)
    damage(path)
    if not has_index:
        shutil.rmtree(work.store.paths.index)

    done = prepared("cache", "verify", "--json")

    found = json.loads(done.out)
    assert done.code == 1
    assert [f["name"] for f in found["findings"]] == [path.stem]
    assert found["recompute"] == [["recipe.toml", "sum"]]
    work.prepare().raise_failures()
    assert prepared("cache", "verify").code == 0


def test_verify_of_damaged_records_knows_what_follows_from_each(cli, work):
    """Of a node whose input is lost too nobody can tell the fingerprint; the index knows the nodes."""
    cli("prepare", "recipe.toml")
    for node in ("first", "sum"):
        path = work.store.paths.record(work.store.latest("recipe.toml", node).fingerprint)
        path.chmod(0o644)
        path.write_text("{")

    done = cli("cache", "verify")

    assert done.out.count("of recipe.toml): ") == 2
    assert "the next run computes again: first, sum of recipe.toml" in done.err


@pytest.mark.parametrize("command", ["list", "du"])
def test_records_that_cannot_be_read_are_told_of(prepared, work, command):
    """They are in no line of it."""
    path = work.store.paths.record(work.plan().by_node["sum"].record.fingerprint)
    path.chmod(0o644)
    path.write_text("{")

    done = prepared("cache", command)

    assert done.code == 0
    assert "warning: left out: 1 record that cannot be read; `mlrecipe cache verify`" in done.err


def test_list_says_which_outputs_are_not_there_and_whether_that_matters(cli, work):
    """Gone or damaged, in the quarantine or not."""
    work.edit("recipe.toml", "count = 4\n\n[nodes.second]", "count = 30000\n\n[nodes.second]")
    work.edit("recipe.toml", "start = 10\ncount = 4", "start = 10\ncount = 30000")
    work.prepare().raise_failures()
    store = work.store
    folders = {
        node: store.paths.object(store.latest("recipe.toml", node).digest)
        for node in ("first", "second", "sum", "scaled")
    }
    for node in ("second", "sum"):
        [path] = (folders[node] / "data").iterdir()
        path.chmod(0o644)
        path.write_text("short")
    shutil.rmtree(folders["first"])

    def states():
        rows = json.loads(cli("cache", "list", "--json").out)
        return {row["node"]: row["states"][-1] for row in rows}

    assert states() == {
        "first": "its output is not here; nothing needs it",
        "second": "its output is damaged (value.json has not its "
        f"{store.latest('recipe.toml', 'second').bytes} bytes); nothing needs it",
        "sum": "its output is damaged (value.json has not its "
        f"{store.latest('recipe.toml', 'sum').bytes} bytes); nothing needs it",
        "scaled": "newest",
    }
    cli("cache", "verify")
    shutil.rmtree(folders["scaled"])
    assert states() == {
        "first": "its output is not here; the next run computes it again",
        "second": "its output is damaged, in the quarantine; the next run computes it again",
        "sum": "its output is damaged, in the quarantine; the next run computes it again",
        "scaled": "its output is not here; the next run computes it again",
    }


@pytest.mark.long
def test_gc_frees_shards_of_what_was_put_together(sharded, work):
    """No more than is needed; pinned ones stay."""
    work.run("cache", "pin", "doubled[2/3]")
    work.edit("recipe.toml", "count = 30000", "count = 30001")
    work.run("prepare", "recipe.toml", "first")
    work.run("prepare", "recipe.toml", "first", "--set", "nodes.first.count=30002")
    age(work, 7200)
    size = answer(work.run("cache", "gc", "--json", "--max-size", "1GB"))["bytes_before"]

    done = answer(work.run("cache", "gc", "--json", "--max-size", str(size - 1000)))

    assert [row["node"] for row in done["removed"]] in (["doubled[1/3]"], ["doubled[3/3]"])


def test_gc_leaves_the_shards_with_which_the_recipe_goes_on(sharded):
    """Whatever else was made of the node since it was interrupted."""
    rows = answer(sharded("cache", "list", "--json", "doubled"))
    [whole] = [row["fingerprint"] for row in rows if row["node"] == "doubled"]
    sharded("cache", "rm", whole)
    sharded("prepare", "recipe.toml", "--set", "nodes.first.count=29999")

    done = answer(sharded("cache", "gc", "--json", "--grace", "0"))

    kept = {row["fingerprint"] for row in done["kept"]}
    assert {row["fingerprint"] for row in rows} - {whole} <= kept
    assert sorted(r["node"] for r in done["removed"]) == [f"doubled[{n}/3]" for n in (1, 2, 3)]


def test_rm_takes_the_beginning_of_a_fingerprint(prepared):
    """As `list` shows it."""
    row = answer(prepared("cache", "list", "--json", "sum"))[0]

    done = answer(prepared("cache", "rm", row["fingerprint"][:12], "--json"))

    assert [gone["fingerprint"] for gone in done["removed"]] == [row["fingerprint"]]
    assert done["bytes_after"] < done["bytes_before"]
    assert len(listed(prepared)) == 7


def test_rm_of_one_recipe_leaves_those_of_others(prepared, work):
    """And what they share."""
    shutil.copy(work.folder / "recipe.toml", work.folder / "other.toml")
    prepared("prepare", "other.toml", "--set", "nodes.second.start=5", *LONG)

    prepared("cache", "rm", "sum", "--recipe", "other.toml")

    assert listed(prepared, "sum") == [("recipe.toml", "sum")] * 2


@pytest.mark.parametrize("name", ["summ", "0123abcd"])
def test_rm_of_what_is_not_there_is_refused(prepared, name):
    """Nothing is removed."""
    done = prepared("cache", "rm", "sum", name)

    assert done.code == 2
    assert f"nothing is stored of {name!r}" in done.err
    assert len(listed(prepared)) == 8


def test_rm_of_what_is_pinned_is_refused(prepared):
    """With what unpins it."""
    prepared("cache", "pin", "sum")

    done = prepared("cache", "rm", "sum")

    assert done.code == 2
    assert "'sum' is pinned; mlrecipe cache pin --remove sum" in done.err
    assert "newest, pinned" in " ".join(prepared("cache", "list", "sum").out.split()) or (
        "pinned, newest" in prepared("cache", "list", "sum").out
    )


# ------------------------------------------------------------------------------------------------- pin


def test_pin_of_a_node_leaves_its_shards(sharded):
    """The whole has all that they have; they can be pinned by name."""
    assert sharded("cache", "pin", "doubled").err.count("pinned ") == 1
    assert "pinned doubled[2/3] of recipe.toml" in sharded("cache", "pin", "doubled[2/3]").err

    done = sharded("cache", "pin", "--remove", "doubled")

    assert done.err.count("unpinned doubled") == 2


def test_pin_keeps_what_the_recipe_uses_and_the_newest(prepared, work):
    """The one as it stands, the other made with `--set`; none that is older."""
    work.prepare("nodes.first.count=3")
    used = work.plan().by_node["first"].record.fingerprint[:12]
    newest = work.store.latest("recipe.toml", "first").fingerprint[:12]

    done = prepared("cache", "pin", "first")

    assert sorted(re.findall(r"\(([0-9a-f]{12})\)", done.err)) == sorted([used, newest])


def test_pin_remove_says_what_it_unpinned(prepared):
    """By node or by fingerprint."""
    prepared("cache", "pin", "sum", "first")
    row = answer(prepared("cache", "list", "--json", "first"))[0]

    assert re.fullmatch(
        r"(unpinned sum of recipe.toml \([0-9a-f]{12}\)\n){2}",
        prepared("cache", "pin", "--remove", "sum").err,
    )
    print_ = row["fingerprint"][:12]
    assert f"unpinned first of recipe.toml ({print_})" in (
        prepared("cache", "pin", "--remove", print_).err
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("summ", "'summ' is not pinned; did you mean 'sum'?"),
        ("first", "'first' is not pinned; known: sum"),
    ],
)
def test_pin_remove_of_what_is_not_pinned_names_the_nearest_pin(prepared, name, message):
    """Exit code 2, and what was named beside it stays pinned."""
    prepared("cache", "pin", "sum")

    done = prepared("cache", "pin", "--remove", "sum", name)

    assert (done.code, done.err) == (2, f"error: {message}\n")
    assert "pinned" in prepared("cache", "list", "sum").out


# ----------------------------------------------------------------------------------------------- other


STORE_COMMANDS = [
    ["list"], ["du"], ["verify"], ["gc"], ["rm", "sum"], ["pin", "sum"], ["push", "./share"],
    ["push", "./share", "--recipe", "recipe.toml"], ["pull", "./share", "recipe.toml"],
]  # fmt: skip


@pytest.mark.parametrize("command", STORE_COMMANDS)
def test_a_folder_of_other_things_is_no_empty_store(cli, work, monkeypatch, command):
    """Exit code 2 from every command, with the store that is close by."""
    cli("prepare", "recipe.toml")
    monkeypatch.setenv("MLRECIPE_STORE", str(work.folder))

    done = cli("cache", *command)

    assert done.code == 2
    assert "is no store and has other files in it, such as '.mlrecipe'; did you mean '" in done.err
    assert not (work.folder / "share").exists()


@pytest.mark.parametrize("command", STORE_COMMANDS)
def test_a_file_is_no_empty_store(cli, work, command):
    """Exit code 2 from every command."""
    work.write(".mlrecipe/store", "mine")

    done = cli("cache", *command)

    assert done.code == 2
    assert "store' is a file" in done.err


@pytest.mark.parametrize("command", ["push", "pull"])
def test_a_node_is_no_remote(prepared, work, command):
    """Exit code 2, with how a remote is named; nothing is made."""
    recipe = ["recipe.toml"] if command == "pull" else []

    done = prepared("cache", command, "sum", *recipe)

    assert done.code == 2
    assert f"'sum' is a node, not a remote; mlrecipe cache {command} REMOTE " in done.err
    assert not (work.folder / "sum").exists()


@pytest.mark.parametrize(
    ("remote", "message"),
    [
        ("", "'' is no remote; name a folder, or a URL such as s3://bucket/x"),
        ("recipe.toml", "'recipe.toml' is a file, not a remote; name a folder"),
        (".mlrecipe/store", "the remote '.mlrecipe/store' is the store of this project itself"),
    ],
)
def test_what_is_no_remote_is_refused(prepared, remote, message):
    """Exit code 2, in either direction."""
    for arguments in (["push", remote], ["pull", remote, "recipe.toml"]):
        done = prepared("cache", *arguments)

        assert done.code == 2
        assert message in done.err


def test_push_of_nothing_makes_nothing(cli, work):
    """Neither a remote nor a store."""
    done = cli("cache", "push", "./share")

    assert done.code == 0
    assert "nothing to copy" in done.err
    assert not (work.folder / "share").exists()
    assert not (work.folder / ".mlrecipe/store").exists()


def test_push_of_a_shard_is_refused(sharded):
    """Only wholes are copied."""
    done = sharded("cache", "push", "./share", "doubled[1/3]")

    assert done.code == 2
    assert "nothing is stored of 'doubled[1/3]'; did you mean 'doubled'?" in done.err


def test_a_folder_with_the_name_of_a_node_is_a_remote(prepared, work):
    """If it is there, or told apart by how it is written."""
    assert prepared("cache", "push", "./sum").code == 0
    assert prepared("cache", "pull", "sum", "recipe.toml").code == 0


@pytest.mark.parametrize("command", [["list"], ["du"], ["verify"], ["gc", "--yes"], ["rm", "sum"]])
def test_store_50_a_store_of_a_newer_schema_is_refused(prepared, work, command):
    """With what to do, by every command."""
    path = work.folder / ".mlrecipe/store/schema"
    path.unlink()
    path.write_text("2\n")

    done = prepared("cache", *command)

    assert done.code == 1
    assert "the store has schema 2, this mlrecipe knows 1; use the newer mlrecipe" in done.err


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [("10GB", 10**10), ("1.5 MB", 1_500_000), ("2GiB", 2**31), ("0", 0), ("17", 17), ("3k", 3000)],
)
def test_sizes(text, bytes_):
    """As people write them."""
    assert amounts.size(text, "--max-size") == bytes_


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30d", 2_592_000), ("1.5h", 5400), ("15 min", 900), ("0", 0), ("2w", 1_209_600)],
)
def test_times(text, seconds):
    """As people write them."""
    assert amounts.seconds(text, "--older-than") == seconds


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "1e9", "10 apples"])
def test_amounts_that_are_none(text):
    """The option is named."""
    with pytest.raises(RequestError, match="--x: "):
        amounts.size(text, "--x")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(5, "now"), (90, "2 min"), (3700, "1 h"), (90_000, "25 h"), (864_000, "10 days")],
)
def test_ago(seconds, text):
    """In the unit that one would say."""
    assert amounts.ago(seconds) == text


def make_run(work, name, cli, status="finished", **facts):
    """A run that was made from the newest result of each node."""
    rows = answer(cli("cache", "list", "--json"))
    inputs = {
        row["node"]: {"fingerprint": row["fingerprint"], "digest": row["digest"]}
        for row in rows if "newest" in row["states"]
    }  # fmt: skip
    started = f"2026-01-01T00:00:{len(list(work.folder.glob('runs/*'))):02d}"
    run = {
        "status": status,
        "stage": "train",
        "started": started,
        "host": os.uname().nodename,
        **facts,
    }
    work.write(f"runs/{name}/run.json", json.dumps(run))
    work.write(f"runs/{name}/inputs.json", json.dumps(inputs))


def test_rm_of_a_fingerprint_keeps_to_the_recipe(prepared, work):
    """Of another recipe nothing is removed."""
    work.write(
        "recipes/other.toml", 'name = "o"\nplugins = ["../ops.py"]\n[nodes.a]\nuse = "numbers"\n'
    )
    assert prepared("prepare", "other").code == 0
    row = answer(prepared("cache", "list", "--json", "sum"))[0]

    done = prepared("cache", "rm", row["fingerprint"][:12], "--recipe", "other")

    assert done.code == 2
    assert listed(prepared, "sum") == [("recipe.toml", "sum")] * 2
