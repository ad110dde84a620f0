"""Derived values: computed from a node's output outside of the graph, kept in the store like a node's own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mlrecipe import events
from mlrecipe.errors import StoreError
from mlrecipe.graph.encode import digest
from mlrecipe.interfaces import Fingerprint
from mlrecipe.pipeline.plan import Plan
from mlrecipe.pipeline.request import Request
from mlrecipe.pipeline.stages import changes, component_facts
from mlrecipe.recipe import splits
from mlrecipe.recipe.deferred import plain
from mlrecipe.recipe.keys import table_at
from mlrecipe.recipe.resolved import resolved
from mlrecipe.store.records import Computation, Record
from mlrecipe.store.store import Store

LARGE = 2 * 10**9
"""Bytes above which it is said before a value is made."""

_SCHEMA = 1
_DECISIVE = (
    "freeze", "checkpoint", "config", "revision", "files", "attn_implementation", "reinit_layers",
)  # fmt: skip
"""What of a recipe surely changes the outputs; of its other changes only the network itself can tell."""

_FREEZING = ("freeze", "freeze_layers")
_TURN_OFF = "`train.cache_frozen = false` computes it in every epoch instead"


def named(source: str, part: str, *, how: str = "frozen") -> str:
    """What a value that is made of a part of a node's output is called: `frozen(tokens.train)`."""
    return f"{how}({source}.{part})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivation:
    """A value that is computed from a node's output."""

    op: str
    """What computes it, in a word: `frozen`."""

    part: str
    """The part of the node's output that it is made of."""

    facts: Mapping[str, Any]
    """All that decides over the value: equal facts, equal values. Plain values only."""

    bytes: int
    """How large it will be."""

    make: Callable[[Path], Any]
    """Computes it, given an empty folder to work in that is removed once it is stored."""


