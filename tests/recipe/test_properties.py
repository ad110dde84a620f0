"""What holds for every recipe: random ones survive being written out, random damage is only ever an error."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from pathlib import Path

import pytest
import tomli
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlrecipe.errors import MlrecipeError
from mlrecipe.pipeline.request import open_request
from mlrecipe.pipeline.stages import check_trainable_if_meant
from mlrecipe.recipe.load import load
from mlrecipe.recipe.origins import annotated
from mlrecipe.recipe.resolved import recipe_hash, resolved, to_toml
from mlrecipe.recipe.schema import Overrides
from mlrecipe.training.checks import problems as training_problems

LONG = pytest.mark.skipif(
    not os.environ.get("MLRECIPE_TEST_DATA"), reason="takes minutes: make test-real"
)
CASES = settings(
    max_examples=150, deadline=None, database=None, derandomize=True,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
MANY = settings(CASES, max_examples=10_000, derandomize=False)

OPS = """
import mlrecipe


@mlrecipe.op("make")
def make(*, text: str = "t", number: float = 1.5, whole: int | None = None, flag: bool = False,
         names: list[str] = [], table: dict[str, float] = {}, free=None, seed: int = 0):
    return 1


@mlrecipe.op("join")
def join(*parts, how: str = "x", limit: int | None = None):
    return 1
"""

words = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
texts = words | st.sampled_from(["${x", "$${a}", "a # b", "true", "1e3", "é\n\t\"'", "\x7f\x85"])
floats = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9)
free = st.recursive(
    texts | floats | st.booleans() | st.integers(-(2**62), 2**62),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(words, below, max_size=3),
    max_leaves=6,
)
params = st.fixed_dictionaries({}, optional={
    "text": texts, "number": floats, "whole": st.integers(-5, 5), "flag": st.booleans(),
    "names": st.lists(texts, max_size=3), "table": st.dictionaries(words, floats, max_size=3),
    "free": free, "seed": st.integers(0, 99), "cache": st.booleans(), "version": texts,
})  # fmt: skip
trains = st.fixed_dictionaries({}, optional={
    "epochs": st.integers(1, 9), "batch_size": st.integers(1, 64), "seed": st.integers(0, 99),
    "optimizer": st.sampled_from(["SGD", {"lr": 1}, {"use": "SGD", "lr": 0.5, "momentum": 0}]),
    "scheduler": st.sampled_from(["cosine", {"use": "linear", "warmup": 1}]),
    "trainer": st.sampled_from([{}, {"log_every_n_steps": 2, "gradient_clip_val": 1}]),
    "callbacks": st.sampled_from([{}, {"stop": {"use": "EarlyStopping", "patience": 2}}]),
})  # fmt: skip
names = words.filter(lambda name: name and "." not in name)


def written(value):
    """Texts escaped, so that no random one reads as a reference."""
    if isinstance(value, dict):
        return {key: written(below) for key, below in value.items()}
    if isinstance(value, list):
        return [written(below) for below in value]
    return value.replace("${", "$${") if isinstance(value, str) else value


@st.composite
def recipes(draw):
    """A recipe's own file, the file that it extends, and what is picked."""
    nodes = {}
    for name in draw(st.lists(names, max_size=4, unique=True)):
        if nodes and draw(st.booleans()):
            inputs = draw(st.lists(st.sampled_from(sorted(nodes)), min_size=1, max_size=3))
            nodes[name] = {"use": "join", "inputs": written(inputs), "how": written(draw(texts))}
        else:
            nodes[name] = {"use": "make", **written(draw(params))}
    printable = texts.filter(lambda text: text.strip() and text.isprintable())
    own = {"name": written(draw(printable)), "extends": ["base/base.toml"]}
    base = {"plugins": ["../ops.py"], "seed": draw(st.integers(0, 9)), "train": draw(trains)}
    for name, table in nodes.items():
        (own if draw(st.booleans()) else base).setdefault("nodes", {})[name] = table
    patches = {option: {"train": draw(trains)} for option in ("a", "b")}
    own["variant"] = {"g": patches}
    pick = draw(st.sampled_from([None, "a", "b"]))
    if pick and draw(st.booleans()):
        own["pick"], pick = {"g": pick}, None
    return own, base, (f"g={pick}",) if pick else ()


@pytest.fixture(scope="module")
def folder():
    path = Path(tempfile.mkdtemp())
    (path / ".mlrecipe").mkdir()
    (path / "base").mkdir()
    (path / "kept" / "elsewhere").mkdir(parents=True)
    (path / "ops.py").write_text(OPS)
    yield path
    shutil.rmtree(path)


def hash_of(path, picks=()):
    loading = load(path, Overrides(picks=picks), here=path.parent)
    assert loading.problems == []
    return recipe_hash(loading.loaded, loading.catalog), loading


