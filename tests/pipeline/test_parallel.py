"""Several nodes at once, in processes: the same results, nothing lost, nothing left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path

import pytest

from mlrecipe import events, plugins
from mlrecipe.errors import OpError, RecipeError
from mlrecipe.events import NodeFinished, NodeStarted, NodeWaiting, Note, Progress
from mlrecipe.pipeline import share
from mlrecipe.pipeline.execute import execute
from mlrecipe.pipeline.plan import plan as make_plan
from tests.projects import ROOT, Work

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel of Linux")

DIAMOND = """
name = "x"
plugins = ["ops.py"]
[nodes.top]
use = "numbers"
[nodes.left]
use = "meet"
inputs = "top"
me = "left"
other = "right"
[nodes.right]
use = "meet"
inputs = "top"
me = "right"
other = "left"
[nodes.bottom]
use = "add"
inputs = ["left", "right"]
"""

MEET = '''
import os
import time


@mlrecipe.op("meet")
def meet(values, *, me: str, other: str):
    """Ends well only while the other is at work too."""
    note("meet")
    here = Path(__file__).parent
    (here / me).write_text("")
    end = time.monotonic() + 30
    while not (here / other).exists():
        assert time.monotonic() < end, "the other never came"
        time.sleep(0.01)
    return values
'''

BLOCK = '''
import ctypes
import os
import signal
import subprocess
import sys
import time


@mlrecipe.op("block")
def block(*, way: str = ""):
    """Never ends; says who it is, and which process it started."""
    if way == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if way == "alone" and sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)  # no signal from the kernel when the driver is dead
    child = subprocess.Popen(["sleep", "60"])
    part = Path(__file__).with_name("pids.part")
    part.write_text(f"{os.getpid()} {child.pid}")
    part.rename(Path(__file__).with_name("pids"))
    while True:
        sum(range(10**12)) if way == "busy" else time.sleep(60)  # in C, all threads locked out
'''


def add_op(work, text):
    with (work.folder / "ops.py").open("a") as file:
        file.write(f"\n\n{text}\n")


def recipe(work, text):
    work.write("recipe.toml", f'name = "x"\nplugins = ["ops.py"]\n{text}')


def digests(results):
    results.raise_failures()
    return {name: record.digest for name, record in results.records.items()}


def wait_for(condition, what):
    """Wait for a condition, with a deadline."""
    end = time.monotonic() + 30
    while not (found := condition()):
        assert time.monotonic() < end, what
        time.sleep(0.01)
    return found


def is_dead(pid):
    """Whether a process has ended, if it has been collected or not."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return sys.platform == "linux"
    return True


# ------------------------------------------------------------------------------------------ the same


def test_store_25_branches_overlap_and_a_shared_node_runs_once(work):
    """Each of two nodes ends only while the other is at work; what both need runs before, once."""
    add_op(work, MEET)
    work.write("recipe.toml", DIAMOND)

    results = work.prepare(jobs=2)

    results.raise_failures()
    assert work.ran() == ["numbers", "meet", "meet", "add"]
    assert work.store.load(results.records["bottom"]) == [0, 2, 4]


def test_results_are_the_same_with_one_process_and_with_several(work, tmp_path):
    """Digests and fingerprints, records in the order of the plan."""
    other = Work(tmp_path / "other")

    alone, together = work.prepare(), other.prepare(jobs=3)

    assert digests(alone) == digests(together)
    assert list(alone.records) == list(together.records)
    assert alone.ran == together.ran == ["first", "second", "sum", "scaled"]
    prints = [[r.fingerprint for r in each.records.values()] for each in (alone, together)]
    assert prints[0] == prints[1]


def test_overrides_and_paths_reach_the_workers(work):
    """They open the recipe as the command line gives it."""
    work.write("data.txt", "a\nb\n")
    recipe(work, '[nodes.a]\nuse = "lines"\npath = "data.txt"\n[nodes.b]\nuse = "numbers"\n')

    results = work.prepare("nodes.b.count=5", jobs=2)

    assert digests(results)
    assert work.store.load(results.records["a"]) == ["a", "b"]
    assert work.store.load(results.records["b"]) == [0, 1, 2, 3, 4]


def test_a_second_run_with_jobs_does_nothing(work):
    """Everything is a hit."""
    work.prepare(jobs=2).raise_failures()
    work.ran()

    assert work.prepare(jobs=2).ran == []
    assert work.ran() == []


def test_store_23_24_what_is_forced_or_never_cached_runs_once(work):
    """Also in a worker; equal outputs stop there."""
    work.prepare().raise_failures()
    work.ran()

    results = work.prepare("nodes.second.cache=false", jobs=2, force=["first"])

    results.raise_failures()
    assert sorted(work.ran()) == ["numbers", "numbers"]
    assert results.ran == ["first", "second"]


