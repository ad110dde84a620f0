"""`mlrecipe prepare`."""

from __future__ import annotations

import json

from tests.libraries import HEAVY


def test_nodes_are_told_as_they_run(cli):
    """Start with the reason, end with the time, a closing line; nothing on standard output."""
    done = cli("prepare", "recipe.toml")

    lines = done.err.splitlines()
    assert (done.code, done.out) == (0, "")
    assert lines[0] == "first: running (never run before)"
    assert lines[1].startswith("first: done in 0.")
    assert lines[-1].startswith("recipe.toml: 4 nodes (4 run, 0 in the store) in ")


def test_a_second_time_there_is_one_line(cli, work):
    """Nothing ran."""
    cli("prepare", "recipe.toml")
    work.ran()

    assert cli("prepare", "recipe.toml").err == "recipe.toml: 4 nodes, all in the store\n"
    assert work.ran() == []


def test_one_node_is_not_called_nodes(cli, work):
    """When it runs, and when it is there."""
    work.write("recipe.toml", 'name = "x"\nplugins = ["ops.py"]\n[nodes.a]\nuse = "numbers"\n')

    assert "recipe.toml: 1 node (1 run, 0 in the store) in " in cli("prepare", "recipe.toml").err
    assert cli("prepare", "recipe.toml").err == "recipe.toml: 1 node, all in the store\n"


def test_store_01_a_second_run_executes_nothing_and_loads_nothing_heavy(work):
    """A new process finds everything in the store; no plugin is imported, nor any library for data."""
    assert work.run("prepare", "recipe.toml").code == 0
    work.ran()

    done = work.python(f"""
        import sys
        from mlrecipe.cli.app import run
        code = run(["prepare", "recipe.toml"])
        print(code, *sorted(set({HEAVY!r}) & set(sys.modules)))
        print(*[name for name in sys.modules if name.startswith("mlrecipe_project")])
    """)

    assert done.out.split() == ["0"]
    assert work.ran() == []


def test_with_nothing_to_do_nothing_is_loaded_that_only_work_needs(work):
    """Each event's class takes half a millisecond to make, and there is none to tell of."""
    work.run("prepare", "recipe.toml")

    done = work.python("""
        import sys
        from mlrecipe.cli.app import run
        code = run(["prepare", "recipe.toml"])
        print(code, *sorted({"mlrecipe.events", "mlrecipe.cli.live"} & set(sys.modules)))
    """)

    assert done.out.split() == ["0"]


def test_memory_is_searched_for_cycles_as_usual_once_there_is_work(work):
    """An op may allocate for hours; a command that only looks things up need not search."""
    done = work.python("""
        import gc, sys
        usual = gc.get_threshold()
        from mlrecipe.cli import entry
        sys.argv = ["mlrecipe", "prepare", "recipe.toml"]
        for _ in range(2):
            try:
                entry.main()
            except SystemExit as end:
                print(end.code, gc.get_threshold() == usual, gc.get_freeze_count() > 0)
    """)

    assert done.out.split() == ["0", "True", "False", "0", "False", "True"]


def test_experiment_05_only_named_nodes_run(cli, work):
    """And what they need."""
    cli("prepare", "recipe.toml", "second")
    assert work.statuses() == {"first": "run", "second": "hit", "sum": "run", "scaled": "run"}

    cli("prepare", "recipe.toml", "sum")
    assert work.statuses() == {"first": "hit", "second": "hit", "sum": "hit", "scaled": "run"}


def test_store_23_force_runs_a_node_again(cli, work):
    """Its equal output stops there."""
    cli("prepare", "recipe.toml")
    work.ran()

    done = cli("prepare", "recipe.toml", "--force", "first")

    assert work.ran() == ["numbers"]
    assert "first: running (forced)" in done.err
    assert "(1 run, 3 in the store)" in done.err


def test_store_26_a_failure_leaves_the_other_branch_done_and_exits_1(cli, work):
    """The error comes last, in one line; a rerun takes up where it was."""
    work.write(
        "recipe.toml",
        """
        name = "x"
        plugins = ["ops.py"]
        [nodes.bad]
        use = "fail"
        [nodes.after]
        use = "scale"
        inputs = "bad"
        [nodes.good]
        use = "numbers"
    """,
    )

    done = cli("prepare", "recipe.toml")

    lines = done.err.splitlines()
    assert done.code == 1
    assert "bad: failed" in lines
    assert lines[-2].startswith(
        "recipe.toml: 3 nodes (1 run, 0 in the store, 1 failed, 1 not reached)"
    )
    assert lines[-1].startswith("error: node 'bad' (op 'fail') failed at ops.py:")
    assert lines[-1].endswith("ValueError: it broke; --traceback shows all of it")
    assert work.statuses()["good"] == "hit"


