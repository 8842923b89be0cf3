"""What a person on call is told of a table: freshness, holes, failures, quarantine, comparison."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from deltalake import DeltaTable, write_deltalake

from tidemill.errors import CheckError
from tidemill.execution.in_process import extract_here
from tidemill.execution.job import Job
from tidemill.recurring import table_status as module
from tidemill.recurring.calendars import Calendar
from tidemill.recurring.table_status import table_status
from tidemill.storage.delta import INTERVAL
from tidemill.storage.layout import SinkLayout
from tidemill.storage.record import history, write_record
from tidemill.storage.stores import Store

from ..support.daily import DAYS, NAMES, known, request, rows, run
from ..support.inputs import make_input
from ..support.jobs import opened
from ..support.runners import RealRunner

NOW = datetime(2026, 11, 20, 5, tzinfo=UTC)
HOUR = 3600


def write_days(source, days, **more):
    for day in days:
        rows(day, **more).to_parquet(source / f"{day}.parquet", index=False)


def test_freshness_is_the_age_of_the_last_intervals_end(source, table):
    run(source, table, DAYS[1])
    found = table_status(table, now=NOW)
    assert (found.kind, found.problem, found.good.label) == ("intervals", "", DAYS[1])
    assert found.good.end == "2026-11-19T00:00:00+00:00"
    assert (found.age_seconds, found.every, found.behind) == (29 * HOUR, "1d", 1)
    assert found.is_older_than(28 * HOUR)
    assert not found.is_older_than(30 * HOUR)
    assert (found.good.ids, found.good.input_rows) == (5, 120)


def test_the_end_is_told_in_the_tables_time_zone(source, table):
    calendar = Calendar("1d", "Europe/Berlin")
    run(source, table, DAYS[1], calendar)
    found = table_status(table, now=NOW)
    assert found.good.end == "2026-11-19T00:00:00+01:00"
    assert found.age_seconds == 30 * HOUR


def test_holes_lie_between_published_intervals(source, table):
    run(source, table, DAYS[0])
    assert table_status(table, now=NOW).holes.count == 0
    run(source, table, DAYS[2])
    assert table_status(table, now=NOW).holes == module.Holes(1, (DAYS[1],))


def test_rows_are_compared_with_those_of_the_week_before(source, table):
    write_days(source, ["2026-11-12"], ids=10)
    run(source, table, "2026-11-12")
    run(source, table, DAYS[2])
    found = table_status(table, now=NOW)
    assert found.week_before.label == "2026-11-12"
    assert found.changes == {"input_rows": -0.5, "ids": -0.5}


def test_the_week_before_is_a_week_of_the_local_clock(source, table):
    """Clocks were put back on 2026-10-25."""
    hourly = Calendar("1h", "Europe/Berlin")
    days = ["2026-10-22", "2026-10-29"]
    write_days(source, days)
    for day in days:
        run(source, table, f"{day}T06:00", hourly)
    found = table_status(table, now=NOW)
    assert (found.good.label, found.week_before.label) == ("2026-10-29 06:00", "2026-10-22 06:00")


def test_a_step_of_a_week_is_compared_with_the_one_before(source, table):
    weekly = Calendar("1w")
    days = ["2026-11-10", "2026-11-17"]
    write_days(source, days)
    for day in ("2026-11-09", "2026-11-16"):
        run(source, table, day, weekly)
    assert table_status(table, now=NOW).week_before.label == "2026-11-09"


def test_an_interval_that_failed_a_check_is_not_good(source, table):
    run(source, table, DAYS[0])
    run(source, table, DAYS[1])
    write_days(source, [DAYS[2]], ids=1)
    with pytest.raises(CheckError):
        run(source, table, DAYS[2])
    found = table_status(table, now=NOW)
    assert (found.good.label, found.behind) == (DAYS[1], 1)
    (failed,) = found.failed
    assert (failed.label, failed.state) == (DAYS[2], "failed")
    assert "the rows fell from 5 to 1" in failed.sentences[0]
    write_days(source, [DAYS[2]])
    run(source, table, DAYS[2])
    found = table_status(table, now=NOW)
    assert (found.good.label, found.failed) == (DAYS[2], ())


def test_rows_that_stay_when_new_ones_fail_a_check_are_good(source, table):
    run(source, table, DAYS[0])
    run(source, table, DAYS[1])
    write_days(source, [DAYS[1]], ids=1)
    with pytest.raises(CheckError):
        run(source, table, DAYS[1])
    found = table_status(table, now=NOW)
    assert (found.good.label, found.good.ids) == (DAYS[1], 5)
    assert [one.label for one in found.failed] == [DAYS[1]]


def test_a_failure_ends_when_the_rows_are_found_unchanged(source, table, run_of):
    run(source, table, DAYS[0])
    run(source, table, DAYS[1])
    write_days(source, [DAYS[1]], ids=1)
    with pytest.raises(CheckError):
        run(source, table, DAYS[1])
    strict = {"on_nan": "raise", "on_error": "raise"}
    run_of(RealRunner(), DAYS[0], **strict).carry_out()  # looks at another interval
    assert [one.label for one in table_status(table, now=NOW).failed] == [DAYS[1]]
    write_days(source, [DAYS[1]])
    digest = known(table)[NAMES[1]].digest
    report = run_of(RealRunner(), DAYS[1], **strict).carry_out()
    assert (report.findings[-1].state, report.summaries) == ("unchanged", [])
    assert (table_status(table, now=NOW).failed, known(table)[NAMES[1]].digest) == ((), digest)
    write_days(source, [DAYS[1]], ids=1)
    with pytest.raises(CheckError):
        run(source, table, DAYS[1])
    assert [one.label for one in table_status(table, now=NOW).failed] == [DAYS[1]]


def test_a_look_that_finds_no_failure_writes_nothing(source, table, run_of, monkeypatch):
    run_of(RealRunner()).carry_out()
    written, real = [], Store.write
    monkeypatch.setattr(
        Store, "write", lambda self, path, *how: written.append(path) or real(self, path, *how)
    )
    run_of(RealRunner()).carry_out()
    assert written == []


def test_warnings_are_those_of_the_last_run_of_an_interval(source, table):
    run(source, table, DAYS[0])
    write_days(source, [DAYS[1]], ids=4)
    run(source, table, DAYS[1])
    (warned,) = table_status(table).warned
    assert warned.label == DAYS[1]
    assert any("the rows fell from 5 to 4" in one for one in warned.sentences)
    write_days(source, [DAYS[1]])
    run(source, table, DAYS[1])
    assert table_status(table).warned == ()


def test_quarantined_ids_come_with_their_reasons(source, table):
    frame = rows(DAYS[0])
    frame.loc[frame["id"] == 3, "x"] = float("nan")
    frame.to_parquet(source / f"{DAYS[0]}.parquet", index=False)
    run(source, table, DAYS[0], on_nan="quarantine")
    found = table_status(table, now=NOW)
    assert (found.good.quarantined, found.good.ids) == (1, 4)
    (one,) = found.quarantined
    assert one.id == "3"
    assert "NaN" in one.reason
    assert sum(found.quarantined_since.values()) == 1


def test_rows_that_are_gone_are_no_good_rows(source, table):
    for day in DAYS:
        run(source, table, day)
    DeltaTable(table).delete(f"\"{INTERVAL}\" = '{NAMES[2]}'")
    found = table_status(table, now=NOW)
    assert found.good.label == DAYS[1]
    assert found.faults == {DAYS[2]: "its rows are gone from the table"}
    assert found.holes.count == 0


def test_damaged_records_are_named_and_older_intervals_are_good(source, table):
    for day in DAYS:
        run(source, table, day)
    for name in NAMES[1:]:
        (table / "_tidemill" / "intervals" / f"{name}.json").write_text("{}")
    found = table_status(table, now=NOW)
    assert found.good.label == DAYS[0]
    assert found.faults == dict.fromkeys(DAYS[1:], "its record is damaged")


def test_an_interval_that_nothing_is_recorded_of_is_named(source, table):
    for day in DAYS[:2]:
        run(source, table, day)
    (table / "_tidemill" / "intervals" / f"{NAMES[1]}.json").unlink()
    found = table_status(table, now=NOW)
    assert found.faults == {DAYS[1]: "the table shows it, but it has no record"}


def test_few_records_are_read_however_many_intervals_there_are(source, table, monkeypatch):
    for day in DAYS:
        run(source, table, day)
    monkeypatch.setattr(module, "COMPARED", 1)
    read, real = [], Store.read

    def counted(self, path):
        read.append(self.url_of(path))
        return real(self, path)

    monkeypatch.setattr(Store, "read", counted)
    found = table_status(table, now=NOW)
    assert found.good.label == DAYS[2]
    names = [path.rpartition("/")[2] for path in read if "/intervals/" in path]
    assert names == [f"{NAMES[2]}.json", "20261112T000000Z.json"]


def test_older_intervals_whose_rows_are_gone_are_named_without_their_records(
    source, table, monkeypatch
):
    for day in DAYS:
        run(source, table, day)
    DeltaTable(table).delete(f"\"{INTERVAL}\" = '{NAMES[0]}'")
    monkeypatch.setattr(module, "COMPARED", 1)
    found = table_status(table, now=NOW)
    assert found.faults == {DAYS[0]: "its rows are gone from the table"}


def test_a_good_interval_is_found_behind_many_that_are_not(source, table, monkeypatch):
    for day in DAYS:
        run(source, table, day)
    (table / "_tidemill" / "intervals" / f"{NAMES[2]}.json").write_text("{}")
    monkeypatch.setattr(module, "COMPARED", 1)
    assert table_status(table, now=NOW).good.label == DAYS[1]


def test_runs_that_work_and_those_that_died_are_told_apart(source, table):
    run(source, table, DAYS[0])
    with Job.open(request(source, table, DAYS[1])):
        found = table_status(table, now=NOW)
        assert [one.label for one in found.running] == [DAYS[1]]
    found = table_status(table, now=NOW)
    assert found.running == []
    assert [one.state for one in found.unfinished] == ["ended"]


def test_a_table_whose_first_run_failed_has_no_good_rows(source, table):
    frame = rows(DAYS[0])
    frame.loc[frame["id"] == 3, "x"] = float("nan")
    frame.to_parquet(source / f"{DAYS[0]}.parquet", index=False)
    checks = {"quarantined_series": {"fail": 0}}
    with pytest.raises(CheckError):
        run(source, table, DAYS[0], on_nan="quarantine", checks=checks)
    found = table_status(table, now=NOW)
    assert (found.kind, found.good, found.problem) == ("intervals", None, "")
    assert [one.label for one in found.failed] == [DAYS[0]]
    assert found.is_older_than(1e12)


@pytest.fixture(params=["matrix", "matrix.parquet", "matrix.csv"])
def matrix(request, tmp_path):
    """A published matrix without intervals: the request, and its sink."""
    sink = tmp_path / request.param
    with opened(make_input(tmp_path, n_ids=6), sink) as job:
        pass
    extract_here(job.request)
    return job.request, sink


def test_a_matrix_is_as_old_as_the_last_run_that_made_or_confirmed_it(matrix):
    _, sink = matrix
    layout = SinkLayout.of(sink)
    (newest,) = (one for one in history(layout) if one.state == "finished")
    finished = datetime.fromisoformat(newest.finished)
    found = table_status(sink, now=finished + timedelta(hours=3))
    assert (found.kind, found.good.ids, found.age_seconds) == ("matrix", 6, 3 * HOUR)
    assert (found.good.run_id, found.faults) == (newest.run_id, {})
    later = finished + timedelta(days=8)
    again = type(newest)(
        **{
            **{name: getattr(newest, name) for name in newest.__slots__},
            "run_id": "later", "started": later.isoformat(), "finished": later.isoformat(),
            "rows": 9,
        }
    )  # fmt: skip
    write_record(layout, again)
    found = table_status(sink, now=later)
    assert (found.good.run_id, found.good.ids, found.week_before.ids) == ("later", 9, 6)
    assert found.changes == {"ids": 0.5}


def test_a_matrix_whose_next_run_failed_stays_good(matrix):
    given, sink = matrix
    with pytest.raises(RuntimeError), Job.open(given):
        raise RuntimeError("no")
    found = table_status(sink)
    assert found.good.ids == 6
    assert [one.sentences for one in found.failed] == [("RuntimeError: no",)]


def test_a_matrix_that_is_not_what_was_published_is_not_good(matrix):
    _, sink = matrix
    if sink.suffix:
        sink.write_bytes(sink.read_bytes() + b" ")
        told = "were written"
    else:
        DeltaTable(sink).delete()
        told = "0 rows, 6 were published"
    found = table_status(sink)
    assert found.good is None
    assert told in found.faults["the matrix"]


def test_a_matrix_that_is_gone_or_that_nothing_is_recorded_of(matrix):
    _, sink = matrix
    layout = SinkLayout.of(sink)
    pointer = layout.state.read(layout.published)
    layout.state.write(layout.published, b"{")
    assert "is damaged" in table_status(sink).faults["the matrix"]
    layout.state.delete(layout.published)
    assert table_status(sink).faults == {"the matrix": "nothing is recorded of what it shows"}
    layout.state.write(layout.published, pointer)
    if sink.suffix:
        sink.unlink()
    else:
        SinkLayout.of(sink).home.delete_all("_delta_log")
    assert table_status(sink).faults == {"the matrix": "it is gone"}


def test_where_there_is_no_table_a_sentence_says_so(tmp_path):
    found = table_status(tmp_path / "none")
    assert (found.kind, found.problem) == ("nothing", module.NOTHING)
    assert not (tmp_path / "none").exists()
    write_deltalake(tmp_path / "foreign", pd.DataFrame({"a": [1]}))
    assert "tidemill did not make" in table_status(tmp_path / "foreign").problem
    assert (
        "ArgumentError: cannot open 'ftp://host/table'" in table_status("ftp://host/table").problem
    )


def test_a_damaged_log_is_a_sentence(source, table):
    run(source, table, DAYS[0])
    next((table / "_delta_log").glob("*.json")).write_text("{")
    assert "the log of the table" in table_status(table).problem


def test_it_works_on_object_storage(source, s3):
    url, options, _ = s3
    assert table_status(f"{url}/none", options).problem == module.NOTHING
    run(source, f"{url}/table", DAYS[1], storage_options=options)
    found = table_status(f"{url}/table", options, NOW)
    assert (found.good.label, found.age_seconds) == (DAYS[1], 29 * HOUR)


def test_a_status_is_json(source, table):
    run(source, table, DAYS[0])
    found = json.loads(json.dumps(table_status(table, now=NOW).to_json()))
    assert found["good"]["label"] == DAYS[0]
    assert found["age_seconds"] == 53 * HOUR
