"""A long random life of one project, against a model that always recomputes.

Each round changes code, a file or a parameter, goes back to an earlier state, kills a run, damages the store,
collects garbage or lets processes race; after each round every output is compared with what the model computes
from the files as they are. A failure prints its seed and round: `SOAK_SEED=7 pytest …` repeats it.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mlrecipe.cli import app
from tests.projects import Work

ROUNDS, SHORT = 200, 12

LONG = pytest.mark.skipif(
    not os.environ.get("MLRECIPE_TEST_DATA"), reason="takes minutes: make test-real"
)

HELPERS = '''
STEP = {step}


def scaled(value):
    """A comment: {comment}."""
    return value * {factor}
'''

OPS = '''
from __future__ import annotations

import os
import time
from pathlib import Path

import mlrecipe

from .helpers import STEP, scaled


@mlrecipe.op("read")
def read(*, path: mlrecipe.File) -> list:
    """Numbers of a file."""
    return [int(line) for line in Path(path).read_text().split()]


@mlrecipe.op("grow")
def grow(values, *, by: int = 1) -> list:
    """Each plus something."""
    time.sleep(float(os.environ.get("SOAK_SLEEP", "0")))
    return [value + by + {offset} for value in values]


@mlrecipe.op("stretch")
def stretch(values, *, times: int = 2) -> list:
    """Scaled values, many times over: too many for a record."""
    return [scaled(value) + STEP for value in values] * (times * 6000)


@mlrecipe.op("join")
def join(left, right) -> list:
    """One after the other, thinned out."""
    return (left + right)[:: max(1, (len(left) + len(right)) // 50)]


@mlrecipe.op("sum")
def total(*parts) -> int:
    """Of everything."""
    return sum(sum(part) for part in parts)
'''

RECIPE = """
name = "soak"
plugins = ["ops.py"]
nodes.a = { use = "read", path = "one.txt" }
nodes.b = { use = "read", path = "two.txt" }
nodes.c = { use = "grow", inputs = "a", by = %(c)d }
nodes.d = { use = "grow", inputs = "b", by = %(d)d }
nodes.e = { use = "stretch", inputs = "c", times = %(e)d }
nodes.f = { use = "stretch", inputs = "d", times = %(f)d }
nodes.g = { use = "join", inputs = ["c", "d"] }
nodes.h = { use = "join", inputs = ["e", "f"] }
nodes.i = { use = "grow", inputs = "g", by = %(i)d }
nodes.j = { use = "join", inputs = ["h", "i"] }
nodes.k = { use = "sum", inputs = ["a", "i"] }
nodes.l = { use = "sum", inputs = ["g", "h", "j"] }
"""

State = dict[str, int | str]
START: State = {
    "step": 1, "factor": 3, "comment": "x", "offset": 0, "c": 1, "d": 2, "e": 1, "f": 2, "i": 5,
    "one.txt": "1 2 3", "two.txt": "4 5 6",
}  # fmt: skip


def expected(state: State) -> dict[str, object]:
    """What every node gives, computed from nothing."""
    number = {key: int(value) for key, value in state.items() if isinstance(value, int)}

    def grow(values: list[int], by: int) -> list[int]:
        return [value + by + number["offset"] for value in values]

    def stretch(values: list[int], times: int) -> list[int]:
        return [v * number["factor"] + number["step"] for v in values] * (times * 6000)

    def join(left: list[int], right: list[int]) -> list[int]:
        return (left + right)[:: max(1, (len(left) + len(right)) // 50)]

    a, b = ([int(n) for n in str(state[name]).split()] for name in ("one.txt", "two.txt"))
    c, d = grow(a, number["c"]), grow(b, number["d"])
    e, f = stretch(c, number["e"]), stretch(d, number["f"])
    g, h = join(c, d), join(e, f)
    i = grow(g, number["i"])
    j = join(h, i)
    k, whole = sum(a) + sum(i), sum(g) + sum(h) + sum(j)
    return {"a": a, "b": b, "c": c, "d": d, "e": e, "f": f, "g": g, "h": h, "i": i, "j": j, "k": k,
            "l": whole}  # fmt: skip


class Life:
    """The project, the state that its files are in, and what can happen to it."""

    def __init__(self, folder: Path, dice: random.Random) -> None:
        self.work = Work(folder)
        self.dice = dice
        self.state = dict(START)
        self.past: list[State] = []
        self.told: list[str] = []
        self.in_use: set[str] = set()
        self.write()

    def write(self) -> None:
        """Bring the files into the state."""
        texts = {
            "helpers.py": HELPERS.format(**self.state),
            "ops.py": OPS.replace("{offset}", str(self.state["offset"])),
            "recipe.toml": RECIPE % self.state,
            "one.txt": str(self.state["one.txt"]),
            "two.txt": str(self.state["two.txt"]),
        }
        for name, text in texts.items():
            path = self.work.folder / name
            if not path.is_file() or path.read_text() != text:
                path.write_text(text)

    def change(self, key: str, value: int | str) -> None:
        self.past.append(dict(self.state))
        self.state[key] = value
        self.write()

    def edit_code(self) -> None:
        key = self.dice.choice(["step", "factor", "offset", "comment"])
        self.change(key, self.dice.randint(1, 9))

    def edit_parameter(self) -> None:
        self.change(self.dice.choice("cdefi"), self.dice.randint(1, 4))

    def edit_file(self) -> None:
        name = self.dice.choice(["one.txt", "two.txt"])
        path, before = self.work.folder / name, os.stat(self.work.folder / name)
        self.change(name, " ".join(str(self.dice.randint(1, 9)) for _ in range(3)))
        if self.dice.random() < 0.5:  # of the same size, its time set back
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    def touch(self) -> None:
        os.utime(self.work.folder / "one.txt")

    def go_back(self) -> None:
        if self.past:
            self.state = dict(self.dice.choice(self.past))
            self.write()

    def kill(self) -> None:
        self.edit_parameter()
        jobs = self.dice.choice([[], ["-j", "2"]])
        process = self.work.start("prepare", "recipe.toml", *jobs, SOAK_SLEEP="0.1")
        time.sleep(self.dice.uniform(0, 1.2))  # wherever that finds it
        process.send_signal(self.dice.choice([signal.SIGKILL, signal.SIGINT, signal.SIGTERM]))
        process.communicate(timeout=60)

    def race(self) -> None:
        self.edit_code()
        racing = [self.work.start("prepare", "recipe.toml", SOAK_SLEEP="0.05") for _ in range(3)]
        for process in racing:
            _, err = process.communicate(timeout=60)
            assert process.returncode == 0, err

    def corrupt(self) -> None:
        """Flip a byte, cut a file, lose one, or lose the index; flips are for `cache verify` to find."""
        store = self.work.folder / ".mlrecipe/store/v1"
        kind = self.dice.choice(["flip", "flip", "cut", "lose", "record", "index"])
        folder = {"record": "records", "index": "index"}.get(kind, "objects")
        files = sorted(p for p in (store / folder).rglob("*") if p.is_file())
        if self.dice.random() < 0.7:  # what nobody wants any more gives nothing to see
            files = [p for p in files if self.in_use & {p.stem, *p.parts}] or files
        for path in files if kind == "index" else files and [self.dice.choice(files)]:
            if kind in ("flip", "cut"):
                data = bytearray(path.read_bytes())
                at = self.dice.randrange(len(data))
                data[at] ^= 1 << self.dice.randrange(8)
                path.chmod(0o644)
                path.write_bytes(data if kind == "flip" else data[:at])
            else:
                path.unlink()
        if kind == "flip":
            if self.dice.random() < 0.5:  # something is made of it before anybody looks
                self.edit_parameter()
                self.work.prepare()
            self.command("cache", "verify", codes=(0, 1))

    def collect(self) -> None:
        grace = self.dice.choice(["0s", "1h"])
        limit = self.dice.choice([[], ["--max-size", "200kB"]])
        self.command("cache", "gc", "--yes", "--grace", grace, *limit, codes=(0, 1))

    def collect_while_running(self) -> None:
        self.edit_parameter()
        with self.work.start("prepare", "recipe.toml", SOAK_SLEEP="0.1") as process:
            for _ in range(3):
                small = ("--grace", "0s", "--max-size", "1kB")
                self.command("cache", "gc", "--yes", *small, codes=(0, 1))
            _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err

    def command(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> None:
        before = Path.cwd()
        os.chdir(self.work.folder)
        try:
            code = app.run([*arguments])
        finally:
            os.chdir(before)
        assert code in codes, arguments

    def round(self) -> None:
        """One thing happens; then every output is what it should be."""
        actions: list[Callable[[], None]] = [
            self.edit_code, self.edit_code, self.edit_parameter, self.edit_parameter, self.edit_file,
            self.edit_file, self.touch, self.go_back, self.go_back, self.kill, self.race, self.corrupt,
            self.corrupt, self.corrupt, self.collect, self.collect_while_running,
        ]  # fmt: skip
        action = self.dice.choice(actions)
        self.told.append(action.__name__)
        action()
        results = self.work.prepare()
        results.raise_failures()
        store = self.work.store
        self.in_use = {text for r in results.records.values() for text in (r.digest, r.fingerprint)}
        found = {name: store.load(record) for name, record in results.records.items()
                 if not store.damage(record)}  # fmt: skip
        wanted = {name: value for name, value in expected(self.state).items() if name in found}
        assert {"k", "l"} <= set(found)
        assert found == wanted


def live(folder: Path, rounds: int) -> None:
    """So many rounds of a life that the seed decides."""
    seed = int(os.environ.get("SOAK_SEED") or random.SystemRandom().randrange(10**9))
    life = Life(folder / "project", random.Random(seed))
    for number in range(rounds):
        try:
            life.round()
        except BaseException:
            print(f"SOAK_SEED={seed}, round {number}: {' '.join(life.told[-12:])}")
            raise
    print(f"SOAK_SEED={seed}: {rounds} rounds, no difference")


def test_a_short_random_life_gives_no_difference(tmp_path: Path) -> None:
    """A few rounds of what the long test does."""
    live(tmp_path, SHORT)


@pytest.mark.real
@LONG
@pytest.mark.timeout(1800)
def test_two_hundred_random_rounds_give_no_difference(tmp_path: Path) -> None:
    """Whatever happens to code, files, parameters, processes and the store."""
    live(tmp_path, ROUNDS)
