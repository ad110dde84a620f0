"""GLUE: which tasks there are, what their data look like, and where their files lie."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlrecipe.errors import DataError, did_you_mean

HUB = "nyu-mll/glue"
"""All of GLUE on the Hugging Face hub, a configuration for each task."""

DEV_IDS = "dev_ids.tsv"
"""Which pairs of MRPC's own train file are GLUE's dev set: two ids a line."""

_TRAIN, _DEV, _TEST = ("train.tsv",), ("dev.tsv",), ("test.tsv",)
_SPLITS = {"train": _TRAIN, "validation": _DEV, "test": _TEST}
_MNLI = {
    "train": _TRAIN,
    "validation_matched": ("dev_matched.tsv",),
    "validation_mismatched": ("dev_mismatched.tsv",),
    "test_matched": ("test_matched.tsv",),
    "test_mismatched": ("test_mismatched.tsv",),
}
_MRPC = {
    "train": ("train.tsv", "msr_paraphrase_train.txt"),
    "validation": ("dev.tsv", "msr_paraphrase_train.txt"),
    "test": ("test.tsv", "msr_paraphrase_test.txt"),
}
_NLI = ("entailment", "neutral", "contradiction")
_ENTAILMENT = ("entailment", "not_entailment")
_SENTENCES = {"sentence1": "sentence1", "sentence2": "sentence2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One of GLUE's tasks; columns and labels are as the hub has them."""

    name: str
    """As the hub calls it: `sst2`."""

    folders: tuple[str, ...]
    """Names of folders with its files, as GLUE's download calls them: `SST-2`."""

    texts: Mapping[str, str]
    """Column → what the header of a TSV file calls it."""

    label: str = "label"
    """What the header of a TSV file calls the label; in the data it is always `label`."""

    labels: tuple[str, ...]
    """Names in the order of their ids; none for a score from 0 to 5."""

    files: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _SPLITS)
    """Split → names of its TSV file, the usual one first; each may be compressed (`.gz`)."""

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of its splits, as the hub has them."""
        return tuple(self.files)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of each split."""
        return (*self.texts, "label", "idx")


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What one split is read from."""

    paths: tuple[Path, ...]
    """One TSV file, or Parquet files in their order."""

    dev_ids: Path | None = None
    """Where the file is MRPC's own train file: which of its pairs are the dev set."""

    @property
    def is_parquet(self) -> bool:
        """Whether they are in the hub's layout."""
        return self.paths[0].suffix == ".parquet"


TASKS: Mapping[str, Task] = {
    task.name: task
    for task in (
        Task(
            name="cola", folders=("CoLA",), texts={"sentence": "sentence"},
            labels=("unacceptable", "acceptable"),
        ),
        Task(
            name="sst2", folders=("SST-2",), texts={"sentence": "sentence"},
            labels=("negative", "positive"),
        ),
        Task(
            name="mrpc", folders=("MRPC",), label="Quality", files=_MRPC,
            texts={"sentence1": "#1 String", "sentence2": "#2 String"},
            labels=("not_equivalent", "equivalent"),
        ),
        Task(name="stsb", folders=("STS-B",), texts=_SENTENCES, label="score", labels=()),
        Task(
            name="qqp", folders=("QQP",), label="is_duplicate",
            texts={"question1": "question1", "question2": "question2"},
            labels=("not_duplicate", "duplicate"),
        ),
        Task(
            name="mnli", folders=("MNLI",), label="gold_label", files=_MNLI, labels=_NLI,
            texts={"premise": "sentence1", "hypothesis": "sentence2"},
        ),
        Task(
            name="qnli", folders=("QNLI",), labels=_ENTAILMENT,
            texts={"question": "question", "sentence": "sentence"},
        ),
        Task(name="rte", folders=("RTE",), texts=_SENTENCES, labels=_ENTAILMENT),
        Task(name="wnli", folders=("WNLI",), texts=_SENTENCES, labels=_ENTAILMENT[::-1]),
        Task(
            name="ax", folders=("AX", "diagnostic", "MNLI"), labels=_NLI,
            files={"test": ("diagnostic.tsv", "AX.tsv")},
            texts={"premise": "sentence1", "hypothesis": "sentence2"},
        ),
    )
}  # fmt: skip
"""Every task, and the diagnostic set `ax`, by name."""


