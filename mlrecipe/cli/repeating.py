"""Repeating: a group of trainings of one recipe, which is a run of its own, and what they come to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from mlrecipe import events
from mlrecipe.cli import render, works
from mlrecipe.cli.session import Session, Settings
from mlrecipe.errors import MlrecipeError, Terminated
from mlrecipe.pipeline import stages
from mlrecipe.pipeline.request import Request
from mlrecipe.recipe.schema import Overrides
from mlrecipe.runs import run as running
from mlrecipe.runs.run import Run
from mlrecipe.store.records import Record

STAGE = "repeat"

Fit = Callable[[Request, Mapping[str, Any]], Run]
"""Trains a request; its run says these facts too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One training of a group."""

    name: str
    """`seed-3`, `fold-2` or `seed-3-fold-2`."""

    seed: int
    fold: int | None
    request: Request
    run: Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Trainings of one recipe that differ in seed or fold, all finished."""

    run: Run
    members: Sequence[Member]


def is_repeated(request: Request) -> bool:
    """Whether the recipe asks for more than one training."""
    train = request.loaded.recipe.train
    return train.repeat > 1 or (train.folds is not None and train.fold is None)


def train(
    session: Session, request: Request, records: Mapping[str, Record], overrides: Overrides,
    settings: Settings, *, fit: Fit, uses_finished: bool,
) -> Group:  # fmt: skip
    """Train every member that has not been; an unfinished group of an equal recipe goes on.

    With `uses_finished` a finished group is taken as it is.

    Raises:
        MlrecipeError: a training failed; those that were finished stay.
    """
    names, recipe = _names(request), request.loaded.recipe
    group, is_new = _group(session, request, records, uses_finished=uses_finished)
    done = _finished(session, group)
    if group.facts["status"] == "finished" and all(name in done for name, *_ in names):
        _say(settings, f"train: group {group.id} is equal and finished; used again")
        return _complete(session, group, names, overrides, done)
    if done:
        _say(settings, f"train: group {group.id} goes on; {len(done)} of {len(names)} are finished")
    if not is_new:
        group = group.take_up(step=len(done))
    with _ending(group, settings):
        if is_new:
            _describe(request, records, group)
        for number, (name, seed, fold) in enumerate(names, start=1):
            member = _request(session, overrides, request, name, seed, fold)
            if name not in done:
                facts = {"group": group.id, "member": name, "suffix": name}
                done[name] = fit(member, facts)
                if settings.is_verbose or works.is_shown(number, len(names)):
                    what = _outcome(done[name], recipe.train.monitor)
                    _say(settings, f"{name.replace('-', ' ')}, {number} of {len(names)}: {what}")
            if fold is not None:
                _predict(session, member, records, done[name])
        made = _complete(session, group, names, overrides, done)
        _conclude(made)
    return replace(made, run=group.finish("finished", runs=[m.run.id for m in made.members]))


def left_out(request: Request) -> str:
    """What a trial leaves out of a group's recipe; empty where it asks for one training alone."""
    if not is_repeated(request):
        return ""
    train = request.loaded.recipe.train
    said = [f"train.{key} = {getattr(train, key)}" for key in ("repeat", "folds")
            if getattr(train, key) not in (None, 1)]  # fmt: skip
    return f"{' and '.join(said)}: one training is tried, of {len(_names(request))}"


def _outcome(run: Run, monitor: str) -> str:
    """A member's line: the metric that is monitored, and how training ended."""
    from mlrecipe.training import repeats

    value = repeats.read_metrics(run).get(monitor)
    metric = [] if value is None else [f"{monitor} {value:.4f}"]
    seconds = render.duration(run.facts["seconds"])
    return ", ".join([*metric, f"{run.facts['stopped']} in {seconds}"])


def _describe(request: Request, records: Mapping[str, Record], group: Run) -> None:
    from mlrecipe.training import conduct

    conduct.describe(group, request, records, [request.loaded.recipe.train.data])


