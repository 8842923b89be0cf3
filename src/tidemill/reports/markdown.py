"""Reports of runs in Markdown, for Prefect's UI and for the command line.

Cells are truncated and escaped, because ids, kinds and messages come from the data.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tidemill.errors import printable
from tidemill.reports.text import ages_text, seconds_text, slowest_calculators

__all__ = ["backfill_page", "escaped", "extraction_page", "href", "interval_page"]

#: Intervals shown in full.
DETAILED = 5
#: Rows of a table, such as that of errors.
LINES = 20
#: Characters of a cell.
CELL = 200
#: Ids named in a list; the run record names more.
IDS = 10
#: Characters with a meaning in Markdown; between two letters, underscores have none.
_MARKUP = re.compile(r"[\\|`\[*~]|(?<!\w)_+|_+(?!\w)|&(?=#?\w+;)")
#: What can happen to the row of an id.
_CHANGES = ("added", "removed", "altered")


def interval_page(report: Mapping[str, Any]) -> str:
    """The report of a recurring run.

    Examples
    --------
    >>> finding = {"interval": "20261120T000000Z", "label": "2026-11-20", "state": "unchanged"}
    >>> finding["reason"] = "the same files"
    >>> report = {"sink": "t", "summaries": [], "holes": {"count": 0}, "outdated": {"count": 0}}
    >>> print(interval_page({"label": "2026-11-20", "findings": [finding], **report}))
    # Interval 2026-11-20
    <BLANKLINE>
    Table: [`t`](t)
    <BLANKLINE>
    ## What was calculated, and why
    <BLANKLINE>
    | interval | state | why | rows | ids added | removed | altered |
    |---|---|---|---|---|---|---|
    | 2026-11-20 | unchanged | the same files |  |  |  |  |
    """
    by_interval = {summary["interval"]: summary for summary in report["summaries"]}
    lines = [f"# Interval {_cell(report['label'])}", "", f"Table: {_link(report['sink'])}"]
    if "error" in report:
        lines += ["", f"**The run failed.** {_cell(report['error'], limit=2_000)}"]
    lines += ["", "## What was calculated, and why", ""]
    shown = _shown_findings(report["findings"])
    lines += _table(
        ("interval", "state", "why", "rows", "ids added", "removed", "altered"),
        (_finding_cells(one, by_interval.get(one["interval"])) for one in shown),
    )
    if left_out := len(report["findings"]) - len(shown):
        lines += ["", f"{left_out:,} more are unchanged."]
    lines += _bad_files_section(report, "##")
    lines += _backfill_section(
        "Holes", "Older intervals that were never published", report["holes"]
    )
    lines += _backfill_section(
        "Other settings", "Older intervals made with other settings", report["outdated"]
    )
    detailed = list(by_interval.values())[-DETAILED:]
    for summary in detailed:
        lines += ["", f"## Interval {summary['interval_label']}", *_interval_sections(summary)]
    if left_out := len(by_interval) - len(detailed):
        lines += ["", f"{left_out:,} earlier ones were calculated too; see `tidemill inspect`."]
    return "\n".join(lines)


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


def _interval_sections(summary: Mapping[str, Any]) -> Iterator[str]:
    """Everything about the new rows of one interval."""
    accepted = summary["acceptance"]
    facts, features = accepted["facts"], accepted["features"]
    nan = facts["nan_cells"] / max(facts["rows"] * facts["columns"], 1)
    yield ""
    yield f"- {summary['rows']:,} rows of {summary['columns']:,} columns, {_percent(nan)} NaN"
    if features["all_nan"]:
        yield f"- {features['all_nan']:,} columns are NaN in every row"
    yield f"- {_parts_text(summary)}"
    yield from _columns_that_changed(accepted)
    yield f"- times of the input: {_cell(summary['time_zone_of_input'])}"
    if accepted["replaced"]:
        why = summary["reason"] or "as requested"
        yield f"- they replace those of run {_code(accepted['replaced'])}: {_cell(why)}"
        yield from _changed_ids(accepted["changes"])
    if summary["note"]:
        yield f"- {_cell(summary['note'])}"
    yield from _section("Checks", ("check", "figure", "warns above", "fails above", "result"),
                        _check_rows(accepted))  # fmt: skip
    yield from _error_sections(summary)
    yield from _slowest_section(summary)
    yield from _moved_section(features)
    most = [(_code(row["feature"]), _percent(row["nan"])) for row in features["most_nan"]]
    yield from _section("Features with the most NaN, but not all", ("feature", "NaN"), most)


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
        shown = _percent if measured["is_share"] else "{:,}".format
        limits = [
            shown(measured["limits"][level]) if level in measured["limits"] else "off"
            for level in ("warn", "fail")
        ]
        figure = measured["figure"]
        if figure is None:
            yield name, "nothing to compare with", *limits, "-"
        else:
            yield name, shown(figure), *limits, levels.get(name, "ok")


def _moved_section(features: Mapping[str, Any]) -> Iterator[str]:
    yield from ("", "### Features that moved most", "")
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
    means = (_number(row[name]) for name in ("mean_before", "spread_before", "mean"))
    shares = (_percent(row[name]) for name in ("nan_before", "nan"))
    return [_code(row["feature"]), f"{row['move']:.2g}", *means, *shares]


def backfill_page(report: Mapping[str, Any]) -> str:
    """What happened to the intervals of a backfill.

    Examples
    --------
    >>> row = {"label": "2026-11-20", "state": "missing", "result": "published", "rows": 4}
    >>> row |= {"reason": "it was not published yet"}
    >>> print(backfill_page({"sink": "t", "dry_run": False, "intervals": [row]}))
    # Backfill
    <BLANKLINE>
    Table: [`t`](t)
    <BLANKLINE>
    1 published
    <BLANKLINE>
    | interval | state | result | rows | why |
    |---|---|---|---|---|
    | 2026-11-20 | missing | published | 4 | it was not published yet |
    """
    rows = report["intervals"]
    results = Counter(row["result"] for row in rows)
    lines = ["# What would be done" if report["dry_run"] else "# Backfill", ""]
    lines += [f"Table: {_link(report['sink'])}", ""]
    counts = ", ".join(f"{count:,} {result}" for result, count in results.items())
    lines += [counts or "no closed interval in this range", ""]
    names = ("label", "state", "result", "rows", "reason")
    lines += _table(
        ("interval", "state", "result", "rows", "why"),
        ([row.get(name, "") for name in names] for row in rows),
    )
    return "\n".join([*lines, *_bad_files_section(report, "##")])


def extraction_page(summary: Mapping[str, Any]) -> str:
    """The report of the main job."""
    lines = ["# Feature matrix", "", f"Output: {_link(summary['sink'])}", ""]
    lines += [f"- {summary['rows']:,} rows of {summary['columns']:,} columns"]
    lines += [f"- {_parts_text(summary)}"]
    lines += [f"- cluster {_code(summary['cluster'])}, {summary['task_runs']:,} task runs"]
    if summary["note"]:
        lines += [f"- {_cell(summary['note'])}"]
    lines += [f"- content digest `{summary['digest'][:16]}`", *_error_sections(summary)]
    lines += [*_bad_files_section(summary), *_slowest_section(summary)]
    steps = ((step, seconds_text(seconds)) for step, seconds in summary["seconds"].items())
    return "\n".join([*lines, *_section("Steps", ("step", "seconds"), steps)])


def _parts_text(summary: Mapping[str, Any]) -> str:
    """The parts in words, such as "4 parts: 3 calculated, 1 reused"."""
    counts = dict(summary["parts"])
    quarantined = counts.pop("quarantined", 0)
    total = counts.pop("total")
    said = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    return f"{total:,} part{'s' * (total != 1)}: {said}" + (
        f"; {quarantined:,} ids quarantined{_ages(summary)}" * bool(quarantined)
    )


def _ages(summary: Mapping[str, Any]) -> str:
    ages = ages_text(summary)
    return f" ({ages})" if ages else ""


def _bad_files_section(report: Mapping[str, Any], heading: str = "###") -> Iterator[str]:
    """The files that were left out of the input."""
    bad = report.get("bad_files", ())
    if bad:
        yield from ("", f"{heading} Files that were left out", "")
        yield from _table(("file", "reason"), ((one["path"], one["reason"]) for one in bad[:LINES]))
        if len(bad) > LINES:
            yield from ("", f"... ({len(bad):,} in all)")


def _error_sections(summary: Mapping[str, Any]) -> Iterator[str]:
    """Errors by calculator, and the quarantined series."""
    errors = summary["errors"]
    rows = ((_code(e["calculator"]), e["kind"], e["count"], e["message"]) for e in errors)
    yield from _section("Errors", ("calculator", "kind", "cells", "message"), rows, len(errors))
    series = summary["quarantined"]
    left_out = (
        (one["id"], one["kind"], one["reason"], one.get("since", "")[:10]) for one in series
    )
    yield from _section("Quarantined", ("id", "kind", "reason", "since"), left_out, len(series))


def _slowest_section(summary: Mapping[str, Any]) -> Iterator[str]:
    """The slowest calculators, without parts that earlier attempts calculated."""
    seconds = slowest_calculators(summary["seconds_by_calculator"])
    rows = ((_code(name), seconds_text(spent)) for name, spent in seconds)
    yield from _section("Slowest calculators", ("calculator", "measured, one thread"), rows)


def _section(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], count: int = 0
) -> Iterator[str]:
    """A table of at most ``LINES`` rows below a title; nothing if there are no rows."""
    listed = [row for _, row in zip(range(LINES), rows, strict=False)]
    if not listed:
        return
    yield from ("", f"### {title}", "", *_table(columns, listed))
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


def _percent(share: float) -> str:
    """At most three significant digits; nonzero values never print as 0%.

    Examples
    --------
    >>> _percent(0.12345), _percent(0.00001), _percent(0), _percent(1)
    ('12.3%', '0.001%', '0%', '100%')
    """
    return f"{100 * share:.3g}%"


def _number(value: float | None) -> str:
    """At most four significant digits.

    Examples
    --------
    >>> _number(1234.5678), _number(1e-9), _number(None)
    ('1235', '1e-09', '-')
    """
    return "-" if value is None else f"{value:.4g}"
