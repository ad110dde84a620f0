"""Revisions of the hub: asked once, written to the recipe's lock file, asked again with `--update`."""

from __future__ import annotations

import json

import pytest
import tomli

from mlrecipe.errors import RequestError
from mlrecipe.pipeline import lockfile
from tests.hub import serving

FETCH = '''

@mlrecipe.op("fetch")
def fetch(*, path: mlrecipe.DatasetSource, revision: str | None = None):
    """Words of a data set.

    Args:
        path: id of the data set.
        revision: branch, tag or commit.
    """
    from huggingface_hub import hf_hub_download

    note("fetch")
    return Path(hf_hub_download(path, "x.txt", repo_type="dataset", revision=revision)).read_text().split()


@mlrecipe.op("told")
def told(*, path: mlrecipe.DatasetSource, revision: str | None = None):
    """What it is told to load."""
    return [path, revision]


@mlrecipe.op("deaf")
def deaf(*, path: mlrecipe.DatasetSource):
    """A data set that no revision can be asked of."""
    note("deaf")
    return path
'''
RECIPE = """
name = "x"
plugins = ["ops.py"]
[nodes.words]
use = "fetch"
path = "me/words"
[nodes.out]
use = "total"
inputs = ["numbers"]
[nodes.numbers]
use = "numbers"
"""


@pytest.fixture
def hub():
    """A hub with one data set."""
    with serving() as made:
        made.dataset("me/words").push({"x.txt": "one two"})
        yield made


@pytest.fixture
def work(work):
    """A project whose recipe names that data set."""
    with (work.folder / "ops.py").open("a") as file:
        file.write(FETCH)
    work.write("recipe.toml", RECIPE)
    return work


@pytest.fixture
def run(work, hub, tmp_path):
    """Runs a command that takes the stand-in for the hub."""
    environment = hub.environment(tmp_path / "home")

    def call(*arguments, code=0, **more):
        done = work.run(*arguments, **environment | more)
        assert done.code == code, done.err
        return done

    return call


def value(run, node="words"):
    """A node's output."""
    return json.loads(run("inspect", node, "recipe.toml", "--json").out)["value"]


def questions(hub):
    """What the hub was asked of revisions since this was called last."""
    found = [text for text in hub.asked if "/revision/" in text]
    hub.asked.clear()
    return found


def pinned(work, commit, revision="main"):
    """Write a lock file by hand."""
    pin = lockfile.Pin(
        kind="dataset", id="me/words", revision=revision, commit=commit, date="2026-01-02"
    )
    lockfile.write(work.folder / "recipe.toml.lock", [pin], recipe="recipe.toml")


def test_store_16_a_moved_branch_is_not_followed_before_an_update(run, work, hub):
    """Nothing runs and nothing is asked while the lock file holds; then the new commit is used."""
    words = hub.dataset("me/words")
    first = words.branches["main"]
    assert f"me/words: main is {first[:10]}" in run("prepare", "recipe.toml").err
    assert (value(run), work.ran()) == (["one", "two"], ["fetch", "numbers", "total"])
    questions(hub)

    second = words.push({"x.txt": "three"})

    assert run("prepare", "recipe.toml").err == "recipe.toml: 3 nodes, all in the store\n"
    assert (work.ran(), hub.asked) == ([], [])

    told = run("prepare", "recipe.toml", "--update").err

    assert f"me/words: main moved from {first[:10]} to {second[:10]}" in told
    assert f"words: running (path 'me/words@{first[:10]}' → 'me/words@{second[:10]}')" in told
    assert (value(run), work.ran()) == (["three"], ["fetch"])


def test_an_update_to_the_same_commit_runs_nothing(run, work, hub):
    """The lock file stays as it is."""
    run("prepare", "recipe.toml")
    work.edit("recipe.toml.lock", "date     = ", 'date     = "2026-01-02" # ')
    before = (work.folder / "recipe.toml.lock").read_text()

    told = run("prepare", "recipe.toml", "--update").err

    assert "me/words: main is still " in told
    assert "all in the store" in told
    assert (work.folder / "recipe.toml.lock").read_text() == before


def test_the_lock_file_can_be_read_and_compared(run, work, hub):
    """Plain TOML that says what it is; other recipes' and variants' answers stay in it."""
    commit = hub.dataset("me/words").branches["main"]
    branch = hub.dataset("me/words").push({"x.txt": "four"}, branch="old")
    run("prepare", "recipe.toml")
    run("prepare", "recipe.toml", "--set", "nodes.words.revision=old")

    text = (work.folder / "recipe.toml.lock").read_text()

    assert text.startswith("# What the Hugging Face hub had when recipe.toml asked it.")
    assert [list(t.values())[:4] for t in tomli.loads(text)["hub"]] == [
        ["dataset", "me/words", "main", commit],
        ["dataset", "me/words", "old", branch],
    ]


