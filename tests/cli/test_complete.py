"""Completion: what a TAB offers, in the shells themselves where they are installed."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time

import pytest

from mlrecipe.cli import complete
from mlrecipe.cli.app import COMMANDS
from mlrecipe.cli.entry import COMPLETE
from mlrecipe.cli.importing import FRAMEWORKS
from mlrecipe.cli.shells import SCRIPTS
from mlrecipe.runs.run import create
from tests.libraries import HEAVY
from tests.projects import ROOT

VARIANTS = """
[variant.data.few.nodes.first]
count = 2
[variant.data.many.nodes.first]
count = 9
"""


@pytest.fixture
def project(work):
    """A project with one recipe here and one in `recipes/`."""
    path = work.folder / "recipe.toml"
    path.write_text(path.read_text() + VARIANTS + "[train]\nepochs = 2\noptimizer = { lr = 0.1 }\n")
    work.write("recipes/other.toml", 'name = "other"\n[nodes.far]\nuse = "load-files"\n')
    return work


@pytest.fixture
def offers(project):
    """The candidates for a line that ends at the cursor."""

    def ask(line: str) -> list[str]:
        words = complete.read(f"mlrecipe {line}").words
        return [found.text for found in complete.complete(words, here=project.folder)]

    return ask


# ------------------------------------------------------------------------------------ what is offered


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("tr", "train"),
        ("-v prep", "prepare"),
        ("check ", "recipe.toml other"),
        ("check o", "other"),
        ("check recipes/", "recipes/other.toml"),
        ("plan recipe.toml s", "second sum scaled"),
        ("plan recipe.toml sum s", "second scaled"),
        ("plan other ", "far"),
        ("prepare recipe.toml --force f", "first"),
        ("inspect s", "second sum scaled"),
        ("inspect far oth", "other"),
        ("list call", "callbacks"),
        ("list ops token", "tokenize tokenize-words"),
        ("list op pari", "parity"),
        ("list ops --recipe other pari", ""),
        ("train recipe.toml --pick ", "data=few data=many"),
        ("train recipe.toml --pick=data=f", "--pick=data=few"),
        ("train recipe.toml --set t", "task. train. test."),
        ("train recipe.toml --set train.o", "train.optimizer."),
        ("train recipe.toml --set train.batch", "train.batch_size= train.batching="),
        ("train recipe.toml --set train.optimizer.l", "train.optimizer.lr="),
        ("train recipe.toml --set nodes.sc", "nodes.scaled."),
        ("train recipe.toml --set nodes.scaled.f", "nodes.scaled.factor= nodes.scaled.force="),
        ("train recipe.toml --set=train.ep", "--set=train.epochs="),
        ("train recipe.toml --set train.epochs=1 --set train.mod", "train.mode="),
        ("train recipe.toml --set train.mode=", "train.mode=auto train.mode=min train.mode=max"),
        ("train recipe.toml --set nodes.sum.cache=", "nodes.sum.cache=true nodes.sum.cache=false"),
        ("train recipe.toml --set train.data=sca", "train.data=scaled"),
        ("train recipe.toml --set train.optimizer.use=SG", "train.optimizer.use=SGD"),
        ("train recipe.toml --set task.use=text-classification --set task.metrics+=acc",
         "task.metrics+=accuracy"),
        ("train recipe.toml --set train.epochs=", ""),
        ("train --set train.ep", "train.epochs="),
        ("train recipe.toml --unset train.", "train.optimizer train.optimizer. train.epochs"),
        ("train recipe.toml --unset train.optimizer.", "train.optimizer.lr"),
        ("options recipe.toml train.opt", "train.optimizer."),
        ("test recipe.toml --checkpoint ", "best last"),
        ("completion ", "bash zsh fish"),
        ("check recipe.toml ", "other"),
        ("show recipe.toml ", ""),
        ("nonsense ", ""),
        ("train nothing --set ", ""),
    ],
)  # fmt: skip
def test_a_word_may_become(offers, line, words):
    """Each place of a line has its own candidates, and nothing else."""
    assert offers(line) == words.split()


@pytest.mark.heavy
def test_parameters_follow_what_the_line_chooses(offers):
    """Another optimizer on the line has other keys."""
    line = "train recipe.toml --set train.optimizer.use=SGD --set train.optimizer.mom"

    assert offers(line) == ["train.optimizer.momentum="]


@pytest.mark.heavy
def test_arguments_of_the_trainer_that_mlrecipe_sets_are_not_offered(offers):
    """A recipe may not set them."""
    found = offers("train recipe.toml --set train.trainer.")

    assert "train.trainer.precision=" in found
    assert "train.trainer.max_epochs=" not in found


def test_every_command_is_offered(offers):
    """Those that there are, with what their help says first."""
    assert offers("") == list(COMMANDS)
    assert (
        complete.top_commands()["train"]
        == "Prepare the data and train the model: a new run, unless an interrupted one is resumed."
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_option_names_are_those_of_the_command(offers, cli, command):
    """All that its help shows, and those of mlrecipe itself."""
    shown = cli(command, "--help").out
    in_rows = set(re.findall(r"^[^\w-]*(--[a-z-]+)", shown, re.MULTILINE))
    everywhere = {"--verbose", "--quiet", "--offline", "--traceback", "--version"}

    found = set(offers(f"{command} --"))

    assert found >= in_rows | everywhere
    assert {option for option in found - everywhere if option not in shown} == set()


@pytest.mark.parametrize("command", complete.ARGUMENTS)
def test_what_is_known_beforehand_is_what_the_command_says(command):
    """The two tables that save the import of the commands agree with them."""
    accepted = complete.accepted([command])

    assert accepted.arguments == complete.ARGUMENTS[command]
    for option, value in complete.OPTIONS.items():
        if option in accepted.options:
            assert accepted.options[option][0] == value, option


def test_choices_are_those_that_the_help_names(offers):
    """Where it says `One of:`."""
    assert offers("import ") == list(FRAMEWORKS)


def test_every_option_that_is_known_beforehand_exists():
    """None of them is left over from a command that has changed."""
    every = {o for command in COMMANDS for o in complete.accepted([command]).options}

    assert every >= complete.OPTIONS.keys()


def test_runs_are_offered_the_newest_first(project, offers):
    """For `test` only train runs."""
    for name, stage in (("20260101T000000Z-a-train-0001", "train"),
                        ("20260102T000000Z-a-test-0002", "test"),
                        ("20260103T000000Z-a-train-0003", "train")):  # fmt: skip
        project.write(f"runs/{name}/run.json", f'{{"stage": "{stage}", "status": "finished"}}')
    project.write("runs/20260104T000000Z-a-train-0004/broken.json", "{}")

    assert offers("test recipe.toml --run 2026") == [
        "20260103T000000Z-a-train-0003", "20260101T000000Z-a-train-0001",
    ]  # fmt: skip


def test_runs_to_remove_are_offered_each_once(project, offers):
    """By `runs rm`, which takes several."""
    made = [create(project.folder, name=name, stage="train", recipe="x.toml") for name in "ab"]

    assert sorted(offers("runs rm ")) == sorted(run.id for run in made)
    assert offers(f"runs rm {made[0].id} ") == [made[1].id]


def test_files_are_offered_for_a_key_that_names_one(project, offers):
    """From where the recipe's paths start."""
    project.write("dates/elsewhere.csv", "text\n")
    project.write("recipes/data/reviews.csv", "text\n")

    assert offers("train other --set nodes.far.train=d") == ["nodes.far.train=data/"]
    assert offers("train other --set nodes.far.train=data/") == ["nodes.far.train=data/reviews.csv"]


