"""`mlrecipe inspect`: one node's output, where it comes from and what is in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mlrecipe.cli import outputs, render
from mlrecipe.cli.options import NONE, Json
from mlrecipe.cli.session import Session, Settings
from mlrecipe.cli.statistics import of_output, show_statistics
from mlrecipe.errors import RecipeError, RequestError, did_you_mean
from mlrecipe.pipeline.plan import Step
from mlrecipe.pipeline.plan import plan as make_plan
from mlrecipe.pipeline.request import Request
from mlrecipe.recipe.schema import Overrides
from mlrecipe.runs import run as running
from mlrecipe.runs.manifest import RECIPE
from mlrecipe.store import values
from mlrecipe.store.records import Record


def inspect(
    ctx: typer.Context,
    node: Annotated[str, typer.Argument(metavar="NODE", help="Name of the node.")],
    recipe: Annotated[
        str | None,
        typer.Argument(
            metavar="[RECIPE]",
            help="The recipe; by default the only one here, else the one used last.",
            show_default=False,
        ),
    ] = None,
    overrides: Overrides = NONE,
    split: Annotated[str | None, typer.Option(help="Show rows of this split only.")] = None,
    rows: Annotated[int, typer.Option(min=0, help="Rows to show of each split.")] = 3,
    columns: Annotated[
        str | None, typer.Option(metavar="A,B", help="Show only these columns.")
    ] = None,
    as_json: Json = False,
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write a page with tables and plots there.", show_default=False
        ),
    ] = None,
    run_id: Annotated[
        str | None,
        typer.Option(
            "--run", metavar="ID", help="Of an evaluation node: for this test run, not the newest."
        ),
    ] = None,
    repl: Annotated[
        bool, typer.Option("--repl", help="Open a Python prompt with the output as `data`.")
    ] = False,
    named: Annotated[str | None, typer.Option("--recipe", hidden=True)] = None,
) -> None:
    """Show a node's output: where it comes from, how big it is, its schema, label counts and rows.

    Also of evaluation nodes, and of `predictions`.

    Example: mlrecipe inspect tokens imdb.toml --split test --rows 5
    """
    if named is not None:
        hint = f"the recipe stands after the node: mlrecipe inspect {node} {named}"
        raise RequestError("no such option: --recipe", hint=hint)
    if recipe is not None and node.endswith(".toml") and not recipe.endswith(".toml"):
        raise RequestError("the node comes first", hint=f"mlrecipe inspect {recipe} {node}")
    if html is not None and (as_json or repl):
        raise RequestError(f"--html does not go with {'--json' if as_json else '--repl'}")
    session = _session(recipe, node, run_id)
    request = _opened(session, overrides, node, ctx.obj)
    if node not in request.graph.nodes:
        from mlrecipe.cli.evaluate import judging

        known = [*request.graph.nodes, *request.loaded.recipe.evaluate.nodes]
        request = judging(session, request, node, run_id)
        _check_node(node, request, known)
    elif run_id is not None:
        raise RequestError(f"--run: {node!r} is no evaluation node, and its output hangs on no run")
    step = _step(session, request, node)
    record = step.record or session.store.latest(request.name, node)
    if repl:
        _prompt(session, step, record)
        return
    sample = _sample(session, record, split, rows, columns) if record else {}
    damage = session.store.damage(record) if record and record.value is not None else ""
    if as_json:
        render.document(_facts(request, step, record, sample, damage))
        return
    if html is not None:
        _write_page(html, session, step, record, sample)
        return
    _show(session, step, record, damage)
    _show_rows(sample)


def _session(recipe: str | None, node: str, run_id: str | None) -> Session:
    """The session of a recipe; of a run whose recipe is not here the error names the one that it has kept."""
    try:
        return Session.guessed(recipe)
    except RequestError as error:
        project = Session.in_folder().project
        own = running.find(project, run_id).folder / RECIPE if run_id is not None else None
        if own is None or not own.is_file():
            raise
        kept = own.relative_to(project).as_posix()
        hint = f"its run has kept a copy: mlrecipe inspect {node} {kept} --run {run_id}"
        raise RequestError(error.message, hint=hint) from None


def _opened(session: Session, overrides: Overrides, node: str, settings: Settings) -> Request:
    """The checked recipe; of an evaluation node the files of the data need not be there."""
    try:
        return session.open(overrides, settings=settings)
    except RecipeError:
        request = session.open(overrides, settings=settings, needs_files=False)
        if node in request.graph.nodes:
            raise
        return request


def _check_node(node: str, request: Request, known: Sequence[str]) -> None:
    """Raise unless there is such a node; `known` are those of the recipe."""
    if node in request.graph.nodes:
        return
    each = [name for name in request.graph.nodes if name.endswith(f"/{node}")]
    if each:
        message = f"node {node!r} is there for each split of the test"
        raise RequestError(message, hint=f"name one of them: {', '.join(each)}")
    raise RequestError(f"no node {node!r}", hint=did_you_mean(node, known))


def _step(session: Session, request: Request, node: str) -> Step:
    """What preparing the recipe would do with the node, and what the store has of it."""
    from mlrecipe.pipeline.standing import standing

    planned = make_plan(request, session.store, nodes=[node])
    if planned.by_node[node].lost is not None:  # it alone would run; nothing may need its output
        planned = make_plan(request, session.store)
    return standing(node, planned, session.store)


def _facts(
    request: Request, step: Step, record: Record | None, sample: Mapping[str, Any], damage: str
) -> dict[str, Any]:
    """What `--json` prints; fields about the output are null when there is none."""
    signature, parts = step.node.found.signature, outputs.parts_of(step, record)
    return {
        "node": step.node.name,
        "recipe": request.name,
        "op": step.node.spec.use,
        "code": f"{signature.file}:{signature.line}",
        "status": step.status,
        "reasons": list(step.reasons),
        "inputs": [i.node + (f".{i.entry}" if i.entry else "") for i in step.node.inputs],
        "params": dict(parts["params"]),
        "files": dict(parts["files"]),
        "libraries": dict(parts["libraries"]),
        "fingerprint": record.fingerprint if record else None,
        "digest": record.digest if record else None,
        "created": record.created if record else None,
        "seconds": record.seconds if record else None,
        "cpu_seconds": record.cpu_seconds if record else None,
        "peak_bytes": record.peak_bytes if record else None,
        "bytes": record.bytes if record else None,
        "format": record.format if record else None,
        "summary": {k: v for k, v in record.summary.items() if k != "sample"} if record else None,
        "sample": sample,
        "value": values.decode(record.value) if record and record.value and not damage else None,
    }


def _show(session: Session, step: Step, record: Record | None, damage: str) -> None:
    _warn_of_last(step, record, damage)
    found = _found(session, record) if record is not None else None
    facts = outputs.about(session, step, record)
    if record is not None:
        facts += [
            *outputs.summary(record),
            *([] if found is not None else outputs.value(record, damage)),
        ]
    for line in render.columns(facts, indent=""):
        render.out(line)
    if record is None:
        render.out(f"\nnothing stored yet; make it with: {_maker(session, step)}")
    if found is not None:
        render.out()
        show_statistics(step.node.name, found, most_labels=None)


def _warn_of_last(step: Step, record: Record | None, damage: str) -> None:
    """Say that what is shown is not what would be made now."""
    if record is None or step.record is not None:
        return
    below = "what its last output was made with" if damage else (
        "its last output, and what that was made with"
    )  # fmt: skip
    render.warn(f"{step.node.name} would run now ({'; '.join(step.reasons)}); below is {below}")


def _found(session: Session, record: Record) -> Mapping[str, Any] | None:
    """What the op `statistics` found, where the output is that."""
    if record.op != "statistics" or session.store.damage(record):
        return None
    return of_output(record.op, session.store.load(record))


def _write_page(
    path: Path,
    session: Session,
    step: Step,
    record: Record | None,
    sample: Mapping[str, Sequence[Mapping[str, Any]]],
) -> None:
    """Write the page of the node's output; prints where it is."""
    from mlrecipe.cli.pages import nodes
    from mlrecipe.pages import html

    name = step.node.name
    if record is None:
        hint = _maker(session, step)
        raise RequestError(f"nothing stored yet for {name!r}", hint=hint)
    damage = session.store.damage(record)
    _warn_of_last(step, record, damage)
    found: Any = _found(session, record)
    if found is None and record.value is not None and not damage:
        found = values.decode(record.value)
    page = nodes.page(
        f"{name} of {session.shown}", outputs.about(session, step, record), op=record.op,
        summary=record.summary, sample=sample, value=found,
    )  # fmt: skip
    html.write(path, page)
    render.out(str(path.resolve()))


