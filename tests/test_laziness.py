"""Commands that only read start fast: what is heavy is not imported."""

from __future__ import annotations

import resource

import pytest

from tests.libraries import HEAVY
from tests.projects import Work

LIGHT = [
    ["--help"],
    ["check", "recipe.toml"],
    ["plan", "recipe.toml"],
    ["inspect", "scaled", "recipe.toml"],
    ["show", "recipe.toml"],
    ["list", "ops"],
    ["list", "callbacks"],
    ["prepare", "recipe.toml"],
]


@pytest.mark.parametrize("arguments", LIGHT, ids=" ".join)
def test_training_02_light_commands_import_nothing_heavy(prepared, arguments):
    """Neither Lightning, torch, transformers, datasets, pandas, pyarrow nor numpy."""
    done = prepared.python(f"""
        import sys
        from mlrecipe.cli.app import run
        code = run({arguments!r})
        print(code, *sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)
    """)

    assert done.err.splitlines()[-1] == "0"
    assert prepared.ran() == []


@pytest.mark.parametrize(
    ("arguments", "seconds"),
    [(["--help"], 0.3), (["check", "recipe.toml"], 0.5), (["check", "broken.toml"], 0.5)],
    ids=["help", "check", "mistake"],
)
def test_training_01_03_light_commands_need_little_time(prepared, arguments, seconds):
    """CPU time of the child, best of three; half as much again is allowed on a busy machine."""
    prepared.write("broken.toml", 'name = "x"\nsede = 1\n')

    assert min(cpu_seconds(prepared, arguments) for _ in range(3)) < 1.5 * seconds


def cpu_seconds(work: Work, arguments: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    work.run(*arguments)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Work:
    """A project whose nodes are all in the store, with a train section."""
    made = Work(tmp_path_factory.mktemp("lazy"))
    with (made.folder / "recipe.toml").open("a") as file:
        file.write('\n[model]\nuse = "transformer"\ncheckpoint = "org/model"\n'
                   '[task]\nuse = "text-classification"\n[train]\ndata = "scaled"\n'
                   '[train.callbacks.stop]\nuse = "EarlyStopping"\nmonitor = "valid/loss"\n')  # fmt: skip
    assert made.run("prepare", "recipe.toml").code == 0
    made.ran()
    return made
