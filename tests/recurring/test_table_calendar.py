"""The calendar of a table follows from the records of its intervals."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tidemill.model.source import ColumnRoles
from tidemill.recurring.calendars import Calendar
from tidemill.recurring.intervals import between, interval_at
from tidemill.recurring.table_calendar import calendar_of_table
from tidemill.storage.intervals import IntervalRecord


def record(interval, **more):
    values = {
        "run_id": "r", "published": "", "result_key": "", "digest": "", "files": (),
        "fingerprint": "", "settings": {}, "policies": {},
        "columns": ColumnRoles("id", "time", None, ("x",)),
        "timezone": interval.timezone, "every": interval.every,
    }  # fmt: skip
    span = interval.start, interval.end, interval.window_start
    return IntervalRecord(interval.name, *span, **{**values, **more})


CALENDARS = [
    Calendar("1d"),
    Calendar("1d", "America/Sao_Paulo"),
    Calendar("1d", "Europe/Berlin", anchor="6h"),
    Calendar("2d", anchor="2026-10-21"),
    Calendar("1h", "Asia/Kolkata"),
    Calendar("7h", anchor="2026-01-01T03:00"),
    Calendar("1w", "Europe/Berlin"),
]


@pytest.mark.parametrize("calendar", CALENDARS, ids=repr)
@pytest.mark.parametrize("start", ["2018-11-03T12:00+00:00", "2026-10-25T01:00+00:00"])
def test_it_divides_time_as_the_one_that_made_the_table(calendar, start):
    first = interval_at(calendar, _moment(start))
    made = [first]
    while len(made) < 30:
        made.append(interval_at(calendar, made[-1].end))
    for known in (made, made[:1], made[3::7]):
        found = calendar_of_table([record(one) for one in known])
        assert [interval_at(found, one.start) for one in made] == made


def _moment(text):
    from datetime import datetime

    from tidemill.recurring.calendars import moment

    return moment(datetime.fromisoformat(text))


def test_records_of_older_versions_do_not_name_the_step():
    calendar = Calendar("1d", "Europe/Berlin")
    days = between(calendar, "2026-10-24", "2026-10-27")
    found = calendar_of_table([replace(record(one), every="") for one in days])
    assert found == calendar
    hours = between(Calendar("6h"), "2026-10-24", "2026-10-27")
    assert calendar_of_table([replace(record(one), every="") for one in hours]).every == "21600s"


def test_records_that_fit_no_calendar_have_none():
    day = interval_at(Calendar("1d"), 0)
    odd = replace(record(day), start=day.start + 10**9, name="odd")
    assert calendar_of_table([record(day), odd]) is None
    assert calendar_of_table([replace(record(day), every="never")]) is None
