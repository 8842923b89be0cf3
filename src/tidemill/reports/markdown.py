"""Reports of runs in Markdown, for Prefect's UI and for the command line.

Cells are truncated and escaped, because ids, kinds and messages come from the data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tidemill.errors import printable
from tidemill.model.counts import counted
from tidemill.model.verdict import LONGEST, SAID
from tidemill.reports.text import (
    ages_text,
    number_text,
    older_text,
    percent_text,
    seconds_text,
    slowest_calculators,
)

__all__ = [
    "backfill_page",
    "escaped",
    "extraction_page",
    "failure_page",
    "href",
    "interval_page",
]

#: Intervals shown in full.
DETAILED = 5
#: Rows of a table, such as that of errors.
LINES = 20
#: Characters of a cell.
CELL = 200
#: Characters of a verdict.
VERDICT = (SAID + 1) * LONGEST
#: Ids named in a list; the run record names more.
IDS = 10
#: Characters with a meaning in Markdown; between two letters, underscores have none.
_MARKUP = re.compile(r"[\\|`\[*~]|(?<!\w)_+|_+(?!\w)|&(?=#?\w+;)")
#: What can happen to the row of an id.
_CHANGES = ("added", "removed", "altered")


def interval_page(report: Mapping[str, Any]) -> str:
    """The report of a recurring run: the verdict first, the slowest calculators last.

    Examples
    --------
    >>> finding = {"interval": "20261120T000000Z", "label": "2026-11-20", "state": "unchanged"}
    >>> finding["reason"] = "the same files"
    >>> report = {"sink": "t", "summaries": [], "holes": {"count": 0}, "outdated": {"count": 0}}
    >>> report["verdict"] = "Skipped: 2026-11-20 is unchanged: the same files"
    >>> print(interval_page({"label": "2026-11-20", "findings": [finding], **report}))
    # Skipped: 2026-11-20 is unchanged: the same files
    <BLANKLINE>
    Table: [`t`](t), interval 2026-11-20
    <BLANKLINE>
    ## What was calculated, and why
    <BLANKLINE>
    | interval | state | why | rows | ids added | removed | altered |
    |---|---|---|---|---|---|---|
    | 2026-11-20 | unchanged | the same files |  |  |  |  |
    """
    by_interval = {summary["interval"]: summary for summary in report["summaries"]}
    lines = [*_head(report["verdict"]), f"Table: {_link(report['sink'])}, "]
    lines[-1] += f"interval {_cell(report['label'])}"
    lines += _reports_list(report)
    lines += _warnings_list(report)
    lines += _repeat_section(report)
    lines += ["", "## What was calculated, and why", ""]
    shown = _shown_findings(report["findings"])
    lines += _table(
        ("interval", "state", "why", "rows", "ids added", "removed", "altered"),
        (_finding_cells(one, by_interval.get(one["interval"])) for one in shown),
    )
    if left_out := len(report["findings"]) - len(shown):
        lines += ["", f"{left_out:,} more are unchanged."]
    detailed = list(by_interval.values())[-DETAILED:][::-1]  # the run's own interval first
    lines += _of_each(detailed, _about_rows)
    if left_out := len(by_interval) - len(detailed):
        lines += ["", f"{left_out:,} earlier ones were calculated too; see `tidemill inspect`."]
    lines += _of_each(detailed, _check_section)
    lines += _bad_files_section(report)
    lines += _of_each(detailed, _quarantined_section)
    lines += _of_each(detailed, _errors_section)
    lines += _backfill_section(
        "Holes", "Older intervals that were never published", report["holes"]
    )
    lines += _backfill_section(
        "Other settings", "Older intervals made with other settings", report["outdated"]
    )
    lines += _older_section(report)
    for section in (_moved_section, _most_nan_section, _slowest_section):
        lines += _of_each(detailed, section)
    return "\n".join(lines)


def _head(verdict: str) -> list[str]:
    return [f"# {escaped(verdict, VERDICT)}", ""]


def _warnings_list(report: Mapping[str, Any]) -> Iterator[str]:
    """All warnings, if the verdict could not say them all."""
    warnings = report.get("warnings", ())
    if len(warnings) > SAID:
        yield ""
        yield from (f"- {_cell(one, CELL)}" for one in warnings[:LINES])


def _repeat_section(report: Mapping[str, Any]) -> Iterator[str]:
    """The command that repeats a failed run."""
    if command := report.get("command"):
        yield from ("", "Run it again by hand with:", "", "```bash", command, "```")


def _reports_list(report: Mapping[str, Any]) -> Iterator[str]:
    """Where the HTML reports of the run lie."""
    links = report.get("reports", ())
    for number, one in enumerate(links[:LINES]):
        yield from [""] * (number == 0)
        label = f" of {_cell(one['label'])}" if one["label"] else ""
        yield f"- report{label}: {_link(one['address'])}"
    if len(links) > LINES:
        yield f"- ... ({len(links):,} in all)"


def _of_each(
    summaries: Sequence[Mapping[str, Any]],
    section: Callable[[Mapping[str, Any]], Iterable[str]],
) -> Iterator[str]:
    """A section of each of some intervals; with the interval in its title if there are several."""
    for summary in summaries:
        label = f" of {_cell(summary['interval_label'])}" if len(summaries) > 1 else ""
        for line in section(summary):
            yield f"{line}{label}" if line.startswith("## ") else line


def _shown_findings(findings: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """All findings; of a long list, those with changes and the last, the run's own interval."""
    if len(findings) <= LINES:
        return list(findings)
    return [*(one for one in findings[:-1] if one["state"] != "unchanged"), findings[-1]]


