"""Records of intervals come back as they were; damaged ones count as missing."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tidemill.model.interval import Interval
from tidemill.model.source import ColumnRoles, Source, SourceFile
from tidemill.storage.intervals import (
    IntervalRecord,
    file_identities,
    interval_names,
    latest_interval,
    read_coverages,
    read_figures,
    read_intervals,
    write_coverage,
    write_figures,
    write_interval,
)

HOUR = 3_600 * 10**9
DAY = 24 * HOUR
ROLES = ColumnRoles(("plant", "sensor"), "time", None, ("x", "y"))


def interval_of(day: int) -> Interval:
    return Interval(day * DAY, (day + 1) * DAY, day * DAY - HOUR)


def record_of(day: int, **changes) -> IntervalRecord:
    interval = interval_of(day)
    made = IntervalRecord(
        interval.name,
        interval.start,
        interval.end,
        interval.window_start,
        run_id="r",
        published="2030-01-02T00:00:00+00:00",
        result_key="k" * 64,
        digest="d",
        files=(("a/b.parquet", 9, "x"), ("c.parquet", 2**40, "y")),
        fingerprint="f",
        settings={"*": [["mean", {}]]},
        policies={"on_nan": "raise"},
        columns=ROLES,
        facts={"rows": 3},
    )
    return replace(made, **changes)


@pytest.mark.parametrize(
    "columns",
    [ROLES, ColumnRoles("id", None, "kind", ("value",)), ColumnRoles(("a",), "t", None, ())],
)
def test_a_record_comes_back_as_it_was(layout, columns):
    record = record_of(3, columns=columns)
    write_interval(layout, record)
    assert read_intervals(layout, interval_names(layout)) == {record.name: record}


def test_roles_are_lists_in_the_file(layout):
    write_interval(layout, record_of(3))
    raw = json.loads(layout.intervals.read("19700104T000000Z.json"))
    assert raw["columns"] == {
        "id": ["plant", "sensor"], "sort": "time", "kind": None, "values": ["x", "y"],
    }  # fmt: skip
    assert raw["files"] == [["a/b.parquet", 9, "x"], ["c.parquet", 2**40, "y"]]


def test_a_record_is_replaced(layout):
    for run in ("one", "two"):
        write_interval(layout, record_of(3, run_id=run))
    assert [one.run_id for one in read_intervals(layout, interval_names(layout)).values()] == [
        "two"
    ]


def test_names_ascend_and_other_files_are_left_out(layout):
    assert interval_names(layout) == []
    for day in (11, 2, 7):
        write_interval(layout, record_of(day))
    layout.intervals.write("notes.txt", b"")
    assert interval_names(layout) == [interval_of(day).name for day in (2, 7, 11)]


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"{}", b"[]", b'{"files": [], "columns": {}}', b'{"files": [], "columns": null}'],
)
def test_a_damaged_record_counts_as_missing(layout, damage):
    write_interval(layout, record_of(2))
    name = interval_of(3).name
    layout.intervals.write(f"{name}.json", damage)
    assert list(read_intervals(layout, [name, interval_of(2).name, "unknown"])) == [
        interval_of(2).name
    ]
    latest = latest_interval(layout)
    assert latest is not None
    assert latest.name == interval_of(2).name


def test_the_latest_before_another_ends_by_its_start(layout):
    assert latest_interval(layout) is None
    for day in (2, 3, 5):
        write_interval(layout, record_of(day))
    found = {day: latest_interval(layout, interval_of(day)) for day in (2, 3, 4, 5, 9)}
    starts = {day: one.start // DAY if one else None for day, one in found.items()}
    assert starts == {2: None, 3: 2, 4: 3, 5: 3, 9: 5}
    overlapping = replace(interval_of(5), start=5 * DAY - HOUR)
    write_interval(layout, record_of(4, end=5 * DAY))
    before = latest_interval(layout, overlapping)
    assert before is not None
    assert before.start == 3 * DAY


def test_figures_lie_beside_the_record(layout):
    record = record_of(2)
    assert read_figures(layout, record) is None
    early = write_figures(layout, record.name, b"\x00\x01")
    late = write_figures(layout, record.name, b"\x02")
    assert read_figures(layout, record) == b"\x02"
    assert read_figures(layout, replace(record, checksums=late)) == b"\x02"
    assert read_figures(layout, replace(record, checksums=early)) is None
    assert interval_names(layout) == []


def test_files_are_identified_by_path_size_and_digest():
    file = SourceFile("a.parquet", 9, "etag", "x", rows=3, groups=1)
    source = Source("/in", "parquet", (file,), ROLES, "int64", ("x",), {}, "f")
    assert file_identities(source) == (("a.parquet", 9, "x"),)
    rewritten = replace(source, files=(replace(file, version="other"),))
    assert file_identities(rewritten) == file_identities(source)
    changed = replace(source, files=(replace(file, digest="z"),))
    assert file_identities(changed) != file_identities(source)


def test_values_per_id_and_kind_lie_beside_the_record(layout):
    a, b, c = (record_of(day) for day in (1, 2, 3))
    write_coverage(layout, a.name, b"\x01")
    known = write_coverage(layout, b.name, b"\x02")
    assert read_coverages(layout, [b, c, a]) == {b.name: b"\x02", a.name: b"\x01"}
    write_coverage(layout, a.name, None)
    write_coverage(layout, c.name, None)
    b = replace(b, checksums=known)
    assert read_coverages(layout, [a, b, c]) == {b.name: b"\x02"}
    write_coverage(layout, b.name, b"\x03")
    assert read_coverages(layout, [b]) == {}
    assert interval_names(layout) == []
