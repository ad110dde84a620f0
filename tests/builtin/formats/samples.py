"""One value or more of every kind that has a format, and what it means that two are the same."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Make = Callable[[Path], Any]
"""Makes a value; files of it go into the folder."""

SAMPLES: dict[str, Make] = {}


def sample(make: Make) -> Make:
    """Add a function of this module to the samples, under its own name."""
    SAMPLES[make.__name__.strip("_").replace("_", " ")] = make
    return make


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal in value and in type, all through; NaN is the same as NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):  # a DatasetDict too
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return (
            math.isnan(one) and math.isnan(other) if math.isnan(one) else repr(one) == repr(other)
        )
    if isinstance(one, Path):
        return dict(contents(one)) == dict(contents(other))
    return _same_heavy(one, other)


def contents(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each file; a file has its own name, those of a folder are relative to it."""
    if path.is_file():
        yield path.name, path.read_bytes()
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        yield file.relative_to(path).as_posix(), file.read_bytes()


def _same_heavy(one: Any, other: Any) -> bool:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    import torch
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    if isinstance(one, torch.Tensor):
        is_like = (one.dtype, one.shape) == (other.dtype, other.shape)
        return is_like and raw(one) == raw(other)
    if isinstance(one, np.ndarray):
        is_like = (one.dtype, one.shape) == (other.dtype, other.shape)
        return is_like and one.tobytes() == other.tobytes()
    if isinstance(one, pa.Table):
        is_like = one.schema.equals(other.schema, check_metadata=True)
        return is_like and same(one.to_pylist(), other.to_pylist())
    if isinstance(one, pd.DataFrame | pd.Series):
        kind = "frame" if isinstance(one, pd.DataFrame) else "series"
        getattr(pd.testing, f"assert_{kind}_equal")(one, other, check_exact=True)
        return True
    if isinstance(one, Dataset):
        is_like = (one.features, one.column_names) == (other.features, other.column_names)
        return is_like and same(one[:], other[:])
    if isinstance(one, PreTrainedModel):
        settings = (one.config.to_diff_dict(), other.config.to_diff_dict())
        return settings[0] == settings[1] and same(dict(one.state_dict()), dict(other.state_dict()))
    if isinstance(one, PreTrainedTokenizerBase):
        text = "A fílm of words, 電影"
        return one.get_vocab() == other.get_vocab() and one(text).data == other(text).data
    return bool(one == other)


def raw(tensor: Any) -> bytes:
    """The bytes of a tensor's elements, in C order."""
    import torch

    plain = tensor.detach().resolve_conj().resolve_neg().contiguous().reshape(-1)
    return bytes(plain.view(torch.uint8).numpy().tobytes()) if plain.numel() else b""


@sample
def plain(folder: Path) -> Any:
    """Every plain type."""
    return {"b": [1, 1.0, True, "1", None, b"\xff"], "a": {1: (math.nan, -0.0), (1, 2): {3}}}


@sample
def small_list(folder: Path) -> Any:
    """A value that lives in its record."""
    return [1, [2, [3, []]]]


@sample
def long_list(folder: Path) -> Any:
    """A value with a file of its own."""
    return [{"n": n, "x": n / 3} for n in range(5_000)]


@sample
def short_text(folder: Path) -> Any:
    """A text of one line."""
    return "naïve 電影 🙂\r\n\x00\u2028"


@sample
def long_text(folder: Path) -> Any:
    """A text with all kinds of line ends."""
    return "naïve 電影 🙂\r\n\x00\u2028\n\r" * 5_000


@sample
def empty_dict(folder: Path) -> Any:
    """Nothing."""
    return {}


@sample
def tensor(folder: Path) -> Any:
    """NaN of another payload than usual, infinities, and zero below zero."""
    import torch

    bits = torch.tensor([0x7FC00001, 0x7F800000, -0x80000000, 0x3F800000], dtype=torch.int32)
    return bits.view(torch.float32).reshape(2, 2)


@sample
def scalar_tensor(folder: Path) -> Any:
    """A tensor without dimensions."""
    import torch

    return torch.tensor(3, dtype=torch.int16)


