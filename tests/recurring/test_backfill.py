"""A backfill without Prefect: which intervals, in which order, and what became of each."""

from __future__ import annotations

import json
from concurrent.futures import CancelledError
from datetime import datetime

import pytest

from tidemill.errors import ClusterError, DataError, SettingsError
from tidemill.model.progress import Board
from tidemill.planning.doors import BACKFILL
from tidemill.planning.request import make_request
from tidemill.recurring.backfill import BackfillRun, chosen_intervals
from tidemill.recurring.calendars import Calendar, calendar_of

from ..support.daily import DAYS, NAMES, known
from ..support.runners import FakeRunner, RealRunner

NOW = datetime.fromisoformat("2026-12-01T00:00Z")


@pytest.fixture
def run_of(source, table):
    """A backfill of the three days."""

    def make(runner, now=NOW, **options):
        given = BACKFILL.complete(
            {
                "source": str(source), "sink": str(table), "column_id": "id",
                "column_time": "time", "settings": "minimal", "start": DAYS[0],
                "end": "2026-11-20", "retries": 2, "retry_delay_seconds": 0.0, **options,
            }
        )  # fmt: skip
        calendar = calendar_of(given)
        named = {name: value for name, value in given.items() if name not in {"source", "sink"}}
        request = make_request(source, table, door=BACKFILL, **named)
        chosen = chosen_intervals(calendar, given, now)
        return BackfillRun(request, calendar, chosen, runner.open, Board(), given)

    return make


def results(report):
    return {row.interval: row.result for row in report.intervals}


@pytest.mark.parametrize("order", ["oldest first", "newest first"])
def test_intervals_are_chosen_in_the_order_asked_for(order):
    given = {"start": DAYS[0], "end": "2026-11-20", "order": order}
    chosen = chosen_intervals(Calendar("1d"), given, NOW)
    wanted = NAMES if order == "oldest first" else NAMES[::-1]
    assert tuple(one.name for one in chosen) == wanted


def test_intervals_that_are_not_closed_are_left_out():
    now = datetime.fromisoformat("2026-11-20T01:59Z")
    calendar = Calendar("1d", lag="2h")
    given = {"start": DAYS[0], "end": "2026-11-25", "order": "newest first"}
    chosen = chosen_intervals(calendar, given, now)
    assert [one.name for one in chosen] == [NAMES[1], NAMES[0]]


@pytest.mark.parametrize("order", ["oldest first", "newest first"])
@pytest.mark.parametrize("concurrency", [1, 2])
def test_all_are_calculated_by_one_runner_and_reported_in_order(order, concurrency, run_of):
    runner = FakeRunner()
    run = run_of(runner, order=order, concurrency=concurrency)
    report = run.carry_out()
    wanted = list(NAMES if order == "oldest first" else NAMES[::-1])
    assert (runner.opened, runner.is_open) == (1, False)
    assert sorted(runner.names) == sorted(wanted)
    if concurrency == 1:
        assert runner.names == wanted
    assert results(report) == dict.fromkeys(wanted, "published")
    assert [row.interval for row in report.intervals] == wanted
    assert [row.digest for row in report.intervals] == [f"digest of {name}" for name in wanted]
    assert run.board.share == 1.0


def test_a_dry_run_reports_what_is_due_and_does_nothing(run_of, table):
    runner = FakeRunner()
    report = run_of(runner, dry_run=True).carry_out()
    assert (runner.opened, report.dry_run, report.failed) == (0, True, [])
    assert results(report) == dict.fromkeys(NAMES, "due")
    assert not table.exists()


def test_what_is_published_is_skipped_and_opens_no_runner(run_of, table):
    first = run_of(RealRunner()).carry_out()
    assert [row.rows for row in first.intervals] == [5, 5, 5]
    runner = FakeRunner()
    report = run_of(runner).carry_out()
    assert (runner.opened, results(report)) == (0, dict.fromkeys(NAMES, "skipped"))
    recalculated = run_of(runner, recalculate=True).carry_out()
    assert results(recalculated) == dict.fromkeys(NAMES, "published")
    wanted = {name: record.run_id for name, record in known(table).items()}
    assert {one.interval.name: one.recalculates for one in runner.requests} == wanted


@pytest.mark.parametrize(
    ("error", "attempts"),
    [(ConnectionError("reset"), 3), (ClusterError("none"), 3), (DataError("NaN"), 1)],
)
def test_only_transient_errors_are_retried_each_interval_for_itself(error, attempts, run_of):
    runner = FakeRunner({NAMES[1]: [error] * 9})
    run = run_of(runner)
    report = run.carry_out()
    assert runner.names.count(NAMES[1]) == attempts
    assert results(report) == {NAMES[0]: "published", NAMES[1]: "failed", NAMES[2]: "published"}
    (failed,) = report.failed
    assert failed.reason == f"{type(error).__name__}: {error}"
    assert (failed.rows, failed.digest) == (None, None)
    assert [runner.names.count(name) for name in (NAMES[0], NAMES[2])] == [1, 1]
    assert run.board.share == 1.0  # there is nothing left to do about the one that failed


def test_a_retry_that_succeeds_is_published(run_of):
    runner = FakeRunner({NAMES[0]: [ConnectionError("reset"), None]})
    report = run_of(runner, concurrency=1).carry_out()
    assert runner.names == [NAMES[0], *NAMES]
    assert report.failed == []


def test_an_interrupt_ends_the_backfill(run_of):
    runner = FakeRunner({NAMES[0]: [KeyboardInterrupt()]})
    with pytest.raises(KeyboardInterrupt):
        run_of(runner, concurrency=1).carry_out()
    assert runner.names == [NAMES[0]]


def test_a_cancelled_future_of_another_kind_is_a_failure_like_any_other(run_of):
    runner = FakeRunner({NAMES[0]: [CancelledError("a lost Dask future")]})
    report = run_of(runner).carry_out()
    assert results(report)[NAMES[0]] == "failed"


def test_other_settings_are_refused_as_a_whole_or_for_each_interval(run_of, source):
    run_of(RealRunner()).carry_out()
    runner = FakeRunner()
    with pytest.raises(SettingsError, match="features left out"):
        run_of(runner, settings={"mean": None}).carry_out()
    assert runner.opened == 0
    changed = run_of(runner, settings={"mean": None}, on_settings_change="recalculate").carry_out()
    assert results(changed) == dict.fromkeys(NAMES, "published")


def test_the_report_is_json_with_rows_and_digests_only_where_there_are_any(run_of):
    report = run_of(FakeRunner({NAMES[0]: [DataError("NaN")]})).carry_out().to_json()
    assert json.loads(json.dumps(report)) == report
    assert list(report) == [
        "verdict", "warnings", "sink", "dry_run", "intervals", "bad_files",
    ]  # fmt: skip
    common = ["interval", "label", "start", "state", "reason", "result"]
    assert list(report["intervals"][0]) == common
    assert list(report["intervals"][1]) == [*common, "rows", "digest"]
