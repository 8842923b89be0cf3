"""What a person on call asks of a table: what readers get, how old it is, and what went wrong.

Facts only, as frozen data: pages, the command and metrics are made of them. Few files are read,
however many intervals a table has: its log, the records of its newest intervals and of the runs of
the last week, and the plans of results that are not published yet.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pyarrow as pa

from tidemill.errors import TidemillError, printable
from tidemill.execution.unfinished import Unfinished, unfinished_results
from tidemill.execution.verdicts import warnings_of
from tidemill.model.counts import counted
from tidemill.model.interval import Interval, utc
from tidemill.model.series import Quarantined
from tidemill.planning.quarantine import count_by_age
from tidemill.recurring.calendars import Calendar, moment, rules_of
from tidemill.recurring.intervals import interval_at, missing
from tidemill.recurring.table_calendar import calendar_of_table
from tidemill.storage.delta import INTERVAL, check_table, open_table
from tidemill.storage.dropped import dropped_before
from tidemill.storage.intervals import IntervalRecord, read_intervals
from tidemill.storage.layout import SinkLayout
from tidemill.storage.publish import Published, read_pointer
from tidemill.storage.record import RunRecord, history
from tidemill.storage.table_faults import COMPARED, TableLook, look_at_table

__all__ = ["GoodRows", "Holes", "RunNote", "TableStatus", "table_status"]

#: Runs whose records are read: those of the last days, but no more than so many.
RECENT = timedelta(days=7)
MOST_RUNS = 200
#: Older records of runs among which a finished one is looked for.
TRIED = 10
#: What is said of a path where tidemill left nothing.
NOTHING = "nothing is published here, and no run has worked on it"
#: Intervals named in a list of holes.
NAMED = 10
#: Intervals among which holes are looked for, counted back from the last good one.
SEARCHED = 100_000
_WEEK = 7 * 86_400 * 10**9
_SECOND = len("20300101T000000")


@dataclass(frozen=True, slots=True)
class GoodRows:
    """Rows that readers get: of an interval, or of a whole matrix; they passed their checks."""

    interval: str  # name; "": a matrix without intervals
    label: str  # for people: the interval, or when the matrix was published
    end: str  # ISO 8601 with the offset of the table's time zone: of the interval, or published
    published: str  # ISO 8601, UTC
    run_id: str
    ids: int  # rows of the matrix
    input_rows: int | None  # None: not recorded
    quarantined: int  # ids without a row
    digest: str


@dataclass(frozen=True, slots=True)
class Holes:
    """Intervals without rows that lie between published ones."""

    count: int = 0
    labels: tuple[str, ...] = ()  # of the newest, newest first


@dataclass(frozen=True, slots=True)
class RunNote:
    """What a run of the last days had to say."""

    interval: str  # name; "": a matrix without intervals
    label: str  # the same for people
    run_id: str
    state: str  # finished, failed, cancelled
    when: str  # ISO 8601, UTC: it ended
    sentences: tuple[str, ...]  # its warnings, or why it failed


@dataclass(frozen=True, slots=True)
class TableStatus:
    """The state of one table or file, as its own files tell it."""

    sink: str  # as given
    kind: Literal["intervals", "matrix", "nothing"]
    problem: str = ""  # why there is nothing to tell, in a sentence
    good: GoodRows | None = None  # the last good interval, or matrix
    age_seconds: float | None = None  # from the end of the interval until now
    every: str = ""  # of the table's calendar
    timezone: str = "UTC"  # likewise
    behind: int = 0  # intervals that ended since, and are not published
    week_before: GoodRows | None = None  # what the last good rows are compared with
    holes: Holes = Holes()
    failed: tuple[RunNote, ...] = ()  # newest first; the last run of an interval failed
    warned: tuple[RunNote, ...] = ()  # newest first
    quarantined: tuple[Quarantined, ...] = ()  # of the last good rows: the first thousand
    quarantined_since: Mapping[str, int] = field(default_factory=dict)  # day -> ids
    faults: Mapping[str, str] = field(default_factory=dict)  # label: why it is not as recorded
    unfinished: tuple[Unfinished, ...] = ()
    seconds: float | None = None  # that the last finished run took; None: none of the last days

    @property
    def running(self) -> list[Unfinished]:
        """Runs that work on the table now."""
        return [one for one in self.unfinished if one.state == "running"]

    @property
    def changes(self) -> dict[str, float]:
        """How much more there is than a week before: -0.16 is 16 % less."""
        now, before = self.good, self.week_before
        if now is None or before is None:
            return {}
        pairs = {"input_rows": (now.input_rows, before.input_rows), "ids": (now.ids, before.ids)}
        return {name: n / b - 1 for name, (n, b) in pairs.items() if n is not None and b}

    def is_older_than(self, seconds: float) -> bool:
        """Whether there is no good interval, or it ended longer ago."""
        return self.age_seconds is None or self.age_seconds > seconds

    def to_json(self) -> dict[str, Any]:
        """The status as JSON values."""
        return {**asdict(self), "changes": self.changes}


def table_status(
    sink: str | os.PathLike[str],
    storage_options: Mapping[str, str] | None = None,
    now: datetime | None = None,
) -> TableStatus:
    """The status of a table of intervals, of a table without, or of a file; writes nothing.

    A table that cannot be read is no error: `problem` says what is wrong with it.

    Examples
    --------
    >>> found = table_status("nowhere")
    >>> found.kind, found.problem
    ('nothing', 'nothing is published here, and no run has worked on it')
    """
    given = os.fspath(sink)
    try:
        return _status(given, SinkLayout.of(given, storage_options), now or datetime.now(UTC))
    except (TidemillError, OSError) as error:
        return TableStatus(given, "nothing", f"{type(error).__name__}: {printable(error)}")


def _status(sink: str, layout: SinkLayout, now: datetime) -> TableStatus:
    runs = _recent_runs(layout, now)
    look = look_at_table(layout, COMPARED) if layout.kind == "delta" else TableLook((), {}, {})
    if look.names:
        found = _of_intervals(sink, layout, look, now)
    else:
        found = _of_matrix(sink, layout, runs, now)
    unfinished = tuple(unfinished_results(layout))
    if found.kind == "nothing" and not runs and not unfinished:
        return found
    latest = _latest_of_each(runs)
    return replace(
        found,
        problem="",
        kind="intervals" if _has_intervals(found, runs, unfinished) else "matrix",
        failed=tuple(map(_note, _unsettled(layout, latest))),
        warned=tuple(_note(one) for one in latest if _warns(one)),
        unfinished=unfinished,
        seconds=next((sum(one.seconds.values()) for one in runs if one.state == "finished"), None),
    )


def _has_intervals(
    found: TableStatus, runs: Sequence[RunRecord], unfinished: Sequence[Unfinished]
) -> bool:
    """Whether a table has intervals; of one where nothing is published, its runs tell."""
    if found.kind != "nothing":
        return found.kind == "intervals"
    return any(run.interval for run in runs) or any(one.interval for one in unfinished)


# A table of intervals


def _of_intervals(sink: str, layout: SinkLayout, look: TableLook, now: datetime) -> TableStatus:
    last, known = _last_good(layout, look)
    found = TableStatus(sink, "intervals", faults=look.labelled_faults(layout))
    if last is None:
        return found
    calendar = calendar_of_table(sorted(known.values(), key=lambda one: -one.start))
    before = _week_before(layout, calendar, last) if calendar else None
    return replace(
        found,
        good=_interval_rows(last),
        age_seconds=(moment(now) - last.end) / 1e9,
        every=calendar.every if calendar else last.every,
        timezone=last.timezone,
        behind=_ended_since(calendar, last, now) if calendar else 0,
        week_before=_interval_rows(before) if before else None,
        holes=_holes(layout, calendar, look.names, last) if calendar else Holes(),
        quarantined=last.quarantined,
        quarantined_since=count_by_age(last.quarantined, ""),
    )


def _last_good(
    layout: SinkLayout, look: TableLook
) -> tuple[IntervalRecord | None, Mapping[str, IntervalRecord]]:
    """The last interval that the table shows as recorded, and the records that were read."""
    known = look.known
    for name in reversed(look.names):
        if name in look.faults:
            continue
        if name not in known:  # older than those that were looked at
            known = {**known, **read_intervals(layout, [name])}
        if name in known:
            return known[name], known
    return None, known


def _interval_rows(record: IntervalRecord) -> GoodRows:
    end = utc(record.end).astimezone(rules_of(Calendar("1d", record.timezone)).zone)
    return GoodRows(
        interval=record.name,
        label=record.label,
        end=end.isoformat(),
        published=record.published,
        run_id=record.run_id,
        ids=record.facts.get("rows", sum(one.rows for one in record.parts)),
        input_rows=record.facts.get("input_rows") or None,
        quarantined=record.facts.get("quarantined", len(record.quarantined)),
        digest=record.digest,
    )


def _week_before(
    layout: SinkLayout, calendar: Calendar, record: IntervalRecord
) -> IntervalRecord | None:
    """The interval that began a week earlier by the local clock, or the one before a long one."""
    rules = rules_of(calendar)
    if rules.step >= _WEEK:
        wanted = interval_at(calendar, record.start - 1)
    else:
        local = utc(record.start).astimezone(rules.zone) - timedelta(days=7)
        wanted = interval_at(calendar, moment(local))
    return read_intervals(layout, [wanted.name]).get(wanted.name)


def _ended_since(calendar: Calendar, record: IntervalRecord, now: datetime) -> int:
    """How many intervals ended after one, until now."""
    rules = rules_of(calendar)
    return max(rules.index(moment(now)) - rules.index(record.start) - 1, 0)


def _holes(
    layout: SinkLayout, calendar: Calendar, names: Sequence[str], last: IntervalRecord
) -> Holes:
    earliest = last.start - SEARCHED * rules_of(calendar).step
    first = max(interval_at(calendar, earliest).name, dropped_before(layout))
    own = Interval(last.start, last.end, last.window_start)
    found = missing(calendar, [name for name in names if name >= first], own)
    return Holes(len(found), tuple(one.label for one in found[: -NAMED - 1 : -1]))


# A matrix without intervals


def _of_matrix(
    sink: str, layout: SinkLayout, runs: Sequence[RunRecord], now: datetime
) -> TableStatus:
    try:
        shown = read_pointer(layout)
    except ValueError as error:
        return _faulty(sink, f"the pointer to what is published is damaged ({error})")
    has_intervals, rows, size = _shown(layout)
    if has_intervals:
        return TableStatus(sink, "intervals")
    if fault := _fault_of_matrix(shown, rows, size):
        return _faulty(sink, fault)
    if shown is None:
        return TableStatus(
            sink, "nothing", "nothing is published here, and no run has worked on it"
        )
    own = next((one for one in _finished(runs) if one.result_key == shown.result_key), None)
    good = _matrix_rows(shown, own)
    return TableStatus(
        sink,
        "matrix",
        good=good,
        age_seconds=(now - datetime.fromisoformat(good.end)).total_seconds(),
        week_before=_matrix_before(layout, good),
        quarantined=own.quarantined if own else (),
        quarantined_since=count_by_age(own.quarantined, "") if own else {},
    )


def _faulty(sink: str, fault: str) -> TableStatus:
    return TableStatus(sink, "matrix", faults={"the matrix": fault})


def _shown(layout: SinkLayout) -> tuple[bool, int | None, int | None]:
    """Whether a sink has intervals, how many rows it shows, and the size of a file.

    None: nothing is there, or it cannot be told.
    """
    if layout.kind == "file":
        try:
            return False, None, layout.home.info(layout.name).size
        except FileNotFoundError:
            return False, None, None
    table = open_table(layout)
    if table is None:
        return False, None, None
    has_intervals = INTERVAL in table.metadata().partition_columns
    check_table(table, layout.url, intervals=has_intervals)
    rows = pa.table(table.get_add_actions(flatten=True))["num_records"].to_pylist()
    return has_intervals, sum(one or 0 for one in rows), 0


def _fault_of_matrix(shown: Published | None, rows: int | None, size: int | None) -> str:
    """Why a sink without intervals does not show what was published; "" if it does."""
    if shown is None:
        return "" if size is None else "nothing is recorded of what it shows"
    if size is None:
        return "it is gone"
    if shown.size and size != shown.size:
        return f"the file has {size:,} bytes, {shown.size:,} were written"
    if rows is not None and rows != shown.rows:
        published = counted(shown.rows, "was published", "were published")
        return f"the table shows {counted(rows, 'row')}, {published}"
    return ""


def _matrix_rows(shown: Published | None, run: RunRecord | None) -> GoodRows:
    """What is published, as the pointer tells it and the run that published or confirmed it."""
    assert shown is not None or run is not None, "something is known of it"
    published = run.finished if run else _iso(shown.published if shown else 0.0)
    return GoodRows(
        interval="",
        label=published[:16].replace("T", " ") + " UTC",
        end=published,
        published=published,
        run_id=run.run_id if run else shown.run_id if shown else "",
        ids=run.rows if run else shown.rows if shown else 0,
        input_rows=None,
        quarantined=run.parts.get("quarantined", 0) if run else 0,
        digest=run.digest if run else shown.digest if shown else "",
    )


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _matrix_before(layout: SinkLayout, good: GoodRows) -> GoodRows | None:
    """What was published a week before, by the records of runs."""
    week_before = datetime.fromisoformat(good.end) - timedelta(days=7)
    found = _finished(history(layout, TRIED, before=week_before.isoformat()))
    return next((_matrix_rows(None, one) for one in found), None)


# Runs


def _recent_runs(layout: SinkLayout, now: datetime) -> list[RunRecord]:
    """The records of the last week, newest first; if no run finished, some older ones too."""
    since = (now - RECENT).isoformat()
    found = history(layout, MOST_RUNS, since=since)
    return found if any(_finished(found)) else found + history(layout, TRIED, before=since)


def _finished(runs: Iterable[RunRecord]) -> Iterator[RunRecord]:
    return (one for one in runs if one.state == "finished")


def _latest_of_each(runs: Iterable[RunRecord]) -> list[RunRecord]:
    """The newest run of each interval."""
    found: dict[str | None, RunRecord] = {}
    for one in runs:
        found.setdefault(one.interval, one)
    return list(found.values())


def _unsettled(layout: SinkLayout, latest: Iterable[RunRecord]) -> list[RunRecord]:
    """The runs that failed, unless their interval was found unchanged since."""
    failed = [one for one in latest if one.state != "finished"]
    known = read_intervals(layout, {one.interval for one in failed if one.interval})
    settled = {name: record.settled for name, record in known.items()}
    return [one for one in failed if _is_later(one.run_id, settled.get(one.interval or "", ""))]


def _is_later(run_id: str, other: str) -> bool:
    """Whether a run is another one, and did not start before it; ids begin with the second."""
    return run_id != other and run_id[:_SECOND] >= other[:_SECOND]


def _warns(run: RunRecord) -> bool:
    return run.state == "finished" and bool(warnings_of(run))


def _note(run: RunRecord) -> RunNote:
    return RunNote(
        interval=run.interval or "",
        label=run.interval_label or run.interval or "",
        run_id=run.run_id,
        state=run.state,
        when=run.finished,
        sentences=warnings_of(run) if run.state == "finished" else (run.message,),
    )
