"""Input before the first interval of a table: found by footers, named with a command."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pandas as pd
import pytest

from tidemill.recurring import older_input as module
from tidemill.recurring.calendars import Calendar
from tidemill.recurring.intervals import find_interval
from tidemill.recurring.older_input import OlderInput, older_input

from ..support.daily import DAILY, DAYS, request, rows

GIVEN = {"column_id": "id", "column_time": "time", "every": "1d"}


def older_than(source, table, day, calendar=DAILY):
    asked = request(source, table, DAYS[-1])
    return older_input(asked, GIVEN, calendar, find_interval(calendar, day))


def test_files_that_end_before_the_first_interval_are_counted(source, table):
    found = older_than(source, table, DAYS[2])
    assert (found.files, found.first, found.before) == (2, DAYS[0], DAYS[2])
    (command,) = found.commands
    words = shlex.split(command)
    assert words[:4] == ["tidemill", "backfill", str(source), str(table)]
    assert words[words.index("--start") + 1].startswith(DAYS[0])
    assert words[words.index("--end") + 1].startswith(DAYS[2])


def test_a_file_that_reaches_into_the_interval_is_none_of_them(source, table):
    both = pd.concat([rows(DAYS[0]), rows(DAYS[1])])
    both.to_parquet(source / f"{DAYS[0]}.parquet", index=False)
    (source / f"{DAYS[1]}.parquet").unlink()
    assert older_than(source, table, DAYS[1]) == OlderInput()


def test_without_anything_older_nothing_is_said(source, table):
    assert older_than(source, table, DAYS[0]) == OlderInput()


def test_files_whose_times_only_their_rows_tell_are_left_out(source, table):
    for path in source.glob("*.parquet"):
        pd.read_parquet(path).to_csv(path.with_suffix(".csv"), index=False)
        path.unlink()
    assert older_than(source, table, DAYS[2]) == OlderInput()


def test_input_that_cannot_be_read_any_more_is_no_error(source, table):
    asked = request(source, table, DAYS[-1])
    gone = replace(asked, source=str(source / "gone"))
    assert older_input(gone, GIVEN, DAILY, find_interval(DAILY, DAYS[2])) == OlderInput()


@pytest.mark.parametrize("most", [1, 7, 100_000])
def test_commands_cover_all_of_it_however_many_intervals_one_takes(
    source, table, most, monkeypatch
):
    monkeypatch.setattr(module, "MOST_INTERVALS", most)
    halves = Calendar("12h")
    found = older_than(source, table, DAYS[2], halves)
    spans = [
        (words[words.index("--start") + 1], words[words.index("--end") + 1])
        for words in map(shlex.split, found.commands)
    ]
    assert spans[0][0].startswith(DAYS[0])
    assert spans[-1][1].startswith(DAYS[2])
    assert [end for _, end in spans[:-1]] == [start for start, _ in spans[1:]]
    assert len(spans) == -(-4 // most)
