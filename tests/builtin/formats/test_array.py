"""Arrays and tensors come back equal, and nobody can write into the store through them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlrecipe import DataError
from mlrecipe.registry import registries

pytestmark = pytest.mark.heavy


def again(name: str, value: Any, folder: Path) -> Any:
    """The value, saved and loaded by the format of this name."""
    chosen = registries["format"].get(name)()
    folder.mkdir(exist_ok=True)
    chosen.save(value, folder)
    return chosen.load(folder)


def arrays() -> dict[str, Any]:
    """Arrays of many dtypes, shapes and layouts."""
    import numpy as np

    return {
        "matrix": np.arange(6.0).reshape(2, 3),
        "transposed": np.arange(6, dtype=np.int8).reshape(2, 3).T,
        "big-endian": np.array([1, 2], dtype=">u2"),
        "half": np.array([1.5, np.nan], dtype=np.float16),
        "complex": np.array([1 + 2j]),
        "bool": np.array([True, False]),
        "text": np.array(["a", "xyz"]),
        "time": np.array(["2020-01-01"], dtype="datetime64[D]"),
        "record": np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
        "scalar": np.array(3.0),
        "empty": np.zeros((0, 3)),
    }


ARRAYS = "matrix transposed big-endian half complex bool text time record scalar empty".split()


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_comes_back_equal_and_read_only(name: str, tmp_path: Path) -> None:
    """Type, shape and values survive, the order of bytes does not; writing raises."""
    import numpy as np

    value = arrays()[name]

    loaded = again("numpy", value, tmp_path)

    assert type(loaded) is np.ndarray
    assert loaded.dtype == value.dtype.newbyteorder("<")
    np.testing.assert_array_equal(loaded, value.astype(loaded.dtype), strict=True)
    assert not loaded.flags.writeable
    with pytest.raises(ValueError, match="WRITEABLE"):
        loaded.flags.writeable = True


def equal_arrays() -> dict[str, list[Any]]:
    """Arrays that are equal and were built in different ways."""
    import numpy as np

    value = np.arange(12).reshape(3, 4)
    wide = np.zeros((3, 8), dtype=value.dtype)
    wide[:, ::2] = value
    kind = np.dtype([("a", "i1"), ("b", "f8")], align=True)
    noisy = np.frombuffer(bytes(range(48)), kind).copy()
    clean = np.zeros(3, kind)
    clean["a"], clean["b"] = noisy["a"], noisy["b"]
    return {
        "order": [value, np.asfortranarray(value), wide[:, ::2], value[::-1][::-1]],
        "bytes": [value, value.astype(">i8"), value.astype(">i8").T.copy().T],
        "texts": [np.array(["é", "xyz"]), np.array(["é", "xyz"], dtype=">U3")],
        "padding": [clean, noisy, noisy.astype(kind.newbyteorder(">"))],
        "flags": [value, np.broadcast_to(value, (3, 4)), np.asarray(value, order="F")],
    }


@pytest.mark.parametrize("name", ["order", "bytes", "texts", "padding", "flags"])
def test_store_20_equal_arrays_give_equal_bytes(name: str, tmp_path: Path) -> None:
    """Strides, order in memory, order of bytes and what lies between fields are no part of the value."""
    values = equal_arrays()[name]

    for position, same in enumerate(values):
        again("numpy", same, tmp_path / f"{position}")
        again("mapping", {"x": same}, tmp_path / f"dict{position}")

    for kind in ("", "dict"):
        found = [
            {path.name: path.read_bytes() for path in (tmp_path / f"{kind}{i}").rglob("*.*")}
            for i in range(len(values))
        ]
        assert all(files == found[0] for files in found)


def equal_tensors() -> dict[str, list[Any]]:
    """Tensors that are equal and were built in different ways."""
    import torch

    value = torch.arange(12.0).reshape(3, 4)
    numbers = torch.tensor([1 + 2j, 3 - 4j])
    return {
        "strides": [
            value,
            value.T.contiguous().T,
            value.repeat(1, 2)[:, :4],
            value.flip(0).flip(0),
        ],
        "storage": [value, torch.cat([value, value])[3:], value.clone().requires_grad_()],
        "expanded": [torch.ones(3, 4), torch.ones(1).expand(3, 4)],
        "conjugated": [numbers.conj().resolve_conj(), numbers.conj()],
        "negated": [
            torch.tensor([-2.0, 4.0]),
            numbers.conj().imag.resolve_neg(),
            numbers.conj().imag,
        ],
    }


@pytest.mark.parametrize("name", ["strides", "storage", "expanded", "conjugated", "negated"])
def test_store_20_equal_tensors_give_equal_bytes(name: str, tmp_path: Path) -> None:
    """Strides, shared storage, gradients and lazy conjugation are no part of the value."""
    values = equal_tensors()[name]

    for position, same in enumerate(values):
        again("tensor", same, tmp_path / f"{position}")
        again("mapping", {"x": same, "y": same}, tmp_path / f"dict{position}")

    for kind in ("", "dict"):
        files = [tmp_path / f"{kind}{i}" / "data.safetensors" for i in range(len(values))]
        assert len({file.read_bytes() for file in files}) == 1


@pytest.mark.parametrize("library", ["torch", "numpy"])
def test_the_safetensors_library_reads_what_was_written(library: str, tmp_path: Path) -> None:
    """The files are of use outside of mlrecipe, too: aligned, and without metadata."""
    import importlib

    import torch
    from safetensors import safe_open

    value = {
        "odd": torch.tensor([1, 2, 3], dtype=torch.int8),
        "b": torch.ones(2, 2),
        "none": torch.zeros(0),
    }
    again("mapping", value, tmp_path)

    found = importlib.import_module(f"safetensors.{library}").load_file(
        tmp_path / "data.safetensors"
    )

    assert {name: item.tolist() for name, item in found.items()} == {
        name: item.tolist() for name, item in value.items()
    }
    with safe_open(tmp_path / "data.safetensors", framework="pt") as file:
        assert not file.metadata()
    assert (int.from_bytes((tmp_path / "data.safetensors").read_bytes()[:8], "little")) % 8 == 0


@pytest.mark.parametrize("kind", ["tensor", "array", "tensors", "tree"])
def test_store_28_what_is_big_is_memory_mapped(kind: str, tmp_path: Path) -> None:
    """Loading 64 MB takes next to no memory of its own."""
    import numpy as np
    import torch

    value = {
        "tensor": lambda: torch.ones(16, 1 << 20),
        "array": lambda: np.ones((8, 1 << 20)),
        "tensors": lambda: {"a": torch.ones(8, 1 << 20), "b": torch.ones(8, 1 << 20)},
        "tree": lambda: {"a": [torch.ones(8, 1 << 20)], "b": np.ones((4, 1 << 20))},
    }[kind]()
    name = {"tensor": "tensor", "array": "numpy"}.get(kind, "mapping")
    again(name, value, tmp_path)
    before = anonymous_memory()

    loaded = registries["format"].get(name)().load(tmp_path)

    assert anonymous_memory() - before < 8 << 20
    assert type(loaded) is type(value)


def anonymous_memory() -> int:
    """Bytes of this process that are no file's."""
    facts = Path("/proc/self/status")
    if not facts.exists():
        pytest.skip("only Linux tells")
    return int(facts.read_text().partition("RssAnon:")[2].split()[0]) * 1024