ROWS: Mapping[str, Mapping[str, int]] = {
    "cola": {"train": 8551, "validation": 1043, "test": 1063},
    "sst2": {"train": 67349, "validation": 872, "test": 1821},
    "mrpc": {"train": 3668, "validation": 408, "test": 1725},
    "stsb": {"train": 5749, "validation": 1500, "test": 1379},
    "qqp": {"train": 363846, "validation": 40430, "test": 390965},
    "mnli": {
        "train": 392702, "validation_matched": 9815, "validation_mismatched": 9832,
        "test_matched": 9796, "test_mismatched": 9847,
    },
    "qnli": {"train": 104743, "validation": 5463, "test": 5463},
    "rte": {"train": 2490, "validation": 277, "test": 3000},
    "wnli": {"train": 635, "validation": 71, "test": 146},
    "ax": {"test": 1104},
}  # fmt: skip
"""Task → split → its rows as GLUE gives them."""


def chosen(task: Task, splits: Sequence[str] | None) -> list[str]:
    """The named splits, or all of the task.

    Raises:
        DataError: the task has no such split.
    """
    for name in splits or ():
        if name not in task.splits:
            message = f"task {task.name!r} has no split {name!r}"
            raise DataError(message, key="splits", hint=did_you_mean(name, task.splits))
    return list(task.splits if splits is None else splits)


def locate(task: Task, path: Path, splits: Sequence[str]) -> dict[str, Files]:
    """The files of each split, in the folder of all tasks or in the task's own.

    Raises:
        DataError: a split has none; the message says what was looked for.
    """
    for folder in _folders(task, path):
        there = {split: _files(task, folder, split) for split in task.splits}
        if any(there.values()):
            break
    else:
        raise _nothing(task, path)
    found = {}
    for split in splits:
        files = there[split]
        if files is None:
            raise _missing(task, folder, split, [name for name in there if there[name]])
        found[split] = files
    return found


def _folders(task: Task, path: Path) -> Iterator[Path]:
    """Where the task's files may lie, likeliest first; `SST-2` may also be written `sst2`."""
    below = sorted(child for child in path.iterdir() if child.is_dir())
    for name in (*task.folders, task.name):
        yield from (child for child in below if _plain(child.name) == _plain(name))
    # RTE's files would pass for WNLI's: a folder that is called as another task's is none of this one.
    mine = {_plain(name) for name in (*task.folders, task.name)}
    others = {_plain(name) for each in TASKS.values() for name in (*each.folders, each.name)}
    if _plain(path.name) not in others - mine:
        yield path


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def _files(task: Task, folder: Path, split: str) -> Files | None:
    for name in task.files[split]:
        path = _first_file(folder, name)
        if path is None:
            continue
        if name != "msr_paraphrase_train.txt":
            return Files(paths=(path,))
        ids = _first_file(folder, DEV_IDS)
        if ids or split == "train":
            return Files(paths=(path,), dev_ids=ids)
    parts = sorted([*folder.glob(f"{split}-*.parquet"), *folder.glob(f"{split}.parquet")])
    return Files(paths=tuple(parts)) if parts else None


def _first_file(folder: Path, name: str) -> Path | None:
    return next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)


def _nothing(task: Task, path: Path) -> DataError:
    names = [name for names in task.files.values() for name in names[:1]]
    return DataError(
        f"no files of task {task.name!r} in {str(path)!r}: looked for {', '.join(names)} (also .gz, "
        f"or Parquet files of these splits) there and in its folder {task.folders[0]!r}",
        key="path",
        hint=f"name the folder of GLUE's files, or {HUB!r} to take them from the hub",
    )


def _missing(task: Task, folder: Path, split: str, there: Sequence[str]) -> DataError:
    names = " or ".join(task.files[split])
    if split == "validation" and task.name == "mrpc":
        names = f"dev.tsv, or msr_paraphrase_train.txt and {DEV_IDS}"
    listed = ", ".join(f'"{name}"' for name in there)
    return DataError(
        f"no file of split {split!r} of task {task.name!r} in {str(folder)!r}: looked for {names} "
        f"(also .gz), {split}-*.parquet",
        key="path",
        hint=f"`splits = [{listed}]` loads only what is there",
    )
