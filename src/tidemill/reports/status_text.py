"""Text for the terminal: the status of tables, and the history of their intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol
from zoneinfo import ZoneInfo

from tidemill.errors import printable, shorten
from tidemill.model.counts import counted
from tidemill.reports.text import aligned, seconds_text

if TYPE_CHECKING:
    from tidemill.execution.unfinished import Unfinished
    from tidemill.recurring.interval_history import PublishedInterval
    from tidemill.recurring.table_status import RunNote, TableStatus

__all__ = ["age_text", "intervals_text", "share_text", "status_details", "status_lines"]

#: Runs, ids and intervals named in each line of the details.
NAMED = 5
_DAY = 86_400


class NextRun(Protocol):
    """A run of a deployment, as a server knows it."""

    @property
    def deployment(self) -> str:
        """Name of the deployment."""

    @property
    def type(self) -> str:
        """Type of its state, such as SCHEDULED."""

    @property
    def state(self) -> str:
        """Name of its state, such as Late."""

    @property
    def when(self) -> str:
        """When it starts, started or ended: ISO 8601."""

    @property
    def message(self) -> str:
        """Message of its state."""


def age_text(seconds: float) -> str:
    """An age for people, in days beyond two.

    Examples
    --------
    >>> age_text(300), age_text(29 * 3600), age_text(3.5 * 86400)
    ('5 min 0 s', '29 h 0 min', '3 d 12 h')
    """
    if seconds < 0:
        return f"-{age_text(-seconds)}"
    if seconds < 2 * _DAY:
        return seconds_text(seconds)
    days, rest = divmod(round(seconds / 3600), 24)
    return f"{days} d {rest} h"


def share_text(change: float | None) -> str:
    """A change for people.

    Examples
    --------
    >>> share_text(-0.162), share_text(0.0), share_text(None)
    ('-16 %', '+0 %', '-')
    """
    return "-" if change is None else f"{100 * change:+.0f} %"


def moment_text(text: str, timezone: str) -> str:
    """A moment for people, in a table's time zone.

    Examples
    --------
    >>> moment_text("2026-11-20T23:30:00+00:00", "Europe/Berlin")
    '2026-11-21 00:30 CET'
    """
    if not text:
        return "an unknown time"
    return f"{datetime.fromisoformat(text).astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M %Z}"


def intervals_text(found: Sequence[PublishedInterval]) -> str:
    """A line for each interval of a history, below their titles."""
    titles = f"{'interval':<17} {'published (UTC)':<17} {'run':<25} {'ids':>10} {'input rows':>12} "
    return "\n".join([f"{titles} {'digest':<17} warnings", *map(_interval_line, found)])


def _interval_line(one: PublishedInterval) -> str:
    rows = "-" if one.input_rows is None else f"{one.input_rows:,}"
    told = "not known: the record of its run is gone" if one.warnings is None else ""
    said = "; ".join(filter(None, (one.fault, told, *(one.warnings or ())))) or "none"
    published = one.published[:16].replace("T", " ")
    return printable(
        f"{one.label:<17} {published:<17} {one.run_id:<25} {one.ids:>10,} {rows:>12}  "
        f"{one.digest[:16]:<17} {said}"
    )


# A line for each table


_TITLES = (
    *("table", "last good", "age", "behind", "holes", "failed", "warned", "quarantined"),
    *("rows", "ids", "running", "next"),
)


def status_lines(found: Sequence[tuple[TableStatus, Sequence[NextRun]]]) -> str:
    """Titles, and a line for each table."""
    cells = [_cells(status, runs) for status, runs in found]
    whole = [one for one in cells if len(one) == len(_TITLES)]
    widths = [max(map(len, column)) for column in zip(_TITLES, *whole, strict=True)]
    widths[0] = max(len(one[0]) for one in [_TITLES, *cells])
    return "\n".join(_line(one, widths) for one in ([_TITLES] if whole else []) + cells)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    pairs = zip(cells, widths, strict=False)
    return "  ".join(f"{cell:<{width}}" for cell, width in pairs).rstrip()


def _cells(status: TableStatus, runs: Sequence[NextRun]) -> Sequence[str]:
    sink = printable(status.sink)
    if status.problem:
        return sink, status.problem
    good, changes = status.good, status.changes
    upcoming = [one for one in runs if one.type == "SCHEDULED"]
    return (
        sink,
        good.label if good else "none",
        "-" if status.age_seconds is None else age_text(status.age_seconds),
        *map(str, (status.behind, status.holes.count, len(status.failed), len(status.warned))),
        f"{good.quarantined:,}" if good else "-",
        share_text(changes.get("input_rows")),
        share_text(changes.get("ids")),
        str(len(status.running)),
        moment_text(upcoming[0].when, status.timezone) if upcoming else "-",
    )


# Everything about one table


def status_details(status: TableStatus, runs: Sequence[NextRun], server: str) -> str:
    """All that is known of a table: a title and a text in each line.

    Parameters
    ----------
    status : of the table
    runs : of deployments that write to it
    server : what to say of the server if it was not asked or did not answer; "" if it did
    """
    if status.problem:
        return f"{printable(status.sink)}: {status.problem}"
    lines = [
        *_good_lines(status),
        *_hole_lines(status),
        *(("Failed", _note_text(one)) for one in status.failed[:NAMED]),
        *_more("Failed", status.failed),
        *(("Warned", _note_text(one)) for one in status.warned[:NAMED]),
        *_more("Warned", status.warned),
        *_quarantine_lines(status),
        *(("Not as recorded", f"{n}: {fault}") for n, fault in [*status.faults.items()][-NAMED:]),
        *_more("Not as recorded", list(status.faults)),
        *(_unfinished_line(one, status.timezone) for one in status.unfinished[:NAMED]),
        *_more("Unfinished", status.unfinished),
        *(_run_line(one, status.timezone) for one in runs),
    ]
    if server:
        lines.append(("Next", server))
    return f"{printable(status.sink)}\n{aligned(lines, 16)}"


def _more(title: str, found: Sequence[object]) -> Iterator[tuple[str, str]]:
    if len(found) > NAMED:
        yield title, f"... and {len(found) - NAMED:,} more"


def _good_lines(status: TableStatus) -> Iterator[tuple[str, str]]:
    good = status.good
    if good is None or status.age_seconds is None:
        yield "Last good", "none: no rows are published that are as recorded"
        return
    made = counted(good.ids, "id")
    if good.input_rows is not None:
        made += f" from {counted(good.input_rows, 'input row')}"
    when = moment_text(good.published, status.timezone)
    yield "Last good", f"{good.label}: {made}; published {when} by run {good.run_id}"
    ended = "since it ended" if good.interval else "since the last run that finished"
    behind = _behind_text(status.behind)
    yield "Age", f"{age_text(status.age_seconds)} {ended}{behind}"
    if status.week_before is not None:
        names = {"input_rows": "input rows", "ids": "ids"}
        told = (f"{names[name]} {share_text(one)}" for name, one in status.changes.items())
        yield "Week before", f"{status.week_before.label}: {', '.join(told)} since then"


def _behind_text(count: int) -> str:
    if not count:
        return ""
    return f"; {counted(count, 'interval')} ended since then"


def _hole_lines(status: TableStatus) -> Iterator[tuple[str, str]]:
    holes = status.holes
    if holes.count:
        more = ", ..." if holes.count > len(holes.labels) else ""
        named = f"{holes.count:,} without rows: {', '.join(holes.labels)}{more}"
        yield "Holes", f"{named}; tidemill backfill fills them"


def _quarantine_lines(status: TableStatus) -> Iterator[tuple[str, str]]:
    good = status.good
    if good is None or not good.quarantined:
        return
    ages = ", ".join(f"{count:,} since {day}" for day, count in status.quarantined_since.items())
    named = shorten((f"{one.id} ({one.reason})" for one in status.quarantined), NAMED)
    of = f"{good.quarantined:,} of {counted(good.quarantined + good.ids, 'id')}"
    yield "Quarantined", ": ".join(one for one in (f"{of}, {ages}" if ages else of, named) if one)


def _note_text(note: RunNote) -> str:
    about = f"{note.label}: " if note.label else ""
    when = moment_text(note.when, "UTC")
    stopped = "was cancelled: " if note.state == "cancelled" else ""
    return f"{about}{stopped}{'; '.join(note.sentences)} (run {note.run_id}, {when})"


def _unfinished_line(one: Unfinished, timezone: str) -> tuple[str, str]:
    about = f"{one.label}: " if one.label else ""
    done = (
        f"{one.parts_done:,} of {counted(one.parts, 'part')} done"
        if one.parts
        else "no part done yet"
    )
    since = moment_text(one.since, timezone)
    if one.state == "ended":
        run = f"run {one.run_id}" if one.run_id else "a run"
        return "Unfinished", f"{about}{done}; {run} has ended, and the next one goes on from there"
    quiet = "; it gives no sign of life" if one.state == "silent" else ""
    title = "Silent" if one.state == "silent" else "Running"
    return title, f"{about}{done}, by run {one.run_id} of {one.owner} since {since}{quiet}"


def _run_line(run: NextRun, timezone: str) -> tuple[str, str]:
    """What the server knows of a run."""
    when = moment_text(run.when, timezone)
    by = f"by the deployment {run.deployment}"
    if run.type == "SCHEDULED":
        late = "" if run.state == "Scheduled" else f" ({run.state})"
        return "Next", f"{when} {by}{late}"
    if run.type in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}:
        told = f": {run.message}" if run.message and run.state != "Completed" else ""
        return "Last ended", f"{when} {by}, {run.state}{told}"
    return "On the server", f"{run.state} since {when} {by}"