def survives(folder, recipe):
    """Resolve → write → load gives the same hash, also with the origins as comments."""
    own, base, picks = recipe
    (folder / "base/base.toml").write_text(tomli_w.dumps(base), encoding="utf-8")
    (folder / "own.toml").write_text(tomli_w.dumps(own), encoding="utf-8")
    expected, loading = hash_of(folder / "own.toml", picks)
    text = to_toml(resolved(loading.loaded, loading.catalog, elsewhere=True))

    for again in (text, annotated(text, loading.tree)):
        path = folder / "kept" / "elsewhere" / "again.toml"
        path.write_text(again, encoding="utf-8", newline="")
        assert hash_of(path)[0] == expected


@pytest.mark.long
@given(recipe=recipes())
@CASES
def test_recipe_40_41_a_random_recipe_survives_being_written_out(folder, recipe):
    """Resolved, written, kept elsewhere, loaded: the same recipe hash."""
    survives(folder, recipe)


@pytest.mark.real
@LONG
@pytest.mark.timeout(900)
@given(recipe=recipes())
@MANY
def test_recipe_40_41_ten_thousand_random_recipes_survive(folder, recipe):
    """The same, many times over."""
    survives(folder, recipe)


ROOT = Path(__file__).parents[2]
PIECES = [
    "=", "[", "]", "{", "}", '"', "'", ".", ",", "#", "\n", "${", "}", "${env:X}", "${a.b}", "use", "inputs",
    "[[nodes]]", "[nodes.a]", "[train.x.y]", "1e999", "-0", "1979-05-27", "nan", "inf", "\u2028", "\x00",
    "true", '"""', "[variant.a.b]", 'extends = ["own.toml"]', 'extends = ["damaged.toml"]', "unset = [1]",
    'pick = { a = "b" }', "variant = 3", "plugins = [1]", "[model]", "[task]", "callbacks = 3", "0" * 5000,
    "[" * 300, "${secret:X}", "${run_dir}", "${required:w}", "${none}", "\ud7ff", "é",
]  # fmt: skip
OVERRIDES = [
    "", "=", "a", "a=", "nodes=1", "nodes.a=1", "train=1", "train.epochs+=1", "nodes.split.inputs-=x",
    "nodes.split.inputs.0=x", "nodes.split.inputs.-1=x", "nodes.tokens.max_length=1e400", "train.optimizer=1",
    "train.optimizer.use=3", "model=", "model=x", "model.use=", "task.metrics+=3", "task.metrics.9=x",
    "train.callbacks.a.b.c.d=1", "name=\x00", "a.b.c.d.e=[[[", "train.trainer.x=1", "nodes.'a b'.use=x",
    "seed=9999999999999999999999", "train.optimizer.betas=3", "limit=-1", "use=x", "nodes.reviews.use+=x",
]  # fmt: skip


def damaged(text, dice):
    """The text with a few random things cut out, doubled, exchanged or put in."""
    for _ in range(dice.randint(1, 4)):
        at, to = sorted(dice.randrange(len(text) + 1) for _ in range(2))
        to = min(to, at + dice.choice([0, 1, 3, 20]))
        piece = dice.choice([*PIECES, text[at:to] * 2, ""])
        text = text[:at] + piece + text[to:]
    if dice.random() < 0.3:
        lines = text.split("\n")
        dice.shuffle(lines)
        text = "\n".join(lines)
    return text


def retyped(text, dice):
    """The recipe with one value exchanged for one of another type."""
    values = tomli.loads(text)
    table = values
    while True:
        key = dice.choice(list(table))
        if isinstance(table[key], dict) and table[key] and dice.random() < 0.8:
            table = table[key]
        else:
            table[key] = dice.choice([3, "x", True, [], [1], {}, {"use": 1}, {"a": {"b": 1}}, 2.5])
            return tomli_w.dumps(values)


def is_only_an_error(folder, seed):
    """Whatever is wrong with a recipe, its variants or the command line, ends in an error of our own."""
    dice = random.Random(seed)
    text = dice.choice([p.read_text() for p in sorted((ROOT / "recipes").glob("*.toml"))])
    text = dice.choice([damaged, retyped])(text, dice)
    (folder / "damaged.toml").write_text(text, encoding="utf-8", errors="surrogatepass", newline="")
    sets = tuple(dice.choice(OVERRIDES) for _ in range(dice.choice([0, 0, 1, 2])))
    overrides = Overrides(
        sets=sets, unsets=sets[:1] if dice.random() < 0.3 else (),
        picks=("a=b",) if dice.random() < 0.1 else (),
    )  # fmt: skip
    try:
        open_request(
            folder / "damaged.toml", overrides, here=folder,
            checks=[training_problems, check_trainable_if_meant],
        )  # fmt: skip
    except MlrecipeError as found:
        error = found
    else:
        return
    assert str(error).strip()


@pytest.mark.long
@given(seed=st.integers(0, 2**32))
@CASES
def test_recipe_27_random_damage_is_only_ever_an_error(folder, seed):
    """Never a traceback."""
    is_only_an_error(folder, seed)


@pytest.mark.real
@LONG
@pytest.mark.timeout(900)
@given(seed=st.integers(0, 2**32))
@MANY
def test_recipe_27_random_damage_ten_thousand_times(folder, seed):
    """The same, many times over."""
    is_only_an_error(folder, seed)