@sample
def empty_tensor(folder: Path) -> Any:
    """A tensor without elements."""
    import torch

    return torch.zeros(0, 4, dtype=torch.bfloat16)


@sample
def tensors(folder: Path) -> Any:
    """Tensors by name: a state dict, as far as it is plain."""
    import torch

    kinds = "float64 float32 float16 bfloat16 int64 int8 uint8 uint16 bool complex64 float8_e4m3fn"
    return {
        name: torch.arange(5).to(torch.uint8).to(getattr(torch, name)) for name in kinds.split()
    } | {"näme 🙂": torch.ones(()), "": torch.zeros(0)}


@sample
def array(folder: Path) -> Any:
    """An array of numbers."""
    import numpy as np

    return np.array([[1.5, np.nan], [-0.0, np.inf]])


@sample
def records(folder: Path) -> Any:
    """An array of records with room between their fields."""
    import numpy as np

    kind = np.dtype([("a", "i1"), ("b", "f8"), ("c", [("d", "U3")])], align=True)
    return np.array([(1, 2.5, ("é",)), (3, np.nan, ("",))], dtype=kind)


@sample
def empty_array(folder: Path) -> Any:
    """An array without elements."""
    import numpy as np

    return np.zeros((0, 3), dtype="datetime64[ns]")


@sample
def arrays(folder: Path) -> Any:
    """Arrays of many dtypes by name."""
    import numpy as np

    kinds = "f8 f4 f2 i8 i1 u8 u2 ? c8 c16 U4 S3 M8[D] m8[s]".split()
    found = {kind: np.arange(4).astype(kind) for kind in kinds if kind[0] not in "US"}
    return found | {
        "text": np.array([["é", "xyz"]]),
        "bytes": np.array([b"a", b"bcd"]),
        "scalar": np.array(2.0),
        "nothing": np.zeros((2, 0), "f4"),
        "records": records(folder),
    }


@sample
def nest_of_tensors(folder: Path) -> Any:
    """What an optimizer's `state_dict` looks like."""
    import numpy as np
    import torch

    state = {0: {"step": torch.tensor(3.0), "avg": torch.ones(2, 3)}, 1: {}}
    groups = [{"lr": 1e-3, "params": [0, 1], "betas": (0.9, 0.999), "foreach": None}]
    more = (torch.zeros(1), [np.arange(3), {"__metadata__": torch.ones(1), (1, "a"): None}])
    return {"state": state, "param_groups": groups, "more": more}


@sample
def reserved_name(folder: Path) -> Any:
    """A name that safetensors keeps for itself."""
    import torch

    return {"__metadata__": torch.ones(2)}


@sample
def list_of_arrays(folder: Path) -> Any:
    """Folds, for one."""
    import numpy as np

    return [np.arange(3), np.arange(2), "end"]


@sample
def composite(folder: Path) -> Any:
    """Values of many formats in one."""
    return {
        "matrix": array(folder),
        "data": dataset_dict(folder),
        "vocab": [f"word {n}" for n in range(5_000)],
        "frame": frame(folder),
        "table": table(folder),
        "report": file(folder),
        "inner": {"data": dataset(folder), "none": None, "both": (tensor(folder), 1)},
    }


@sample
def dataset(folder: Path) -> Any:
    """Rows of every kind, with nulls, a column of nulls, NaN and nested lists."""
    from datasets import ClassLabel, Dataset, Features, List, Value

    features = Features(
        {
            "text": Value("string"),
            "label": ClassLabel(names=["böse", "gut"]),
            "score": Value("float32"),
            "spans": List({"start": Value("int64"), "names": List(Value("string"))}),
            "nothing": Value("null"),
            "meta": {"a": Value("int64"), "b": {"c": Value("large_string")}},
            "raw": Value("binary"),
        }
    )
    rows = [
        {
            "text": None if n % 3 == 0 else f"naïve 電影 🙂 {n}",
            "label": n % 2,
            "score": math.nan if n % 4 == 0 else None if n % 5 == 0 else n / 2,
            "spans": [{"start": n, "names": ["x"] * (n % 3)}] * (n % 4),
            "nothing": None,
            "meta": {"a": None, "b": {"c": str(n)}},
            "raw": b"\x00\xff" * (n % 2),
        }
        for n in range(1_200)
    ]
    return Dataset.from_list(rows, features=features)


