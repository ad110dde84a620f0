"""Execution: each result committed as it is there, nothing done twice, nothing lost."""

from __future__ import annotations

import pytest

from mlrecipe import events
from mlrecipe.errors import DataError, OpError, PluginError, RecipeError, Terminated
from mlrecipe.events import NodeFinished, NodeStarted


def recipe(work, text):
    work.write("recipe.toml", f'name = "x"\nplugins = ["ops.py"]\n{text}')


def add_op(work, text):
    with (work.folder / "ops.py").open("a") as file:
        file.write(f"\n\n{text}\n")


def test_a_recipe_is_prepared(work):
    """Every op runs once and the outputs are what the ops gave."""
    assert work.output("scaled") == [20.0, 24.0, 28.0, 32.0]
    assert sorted(work.ran()) == ["add", "numbers", "numbers", "scale"]


def test_training_17_a_second_run_does_nothing(work):
    """Everything is a hit."""
    work.prepare().raise_failures()
    work.ran()

    assert work.prepare().ran == []
    assert work.ran() == []


def test_store_25_a_shared_node_runs_once(work):
    """Both branches of a diamond take the same output."""
    recipe(
        work,
        """
        [nodes.top]
        use = "numbers"
        [nodes.left]
        use = "scale"
        inputs = "top"
        [nodes.right]
        use = "scale"
        inputs = "top"
        factor = 3
        [nodes.bottom]
        use = "add"
        inputs = ["left", "right"]
    """,
    )

    assert work.output("bottom") == [0.0, 5.0, 10.0]
    assert work.ran() == ["numbers", "scale", "scale", "add"]


def test_equal_nodes_are_computed_once(work):
    """Two nodes of one computation share its result."""
    recipe(work, '[nodes.a]\nuse = "numbers"\n[nodes.b]\nuse = "numbers"\n')

    work.prepare().raise_failures()

    assert work.ran() == ["numbers"]


def test_store_12_an_equal_output_stops_there(work):
    """The op ran again, its output did not change: what depends on it is a hit."""
    work.prepare().raise_failures()
    work.ran()
    work.edit("ops.py", "list(range(start, start + count))", "[*range(start, start + count)]")

    results = work.prepare()

    assert results.ran == ["first", "second"]
    assert work.ran() == ["numbers", "numbers"]


def test_store_23_a_forced_node_runs_and_its_equal_output_stops_there(work):
    """Only the named one."""
    work.prepare().raise_failures()
    work.ran()

    work.prepare(force=["first"]).raise_failures()

    assert work.ran() == ["numbers"]


def test_store_24_an_uncached_node_runs_every_time(work):
    """Its dependents go by the digest of its output."""
    for _ in range(2):
        work.prepare("nodes.first.cache=false").raise_failures()

    assert work.ran() == ["numbers", "numbers", "add", "scale", "numbers"]


def test_an_uncached_op_runs_every_time(work):
    """`cache=False` on the op itself."""
    work.edit("ops.py", '@mlrecipe.op("numbers")', '@mlrecipe.op("numbers", cache=False)')
    work.prepare().raise_failures()
    work.ran()

    work.prepare().raise_failures()

    assert work.ran() == ["numbers", "numbers"]


def test_store_18_a_renamed_node_is_a_hit(work):
    """Its name is no part of the computation."""
    work.prepare().raise_failures()
    work.ran()

    work.edit("recipe.toml", "[nodes.scaled]", "[nodes.renamed]")

    assert work.prepare().ran == []
    assert work.ran() == []


def test_experiment_05_an_entry_of_an_output_is_chosen_by_name(work):
    """`parity.odd` takes one entry; both forms of `inputs` do."""
    recipe(
        work,
        """
        [nodes.all]
        use = "numbers"
        count = 5
        [nodes.halves]
        use = "parity"
        inputs = "all"
        [nodes.odd]
        use = "scale"
        inputs = ["halves.odd"]
        [nodes.both]
        use = "add"
        inputs = { left = "halves.odd", right = "halves.even" }
    """,
    )

    assert work.output("odd") == [2.0, 6.0]
    assert work.output("both") == [1, 5]