def test_only_what_does_the_work_asks_the_hub(work, hub, tmp_path):
    """Looking at a recipe needs no network and writes no lock file; `plan` says what is not pinned."""
    commands = (["check"], ["plan"], ["show"], ["inspect", "words"])

    done = work.python(
        f"""
        from mlrecipe.cli.app import run
        print([run([*command, "recipe.toml"]) for command in {commands!r}])
        """,
        **hub.environment(tmp_path / "home"),
    )

    assert "[0, 0, 0, 0]" in done.out
    assert "run    never run before; me/words is not pinned yet" in done.out
    assert hub.asked == []
    assert not (work.folder / "recipe.toml.lock").exists()


def test_offline_what_nobody_knows_goes_by_its_name(run, work, hub):
    """With a warning; no lock file is written."""
    work.edit("recipe.toml", 'use = "fetch"', 'use = "told"')

    told = run("--offline", "prepare", "recipe.toml").err

    assert "warning: me/words is not pinned to a commit of the hub (offline, and the local " in told
    assert (hub.asked, value(run)) == ([], ["me/words", None])
    assert not (work.folder / "recipe.toml.lock").exists()


def test_a_stored_result_that_goes_by_a_name_is_only_a_maybe(work):
    """Unless the hub will not be asked."""
    from mlrecipe.pipeline.hub import hedged

    work.write("recipe.toml", RECIPE + '[nodes.after]\nuse = "scale"\ninputs = "words"\n')
    work.edit("ops.py", "    from huggingface_hub import hf_hub_download\n\n", "    return [1]\n\n")
    work.prepare()
    planned = work.plan()

    steps = hedged(planned, is_offline=False).by_node
    offline = hedged(planned, is_offline=True).by_node

    assert {name: step.status for name, step in steps.items()} == {
        "words": "maybe", "after": "maybe", "numbers": "hit", "out": "hit",
    }  # fmt: skip
    assert steps["words"].reasons == ("me/words is not pinned yet",)
    assert steps["after"].reasons == ("only if words gives something else",)
    assert {step.status for step in offline.values()} == {"hit"}
    assert offline["words"].reasons[-1] == "me/words is not pinned yet"


def test_a_commit_in_the_recipe_is_asked_of_nobody(run, work, hub):
    """It is what a branch that was pinned to it is: the stored output is used."""
    commit = hub.dataset("me/words").branches["main"]

    run("prepare", "recipe.toml", "--set", f"nodes.words.revision={commit}")

    assert questions(hub) == []
    assert not (work.folder / "recipe.toml.lock").exists()
    work.ran()
    run("prepare", "recipe.toml")
    assert work.ran() == []


def test_the_op_gets_the_commit(run, work, hub):
    """A branch that moves between the question and the download changes nothing."""
    first = hub.dataset("me/words").branches["main"]
    pinned(work, first)
    hub.dataset("me/words").push({"x.txt": "three"})

    run("prepare", "recipe.toml")

    assert value(run) == ["one", "two"]
    assert questions(hub) == []


def test_only_what_is_needed_is_asked(run, work, hub):
    """A node that needs nothing of the hub is prepared without it."""
    run("prepare", "recipe.toml", "numbers")

    assert hub.asked == []


def test_an_op_that_takes_no_revision_is_not_pinned(run, work, hub):
    """It would load what `main` is then, so that its output is not named by a commit; `plan` says so."""
    work.edit("recipe.toml", 'use = "fetch"', 'use = "deaf"')

    told = run("plan", "recipe.toml").out
    run("prepare", "recipe.toml")

    assert "me/words is never pinned: op 'deaf' takes no `revision` of it" in told
    assert hub.asked == []
    assert value(run) == "me/words"


def test_offline_the_local_cache_is_asked(run, work, hub, tmp_path):
    """What `main` was when it was downloaded last; that is said, and kept."""
    commit = hub.dataset("me/words").branches["main"]
    work.python(
        "from huggingface_hub import hf_hub_download\n"
        'hf_hub_download("me/words", "x.txt", repo_type="dataset")',
        **hub.environment(tmp_path / "home"),
    )
    hub.dataset("me/words").push({"x.txt": "three"})
    hub.asked.clear()

    told = run("--offline", "prepare", "recipe.toml").err

    assert f"me/words: main is {commit[:10]} in the local cache (offline); --update asks" in told
    assert (hub.asked, value(run)) == ([], ["one", "two"])
    assert commit in (work.folder / "recipe.toml.lock").read_text()


def test_without_a_network_the_hub_is_asked_once(run):
    """Not six times for each file, with a line for each try; one error at the end."""
    done = run("prepare", "recipe.toml", code=1, HF_ENDPOINT="http://127.0.0.1:9")

    assert "the hub cannot be reached" in done.err
    assert "thrown while" not in done.err
    assert "Retrying" not in done.err
    assert done.err.count("error: ") == 1


