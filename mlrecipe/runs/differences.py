"""Differences between two runs: recipe, code, data, environment, repository and metrics."""

from __future__ import annotations

import difflib
import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mlrecipe.recipe.keys import dotted, leaves
from mlrecipe.runs import varying
from mlrecipe.runs.manifest import CODE, COMPONENTS
from mlrecipe.runs.results import recipe_of
from mlrecipe.runs.run import Run, every

About = Literal["recipe", "code", "data", "environment", "git", "metrics"]
ABOUT: tuple[About, ...] = ("recipe", "code", "data", "environment", "git", "metrics")
"""What two runs can differ in, in the order in which they are told."""

_OUTPUT = "output of "

_DIGEST = 8
"""Digits of a digest that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing in which two runs differ."""

    about: About

    name: str
    """A key of the recipe, a file, a node, a package, a metric."""

    then: Any
    """What the first run has, as JSON has it; None: nothing."""

    now: Any
    """What the second run has."""

    note: str = ""
    """Instead of values that say nothing to a reader, such as digests: `3 lines added, 1 removed`."""

    def __str__(self) -> str:
        """In words: `train.optimizer.lr 0.001 → 0.002`."""
        if self.note:
            return f"{self.name}: {self.note}"
        if self.about == "metrics":
            return f"{self.name} {_number(self.then)} → {_number(self.now)}{self._by()}"
        return f"{self.name} {shortened(self.then)} → {shortened(self.now)}"

    def _by(self) -> str:
        if not isinstance(self.then, int | float) or not isinstance(self.now, int | float):
            return ""
        return f" ({self.now - self.then:+.4f})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What can be compared of a run, or of a project as it is now."""

    name: str
    """How it is called in messages: a run's id, or `now`."""

    parts: Mapping[About, Mapping[str, Any]]
    """What → name → value as JSON has it. What is not there is not known, and not compared."""

    sources: Mapping[str, str] = field(default_factory=dict)
    """File of the project's own code → its text, where that is kept."""

    is_whole: bool = True
    """Whether it says all that can be said of code, data and environment: older runs say less."""


def differences(a: Run, b: Run, *, about: Sequence[About] = ABOUT) -> list[Difference]:
    """All in which run `b` differs from run `a`, sorted as `ABOUT` is.

    Nothing is said of what one of them does not know. Metrics are those of the runs and, of a train run,
    of its newest finished test.
    """
    return between(facts_of(a, about=about), facts_of(b, about=about))


def unknown(a: Facts, b: Facts) -> list[str]:
    """What cannot be compared, since one of the two does not say it: `code of run x`."""
    return [
        f"{about} of {facts.name}"
        for about in ABOUT
        for facts, other in ((a, b), (b, a))
        if about not in facts.parts and about in other.parts
    ]


def between(a: Facts, b: Facts) -> list[Difference]:
    """All in which `b` differs from `a`, of what both know."""
    found: list[Difference] = []
    for about in ABOUT:
        then, now = a.parts.get(about), b.parts.get(about)
        if then is None or now is None:
            continue
        if about == "recipe":
            found += _of_recipes(then, now, a.name, b.name)
            continue
        names = [*then, *(name for name in now if name not in then)]
        for name in names:
            old, new = then.get(name), now.get(name)
            if _is_unsaid(about, name, a) or _is_unsaid(about, name, b):
                continue
            if old != new and not (_is_nan(old) and _is_nan(new)):
                note = _note(about, name, old, new, a, b)
                found.append(Difference(about=about, name=name, then=old, now=new, note=note))
    return _grouped(found)


def facts_of(run: Run, *, about: Sequence[About] = ABOUT) -> Facts:
    """What a run's files say that can be compared."""
    read = {
        "recipe": _recipe, "code": _code, "data": _data, "environment": _environment, "git": _git,
        "metrics": _metrics,
    }  # fmt: skip
    parts = {name: found for name in about if (found := read[name](run)) is not None}
    is_whole = (run.folder / COMPONENTS).is_file()
    return Facts(name=run.id, parts=parts, sources=sources_of(run), is_whole=is_whole)


