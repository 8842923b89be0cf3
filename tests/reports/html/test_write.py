"""Reports lie beside the table and lead to one another; none of them fails a run."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import tidemill
from tidemill.errors import CheckError
from tidemill.execution import in_process
from tidemill.execution.in_process import extract_here
from tidemill.planning.request import make_request
from tidemill.reports.html import write
from tidemill.reports.html.write import RunReports, make_report
from tidemill.storage.layout import SinkLayout
from tidemill.storage.record import RunRecord, history
from tidemill.storage.reports import read_report, reported_runs

from ...support.daily import DAYS, request, rows, source, table
from ...support.html_pages import check_page
from ...support.series import ROLES, wide
from ...support.series import write as write_input

__all__ = ["source", "table"]


def links(layout: SinkLayout, run_id: str) -> dict[str, str]:
    """Where a report leads: relation to address."""
    (nav,) = check_page(read_report(layout, run_id)).all("nav")
    return {one.attributes["rel"]: one.attributes["href"] for one in nav.all("a")}


def headline(layout: SinkLayout, run_id: str) -> str:
    return check_page(read_report(layout, run_id)).one("h1").text


@pytest.fixture
def about(tmp_path):
    """A request whose job takes no time."""
    path = write_input(wide(), tmp_path / "in.parquet")
    return make_request(path, tmp_path / "matrix", settings="minimal", **ROLES)


@pytest.mark.parametrize("order", ["abc", "cba", "bca"])
def test_reports_lead_to_their_neighbours_in_whatever_order_they_are_made(tmp_path, order):
    layout = SinkLayout.of(tmp_path / "table")
    for run_id in order:
        make_report(layout, RunRecord(run_id, "2030-01-01T00:00:00+00:00"))
    assert links(layout, "a") == {"next": "b.html"}
    assert links(layout, "b") == {"prev": "a.html", "next": "c.html"}
    assert links(layout, "c") == {"prev": "b.html"}


def test_a_report_that_is_made_again_is_the_same(weeks_layout, newest):
    make_report(weeks_layout, newest)
    first = read_report(weeks_layout, newest.run_id)
    make_report(weeks_layout, newest)
    assert read_report(weeks_layout, newest.run_id) == first


@pytest.mark.parametrize("name", ["matrix", "matrix.parquet", "matrix.csv"])
def test_a_run_has_a_report_at_its_end(tmp_path, name):
    path = write_input(wide(), tmp_path / "in.parquet")
    about = make_request(path, tmp_path / name, settings="minimal", **ROLES)
    reports = RunReports()
    summary = extract_here(about, on_end=reports)
    assert reports.written.keys() == {summary.run_id}
    layout = SinkLayout.of(tmp_path / name)
    assert headline(layout, summary.run_id) == summary.verdict
    assert Path(reports.written[summary.run_id]).read_text() == read_report(layout, summary.run_id)
    assert len(tidemill.read_matrix(tmp_path / name)) == 6


def test_a_run_on_s3_has_a_report(tmp_path, s3):
    url, options, _ = s3
    path = write_input(wide(), tmp_path / "in.parquet")
    about = make_request(
        path, f"{url}/matrix", settings="minimal", storage_options=options, **ROLES
    )
    reports = RunReports()
    summary = extract_here(about, on_end=reports)
    address = f"{url}/matrix/_tidemill/reports/{summary.run_id}.html"
    assert reports.written == {summary.run_id: address}


def test_a_failed_run_has_a_report(source, table):
    reports = RunReports()
    for day in DAYS[:2]:
        extract_here(request(source, table, day), on_end=reports)
    rows(DAYS[2], ids=1).to_parquet(source / f"{DAYS[2]}.parquet", index=False)
    with pytest.raises(CheckError):
        extract_here(request(source, table, DAYS[2]), on_end=reports)
    layout = SinkLayout.of(table)
    *_, failed = reports.written
    assert headline(layout, failed).startswith("Failed: CheckError: interval 2026-11-19: the rows")
    assert reported_runs(layout) == reports.written.keys()


def test_a_cancelled_run_has_a_report(about, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(in_process, "reduce", interrupt)
    reports = RunReports()
    with pytest.raises(KeyboardInterrupt):
        extract_here(about, on_end=reports)
    (run_id,) = reports.written
    assert headline(SinkLayout.of(about.sink), run_id).startswith("Cancelled")


def test_a_report_that_cannot_be_written_fails_no_run(about, caplog):
    state = Path(about.sink) / "_tidemill"
    state.mkdir(parents=True)
    (state / "reports").write_text("in the way")
    reports = RunReports()
    summary = extract_here(about, on_end=reports)
    assert reports.written == {}
    assert f"the report of run {summary.run_id} was not written: " in caplog.text
    assert len(tidemill.read_matrix(about.sink)) == 6


def test_a_fault_in_a_report_fails_no_run(about, caplog, monkeypatch):
    monkeypatch.setattr(write, "page", lambda _: 1 / 0)
    summary = extract_here(about, on_end=RunReports())
    assert summary.rows == 6
    assert "ZeroDivisionError" in caplog.text


def test_the_error_of_a_run_is_not_hidden_by_its_report(about, monkeypatch):
    monkeypatch.setattr(write, "page", lambda _: 1 / 0)
    monkeypatch.setattr(in_process, "reduce", lambda *_: int("x"))
    with pytest.raises(ValueError, match="invalid literal"):
        extract_here(about, on_end=RunReports())


def test_of_many_runs_the_notable_ones_and_the_last_have_a_report(source, table):
    frame = rows(DAYS[0])
    frame.loc[3, "x"] = float("nan")
    frame.to_parquet(source / f"{DAYS[0]}.parquet", index=False)
    with RunReports(only_notable=True) as reports:
        for day in DAYS:
            extract_here(request(source, table, day, on_nan="quarantine"), on_end=reports)
        assert len(reports.written) == 1
    last, _, first = (record.run_id for record in history(SinkLayout.of(table)))
    assert list(reports.written) == [first, last]
    assert headline(SinkLayout.of(table), first).startswith("Completed, 1 warning: 1 of 5 series")


def test_a_run_without_a_record_has_no_report(about, monkeypatch):
    monkeypatch.setattr(write, "records_of_runs", lambda *_: {})
    reports = RunReports()
    extract_here(about, on_end=reports)
    assert reports.written == {}


def test_a_neighbour_that_is_deleted_meanwhile_is_no_fault(tmp_path, monkeypatch):
    layout = SinkLayout.of(tmp_path / "table")
    monkeypatch.setattr(write, "reported_runs", lambda _: frozenset({"a"}))
    make_report(layout, RunRecord("b", "2030-01-01T00:00:00+00:00"))
    assert reported_runs(layout) == {"b"}


def test_a_table_with_composite_ids(tmp_path):
    frame = wide().assign(plant="north")
    path = write_input(frame, tmp_path / "in.parquet")
    roles = {"column_id": ["plant", "id"], "column_sort": "time"}
    about = make_request(path, tmp_path / "matrix", settings="minimal", **roles)
    reports = RunReports()
    summary = extract_here(about, on_end=reports)
    assert isinstance(tidemill.read_matrix(tmp_path / "matrix").index, pd.MultiIndex)
    check_page(read_report(SinkLayout.of(tmp_path / "matrix"), summary.run_id))
