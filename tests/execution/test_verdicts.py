"""Verdicts from records: what a run warns of, and what it did."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tidemill.execution.records import RunSummary
from tidemill.execution.verdicts import verdict_of, verdict_of_summary, warnings_of
from tidemill.storage.failures import FailureCount
from tidemill.storage.layout import SinkLayout
from tidemill.storage.record import SHOWN_ALREADY, RunRecord, history

FIXTURES = Path(__file__).parents[1] / "fixtures" / "made_by_0_1_0"
DONE = RunRecord(
    "a", "2030-01-01", state="finished", rows=8, columns=10, parts={"total": 1, "calculated": 1}
)


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (DONE, "Completed: 8 rows of 10 columns"),
        (
            replace(DONE, interval="x", interval_label="2026-11-20"),
            "Completed: 2026-11-20: 8 rows of 10 columns",
        ),
        (replace(DONE, state="failed", message="InputError: x"), "Failed: InputError: x"),
        (replace(DONE, state="cancelled", message="stopped"), "Cancelled: stopped"),
        (replace(DONE, state="running"), "Running"),
        (
            replace(DONE, parts={"calculated": 0}, notes=(SHOWN_ALREADY,)),
            f"Skipped: unchanged: {SHOWN_ALREADY}",
        ),
    ],
)
def test_the_verdict_follows_from_the_record(record, text):
    assert verdict_of(record).text == text


def test_a_result_without_checks_warns_of_what_is_missing():
    record = replace(
        DONE,
        parts={"quarantined": 2},
        errors=(FailureCount("x", "mean", "m", 3), FailureCount("y", "mean", "m", 1)),
        bad_files=({"path": "a", "reason": "b"},),
    )
    assert warnings_of(record) == (
        "2 of 10 series quarantined",
        "4 of 80 cells are NaN because their calculator failed",
        "1 input file could not be read and was left out",
    )


def test_of_an_interval_its_checks_warn():
    finding = {"check": "a", "level": "warn", "fact": "rows fell", "sentence": "rows fell; more"}
    record = replace(DONE, acceptance={"checks": [finding]}, parts={"quarantined": 2})
    assert warnings_of(record) == ("rows fell",)


def test_records_of_version_0_1_0_have_their_warnings():
    records = history(SinkLayout.of(FIXTURES / "table" / "matrix"))
    assert [warnings_of(one) for one in records if warnings_of(one)] == [
        ("1 series quarantined, without a row", "the rows fell from 4 to 3, by 25%")
    ]


@pytest.mark.parametrize("parts", [{"quarantined": 2}, {"calculated": 1}, {"calculated": 0}])
def test_a_summary_has_the_verdict_of_its_record(parts):
    verdict = verdict_of(replace(DONE, parts=parts, notes=(SHOWN_ALREADY,)))
    said = {"verdict": verdict.text, "warnings": verdict.warnings}
    summary = RunSummary("a", "t", 8, 10, parts, "none", 0, {}, {}, **said)
    again = verdict_of_summary(summary.to_json())
    assert (again.text, again.state_name) == (verdict.text, verdict.state_name)