def test_nodes_of_all_recipes_are_offered_where_none_is_meant(project, offers):
    """`inspect` takes the node first."""
    project.write("second.toml", 'name = "second"\n[nodes.special]\nuse = "load-files"\n')

    assert offers("inspect sp") == ["special"]
    assert offers("inspect sc") == ["scaled"]


# ------------------------------------------------------------------------------------ what never happens


@pytest.mark.parametrize(
    "text",
    [
        "name = ",
        "\x00",
        'extends = ["recipe.toml"]\n',
        "nodes = 3\ntrain = 4\n[variant]\ndata = 1\n",
    ],
    ids=["toml", "null", "circle", "types"],
)
@pytest.mark.parametrize("rest", ["", "--set nodes.", "--pick ", "--unset ", "--set train.data="])
def test_a_broken_recipe_offers_less_and_never_an_error(project, monkeypatch, capsys, text, rest):
    """Exit code 0 and nothing on standard error, whatever the recipe."""
    monkeypatch.chdir(project.folder)
    project.write("recipe.toml", text)

    code = complete.main(["zsh", f"mlrecipe plan recipe.toml {rest}"])

    assert (code, capsys.readouterr().err) == (0, "")


def test_a_tab_writes_nothing_and_imports_neither_plugins_nor_libraries(project):
    """Nor what the command line itself needs, for the words that are typed most."""
    project.write("loud.py", "import pathlib\npathlib.Path('imported').touch()\n")
    project.edit("recipe.toml", '["ops.py"]', '["ops.py", "loud.py"]')
    before = sorted(project.folder.rglob("*"))

    done = project.python(f"""
        import sys
        from mlrecipe.cli.entry import main
        for line in ("", "check ", "plan recipe.toml ", "plan recipe.toml --set train.optimizer.",
                     "plan recipe.toml --set train.mode=", "list ops ", "test recipe.toml --run "):
            sys.argv = ["mlrecipe", {COMPLETE!r}, "zsh", f"mlrecipe {{line}}"]
            try:
                main()
            except SystemExit as end:
                assert end.code == 0
        print(*sorted({{"typer", "rich", *{HEAVY!r}}} & set(sys.modules)), "end", file=sys.stderr)
    """)

    assert "nodes" in done.out or "first" in done.out
    assert done.err.split() == ["end"]
    assert sorted(p for p in project.folder.rglob("*") if "__pycache__" not in p.parts) == before


