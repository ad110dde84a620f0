"""Where the result comes from: recipe, command, environment, inputs, files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlrecipe.pages import html
from mlrecipe.pages.amounts import size
from mlrecipe.pages.html import Markup

_LONGEST = 60_000
"""Characters of a recipe."""

_MOST_FILES = 40
_MOST_PACKAGES = 400


def recipe(found: Mapping[str, Any]) -> Iterator[Markup]:
    """The resolved recipe, with the command that ran it."""
    for run, command in found["commands"].items():
        if command:
            yield html.paragraph(f"{run}:", kind="faint")
            yield html.code(command, longest=2000)
    if not found["recipe"]:
        yield html.paragraph("The run's recipe is missing.")
        return
    yield html.paragraph(
        "The whole recipe, every value in its place. Saved as a file beside the first it gives the same again."
    )
    whole = html.code(found["recipe"], longest=_LONGEST)
    yield html.folded(f"recipe, {found['recipe'].count(chr(10)):,} lines", [whole])


def environment(found: Mapping[str, Any]) -> Iterator[Markup]:
    """Versions and machine."""
    known = found["environment"]
    if not known:
        yield html.paragraph("The run does not say in what environment it was made.")
        return
    first = {name: value for name, value in known.items() if "/" not in name}
    rest = {name: value for name, value in known.items() if "/" in name}
    yield html.facts(list(first.items()))
    if rest:
        rows = list(rest.items())[:_MOST_PACKAGES]
        yield html.folded(f"{len(rest)} more: libraries, repository", [html.facts(rows)])
    if found["differs"]:
        yield html.table(
            ("what differs", "training", "test"),
            [(n, a, b) for n, (a, b) in found["differs"].items()],
        )


def inputs(found: Mapping[str, Any]) -> Iterator[Markup]:
    """Nodes with the digests of their outputs, and the files that were read."""
    if not found["inputs"]:
        yield html.paragraph("The run does not say from which nodes its data came.")
        return
    nodes = [
        (name, one["op"] or "", _digest(one["digest"]), _digest(one["fingerprint"]))
        for name, one in found["inputs"].items()
    ]
    yield html.table(("node", "op", "digest of the output", "fingerprint"), nodes)
    files = [
        (name, path, _digest(digest))
        for name, one in found["inputs"].items()
        for path, digest in one["files"].items()
    ]
    if files:
        left = len(files) - _MOST_FILES
        said = f"{left:,} more files are in inputs.json" if left > 0 else ""
        yield html.table(("node", "file", "SHA-256"), files[:_MOST_FILES], caption=said)


def files(found: Mapping[str, Any]) -> Iterator[Markup]:
    """What lies in the run directories."""
    for run, held in found["files"].items():
        rows = [(path, size(count)) for path, count in held.items()]
        yield html.folded(f"files of {run}", [html.table(("file", "size"), rows, are_numbers=True)])


def _digest(text: Any) -> Markup:
    """The first letters of a digest; all of it when pointed at."""
    plain = str(text or "")
    return Markup(f'<code title="{html.text(plain)}">{html.text(plain[:16])}</code>')
