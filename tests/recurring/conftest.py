"""Fixtures of this room: three days of hourly rows, a place for their table, and runs of it."""

from __future__ import annotations

import pytest

from tidemill.model.progress import Board
from tidemill.planning.doors import EXTRACT_INTERVAL
from tidemill.planning.request import make_request
from tidemill.recurring.calendars import calendar_of
from tidemill.recurring.intervals import find_interval
from tidemill.recurring.latest import LatestRun

from ..support.daily import DAYS, source, table

__all__ = ["run_of", "source", "table"]


@pytest.fixture
def run_of(source, table):
    """A run about the last of the three days, unless another is given."""

    def make(runner, day=DAYS[-1], **options):
        given = EXTRACT_INTERVAL.complete(
            {
                "source": str(source), "sink": str(table), "column_id": "id",
                "column_time": "time", "settings": "minimal", "lookback": 2, "retries": 2,
                "retry_delay_seconds": 0.0, **options,
            }
        )  # fmt: skip
        calendar = calendar_of(given)
        named = {name: value for name, value in given.items() if name not in {"source", "sink"}}
        request = make_request(source, table, door=EXTRACT_INTERVAL, **named)
        last = find_interval(calendar, day)
        return LatestRun(request, calendar, last, runner.open, Board(), given)

    return make