def _finding_cells(finding: Mapping[str, Any], summary: Mapping[str, Any] | None) -> list[Any]:
    cells: list[Any] = [finding["label"], finding["state"], finding["reason"]]
    if summary is None:
        return [*cells, "", "", "", ""]
    changes = summary["acceptance"]["changes"]
    counts = [changes[name]["count"] if changes else "?" for name in _CHANGES]
    return [*cells, summary["rows"], *counts]


def _backfill_section(title: str, sentence: str, missing: Mapping[str, Any]) -> Iterator[str]:
    """Intervals that need a backfill, and the commands for it; nothing if there are none."""
    if not missing["count"]:
        return
    named = ", ".join(missing["names"]) + ", ..." * (missing["count"] > len(missing["names"]))
    yield from ("", f"## {title}", "", f"{sentence}: {missing['count']:,} ({named}).")
    yield from ("", "Run this to calculate those that have rows:", "")
    yield from ("```bash", *missing["commands"], "```")


def _older_section(report: Mapping[str, Any]) -> Iterator[str]:
    """Input before the table's first interval, and the commands that calculate it."""
    older = report.get("older", {})
    if older.get("files"):
        yield from ("", "## Older input", "", f"{escaped(older_text(older))}.")
        yield from ("Run this to calculate them:", "", "```bash", *older["commands"], "```")


def _about_rows(summary: Mapping[str, Any]) -> Iterator[str]:
    """What the new rows of an interval are, and what they replace."""
    accepted = summary["acceptance"]
    facts, features = accepted["facts"], accepted["features"]
    nan = facts["nan_cells"] / max(facts["rows"] * facts["columns"], 1)
    yield from ("", "## Rows", "")
    yield f"- {_size(summary)}, {percent_text(nan)} NaN"
    if features["all_nan"]:
        yield f"- {counted(features['all_nan'], 'column is', 'columns are')} NaN in every row"
    yield f"- {_parts_text(summary)}"
    yield from _columns_that_changed(accepted)
    yield f"- times of the input: {_cell(summary['time_zone_of_input'])}"
    if accepted["replaced"]:
        why = summary["reason"] or "as requested"
        yield f"- they replace those of run {_code(accepted['replaced'])}: {_cell(why)}"
        yield from _changed_ids(accepted["changes"])
    if summary["note"]:
        yield f"- {_cell(summary['note'])}"


def _check_section(summary: Mapping[str, Any]) -> Iterator[str]:
    columns = ("check", "figure", "warns above", "fails above", "result")
    return _section("Checks", columns, _check_rows(summary["acceptance"]))


def _most_nan_section(summary: Mapping[str, Any]) -> Iterator[str]:
    rows = summary["acceptance"]["features"]["most_nan"]
    most = [(_code(row["feature"]), percent_text(row["nan"])) for row in rows]
    return _section("Features with the most NaN, but not all", ("feature", "NaN"), most)


def _columns_that_changed(accepted: Mapping[str, Any]) -> Iterator[str]:
    """Columns of the input that are new or gone since the interval before."""
    columns = accepted.get("columns", {})
    since = accepted["features"]["before"]
    if new := columns.get("new"):
        yield f"- columns that are new since {since}: {_named_columns(new)}"
    if gone := columns.get("vanished"):
        yield f"- columns that are gone since {since}: {_named_columns(gone)}"


def _named_columns(kinds: Sequence[str]) -> str:
    return ", ".join(_cell(kind) for kind in kinds[:LINES]) + ", ..." * (len(kinds) > LINES)


