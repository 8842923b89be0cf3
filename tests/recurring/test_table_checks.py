"""Requests that do not fit their table are refused, with the difference and the remedy."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

import tidemill
from tidemill.errors import (
    SettingsError,
    SinkError,
)
from tidemill.execution.in_process import extract_here
from tidemill.planning.request import make_request
from tidemill.recurring.calendars import Calendar
from tidemill.recurring.examine import examine
from tidemill.recurring.table_checks import check_table

from ..support.daily import (
    DAILY,
    DAYS,
    FEWER,
    MORE,
    expected,
    known,
    request,
    rows,
    run,
)


def test_other_settings_and_policies_are_refused_with_the_difference(source, table):
    run(source, table, DAYS[0])
    about = request(source, table, DAYS[1], settings={"skewness": None}, on_nan="omit")
    with pytest.raises(
        SettingsError,
        match=r"new features skewness; features left out .* on_nan='omit' instead of 'raise'. "
        r"Choose on_settings_change='recalculate', or 'append' if features are only added",
    ):
        check_table(about, DAILY)
    check_table(request(source, table, DAYS[1]), DAILY)
    check_table(replace(about, on_settings_change="recalculate"), DAILY)


def test_another_window_is_as_another_setting(source, table):
    run(source, table, DAYS[1])
    longer = Calendar("1d", window="2d")
    about = request(source, table, DAYS[1], longer)
    with pytest.raises(
        SettingsError, match=r"built with different settings: a window of 48 instead of 24 hours"
    ):
        check_table(about, longer)
    anew = replace(about, on_settings_change="recalculate")
    check_table(anew, longer)
    found = examine(anew, known(table)[about.interval.name], recalculate=False)
    assert (found.state, found.is_due) == ("changed", True)
    assert "a window of 48 instead of 24 hours" in found.reason
    extract_here(anew, threads=1)
    frame = pd.concat([rows(day) for day in DAYS])
    wanted = expected(frame, DAYS[0], DAYS[2])
    made = tidemill.read_matrix(table, about.interval.name)
    pd.testing.assert_frame_equal(made, wanted, check_names=False)


@pytest.mark.parametrize(
    "calendar", [Calendar("1h"), Calendar("1d", "Europe/Berlin"), Calendar("1d", anchor="6h")]
)
def test_other_intervals_are_refused(calendar, source, table):
    run(source, table, DAYS[0])
    about = request(source, table, DAYS[1], on_settings_change="recalculate")
    with pytest.raises(SettingsError, match="has other intervals than those of every="):
        check_table(about, calendar)


@pytest.mark.parametrize("options", [{"settings": FEWER}, {"settings": MORE, "on_nan": "omit"}])
def test_append_refuses_what_is_more_than_new_features(options, source, table):
    run(source, table, DAYS[0])
    check_table(request(source, table, DAYS[1], on_settings_change="append", settings=MORE), DAILY)
    about = request(source, table, DAYS[1], on_settings_change="append", **options)
    with pytest.raises(SettingsError, match=r"features left out|on_nan='omit' instead"):
        check_table(about, DAILY)


def test_a_table_is_one_of_intervals_or_not(source, table):
    plain = table.with_name("plain")
    roles = {"column_id": "id", "column_sort": "time", "settings": "minimal"}
    run(source, table, DAYS[0])
    extract_here(make_request(source, plain, **roles), threads=1)
    with pytest.raises(SinkError, match="has intervals: it was made by tidemill extract-interval"):
        extract_here(make_request(source, table, **roles), threads=1)
    with pytest.raises(SinkError, match="has no intervals: it was made by tidemill extract;"):
        check_table(request(source, plain, DAYS[0]), DAILY)
    with pytest.raises(SinkError, match="is one file, which cannot be divided into intervals"):
        check_table(request(source, table.with_suffix(".parquet"), DAYS[0]), DAILY)
    assert len(tidemill.read_matrix(table)) == 5
    assert len(tidemill.read_matrix(plain)) == 5
