"""``tidemill report``: the report of any recorded run, made again."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import pytest
from click.testing import CliRunner

from tidemill.cli.main import cli
from tidemill.storage.layout import SinkLayout
from tidemill.storage.record import history

from ..support.daily import DAYS, run, source, table
from ..support.html_pages import check_page
from ..support.series import extract, wide, write

__all__ = ["source", "table"]


def report(*arguments):
    return CliRunner().invoke(cli, ["report", *map(str, arguments)])


@pytest.fixture
def opened(monkeypatch) -> list[str]:
    """Addresses that the browser was told."""
    told: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: not told.append(address))
    return told


@pytest.fixture
def published(source, table) -> Path:
    for day in DAYS:
        run(source, table, day)
    return table


def test_the_newest_run_or_one_of_an_id(published, opened):
    newest, _, oldest = history(SinkLayout.of(published))
    folder = published / "_tidemill" / "reports"
    assert report(published).output == f"{folder / newest.run_id}.html\n"
    shown = report(published, "--run", oldest.run_id, "--open")
    assert shown.output == f"{folder / oldest.run_id}.html\n"
    assert opened == [(folder / f"{oldest.run_id}.html").as_uri()]
    for record in (newest, oldest):
        page = (folder / f"{record.run_id}.html").read_text()
        assert record.interval_label in check_page(page).one("header").text
    assert f'href="{newest.run_id}.html"' in page  # made before, and now linked


def test_a_run_that_is_not_known_is_refused_with_those_that_are(published):
    shown = report(published, "--run", "20300101T000000-x")
    assert shown.exit_code == 1
    assert "has no record" in str(shown.exception)
    assert history(SinkLayout.of(published), 1)[0].run_id in str(shown.exception)


def test_a_place_without_runs_is_refused(tmp_path):
    shown = report(tmp_path / "nothing")
    assert shown.exit_code == 1
    assert "has no run record" in str(shown.exception)
    assert list(tmp_path.iterdir()) == []


def test_without_a_browser_the_file_is_named(published, monkeypatch):
    monkeypatch.setattr(webbrowser, "open", lambda _: False)
    shown = report(published, "--open")
    assert shown.exit_code == 1
    assert "no browser was found here; open " in shown.output


def test_a_report_on_s3_is_shown_from_a_copy(tmp_path, s3, opened):
    url, options, _ = s3
    path = write(wide(), tmp_path / "in.parquet")
    summary = extract(path, f"{url}/matrix", storage_options=options)
    pairs = [f"--storage-option={key}={name}" for key, name in options.items()]
    shown = report(f"{url}/matrix", "--open", *pairs)
    assert shown.output == f"{url}/matrix/_tidemill/reports/{summary.run_id}.html\n"
    (address,) = opened
    page = Path(address.removeprefix("file://")).read_text()
    assert check_page(page).one("h1").text == summary.verdict