@pytest.mark.parametrize("arguments", [[], ["bash"], ["bash", "mlrecipe", "x", "y"]])
def test_a_call_that_no_script_makes_says_nothing(project, arguments):
    """A script of another version gets no candidates, and no message."""
    done = project.run(COMPLETE, *arguments)

    assert (done.out, done.err) == ("", "")


# ------------------------------------------------------------------------------------ lines


@pytest.mark.parametrize(
    ("line", "words", "quote"),
    [
        ("mlrecipe ", [""], ""),
        ("mlrecipe tr", ["tr"], ""),
        ("mlrecipe a 'b c", ["a", "b c"], "'"),
        ('mlrecipe "a \\"b', ['a "b'], '"'),
        ("mlrecipe a\\ b c", ["a b", "c"], ""),
        ("mlrecipe ''  x", ["", "x"], ""),
        ("A=1 B=2 mlrecipe x", ["x"], ""),
        ("time mlrecipe x", ["x"], ""),
        ("mlrecipe --set nodes.\"my node\".x=1 ", ["--set", "nodes.my node.x=1", ""], ""),
    ],
)  # fmt: skip
def test_a_line_is_read_as_the_shell_reads_it(line, words, quote):
    """With its quotes, also one that is still open, and without what stands before the program."""
    typed = complete.read(line)

    assert (typed.words, typed.quote) == (words, quote)


# ------------------------------------------------------------------------------------ shells


