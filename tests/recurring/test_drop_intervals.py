"""Old intervals are dropped as a whole, stay dropped, and a killed drop does no harm."""

from __future__ import annotations

import json
import shutil

import pytest
from deltalake import DeltaTable

import tidemill
from tidemill.errors import ArgumentError, SinkBusyError, SinkError
from tidemill.execution.job import Job
from tidemill.recurring import drop_intervals as module
from tidemill.recurring.calendars import Calendar
from tidemill.recurring.drop_intervals import drop_intervals
from tidemill.recurring.table_status import table_status
from tidemill.storage import dropped
from tidemill.storage.delta import files_by_interval
from tidemill.storage.layout import SinkLayout
from tidemill.storage.lease import acquire
from tidemill.storage.stores import Store
from tidemill.storage.verify_table import verify_table

from ..support.daily import DAYS, NAMES, known, request, rows, run
from ..support.inputs import make_input
from ..support.jobs import opened
from ..support.runners import FakeRunner

#: As `daily.run` made the table; and a lookback beyond what is dropped.
AS_MADE = {"on_nan": "raise", "on_error": "raise", "lookback": 5}


@pytest.fixture
def published(source, table):
    for day in DAYS:
        run(source, table, day)
    return table


def drop(table, before=DAYS[2], **more):
    return drop_intervals(SinkLayout.of(table), before, **more)


def state(table):
    """What is kept beside the rows, but leases and run records."""
    found = (path.relative_to(table) for path in (table / "_tidemill").rglob("*") if path.is_file())
    return {str(one) for one in found if one.parts[1] not in {"lease", "records"}}


def test_the_rows_go_in_one_transaction_and_the_records_after_them(published):
    before = DeltaTable(published).version()
    found = drop(published)
    assert (found.intervals, found.first, found.last) == (2, DAYS[0], DAYS[1])
    assert (found.files, found.rows, found.left_over) == (2, 10, 0)
    assert found.before == "2026-11-19T00:00:00+00:00"
    assert DeltaTable(published).version() == before + 1
    assert list(known(published)) == [NAMES[2]]
    assert len(tidemill.read_matrix(published)) == 5
    assert state(published) == {
        "_tidemill/published.json",
        "_tidemill/dropped.json",
        f"_tidemill/intervals/{NAMES[2]}.json",
        f"_tidemill/figures/{NAMES[2]}.npz",
        f"_tidemill/coverage/{NAMES[2]}.arrow",
    }
    assert [
        path.name for path in (published / "_tidemill" / "lease").iterdir() if path.is_dir()
    ] == [NAMES[2]]


def test_readers_of_an_older_version_still_have_their_files(published):
    before = DeltaTable(published).version()
    drop(published)
    assert len(DeltaTable(published, version=before).to_pandas()) == 15


def test_a_dry_run_changes_nothing(published):
    before, version = state(published), DeltaTable(published).version()
    found = drop(published, dry_run=True)
    assert (found.dry_run, found.intervals, found.rows) == (True, 2, 10)
    assert found.bytes > 0
    assert (state(published), DeltaTable(published).version()) == (before, version)


@pytest.mark.parametrize("before", [DAYS[1], f"{DAYS[1]}T23:00", f"{NAMES[1]}"])
def test_only_intervals_that_end_by_then_are_dropped(before, published):
    assert drop(published, before).intervals == 1
    assert list(known(published)) == list(NAMES[1:])


def test_the_time_is_that_of_the_table(source, table):
    calendar = Calendar("1d", "Asia/Tokyo")
    for day in DAYS[1:]:
        run(source, table, day, calendar)
    found = drop(table, DAYS[2])
    assert (found.intervals, found.before) == (1, "2026-11-19T00:00:00+09:00")
    assert drop(table, "2026-11-18T16:00+00:00").intervals == 0


def test_dropped_intervals_are_neither_holes_nor_gone_nor_due(published, run_of):
    drop(published)
    runner = FakeRunner()
    report = run_of(runner, **AS_MADE).carry_out()
    assert runner.names == []
    assert report.holes.count == 0
    assert [row.interval for row in report.findings] == [NAMES[2]]
    found = table_status(published)
    assert (found.holes.count, found.faults) == (0, {})
    assert verify_table(SinkLayout.of(published), deep=True).faults == []


def test_intervals_after_the_mark_are_due_as_always(source, table, run_of):
    for day in (DAYS[0], DAYS[2]):
        run(source, table, day)
    drop(table, DAYS[1])
    runner = FakeRunner()
    run_of(runner, **AS_MADE).carry_out()
    assert runner.names == [NAMES[1]]


def test_a_dropped_interval_that_is_asked_for_is_made_again_and_kept_fresh(
    published, source, run_of
):
    drop(published)
    run(source, published, DAYS[0])
    assert list(known(published)) == [NAMES[0], NAMES[2]]
    rows(DAYS[0], ids=6).to_parquet(source / f"{DAYS[0]}.parquet", index=False)
    runner = FakeRunner()
    report = run_of(runner, **AS_MADE).carry_out()
    assert runner.names == [NAMES[0]]
    assert report.holes.count == 0
    assert verify_table(SinkLayout.of(published)).faults == []