def test_an_entry_that_is_not_there_names_those_that_are(work):
    """At the place of the node's inputs."""
    recipe(work, '[nodes.a]\nuse = "numbers"\n[nodes.h]\nuse = "parity"\ninputs = "a"\n'
                 '[nodes.n]\nuse = "scale"\ninputs = "h.od"\n')  # fmt: skip

    results = work.prepare()

    with pytest.raises(RecipeError) as caught:
        results.raise_failures()
    assert str(caught.value).startswith("recipe.toml:10:1  nodes.n.inputs: ")
    assert "no entry 'od'; it has: even, odd" in str(caught.value)


EDITS = [
    ("return [x + y for", "return [y + x + 1 for", ["add", "scale"]),
    ("file.write(name", "file.write('' + name", ["numbers", "numbers", "add", "scale"]),
    ("return [x + y for", "return [x + y + 0 for", ["add"]),
    ('"""Element by element."""', '"""Another text."""  # with a comment', []),
]


@pytest.mark.parametrize(("old", "new", "expected"), EDITS)
def test_experiment_16_an_edit_reruns_what_it_changes(work, old, new, expected):
    """The op or those whose helper it is, and what gets another input; a comment reruns nothing."""
    work.prepare().raise_failures()
    work.ran()
    work.edit("ops.py", old, new)

    work.prepare().raise_failures()

    if "file.write" in old:  # every op ran, each output came out the same
        assert sorted(work.ran()) == sorted(expected)
    else:
        assert work.ran() == expected


def test_training_15_one_byte_of_data_reruns_what_hangs_on_it(work):
    """And nothing else; a touch reruns nothing."""
    work.write("data.txt", "one\n")
    with (work.folder / "recipe.toml").open("a") as file:
        file.write('\n[nodes.read]\nuse = "lines"\npath = "data.txt"\n'
                   '[nodes.half]\nuse = "parity"\ninputs = "first"\n')  # fmt: skip
    work.prepare().raise_failures()
    work.ran()

    (work.folder / "data.txt").touch()
    work.prepare().raise_failures()
    assert work.ran() == []

    work.write("data.txt", "two\n")
    work.prepare().raise_failures()
    assert work.ran() == ["lines"]


VALUES = [
    "[1, 2]", "7", "'text'", "None", "{'a': [1], 'b': None}", "1.5", "True", "(1, 2)", "{3, 1}",
    "b'raw'", "{}", "''", "[]", "float('inf')", "{'x': {'y': (1, 'z')}}", "{1: 2}",
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES)
def test_experiment_18_values_and_types_are_equal_cold_and_warm(work, value):
    """What the next op gets never depends on whether this one ran just now."""
    add_op(work, f'@mlrecipe.op("give")\ndef give():\n    return {value}')
    add_op(work, '@mlrecipe.op("seen")\ndef seen(value, *, way: str):\n    return repr(value)')
    recipe(work, '[nodes.v]\nuse = "give"\n[nodes.cold]\nuse = "seen"\nway = "cold"\ninputs = "v"\n'
                 '[nodes.warm]\nuse = "seen"\nway = "warm"\ninputs = "v"\n')  # fmt: skip
    cold = work.output("cold")

    warm = work.output("warm")

    assert cold == warm == repr(eval(value))  # a literal of this file


@pytest.mark.heavy
@pytest.mark.parametrize(
    "value",
    [
        "__import__('pandas').DataFrame({'a': [1, 2], 'b': ['x', None]})",
        "__import__('datasets').Dataset.from_dict({'a': [1, 2], 'b': ['x', 'y']})",
        "__import__('datasets').DatasetDict("
        "{'t': __import__('datasets').Dataset.from_dict({'a': [1]})})",
    ],
    ids=["DataFrame", "Dataset", "DatasetDict"],
)
def test_experiment_18_tables_too(work, value):
    """Frames and data sets have the same type, columns, types and rows, cold and warm."""
    add_op(work, f'@mlrecipe.op("give")\ndef give():\n    return {value}')
    add_op(
        work,
        """
def facts(value):
    if isinstance(value, dict):
        return [type(value).__name__, {k: facts(v) for k, v in value.items()}]
    kinds = getattr(value, "features", None) or getattr(value, "dtypes", None)
    rows = value.to_list() if hasattr(value, "to_list") else value.to_dict("records")
    return [type(value).__name__, str(kinds), repr(rows)]


@mlrecipe.op("seen")
def seen(value, *, way: str):
    return facts(value)
""",
    )
    recipe(work, '[nodes.v]\nuse = "give"\n[nodes.cold]\nuse = "seen"\nway = "cold"\ninputs = "v"\n'
                 '[nodes.warm]\nuse = "seen"\nway = "warm"\ninputs = "v"\n')  # fmt: skip
    cold = work.output("cold")

    warm = work.output("warm")

    assert cold == warm
    assert cold[0] in value