@pytest.fixture
def environment(project, tmp_path):
    """An environment in which `mlrecipe` is the one under test."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "mlrecipe"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mlrecipe "$@"\n')
    program.chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    return os.environ | {
        "PATH": path,
        "PYTHONPATH": str(ROOT),
        "TERM": "dumb",
        "HOME": str(tmp_path),
    }


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
@pytest.mark.parametrize(
    ("line", "word", "replies"),
    [
        ("mlrecipe tr", "tr", ["train"]),
        ("mlrecipe train recipe.toml --set train.o", "train.o", ["train.optimizer."]),
        ("mlrecipe train recipe.toml --set train.mode=m", "m", ["min", "max"]),
        ("mlrecipe train recipe.toml --set train.mode=", "", ["auto", "min", "max"]),
        ("mlrecipe train recipe.toml --pick=data=f", "f", ["few"]),
        ('mlrecipe train recipe.toml --set "train.mode=m', "train.mode=m",
         ["train.mode=min", "train.mode=max"]),
        ("mlrecipe check my", "my", ["my\\ recipe.toml"]),
        ("mlrecipe check my\\ r", "my\\ r", ["my\\ recipe.toml"]),
        ("mlrecipe check 'my", "my", ["my recipe.toml"]),
    ],
)  # fmt: skip
def test_bash_gets_the_part_that_it_replaces(project, environment, line, word, replies):
    """bash breaks words at `=` and `:`, and wants quotes where it will read the reply again."""
    project.write("my recipe.toml", 'name = "x"\n')
    script = """
        eval "$(mlrecipe completion bash)"
        COMP_LINE=$LINE COMP_POINT=${#LINE} COMP_WORDS=($LINE) COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _mlrecipe_complete mlrecipe "$WORD" ''
        printf '%s\\n' "${COMPREPLY[@]}"
    """

    done = subprocess.run(
        ["bash", "--norc", "-c", script], cwd=project.folder, capture_output=True, text=True,
        env=environment | {"LINE": line, "WORD": word}, check=False, timeout=60,
    )  # fmt: skip

    assert (done.stdout.splitlines(), done.stderr) == (replies, "")


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
def test_bash_completes_at_its_prompt(project, environment):
    """A line is typed with TABs in it; then it is printed instead of run."""
    typed = "mlre\tche\t recipe.toml --set train.opt\tl\t1 --set train.batching=b\t--set 'seed=1\t"
    with Prompt(["bash", "--norc", "--noprofile", "-i"], project.folder, environment) as prompt:
        prompt.enter('eval "$(mlrecipe completion bash)"')
        prompt.enter("bind 'set enable-bracketed-paste off'")

        shown = prompt.enter(f"{typed}'\x01echo LINE: ")

    assert (
        "LINE: mlrecipe check recipe.toml --set train.optimizer.lr=1 --set train.batching=bucket"
        " --set seed=1" in shown
    )


@pytest.mark.parametrize(
    ("shell", "flag"), [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")]
)
def test_the_script_is_one_of_its_shell(tmp_path, shell, flag):
    """The shell reads it without complaint."""
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    path = tmp_path / "script"
    path.write_text(SCRIPTS[shell])

    done = subprocess.run([shell, flag, str(path)], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_zsh_and_fish_get_whole_words_with_what_they_mean(project, shell):
    """A line for each: the word, a tab, the description."""
    done = project.run(COMPLETE, shell, "mlrecipe plan recipe.toml s")

    assert done.out.splitlines() == ["second\tnumbers", "sum\tadd", "scaled\tscale"]


@pytest.mark.parametrize("shell", SCRIPTS)
def test_completion_prints_the_script_of_the_shell_that_is_used(cli, monkeypatch, shell):
    """Named, or the one of $SHELL."""
    monkeypatch.setenv("SHELL", f"/usr/bin/{shell}")

    assert cli("completion").out == cli("completion", shell).out
    assert f" {COMPLETE} {shell} " in cli("completion").out


def test_completion_of_another_shell_is_refused(cli, monkeypatch):
    """With those that there are."""
    monkeypatch.setenv("SHELL", "/bin/tcsh")

    done = cli("completion")

    assert done.code == 2
    assert "no completion for the shell 'tcsh'; known: bash, fish, zsh" in done.err


class Prompt:
    """An interactive shell in a terminal of its own."""

    MARK = "READY>"

    def __init__(self, command, folder, environment):
        self._terminal, other = pty.openpty()
        self._shell = subprocess.Popen(
            command, cwd=folder, env=environment | {"PS1": f"\\n{self.MARK}"}, stdin=other,
            stdout=other, stderr=other, start_new_session=True,
        )  # fmt: skip
        os.close(other)

    def __enter__(self):
        self._until_ready()
        return self

    def __exit__(self, *problem):
        os.close(self._terminal)
        self._shell.wait(timeout=30)

    def enter(self, line):
        """Type a line; gives back what is shown until the next prompt."""
        os.write(self._terminal, f"{line}\n".encode())
        return self._until_ready()

    def _until_ready(self):
        shown, end = "", time.monotonic() + 30
        while not shown.endswith(
            f"\n{self.MARK}"
        ):  # one that is only drawn again has no line of its own
            ready, _, _ = select.select([self._terminal], [], [], end - time.monotonic())
            assert ready, shown
            shown += os.read(self._terminal, 65536).decode()
        return shown
