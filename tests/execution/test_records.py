"""Records and summaries of runs and intervals."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from tidemill.execution.chunk import run_chunk
from tidemill.execution.records import totals_of
from tidemill.execution.reduce import reduce
from tidemill.reports.markdown import interval_page
from tidemill.storage.failures import FailedSeries, FailureCount, Failures
from tidemill.storage.layout import SinkLayout
from tidemill.storage.markers import Marker
from tidemill.storage.record import CASES, history

from ..support.daily import (
    DAYS,
    known,
    rows,
    run,
)
from ..support.inputs import make_input, write_input
from ..support.jobs import opened
from ..support.series import extract


@pytest.fixture
def series(tmp_path):
    return make_input(tmp_path, n_ids=6)


@pytest.fixture
def sink(tmp_path):
    return tmp_path / "matrix"


@pytest.mark.parametrize(
    ("zone", "recorded"),
    [
        (None, "naive, taken as UTC"),
        ("UTC", "UTC"),
        ("Europe/Berlin", "Europe/Berlin"),
    ],
)
def test_the_zone_of_the_times_is_recorded(zone, recorded, tmp_path, table):
    folder = tmp_path / "in"
    folder.mkdir()
    frame = pd.concat([rows(day) for day in DAYS])
    times = frame["time"].dt.tz_localize(zone).dt.as_unit("us")
    frame.assign(time=times).to_parquet(folder / "all.parquet", index=False)
    summary = run(folder, table, DAYS[1])
    (of_interval,) = known(table).values()
    (of_run,) = history(SinkLayout.of(table))
    found = {one.time_zone_of_input for one in (summary, of_interval, of_run)}
    assert found == {recorded}
    report = {
        "sink": "t",
        "verdict": summary.verdict,
        "findings": [],
        "holes": {"count": 0},
        "outdated": {"count": 0},
        "summaries": [summary.to_json()],
    }
    text = interval_page({"label": summary.interval_label, **report})
    assert f"- times of the input: {recorded}" in text.splitlines()


def marker(index, run_id, **more):
    file = {"path": f"part-{index}.parquet", "bytes": 9, "checksum": f"sum {index}"}
    return Marker(index, rows=2, seconds=1.5, run_id=run_id, **file, **more)


FACTS = {"cluster": "none", "threads": 1, "task_runs": 0, "seconds": {}}
ERROR = {"kind": "x", "calculator": "mine", "message": "zero"}


def test_totals_count_all_rows_but_the_seconds_of_this_run_only(series, sink):
    with opened(series, sink) as job:
        mine = job.run.run_id
        markers = [
            marker(0, mine, seconds_by_calculator={"mean": 0.5}),
            marker(1, "earlier", seconds_by_calculator={"mean": 9.0}),
            marker(2, mine, seconds_by_calculator={"mean": 0.25}, quarantined=({"id": "7"},)),
        ]
        totals = totals_of(job.run, markers)
    assert (totals.rows, totals.calculated, totals.part_seconds) == (6, {0, 2}, 3.0)
    assert dict(totals.seconds) == {"mean": 0.75}
    assert totals.quarantined == [{"id": "7"}]
    assert totals.checksums == {f"part-{index}.parquet": f"sum {index}" for index in range(3)}


def test_failures_are_added_up_and_the_first_cases_named(series, sink):
    few = Failures(**ERROR, count=2, ids=("1", "2"))
    many = Failures(**ERROR | {"message": "one"}, count=2 * CASES, ids=("9",) * 2 * CASES)
    with opened(series, sink) as job:
        markers = [marker(0, "a", errors=(few,)), marker(1, "a", errors=(few, many))]
        totals = totals_of(job.run, markers)
    assert totals.error_counts() == [
        FailureCount(**ERROR | {"message": "one"}, count=2 * CASES),
        FailureCount(**ERROR, count=4),
    ]
    assert len(totals.cases) == CASES
    assert totals.cases[:2] == [FailedSeries("1", **ERROR), FailedSeries("2", **ERROR)]


def test_a_result_that_a_file_shows_already_keeps_what_was_recorded(series, tmp_path):
    frame = series.frame.copy()
    frame.loc[series.length + 1, "value"] = float("nan")
    bad = write_input(series.path, frame, 1, series.length)
    sink = tmp_path / "matrix.parquet"
    options = {"part_bytes": bad.part_bytes, "on_nan": "quarantine"}
    first, again = (extract(bad.path, sink, **options) for _ in range(2))
    assert [one["id"] for one in again.quarantined] == ["1"]
    assert (again.digest, again.rows) == (first.digest, first.rows)
    assert (first.parts["calculated"], again.parts["calculated"]) == (6, 0)
    assert json.loads(json.dumps(again.to_json()))["digest"] == first.digest


@pytest.mark.parametrize(
    ("error", "state"), [(ValueError("bad"), "failed"), (KeyboardInterrupt(), "cancelled")]
)
def test_a_failure_is_recorded_with_its_error(error, state, series, sink):
    with pytest.raises(type(error)), opened(series, sink):
        raise error
    (found,) = history(SinkLayout.of(sink))
    assert (found.state, found.parts) == (state, {"total": 6})
    assert found.message == f"{type(error).__name__}: {error}"


def publish_then_raise(series, sink, error):
    with opened(series, sink) as job:
        run_chunk(job.run, range(6))
        reduce(job.run, FACTS)
        raise error


@pytest.mark.parametrize("error", [TimeoutError("no answer"), KeyboardInterrupt()])
def test_what_fails_after_publishing_leaves_the_run_finished(error, series, sink):
    with pytest.raises(type(error)):
        publish_then_raise(series, sink, error)
    (found,) = history(SinkLayout.of(sink))
    assert (found.state, found.message, found.rows) == ("finished", "", 6)
    assert found.notes == (f"after publishing: {type(error).__name__}: {error}",)


def test_a_record_that_cannot_be_written_hides_no_error(series, sink, monkeypatch, caplog):
    def broken(*_arguments):
        raise ConnectionError("the storage is gone")

    monkeypatch.setattr("tidemill.execution.records.write_record", broken)
    with pytest.raises(ValueError, match="the real error"), opened(series, sink):
        raise ValueError("the real error")
    assert "could not be written" in caplog.text


def test_a_record_names_the_one_file_of_its_input(tmp_path, sink):
    path = make_input(tmp_path, n_ids=2).path
    extract(path, sink, column_id="id", column_sort="time")
    assert history(SinkLayout.of(sink))[0].source == str(path)
