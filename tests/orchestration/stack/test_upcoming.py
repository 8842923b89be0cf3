"""What runs when next, in words; the server's part is tested with `tidemill up` itself."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from tidemill.orchestration.stack.upcoming import Upcoming, upcoming_text

NOW = datetime(2026, 11, 30, 22, 0, tzinfo=UTC)


def test_times_are_local_and_the_next_stands_first():
    local = NOW.astimezone(ZoneInfo("Europe/Berlin"))
    found = [
        Upcoming("backfill/all", None, is_scheduled=False),
        Upcoming("extract-interval/new", None, is_scheduled=True),
        Upcoming("extract-interval/daily", datetime(2026, 12, 1, 2, 30, tzinfo=UTC), True),
        Upcoming("extract-interval/late", datetime(2026, 11, 30, 21, 5, tzinfo=UTC), True),
    ]
    assert upcoming_text(found, local).splitlines() == [
        "extract-interval/late   now: due since Mon 2026-11-30 22:05 CET",
        "extract-interval/daily  Tue 2026-12-01 03:30 CET, in 4 h 30 min",
        "backfill/all            by hand",
        "extract-interval/new    scheduled",
    ]


def test_a_new_schedule_is_awaited():
    assert Upcoming("a/b", None, is_scheduled=True).is_awaited
    assert not Upcoming("a/b", NOW, is_scheduled=True).is_awaited
    assert not Upcoming("a/b", None, is_scheduled=False).is_awaited


def test_nothing_is_upcoming_without_deployments():
    assert upcoming_text([], NOW) == ""
