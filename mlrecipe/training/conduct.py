"""What every stage is made of: the work itself, what it leaves, whom an error is blamed on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from mlrecipe import events
from mlrecipe.errors import DataError, MlrecipeError, TrainingError
from mlrecipe.graph import pins
from mlrecipe.interfaces import Memo
from mlrecipe.pipeline import blame, lockfile, present, stages
from mlrecipe.pipeline.derived import Deriver
from mlrecipe.pipeline.judge import judge
from mlrecipe.pipeline.request import Request
from mlrecipe.recipe.origins import origins
from mlrecipe.recipe.own import is_module
from mlrecipe.recipe.resolved import recipe_hash, resolved, to_toml
from mlrecipe.recipe.schema import Component
from mlrecipe.registry import Kind, registries
from mlrecipe.runs import manifest
from mlrecipe.runs.run import Run, free_name
from mlrecipe.store.records import Record, to_bytes
from mlrecipe.store.store import Store
from mlrecipe.training import findings, repeats
from mlrecipe.training.devices.job import Order
from mlrecipe.training.fit import FitReport, fit
from mlrecipe.training.preparing import keyed, require_split
from mlrecipe.training.sets import test_sets
from mlrecipe.training.settling import of_head
from mlrecipe.training.test import TestReport
from mlrecipe.training.test import test as run_test


def learning(
    request: Request, records: Mapping[str, Record], store: Store
) -> Callable[..., FitReport]:
    """What trains, given seed, folder, state and stop."""
    recipe = request.loaded.recipe
    name = recipe.train.data
    data = stages.pick(store.load(_record(records, name)), name) if name else None
    if is_module(request.loaded.values, request.catalog):
        from mlrecipe.training.own import stages as own

        make = partial(own.make, request, data)
        return partial(own.fit, make=make, spec=recipe.train, components=_component)
    assert recipe.task is not None and recipe.model is not None  # noqa: PT018 (the caller checked)
    assert data is not None
    task = stages.make(request, "task", recipe.task)
    model = stages.make(request, "model", recipe.model)
    seed = recipe.seed if recipe.train.seed is None else recipe.train.seed
    data = repeats.part(task, recipe.train, data, seed=seed)
    derive = Deriver(request, _record(records, name), store, source=name)
    return partial(
        fit, task=task, model=model, spec=recipe.train, data=data, components=_component,
        derive=derive,  # it goes by the content of the rows: a fold has values of its own
        told=_told(request, records, store), evaluator=judge(request),
        keep_validations=recipe.evaluate.keep_validations, columns=recipe.test.keep,
    )  # fmt: skip


def _told(request: Request, records: Mapping[str, Record], store: Store) -> set[str]:
    """The splits of which a node of the recipe has said that they have rows in common with the train split."""
    train, graph = request.loaded.recipe.train, request.graph
    used = graph.upto([train.data.partition(".")[0]]).nodes
    found: set[str] = set()
    for name, record in records.items():
        if record.op == "statistics" and any(i.node in used for i in graph.nodes[name].inputs):
            found |= findings.told_by(store.load(record), train.train_split)
    return found


def judging(
    request: Request, records: Mapping[str, Record], store: Store
) -> Callable[..., TestReport]:
    """What tests, given checkpoint and folder."""
    recipe = request.loaded.recipe
    name = recipe.test.data or recipe.train.data
    data = stages.pick(store.load(_record(records, name)), name) if name else None
    spec, trainer = recipe.test, recipe.train.trainer
    if is_module(request.loaded.values, request.catalog):
        from mlrecipe.training.own import stages as own

        return partial(own.test, make=partial(own.make, request, data), spec=spec, trainer=trainer)
    assert recipe.task is not None and recipe.model is not None  # noqa: PT018 (the caller checked)
    assert data is not None
    task = stages.make(request, "task", recipe.task)
    model = stages.make(request, "model", recipe.model)
    derive = Deriver(request, _record(records, name), store, source=name)
    return partial(
        run_test, task=task, model=model, spec=spec, data=data, trainer=trainer,
        derive=derive if recipe.train.cache_frozen else None,
    )  # fmt: skip


def check_tested(request: Request, records: Mapping[str, Record], store: Store) -> None:
    """Raise where the splits to test on lack labels that training gives, before it has taken its time.

    Only built-in tasks are asked: how long the user's own take over their rows is not known.

    Raises:
        RecipeError: a split is missing, or has a label in some rows only, or one that is not to be learned.
    """
    recipe = request.loaded.recipe
    found = request.catalog.find("task", recipe.task.use) if recipe.task is not None else None
    if found is None or found.plugin or is_module(request.loaded.values, request.catalog):
        return
    assert recipe.task is not None
    task = stages.make(request, "task", recipe.task)
    name, tested = recipe.train.data, recipe.test.data or recipe.train.data
    data = stages.pick(store.load(_record(records, name)), name)
    split = recipe.train.train_split
    try:
        with events.listening(lambda event: None):  # training says it
            head = task.head({split: require_split(data, split, key="train.train_split")})
    except DataError:
        return  # so does it this
    if tested != name:
        data = stages.pick(store.load(_record(records, tested)), tested)
    try:
        with keyed("task", data="test.data"):
            test_sets(of_head(task, head), recipe.test.split, data, head)
    except DataError as error:
        raise stages.placed(error, request) from error


def order_of(
    stage: str, run: Run, request: Request, records: Mapping[str, Record], **options: Any
) -> Order:
    """What the job's other processes need to do the same."""
    recipe = request.loaded.recipe
    used = (recipe.train.data, recipe.test.data)
    nodes = {name.partition(".")[0] for name in used} & records.keys()
    texts = {name: to_bytes(records[name]).decode() for name in nodes}
    return Order(stage=stage, folder=str(run.folder), recipe=request.name, records=texts,
                 options=options)  # fmt: skip


