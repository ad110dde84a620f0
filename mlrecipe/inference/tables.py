"""Tables: a trained model, and the preparation of its rows, for any number of rows in tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from datasets import Features
from numpy.typing import NDArray
from torch import nn

from mlrecipe import columns, plugins
from mlrecipe.builtin.ops import _reading
from mlrecipe.errors import DataError, RequestError, TrainingError
from mlrecipe.inference import answers, origins, refusals, tagged
from mlrecipe.inference.passes import Passes, Precision, device_of, loaded
from mlrecipe.inference.reading import Piece, Types
from mlrecipe.inference.replay import Replay
from mlrecipe.inference.requests import request_of
from mlrecipe.inference.routes import routes
from mlrecipe.inference.wording import Wording, has_text
from mlrecipe.interfaces import Head, Task
from mlrecipe.pipeline import changed, stages
from mlrecipe.pipeline.request import Request
from mlrecipe.runs.run import Run
from mlrecipe.training.keeping.records import read_record
from mlrecipe.training.settling import of_head


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """Which columns are added to rows."""

    top: int | None = None
    """Only so many labels, best first, and not all of them; of words with tags these too."""

    prefix: str = ""
    """Begins every name."""

    is_flat: bool = False
    """Whether there are no values inside values."""

    is_exact: bool = True
    """Whether probabilities are of 32 bits, as they were computed, and not as short as they can be written."""


@dataclass(slots=True)
class Counts:
    """What a predictor has seen."""

    rows: int = 0
    blank: int = 0
    """Rows without any text, which were predicted as empty ones."""

    truncated: int = 0
    """Rows of which tokens were cut off."""


class TablePredictor:
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
        self._task = task
        self._network = network
        self._passes = Passes(
            task=task, network=network, head=head, batch_size=batch_size, precision=precision,
            device=device or torch.device("cpu"),
        )  # fmt: skip
        self.gold = self._passes.gold
        """What is made of rows that come with their labels."""

        self._ways = list(ways)
        self._way: Replay | None = None
        self.origin = origin or {}
        """What the op was given that read the files of the training."""

        self._types = Types(self.origin.get("types"))
        is_own = any(way.is_own for way in self._ways) or plugins.are_own(task, network)
        self._modules = plugins.loaded() if is_own else {}

    @classmethod
    def of_run(
        cls, run: Run, *, checkpoint: str = "best", batch_size: int | None = None,
        precision: Precision = "fp32", request: Request | None = None,
        device: torch.device | None = None,
    ) -> TablePredictor:  # fmt: skip
        """The predictor of a train run's checkpoint.

        Raises:
            RequestError: the run's recipe prepares rows in a way that cannot be done to new ones, or
                it has no such checkpoint.
            TrainingError: the checkpoint is damaged.
        """
        request = request or request_of(run)
        weights = run.checkpoint(checkpoint)
        found = routes(request.graph, origins.node(request))
        changed.tell(run, chain.from_iterable(found), project=request.loaded.project)
        plugins.load(request.catalog.plugins, project=request.loaded.project)
        return cls.of_weights(
            weights, read_record(weights).head, request=request, trained=origins.trained(run),
            batch_size=batch_size, precision=precision, device=device,
        )  # fmt: skip

    @classmethod
    def of_weights(
        cls, weights: Path, head: Head, *, request: Request,
        trained: Mapping[str, Mapping[str, str]], batch_size: int | None = None,
        precision: Precision = "fp32", device: torch.device | None = None,
    ) -> TablePredictor:  # fmt: skip
        """The predictor of a folder with weights, whose plugins have been loaded.

        Args:
            weights: what the recipe's model saved.
            head: what it puts out.
            request: of the recipe that it was trained with.
            trained: node → column → type, of what it was trained on.
            batch_size: rows that the network takes at once; by default the recipe's.
            precision: in what it computes.
            device: where; by default where the recipe's Trainer would.

        Raises:
            RequestError: the recipe prepares rows in a way that cannot be done to new ones.
            TrainingError: the weights cannot be read.
        """
        recipe = request.loaded.recipe
        assert recipe.task is not None and recipe.model is not None  # noqa: PT018 (it was trained)
        found = routes(request.graph, origins.node(request))
        model = stages.make(request, "model", recipe.model)
        return cls(
            task=of_head(stages.make(request, "task", recipe.task), head),
            network=loaded(model, weights), head=head,
            ways=[Replay(way, request, weights, trained=trained) for way in found],
            batch_size=batch_size or recipe.test.batch_size, precision=precision,
            device=device or device_of(recipe.train.trainer), origin=origins.files(request),
        )  # fmt: skip

    @property
    def task(self) -> Task:
        """Whose inputs and scores they are."""
        return self._task

    @property
    def separator(self) -> str:
        """What is between the labels of a row that may have several, in a text."""
        return getattr(self._task, "separator", None) or ";"

    @property
    def text_columns(self) -> list[str]:
        """The columns with texts that the input should have, as far as they are known."""
        return self._ways[0].text_columns()

    @property
    def wording(self) -> Wording:
        """How rows come by the words that have tags."""
        read = next((name for way in self._ways if (name := way.words())), "tokens")
        return Wording(head=self.head, column=read, origin=self.origin)

    def predict(self, tables: Iterable[pa.Table], *, top: int | None = None) -> Iterator[pa.Table]:
        """For each table a table of as many rows: row, prediction, probability, and what else the page says.

        Raises:
            RequestError: a column is missing.
            TrainingError: the network's scores cannot be.
        """
        for table in tables:
            piece = Piece(start=self.counts.rows, table=table, objects=[])
            yield pa.table(self.columns(piece, Added(top=top)))

    def columns(self, piece: Piece, added: Added) -> dict[str, pa.Array]:
        """The new columns for some rows.

        Raises:
            RequestError: a column is missing, or there already.
            TrainingError: the network's scores cannot be.
        """
        if not tagged.has_tags(self.head):
            shape = answers.Shape(
                head=self.head, top=added.top, prefix=added.prefix, is_flat=added.is_flat,
                separator=self.separator if added.is_flat else None,
            )  # fmt: skip
            shape.check(piece.table.column_names)
            scores = self.scores(piece)
            return shape.columns(
                scores if added.is_exact else answers.shortest(scores), start=piece.start
            )
        words = self.wording
        new = tagged.Columns(
            head=self.head, top=added.top, prefix=added.prefix, is_flat=added.is_flat,
            has_words=words.is_in(piece),
        )  # fmt: skip
        new.check(piece.table.column_names)
        worded, texts = words.of(piece)
        return new.columns(self.sequences(worded), texts, start=piece.start)

    def scores(self, piece: Piece) -> NDArray[np.float32]:
        """The scores of some rows, shape (rows, labels); of numbers (rows, 1).

        Raises:
            RequestError: a column is missing.
            TrainingError: scores are not finite, or probabilities whose sum is not 1.
        """
        found = [answer.reshape(1, -1) for answer in self._answers(piece)]
        if not found:
            return np.zeros((0, max(len(self.head.labels), 1)), np.float32)
        scores = np.concatenate(found)
        self._require(answers.wrong_row(self.head, scores), piece)
        return scores

    def sequences(self, piece: Piece) -> list[NDArray[np.float32]]:
        """Where words have tags, the scores of each row, shape (places, 1 + labels).

        What is decided on, then the probabilities, as `StepOutput` has them; a place for each word, behind that
        of an intent.

        Raises:
            RequestError: a column is missing.
            TrainingError: scores are not finite, or probabilities whose sum is not 1.
        """
        found = self._answers(piece)
        kept = [scores[: int((scores[:, 0] >= 0).sum())] for scores in found]
        self._require(tagged.wrong_row(kept), piece)
        return kept

    def _require(self, wrong: tuple[int, str] | None, piece: Piece) -> None:
        if wrong is not None:
            row, why = wrong
            raise TrainingError(f"the model's answer to row {piece.start + row} is none: {why}")

    def _answers(self, piece: Piece) -> list[NDArray[np.float32]]:
        """What the task says of each row, in their order."""
        if self._way is None or self._way.missing(piece.table.column_names) is not None:
            self._way = self._chosen(piece)
        table = self._texts_filled(piece)
        if not len(table):
            return []
        with plugins.restored(self._modules):
            found = self._through(self._way, table, piece)
        self.counts.rows += len(table)
        return found

    def _through(self, way: Replay, table: pa.Table, piece: Piece) -> list[NDArray[np.float32]]:
        """Rows through the preparation and the network."""
        prepared = way(_reading.dataset(table, piece.classes))
        if "truncated" in prepared.column_names:
            self.counts.truncated += sum(prepared.with_format("arrow")["truncated"].to_pylist())
        odd = next((piece.odd[name].message for name in self.head.targets if name in piece.odd), "")
        return self._passes.scores(
            prepared, start=piece.start, refused=way.refused_labels or odd, total=self.total
        )

    def _chosen(self, piece: Piece) -> Replay:
        """The way whose columns the input has.

        Raises:
            RequestError: it has those of none.
        """
        names = piece.table.column_names
        refusals.check_layout(piece, self.origin)
        lacking = [way.missing(names) for way in self._ways]
        for way, missing in zip(self._ways, lacking, strict=True):
            if missing is None:
                schema = Types().typed(piece).schema
                way.detect(Features.from_arrow_schema(schema.remove_metadata()))
                return way
        schema = Types().typed(piece).schema.remove_metadata()
        kinds = columns.kinds_of(Features.from_arrow_schema(schema))
        texts = [n for n, kind in kinds.items() if kind == "text" and n not in self.head.targets]
        raise refusals.no_column(next(missing for missing in lacking if missing), names, texts)

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
        if (words := self._way.words()) in table.column_names:
            blank |= [not any(map(has_text, row or ())) for row in table[words].to_pylist()]
        self.counts.blank += int(blank.sum())
        return table