def sources_of(run: Run) -> dict[str, str]:
    """The project's own files that a run used, as they were: path in the project → text."""
    folder = run.folder / CODE
    paths = sorted(p for p in folder.rglob("*.py") if p.is_file()) if folder.is_dir() else []
    return {p.relative_to(folder).as_posix(): p.read_text("utf-8", "replace") for p in paths}


def code_facts(
    nodes: Mapping[str, Any], components: Mapping[str, Any], sources: Mapping[str, str]
) -> dict[str, Any]:
    """What is compared of code: digests of nodes' ops and of components, and the project's own files.

    Args:
        nodes: name → facts with `op` and `code`, as `inputs.json` has them.
        components: `model`, `task`, `data` → facts with `code`, as `components.json` has them.
        sources: file of the project → text.
    """
    found = {f"op {facts.get('op')!r}": facts.get("code") for facts in nodes.values()}
    found |= {f"{key} {facts.get('use')!r}": facts["code"]
              for key, facts in components.items() if facts.get("code")}  # fmt: skip
    found |= {name: hashlib.sha256(text.encode()).hexdigest() for name, text in sources.items()}
    return found


def data_facts(nodes: Mapping[str, Any], components: Mapping[str, Any]) -> dict[str, Any]:
    """What is compared of data: every file that was read, and every node's output.

    The arguments are those of `code_facts`.
    """
    found: dict[str, Any] = {}
    for node, facts in nodes.items():
        for key, files in (facts.get("files") or {}).items():
            found |= {f"nodes.{node}.{key}: {file}": digest for file, digest in _pairs(files)}
        found[f"{_OUTPUT}{node}"] = facts.get("digest")
    for table, facts in components.items():
        for key, file, digest in _triples(facts.get("files")):
            found[f"{table}.{key}: {file}"] = digest
    return found


def environment_facts(environment: Mapping[str, Any]) -> dict[str, Any]:
    """What is compared of `env.json`: versions and the machine's kind, not its name."""
    plain = {k: environment[k] for k in ("python", "platform", "cpus") if k in environment}
    for table in ("packages", "libraries", "threads", "accelerator"):
        for name, value in (environment.get(table) or {}).items():
            plain[_normal(name) if table in ("packages", "libraries") else name] = value
    return plain


def git_facts(git: Mapping[str, Any], patch: str) -> dict[str, Any]:
    """What is compared of the repository: commit, branch and all that was not committed."""
    found = {k: git[k] for k in ("commit", "branch", "dirty") if k in git}
    if git:
        found["git.patch"] = hashlib.sha256(patch.encode()).hexdigest() if patch else None
    return found


def is_output(item: Difference) -> bool:
    """Whether it is about what a node gave, rather than what it was given."""
    return item.about == "data" and item.name.startswith(_OUTPUT)


def newest_test(run: Run) -> Run | None:
    """The newest finished test of a train run."""
    return next(
        (
            other for other in every(run.folder.parent.parent)
            if other.facts.get("parent") == run.id and other.facts.get("stage") == "test"
            and other.status == "finished"
        ), None,
    )  # fmt: skip