def test_training_06_wrong_data_are_the_requests_fault(cli, work):
    """An op that refuses its data: the recipe's line, what there is, exit code 2."""
    with (work.folder / "ops.py").open("a") as file:
        file.write("\n\n@mlrecipe.op('pick')\ndef pick(rows, *, column: str):\n"
                   "    raise mlrecipe.DataError(f'no column {column!r}', key='column',"
                   " hint=\"did you mean 'text'?\")\n")  # fmt: skip
    work.edit("recipe.toml", 'use = "scale"', 'use = "pick"\ncolumn = "txt"')

    done = cli("prepare", "recipe.toml")

    assert done.code == 2
    assert done.err.splitlines()[-1] == (
        "error: recipe.toml:19:1  nodes.scaled.column: no column 'txt'; did you mean 'text'?"
    )


def test_experiment_21_two_processes_compute_a_node_once(work):
    """Both exit 0; the one that waits says for whom and takes the result."""
    work.write("recipe.toml", 'name = "x"\nplugins = ["ops.py"]\n[nodes.a]\nuse = "slow"\n')
    with (work.folder / "ops.py").open("a") as file:
        file.write('''

@mlrecipe.op("slow")
def slow():
    """Ends once somebody waits for it."""
    import time

    note("slow")
    end = time.monotonic() + 30
    while not Path(__file__).with_name("go").exists() and time.monotonic() < end:
        time.sleep(0.01)
    return [1]
''')

    first, second = work.start("prepare", "recipe.toml"), work.start("prepare", "recipe.toml")
    with first, second:
        waiting = _first_to_wait(first, second)
        work.write("go", "")
        told = {p: p.communicate(timeout=30)[1] for p in (first, second)}

    assert (first.returncode, second.returncode) == (0, 0)
    assert work.ran() == ["slow"]
    other = second if waiting.process is first else first
    assert f"a: waiting for pid {other.pid} on " in waiting.line
    assert "(0 run, 1 in the store)" in told[waiting.process]


class _first_to_wait:
    """The process that says that it waits for the other."""

    def __init__(self, *processes):
        import selectors

        with selectors.DefaultSelector() as ready:
            for process in processes:
                ready.register(process.stderr, selectors.EVENT_READ, process)
            while True:
                for key, _ in ready.select(30):
                    line = key.fileobj.readline()
                    assert line, "it ended without waiting"
                    if "waiting for" in line:
                        self.process, self.line = key.data, line
                        return


def test_experiment_06_a_plugin_that_cannot_be_imported_shows_its_traceback(cli, work):
    """File, line and the frames of the project; exit code 2."""
    work.write("words.py", "def load():\n    return {}['gone']\n\n\nload()\n")
    work.edit("ops.py", "import mlrecipe\n", "import mlrecipe\nfrom . import words\n")

    done = cli("prepare", "recipe.toml")

    assert done.code == 2
    assert "plugin 'ops.py' failed while it was imported, at ops.py:" in done.err
    assert f'File "{work.folder}/words.py", line 2, in load' in done.err
    assert "KeyError: 'gone'" in done.err


def test_the_store_may_lie_elsewhere(cli, work, monkeypatch, tmp_path):
    """`MLRECIPE_STORE` names it."""
    monkeypatch.setenv("MLRECIPE_STORE", str(tmp_path / "elsewhere"))

    assert cli("prepare", "recipe.toml").code == 0

    assert (tmp_path / "elsewhere" / "v1" / "records").is_dir()
    assert not (work.folder / ".mlrecipe" / "store").exists()


def test_quiet_says_nothing_but_errors(cli, work):
    """Errors are always told."""
    assert cli("prepare", "recipe.toml", "--quiet").err == ""

    work.edit("ops.py", '    note("scale")\n', '    raise ValueError("no")\n')
    done = cli("prepare", "recipe.toml", "--quiet")

    assert done.code == 1
    assert done.err.startswith("error: node 'scaled'")


def test_experiment_23_the_same_seed_gives_the_same_bytes(cli, work, tmp_path, monkeypatch):
    """Seed 0 is a seed like any other; two stores hold the same objects."""
    with (work.folder / "ops.py").open("a") as file:
        file.write(
            "\n\n@mlrecipe.op('draw')\ndef draw(*, seed: int):\n"
            "    import random\n    return [random.Random(seed).random() for _ in range(5)]\n"
        )
    work.write("recipe.toml", 'name = "x"\nplugins = ["ops.py"]\n[nodes.a]\nuse = "draw"\n')

    digests = {}
    for number, seed in enumerate(["0", "0", "1"]):
        monkeypatch.setenv("MLRECIPE_STORE", str(tmp_path / str(number)))
        cli("prepare", "recipe.toml", "--set", f"seed={seed}")
        shown = cli("inspect", "a", "recipe.toml", "--set", f"seed={seed}", "--json")
        digests[number] = json.loads(shown.out)["digest"]

    assert digests[0] == digests[1] != digests[2]
