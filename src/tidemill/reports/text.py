"""Text for the terminal: the summary of a run, the history of a sink, costs, the progress bar."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tidemill.errors import printable, shorten
from tidemill.model.progress import Progress

if TYPE_CHECKING:
    from tidemill.frames.feature_costs import Cost
    from tidemill.storage.record import RunRecord
    from tidemill.storage.verify_table import Verified

__all__ = [
    "ages_text",
    "costs_text",
    "faults_text",
    "history_text",
    "progress_bar",
    "quarantine_text",
    "summary_text",
    "verified_text",
]

#: Calculators named in a summary.
SLOWEST = 5
#: Intervals named that a table does not show as recorded.
FAULTS = 10


def seconds_text(seconds: float) -> str:
    """A duration, for people to read.

    Examples
    --------
    >>> seconds_text(0.0123), seconds_text(75), seconds_text(7300)
    ('12 ms', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 0.1:
        return f"{1e3 * seconds:.0f} ms" if seconds >= 1e-3 else f"{1e3 * seconds:.2f} ms"
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


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
    matrix = f"{summary['rows']:,} rows x {summary['columns']:,} columns"
    lines = [
        ("Feature matrix", summary["sink"]),
        ("Size", matrix),
        ("Parts", ", ".join(f"{count:,} {name}" for name, count in parts.items())),
        ("Steps", _joined(summary["seconds"])),
        ("Cluster", f"{summary['cluster']}, {summary['task_runs']} Prefect task runs"),
        ("Digest", summary["digest"][:16]),
    ]
    if summary["seconds_by_calculator"]:
        slowest = dict(slowest_calculators(summary["seconds_by_calculator"]))
        lines.insert(4, ("Slowest", _joined(slowest)))
    if summary["quarantined"]:
        lines.append(("Quarantined", quarantine_text(summary)))
    if summary.get("bad_files"):
        lines.append(("Left out", _left_out_text(summary["bad_files"])))
    if summary["errors"]:
        lines.append(("Errors", _errors_text(summary["errors"])))
    if summary.get("note"):
        lines.append(("Note", summary["note"]))
    if "seconds_in_all" in summary:
        lines.append(("Seconds in all", seconds_text(summary["seconds_in_all"])))
    return aligned(lines)


def aligned(lines: Iterable[tuple[str, str]], width: int = 15) -> str:
    """Titles and texts, a line each, whatever the texts hold."""
    return "\n".join(f"{printable(title):<{width}} {printable(text)}" for title, text in lines)


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


def _left_out_text(files: Sequence[Mapping[str, str]]) -> str:
    return f"{len(files)} files: {shorten((one['reason'] for one in files), limit=3)}"


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
        yield f"... and {len(faults) - FAULTS:,} more intervals"
    if faults:
        yield "The next run calculates them again; those older than its lookback need a backfill"


def verified_text(found: Verified) -> str:
    """What was found when a sink was compared with its records: a line for each fault."""
    how = "checksums and rows" if found.deep else "sizes and numbers of rows"
    lines = [printable(f"{one.place}: {one.fault}; {one.remedy}") for one in found.faults]
    size = f"{found.files:,} files, {found.rows:,} rows, {found.bytes / 1e6:,.1f} MB"
    intervals = f"{found.intervals:,} intervals, " if found.intervals else ""
    told = f"{len(lines):,} fault{'s' * (len(lines) > 1)}" if lines else "nothing is wrong"
    return "\n".join([*lines, f"{intervals}{size}, compared by {how}: {told}"])


def history_text(sink: str, records: Sequence[RunRecord]) -> str:
    """The newest run record in full, then a line for every record."""
    newest = records[0]
    lines = [f"{printable(sink)}: {len(records)} runs shown, newest first", ""]
    lines += [aligned(_record_lines(newest), 20)]
    titles = f"{'started':<20} {'interval':<17} {'state':<10} {'rows':>10} {'columns':>8}  "
    lines += ["", f"{titles}{'parts':<58} digest"]
    lines += [_history_line(record) for record in records]
    return "\n".join(lines)


def _record_lines(record: RunRecord) -> Iterator[tuple[str, str]]:
    raw = record.to_json()
    for name, value in raw.items():
        if name in {"part_checksums", "settings", "error_cases"}:
            yield name, f"{len(value)} entries"
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


@contextmanager
def progress_bar(*, visible: bool = True) -> Iterator[Callable[[Progress], None]]:
    """Show parts, ids per second and remaining time on standard error; yield its listener."""
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<20}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f} parts"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, disable=not visible, refresh_per_second=4) as bar:
        task = bar.add_task("starting", total=1, rate="")
        rate = _Rate()

        def listener(state: Progress) -> None:
            if state.step:
                bar.update(task, description=state.step)
            if state.note:
                bar.console.print(
                    printable(state.note),
                    style="yellow",
                    highlight=False,
                    markup=False,
                    soft_wrap=True,  # one line in scripts, however long
                )
            if state.parts_total:
                done, total = state.parts_done, state.parts_total
                bar.update(task, completed=done, total=total, rate=rate.text(state))

        yield listener


class _Rate:
    """Ids per second since the first report of parts in this run."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None

    def text(self, state: Progress) -> str:
        """The rate so far; empty until there is one."""
        now = time.monotonic()
        if self._first is None:
            self._first = (now, state.ids_done)
        since, ids = self._first
        done = state.ids_done - ids
        return f"{done / (now - since):,.0f} ids/s" if done and now > since else ""


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
