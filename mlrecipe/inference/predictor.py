"""Predictors: a trained model, and the preparation of its rows, for any number of new rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from datasets import Dataset, Features
from numpy.typing import NDArray
from torch import Tensor, nn

from mlrecipe import columns, events, plugins
from mlrecipe.builtin.ops import _reading
from mlrecipe.errors import DataError, RequestError, TrainingError, did_you_mean
from mlrecipe.inference import answers
from mlrecipe.inference.gold import Gold
from mlrecipe.inference.reading import Piece, Types
from mlrecipe.inference.replay import SPLIT, Missing, Replay, of_input
from mlrecipe.inference.requests import request_of
from mlrecipe.inference.routes import routes
from mlrecipe.interfaces import Head, Predicting, Task
from mlrecipe.pipeline import changed, stages
from mlrecipe.pipeline.request import Request
from mlrecipe.runs import manifest
from mlrecipe.runs.run import Run
from mlrecipe.training.batching.rows import Rows
from mlrecipe.training.keeping.records import read_record
from mlrecipe.training.settling import of_head

Precision = Literal["fp32", "bf16"]


@dataclass(slots=True)
class Counts:
    """What a predictor has seen."""

    rows: int = 0
    blank: int = 0
    """Rows without any text, which were predicted as empty ones."""

    truncated: int = 0
    """Rows of which tokens were cut off."""


class Predictor:
    """Predicts rows as the run's own recipe would have prepared and tested them."""

    def __init__(
        self, *, task: Task, network: nn.Module, head: Head, ways: Sequence[Replay],
        batch_size: int = 64, device: torch.device | None = None, precision: Precision = "fp32",
        origin: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        """Predict with a network.

        Args:
            task: whose inputs and scores they are.
            network: with its weights.
            head: what it puts out.
            ways: how rows are prepared; the first whose columns the input has is taken.
            batch_size: rows that the network takes at once.
            device: where it computes.
            precision: in what it computes.
            origin: what the op was given that read the files of the training, such as `types`.
        """
        self.head = head
        self.total: int | None = None
        """Rows that there will be in all, where that is known."""

        self.counts = Counts()
        self.gold = Gold(task, head)
        self._task = task
        self._device = device or torch.device("cpu")
        self._network = network.to(self._device).eval()
        self._ways = list(ways)
        self._way: Replay | None = None
        self._batch_size = batch_size
        self._precision = precision
        self.origin = origin or {}
        """What the op was given that read the files of the training."""

        self._types = Types(self.origin.get("types"))

    @classmethod
    def of_run(
        cls, run: Run, *, checkpoint: str = "best", batch_size: int | None = None,
        precision: Precision = "fp32", request: Request | None = None,
    ) -> Predictor:  # fmt: skip
        """The predictor of a train run's checkpoint.

        Raises:
            RequestError: the run's recipe prepares rows in a way that cannot be done to new ones, or
                it has no such checkpoint.
            TrainingError: the checkpoint is damaged.
        """
        request = request or request_of(run)
        recipe = request.loaded.recipe
        assert recipe.task is not None and recipe.model is not None  # noqa: PT018 (it was trained)
        weights = run.checkpoint(checkpoint)
        node = recipe.train.data.partition(".")[0]
        found = routes(request.graph, node)
        changed.tell(run, chain.from_iterable(found), project=request.loaded.project)
        plugins.load(request.catalog.plugins, project=request.loaded.project)
        head = read_record(weights).head
        model = stages.make(request, "model", recipe.model)
        return cls(
            task=of_head(stages.make(request, "task", recipe.task), head),
            network=model.load(weights), head=head,
            ways=[Replay(way, request, weights, trained=_trained(run)) for way in found],
            batch_size=batch_size or recipe.test.batch_size, precision=precision,
            device=_device(recipe.train.trainer), origin=_origin(request, node),
        )  # fmt: skip

    @property
    def separator(self) -> str:
        """What is between the labels of a row that may have several, in a text."""
        return getattr(self._task, "separator", None) or ";"

    def predict(self, tables: Iterable[pa.Table], *, top: int | None = None) -> Iterator[pa.Table]:
        """For each table a table of as many rows: row, prediction, probability, probabilities.

        Raises:
            RequestError: a column is missing.
            TrainingError: the network's scores cannot be.
        """
        shape = answers.Shape(head=self.head, top=top)
        for table in tables:
            start = self.counts.rows
            scores = self.scores(Piece(start=start, table=table, objects=[]))
            yield pa.table(shape.columns(scores, start=start))

    def scores(self, piece: Piece) -> NDArray[np.float32]:
        """The scores of some rows, shape (rows, labels); of numbers (rows, 1).

        Raises:
            RequestError: a column is missing.
            TrainingError: scores are not finite, or probabilities whose sum is not 1.
        """
        if self._way is None:
            self._way = self._chosen(piece)
        table = self._texts_filled(piece)
        if not len(table):
            return np.zeros((0, max(len(self.head.labels), 1)), np.float32)
        prepared = self._way(_reading.dataset(table, piece.classes))
        if "truncated" in prepared.column_names:
            self.counts.truncated += sum(prepared.with_format("arrow")["truncated"].to_pylist())
        odd = next((piece.odd[name].message for name in self.head.targets if name in piece.odd), "")
        found = self._run(prepared, start=piece.start, refused=self._way.refused_labels or odd)
        if wrong := answers.wrong_row(self.head, found):
            row, why = wrong
            raise TrainingError(f"the model's answer to row {piece.start + row} is none: {why}")
        self.counts.rows += len(table)
        return found

    def _chosen(self, piece: Piece) -> Replay:
        """The way whose columns the input has.

        Raises:
            RequestError: it has those of none.
        """
        names = piece.table.column_names
        _check_layout(piece, self.origin)
        lacking = [way.missing(names) for way in self._ways]
        for way, missing in zip(self._ways, lacking, strict=True):
            if missing is None:
                schema = Types().typed(piece).schema
                way.detect(Features.from_arrow_schema(schema.remove_metadata()))
                return way
        schema = Types().typed(piece).schema.remove_metadata()
        kinds = columns.kinds_of(Features.from_arrow_schema(schema))
        texts = [n for n, kind in kinds.items() if kind == "text" and n not in self.head.targets]
        raise _no_column(next(missing for missing in lacking if missing), names, texts)

    def _texts_filled(self, piece: Piece) -> pa.Table:
        """The rows with types, and with an empty text wherever one is missing.

        Raises:
            RequestError: what should be a text is none.
        """
        assert self._way is not None
        names = self._way.texts(piece.table.column_names)
        try:
            table = self._types.typed(piece, texts=names)
        except DataError as error:
            raise RequestError(error.message, key="--input") from error
        blank = np.zeros(len(table), dtype=bool)
        for name in names:
            column = pc.fill_null(table.column(name), "")
            table = table.set_column(table.column_names.index(name), name, column)
            empty = pc.equal(pc.utf8_trim_whitespace(column), "")
            blank |= np.asarray(empty.to_numpy(), dtype=bool)
        self.counts.blank += int(blank.sum())
        return table

    def _run(self, prepared: Dataset, *, start: int, refused: str) -> NDArray[np.float32]:
        gold = self.gold.encode(prepared, start=start, refused=refused)
        try:
            encoded = self._inputs(prepared) if gold is None else gold
            self._task.check(self._network, encoded, split=SPLIT)
        except DataError as error:
            raise RequestError(of_input(error.message), hint=error.hint) from error
        lengths = self._task.lengths(encoded)
        rows = Rows(encoded, self._task.collate, lengths=lengths)
        order = np.argsort(lengths, kind="stable")
        scores: list[Tensor] = []
        targets: list[Tensor] = []
        for begin in range(0, len(order), self._batch_size):
            some = order[begin : begin + self._batch_size]
            score, target = self._forward(rows[some], is_gold=gold is not None)
            scores.append(score)
            targets += [] if target is None else [target]
            events.progress(start + begin + len(some), self.total)
        back = torch.from_numpy(np.argsort(order, kind="stable"))
        found = torch.cat(scores)[back]
        if gold is not None:
            self.gold.update(found, torch.cat(targets)[back])
        return np.asarray(found.reshape(len(order), -1).numpy(), dtype=np.float32)

    def _inputs(self, prepared: Dataset) -> Dataset:
        if isinstance(self._task, Predicting):
            return self._task.inputs(prepared, split=SPLIT)
        raise RequestError(
            f"the task {type(self._task).__name__} predicts no rows without labels: {self.gold.reason}",
            hint="give it the methods of `mlrecipe.interfaces.Predicting`",
        )

    def _forward(
        self, batch: Mapping[str, Tensor], *, is_gold: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Scores and, of rows with labels, targets."""
        given = {name: tensor.to(self._device) for name, tensor in batch.items()}
        is_half = self._precision == "bf16"
        with (
            torch.inference_mode(),
            torch.autocast(self._device.type, torch.bfloat16, enabled=is_half),
        ):
            if not is_gold:
                assert isinstance(self._task, Predicting)
                return self._task.scores(self._network, given).float().cpu(), None
            output = self._task.step(self._network, given)
        return output.scores.float().cpu(), output.targets.cpu()


def _device(trainer: Mapping[str, Any]) -> torch.device:
    """The device that the recipe's Trainer asks for, else the best there is."""
    asked = trainer.get("accelerator", "auto")
    if asked in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return torch.device("cuda")
    if asked in ("auto", "gpu", "mps") and torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def _trained(run: Run) -> dict[str, dict[str, str]]:
    """Node → column → type, of all that the model was trained on; runs of older versions do not say it."""
    return {name: facts.get("columns", {}) for name, facts in manifest.inputs_of(run).items()}


def _origin(request: Request, node: str) -> Mapping[str, Any]:
    """What the recipe's first `load-files` is given."""
    graph = request.graph.upto([node])
    found = (n for n in graph if n.spec.use == "load-files" and not n.found.plugin)
    return next((node.arguments for node in found), {})


def _no_column(missing: Missing, names: Sequence[str], texts: Sequence[str]) -> RequestError:
    """The error, with what to rename where that is plain: `texts` are the input's own columns of them."""
    found = ", ".join(map(repr, names))
    wanted = (missing.column, *missing.others)
    listed = " and ".join(map(repr, wanted))
    near = did_you_mean(missing.column, names)
    if len(wanted) > 1:
        hint = f"name the first and the second texts so; node {missing.node!r} reads them"
    elif near.startswith("did"):
        hint = near
    elif len(texts) == 1:
        hint = f"rename {texts[0]!r} to {listed} in the input; node {missing.node!r} reads it"
    else:
        hint = f"name the column with the texts so; node {missing.node!r} reads it"
    return RequestError(
        f"the input has no column{'s' * (len(wanted) > 1)} {listed} with texts; it has {found}",
        key="--input",
        hint=hint,
    )


def _check_layout(piece: Piece, origin: Mapping[str, Any]) -> None:
    """Raise where the cells of CSV or TSV are apart by another character, or where the header is missing."""
    names = piece.table.column_names
    if not piece.is_text or not names:
        return
    mark = next((mark for mark in (";", "\t", "|", ",") if mark in names[0]), None)
    if len(names) == 1 and mark is not None:
        message = f"the input has one column only, {names[0]!r}"
        raise RequestError(
            message, key="--input", hint=f"say what is between: --delimiter {mark!r}"
        )
    own = origin.get("columns") or ()
    if not origin.get("header", True) and own and not set(own) & set(names):
        raise RequestError(
            f"the first row names none of the columns {', '.join(own)}, and the recipe's files have no header",
            key="--input",
            hint=f"if this one has none either, name its columns: --columns {','.join(own)}",
        )