def test_a_later_drop_never_moves_the_mark_back(published):
    layout = SinkLayout.of(published)
    drop(published, DAYS[2])
    assert drop(published, DAYS[0]).intervals == 0
    assert dropped.dropped_before(layout) == NAMES[2]


class Killed(BaseException):
    """Stands for SIGKILL: nothing is done after it."""


def killed_at(monkeypatch, step):
    """Let the process die before its nth change of the storage."""
    changes = [0]

    def dying(real):
        def change(*arguments, **named):
            changes[0] += 1
            if changes[0] > step:
                raise Killed
            return real(*arguments, **named)

        return change

    for name in ("write", "create", "delete", "delete_all"):
        monkeypatch.setattr(Store, name, dying(getattr(Store, name)))
    monkeypatch.setattr(module, "remove_rows", dying(dropped.remove_rows))


def test_a_drop_that_is_killed_anywhere_does_no_harm_and_is_completed(
    published, source, run_of, tmp_path
):
    with Job.open(
        request(source, published, DAYS[0], settings="efficient", on_settings_change="append")
    ):
        pass  # leaves an unfinished result of an interval that is dropped
    whole = tmp_path / "whole"
    shutil.copytree(published, whole)
    steps = 0
    while True:
        shutil.rmtree(published)
        shutil.copytree(whole, published)
        with pytest.MonkeyPatch.context() as patched:
            killed_at(patched, steps)
            try:
                drop(published)
                break
            except Killed:
                _end_owners(published)
        _nothing_is_wrong(published, run_of)
        drop(published)
        assert state(published) == _after(whole, tmp_path)
        steps += 1
    assert steps >= 10


def _end_owners(table):
    """The process that held a lease is dead."""
    for path in (table / "_tidemill" / "lease").glob("*.json"):
        raw = json.loads(path.read_text())
        path.write_text(json.dumps({**raw, "process": {**raw["process"], "started": 0.0}}))


def _nothing_is_wrong(table, run_of):
    layout = SinkLayout.of(table)
    shown = set(files_by_interval(layout))
    assert shown in ({NAMES[2]}, set(NAMES))
    assert verify_table(layout, deep=True).faults == []
    found = table_status(table)
    assert (found.faults, found.holes.count) == ({}, 0)
    runner = FakeRunner()
    report = run_of(runner, **AS_MADE).carry_out()
    assert report.holes.count == 0
    assert runner.names == []


def _after(whole, tmp_path):
    """What a drop leaves that is not killed."""
    copy = tmp_path / "copy"
    if not copy.exists():
        shutil.copytree(whole, copy)
        drop(copy)
    return state(copy)


def test_it_is_refused_while_a_run_works_on_any_interval(published, source):
    busy = pytest.raises(SinkBusyError, match=r"works on interval 2026-11-19 .*cancel it")
    with Job.open(request(source, published, DAYS[2])), busy:
        drop(published)
    assert len(known(published)) == 3


def test_it_is_refused_while_a_run_publishes(published):
    busy = pytest.raises(SinkBusyError, match="run r of ann")
    with acquire(SinkLayout.of(published).lease, owner="ann", run_id="r"), busy:
        drop(published)


@pytest.mark.parametrize(
    ("before", "told"),
    [
        ("yesterday", "before='yesterday' is not allowed: give a local time"),
        ("2026-13-01", "is not allowed"),
        ("2027-01-01", "all 3 intervals .* end by then, and one must stay"),
    ],
)
def test_a_time_that_cannot_be_meant_is_a_sentence(before, told, published):
    with pytest.raises(ArgumentError, match=told):
        drop(published, before)
    assert len(known(published)) == 3


def test_a_time_that_the_clock_shows_twice_is_refused(source, table):
    calendar = Calendar("1h", "Europe/Berlin")
    rows("2026-10-25", steps=30).to_parquet(source / "october.parquet", index=False)
    run(source, table, "2026-10-25T05:00", calendar)
    with pytest.raises(ArgumentError, match=r"twice; choose '2026-10-25T02:00:00\+02:00' or"):
        drop(table, "2026-10-25T02:00")


def test_where_there_are_no_intervals_there_is_nothing_to_drop(tmp_path):
    for name in ("none", "none.parquet"):
        with pytest.raises(SinkError, match="has no intervals to drop"):
            drop(tmp_path / name)
    sink = tmp_path / "matrix"
    with opened(make_input(tmp_path, n_ids=6), sink):
        pass
    with pytest.raises(SinkError, match="has no intervals to drop"):
        drop(sink)


def test_it_works_on_object_storage(source, s3):
    url, options, _ = s3
    for day in DAYS:
        run(source, f"{url}/table", day, storage_options=options)
    layout = SinkLayout.of(f"{url}/table", options)
    assert drop_intervals(layout, DAYS[2]).intervals == 2
    assert sorted(files_by_interval(layout)) == [NAMES[2]]
    assert [entry.path for entry in layout.intervals.folder()[0]] == [f"{NAMES[2]}.json"]
    assert verify_table(layout, deep=True).faults == []


def test_a_damaged_mark_makes_dropped_intervals_due_again(published):
    """They are not lost: the worst that follows is work."""
    drop(published)
    layout = SinkLayout.of(published)
    layout.state.write("dropped.json", json.dumps({"before": "x", "seal": "y"}).encode())
    assert dropped.dropped_before(layout) == ""
