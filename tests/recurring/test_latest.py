"""A recurring run without Prefect: what is due, in which order, how often, and what it reports."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime

import pandas as pd
import pytest

from tidemill.errors import (
    CheckError,
    ClusterError,
    DataError,
    IntervalsError,
    NoRowsError,
    SettingsError,
    UnfitWorkerError,
)
from tidemill.recurring import latest
from tidemill.recurring.calendars import Calendar
from tidemill.recurring.examine import Finding
from tidemill.recurring.latest import own_interval, request_for

from ..support.daily import DAYS, NAMES, known, rows
from ..support.runners import FakeRunner, RealRunner

EMPTY = "2026-11-25"


def states(report):
    return [row.state for row in report.findings]


def test_the_run_is_about_what_was_due():
    calendar = Calendar("1h")
    due = datetime(2026, 11, 20, 5, 30, tzinfo=UTC)
    assert own_interval(calendar, {"interval_start": None}, due).name == "20261120T040000Z"
    given = {"interval_start": "2026-11-19T03:00"}
    assert own_interval(calendar, given, due).name == "20261119T030000Z"


def test_all_that_is_due_is_calculated_by_one_runner_oldest_first(run_of):
    runner = FakeRunner()
    run = run_of(runner)
    report = run.carry_out()
    assert (runner.opened, runner.is_open) == (1, False)
    assert runner.names == list(NAMES)
    assert {request.reason for request in runner.requests} == {"it was not published yet"}
    assert all(request.examined.rows == 120 for request in runner.requests)
    assert [one["interval"] for one in report.summaries] == list(NAMES)
    assert run.board.share == 1.0


def test_nothing_due_opens_no_runner_and_publishes_nothing(run_of, table):
    run_of(RealRunner()).carry_out()
    before = known(table)
    runner = FakeRunner()
    report = run_of(runner).carry_out()
    assert (runner.opened, report.summaries) == (0, [])
    assert states(report) == ["unchanged"] * 3
    assert known(table) == before


def test_only_a_changed_interval_is_calculated_again(run_of, source):
    run_of(RealRunner()).carry_out()
    late = pd.DataFrame({"id": [3], "time": [pd.Timestamp(f"{DAYS[1]} 10:10")], "x": [99.0]})
    late.to_parquet(source / "late.parquet", index=False)
    runner = FakeRunner()
    report = run_of(runner).carry_out()
    assert runner.names == [NAMES[1]]
    assert states(report) == ["unchanged", "changed", "unchanged"]


def test_recalculate_is_about_the_last_interval_only(run_of, table):
    run_of(RealRunner()).carry_out()
    runner = FakeRunner()
    run_of(runner, recalculate=True).carry_out()
    assert runner.names == [NAMES[-1]]
    assert runner.requests[0].recalculates == known(table)[NAMES[-1]].run_id


@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        (ConnectionError("reset by peer"), 3),
        (ClusterError("no worker"), 3),
        (UnfitWorkerError("numpy is 1.26"), 1),
        (DataError("NaN"), 1),
    ],
)
def test_only_transient_errors_are_retried_and_as_often_as_allowed(error, attempts, run_of):
    runner = FakeRunner({NAMES[-1]: [error] * 9})
    with pytest.raises(type(error)) as raised:
        run_of(runner, lookback=0).carry_out()
    assert raised.value is error
    assert runner.names == [NAMES[-1]] * attempts


def test_a_retry_calculates_only_what_is_not_published_yet(run_of):
    runner = RealRunner({NAMES[1]: [ConnectionError("reset by peer")]})
    report = run_of(runner).carry_out()
    assert runner.names == [*NAMES, NAMES[1]]
    assert sorted(one["interval"] for one in report.summaries) == list(NAMES)
    assert states(report) == ["missing"] * 3  # as they were found when they were calculated


def test_one_that_fails_keeps_no_other_from_being_calculated(run_of):
    cause = DataError("NaN")
    runner = FakeRunner({NAMES[0]: [cause]})
    run = run_of(runner)
    with pytest.raises(
        IntervalsError, match=rf"1 of 3 intervals failed, first {DAYS[0]}: DataError: NaN"
    ) as raised:
        run.carry_out()
    assert raised.value.__cause__ is cause
    assert runner.names == list(NAMES)
    assert [one["interval"] for one in run.report().summaries] == list(NAMES[1:])
    assert run.board.share == pytest.approx(2 / 3)


def test_a_transient_error_among_others_repeats_the_run(run_of):
    errors = {NAMES[0]: [DataError("NaN")] * 9, NAMES[1]: [ConnectionError("lost")]}
    runner = FakeRunner(errors)
    with pytest.raises(IntervalsError):
        run_of(runner).carry_out()
    assert (runner.opened, runner.names.count(NAMES[0])) == (2, 2)


def test_an_interrupt_is_not_taken_for_a_failed_interval(run_of):
    runner = FakeRunner({NAMES[0]: [KeyboardInterrupt()]})
    with pytest.raises(KeyboardInterrupt):
        run_of(runner).carry_out()
    assert runner.names == [NAMES[0]]


# Windows without rows


def test_an_empty_window_fails_at_once(run_of):
    runner = FakeRunner()
    with pytest.raises(NoRowsError, match=r"interval 2026-11-25: its window has no row"):
        run_of(runner, EMPTY, on_empty="fail").carry_out()
    assert runner.opened == 0


def test_an_empty_window_is_skipped_and_the_ones_before_are_calculated(run_of):
    runner = FakeRunner()
    report = run_of(runner, "2026-11-20", on_empty="skip").carry_out()
    assert states(report) == ["missing", "missing", "empty"]
    assert runner.names == list(NAMES[1:])


def test_a_run_waits_for_rows_to_come(run_of, source, monkeypatch):
    monkeypatch.setattr(latest, "EMPTY_SECONDS", 0.05)
    hidden, path = source / "later", source / f"{EMPTY}.parquet"
    rows(EMPTY).to_parquet(hidden, index=False)
    arrival = threading.Timer(0.3, lambda: hidden.rename(path))
    arrival.start()
    runner = FakeRunner()
    report = run_of(runner, EMPTY, on_empty="wait", max_wait=30.0, lookback=0).carry_out()
    arrival.join()
    assert (states(report), len(runner.names)) == (["missing"], 1)


def test_a_run_waits_no_longer_than_allowed(run_of, monkeypatch):
    monkeypatch.setattr(latest, "EMPTY_SECONDS", 0.05)
    run = run_of(FakeRunner(), EMPTY, on_empty="wait", max_wait=0.2)
    with pytest.raises(NoRowsError, match=r"after 0 s; .* on_empty='skip'"):
        run.carry_out()
    assert [finding.state for finding in run.findings] == []


# Refusals


def test_published_rows_that_are_gone_fail_the_run_and_stay(run_of, source, table):
    run_of(RealRunner()).carry_out()
    (source / f"{DAYS[0]}.parquet").unlink()
    before = known(table)
    with pytest.raises(CheckError, match=f"1 published intervals are gone: {DAYS[0]}"):
        run_of(FakeRunner()).carry_out()
    assert states(run_of(FakeRunner(), checks={"rows_drop": "off"}).carry_out())[0] == "empty"
    assert known(table) == before


def test_other_settings_are_refused_before_a_runner_is_opened(run_of):
    run_of(RealRunner()).carry_out()
    runner = FakeRunner()
    with pytest.raises(SettingsError, match="features left out"):
        run_of(runner, settings={"mean": None}).carry_out()
    assert runner.opened == 0


# Reports


def test_the_report_names_holes_and_outdated_intervals_with_their_commands(run_of):
    run_of(RealRunner(), DAYS[0], lookback=0).carry_out()
    change = {"settings": {"mean": None}, "on_settings_change": "recalculate", "lookback": 0}
    report = run_of(FakeRunner(), **change).carry_out()
    assert (report.interval, report.findings[0].start) == (NAMES[2], f"{DAYS[2]}T00:00:00+00:00")
    assert (report.holes.count, report.holes.names) == (1, (DAYS[1],))
    assert (report.outdated.count, report.outdated.names) == (1, (DAYS[0],))
    (command,) = report.holes.commands
    assert command.startswith("tidemill backfill ")
    assert f"--start {DAYS[1]}T00:00:00+00:00" in command


def test_the_first_run_of_a_table_names_older_input_and_no_later_one_does(run_of):
    report = run_of(RealRunner(), DAYS[1], lookback=0).carry_out()
    assert (report.older.files, report.older.first, report.older.before) == (1, *DAYS[:2])
    later = run_of(RealRunner(), DAYS[2], lookback=0).carry_out()
    assert later.older.files == 0


def test_the_report_is_json_of_the_keys_that_pages_read(run_of):
    report = run_of(FakeRunner()).carry_out().to_json()
    assert json.loads(json.dumps(report)) == report
    assert list(report) == [
        "verdict", "warnings", "interval", "label", "sink", "findings", "summaries", "holes",
        "outdated", "bad_files", "vanished", "older", "warns_of_holes",
    ]  # fmt: skip
    keys = ("interval", "label", "start", "state", "reason")
    assert {tuple(row) for row in report["findings"]} == {keys}
    assert report["holes"] == {"count": 0, "names": [], "commands": []}


@pytest.mark.parametrize(("state", "recalculates"), [("recalculated", "run-1"), ("changed", "")])
def test_the_request_of_a_finding_names_what_it_recalculates(state, recalculates, run_of):
    run = run_of(FakeRunner())
    finding = Finding(run.last, state, "because", replaces="run-1")
    made = request_for(run.request, finding)
    expected = replace(run.request, interval=run.last, recalculates=recalculates, reason="because")
    assert made == expected