def test_equal_nodes_are_computed_once_and_no_worker_waits_for_it(work, heard):
    """The second waits for the first to end, and is a hit."""
    recipe(work, '[nodes.a]\nuse = "numbers"\n[nodes.b]\nuse = "numbers"\n[nodes.c]\nuse = "numbers"\n'
                 "count = 7\n")  # fmt: skip

    work.prepare(jobs=3).raise_failures()

    assert work.ran() == ["numbers", "numbers"]
    assert not [e for e in heard if isinstance(e, NodeWaiting)]
    assert ("b", "hit") in [(e.node, e.status) for e in heard if isinstance(e, NodeFinished)]


def test_no_more_workers_than_there_is_parallel_work(work):
    """A chain runs in one, however many there may be."""
    add_op(work, '@mlrecipe.op("who")\ndef who(*before):\n    import os\n    return os.getpid()')
    recipe(work, '[nodes.a]\nuse = "numbers"\n[nodes.b]\nuse = "who"\ninputs = ["a"]\n'
                 '[nodes.c]\nuse = "who"\ninputs = ["a", "b"]\n')  # fmt: skip

    results = work.prepare(jobs=4)

    results.raise_failures()
    pids = {work.store.load(results.records[name]) for name in ("b", "c")}
    assert len(pids) == 1
    assert pids != {os.getpid()}


def test_cores_are_shared_out_unless_the_user_says_otherwise(work, monkeypatch):
    """A variable that is set stays."""
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "11")
    monkeypatch.setattr(share, "cores", lambda: 8)
    add_op(
        work,
        '@mlrecipe.op("ask")\ndef ask(*, way: int):\n    import os\n'
        '    return [os.environ["OPENBLAS_NUM_THREADS"], os.environ["OMP_NUM_THREADS"]]',
    )
    recipe(work, '[nodes.a]\nuse = "ask"\nway = 1\n[nodes.b]\nuse = "ask"\nway = 2\n')

    results = work.prepare(jobs=2)

    results.raise_failures()
    assert work.store.load(results.records["a"]) == ["4", "11"]


def test_store_42_what_a_worker_makes_is_noted_as_in_use(work):
    """So that a gc elsewhere leaves it alone for as long as the command runs."""
    add_op(work, '''
@mlrecipe.op("look")
def look(values, *, folder: str):
    """What is noted in the store now."""
    return sorted(path.read_text() for path in Path(folder).glob("*/uses"))
''')  # fmt: skip
    recipe(work, '[nodes.big]\nuse = "numbers"\ncount = 9000\n[nodes.a]\nuse = "look"\ninputs = "big"\n'
                 f'folder = "{work.store.root}/v1/tmp"\n')  # fmt: skip

    results = work.prepare(jobs=2)

    results.raise_failures()
    noted = "".join(work.store.load(results.records["a"]))
    assert results.records["big"].digest in noted


# --------------------------------------------------------------------------------------------- told


def test_what_happens_in_workers_is_told(work, heard):
    """Each event with its node."""
    work.edit("ops.py", 'note("scale")', 'note("scale"); mlrecipe.progress(1, 2)\n'
              '    from mlrecipe import events; events.emit(events.Note("a note"))')  # fmt: skip

    work.prepare(jobs=2).raise_failures()

    nodes = {"first", "second", "sum", "scaled"}
    assert {e.node for e in heard if isinstance(e, NodeStarted)} == nodes
    assert {e.node for e in heard if isinstance(e, NodeFinished) and e.status == "run"} == nodes
    assert [e for e in heard if isinstance(e, Progress)] == [Progress(1, 2, node="scaled")]
    assert [e for e in heard if isinstance(e, Note)] == [Note("a note", node="scaled")]


def test_what_ops_print_is_shown_with_the_node(work, capfd):
    """On standard error; a line that is not ended too, and of a bar the last state only."""
    work.edit("ops.py", 'note("scale")', 'note("scale"); print("one", factor); '
              'print("10 %\\r50 %\\r99 %\\r"); import sys; print("end", end="", file=sys.stderr)')  # fmt: skip

    work.prepare(jobs=2).raise_failures()

    out, err = capfd.readouterr()
    assert out == ""
    assert err.splitlines() == ["scaled: one 2.0", "scaled: 99 %", "scaled: end"]


def test_an_op_in_a_worker_cannot_read_or_write_what_is_not_its_own(work, capfd):
    """Standard input is empty; what a program that it starts prints is no message."""
    work.edit("ops.py", 'note("scale")', 'note("scale"); import subprocess, sys; '
              'subprocess.run(["echo", "{}"]); values = [len(sys.stdin.read())] + values')  # fmt: skip

    results = work.prepare(jobs=2)

    results.raise_failures()
    assert work.store.load(results.records["scaled"])[0] == 0
    assert capfd.readouterr().err == "{}\n"


