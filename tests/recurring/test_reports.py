"""Reports are values; in JSON they have the keys that flows return and pages read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tidemill.errors import DataError
from tidemill.model.interval import Interval
from tidemill.recurring.calendars import Calendar
from tidemill.recurring.examine import Finding
from tidemill.recurring.reports import BackfillReport, BackfillRow, FindingRow, LatestReport
from tidemill.recurring.unpublished import NeedsBackfill

BERLIN = Calendar("1h", "Europe/Berlin")
HOUR = Interval(0, 3_600 * 10**9, 0)
NONE = NeedsBackfill(0, (), ())


def test_starts_are_shown_as_the_local_clock_shows_them():
    row = FindingRow.of(BERLIN, Finding(HOUR, "missing", "it was new"))
    start = "1970-01-01T01:00:00+01:00"
    assert row == FindingRow("19700101T000000Z", HOUR.label, start, "missing", "it was new")


@pytest.mark.parametrize(
    ("state", "result"),
    [
        ("missing", "due"),
        ("changed", "due"),
        ("recalculated", "due"),
        ("extended", "due"),
        ("unchanged", "skipped"),
        ("empty", "skipped"),
        ("refused", "refused"),
    ],
)
def test_a_planned_row_says_what_will_be_done(state, result):
    row = BackfillRow.planned(BERLIN, Finding(HOUR, state, "because"))
    assert (row.state, row.result, row.reason) == (state, result, "because")
    assert (row.rows, row.digest) == (None, None)


def test_a_latest_report_holds_lists_and_plain_values_only():
    hole = NeedsBackfill(12, ("a", "b"), ("tidemill backfill",))
    rows = (FindingRow("a", "A", "then", "missing", "because"),)
    made = {"interval": "a", "rows": 5, "columns": 3, "seconds": {}, "warnings": ("4 bad",)}
    report = LatestReport("a", "A", "sink", rows, (made,), hole, NONE)
    assert report.to_json() == {
        "verdict": "Completed, 2 warnings: 4 bad; 12 older intervals never published",
        "warnings": ["4 bad", "12 older intervals never published"],
        "interval": "a",
        "label": "A",
        "sink": "sink",
        "findings": [
            {
                "interval": "a",
                "label": "A",
                "start": "then",
                "state": "missing",
                "reason": "because",
            }
        ],
        "summaries": [{**made, "warnings": ["4 bad"]}],
        "holes": {"count": 12, "names": ["a", "b"], "commands": ["tidemill backfill"]},
        "outdated": {"count": 0, "names": [], "commands": []},
        "bad_files": [],
        "vanished": [],
        "older": {"files": 0, "first": "", "before": "", "commands": []},
        "warns_of_holes": True,
    }


def latest(*findings: FindingRow, made: Sequence[str] = (), **more: Any) -> LatestReport:
    """A report about the last of its findings, with summaries of some intervals."""
    summaries = [
        {"interval": one, "interval_label": one.upper(), "rows": 5, "columns": 3, "warnings": []}
        for one in made
    ]
    own = findings[-1]
    values = {"holes": NONE, "outdated": NONE, **more}
    return LatestReport(own.interval, own.label, "sink", findings, summaries, **values)


def row(name: str, state: str = "missing", reason: str = "why") -> FindingRow:
    return FindingRow(name, name.upper(), "then", state, reason)


@pytest.mark.parametrize(
    ("report", "text", "name"),
    [
        (latest(row("b"), made=["b"]), "Completed: B: 5 rows of 3 columns", "Completed"),
        (
            latest(row("a"), row("b"), made=["a", "b"]),
            "Completed: B: 5 rows of 3 columns; 1 earlier interval calculated",
            "Completed",
        ),
        (latest(row("b", "unchanged")), "Skipped: B is unchanged: why", "Skipped"),
        (
            latest(row("a"), row("b", "unchanged"), made=["a"]),
            "Completed: B is unchanged: why; 1 earlier interval calculated",
            "Completed",
        ),
        (
            latest(row("a"), row("b", "empty"), made=["a"]),
            "Skipped: B is empty: why; 1 earlier interval calculated",
            "Skipped",
        ),
        (
            latest(row("b", "empty"), vanished=["A"]),
            "Skipped, 1 warning: all input rows of published intervals are gone: A",
            "Warned",
        ),
    ],
)
def test_the_verdict_is_about_the_runs_own_interval(report, text, name):
    assert (report.verdict.text, report.verdict.state_name) == (text, name)


def test_warnings_of_other_intervals_name_them():
    report = latest(row("a"), row("b"), made=["a", "b"])
    for made, said in zip(report.summaries, (["1 bad"], ["2 bad"]), strict=True):
        made["warnings"] = said
    assert report.verdict.warnings == ("2 bad", "A: 1 bad")


def test_holes_are_no_warning_where_windows_without_rows_are_skipped():
    hole = NeedsBackfill(12, ("a",), ("tidemill backfill",))
    quiet = latest(row("b"), made=["b"], holes=hole, warns_of_holes=False)
    assert quiet.verdict.warnings == ()
    assert latest(row("b"), made=["b"], holes=hole).verdict.warnings == (
        "12 older intervals never published",
    )


def test_an_interval_that_failed_is_not_called_missing():
    found = Finding(HOUR, "missing", "it was not published yet")
    failed = FindingRow.of(BERLIN, found, DataError("NaN"))
    assert failed.state == "failed"
    assert failed.reason == "DataError: NaN (it was missing: it was not published yet)"


@pytest.mark.parametrize(
    ("results", "text", "name"),
    [
        ((), "Skipped: no closed interval in this range", "Skipped"),
        (("skipped",), "Skipped: 1 skipped", "Skipped"),
        (("published", "skipped"), "Completed: 1 published, 1 skipped", "Completed"),
        (("published", "failed"), "Failed: 1 published, 1 failed; first B: because", "Failed"),
    ],
)
def test_the_verdict_on_a_backfill_counts_results(results, text, name):
    labels = "AB"
    rows = [
        BackfillRow(labels[i].lower(), labels[i], "then", "missing", "because", one)
        for i, one in enumerate(results)
    ]
    verdict = BackfillReport("sink", dry_run=False, intervals=rows).verdict
    assert (verdict.text, verdict.state_name) == (text, name)


def test_warnings_of_a_backfill_name_their_intervals():
    made = BackfillRow("a", "A", "then", "missing", "x", "published", warnings=["1 bad"])
    verdict = BackfillReport("sink", dry_run=False, intervals=[made]).verdict
    assert verdict.text == "Completed, 1 warning: A: 1 bad"


def test_a_backfill_report_leaves_out_rows_and_digests_that_there_are_not():
    rows = [
        BackfillRow("a", "A", "then", "missing", "because", "published", rows=0, digest="d"),
        BackfillRow("b", "B", "later", "missing", "DataError: NaN", "failed"),
        BackfillRow("c", "C", "last", "refused", "other settings", "refused"),
        BackfillRow("d", "D", "end", "unchanged", "the same", "skipped"),
    ]
    report = BackfillReport("sink", dry_run=False, intervals=rows)
    assert [row.interval for row in report.failed] == ["b", "c"]
    made = report.to_json()
    assert (made["sink"], made["dry_run"]) == ("sink", False)
    assert made["intervals"][0]["rows"] == 0
    assert [sorted(row.keys() & {"rows", "digest"}) for row in made["intervals"]] == [
        ["digest", "rows"], [], [], [],
    ]  # fmt: skip
    assert json.loads(json.dumps(made)) == made
