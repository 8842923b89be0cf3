"""Choose published intervals by date, by time, by a span of times, or by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from tidemill.errors import ArgumentError, SinkError, shorten
from tidemill.model.interval import start_of_name
from tidemill.storage.intervals import label_of_name, latest_interval
from tidemill.storage.layout import SinkLayout

__all__ = ["IntervalChoice", "choose_intervals", "zone_of_table"]

#: A date or time, as text or object, a name such as "20261126T230000Z", or a span of them.
IntervalChoice: TypeAlias = str | date | slice

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Moments:
    """What a date or time can mean."""

    first: list[datetime]  # starts that fit exactly; two if the local clock shows a time twice
    until: datetime | None = None  # of a date: the end of its day


def zone_of_table(layout: SinkLayout) -> str:
    """The time zone of a table's calendar; "UTC" if it is not recorded."""
    latest = latest_interval(layout)
    return latest.timezone if latest else "UTC"


def choose_intervals(
    layout: SinkLayout, names: Sequence[str], choice: IntervalChoice, timezone: str
) -> list[str]:
    """The names of the intervals that are meant, oldest first; for a span there may be several.

    Parameters
    ----------
    layout : the table, for messages
    names : of its published intervals, ascending
    choice : a date or time at which an interval starts, or a half-open span of starts
    timezone : IANA name; of dates, and of times without a zone

    Raises
    ------
    ArgumentError
        If the choice is neither a date, a time nor a span of them.
    SinkError
        If no published interval is meant, or several by one date or time.
    """
    _check_type(choice)
    if isinstance(choice, slice):
        found = _between(names, choice, ZoneInfo(timezone))
    else:
        found = _starting(names, choice, ZoneInfo(timezone))
        if len(found) > 1:
            raise SinkError(
                f"{_shown(choice)} stands for several intervals of {layout.url}: "
                f"{_labels(layout, found)}; give the time of one with its offset, or a slice"
            )
    if not found:
        raise SinkError(
            f"{_shown(choice)} is not published at {layout.url}; it has {_labels(layout, names)}"
        )
    return found


def _check_type(choice: Any) -> None:
    """Refuse what is no date or time, nor a span of two."""
    ends = [choice.start, choice.stop] if isinstance(choice, slice) else [choice]
    for one in ends:
        if not (isinstance(one, str | date) or (one is None and len(ends) > 1)):
            raise ArgumentError(
                f"interval={choice!r} is not allowed: {one!r} is a {type(one).__name__}; give a "
                "date or time such as '2026-11-27' or '2026-11-27 06:00', or a slice of two"
            )


def _starting(names: Sequence[str], choice: str | date, zone: ZoneInfo) -> list[str]:
    """The intervals that start at a time, or on a date."""
    try:
        meant = _moments(choice, zone)
    except ValueError:
        return []
    starts = {_start(name): name for name in names}
    if meant.until is None:
        return [starts[one] for one in meant.first if one in starts]
    return [name for one, name in starts.items() if meant.first[0] <= one < meant.until]


def _between(names: Sequence[str], span: slice, zone: ZoneInfo) -> list[str]:
    """The intervals that start in a half-open span."""
    if span.step is not None:
        raise ArgumentError(f"interval={span!r} has a step; give slice(start, end)")
    try:
        lower, upper = (
            None if one is None else _moments(one, zone).first[0] for one in (span.start, span.stop)
        )
    except ValueError as error:
        raise ArgumentError(
            f"{_shown(span)} is not a span: {error}; give dates or times such as '2026-11-27' or "
            "'2026-11-27 06:00', or None for an open end"
        ) from None
    return [
        name
        for name in names
        if (lower is None or lower <= _start(name)) and (upper is None or _start(name) < upper)
    ]


def _moments(given: str | date, zone: ZoneInfo) -> _Moments:
    """The moments of a date, a time or a name; ValueError if it is none of them."""
    if isinstance(given, str):
        start = start_of_name(given)
        if start is not None:
            return _Moments([_EPOCH + timedelta(microseconds=start // 1_000)])
        is_date = len(given.strip()) == len("2026-11-27")
        given = date.fromisoformat(given.strip()) if is_date else datetime.fromisoformat(given)
    if isinstance(given, datetime):
        return _Moments(_readings(given, zone))
    midnight = datetime(given.year, given.month, given.day, tzinfo=UTC).replace(tzinfo=None)
    return _Moments([_reached(midnight, zone)], _reached(midnight + _DAY, zone))


def _readings(time: datetime, zone: ZoneInfo) -> list[datetime]:
    """A time in UTC: two if it has no zone and the local clock shows it twice."""
    plain = datetime.fromisoformat(time.isoformat())  # arithmetic of subclasses may differ
    if plain.tzinfo is not None:
        return [plain.astimezone(UTC)]
    both = {plain.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    shown = [one for one in both if one.astimezone(zone).replace(tzinfo=None, fold=0) == plain]
    return sorted(shown) or [_reached(plain, zone)]


def _reached(clock: datetime, zone: ZoneInfo) -> datetime:
    """When the local clock reaches a time first, also if it skips it."""
    both = sorted(clock.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if both[0].astimezone(zone).replace(tzinfo=None, fold=0) == clock:
        return both[0]
    early, late = both
    while late - early > timedelta(seconds=1):  # it is skipped at a moment between the two
        middle = early + timedelta(seconds=(late - early) // timedelta(seconds=2))
        reached = middle.astimezone(zone).replace(tzinfo=None, fold=0) >= clock
        early, late = (early, middle) if reached else (middle, late)
    return late


def _start(name: str) -> datetime:
    return _EPOCH + timedelta(microseconds=(start_of_name(name) or 0) // 1_000)


def _labels(layout: SinkLayout, names: Sequence[str]) -> str:
    """Intervals for a message: the first of many are read from their records, not all."""
    return shorten([*(label_of_name(layout, one) for one in names[:10]), *names[10:]])


def _shown(choice: IntervalChoice) -> str:
    """A choice as people write it."""
    if isinstance(choice, slice):
        return f"interval=slice({_text(choice.start)}, {_text(choice.stop)})"
    return f"interval={_text(choice)}"


def _text(one: Any) -> str:
    if isinstance(one, datetime):
        return repr(one.isoformat(" "))
    return repr(one.isoformat() if isinstance(one, date) else one)
