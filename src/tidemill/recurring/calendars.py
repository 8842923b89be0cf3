"""Divide time into intervals: calendars and local clocks.

All times are integers: nanoseconds since 1970 in UTC, as in a block's ``times``.

A day starts at the first moment at which the local clock has reached midnight (or the anchor's time
of day). If a clock change skips that time, this is the moment of the change; if the clock shows it
twice, it is the first of the two. So starts never go backwards from day to day, whatever the rules
of a time zone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from tidemill.errors import ArgumentError
from tidemill.model.durations import parse_duration
from tidemill.model.interval import MOST_INTERVALS, utc
from tidemill.model.zones import likely_zone

__all__ = [
    "EARLIEST",
    "LATEST",
    "Calendar",
    "Rules",
    "calendar_of",
    "moment",
    "read_times",
    "refusal",
    "rules_of",
    "shown",
]

#: Years that users may give: with the longest window before them, and the longest step on either
#: side, times fit into int64 nanoseconds (1677 to 2262).
EARLIEST, LATEST = 1800, 2249
_SECOND = 10**9
_DAY = 86_400 * _SECOND
_LONGEST = {"every": 366, "window": 36_600}  # days
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Default anchor: a Monday, so that weeks start on Mondays. In that northern winter, nearly all
#: zones had the offset that they have in winter today (in 1970 some had not: London, Monrovia).
_MONDAY = datetime(2000, 1, 3)  # noqa: DTZ001 (local, in every zone)
_DAYS = re.compile(r"\s*(\d+\s*[dw]\s*)+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Calendar:
    """How time is divided into intervals, and which data each of them covers.

    Whole days and weeks ("1d", "2w") are days of the local calendar, of 23 to 25 hours. All other
    steps ("15min", "6h", "24h") are absolute: an hourly calendar has 25 intervals on a day of 25
    hours, and "7h" goes on across midnight.

    Attributes
    ----------
    every : length of an interval: whole days or weeks, or hours, minutes and seconds
    timezone : IANA name of the time zone that defines days and weeks
    anchor : any time at which an interval starts (local unless it has an offset), or a duration
        shorter than `every` after the default; default: local midnight of Monday 2000-01-03, so
        that days start at midnight, weeks on Monday, and hours with the local hour
    window : how much time before its end an interval's row covers; default: the interval itself.
        Whole days and weeks are local ones if those of `every` are, otherwise of 24 hours
    lag : how long after its end an interval is considered closed
    lookback : how many intervals before the last closed one are examined again; default:
        ``ceil(window / every)``, so that a row that arrives up to one window (and at least one
        interval) after its interval closed is found by every interval whose window holds it

    Raises
    ------
    ArgumentError
        If a value is not allowed.

    Examples
    --------
    >>> Calendar("1d", "Europe/Berlin", window="7d", lag="2h").earlier
    7
    """

    every: str
    timezone: str = "UTC"
    anchor: str | None = None
    window: str | None = None
    lag: str = "0s"
    lookback: int | None = None

    def __post_init__(self) -> None:
        _make_rules(self)

    @property
    def earlier(self) -> int:
        """How many intervals before the last closed one are examined again."""
        return rules_of(self).earlier


def calendar_of(given: Mapping[str, Any]) -> Calendar:
    """The calendar described by a flow's parameters; other parameters are ignored.

    Raises
    ------
    ArgumentError
        If a value is not allowed.

    Examples
    --------
    >>> calendar_of({"every": "6h", "timezone": "UTC", "sink": "table"})
    Calendar(every='6h', timezone='UTC', anchor=None, window=None, lag='0s', lookback=None)
    """
    return Calendar(**{one.name: given[one.name] for one in fields(Calendar) if one.name in given})


class _Span(NamedTuple):
    """A length of time."""

    days: int  # on the local calendar; 0: the length is absolute
    nanoseconds: int  # a day counts as 24 hours


@dataclass(frozen=True, slots=True)
class Rules:
    """A calendar's values, parsed."""

    zone: ZoneInfo
    days: int  # of a step on the local calendar; 0: steps are absolute
    step: int  # nanoseconds; a day counts as 24 hours
    clock: datetime  # what the local clock shows when interval 0 starts
    origin: int  # when interval 0 starts
    window: _Span
    lag: int
    earlier: int

    def boundary(self, index: int) -> int:
        """When interval `index` starts; same as the next one if the clock skips it."""
        if not self.days:
            return self.origin + index * self.step
        return _reach(self.clock + index * timedelta(self.days), self.zone)

    def index(self, time: int) -> int:
        """The number of the interval that contains `time`."""
        if not self.days:
            return (time - self.origin) // self.step
        index = (clock_at(time, self.zone) - self.clock) // timedelta(self.days)
        while self.boundary(index) > time:  # the clock was put back
            index -= 1
        while self.boundary(index + 1) <= time:
            index += 1
        return index

    def window_start(self, index: int, end: int) -> int:
        """The start of the window that ends at boundary `index`, which is `end`."""
        if not (self.days and self.window.days):
            return end - self.window.nanoseconds
        days = timedelta(index * self.days - self.window.days)
        return _reach(self.clock + days, self.zone)

    def text(self, time: int) -> str:
        """A time as text that users can pass back."""
        return utc(time).astimezone(self.zone).isoformat()