def _changed_ids(changes: Mapping[str, Any]) -> Iterator[str]:
    for name in _CHANGES:
        if (change := changes.get(name)) and change["count"]:
            named = ", ".join(_cell(one) for one in change["ids"][:IDS])
            more = ", ..." * (change["count"] > IDS)
            yield f"- ids {name}: {change['count']:,} ({named}{more})"


def _check_rows(accepted: Mapping[str, Any]) -> Iterator[Sequence[Any]]:
    levels = {finding["check"]: finding["level"] for finding in accepted["checks"]}
    for name, measured in accepted["measures"].items():
        shown = percent_text if measured["is_share"] else "{:,}".format
        limits = [
            shown(measured["limits"][level]) if level in measured["limits"] else "off"
            for level in ("warn", "fail")
        ]
        figure = measured["figure"]
        if figure is None:
            yield name, "nothing to compare with", *limits, "-"
        else:
            yield name, shown(figure), *limits, levels.get(name, "ok")


def _moved_section(summary: Mapping[str, Any]) -> Iterator[str]:
    features = summary["acceptance"]["features"]
    yield from ("", "## Features that moved most", "")
    if features["before"] is None:
        yield "This is the first interval: there is nothing to compare with."
    elif features["moved"] is None:
        yield f"No figures were kept for the interval before it, {features['before']}."
    elif not features["moved"]:
        yield f"None has moved since {features['before']}."
    else:
        yield (
            f"Since {features['before']}. A move is between 0 and 1: the larger of the change in "
            "the share of NaN and d / (1 + d), where d is the change of the mean in spreads "
            "(standard deviations over ids)."
        )
        yield ""
        columns = ("feature", "move", "mean before", "spread before", "mean", "NaN before", "NaN")
        yield from _table(columns, map(_move_cells, features["moved"]))


def _move_cells(row: Mapping[str, Any]) -> list[str]:
    means = (number_text(row[name]) for name in ("mean_before", "spread_before", "mean"))
    shares = (percent_text(row[name]) for name in ("nan_before", "nan"))
    return [_code(row["feature"]), f"{row['move']:.2g}", *means, *shares]


def backfill_page(report: Mapping[str, Any]) -> str:
    """What happened to the intervals of a backfill.

    Examples
    --------
    >>> row = {"label": "2026-11-20", "state": "missing", "result": "published", "rows": 4}
    >>> row |= {"reason": "it was not published yet"}
    >>> report = {"verdict": "Completed: 1 published", "sink": "t", "dry_run": False}
    >>> print(backfill_page({**report, "intervals": [row]}))
    # Completed: 1 published
    <BLANKLINE>
    Table: [`t`](t)
    <BLANKLINE>
    ## Intervals
    <BLANKLINE>
    | interval | state | result | rows | why |
    |---|---|---|---|---|
    | 2026-11-20 | missing | published | 4 | it was not published yet |
    """
    lines = [*_head(report["verdict"]), f"Table: {_link(report['sink'])}"]
    if report["dry_run"]:
        lines[-1] += "; a dry run: this is what would be done"
    lines += _reports_list(report)
    lines += _warnings_list(report)
    names = ("label", "state", "result", "rows", "reason")
    rows = ([row.get(name, "") for name in names] for row in report["intervals"])
    lines += _section("Intervals", ("interval", "state", "result", "rows", "why"), rows, limit=None)
    return "\n".join([*lines, *_bad_files_section(report)])


def extraction_page(summary: Mapping[str, Any]) -> str:
    """The report of the main job: the verdict first, the slowest calculators last."""
    lines = [*_head(summary["verdict"]), f"Output: {_link(summary['sink'])}"]
    lines += [*_reports_list(summary), ""]
    lines += [f"- {_size(summary)}"]
    lines += [f"- {_parts_text(summary)}"]
    lines += [f"- cluster {_code(summary['cluster'])}, {counted(summary['task_runs'], 'task run')}"]
    if summary["note"]:
        lines += [f"- {_cell(summary['note'])}"]
    lines += [f"- content digest `{summary['digest'][:16]}`"]
    lines += [*_bad_files_section(summary), *_quarantined_section(summary)]
    lines += _errors_section(summary)
    steps = ((step, seconds_text(seconds)) for step, seconds in summary["seconds"].items())
    lines += _section("Steps", ("step", "seconds"), steps)
    return "\n".join([*lines, *_slowest_section(summary)])


def failure_page(report: Mapping[str, Any]) -> str:
    """The report of a run that failed before it had found anything.

    Examples
    --------
    >>> report = {"verdict": "Failed: InputError: no file", "sink": "t", "command": "tidemill ..."}
    >>> print(failure_page(report))
    # Failed: InputError: no file
    <BLANKLINE>
    Output: [`t`](t)
    <BLANKLINE>
    Run it again by hand with:
    <BLANKLINE>
    ```bash
    tidemill ...
    ```
    """
    head = [*_head(report["verdict"]), f"Output: {_link(report['sink'])}"]
    return "\n".join([*head, *_reports_list(report), *_repeat_section(report)])


