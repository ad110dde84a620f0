"""The command line itself: global options, exit codes, where errors end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

import mlrecipe
from mlrecipe.cli import app, render
from tests.projects import ROOT


def test_help_lists_the_commands_in_the_order_of_use(cli):
    """And says how to start."""
    done = cli("--help")

    assert done.code == 0
    places = [done.out.index(f" {name} ") for name in ("new", "check", "plan", "prepare", "train")]
    assert places == sorted(places)
    assert "mlrecipe new my-project" in done.out


@pytest.mark.parametrize("command", ["check", "plan", "prepare", "inspect", "show", "list"])
def test_every_command_explains_itself_with_an_example(cli, command):
    """`mlrecipe COMMAND --help`."""
    done = cli(command, "--help")

    assert done.code == 0
    assert f"mlrecipe {command}" in done.out.replace("\n", " ")


def test_version(cli):
    """`--version` prints one line."""
    assert cli("--version").out == f"mlrecipe {mlrecipe.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [["--quiet", "prepare", "recipe.toml"], ["prepare", "recipe.toml", "-q"],
     ["prepare", "--quiet", "recipe.toml"]],
)  # fmt: skip
def test_global_options_may_stand_anywhere(cli, arguments):
    """Before or after the command."""
    done = cli(*arguments)

    assert (done.code, done.out, done.err) == (0, "", "")


def test_an_unknown_command_names_the_nearest(cli):
    """Exit code 2."""
    done = cli("chekc", "recipe.toml")

    assert done.code == 2
    assert "did you mean 'check'?" in done.err


def test_training_07_a_traceback_is_shown_only_when_asked_for(cli, work):
    """One line without it; with it Python's own, then the line."""
    work.write("recipe.toml", 'name = "x"\nplugins = ["ops.py"]\n[nodes.a]\nuse = "fail"\n')

    short, long = cli("prepare", "recipe.toml"), cli("prepare", "recipe.toml", "--traceback")

    assert "Traceback" not in short.err
    assert short.err.splitlines()[-1].startswith("error: node 'a' (op 'fail') failed at ops.py:")
    assert "Traceback (most recent call last)" in long.err
    assert "raise ValueError(message)" in long.err
    assert (short.code, long.code) == (1, 1)


def test_training_07_a_missing_data_file_is_one_line(cli, work):
    """Also one that vanished while the command ran is no traceback."""
    work.write(
        "recipe.toml",
        'name = "x"\nplugins = ["ops.py"]\n[nodes.a]\nuse = "lines"\npath = "gone.txt"\n',
    )

    done = cli("prepare", "recipe.toml")

    assert (done.code, done.err) == (
        2, "error: recipe.toml:5:1  nodes.a.path: no such file: 'gone.txt'\n",
    )  # fmt: skip
    assert "Traceback" in cli("prepare", "recipe.toml", "--traceback").err


def test_store_29_ctrl_c_exits_130_and_keeps_what_is_done(work):
    """A real SIGINT while an op works: earlier nodes are in the store, nothing half-done is."""
    work.edit("ops.py", '    note("scale")\n',
              '    note("scale")\n    import time; time.sleep(60)\n')  # fmt: skip
    with work.start("prepare", "recipe.toml") as process:
        wait_for(lambda: "scale" in ran(work))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)

    assert process.returncode == 130
    assert "interrupted: what was finished is kept" in err
    assert "Traceback" not in err
    work.edit("ops.py", "    import time; time.sleep(60)\n", "")
    assert work.statuses() == {"first": "hit", "second": "hit", "sum": "hit", "scaled": "run"}


def test_training_18_killing_prepare_leaves_no_half_written_node(work):
    """After SIGKILL the next run takes what was done and cleans up."""
    work.edit("ops.py", '    note("scale")\n',
              '    note("scale")\n    import os; os.kill(os.getpid(), 9)\n')  # fmt: skip
    assert work.run("prepare", "recipe.toml").code == -9
    work.ran()
    work.edit("ops.py", "    import os; os.kill(os.getpid(), 9)\n", "")

    done = work.run("prepare", "recipe.toml")

    assert done.code == 0
    assert work.ran() == ["scale"]
    assert not any((work.folder / ".mlrecipe" / "store" / "v1" / "tmp").iterdir())