def _make_rules(calendar: Calendar) -> Rules:
    zone = _zone(calendar.timezone)
    every = _step(calendar.every)
    window = every if calendar.window is None else _span("window", calendar.window)
    lag = parse_duration("lag", calendar.lag, allow_zero=True)
    earlier = _earlier(calendar.lookback, window, every)
    clock, origin = _anchor(calendar.anchor, zone, every)
    return Rules(zone, *every, clock, origin, window, lag, earlier)


#: Parsed once: a run needs hundreds of intervals of one calendar.
rules_of = lru_cache(maxsize=64)(_make_rules)


def _zone(name: Any) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (LookupError, OSError, TypeError, ValueError) as error:  # OSError: a folder's name
        meant = likely_zone(name)
        remedy = f"write {meant!r}, an" if meant else "give an"
        raise refusal(
            "timezone",
            name,
            f"{remedy} IANA name such as 'UTC' or 'Europe/Berlin' (a machine without "
            "a time zone database needs the package tzdata)",
        ) from error


def _span(argument: str, value: Any) -> _Span:
    if not isinstance(value, str):
        raise refusal(argument, value, "give a text such as '15min', '1h', '1d' or '1w'")
    nanoseconds = parse_duration(argument, value)
    if nanoseconds > _LONGEST[argument] * _DAY:
        raise refusal(argument, value, f"give at most '{_LONGEST[argument]}d'")
    if _DAYS.fullmatch(value):
        return _Span(nanoseconds // _DAY, nanoseconds)
    if re.search("[dw]", value, re.IGNORECASE):
        raise refusal(
            argument,
            value,
            "give whole days or weeks, which are days of the local calendar, or "
            "hours, minutes and seconds ('36h'), which are absolute",
        )
    return _Span(0, nanoseconds)


def _step(value: Any) -> _Span:
    every = _span("every", value)
    if every.nanoseconds % _SECOND:
        raise refusal(
            "every", value, "give whole seconds, because interval names have no fractions"
        )
    return every


def _earlier(lookback: Any, window: _Span, every: _Span) -> int:
    if lookback is None:
        steps = -(-window.nanoseconds // every.nanoseconds)
        if steps <= MOST_INTERVALS:
            return steps
        raise refusal(
            "lookback",
            lookback,
            f"window is {steps:,} times as long as every, too long for the "
            f"default; give a number of intervals from 0 to {MOST_INTERVALS:,}",
        )
    if type(lookback) is not int or not 0 <= lookback <= MOST_INTERVALS:
        raise refusal(
            "lookback", lookback, f"give a number of intervals from 0 to {MOST_INTERVALS:,}"
        )
    return lookback


def _anchor(value: Any, zone: ZoneInfo, every: _Span) -> tuple[datetime, int]:
    """The local time at the anchor, and the anchor itself."""
    offset = _offset(value)
    if offset is None:
        return _given_anchor(value, zone)
    if offset >= every.nanoseconds or offset % _SECOND:
        raise refusal(
            "anchor", value, "give a time, or a duration of whole seconds shorter than every"
        )
    clock = _MONDAY + timedelta(seconds=offset // _SECOND)
    return clock, _reach(clock, zone)


def _offset(anchor: Any) -> int | None:
    """Nanoseconds after the default anchor; None if it is not a duration."""
    if anchor is None:
        return 0
    try:
        return parse_duration("anchor", anchor, allow_zero=True)
    except ArgumentError:
        return None


def _given_anchor(value: Any, zone: ZoneInfo) -> tuple[datetime, int]:
    given = _parse("anchor", value, "or a duration shorter than every, such as '6h'")
    if given.microsecond:
        raise refusal("anchor", value, "give whole seconds")
    if not given.tzinfo:
        return given, _reach(given, zone)
    return clock_at(moment(given), zone), moment(given)


def read_times(rules: Rules, argument: str, value: Any) -> list[int]:
    """Read a time as moments: two if the local clock shows that time twice.

    Raises
    ------
    ArgumentError
        If it is not a time, or the local clock skips it and no interval starts instead.
    """
    given = _parse(argument, value, "or an interval's name ('20261120T000000Z')")
    if given.tzinfo:
        return [moment(given)]
    readings = {moment(given.replace(tzinfo=rules.zone, fold=fold)) for fold in (0, 1)}
    times = sorted(time for time in readings if clock_at(time, rules.zone) == given)
    times = times or _skipped(rules, given)
    if not times:
        following = rules.text(_reach(given, rules.zone))
        raise refusal(
            argument,
            value,
            f"the clocks of {rules.zone.key} skip this time; the next one is {following!r}",
        )
    return times


def _skipped(rules: Rules, clock: datetime) -> list[int]:
    """The start of a day whose midnight the local clock skips; nothing for any other time."""
    index, rest = divmod(clock - rules.clock, timedelta(rules.days or 1))
    start = _reach(clock, rules.zone)
    return [start] if rules.days and not rest and rules.index(start) == index else []


def _parse(argument: str, value: Any, alternative: str) -> datetime:
    text = value.isoformat() if isinstance(value, date) else value
    try:
        time = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise refusal(
            argument,
            value,
            "give a local time such as '2026-11-20T00:00', one with its offset "
            f"('2026-11-20T00:00+01:00'), {alternative}",
        ) from error
    if not EARLIEST <= time.year <= LATEST:
        raise refusal(argument, value, f"give a year from {EARLIEST} to {LATEST}")
    return time


def moment(time: datetime) -> int:
    """Nanoseconds since 1970 of a time with a time zone."""
    plain = datetime.fromisoformat(
        time.astimezone(UTC).isoformat()
    )  # arithmetic of subclasses may differ
    return (plain - _EPOCH) // timedelta(microseconds=1) * 1_000


def clock_at(time: int, zone: ZoneInfo) -> datetime:
    """The local time of a moment, without its zone."""
    return utc(time).astimezone(zone).replace(tzinfo=None, fold=0)


@lru_cache(maxsize=1024)  # a walk over intervals needs each boundary several times
def _reach(clock: datetime, zone: ZoneInfo) -> int:
    """The first moment at which the local clock has reached a time."""
    late = moment(clock.replace(tzinfo=zone))
    if clock_at(late, zone) == clock:
        return late
    # The clock skips it at a moment between the readings with the offsets before and after.
    early = moment(clock.replace(tzinfo=zone, fold=1))
    while late - early > _SECOND:
        middle = (early + late) // (2 * _SECOND) * _SECOND
        early, late = (early, middle) if clock_at(middle, zone) >= clock else (middle, late)
    return late


def shown(value: Any) -> str:
    """A value for a message; times as text that may be given instead."""
    return repr(value.isoformat() if isinstance(value, date) else value)


def refusal(argument: str, value: Any, remedy: str) -> ArgumentError:
    """The error for an argument whose value is not allowed, with the remedy."""
    return ArgumentError(f"{argument}={shown(value)} is not allowed: {remedy}")