def _sample(
    session: Session, record: Record, split: str | None, rows: int, columns: str | None
) -> dict[str, list[dict[str, Any]]]:
    """Rows of each split: from the record where it has enough of them, else from the output."""
    counts: Mapping[str, int] = record.summary.get("rows", {})
    if split is not None and split not in counts:
        raise RequestError(
            f"no split {split!r} in {record.node!r}", hint=did_you_mean(split, counts)
        )
    wanted = [split] if split is not None else list(counts)
    names = [name.strip() for name in columns.split(",")] if columns else None
    _check_columns(record, names)
    kept: Mapping[str, Sequence[Mapping[str, Any]]] = record.summary.get("sample", {})
    enough = all(len(kept.get(s, [])) >= min(rows, counts[s]) for s in wanted)
    if not enough and session.store.damage(record):
        render.warn(f"the output of {record.node!r} is not here: its record has only these rows")
        kept, enough = {s: kept.get(s, []) for s in wanted}, True
    source = kept if enough else _load_rows(session, record, wanted, rows)
    return {
        s: [
            {k: v for k, v in row.items() if names is None or k in names}
            for row in list(source[s])[:rows]
        ]
        for s in wanted
    }


def _check_columns(record: Record, names: Sequence[str] | None) -> None:
    schema: Mapping[str, str] = record.summary.get("schema", {})
    for name in names or ():
        if name not in schema:
            raise RequestError(
                f"no column {name!r} in {record.node!r}", hint=did_you_mean(name, schema)
            )


