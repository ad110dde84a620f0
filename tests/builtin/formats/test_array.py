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
    """Dtype, shape and values survive; writing raises instead of changing the store."""
    import numpy as np

    value = arrays()[name]

    loaded = again("numpy", value, tmp_path)

    assert type(loaded) is np.ndarray
    assert loaded.dtype == value.dtype
    np.testing.assert_array_equal(loaded, value, strict=True)
    assert not loaded.flags.writeable
    with pytest.raises(ValueError, match="WRITEABLE"):
        loaded.flags.writeable = True


def test_store_20_equal_arrays_give_equal_bytes(tmp_path: Path) -> None:
    """Strides and order in memory are no part of the value."""
    import numpy as np

    value = np.arange(12).reshape(3, 4)
    wide = np.zeros((3, 8), dtype=value.dtype)
    wide[:, ::2] = value
    for position, same in enumerate([value, np.asfortranarray(value), wide[:, ::2]]):
        again("numpy", same, tmp_path / str(position))

    assert len({(tmp_path / str(i) / "array.npy").read_bytes() for i in range(3)}) == 1


@pytest.mark.parametrize("kind", ["objects", "masked", "matrix"])
def test_an_array_that_would_not_come_back_is_refused(kind: str, tmp_path: Path) -> None:
    """Python objects would need pickle, and subclasses would lose what makes them one."""
    import numpy as np

    value = {
        "objects": np.array([{}, None], dtype=object),
        "masked": np.ma.masked_array([1, 2], mask=[True, False]),
        "matrix": np.ones((1, 1)).view(np.recarray),
    }[kind]

    with pytest.raises(DataError):
        again("numpy", value, tmp_path)


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


@pytest.mark.parametrize("kind", ["sparse", "parameter"])
def test_a_tensor_that_would_not_come_back_is_refused(kind: str, tmp_path: Path) -> None:
    """Sparse tensors and parameters would lose what they are."""
    import torch

    ones = torch.ones(2, 2)
    value = ones.to_sparse() if kind == "sparse" else torch.nn.Parameter(ones)

    with pytest.raises(DataError, match="cannot be stored"):
        again("tensor", value, tmp_path)


def test_describe_tells_dtype_and_shape() -> None:
    """One line is enough for `inspect`."""
    import numpy as np
    import torch

    array = registries["format"].get("numpy")().describe(np.zeros((3, 4), dtype=np.float32))
    tensor = registries["format"].get("tensor")().describe(torch.zeros(3, 4))

    assert (array.kind, array.text) == ("ndarray", "float32 (3, 4)")
    assert (tensor.kind, tensor.text) == ("Tensor", "float32 (3, 4)")