MUTATE = '''
@mlrecipe.op("spoil")
def spoil(values, *, extra: list[int] = [9], way: int = 0):
    """Changes what it was given."""
    values.append("spoilt")
    extra.append(len(extra))
    return [values, extra]
'''


def test_experiment_19_what_an_op_does_to_its_inputs_no_other_sees(work):
    """Not a sibling, not the store, not a later run; nor its default arguments."""
    add_op(work, MUTATE)
    recipe(work, '[nodes.v]\nuse = "numbers"\n[nodes.a]\nuse = "spoil"\ninputs = "v"\n'
                 '[nodes.b]\nuse = "spoil"\ninputs = "v"\nway = 1\n')  # fmt: skip

    results = work.prepare()
    results.raise_failures()

    assert work.output("a") == work.output("b") == [[0, 1, 2, "spoilt"], [9, 1]]
    assert work.output("v") == [0, 1, 2]
    assert results.records["a"].parts["params"]["extra"] == [9]


def test_store_26_what_does_not_need_a_failed_node_still_runs(work, heard):
    """The branch of the failure is skipped, the other finishes and stays."""
    recipe(
        work,
        """
        [nodes.bad]
        use = "fail"
        [nodes.after]
        use = "scale"
        inputs = "bad"
        [nodes.later]
        use = "scale"
        inputs = "after"
        [nodes.good]
        use = "numbers"
        [nodes.fine]
        use = "scale"
        inputs = "good"
    """,
    )

    results = work.prepare()

    assert results.ran == ["good", "fine"]
    assert results.skipped == ["after", "later"]
    assert list(results.failures) == ["bad"]
    with pytest.raises(
        OpError, match=r"node 'bad' .op 'fail'. failed at ops.py:.*ValueError: it broke"
    ):
        results.raise_failures()
    assert [e.node for e in heard if isinstance(e, events.NodeFailed)] == ["bad"]

    work.ran()
    work.edit("ops.py", "    raise ValueError(message)", "    return [1, 2]")
    assert work.prepare().ran == ["bad", "after", "later"]


def test_several_failures_are_all_told(work):
    """One error with a line for each."""
    recipe(
        work, '[nodes.a]\nuse = "fail"\nmessage = "one"\n[nodes.b]\nuse = "fail"\nmessage = "two"\n'
    )

    with pytest.raises(OpError, match=r"(?s)one.*\n.*two"):
        work.prepare().raise_failures()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt, "raise KeyboardInterrupt"),
        (Terminated, "from mlrecipe.errors import Terminated; raise Terminated(15)"),
    ],
)
def test_store_29_what_was_done_before_an_interruption_stays(work, error, code):
    """The node at work leaves nothing, the earlier ones are hits."""
    work.edit("ops.py", 'note("scale")', f'note("scale"); {code}')
    with pytest.raises(error):
        work.prepare()
    work.ran()

    work.edit("ops.py", f'note("scale"); {code}', 'note("scale")')

    assert work.statuses() == {"first": "hit", "second": "hit", "sum": "hit", "scaled": "run"}
    assert work.prepare().ran == ["scaled"]