@pytest.mark.parametrize("kind", ["objects", "masked", "matrix"])
def test_an_array_that_would_not_come_back_is_refused(kind: str, tmp_path: Path) -> None:
    """Python objects would need pickle, and subclasses would lose what makes them one."""
    import numpy as np

    value = {
        "objects": np.array([{}, None], dtype=object),
        "masked": np.ma.masked_array([1, 2], mask=[True, False]),
        "matrix": np.ones((1, 1)).view(np.recarray),
    }[kind]

    with pytest.raises(DataError, match=r"Python objects|another type") as caught:
        again("numpy", value, tmp_path)
    assert "use a" in str(caught.value) or "return a" in str(caught.value)


def test_a_tensor_comes_back_equal(tmp_path: Path) -> None:
    """A view is stored as the tensor that it shows."""
    import torch

    value = torch.arange(12, dtype=torch.float16).reshape(3, 4)[:, 1::2]

    loaded = again("tensor", value, tmp_path)

    assert loaded.dtype == torch.float16
    assert torch.equal(loaded, value)


def test_writing_to_a_loaded_tensor_leaves_the_store_alone(tmp_path: Path) -> None:
    """Each load gives a tensor of its own."""
    import torch

    first = again("tensor", torch.zeros(3), tmp_path)
    first += 1

    assert registries["format"].get("tensor")().load(tmp_path).tolist() == [0, 0, 0]


@pytest.mark.parametrize("kind", ["sparse", "parameter", "complex128", "meta"])
def test_a_tensor_that_would_not_come_back_is_refused(kind: str, tmp_path: Path) -> None:
    """Sparse tensors and parameters would lose what they are; the error names the place and a way."""
    import torch

    ones = torch.ones(2, 2)
    value = {
        "sparse": ones.to_sparse,
        "parameter": lambda: torch.nn.Parameter(ones),
        "complex128": lambda: ones.to(torch.complex128),
        "meta": lambda: ones.to("meta"),
    }[kind]()

    for name, whole in (("tensor", value), ("mapping", {"a": value}), ("mapping", {"a": [value]})):
        with pytest.raises(DataError, match="cannot be stored") as caught:
            again(name, whole, tmp_path / "x")
        assert name == "tensor" or "'a'" in str(caught.value)
        assert "to_dense" in (caught.value.hint or "")


def test_describe_tells_dtype_and_shape() -> None:
    """One line is enough for `inspect`."""
    import numpy as np
    import torch

    array = registries["format"].get("numpy")().describe(np.zeros((3, 4), dtype=np.float32))
    tensor = registries["format"].get("tensor")().describe(torch.zeros(3, 4))

    assert (array.kind, array.text) == ("ndarray", "float32 (3, 4)")
    assert (tensor.kind, tensor.text) == ("Tensor", "float32 (3, 4)")