def shortened(value: Any, limit: int = 60) -> str:
    """A value in at most so many characters, as a recipe has it; nothing is `none`."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, float) else repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _recipe(run: Run) -> dict[str, Any] | None:
    values = recipe_of(run)
    flat = {dotted(key): value for key, value in leaves(values) if key}
    left = {k: v for k, v in flat.items() if k != "relative_to" and not k.startswith("run.")}
    found: dict[str, Any] = json.loads(json.dumps(left, default=str))
    return found if values else None


def _code(run: Run) -> dict[str, Any] | None:
    nodes, components = _read(run, "inputs.json"), _read(run, COMPONENTS)
    if nodes is None and components is None:
        return None
    return code_facts(nodes or {}, components or {}, sources_of(run))


def _data(run: Run) -> dict[str, Any] | None:
    nodes, components = _read(run, "inputs.json"), _read(run, COMPONENTS)
    return None if nodes is None else data_facts(nodes, components or {})


def _environment(run: Run) -> dict[str, Any] | None:
    found = _read(run, "env.json")
    return None if found is None else environment_facts(found)


def _git(run: Run) -> dict[str, Any] | None:
    found = _read(run, "env.json")
    if found is None:
        return None
    path = run.folder / "git.patch"
    patch = path.read_bytes().decode("utf-8", "replace") if path.is_file() else ""
    return git_facts(found.get("git") or {}, patch)


def _metrics(run: Run) -> dict[str, Any] | None:
    found = dict(_read(run, "metrics.json") or {})
    test = newest_test(run) if run.facts.get("stage") == "train" else None
    if test is not None:
        found |= _read(test, "metrics.json") or {}
    numbers = {k: v for k, v in found.items() if isinstance(v, int | float)}
    return numbers or None


def _of_recipes(
    then: Mapping[str, Any], now: Mapping[str, Any], first: str, second: str
) -> Iterator[Difference]:
    """The keys that differ; a table that only one has is one."""
    for name in varying.varying([then, now]):
        old, new = varying.table(then, name), varying.table(now, name)
        is_table = name not in then and name not in now
        note = f"only {second if old is None else first} has it" if is_table else ""
        if not (_is_nan(old) and _is_nan(new)):
            yield Difference(about="recipe", name=name, then=old, now=new, note=note)


def _is_unsaid(about: About, name: str, facts: Facts) -> bool:
    """Whether facts that are not whole lack it."""
    return (
        not facts.is_whole
        and about in ("code", "data", "environment")
        and name not in facts.parts[about]
    )


def _note(about: About, name: str, then: Any, now: Any, a: Facts, b: Facts) -> str:
    """What is said of values that are digests."""
    if about == "code" and (name in a.sources or name in b.sources):
        return _lines(a.sources.get(name), b.sources.get(name))
    if about in ("code", "data"):
        if then is None or now is None:
            return f"only {a.name if now is None else b.name} has it"
        return f"other {'code' if about == 'code' else 'content'}, {_digits(then)} → {_digits(now)}"
    if name == "git.patch":
        return "what was not committed is not the same"
    return ""


def _lines(then: str | None, now: str | None) -> str:
    if then is None or now is None:
        return "it is new" if then is None else "it is not there any more"
    diff = list(difflib.ndiff(then.splitlines(), now.splitlines()))
    added, removed = (sum(line.startswith(sign) for line in diff) for sign in ("+ ", "- "))
    return f"{added} {'line' if added == 1 else 'lines'} added, {removed} removed"


def _grouped(found: Iterable[Difference]) -> list[Difference]:
    """Many files of one parameter as one difference: `nodes.pages.path: 12 files`."""
    kept: list[Difference] = []
    files: dict[str, list[Difference]] = {}
    for item in found:
        start, sep, _ = item.name.partition(": ")
        if item.about == "data" and sep:
            files.setdefault(start, []).append(item)
        else:
            kept.append(item)
    for start, items in files.items():
        if len(items) <= 3:
            kept += items
        else:
            note = f"{len(items):,} files differ, such as {items[0].name.partition(': ')[2]}"
            kept.append(Difference(about="data", name=start, then=None, now=None, note=note))
    return sorted(kept, key=lambda item: ABOUT.index(item.about))


def _pairs(files: Any) -> list[tuple[str, Any]]:
    items = files if isinstance(files, list) else []
    return [(str(item[0]), item[1]) for item in items if isinstance(item, list) and len(item) == 2]


def _triples(files: Any) -> list[tuple[str, str, Any]]:
    items = files if isinstance(files, list) else []
    return [(str(i[0]), str(i[1]), i[2]) for i in items if isinstance(i, list) and len(i) == 3]


def _number(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, int | float) else "none"


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _digits(digest: Any) -> str:
    return str(digest)[:_DIGEST]


def _normal(name: str) -> str:
    return name.lower().replace("_", "-")


def _read(run: Run, name: str) -> dict[str, Any] | None:
    path: Path = run.folder / name
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
