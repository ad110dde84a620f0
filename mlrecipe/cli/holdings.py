"""`mlrecipe cache list` and `pin`: the results in the store, and how a user names them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from typing import Annotated, Any

import typer

from mlrecipe.cli import amounts, render
from mlrecipe.cli.options import Json
from mlrecipe.cli.session import Session
from mlrecipe.errors import RequestError, did_you_mean
from mlrecipe.interfaces import Fingerprint
from mlrecipe.recipe.project import shown
from mlrecipe.store import pins, usage
from mlrecipe.store.usage import Census, Entry, NodeKey

Recipe = Annotated[
    str | None,
    typer.Option("--recipe", metavar="RECIPE", help="Only of this recipe.", show_default=False),
]
Results = Annotated[
    list[str],
    typer.Argument(
        metavar="NODE...",
        help="A node, or the first letters of a fingerprint, as `cache list` shows it.",
        show_default=False,
    ),
]


def list_(
    nodes: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NODE]...", help="Only of these nodes.", show_default=False),
    ] = None,
    recipe: Recipe = None,
    as_json: Json = False,
) -> None:
    """List the stored results: of which node, how big, how old, when used last.

    Example: mlrecipe cache list tokens --recipe imdb.toml
    """
    session = Session.in_folder()
    found = usage.census(session.store)
    entries = of_nodes(found, nodes or (), of_recipe(found, recipe, session))
    entries.sort(key=lambda e: (e.record.recipe, e.record.node, -e.used))
    if as_json:
        render.document([_facts(entry, found) for entry in entries])
        return
    if not entries:
        render.say(f"nothing is stored in {shown(session.store.root, here=session.here)}")
        return
    now = time.time()
    header = ("recipe", "node", "op", "size", "age", "last used", "fingerprint", "")
    table(header, [_row(entry, found, now) for entry in entries])


def pin(
    results: Results,
    recipe: Recipe = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="Let gc have them again, if nothing else needs them.")
    ] = False,
) -> None:
    """Keep the newest result of a node, and what it was made from, from any gc.

    Example: mlrecipe cache pin tokens
    """
    session = Session.in_folder()
    found = usage.census(session.store)
    newest = set(found.newest.values()) | found.pins
    for entry in named(found, results, of_recipe(found, recipe, session)):
        fingerprint = entry.record.fingerprint
        if remove:
            pins.unpin(session.store, fingerprint)
        elif fingerprint in newest or entry.record.node not in results:
            pins.pin(session.store, fingerprint)
            render.say(
                f"pinned {entry.record.node} of {entry.record.recipe} ({short(fingerprint)})"
            )


def of_recipe(found: Census, recipe: str | None, session: Session) -> set[NodeKey] | None:
    """The nodes of a recipe as a user names it, whether it is still there or not; None for all.

    Raises:
        RequestError: nothing is stored of it.
    """
    if recipe is None:
        return None
    known = {name for name, _ in found.newest}
    names = {name for name in known if _means(recipe, name, session)}
    if not names:
        raise RequestError(f"nothing is stored of {recipe!r}", hint=did_you_mean(recipe, known))
    return {key for key in found.newest if key[0] in names}


def of_nodes(
    found: Census, nodes: Iterable[str], keys: set[NodeKey] | None
) -> list[Entry]:  # fmt: skip
    """The results of some nodes, or of all.

    Raises:
        RequestError: there is none of one of them.
    """
    fitting = [e for e in found.entries.values() if keys is None or _keys(e, found) & keys]
    known = {node for e in fitting for _, node in _keys(e, found)}
    for node in nodes:
        if node not in known:
            raise RequestError(f"nothing is stored of {node!r}", hint=did_you_mean(node, known))
    chosen = set(nodes)
    return [e for e in fitting if not chosen or {node for _, node in _keys(e, found)} & chosen]


def named(found: Census, names: Sequence[str], keys: set[NodeKey] | None) -> list[Entry]:
    """The results that nodes or beginnings of fingerprints name.

    Raises:
        RequestError: one of them names none, or more than one computation.
    """
    chosen: dict[Fingerprint, Entry] = {}
    for name in names:
        begun = [e for f, e in found.entries.items() if f.startswith(name)] if _is_hex(name) else []
        is_node = any(node == name for _, node in found.newest)
        if len(begun) > 1 and not is_node:
            raise RequestError(f"{name!r} begins {len(begun)} fingerprints", hint="type more of it")
        entries = of_nodes(found, [name], keys) if is_node or not begun else begun
        chosen.update((entry.record.fingerprint, entry) for entry in entries)
    return list(chosen.values())


def short(fingerprint: str) -> str:
    """As much of a fingerprint as tells it from others."""
    return fingerprint[:12]


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows below a header."""
    lines = render.columns([header, *rows])
    for number, line in enumerate(lines):
        render.out(line if number else render.styled(line, "bold"))


def _means(recipe: str, name: str, session: Session) -> bool:
    path = (session.here / recipe).absolute()
    stem = name.removesuffix(".toml")
    return recipe in (name, stem, stem.rpartition("/")[2]) or path == session.project / name


def _keys(entry: Entry, found: Census) -> set[NodeKey]:
    """The nodes that made a result, or whose newest it is."""
    fingerprint = entry.record.fingerprint
    users = {key for key, newest in found.newest.items() if newest == fingerprint}
    return users | {(entry.record.recipe, entry.record.node)}


def _is_hex(text: str) -> bool:
    return len(text) >= 4 and not text.strip("0123456789abcdef")


def _state(entry: Entry, found: Census) -> list[str]:
    record = entry.record
    is_gone = record.value is None and record.digest not in found.objects
    states = {
        "pinned": record.fingerprint in found.pins,
        "newest": record.fingerprint in found.newest.values(),
        "output is gone": is_gone,
    }
    return [state for state, holds in states.items() if holds]


def _row(entry: Entry, found: Census, now: float) -> tuple[str, ...]:
    record = entry.record
    return (
        record.recipe, record.node, record.op, render.size(record.bytes),
        amounts.ago(now - _seconds(record.created)), amounts.ago(now - entry.used),
        short(record.fingerprint), ", ".join(_state(entry, found)),
    )  # fmt: skip


def _facts(entry: Entry, found: Census) -> dict[str, Any]:
    record = entry.record
    return {
        "recipe": record.recipe,
        "node": record.node,
        "op": record.op,
        "bytes": record.bytes,
        "created": record.created,
        "used": datetime.fromtimestamp(entry.used, timezone.utc).isoformat(),
        "fingerprint": record.fingerprint,
        "digest": record.digest,
        "users": sorted(_keys(entry, found)),
        "states": _state(entry, found),
    }


def _seconds(when: str) -> float:
    try:
        return datetime.fromisoformat(when).timestamp()
    except ValueError:
        return 0.0