def called(request: Request, parent: Run | None = None) -> dict[str, Any]:
    """How a run is called, and its tags; a test of `parent` begins with its name where that is fixed."""
    recipe = request.loaded.recipe
    said: dict[str, Any] = {"tags": list(recipe.run.tags)} if recipe.run.tags else {}
    if parent is None:
        return {**said, "fixed": recipe.run.name}
    suffix = recipe.test.suffix
    if recipe.run.name:
        whole = "-".join(part for part in (parent.id, "test", suffix) if part)
        return {**said, "fixed": free_name(request.loaded.project, whole)}
    return {**said, "suffix": suffix}


@contextmanager
def blaming(what: str, request: Request) -> Iterator[None]:
    """Say where an error of other code came from: a user's component, Lightning, a library."""
    try:
        yield
    except MlrecipeError:
        raise
    except (Exception, SystemExit) as error:  # a component does not decide how the command ends
        cause = blame.cause_of(error, request.loaded.project)
        raise TrainingError(f"{what} failed at {cause}", hint=blame.HINT) from error


def describe(
    run: Run, request: Request, records: Mapping[str, Record], used: list[str],
    memo: Memo | None = None,
) -> None:  # fmt: skip
    """Write into the run's folder what it was made from: recipe, origins, inputs, code, environment."""
    values = resolved(request.loaded, request.catalog, elsewhere=True)
    nodes = [name.partition(".")[0] for name in used if name]
    needed = request.graph.upto(nodes).nodes if nodes else {}
    inputs = {
        name: {"fingerprint": records[name].fingerprint, "digest": records[name].digest,
               "op": records[name].op, "files": records[name].parts.get("files", {}),
               "code": records[name].parts.get("code"),
               "columns": records[name].summary.get("schema", {})}
        for name in needed
    }  # fmt: skip
    manifest.describe(
        run, project=request.loaded.project, recipe=to_toml(values), origins=origins(request.tree),
        overrides=request.loaded.overrides.typed, inputs=inputs,
        recipe_hash=recipe_hash(request.loaded, request.catalog), lock=_lock(request),
    )  # fmt: skip
    manifest.describe_code(
        run, project=request.loaded.project, components=present.components(request, memo),
        sources=present.sources(request, memo),
    )  # fmt: skip


def _lock(request: Request) -> str:
    """The lock file of the resolved recipe: what of the hub this run used."""
    used = {pins.asked(external) for _, external in request.on_hub()}
    found = [pin for asked, pin in request.pins.items() if asked in used]
    return lockfile.text(found, recipe=manifest.RECIPE) if found else ""


def _record(records: Mapping[str, Record], data: str) -> Record:
    return records[data.partition(".")[0]]


def _component(kind: Kind, component: Component) -> Any:
    return registries[kind].get(component.use)
