"""Reports are values; in JSON they have the keys that flows return and pages read."""

from __future__ import annotations

import json

import pytest

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
    report = LatestReport("a", "A", "sink", rows, ({"rows": 5, "seconds": {}},), hole, NONE)
    assert report.to_json() == {
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
        "summaries": [{"rows": 5, "seconds": {}}],
        "holes": {"count": 12, "names": ["a", "b"], "commands": ["tidemill backfill"]},
        "outdated": {"count": 0, "names": [], "commands": []},
        "bad_files": [],
    }


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
