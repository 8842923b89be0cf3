"""Runs over the intervals of a table, as text for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tidemill.errors import printable
from tidemill.model.counts import counted
from tidemill.reports.text import aligned, older_text, quarantine_text, table_text

__all__ = ["backfill_text", "interval_text"]

#: Files named that were left out; unchanged intervals before the last are only counted.
FILES = 10
#: Reports named.
REPORTS = 10


def interval_text(report: Mapping[str, Any]) -> str:
    """The report of a recurring run: the verdict first, then a line for each interval.

    Examples
    --------
    >>> finding = {"interval": "20261120T000000Z", "label": "2026-11-20", "state": "unchanged"}
    >>> finding["reason"] = "the same files"
    >>> report = {"verdict": "Skipped: the same files", "sink": "t", "findings": [finding]}
    >>> report |= {"summaries": [], "holes": {"count": 0}, "outdated": {"count": 0}}
    >>> print(interval_text(report))
    Skipped: the same files
    <BLANKLINE>
    Table           t
    <BLANKLINE>
    interval    state      rows  columns  why
    2026-11-20  unchanged  -     -        the same files
    """
    made = {summary["interval"]: summary for summary in report["summaries"]}
    *earlier, own = report["findings"]
    changed = [one for one in earlier if one["state"] != "unchanged"]
    rows = [
        [one["label"], one["state"], summary.get("rows"), summary.get("columns"), one["reason"]]
        for one in [*changed, own]
        for summary in [made.get(one["interval"], {})]
    ]
    lines = [printable(report["verdict"]), "", aligned([("Table", report["sink"])]), ""]
    lines += table_text(["interval", "state", "rows", "columns", "why"], rows)
    if left_out := len(earlier) - len(changed):
        lines += [
            counted(left_out, "earlier interval is unchanged", "earlier intervals are unchanged")
        ]
    for summary in report["summaries"]:
        lines += _about(summary)
    lines += _bad_files(report)
    lines += _to_fill("Older intervals that were never published", report["holes"])
    lines += _to_fill("Older intervals made with other settings", report["outdated"])
    if report.get("older", {}).get("files"):
        lines += ["", f"{older_text(report['older'])}. Calculate them with:"]
        lines += [f"  {command}" for command in report["older"]["commands"]]
    return "\n".join([*lines, *_reports(report)])


def backfill_text(report: Mapping[str, Any]) -> str:
    """What happened to the intervals of a backfill, a line each.

    Examples
    --------
    >>> row = {"label": "2026-11-20", "state": "missing", "result": "published", "rows": 4}
    >>> row |= {"reason": "it was not published yet"}
    >>> report = {"verdict": "Completed: 1 published", "sink": "t", "dry_run": False}
    >>> print(backfill_text({**report, "intervals": [row]}))
    Completed: 1 published
    <BLANKLINE>
    Table           t
    <BLANKLINE>
    interval    state    result     rows  why
    2026-11-20  missing  published     4  it was not published yet
    """
    head = f"Dry run. {report['verdict']}" if report["dry_run"] else report["verdict"]
    names = ("label", "state", "result", "rows", "reason")
    rows = [[row.get(name) for name in names] for row in report["intervals"]]
    lines = [printable(head), "", aligned([("Table", report["sink"])])]
    if rows:
        lines += ["", *table_text(["interval", "state", "result", "rows", "why"], rows)]
    return "\n".join([*lines, *_bad_files(report), *_reports(report)])


def _reports(report: Mapping[str, Any]) -> Iterator[str]:
    """Where the HTML reports lie."""
    links = report.get("reports", ())
    if links:
        yield ""
        named = ((f"Report {one['label']}", one["address"]) for one in links[:REPORTS])
        yield aligned(named, width=24)
        if len(links) > REPORTS:
            yield f"... and {counted(len(links) - REPORTS, 'more report')}"


def _about(summary: Mapping[str, Any]) -> Iterator[str]:
    """What a calculated interval warns of, and who is left out."""
    label = summary["interval_label"]
    yield from (printable(f"{label}: warning: {one}") for one in summary["warnings"])
    if summary["quarantined"]:
        yield printable(f"{label}: quarantined: {quarantine_text(summary)}")
    if summary["note"]:
        yield printable(f"{label}: {summary['note']}")


def _bad_files(report: Mapping[str, Any]) -> Iterator[str]:
    bad = report.get("bad_files", ())
    if bad:
        yield from ("", f"{counted(len(bad), 'file was', 'files were')} left out:")
        yield from (printable(f"  {one['path']}: {one['reason']}") for one in bad[:FILES])
        if len(bad) > FILES:
            yield f"  ... and {len(bad) - FILES:,} more"


def _to_fill(what: str, missing: Mapping[str, Any]) -> Iterator[str]:
    if missing["count"]:
        named = ", ".join(missing["names"]) + ", ..." * (missing["count"] > len(missing["names"]))
        yield from ("", f"{what}: {missing['count']:,} ({named}). Calculate them with:")
        yield from (f"  {command}" for command in missing["commands"])