# ------------------------------------------------------------------------------------------ failures


def test_store_26_what_does_not_need_a_failed_node_still_runs_with_workers(work, heard):
    """The rest finishes, the failure is told as it would be here, a rerun goes on from there."""
    recipe(work, '[nodes.bad]\nuse = "fail"\n[nodes.after]\nuse = "scale"\ninputs = "bad"\n'
                 '[nodes.good]\nuse = "numbers"\n[nodes.fine]\nuse = "scale"\ninputs = "good"\n')  # fmt: skip

    results = work.prepare(jobs=2)

    assert (results.ran, results.skipped) == (["good", "fine"], ["after"])
    with pytest.raises(
        OpError, match=r"node 'bad' .op 'fail'. failed at ops.py:\d+: ValueError: it"
    ):
        results.raise_failures()
    assert [e.node for e in heard if isinstance(e, events.NodeFailed)] == ["bad"]
    work.ran()
    work.edit("ops.py", "    raise ValueError(message)", "    return [1, 2]")
    assert work.prepare(jobs=2).ran == ["bad", "after"]


def test_a_data_error_in_a_worker_has_its_place(work):
    """The user reads the recipe's file and line, and the request was wrong."""
    add_op(
        work,
        '@mlrecipe.op("strict")\ndef strict(*, column: str):\n'
        '    raise mlrecipe.DataError("no such column", key="column", hint="there are a, b")',
    )
    recipe(work, '[nodes.a]\nuse = "strict"\ncolumn = "c"\n[nodes.b]\nuse = "numbers"\n')

    with pytest.raises(RecipeError) as caught:
        work.prepare(jobs=2).raise_failures()

    assert str(caught.value) == ("recipe.toml:5:1  nodes.a.column: no such column; there are a, b")
    assert "in strict" in str(caught.value.__cause__)  # its traceback, for --traceback


def test_a_worker_that_dies_fails_its_node_alone(work):
    """As when memory runs out; the message says how it died, and other nodes get another worker."""
    work.edit("ops.py", 'note("scale")', 'note("scale"); import os; os.kill(os.getpid(), 9)')
    with (work.folder / "recipe.toml").open("a") as file:
        file.write('[nodes.other]\nuse = "parity"\ninputs = "sum"\n')

    results = work.prepare(jobs=2)

    with pytest.raises(
        OpError, match=r"node 'scaled': .* died of signal 9 \(SIGKILL\); perhaps memory"
    ):
        results.raise_failures()
    assert results.ran == ["first", "second", "sum", "other"]


def test_store_47_a_worker_with_other_code_refuses(work):
    """It derives the fingerprint itself; nothing is recorded, and the difference is named."""
    request, store = work.request(), work.store
    planned = make_plan(request, store)
    plugins.load(request.catalog.plugins, project=work.folder)
    work.edit("ops.py", "return [x + y for", "return [y + x for")

    results = execute(planned, request, store, jobs=2)

    assert results.ran == ["first", "second"]
    with pytest.raises(
        OpError, match=r"'sum' is not what it was .*the op's code add changed \(ops.py:"
    ):
        results.raise_failures()
    assert work.statuses()["sum"] == "run"


def test_code_that_is_edited_while_a_command_runs_does_not_count(work):
    """A worker goes on with the code that it began with, as a single process does."""
    work.edit("ops.py", 'note("add")', 'note("add"); path = Path(__file__); '
              'path.write_text(path.read_text().replace("factor * v", "factor + v"))')  # fmt: skip

    results = work.prepare(jobs=2)

    results.raise_failures()
    assert work.store.load(results.records["scaled"]) == [20.0, 24.0, 28.0, 32.0]
    assert work.statuses()["scaled"] != "hit"


def test_nothing_is_held_of_a_failed_op(work, monkeypatch):
    """Its error is kept to the end, the data in its frames are not."""
    held: list[weakref.ref[object]] = []
    monkeypatch.setattr(sys, "held_by_test", held, raising=False)
    work.edit("ops.py", "    raise ValueError(message)",
              "    import sys, weakref\n    data = type('Data', (), {})()\n"
              "    sys.held_by_test.append(weakref.ref(data))\n    raise ValueError(message)")  # fmt: skip
    recipe(work, '[nodes.bad]\nuse = "fail"\n')

    results = work.prepare()

    assert isinstance(results.failures["bad"], OpError)
    assert held[0]() is None


# --------------------------------------------------------------------------------------- interruption


