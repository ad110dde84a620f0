"""`mlrecipe cache list` and `pin`: the results in the store, and how a user names them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Annotated, Any

import typer

from mlrecipe.cli import amounts, render
from mlrecipe.cli.options import Json
from mlrecipe.cli.session import Session
from mlrecipe.cli.stores import looked_at
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
        typer.Argument(
            metavar="[NODE]...",
            help="Only of these nodes, or with these first letters of their fingerprints.",
            show_default=False,
        ),
    ] = None,
    recipe: Recipe = None,
    as_json: Json = False,
) -> None:
    """List the stored results: of which node, how big, how old, when used last.

    Example: mlrecipe cache list tokens --recipe imdb.toml
    """
    session = looked_at(Session.in_folder())
    found = usage.census(session.store)
    keys = of_recipe(found, recipe, session)
    entries = named(found, nodes, keys) if nodes else of_nodes(found, (), keys)
    entries.sort(key=lambda e: (e.record.recipe, e.record.node, -e.used))
    tell_unreadable(found)
    lacks = _lacks(entries, found, session)
    if as_json:
        render.document([_facts(entry, found, lacks) for entry in entries])
        return
    if not entries:
        if session.store.root.is_dir():
            render.say(f"nothing is stored in {shown(session.store.root, here=session.here)}")
        return
    now = time.time()
    header = ("recipe", "node", "op", "size", "age", "last used", "fingerprint", "")
    table(header, [_row(entry, found, now, lacks) for entry in entries])


def pin(
    results: Results,
    recipe: Recipe = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="Let gc have them again, if nothing else needs them.")
    ] = False,
) -> None:
    """Keep what recipes use of a node now, its newest result and what these were made from, from any gc.

    Example: mlrecipe cache pin tokens
    """
    session = looked_at(Session.in_folder())
    found = usage.census(session.store)
    if remove:
        keys = of_recipe(found, recipe, session)
        for fingerprint in _pinned(found, results, keys):
            pins.unpin(session.store, fingerprint)
            render.say(f"unpinned {_shown(found, fingerprint)}")
        return
    for entry in _to_pin(found, results, of_recipe(found, recipe, session), session):
        pins.pin(session.store, entry.record.fingerprint)
        render.say(f"pinned {_shown(found, entry.record.fingerprint)}")
        if is_gone(entry, found):
            render.warn(f"the output of {entry.record.node} is gone: only its record can be kept")


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
    """The results of some nodes and of their shards, or of all.

    Raises:
        RequestError: there is none of one of them.
    """
    fitting = [e for e in found.entries.values() if keys is None or _keys(e, found) & keys]
    names = {e.record.fingerprint: names_of(e, found) for e in fitting}
    known = {name for names_ in names.values() for name in names_}
    for node in nodes:
        if node not in known:
            hint = did_you_mean(node, {usage.whole(name) for name in known})
            raise RequestError(f"nothing is stored of {node!r}", hint=hint)
    chosen = set(nodes)
    return [e for e in fitting if not chosen or names[e.record.fingerprint] & chosen]


def named(found: Census, names: Sequence[str], keys: set[NodeKey] | None) -> list[Entry]:
    """The results that nodes or beginnings of fingerprints name.

    Raises:
        RequestError: one of them names none, or more than one computation.
    """
    chosen: dict[Fingerprint, Entry] = {}
    for name in names:
        begun = [
            entry for fingerprint, entry in found.entries.items()
            if _is_hex(name) and fingerprint.startswith(name)
            and (keys is None or _keys(entry, found) & keys)
        ]  # fmt: skip
        is_node = any(name in (node, usage.whole(node)) for _, node in found.newest)
        if len(begun) > 1 and not is_node:
            raise RequestError(f"{name!r} begins {len(begun)} fingerprints", hint="type more of it")
        entries = of_nodes(found, [name], keys) if is_node or not begun else begun
        chosen.update((entry.record.fingerprint, entry) for entry in entries)
    return list(chosen.values())


def names_of(entry: Entry, found: Census) -> set[str]:
    """What a user may call a result: the nodes that made or use it, of a shard also the whole's."""
    nodes = {node for _, node in _keys(entry, found)}
    return nodes | {usage.whole(node) for node in nodes}


def is_gone(entry: Entry, found: Census) -> bool:
    """Whether a result has no output any more."""
    return entry.record.value is None and entry.record.digest not in found.objects


def tell_unreadable(found: Census) -> None:
    """Say that there are records that cannot be read, for nothing else tells of them."""
    if found.unreadable:
        count = amounts.counted(len(found.unreadable), "record")
        render.warn(f"left out: {count} that cannot be read; `mlrecipe cache verify` tells more")


