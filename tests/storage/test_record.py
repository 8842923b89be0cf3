"""A record tells all of a run, and the history is newest first."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest

from tidemill.model.series import Quarantined
from tidemill.storage.failures import FailedSeries, FailureCount
from tidemill.storage.record import RunRecord, cpu_features, history, write_record


def test_a_record_comes_back_as_it_was(layout):
    record = RunRecord(
        "run/one",
        "2030-01-01T10:00:00+00:00",
        state="finished",
        settings={"*": [["mean", {}]]},
        cpu_features=("AVX2",),
        parts={"total": 3, "calculated": 2, "reused": 1, "quarantined": 0},
        quarantined=(Quarantined("7", "x", "dies"),),
        errors=(FailureCount("x", "mean", "no", 2),),
        error_cases=(FailedSeries("7", "x", "mean", "no"),),
        rows=7,
        notes=("replaced version 3",),
    )
    write_record(layout, record)
    assert history(layout) == [record]
    assert json.loads(json.dumps(record.to_json())) == record.to_json()
    assert list(record.to_json()) == [field.name for field in fields(RunRecord)]


def test_history_is_newest_first_and_cut(layout):
    assert history(layout) == []
    for day in (2, 1, 3):
        write_record(layout, RunRecord(f"run{day}", f"2030-01-0{day}T10:00:00Z"))
    write_record(layout, RunRecord("run2", "2030-01-02T10:00:00Z", state="failed"))
    assert [one.run_id for one in history(layout)] == ["run3", "run2", "run1"]
    assert [one.state for one in history(layout, 2)] == ["running", "failed"]


def test_fields_of_newer_versions_are_left_out():
    raw = {**RunRecord("a", "b").to_json(), "new": 1}
    assert RunRecord.from_json(raw) == RunRecord("a", "b")


def test_cpu_features_are_sorted_names():
    found = cpu_features()
    assert found == tuple(sorted(found))
    assert all(isinstance(name, str) for name in found)


@pytest.mark.parametrize("content", [b"", b'{"run_id": "b", "st', b"\xff\x00\x9c", b"[]", b"null"])
def test_a_damaged_record_is_left_out_and_named(content, layout, caplog):
    for day in (1, 2, 3):
        write_record(layout, RunRecord(f"run{day}", f"2030-01-0{day}T10:00:00Z"))
    layout.records.write(history(layout)[1].path, content)
    assert [one.run_id for one in history(layout, 2)] == ["run3", "run1"]
    assert "run2.json is damaged and left out" in caplog.text
