"""Reports in a real browser: run by `make test-real`, skipped, with the reason, where there is none."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.projects import Done, Work
from tests.report import left
from tests.report.conftest import cli, runs, work
from tests.tools import browser

__all__ = ["cli", "runs", "work"]

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

Cli = Callable[..., Done]


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    """A Chromium."""
    try:
        browser.chromium()
    except browser.NoBrowser as error:
        pytest.skip(f"no browser: {error}")


def pages(folder: Path, cli: Cli) -> list[Path]:
    """The report of one run of each kind, and of two side by side."""
    tables = {"a": left.one_label(300), "b": left.numbers(), "c": left.several_labels()}
    for name, table in tables.items():
        left.leave_test(folder, f"s-000{name}", table)
    table, words = left.tags()
    left.leave_test(folder, "s-000d", table, words=words)
    left.leave_test(folder, "s-000e", left.one_label(300, noise=5))
    for name in ("000a", "000b", "000c", "000d"):
        assert cli("report", name).code == 0
    assert cli("report", "000a", "000e").code == 0
    return sorted((folder / "runs").rglob("*.html"))


def test_training_45_a_real_browser_opens_the_report_without_a_complaint(runs: Path, cli: Cli):
    """Nothing on its console, every section there, drawings too."""
    found = pages(runs, cli)

    assert len(found) == 5
    for path in found:
        seen = browser.opened(path)
        assert seen.console == [], path
        text = re.sub(r"<[^>]+>", " ", seen.content)
        for word in ("Metrics", "metric") if "report-" not in path.name else ("What differs",):
            assert word in text, path
        assert seen.content.count("<svg") > 2


def test_a_report_fits_a_telephone(runs: Path, cli: Cli):
    """At 360 pixels only tables scroll, each in itself."""
    found = browser.widths(pages(runs, cli), width=360)

    assert len(found) == 5
    assert max(found) <= 360


def test_a_report_can_be_photographed(runs: Path, work: Work, cli: Cli, tmp_path: Path):
    """As the pictures of the documentation are."""
    cli("report", "s-0002")

    browser.picture(
        runs / "runs" / "s-0002" / "report.html", tmp_path / "x.png", width=800, height=600
    )

    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