def short(fingerprint: str) -> str:
    """As much of a fingerprint as tells it from others."""
    return fingerprint[:12]


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows below a header."""
    lines = render.columns([header, *rows])
    for number, line in enumerate(lines):
        render.out(line if number else render.styled(line, "bold"))


def _to_pin(
    found: Census, names: Sequence[str], keys: set[NodeKey] | None, session: Session
) -> list[Entry]:
    """What a user wants pinned: of a node what is used and the newest, its shards where there is no whole."""
    from mlrecipe.pipeline import roots

    chosen = named(found, names, keys)
    newest = set(found.newest.values()) | found.pins
    for used in roots.current(session.store, session.project, found).values():
        newest.update(used)
    wholes = {node for entry in chosen for _, node in _keys(entry, found)}
    return [
        entry for entry in chosen
        if not names_of(entry, found) & set(names)  # it is named by its fingerprint
        or (entry.record.fingerprint in newest and not _is_part(entry, names, wholes))
    ]  # fmt: skip


def _is_part(entry: Entry, names: Sequence[str], wholes: set[str]) -> bool:
    node = entry.record.node
    return node not in names and usage.whole(node) != node and usage.whole(node) in wholes


def _pinned(found: Census, names: Sequence[str], keys: set[NodeKey] | None) -> list[Fingerprint]:
    """The pins that nodes or beginnings of fingerprints name.

    Raises:
        RequestError: one of them names none.
    """
    pinned: dict[Fingerprint, set[str]] = {}
    for fingerprint in sorted(found.pins):
        entry = found.entries.get(fingerprint)
        if entry is None and keys is None:  # its record is gone
            pinned[fingerprint] = set()
        elif entry is not None and (keys is None or _keys(entry, found) & keys):
            pinned[fingerprint] = names_of(entry, found)
    known = {name for names_ in pinned.values() for name in names_}
    chosen: dict[Fingerprint, None] = {}
    for name in names:
        begun = [f for f in pinned if f.startswith(name)] if _is_hex(name) else []
        fitting = [f for f, names_ in pinned.items() if name in names_] or begun
        if not fitting:
            hint = did_you_mean(name, known or map(short, pinned)) if pinned else "nothing is"
            raise RequestError(f"{name!r} is not pinned", hint=hint)
        chosen.update(dict.fromkeys(fitting))
    return list(chosen)


def _shown(found: Census, fingerprint: Fingerprint) -> str:
    entry = found.entries.get(fingerprint)
    if entry is None:
        return short(fingerprint)
    return f"{entry.record.node} of {entry.record.recipe} ({short(fingerprint)})"


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


def _lacks(entries: Iterable[Entry], found: Census, session: Session) -> dict[Fingerprint, str]:
    """What is to be said of the outputs that cannot be used, and whether a recipe needs them."""
    from mlrecipe.pipeline import roots, standing

    records = {entry.record.fingerprint: entry.record for entry in entries}
    lacks = {f: standing.lack(record, session.store) for f, record in records.items()}
    lacks = {fingerprint: lack for fingerprint, lack in lacks.items() if lack}
    missed = roots.missed(session.store, session.project, lacks)
    needs = {True: "the next run computes it again", False: "nothing needs it"}
    return {f: f"{lack}; {needs[f in missed]}" for f, lack in lacks.items()}


def _state(entry: Entry, found: Census, lacks: Mapping[Fingerprint, str]) -> list[str]:
    record = entry.record
    states = {
        "pinned": record.fingerprint in found.pins,
        "newest": record.fingerprint in found.newest.values(),
        lacks.get(record.fingerprint, ""): record.fingerprint in lacks,
    }
    return [state for state, holds in states.items() if holds]


def _row(
    entry: Entry, found: Census, now: float, lacks: Mapping[Fingerprint, str]
) -> tuple[str, ...]:
    record = entry.record
    return (
        record.recipe, record.node, record.op, render.size(record.bytes),
        amounts.ago(now - _seconds(record.created)), amounts.ago(now - entry.used),
        short(record.fingerprint), ", ".join(_state(entry, found, lacks)),
    )  # fmt: skip


def _facts(entry: Entry, found: Census, lacks: Mapping[Fingerprint, str]) -> dict[str, Any]:
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
        "states": _state(entry, found, lacks),
    }


def _seconds(when: str) -> float:
    try:
        return datetime.fromisoformat(when).timestamp()
    except ValueError:
        return 0.0