def test_store_15_a_file_that_changes_while_it_is_read_is_not_recorded(work):
    """The output would not be that of the file."""
    work.write("data.txt", "x\n")
    add_op(
        work,
        '@mlrecipe.op("edit")\ndef edit(*, path: mlrecipe.File):\n'
        "    text = Path(path).read_text()\n"
        '    if text == "x\\n":\n        Path(path).write_text("yy\\n")\n    return text',
    )
    recipe(work, '[nodes.a]\nuse = "edit"\npath = "data.txt"\n')

    with pytest.raises(OpError, match=r"data.txt' changed while it was read; nothing was recorded"):
        work.prepare().raise_failures()

    assert work.statuses() == {"a": "run"}
    assert work.output("a") == "yy\n"


def test_a_data_error_is_put_at_the_parameter_that_it_names(work):
    """The op says `column`; the user reads the recipe's file and line, and the request was wrong."""
    add_op(
        work,
        '@mlrecipe.op("strict")\ndef strict(*, column: str):\n'
        '    raise mlrecipe.DataError("no such column", key="column", hint="there are a, b")',
    )
    recipe(work, '[nodes.a]\nuse = "strict"\ncolumn = "c"\n')

    with pytest.raises(RecipeError) as caught:
        work.prepare().raise_failures()

    assert str(caught.value) == ("recipe.toml:5:1  nodes.a.column: no such column; there are a, b")
    assert isinstance(caught.value.__context__ or caught.value.__cause__, DataError)


def test_a_value_that_cannot_be_stored_says_where_in_it(work):
    """And what may be returned."""
    add_op(work, '@mlrecipe.op("odd")\ndef odd():\n    return {"a": [object()]}')
    recipe(work, '[nodes.a]\nuse = "odd"\n')

    with pytest.raises(OpError, match=r"node 'a' .*: value\['a'\]\[0\] has type 'builtins.object'"):
        work.prepare().raise_failures()


def test_experiment_07_an_op_gets_an_empty_scratch_folder_that_goes_afterwards(work):
    """Also when it fails."""
    add_op(
        work,
        '@mlrecipe.op("write")\ndef write(*, scratch: Path, way: int = 0):\n'
        "    assert list(scratch.iterdir()) == []\n"
        '    (scratch / "x").write_text("y")\n    return str(scratch)',
    )
    recipe(work, '[nodes.a]\nuse = "write"\n[nodes.b]\nuse = "write"\nway = 1\n')

    first, second = work.output("a"), work.output("b")

    assert first != second
    assert not any((work.folder / ".mlrecipe" / "store" / "v1" / "tmp").iterdir())


def test_experiment_07_an_op_sees_seed_and_limit_but_never_the_recipe(work):
    """What it sees is in its key."""
    add_op(
        work,
        '@mlrecipe.op("see")\ndef see(*, seed: int, limit: int | None):\n    return [seed, limit]',
    )
    recipe(work, 'seed = 3\n[nodes.a]\nuse = "see"\n')

    assert work.output("a") == [3, None]
    assert work.output("a", "limit=10", "seed=0") == [0, 10]
    assert work.output("a", "nodes.a.seed=7") == [7, None]


def test_parameters_arrive_with_their_types(work):
    """An integer for a float is a float, a path is absolute, none is None."""
    work.write("data.txt", "x")
    add_op(
        work,
        '@mlrecipe.op("see")\ndef see(*, rate: float = 1, path: mlrecipe.File = "",\n'
        "        size: int | None = 3, rest: dict[str, list[int]] = {}):\n"
        "    return [rate, path, size, rest]",
    )
    recipe(work, '[nodes.a]\nuse = "see"\nrate = 2\npath = "data.txt"\nsize = "${none}"\n'
                 'rest = { a = [1] }\n')  # fmt: skip

    found = work.output("a")

    assert found == [2.0, str(work.folder / "data.txt"), None, {"a": [1]}]
    assert type(found[0]) is float


def test_what_happens_is_told(work, heard):
    """Started with its reason, finished with status and time, for hits too."""
    work.prepare().raise_failures()
    work.prepare(force=["scaled"]).raise_failures()

    started = [(e.node, e.reason) for e in heard if isinstance(e, NodeStarted)]
    finished = [(e.node, e.status) for e in heard if isinstance(e, NodeFinished)]
    assert started[0] == ("first", "never run before")
    assert started[-1] == ("scaled", "forced")
    assert finished[4:] == [("first", "hit"), ("second", "hit"), ("sum", "hit"), ("scaled", "run")]