@pytest.fixture
def blocked(work):
    """A command of which one node is done and one blocks; gives it and the processes that it started."""
    add_op(work, BLOCK)
    recipe(work, '[nodes.done]\nuse = "numbers"\n[nodes.stuck]\nuse = "block"\n')
    started, known = [], []

    def start(*overrides):
        process = work.start("prepare", "recipe.toml", "-j2", *overrides)
        started.append(process)
        wait_for(lambda: work.statuses()["done"] == "hit", "the first node never ended")
        path = work.folder / "pids"
        wait_for(path.exists, "the other never began")
        known.extend(int(pid) for pid in path.read_text().split())
        return process, known

    yield start
    for pid in known:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("number", "code", "way"),
    [(signal.SIGINT, 130, ""), (signal.SIGTERM, 143, ""), (signal.SIGINT, 130, "deaf")],
)
def test_store_30_an_interrupted_driver_leaves_no_process(work, blocked, number, code, way):
    """Ctrl-C and SIGTERM: what is done is kept; an op that will not hear is killed, with what it started."""
    process, pids = blocked("--set", f"nodes.stuck.way={way}")

    process.send_signal(number)
    _, err = process.communicate(timeout=30)

    assert process.returncode == code
    assert "interrupted: what was finished is kept" in err
    assert "Traceback" not in err
    assert all(wait_for(lambda pid=pid: is_dead(pid), "a process is left") for pid in pids)
    assert work.statuses() == {"done": "hit", "stuck": "run"}


@pytest.mark.parametrize("way", ["", "alone", pytest.param("busy", marks=LINUX)])
def test_store_30_a_killed_driver_takes_its_workers_with_it(work, blocked, way):
    """With what they started, but where an op lets no other code run; locks are free."""
    process, pids = blocked("--set", f"nodes.stuck.way={way}")

    process.kill()
    process.wait()

    wait_for(lambda: is_dead(pids[0]), "the worker is left")
    if way == "busy":
        os.kill(pids[1], signal.SIGKILL)
    wait_for(lambda: is_dead(pids[1]), "what the worker started is left")
    work.edit("ops.py", "    child = ", "    return 1\n    child = ")
    done = work.run("prepare", "recipe.toml", "-j2")
    assert done.code == 0
    assert "waiting" not in done.err


SLOW_NEXT = """
import time
from mlrecipe.pipeline import worker
_next = worker._Line.next
def next_(self):
    time.sleep(0.3)
    return _next(self)
worker._Line.next = next_
"""


def test_a_worker_that_is_let_go_right_after_its_answer_leaves_nothing(work, tmp_path, monkeypatch):
    """It is not at work any more, and so does not take the end of the pipe for its driver's death."""
    (tmp_path / "custom").mkdir()
    (tmp_path / "custom/sitecustomize.py").write_text(SLOW_NEXT)
    monkeypatch.setattr("tests.projects.ROOT", f"{tmp_path}/custom:{ROOT}")

    done = work.run("prepare", "recipe.toml", "-j2")

    assert done.code == 0
    assert list((work.store.root / "v1/tmp").iterdir()) == []


@pytest.mark.parametrize("at_most", [0, 1])
def test_processes_that_cannot_be_started(work, heard, at_most, monkeypatch):
    """Those that there are do all the work; where there is none, each node says so and nothing else happens."""
    started: list[object] = []
    start = subprocess.Popen.__init__

    def limited(self, *arguments, **options):
        # The kernel's own answer, to a program whose path is too long for any system.
        if len(started) >= at_most:
            arguments = (["/" + "x" * 5000], *arguments[1:])
        started.append(self)
        start(self, *arguments, **options)

    monkeypatch.setattr(subprocess.Popen, "__init__", limited)
    results = work.prepare(jobs=2)

    if at_most:
        results.raise_failures()
        assert results.ran == ["first", "second", "sum", "scaled"]
        [note] = [e.text for e in heard if isinstance(e, Note) and e.level == "warning"]
        assert note == "no more than 1 of the processes can be started (File name too long)"
        return
    with pytest.raises(OpError) as caught:
        results.raise_failures()
    assert str(caught.value).splitlines() == [
        f"node {name!r}: no process can be started for it: File name too long; "
        "without --jobs it needs none"
        for name in ("first", "second")
    ]
    assert results.skipped == ["sum", "scaled"]


def test_what_a_thread_prints_after_its_op_is_no_error(work, capfd):
    """It is shown, of no node, and the other work goes on."""
    add_op(
        work,
        '@mlrecipe.op("leave")\ndef leave():\n    import threading\n'
        '    threading.Timer(0.5, print, ["late"]).start()\n    return 1',
    )
    add_op(
        work, '@mlrecipe.op("slow")\ndef slow():\n    import time\n    time.sleep(3)\n    return 2'
    )
    recipe(work, '[nodes.a]\nuse = "leave"\n[nodes.b]\nuse = "slow"\n')

    work.prepare(jobs=2).raise_failures()

    assert capfd.readouterr().err.splitlines() == ["late"]
