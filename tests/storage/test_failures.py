"""Failures are the JSON values that markers and records of all versions hold."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from tidemill.model.series import Quarantined
from tidemill.storage.failures import FailedSeries, FailureCount, Failures
from tidemill.storage.markers import Marker
from tidemill.storage.record import RunRecord

QUARANTINED = {"id": "7", "kind": "x", "reason": "it died"}
COMPLETE = {**QUARANTINED, "is_poison": False, "since": ""}
FAILURES = {"kind": "x", "calculator": "mean", "message": "no", "count": 2, "ids": ["3", "4"]}
COUNT = {"kind": "x", "calculator": "mean", "message": "no", "count": 2}
CASE = {"id": "3", "kind": "x", "calculator": "mean", "message": "no"}


def test_a_marker_reads_and_writes_them_flat():
    values = {
        "index": 1, "path": "p", "rows": 2, "bytes": 3, "checksum": "c", "seconds": 0.5,
        "quarantined": [QUARANTINED], "errors": [FAILURES],
    }  # fmt: skip
    marker = Marker.from_values(values)
    assert marker.quarantined == (Quarantined("7", "x", "it died"),)
    assert marker.errors == (Failures("x", "mean", "no", 2, ("3", "4")),)
    written = json.loads(marker.to_json())
    expected = {**values, "quarantined": [COMPLETE]}
    assert {name: written[name] for name in values} == expected


def test_a_record_reads_and_writes_them_flat():
    values = {"quarantined": [QUARANTINED], "errors": [COUNT], "error_cases": [CASE]}
    record = RunRecord.from_json({"run_id": "r", "started": "2030", **values})
    assert record.errors == (FailureCount("x", "mean", "no", 2),)
    assert record.error_cases == (FailedSeries("3", "x", "mean", "no"),)
    written = json.loads(json.dumps(record.to_json()))
    expected = {**values, "quarantined": [COMPLETE]}
    assert {name: written[name] for name in values} == expected


@pytest.mark.parametrize("raw", [FAILURES, COUNT])
def test_an_unknown_field_is_damage(raw):
    """A marker that is not understood counts as missing, so that its part is calculated again."""
    bad = {"index": 1, "quarantined": [], "errors": [{**raw, "colour": 1}]}
    with pytest.raises(ValueError, match="not a commit marker"):
        Marker.from_json(json.dumps(bad).encode())


def test_failures_without_ids_are_counted_only():
    assert asdict(Failures("x", "mean", "no", 5))["ids"] == ()
