"""Dates and times are found among published intervals; see also test_read_matrix."""

from __future__ import annotations

import pytest

from tidemill.errors import SinkError
from tidemill.storage.interval_choice import choose_intervals, zone_of_table
from tidemill.storage.layout import SinkLayout

NAMES = ["20181103T030000Z", "20181104T030000Z", "20181105T020000Z"]
ZONE = "America/Sao_Paulo"


@pytest.fixture
def layout(tmp_path) -> SinkLayout:
    return SinkLayout.of(tmp_path / "table")


def test_a_day_whose_midnight_the_clock_skips_is_found_by_its_date(layout):
    assert choose_intervals(layout, NAMES, "2018-11-04", ZONE) == [NAMES[1]]
    assert choose_intervals(layout, NAMES, "2018-11-04 00:00", ZONE) == [NAMES[1]]
    assert choose_intervals(layout, NAMES, "2018-11-04 01:00", ZONE) == [NAMES[1]]
    assert choose_intervals(layout, NAMES, slice("2018-11-04", None), ZONE) == NAMES[1:]


def test_a_day_that_starts_at_another_hour_is_found_by_its_date(layout):
    assert choose_intervals(layout, ["20260102T060000Z"], "2026-01-02", "UTC")
    with pytest.raises(SinkError, match="it has 2026-01-02 06:00"):
        choose_intervals(layout, ["20260102T060000Z"], "2026-01-03", "UTC")


def test_a_table_without_records_has_utc(layout):
    assert zone_of_table(layout) == "UTC"