def test_an_edited_plugin_is_loaded_again(work):
    """In the same process, its helpers too."""
    work.write("words.py", "def word():\n    return 'one'\n")
    add_op(work, 'from . import words\n@mlrecipe.op("say")\ndef say():\n    return words.word()')
    recipe(work, '[nodes.a]\nuse = "say"\n')
    assert work.output("a") == "one"

    work.write("words.py", "def word():\n    return 'three'\n")

    assert work.output("a") == "three"


BROKEN = [
    ("1 / 0", "ZeroDivisionError: division by zero"),
    ("import no_such_library_here", "ModuleNotFoundError: No module named 'no_such_library_here'"),
    ("raise KeyError('x')", "KeyError: 'x'"),
]


@pytest.mark.parametrize(("line", "message"), BROKEN)
def test_experiment_06_an_error_while_a_plugin_is_imported_shows_file_and_traceback(
    work, line, message
):
    """The frames of the project with their lines, and the request was wrong."""
    work.write("words.py", f"def word():\n    {line}\n\n\nword()\n")
    add_op(work, "from .words import word")

    with pytest.raises(PluginError) as caught:
        work.prepare()

    text = str(caught.value)
    assert "plugin 'ops.py' failed while it was imported, at ops.py:" in text
    assert f'{work.folder}/words.py", line 2, in word' in text
    assert message in text
    assert caught.value.exit_code == 2


def test_experiment_06_an_absolute_import_of_a_neighbour_says_what_to_write(work):
    """`import words` does not look beside the plugin; `from . import words` does."""
    work.write("words.py", "x = 1\n")
    add_op(work, "import words")

    with pytest.raises(PluginError, match=r"it lies beside the plugin: write `from .words import"):
        work.prepare()


def test_sys_path_and_other_modules_are_left_alone(work):
    """A plugin is a module of the project's own package."""
    import sys

    before = list(sys.path)

    work.prepare().raise_failures()

    assert sys.path == before
    assert "ops" not in sys.modules
    assert sys.modules["mlrecipe_project.ops"].__file__ == str(work.folder / "ops.py")


def test_an_op_that_calls_exit_fails_as_any_other(work):
    """It is the node that failed, and the command does not end with the op's own code."""
    work.edit("ops.py", 'note("scale")', 'note("scale"); raise SystemExit(0)')

    results = work.prepare()

    assert "called sys.exit(0)" in str(results.failures["scaled"])


def test_an_output_that_cannot_be_stored_is_the_ops_failure(work):
    """With the types that can be."""
    work.edit("ops.py", "return [factor * v for v in values]", "return object()")

    (error,) = work.prepare().failures.values()

    assert error.exit_code == 1
    assert "node 'scaled' (op 'scale'): a node cannot return a value of type" in str(error)
    assert "Dataset, DatasetDict" in str(error)


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(
    ("raised", "told"),
    [
        ("__import__('asyncio').CancelledError", "CancelledError"),
        ("GeneratorExit('no')", "GeneratorExit: no"),
        ("MemoryError", "MemoryError"),
    ],
)
def test_whatever_an_op_raises_is_its_failure(work, raised, told, jobs):
    """Also what is no `Exception`, and what has no text; the rest is done all the same."""
    work.edit("ops.py", "raise ValueError(message)", f"raise {raised}")
    recipe(work, '[nodes.bad]\nuse = "fail"\n[nodes.good]\nuse = "numbers"\n')

    results = work.prepare(jobs=jobs)

    assert results.ran == ["good"]
    assert str(results.failures["bad"]).endswith(f": {told}; --traceback shows all of it")


def test_an_error_in_a_helper_names_the_plugins_own_line(work):
    """Where the plugin imports it, not the helper's line."""
    work.write("words.py", "#\n" * 500 + "1 / 0\n")
    add_op(work, "from .words import word")

    with pytest.raises(PluginError) as caught:
        work.prepare()

    assert "at ops.py:" in str(caught.value)
    assert "at ops.py:501" not in str(caught.value)