@sample
def empty_dataset(folder: Path) -> Any:
    """Columns without rows."""
    return dataset(folder).select([])


@sample
def dataset_dict(folder: Path) -> Any:
    """Splits, one of them empty."""
    from datasets import DatasetDict

    data = dataset(folder)
    return DatasetDict(train=data.select(range(5)), dev=data.select([]), alt=data.select([7]))


@sample
def table(folder: Path) -> Any:
    """Types that only Arrow has."""
    import pyarrow as pa

    schema = pa.schema(
        {
            "map": pa.map_(pa.string(), pa.int32()),
            "pair": pa.list_(pa.float32(), 2),
            "word": pa.dictionary(pa.int16(), pa.string()),
            "time": pa.timestamp("us", tz="Europe/Berlin"),
            "cost": pa.decimal128(10, 2),
            "null": pa.null(),
        }
    ).with_metadata({"b": "1", "a": "2"})
    rows: list[dict[str, Any]] = [
        {"map": [("é", 1)], "pair": [1.5, math.nan], "word": "a", "time": 7, "cost": 3},
        dict.fromkeys(schema.names),
    ]
    return pa.Table.from_pylist(rows * 700, schema=schema)


@sample
def empty_table(folder: Path) -> Any:
    """Columns without rows."""
    return table(folder).slice(0, 0)


@sample
def frame(folder: Path) -> Any:
    """A data frame with an index and nulls."""
    import pandas as pd

    columns = {"é": [1.5, None], "text": ["a", None], "kind": pd.Categorical(["u", "v"])}
    return pd.DataFrame(columns, index=pd.Index([7, 5], name="key"))


@sample
def series(folder: Path) -> Any:
    """A series without a name."""
    import pandas as pd

    return pd.Series([1, None, 3], dtype="Int16")


@sample
def file(folder: Path) -> Any:
    """A file with a name."""
    path = folder / "réport.csv"
    path.write_bytes("a,b\r\n1,é\r\n".encode())
    return path


@sample
def folder_of_files(folder: Path) -> Any:
    """A folder with a folder in it."""
    root = folder / "made"
    (root / "deep" / "er").mkdir(parents=True, exist_ok=True)
    (root / "empty.txt").write_bytes(b"")
    (root / "deep" / "er" / "ünï.bin").write_bytes(bytes(range(256)))
    return root


@sample
def model(folder: Path) -> Any:
    """A small network of transformers, in half precision."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(
        vocab_size=30, hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=8, max_position_embeddings=16, id2label={0: "böse", 1: "gut"},
    )  # fmt: skip
    torch.manual_seed(0)
    return BertForSequenceClassification(config).to(torch.bfloat16)


@sample
def tokenizer(folder: Path) -> Any:
    """A tokenizer with words and a side of its own."""
    from transformers import AutoTokenizer

    import mlrecipe

    tiny = Path(mlrecipe.__file__).parent / "data" / "tiny"
    found = AutoTokenizer.from_pretrained(tiny, local_files_only=True)
    found.add_tokens(["電影"])
    found.padding_side = "left"
    return found


@sample
def recorder(folder: Path) -> Any:
    """Rows with lists, images and NaN, of a split and of a head; statistics of every kind."""
    import numpy as np
    from PIL import Image

    from mlrecipe import Recorder

    head = {"problem_type": "single_label_classification", "labels": ["no", "yes"]}
    made = Recorder(head=head, split="test")
    made.log(row=0, text="é", words=["a", "b"], score=math.nan, drawn=Image.new("RGB", (2, 3)))
    made.log_batch(row=np.arange(1, 3), score=[0.5, None], more=[{"a": 1}, None])
    made.set_column("pages", [[Image.new("L", (1, 1), 7)] * 2, [], None])
    made.record(accuracy=np.float32(0.5), loss=math.nan, kinds={"no": [1, 2]}, where=Path("a/b"))
    return made
