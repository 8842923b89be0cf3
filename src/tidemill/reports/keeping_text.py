"""Text for the terminal: what was removed to keep tables in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidemill.errors import printable
from tidemill.model.counts import counted
from tidemill.reports.markdown import escaped
from tidemill.reports.text import bytes_text

if TYPE_CHECKING:
    from tidemill.execution.clean import Cleaned, Removed
    from tidemill.recurring.drop_intervals import Dropped
    from tidemill.recurring.retention import KeptTable

__all__ = ["cleaned_text", "dropped_text", "kept_page"]


def cleaned_text(done: Cleaned) -> str:
    """What was removed, by kind, and what could not be."""
    verb, since = "would remove" if done.dry_run else "removed", done.before[:16].replace("T", " ")
    total = done.total
    lines = [
        f"{printable(done.sink)}: {verb} {_size(total)} that nobody has needed since {since} UTC"
        if total.files
        else f"{printable(done.sink)}: nothing to remove that nobody has needed since {since} UTC"
    ]
    kinds = sorted(done.removed.items(), key=lambda item: -item[1].bytes)
    lines += [f"  {kind:<24} {_size(one)}" for kind, one in kinds]
    if done.checkpoint:
        lines.append("  wrote a checkpoint of the table's log")
    return "\n".join([*lines, *(f"  left alone: {printable(one)}" for one in done.left)])


def _size(one: Removed) -> str:
    return f"{counted(one.files, 'file')}, {bytes_text(one.bytes)}"


def dropped_text(found: Dropped) -> str:
    """What a drop of intervals did, or would do."""
    sink = printable(found.sink)
    if not found.intervals:
        left = f"; removed the records of {found.left_over:,} that an earlier drop left"
        done = left if found.left_over and not found.dry_run else ""
        return f"{sink}: no interval ends by {found.before}{done}"
    span = found.first if found.intervals == 1 else f"{found.first} to {found.last}"
    verb = "would drop" if found.dry_run else "dropped"
    number = counted(found.intervals, "interval")
    files = f"{counted(found.files, 'file')}, {bytes_text(found.bytes)}"
    return (
        f"{sink}: {verb} {number}, {span}: {counted(found.rows, 'row')}. Their {files} stay for "
        "readers of older versions until tidemill clean"
    )


def kept_page(one: KeptTable) -> str:
    """What was done for a table, in Markdown."""
    lines = [f"# {escaped(one.sink)}", ""]
    lines += [f"**{escaped(one.error, limit=1_000)}**", ""] if one.error else []
    lines += [f"- {escaped(text, limit=1_000)}" for text in one.warnings]
    lines += [f"- {escaped(dropped_text(one.dropped), limit=1_000)}"] if one.dropped else []
    found = sorted(one.cleaned.removed.items()) if one.cleaned else []
    if one.cleaned is not None and not found:
        lines.append("- nothing to remove")
    if found:
        lines += ["", "| removed | files | size |", "|---|---|---|"]
        lines += [f"| {kind} | {n.files:,} | {bytes_text(n.bytes)} |" for kind, n in found]
    return "\n".join(lines)