class Deriver:
    """Has derived values of one training in the store."""

    def __init__(self, request: Request, record: Record, store: Store, *, source: str) -> None:
        """Derive values from `source`, a node's output or an entry of it; the node has this record."""
        self._request = request
        self._record = record
        self._store = store
        self._node = source.partition(".")[0]
        self._source = source

    def has(self, derivation: Derivation) -> bool:
        """Whether the value is in the store."""
        return self._store.record(_fingerprint(derivation)) is not None

    def get(self, derivation: Derivation) -> Any:
        """The value, as it was loaded from the store; computed if it is not there.

        Another process that computes the same is waited for.

        Raises:
            StoreError: the disk has no room for it.
        """
        name = named(self._source, derivation.part, how=derivation.op)
        print_ = _fingerprint(derivation)
        with self._store.lock(print_, node=name):
            record = self._store.record(print_)
            status = "run" if record is None else "hit"
            if record is None:
                record = self._made(name, print_, derivation)
            else:
                self._note_use(name, record)
        rows = record.summary.get("rows") or {}
        total = sum(rows.values()) if rows else None
        events.emit(events.NodeFinished(name, status, record.seconds, total))
        return self._store.load(record)

    def _made(self, name: str, print_: Fingerprint, derivation: Derivation) -> Record:
        from mlrecipe.pipeline.cost import Meter
        from mlrecipe.pipeline.jobs import now  # neither for `plan`

        self._check_room(name, derivation.bytes)
        events.emit(events.NodeStarted(name, "its outputs are not in the store"))
        meter = Meter()
        with self._store.scratch() as folder:
            value = derivation.make(folder)
            cost = meter.read()
            computation = Computation(
                fingerprint=print_, own=_own(derivation), parts=self._parts(derivation),
                recipe=self._request.name, node=name, op=derivation.op, created=now(),
                seconds=cost.seconds, cpu_seconds=cost.cpu_seconds, peak_bytes=cost.peak_bytes,
            )  # fmt: skip
            return self._store.publish(value, computation)

    def _parts(self, derivation: Derivation) -> dict[str, Any]:
        """The record's parts: also what of the recipe `foresee` compares."""
        return {
            "op": derivation.op, "version": [str(_SCHEMA), ""], "code": "", "symbols": {},
            "params": plain(derivation.facts), "files": {}, "inputs": [["rows", derivation.part]],
            "libraries": {}, "digests": [[self._node, self._record.digest]],
            "recipe": recipe_facts(self._request, self._store),
        }  # fmt: skip

    def _note_use(self, name: str, record: Record) -> None:
        latest = self._store.latest(self._request.name, name)
        if latest is None or latest.fingerprint != record.fingerprint:
            self._store.note_use(record, recipe=self._request.name, node=name)

    def _check_room(self, name: str, needed: int) -> None:
        """Say how large it will be, or refuse what has no room.

        It is worked out in one file and then moved into the store's own: for a moment it is there twice.
        """
        size = _shown(needed)
        free = _free(self._store.root)
        if 2 * needed > free:
            raise StoreError(
                f"{name} takes {size}, and twice that while it is stored; "
                f"{str(self._store.root)!r} has {_shown(free)} free",
                hint=_TURN_OFF,
            )
        if needed > LARGE:
            text = f"{name} will take {size} in the store; {_TURN_OFF}"
            events.emit(events.Note(text, level="warning"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What would become of a derived value at the next training."""

    name: str
    status: Literal["hit", "run", "maybe"]
    reasons: tuple[str, ...]
    record: Record | None = field(default=None)


def foresee(request: Request, store: Store, planned: Plan) -> Iterator[Foreseen]:
    """For each value that training would derive, whether it is in the store; nothing heavy is imported.

    Its fingerprint is known once the network is there: what the recipe says is compared with what it said
    when the newest one was made.
    """
    source = request.loaded.recipe.train.data
    node = source.partition(".")[0]
    if node not in planned.by_node:
        return
    spec = request.loaded.recipe.train
    data = planned.by_node[node].record
    for part in dict.fromkeys((spec.train_split, *splits.names(spec.valid_split))):
        name = named(source, part)
        latest = store.latest(request.name, name)
        if not wants_frozen(request.loaded.values, has_made=latest is not None):
            continue
        if data is None:
            reason = f"only if {node} gives something else"
            yield Foreseen(name=name, status="maybe", reasons=(reason,))
        elif latest is None:
            reason = "its outputs are not in the store"
            yield Foreseen(name=name, status="run", reasons=(reason,))
        else:
            yield _judged(name, latest, request, store, node, str(data.digest))


def names_wanted(values: Mapping[str, Any]) -> list[str]:
    """What a recipe's plain values may have derived, in training or test, and still want."""
    if not wants_frozen(values, has_made=True):
        return []
    train, test = table_at(values, ("train",)), table_at(values, ("test",))
    source = str(train.get("data", ""))
    learnt = [
        str(train.get("train_split", "train")),
        *splits.names(train.get("valid_split", "valid")),
    ]
    tested, node = splits.names(test.get("split", "test")), str(test.get("data") or source)
    return [*(named(source, part) for part in learnt), *(named(node, part) for part in tested)]


def wants_frozen(values: Mapping[str, Any], *, has_made: bool = False) -> bool:
    """Whether a recipe's plain values ask for outputs of frozen layers to be kept, as far as they tell.

    A model of the user's own freezes as it likes: `has_made` says that it has done so before.
    """
    train, model = table_at(values, ("train",)), table_at(values, ("model",))
    if train.get("cache_frozen") is False or train.get("compile") is True:
        return False
    if model.get("use") != "transformer":
        return has_made
    is_plain = not model.get("frozen_dropout") and not model.get("peft")
    return is_plain and any(model.get(key) is not None for key in _FREEZING)


def recipe_facts(request: Request, store: Store) -> dict[str, Any]:
    """What of a recipe, beside the data, decides over the outputs of its model."""
    values = resolved(request.loaded, request.catalog)
    train = values["train"]
    found = {key: component_facts(request, key, values[key], store.memo) for key in ("model", "task")
             if key in values}  # fmt: skip
    precision = train.get("trainer", {}).get("precision")
    result: dict[str, Any] = plain({**found, "precision": precision})
    return result


def _judged(
    name: str, latest: Record, request: Request, store: Store, node: str, data: str
) -> Foreseen:
    """Compare with the newest there is."""
    then, now = _listed(latest.parts.get("recipe", {})), _listed(recipe_facts(request, store))
    status: Literal["run", "maybe"] = "maybe"
    reasons = [text.replace(".params.", " ") for text in changes(then, now)]
    if any(key in text for key in _DECISIVE for text in reasons):
        status = "run"
    if latest.parts.get("digests") != [[node, data]]:
        status = "run"
        reasons.append(f"{node} has another output")
    if damage := store.damage(latest):
        status = "run"
        reasons.append(f"its stored output cannot be used ({damage})")
    if reasons:
        return Foreseen(name=name, status=status, reasons=tuple(reasons))
    unchanged = f"unchanged since {latest.created[:16].replace('T', ' ')} UTC"
    return Foreseen(name=name, status="hit", reasons=(unchanged,), record=latest)


def _listed(value: Any) -> Any:
    """Tables and lists as they come back from JSON."""
    if isinstance(value, Mapping):
        return {str(key): _listed(item) for key, item in value.items()}
    return [_listed(item) for item in value] if isinstance(value, (list, tuple)) else value


def _own(derivation: Derivation) -> str:
    return digest(["derived", _SCHEMA, derivation.op, plain(derivation.facts)], path="facts")


def _fingerprint(derivation: Derivation) -> Fingerprint:
    return Fingerprint(digest(["derived", _SCHEMA, _own(derivation)]))


def _free(root: Path) -> int:
    """Bytes free where the store is or will be."""
    place = next(path for path in (root, *root.parents) if path.exists())
    return shutil.disk_usage(place).free


def _shown(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e8 else f"{size / 1e6:,.1f} MB"