def _load_rows(
    session: Session, record: Record, splits: Sequence[str], rows: int
) -> dict[str, list[dict[str, Any]]]:
    data: Any = session.store.load(record)
    found = {}
    for split in splits:
        found[split] = _first_rows(data[split] if split else data, rows)
    return found


def _first_rows(part: Any, rows: int) -> list[dict[str, Any]]:
    """Of a recorder, a table, a data frame, a data set or a list."""
    from mlrecipe.recorder.recorder import Recorder

    table = part.table if isinstance(part, Recorder) else part
    if hasattr(table, "slice"):
        return [{k: _told(v) for k, v in row.items()} for row in table.slice(0, rows).to_pylist()]
    if hasattr(part, "iloc"):
        frame = part.to_frame() if hasattr(part, "to_frame") else part
        return list(frame.iloc[:rows].to_dict("records"))
    head = part.select(range(min(rows, len(part)))) if hasattr(part, "select") else part[:rows]
    return [dict(row) for row in head]


def _told(value: Any) -> Any:
    """The value as JSON can hold it: bytes, such as those of images, by their number."""
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    if isinstance(value, dict):
        return {name: _told(item) for name, item in value.items()}
    return [_told(item) for item in value] if isinstance(value, list) else value


def _show_rows(sample: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    for split, rows in sample.items():
        for number, row in enumerate(rows):
            render.out(f"\n{split or 'row'}[{number}]")
            for name, value in row.items():
                text = value if isinstance(value, str) else outputs.text_of(value)
                render.out(f"  {name}: {text[:300]}{' …' if len(text) > 300 else ''}")


def _maker(session: Session, step: Step) -> str:
    """The command that makes a step's output."""
    if step.node.path[0] == "evaluate":
        return f"mlrecipe evaluate {session.shown}"
    return f"mlrecipe prepare {session.shown} {step.node.name}"


def _prompt(session: Session, step: Step, record: Record | None) -> None:
    import code

    node = step.node.name
    if record is None:
        raise RequestError(f"nothing stored yet for {node!r}", hint=_maker(session, step))
    if session.store.damage(record):  # "run again" would not help where nothing needs it
        raise RequestError(
            f"the output of {node!r} is not here, or damaged", hint=_maker(session, step)
        )
    data = session.store.load(record)
    code.interact(
        banner=f"data is the output of {node}: {type(data).__name__}",
        local={"data": data},
        exitmsg="",
    )
