"""Runs over intervals in one process: without Prefect, without Dask, with the same tables."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from tidemill.errors import BackfillError
from tidemill.model.interval import Interval
from tidemill.planning.doors import BACKFILL, EXTRACT_INTERVAL
from tidemill.planning.request import make_request
from tidemill.recurring.calendars import calendar_of
from tidemill.recurring.here import backfill_here, latest_here
from tidemill.reports.html.write import RunReports
from tidemill.storage.intervals import write_interval
from tidemill.storage.layout import SinkLayout
from tidemill.storage.lease import acquire
from tidemill.storage.record import RunRecord, write_record
from tidemill.storage.reports import write_report
from tidemill.storage.stores import Store

from ..support.daily import DAYS, NAMES, known, rows

GIVEN = {"column_id": "id", "column_time": "time", "settings": "minimal", "cluster": "none"}


def asked(door, source, table, **more):
    given = door.complete({**GIVEN, "source": str(source), "sink": str(table), **more})
    named = {name: value for name, value in given.items() if name not in {"source", "sink"}}
    return make_request(source, table, door=door, **named), calendar_of(given), given


def test_the_latest_interval_and_those_before_are_published(source, table):
    more = {"interval_start": DAYS[-1], "lookback": 1, "retries": 0}
    report = latest_here(*asked(EXTRACT_INTERVAL, source, table, **more))
    assert tuple(known(table)) == NAMES[1:]
    assert report.verdict.text.startswith(f"Completed: {DAYS[-1]}: ")


def test_a_backfill_is_published_or_says_what_failed(source, table):
    span = {"start": DAYS[0], "end": "2026-11-20", "retries": 0}
    report = backfill_here(*asked(BACKFILL, source, table, **span))
    assert tuple(known(table)) == NAMES
    assert report.verdict.text == "Completed: 3 published"


def test_an_interval_that_fails_keeps_no_other_from_being_published(source, table):
    spoilt = rows(DAYS[1])
    spoilt.loc[3, "x"] = np.inf
    spoilt.to_parquet(source / f"{DAYS[1]}.parquet", index=False)
    span = {"start": DAYS[0], "end": "2026-11-20", "retries": 0, "on_nan": "raise"}
    with pytest.raises(BackfillError, match=f"2 published, 1 failed; first {DAYS[1]}: DataError"):
        backfill_here(*asked(BACKFILL, source, table, **span))
    assert tuple(known(table)) == (NAMES[0], NAMES[2])


def test_the_end_of_each_job_is_told(source, table):
    ended = []
    more = {"interval_start": DAYS[-1], "lookback": 1, "retries": 0}
    latest_here(*asked(EXTRACT_INTERVAL, source, table, **more), ended.append)
    span = {"start": DAYS[0], "end": DAYS[1], "retries": 0}
    backfill_here(*asked(BACKFILL, source, table, **span), ended.append)
    assert [run.interval for run in ended] == [*NAMES[1:], NAMES[0]]


@pytest.mark.parametrize("command", ["extract-interval", "backfill"])
def test_the_command_imports_neither_prefect_nor_dask(command, source, table):
    words = [command, source, table, "--column-id=id", "--column-time=time", "--cluster=none"]
    words += ["--settings=minimal", "--json"]
    own = [f"--interval-start={DAYS[-1]}", "--lookback=2"]
    span = [f"--start={DAYS[0]}", "--end=2026-11-20"]
    code = f"""
import sys
from tidemill.cli.main import main
sys.argv = {["tidemill", *map(str, words), *(own if command == "extract-interval" else span)]!r}
main()
print({{"prefect", "distributed"}} & sys.modules.keys(), file=sys.stderr)
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True
    )
    assert ran.stderr.strip() == "set()"
    assert tuple(known(table)) == NAMES


def age(table, days):
    """What many more intervals before the first one leave of themselves: records, parts, leases."""
    layout, (first, *_) = SinkLayout.of(table), known(table).values()
    step = first.end - first.start
    for number in range(1, days + 1):
        start, run = first.start - number * step, f"20200101T000000-{number:08d}"
        old = replace(first, start=start, end=start + step, run_id=run, window_start=start)
        old = replace(old, name=Interval(start, start + step, start).name)
        write_interval(layout, old)
        write_record(layout, RunRecord(run, "2020-01-01T00:00:00+00:00", interval=old.name))
        write_report(layout, run, "<p>fine</p>")
        layout.home.write(layout.key(f"{number:064d}").part(0), b"")
        acquire(layout.lease_of(old.name), owner="ann", run_id=run).release()
    return table


def test_one_more_interval_asks_for_as_few_files_of_an_old_table_as_of_a_young_one(
    source, table, tmp_path, monkeypatch
):
    more = {"interval_start": DAYS[1], "lookback": 0, "retries": 0}
    latest_here(*asked(EXTRACT_INTERVAL, source, table, **more | {"interval_start": DAYS[0]}))
    young, old = age(table, 70), age(shutil.copytree(table, tmp_path / "old"), 140)
    counts = {}
    for place in (young, old):
        counts[place] = asked_of = Counter()
        with monkeypatch.context() as patch:
            for name in ("read", "info", "list", "folder", "files", "names"):
                patch.setattr(Store, name, counted(getattr(Store, name), name, asked_of))
            latest_here(*asked(EXTRACT_INTERVAL, source, place, **more), RunReports())
        assert known(place)[NAMES[1]].facts["rows"] == 5
    assert counts[young] == counts[old]


def counted(real, name, counts):
    """A method of stores; counts its calls, and the files that it says more of than their names."""

    def method(self, *about, **how):
        found = real(self, *about, **how)
        counts[name] += 1
        counts[f"{name}: files"] += len(found) if name in {"list", "files"} else 0
        counts[f"{name}: files"] += len(found[0]) if name == "folder" else 0
        return found

    return method