def _size(summary: Mapping[str, Any]) -> str:
    return f"{counted(summary['rows'], 'row')} of {counted(summary['columns'], 'column')}"


def _parts_text(summary: Mapping[str, Any]) -> str:
    """The parts in words, such as "4 parts: 3 calculated, 1 reused"."""
    counts = dict(summary["parts"])
    quarantined = counts.pop("quarantined", 0)
    total = counts.pop("total")
    said = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    return f"{counted(total, 'part')}: {said}" + (
        f"; {counted(quarantined, 'id')} quarantined{_ages(summary)}" * bool(quarantined)
    )


def _ages(summary: Mapping[str, Any]) -> str:
    ages = ages_text(summary)
    return f" ({ages})" if ages else ""


def _bad_files_section(report: Mapping[str, Any]) -> Iterator[str]:
    """The files that were left out of the input."""
    bad = report.get("bad_files", ())
    rows = ((one["path"], one["reason"]) for one in bad)
    return _section("Files that were left out", ("file", "reason"), rows, len(bad))


def _errors_section(summary: Mapping[str, Any]) -> Iterator[str]:
    """Errors by calculator."""
    errors = summary["errors"]
    rows = ((_code(e["calculator"]), e["kind"], e["count"], e["message"]) for e in errors)
    return _section("Errors", ("calculator", "kind", "cells", "message"), rows, len(errors))


def _quarantined_section(summary: Mapping[str, Any]) -> Iterator[str]:
    """The quarantined series."""
    series = summary["quarantined"]
    left_out = (
        (one["id"], one["kind"], one["reason"], one.get("since", "")[:10]) for one in series
    )
    return _section("Quarantined", ("id", "kind", "reason", "since"), left_out, len(series))


def _slowest_section(summary: Mapping[str, Any]) -> Iterator[str]:
    """The slowest calculators, without parts that earlier attempts calculated."""
    seconds = slowest_calculators(summary["seconds_by_calculator"])
    rows = ((_code(name), seconds_text(spent)) for name, spent in seconds)
    return _section("Slowest calculators", ("calculator", "measured, one thread"), rows)


def _section(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    count: int = 0,
    limit: int | None = LINES,
) -> Iterator[str]:
    """A table of at most ``limit`` rows below a title; nothing if there are no rows."""
    listed = list(islice(rows, limit))
    if not listed:
        return
    yield from ("", f"## {title}", "", *_table(columns, listed))
    if count > len(listed):
        yield from ("", f"... ({count:,} in all)")


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield "|---" * len(columns) + "|"
    for row in rows:
        yield f"| {' | '.join(_cell(cell) for cell in row)} |"


def _cell(value: Any, limit: int = CELL) -> str:
    r"""One line that cannot end its cell or start HTML.

    Examples
    --------
    >>> _cell("a|b\n<c>"), _cell(r"a\|b"), _cell(1234)
    ('a\\|b &lt;c>', 'a\\\\\\|b', '1,234')
    """
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, _Markdown):
        return value
    return escaped(value, limit)


def escaped(value: object, limit: int = CELL) -> str:
    r"""Text as Markdown that shows it as it is: no code, link, HTML, or end of a cell.

    Examples
    --------
    >>> print(escaped("__x__ of a__b <b> *c*"))
    \_\_x\_\_ of a__b &lt;b> \*c\*
    """
    text = _MARKUP.sub(lambda found: "\\" + "\\".join(found[0]), printable(value, limit))
    return text.replace("<", "&lt;")


class _Markdown(str):
    """Text that has been escaped."""

    __slots__ = ()


def _code(value: str) -> _Markdown:
    r"""Text as inline code, even if it holds backticks.

    Examples
    --------
    >>> _code("x__mean"), _code("a`|b")
    ('`x__mean`', '`` a`\\|b ``')
    """
    text = printable(value, CELL)
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    space = " " * ("`" in text)
    return _Markdown(f"{fence}{space}{text}{space}{fence}".replace("|", "\\|"))


def _link(sink: str) -> str:
    return f"[{_code(sink)}]({href(sink)})"


def href(sink: str) -> str:
    """The address of an output as a link; a local one works on its own machine only.

    Examples
    --------
    >>> href("/data/my table"), href("s3://bucket/a b")
    ('file:///data/my%20table', 's3://bucket/a%20b')
    """
    path = Path(sink)
    return path.as_uri() if path.is_absolute() else quote(sink, safe=":/?&=%@+,;#")
