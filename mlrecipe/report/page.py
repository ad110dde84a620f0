"""The page of a report: its sections in their order, with an index."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlrecipe.pages import charts, html
from mlrecipe.pages.html import Markup
from mlrecipe.report import verdict
from mlrecipe.report.sections import (
    classes,
    comparison,
    data,
    metrics,
    mistakes,
    nodes,
    origin,
    overview,
    tags,
    training,
)
from mlrecipe.report.sections.part import Section, anchor


def of_one(found: Mapping[str, Any]) -> str:
    """The page of a training and its test."""
    about = found["about"]
    sections = [section for section in _sections(found) if section.parts]
    top = [overview.lead(about), *overview.parts(about, verdict.of_one(found))]
    return _page(str(about["name"]), top, sections)


def of_several(found: Mapping[str, Any]) -> str:
    """The page of several runs side by side."""
    names = found["names"]
    sections = [
        _section("runs", "Runs", comparison.runs(found)),
        *(
            _section(anchor("split", each["split"]), f"On {each['split']}", comparison.parts(each))
            for each in found["splits"]
        ),
        _section("differs", "What differs", comparison.differing(found)),
        _section("learning", "Learning curves", training.overlaid(names, found["trainings"])),
    ]  # fmt: skip
    recipes = list(dict.fromkeys(about["name"] for about in found["runs"]))
    lead = html.paragraph(f"{len(names)} runs of {', '.join(recipes)}", kind="lead")
    said = comparison.verdicts(found)
    top = [lead, *(html.paragraph(text, kind="verdict") for text in said)]
    if not said:
        top.append(html.paragraph("These runs cannot be compared row by row.", kind="verdict"))
    return _page(f"{' · '.join(names)}: {', '.join(recipes)}", top, sections)


def _sections(found: Mapping[str, Any]) -> Iterator[Section]:
    splits = found["splits"]
    if not splits:
        yield _section("metrics", "Metrics", _without_predictions(found))
    for split in splits:
        yield from _of_split(split, is_alone=len(splits) == 1)
    yield _section("learning", "Learning curves", training.parts(found["training"]))
    yield _section("data", "Data", data.parts(found["data"]))
    yield _section("nodes", "Evaluation nodes", nodes.parts(found["nodes"]))
    told = found["origin"]
    yield _section("recipe", "Recipe", origin.recipe(told))
    yield _section("environment", "Environment", origin.environment(told))
    inputs = [*origin.inputs(told), *origin.files(told)]
    yield _section("inputs", "Inputs and files", iter(inputs))


def _of_split(split: Mapping[str, Any], *, is_alone: bool) -> Iterator[Section]:
    """Metrics, labels or numbers, slices and mistakes of a split."""
    name = str(split["split"])
    place, of = ("", "") if is_alone else (name, f" of {name}")
    account: Mapping[str, Any] = split["account"]
    yield _section(anchor("metrics", place), f"Metrics{of}", metrics.parts(split))
    if account.get("kind") == "regression":
        yield _section(anchor("numbers", place), f"Numbers{of}", _numbers(split))
    elif account:
        tagged = tags.accounts(account)
        for output, one in tagged.items():
            yield _section(anchor("spans", output, place), f"Spans{of}", tags.spans(one))
        yield _section(anchor("labels", place), f"Labels{of}", classes.parts(account))
        yield _section(
            anchor("calibration", place), f"Calibration{of}", classes.calibration(account)
        )
    if not split["labelled"]:
        return
    yield _section(anchor("slices", place), f"Slices{of}", metrics.slices(split))
    yield _section(anchor("mistakes", place), f"Mistakes{of}", _mistakes(split))


def _mistakes(split: Mapping[str, Any]) -> Iterator[Markup]:
    tagged = tags.accounts(split["account"])
    for one in tagged.values():
        yield from tags.worst(one)
    if split["kind"] != "token_classification":
        yield from mistakes.parts(split["mistakes"])


def _numbers(split: Mapping[str, Any]) -> Iterator[Markup]:
    """Predicted numbers against the labels, and by how much they miss."""
    points = split["points"]
    if not points:
        yield html.paragraph("No row has a label and a finite prediction.")
        return
    misses = [(label, given - label) for label, given in points]
    yield html.plots(
        [
            charts.scatter("predictions over labels", points, across="label", up="prediction"),
            charts.scatter(
                "errors over labels", misses, across="label", up="prediction less label",
                has_diagonal=False,
            ),
        ]
    )  # fmt: skip
    if len(points) < split["labelled"]:
        yield html.paragraph(
            f"{len(points):,} of {split['labelled']:,} rows are drawn, at equal distances.",
            kind="faint",
        )


def _without_predictions(found: Mapping[str, Any]) -> Iterator[Markup]:
    yield html.paragraph(
        "There are no predictions: intervals, tables of labels and mistakes need those of a test "
        "(`mlrecipe test`)."
    )
    rows = [(name, f"{value:.4f}") for name, value in found["measured"].items()]
    if rows:
        yield html.table(("measured by the run itself", "value"), rows, are_numbers=True)


def _section(place: str, title: str, parts: Iterator[Markup]) -> Section:
    """A section; where files were written by another version, or by hand, it says so and the others stand."""
    try:
        made = list(parts)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        what = f"{type(error).__name__}: {error}"
        made = [html.warning(f"the files that this part is made of have another layout ({what})")]
    return Section(anchor=place, title=title, parts=made)


def _page(title: str, top: list[Markup], sections: list[Section]) -> str:
    index = html.index((section.anchor, section.title) for section in sections)
    return html.page(title, [*top, index, *(section.markup() for section in sections)])
