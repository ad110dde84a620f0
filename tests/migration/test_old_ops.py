"""Transforms are read from source, and ops are written around them."""

from __future__ import annotations

import ast

import pytest

from mlrecipe.code import signatures
from mlrecipe.errors import RequestError
from mlrecipe.migration import old_ops, wrappers
from mlrecipe.migration.wrappers import Wrapper, op_name

SOURCE = '''
LIMIT = 3

@register_transform_functor
class First(BaseTransform):
    """Says "first".

    More.
    """
    def setup(self, a, b: int = 2, c: str = None, d=LIMIT, *args, e=(1, 2), f: int = "x", _num_proc=4):
        self.a = self.global_config

@registry.register_transform_functor
class Second(First):
    def setup(self, own, **kwargs):
        super().setup(**kwargs)

@register_transform_functor
class Third(HFDatasetTransform):
    def _call(self, data):
        return DataLoader(data)

@register_transform_functor
class Fourth(Elsewhere):
    def setup(self, **kwargs):
        pass

class Helper(BaseTransform):
    pass
'''


@pytest.fixture
def found(tmp_path):
    """The transforms of the file above."""
    path = tmp_path / "old" / "ops.py"
    path.parent.mkdir()
    path.write_text(SOURCE)
    return old_ops.find([path.parent])


def written(wrapper, tmp_path):
    """The op as it is written, and its signature."""
    text = wrappers.text([wrapper], project=tmp_path, config={"x": None})
    (signature,) = signatures.scan(text, "runway_ops.py")
    return text, signature


def test_experiment_38_registered_classes_are_found(found):
    """Others are not transforms; nothing is imported."""
    assert list(found) == ["First", "Second", "Third", "Fourth"]
    assert found["First"].doc == 'Says "first".'
    assert found["Third"].makes_loaders
    assert not found["First"].makes_loaders


def test_settings_come_from_bases_as_far_as_they_are_passed_on(found):
    """`**kwargs` means those of the base, in its file or in runway."""
    assert list(found["Second"].settings) == ["own", *found["First"].settings]
    assert list(found["Third"].settings) == ["rename_col_dict", "splits_to_process", "_num_proc"]
    assert found["Fourth"].is_open
    assert not found["First"].is_open
    assert not found["Second"].is_open  # what it does not know its base does not take either


def test_experiment_38_an_op_has_the_parameters_of_setup(found, tmp_path):
    """Literal defaults and plain types are kept; what cannot be written out stays with the old code."""
    wrapper = Wrapper(found["First"], "one", "first", dict(found["First"].settings))

    text, signature = written(wrapper, tmp_path)

    kinds = {name: str(p.kind) for name, p in signature.params.items()}
    assert kinds == {
        "a": "any", "b": "integer", "c": "text | none", "d": "any", "e": "any", "f": "any",
        "_num_proc": "any", "scratch": "any",
    }  # fmt: skip
    assert signature.params["b"].default == 2
    assert signature.params["e"].default == [1, 2]
    assert signature.params["d"].default is None
    assert "shim.given(c=c, d=d)" in text
    assert signature.options == {"ignore": ("_num_proc",)}
    assert signature.inputs == ("data",)
    assert signature.problems == ()
    assert 'CONFIG: dict[str, Any] = {"x": None}' in text.replace("'", '"')


@pytest.mark.parametrize(("arity", "inputs", "variadic"), [("none", (), False), ("many", (), True)])
def test_an_op_takes_the_inputs_of_its_nodes(found, tmp_path, arity, inputs, variadic):
    """None, or any number as a list."""
    wrapper = Wrapper(found["Fourth"], arity, "fourth", {})
    assert wrapper.accept("anything", 3)

    _, signature = written(wrapper, tmp_path)

    assert (signature.inputs, signature.variadic) == (inputs, variadic)
    assert set(signature.params) == {"anything", "scratch"}


def test_what_a_class_does_not_take_is_refused(found):
    """A setting that `setup` has no parameter for would fail there."""
    assert not Wrapper(found["First"], "one", "first", dict(found["First"].settings)).accept("z", 1)


@pytest.mark.parametrize(
    ("transform", "taken", "name"),
    [
        ("SplitHFDataset", [], "split-hf-dataset"),
        ("LoadMRPCDataset", [], "load-mrpc-dataset"),
        ("T5_tokenize", [], "t5-tokenize"),
        ("Split", ["split"], "runway-split"),
        ("Split", ["split", "runway-split"], "runway-split-2"),
    ],
)
def test_names_of_ops(transform, taken, name):
    """Names with dashes that nothing else has."""
    assert op_name(transform, taken) == name


def test_experiment_38_bad_old_files_are_named(tmp_path):
    """A syntax error has its line, a class that is there twice both its places."""
    path = tmp_path / "a.py"
    path.write_text("x = 1\nclass :\n")
    with pytest.raises(RequestError, match=r"a\.py:2: not valid Python"):
        old_ops.find([path])

    path.write_text("@register_transform_functor\nclass A: pass\n")
    (tmp_path / "b.py").write_text(path.read_text())
    with pytest.raises(RequestError, match=r"b\.py:2: transform 'A' is there twice"):
        old_ops.find([tmp_path])

    with pytest.raises(RequestError, match="no file or folder"):
        old_ops.find([tmp_path / "nowhere"])


def test_a_file_that_cannot_be_imported_is_refused(tmp_path):
    """A dash in a file's name is no Python."""
    path = tmp_path / "my-ops.py"
    path.write_text("@register_transform_functor\nclass A: pass\n")
    wrapper = Wrapper(old_ops.find([path])["A"], "none", "a", {})

    with pytest.raises(RequestError, match=r"my-ops\.py cannot be imported"):
        wrappers.text([wrapper], project=tmp_path, config={})
    with pytest.raises(RequestError, match="lies outside the project"):
        wrappers.text([wrapper], project=tmp_path / "other", config={})


def test_the_file_of_ops_is_python(found, tmp_path):
    """Whatever stands in docstrings and defaults."""
    all_of_them = [Wrapper(t, "one", n.lower(), dict(t.settings)) for n, t in found.items()]

    ast.parse(wrappers.text(all_of_them, project=tmp_path, config={}))