def test_a_hub_out_of_order_does_not_stop_what_needs_no_answer(run, work, hub):
    """The names count as before, with a warning; an update says that there was none."""
    work.edit("recipe.toml", 'use = "fetch"', 'use = "told"')
    commit = hub.dataset("me/words").branches["main"]
    hub.is_down = True

    told = run("prepare", "recipe.toml").err
    assert (
        "warning: me/words is not pinned to a commit of the hub (the hub cannot be reached: "
        in told
    )

    pinned(work, commit)
    told = run("prepare", "recipe.toml", "--update", code=1).err
    assert told.startswith("error: the hub cannot be reached: ")
    assert "nothing was updated; without --update the commits of the lock file hold" in told
    assert commit in (work.folder / "recipe.toml.lock").read_text()


def test_an_update_is_refused_offline(run):
    """Both cannot be meant."""
    told = run("--offline", "prepare", "recipe.toml", "--update", code=2).err

    assert told.startswith(
        "error: --update asks the hub, which --offline and HF_HUB_OFFLINE=1 forbid"
    )


def test_what_the_hub_does_not_have_is_a_mistake_of_the_recipe(run, work):
    """Told before anything runs, all at once, at the keys that name it."""
    for name, more in (("wrods", ""), ("words", 'revision = "v9"'), ("a--b", "")):
        node = f'[nodes.n{len(work.request().graph.nodes)}]\nuse = "fetch"\npath = "me/{name}"\n{more}\n'
        with (work.folder / "recipe.toml").open("a") as file:
            file.write(node)

    told = run("prepare", "recipe.toml", code=2).err

    assert "recipe.toml has 3 problems; nothing was run" in told
    assert "nodes.n3.path: the hub has no data set 'me/wrods', or not for you" in told
    assert "nodes.n4.path: the hub's data set 'me/words' has no revision 'v9'" in told
    assert "nodes.n5.path: 'me/a--b' can be no data set of the hub" in told
    assert work.ran() == []


def test_two_commands_at_once_get_one_answer(run, work, hub, tmp_path):
    """The second waits for the first and reads its lock file."""
    environment = hub.environment(tmp_path / "home")
    both = [work.start("prepare", "recipe.toml", **environment) for _ in range(2)]

    for process in both:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err

    assert len(questions(hub)) == 1


def test_workers_use_the_drivers_commits(run, work, hub):
    """Also where the lock file cannot be what says so."""
    told = run("prepare", "recipe.toml", "--jobs", "2").err

    assert "3 run" in told
    assert value(run) == ["one", "two"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<<<<<<< mine", "Invalid"),
        ("hub = 3", "`hub` is no list of tables"),
        (
            '[[hub]]\nkind = "dataset"\nid = "a"\nrevision = "b"\ndate = "d"\ncommit = "12"',
            "has no commit",
        ),
        (
            '[[hub]]\nkind = "space"\nid = "a"\nrevision = "b"\ndate = "d"\ncommit = "12"',
            "has no kind",
        ),
        ("[[hub]]\nkind = 3", "no. 1 of its [[hub]] tables has no kind"),
    ],
)
def test_a_broken_lock_file_is_refused(work, text, reason):
    """A half-merged file names no commits; what to do is said."""
    work.write("recipe.toml.lock", text)

    with pytest.raises(RequestError) as caught:
        work.request()

    assert "cannot read the lock file 'recipe.toml.lock'" in str(caught.value)
    assert reason in str(caught.value)
    assert "delete it to have the hub asked again" in str(caught.value)


def test_what_moved_since_a_run_is_told():
    """By the commits of the two lock files; what only one of them has is no change."""
    first, second, other = (
        {pin.asked: pin}
        for name, commit in (("a/b", "1" * 40), ("a/b", "2" * 40), ("c/d", "3" * 40))
        for pin in [lockfile.Pin(kind="model", id=name, revision="main", commit=commit, date="")]
    )

    assert lockfile.changes(first, second | other) == ["a/b 1111111111 → 2222222222"]
    assert lockfile.changes(first, first) == lockfile.changes(first, other) == []


def test_a_lock_file_comes_back_as_it_was_written(tmp_path):
    """Whatever a branch is called."""
    pins = [
        lockfile.Pin(kind=kind, id="a/b", revision=revision, commit="0" * 40, date="2026-01-02")
        for kind in ("model", "dataset")
        for revision in ("main", 'a "quoted" \\ branch\x7f', "refs/pr/1")
    ]
    path = tmp_path / "x.toml.lock"

    lockfile.write(path, pins, recipe="x.toml")

    assert set(lockfile.read(path).values()) == set(pins)
    assert lockfile.text(reversed(pins), recipe="x.toml") == path.read_text()
    assert lockfile.read(tmp_path / "none") == {}
    assert list(tmp_path.iterdir()) == [path]