def _names(request: Request) -> list[tuple[str, int, int | None]]:
    """Name, seed and fold of each member."""
    recipe = request.loaded.recipe
    spec = recipe.train
    first = recipe.seed if spec.seed is None else spec.seed
    folds: list[int | None] = [spec.fold]
    if spec.folds is not None and spec.fold is None:
        folds = list(range(1, spec.folds + 1))
    found = []
    for seed in range(first, first + spec.repeat):
        for fold in folds:
            parts = [f"seed-{seed}"] if spec.repeat > 1 else []
            parts += [f"fold-{fold}"] if len(folds) > 1 else []
            found.append(("-".join(parts), seed, fold))
    return found


def _group(
    session: Session, request: Request, records: Mapping[str, Record], *, uses_finished: bool
) -> tuple[Run, bool]:
    """The group's run: one that is not complete, or a new one; and whether it is."""
    print_ = stages.train_fingerprint(request, records, session.store.memo)
    recipe = request.loaded.recipe
    for run in running.every(session.project):
        facts = run.facts
        if (facts.get("stage"), facts.get("recipe"), facts.get("fingerprint")) != (
            STAGE, request.name, print_,
        ):  # fmt: skip
            continue
        if run.status != "finished" or uses_finished:
            return run, False
        break
    made = running.create(
        session.project, name=recipe.name, stage=STAGE, recipe=request.name, fingerprint=print_,
        fixed=recipe.run.name, tags=list(recipe.run.tags),
    )  # fmt: skip
    return made, True


def _request(
    session: Session, overrides: Overrides, request: Request, name: str, seed: int, fold: int | None
) -> Request:
    """The recipe of a member: a recipe of its own, which alone gives the same."""
    sets = ["train.repeat=1", f"train.seed={seed}"]
    if fold is not None:
        sets.append(f"train.fold={fold}")
    if request.loaded.recipe.run.name:
        sets.append(f"run.name={request.loaded.recipe.run.name}-{name}")
    changed = replace(overrides, sets=(*overrides.sets, *sets))
    return session.open(changed, settings=Settings(is_quiet=True))


def _finished(session: Session, group: Run) -> dict[str, Run]:
    """The group's finished trainings by their names."""
    return {
        str(run.facts["member"]): run
        for run in running.every(session.project)
        if run.facts.get("group") == group.id and run.status == "finished"
    }


def _complete(
    session: Session, group: Run, names: Sequence[tuple[str, int, int | None]],
    overrides: Overrides, done: Mapping[str, Run],
) -> Group:  # fmt: skip
    request = session.open(overrides, settings=Settings(is_quiet=True))
    members = [
        Member(name=name, seed=seed, fold=fold, run=done[name],
               request=_request(session, overrides, request, name, seed, fold))
        for name, seed, fold in names
    ]  # fmt: skip
    return Group(run=group, members=members)


def _predict(session: Session, request: Request, records: Mapping[str, Record], run: Run) -> None:
    """Keep what a fold's model says of the rows that were left out, unless that is there."""
    from mlrecipe.training import repeats

    if not (run.folder / repeats.PREDICTIONS).is_file():
        session.load_plugins(request)
        with events.listening(lambda event: None):
            repeats.predict_left_out(request, records, session.store, run)


def _conclude(group: Group) -> None:
    """Write what the members come to into the group's run."""
    from mlrecipe.training import repeats

    found = repeats.summary([repeats.read_metrics(member.run) for member in group.members])
    group.run.write("metrics.json", {name: value["mean"] for name, value in found.items()})
    seeds = sorted({member.seed for member in group.members})
    for seed in seeds:
        runs = [m.run for m in group.members if m.seed == seed and m.fold is not None]
        if runs:
            name = "predictions.arrow" if len(seeds) == 1 else f"predictions-seed-{seed}.arrow"
            repeats.gather(runs, group.run.folder / name)
    group.run.write("repeat.json", {
        "metrics": found,
        "runs": [{"run": m.run.id, "seed": m.seed, "fold": m.fold} for m in group.members],
    })  # fmt: skip


@contextmanager
def _ending(group: Run, settings: Settings) -> Iterator[None]:
    """Note how the group ended; the same command goes on with what is missing."""
    try:
        yield
    except (KeyboardInterrupt, Terminated):
        group.finish("interrupted")
        _say(settings, f"train: group {group.id} is not complete: the same command goes on with it")
        raise
    except MlrecipeError as error:
        group.finish("failed", cause=str(error))
        raise


def _say(settings: Settings, text: str) -> None:
    if not settings.is_quiet:
        render.say(text)