@pytest.mark.parametrize("nodes", [0, 3000])
def test_a_reader_that_leaves_is_no_error(work, nodes):
    """`mlrecipe show x | head -1`, of little and of more than fits into the pipe."""
    more = "".join(f'[nodes.n{i}]\nuse = "numbers"\n' for i in range(nodes))
    work.write("recipe.toml", (work.folder / "recipe.toml").read_text() + more)
    with work.start("show", "recipe.toml") as process:
        process.stdout.close()
        process.wait(timeout=20)
        err = process.stderr.read()

    assert (process.returncode, err) == (0, "")


def test_training_39_output_that_is_no_terminal_is_plain(work):
    """No carriage returns, no colours."""
    done = work.run("prepare", "recipe.toml", NO_COLOR="", FORCE_COLOR="1", TERM="xterm")

    assert done.code == 0
    assert done.err
    assert "\r" not in done.out + done.err
    assert "\x1b" not in done.out + done.err


def test_the_flags_of_commands_are_not_taken_for_global_ones():
    """What follows `--` is left alone."""
    assert app._flags_first(["plan", "x", "-q", "--", "-q"]) == ["-q", "plan", "x", "--", "-q"]


def ran(work):
    path = work.folder / "ran.txt"
    return path.read_text() if path.is_file() else ""


def wait_for(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        os.sched_yield()


def test_work_goes_on_when_nobody_reads_any_more(work):
    """`run … | head` ends its work; the exit code is that of the work."""
    with work.start("prepare", "recipe.toml", "-v") as process:
        process.stdout.close()
        process.stderr.close()
        assert process.wait(timeout=60) == 0

    assert set(work.statuses().values()) == {"hit"}


def test_a_full_disk_behind_the_output_is_an_error(work):
    """Not a traceback."""
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "mlrecipe", "show", "recipe.toml"], cwd=work.folder, stdout=full,
            stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False,
        )  # fmt: skip

    assert done.returncode == 1
    assert done.stderr == "error: cannot write to standard output: No space left on device\n"


def test_what_a_terminal_cannot_show_is_written_out(work):
    """An ASCII terminal is no reason to fail."""
    work.edit("recipe.toml", 'name = "small"', 'name = "ünï"')

    done = work.run("show", "recipe.toml", PYTHONIOENCODING="ascii", PYTHONUTF8="0")

    assert (done.code, done.err) == (0, "")
    assert "\\xfcn\\xef" in done.out


def test_help_names_every_command(cli):
    """Those that have commands of their own as well."""
    out = cli("--help").out

    for name in app.COMMANDS:
        assert f" {name} " in out


@pytest.mark.parametrize("flags", [[], ["--traceback"], ["-j2"]])
def test_what_others_say_does_not_command_the_terminal(cli, work, flags):
    """Control characters in an op's error are written out, in the traceback too."""
    work.write("recipe.toml", r"""
        name = "x"
        plugins = ["ops.py"]
        [nodes.bad]
        use = "fail"
        message = "\u001b]0;title\u0007 \u001b[31mred\u009b2J\rover"
    """)  # fmt: skip

    done = cli("prepare", "recipe.toml", *flags)

    assert done.code == 1
    assert r"ValueError: \x1b]0;title\x07 \x1b[31mred\x9b2J\x0dover" in done.err
    assert not set(map(chr, [*range(9), *range(11, 32), *range(127, 160)])) & set(done.err)


def test_our_own_colours_reach_the_terminal(monkeypatch, capsys):
    """And no other sequence in the same line."""
    monkeypatch.setattr(render, "has_color", lambda stream: True)

    render.out(f"{render.styled('hit', 'green')} \x1b[2J")
    render.warn("\x1b[31mred")

    printed = capsys.readouterr()
    assert printed.out == "\x1b[32mhit\x1b[0m \\x1b[2J\n"
    assert printed.err == "\x1b[33mwarning:\x1b[0m \\x1b[31mred\n"
