"""Text for the terminal: the summary of a run, the history of a sink, costs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tidemill.errors import printable, shorten
from tidemill.model.counts import counted

if TYPE_CHECKING:
    from tidemill.frames.feature_costs import Cost
    from tidemill.storage.record import RunRecord
    from tidemill.storage.verify_table import Verified

__all__ = [
    "ages_text",
    "costs_text",
    "faults_text",
    "history_text",
    "older_text",
    "quarantine_text",
    "summary_text",
    "table_text",
    "verified_text",
]

#: Calculators named in a summary.
SLOWEST = 5
#: Characters of a cell of a table.
CELL = 90
#: Intervals named that a table does not show as recorded.
FAULTS = 10


def seconds_text(seconds: float) -> str:
    """A duration, for people to read.

    Examples
    --------
    >>> seconds_text(0.00234), seconds_text(0.0123), seconds_text(75), seconds_text(7300)
    ('2.34 ms', '12 ms', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 0.1:
        return f"{1e3 * seconds:.{0 if seconds >= 0.00995 else 2}f} ms"
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def percent_text(share: float) -> str:
    """A share with at most three significant digits; nonzero ones never print as 0%.

    Examples
    --------
    >>> percent_text(0.12345), percent_text(0.00001), percent_text(0), percent_text(1)
    ('12.3%', '0.001%', '0%', '100%')
    """
    return f"{100 * share:.3g}%"


def number_text(value: float | None, digits: int = 4) -> str:
    """A number with so many significant digits, or as a whole number below a million.

    Examples
    --------
    >>> number_text(1.23456), number_text(24283.1), number_text(1e-9), number_text(None)
    ('1.235', '24,283', '1e-09', '-')
    """
    if value is None:
        return "-"
    return f"{value:,.0f}" if 1e3 <= abs(value) < 1e6 else f"{value:.{digits}g}"


def bytes_text(size: float) -> str:
    """A size, for people to read.

    Examples
    --------
    >>> bytes_text(512), bytes_text(3 * 2**20)
    ('512 B', '3.0 MiB')
    """
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def slowest_calculators(seconds: Mapping[str, float], n: int = SLOWEST) -> list[tuple[str, float]]:
    """The ``n`` entries with the most seconds, slowest first.

    Examples
    --------
    >>> slowest_calculators({"mean": 0.1, "median": 0.5}, 1)
    [('median', 0.5)]
    """
    return sorted(seconds.items(), key=lambda item: -item[1])[:n]


def summary_text(summary: Mapping[str, Any]) -> str:
    """The summary of a run, in a few aligned lines."""
    parts = summary["parts"]
    matrix = f"{counted(summary['rows'], 'row')} x {counted(summary['columns'], 'column')}"
    lines = [
        ("Verdict", summary["verdict"]),
        ("Feature matrix", summary["sink"]),
        ("Size", matrix),
        ("Parts", ", ".join(f"{count:,} {name}" for name, count in parts.items())),
        ("Steps", _joined(summary["seconds"])),
        ("Cluster", f"{summary['cluster']}, {counted(summary['task_runs'], 'Prefect task run')}"),
        ("Digest", summary["digest"][:16]),
    ]
    if summary["seconds_by_calculator"]:
        slowest = dict(slowest_calculators(summary["seconds_by_calculator"]))
        lines.insert(5, ("Slowest", _joined(slowest)))
    if summary["quarantined"]:
        lines.append(("Quarantined", quarantine_text(summary)))
    if summary.get("bad_files"):
        lines.append(("Left out", _left_out_text(summary["bad_files"])))
    if summary["errors"]:
        lines.append(("Errors", _errors_text(summary["errors"])))
    if summary.get("note"):
        lines.append(("Note", summary["note"]))
    lines += [("Report", one["address"]) for one in summary.get("reports", ())]
    if "seconds_in_all" in summary:
        lines.append(("Seconds in all", seconds_text(summary["seconds_in_all"])))
    return aligned(lines)


def aligned(lines: Iterable[tuple[str, str]], width: int = 15) -> str:
    """Titles and texts, a line each, whatever the texts hold."""
    return "\n".join(f"{printable(title):<{width}} {printable(text)}" for title, text in lines)


def table_text(
    titles: Sequence[str], rows: Iterable[Sequence[object]], limit: int = CELL
) -> list[str]:
    """A table in lines of equal columns, whatever its cells hold; numbers stand on the right.

    Examples
    --------
    >>> for line in table_text(["interval", "rows"], [["2026-11-20", 1200], ["later", None]]):
    ...     print(line)
    interval     rows
    2026-11-20  1,200
    later           -
    """
    listed = [list(row) for row in rows]
    numeric = [any(isinstance(row[i], int | float) for row in listed) for i in range(len(titles))]
    lines = [list(titles), *([_cell_text(cell, limit) for cell in row] for row in listed)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    shaped = list(zip(widths, numeric, strict=True))
    return [
        "  ".join(
            cell.rjust(width) if is_number else cell.ljust(width)
            for cell, (width, is_number) in zip(line, shaped, strict=True)
        ).rstrip()
        for line in lines
    ]


def _cell_text(cell: object, limit: int) -> str:
    if cell is None or cell == "":
        return "-"
    return f"{cell:,}" if isinstance(cell, int) else printable(cell, limit)


def _joined(seconds: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {seconds_text(value)}" for name, value in seconds.items()) or "none"


def quarantine_text(summary: Mapping[str, Any]) -> str:
    """The quarantined ids of a summary or record, after how many there are since when.

    Examples
    --------
    >>> found = [{"id": "7", "kind": None, "reason": "its process died"}]
    >>> quarantine_text({"quarantined": found, "quarantined_since": {"2026-11-20": 1}})
    '1 since 2026-11-20: 7 (its process died)'
    """
    named = _named(summary["quarantined"])
    ages = ages_text(summary)
    return f"{ages}: {named}" if ages else named


def _named(quarantined: Sequence[Mapping[str, Any]], limit: int = 10) -> str:
    return shorten((f"{one['id']} ({one['reason']})" for one in quarantined), limit)


def ages_text(summary: Mapping[str, Any]) -> str:
    """How many ids are quarantined since when; "" if that was not recorded.

    Examples
    --------
    >>> ages_text({"quarantined_since": {"2026-11-20": 5, "new": 3}})
    '5 since 2026-11-20, 3 new'
    """
    ages = summary.get("quarantined_since", {})
    return ", ".join(
        f"{count:,} {'' if day == 'new' else 'since '}{day}" for day, count in ages.items()
    )


def older_text(older: Mapping[str, Any]) -> str:
    """What a new table lacks of its input.

    Examples
    --------
    >>> print(older_text({"files": 2, "first": "2026-11-18", "before": "2026-11-20"}))
    2 input files hold rows before 2026-11-20, from 2026-11-18 on, that are in no interval
    """
    files = counted(older["files"], "input file holds", "input files hold")
    return (
        f"{files} rows before {older['before']}, from {older['first']} on, that are in no interval"
    )


def _left_out_text(files: Sequence[Mapping[str, str]]) -> str:
    return f"{counted(len(files), 'file')}: {shorten((one['reason'] for one in files), limit=3)}"


def _errors_text(errors: Sequence[Mapping[str, Any]]) -> str:
    return shorten(
        (
            f"{one['count']} x {one['kind']}__{one['calculator']}: {one['message']}"
            for one in errors
        ),
        limit=3,
    )


def faults_text(faults: Mapping[str, str]) -> Iterator[str]:
    """What to say of intervals that a table does not show as their records say."""
    for label, fault in list(faults.items())[:FAULTS]:
        yield printable(f"Interval {label}: {fault}")
    if len(faults) > FAULTS:
        yield f"... and {counted(len(faults) - FAULTS, 'more interval')}"
    if faults:
        yield "The next run calculates them again; those older than its lookback need a backfill"


def verified_text(found: Verified) -> str:
    """What was found when a sink was compared with its records: a line for each fault."""
    how = "checksums and rows" if found.deep else "sizes and numbers of rows"
    lines = [printable(f"{one.place}: {one.fault}; {one.remedy}") for one in found.faults]
    size = (
        f"{counted(found.files, 'file')}, {counted(found.rows, 'row')}, {found.bytes / 1e6:,.1f} MB"
    )
    intervals = f"{counted(found.intervals, 'interval')}, " if found.intervals else ""
    told = counted(len(lines), "fault") if lines else "nothing is wrong"
    return "\n".join([*lines, f"{intervals}{size}, compared by {how}: {told}"])


def history_text(sink: str, records: Sequence[RunRecord]) -> str:
    """The newest run record in full, then a line for every record."""
    newest = records[0]
    lines = [f"{printable(sink)}: {counted(len(records), 'run')} shown, newest first", ""]
    lines += [aligned(_record_lines(newest), 20)]
    titles = f"{'started':<20} {'interval':<17} {'state':<10} {'rows':>10} {'columns':>8}  "
    lines += ["", f"{titles}{'parts':<58} digest"]
    lines += [_history_line(record) for record in records]
    return "\n".join(lines)


def _record_lines(record: RunRecord) -> Iterator[tuple[str, str]]:
    raw = record.to_json()
    for name, value in raw.items():
        if name in {"part_checksums", "settings", "error_cases"}:
            yield name, counted(len(value), "entry")
        elif name == "seconds_by_calculator":
            yield name, _joined(dict(slowest_calculators(value)))
        elif name == "quarantined_since":
            yield name, ages_text(raw) or "none"
        elif name == "quarantined":
            yield name, _named(value, 3) or "none"
        elif name == "acceptance":
            yield name, _acceptance_text(value)
        elif isinstance(value, Mapping):
            yield name, ", ".join(f"{key} {_short(one)}" for key, one in value.items())
        elif isinstance(value, list):
            yield name, shorten(value, 3) or "none"
        else:
            yield name, _short(value)


def _acceptance_text(accepted: Mapping[str, Any]) -> str:
    """What the rows of an interval replaced, the ids affected, and failed checks.

    Examples
    --------
    >>> changes = {"added": {"count": 0, "ids": []}, "altered": {"count": 2, "ids": ["a", "b"]}}
    >>> _acceptance_text({"replaced": "run-1", "changes": changes, "checks": []})
    'replaces run-1; 2 altered: a, b'
    """
    found = [f"replaces {accepted['replaced']}"] if accepted.get("replaced") else []
    found += [
        f"{change['count']:,} {name}: {shorten(change['ids'])}"
        for name, change in accepted.get("changes", {}).items()
        if change["count"]
    ]
    found += [
        f"{name} columns: {shorten(kinds)}"
        for name, kinds in accepted.get("columns", {}).items()
        if kinds
    ]
    found += [f"{one['level']}: {one['sentence']}" for one in accepted.get("checks", ())]
    return "; ".join(found) or "none"


def _short(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _history_line(record: RunRecord) -> str:
    parts = ", ".join(f"{count} {name}" for name, count in record.parts.items())
    interval = record.interval_label or record.interval or "-"
    return printable(
        f"{record.started[:19]:<20} {interval:<17} {record.state:<10} "
        f"{record.rows:>10,} {record.columns:>8,}  {parts:<58} {record.digest[:16]}"
    )


def costs_text(rows: Sequence[Cost], measured: str) -> str:
    """What was measured, and what each calculator costs, the most expensive first."""
    lines = [measured, "", f"{'calculator':<44} {'us per series':>13} {'share':>8}"]
    lines += [
        f"{printable(row.calculator):<44} {row.us_per_series:>13.2f} {row.share:>8.2%}"
        for row in rows
    ]
    shared = [row for row in rows if row.used_by]
    if shared:
        lines += ["", "Shared work is saved only once every calculator that uses it is dropped:"]
        lines += [f"{row.calculator:<20} {shorten(row.used_by.split(', '), 4)}" for row in shared]
    seconds = seconds_text(sum(row.seconds for row in rows))
    return "\n".join([*lines, "", f"One thread takes about {seconds} for all of the data."])
