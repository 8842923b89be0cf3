"""Values that are gone are found per id and kind, whatever others send, in bounded memory."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import tidemill
from tidemill.execution import acceptance
from tidemill.execution.chunk import run_chunk
from tidemill.execution.coverage import BUCKETS, Coverage, CoverageGatherer, coverage_drop
from tidemill.execution.in_process import extract_here
from tidemill.execution.job import Job
from tidemill.execution.plans import load_plan
from tidemill.storage.intervals import read_coverages
from tidemill.storage.layout import SinkLayout
from tidemill.storage.markers import committed

from ..support.daily import DAYS, MORE, NAMES, known, request, rows, run


def covered(**counts: list[int]) -> Coverage:
    ids = [str(place) for place in range(len(next(iter(counts.values()))))]
    return Coverage(pa.array(ids), {kind: np.array(one) for kind, one in counts.items()})


def share(now, *earlier, before="before"):
    drop = coverage_drop(now, earlier, before)
    return None if drop is None else drop.share


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ({"x": [10] * 10}, 0),
        ({"x": [5] * 10}, Fraction(1, 2)),
        ({"x": [0] + [10] * 9}, Fraction(1, 10)),  # one of ten is silent
        ({"x": [0] + [20] * 9}, Fraction(1, 10)),  # others make up for nothing
        ({"x": [10] * 9}, Fraction(1, 10)),  # an id is gone
        ({"x": [10] * 12}, 0),  # new ids
        ({"x": [10] * 10, "y": [1] * 10}, 0),  # a new kind
        ({"y": [10] * 10}, 1),  # another kind
    ],
)
def test_the_share_of_values_that_are_gone(now, expected):
    assert share(covered(**now), covered(x=[10] * 10)) == expected


def test_the_larger_of_before_and_median_counts():
    full, half = covered(x=[24, 24]), covered(x=[12, 12])
    assert share(half, full, full, half) == Fraction(1, 2)  # of the median
    assert share(half, half, half, full) == Fraction(1, 2)  # of the interval before
    assert share(half, full, half, half) == 0  # it has been so for long
    drop = coverage_drop(half, [full, full, half], "2026-11-26")
    assert drop.reference == "the median of 3 intervals before"
    assert drop.worst == ("0, x (24 to 12)", "1, x (24 to 12)")
    assert share(half, full, full, before=None) == Fraction(1, 2)
    assert share(half) is None
    assert share(half, covered(x=[0, 0])) is None


def test_ids_are_matched_by_name():
    before = Coverage(pa.array(["b", "a"]), {"x": np.array([8, 2])})
    now = Coverage(pa.array(["a", "b"]), {"x": np.array([2, 4])})
    drop = coverage_drop(now, [before], "before")
    assert (drop.share, drop.worst) == (Fraction(4, 10), ("b, x (8 to 4)",))


def gathered(most, silent=None):
    gatherer = CoverageGatherer(most)
    for first in range(0, 20, 2):
        ids = pa.array([first, first + 1])
        gatherer.add(ids, {kind: np.where(np.array(ids) == silent, 0, 6) for kind in "xy"})
    return Coverage.from_bytes(gatherer.coverage().to_bytes())


@pytest.mark.parametrize(("most", "grain"), [(10**6, "pairs"), (30, "ids"), (4, "buckets")])
def test_counts_are_kept_within_bounds(most, grain):
    """All values of a silent id are missed at every grain, also compared with a finer one."""
    now = gathered(most, silent=7)
    assert now.grain == grain
    assert now.size <= max(most, BUCKETS)
    for before in (gathered(most), gathered(10**6)):
        assert sum(int(one.sum()) for one in before.counts.values()) == 240
        assert share(now, before) == share(now.at("buckets"), before) == Fraction(1, 20)


def test_a_gatherer_takes_what_is_coarser():
    gatherer = CoverageGatherer()
    gatherer.merge(covered(x=[1, 2]))
    gatherer.merge(covered(x=[1, 2]).at("buckets"))
    gatherer.merge(covered(y=[3]).at("ids"))
    found = gatherer.coverage()
    assert (found.grain, int(found.counts["all kinds"].sum())) == ("buckets", 9)


def test_nothing_was_counted():
    empty = CoverageGatherer().coverage()
    assert Coverage.from_bytes(empty.to_bytes()).size == 0
    assert share(empty, covered(x=[3])) == 1


def test_composite_ids_and_times_have_names():
    ids = pa.StructArray.from_arrays([pa.array(["n", "s"]), pa.array([7, 8])], ["plant", "sensor"])
    gatherer = CoverageGatherer()
    gatherer.add(ids, {"x": np.array([1, 2])})
    gatherer.add(pa.array([pd.Timestamp("2026-11-17")]), {"x": np.array([3])})
    names = gatherer.coverage().ids.to_pylist()
    assert names[:2] == ["(n, 7)", "(s, 8)"]
    assert names[2].startswith("2026-11-17 00:00:00")


@pytest.mark.parametrize("data", [b"", b"ARROW1", covered(x=[1]).to_bytes()[:-20]])
def test_a_damaged_file_is_refused(data):
    with pytest.raises(ValueError, match="not the coverage"):
        Coverage.from_bytes(data)


# In a run


def stored(table, day):
    record = known(table)[NAMES[DAYS.index(day)]]
    (data,) = read_coverages(SinkLayout.of(table), [record]).values()
    return Coverage.from_bytes(data)


def by_id(coverage, kind="x"):
    return dict(zip(coverage.ids.to_pylist(), coverage.counts[kind].tolist(), strict=True))


def cut(source, day, keep):
    path = source / f"{day}.parquet"
    frame = pd.read_parquet(path)
    frame[keep(frame)].to_parquet(path, index=False)


def without_values(source, day, which):
    path = source / f"{day}.parquet"
    frame = pd.read_parquet(path)
    frame.loc[which(frame), "x"] = np.nan
    frame.to_parquet(path, index=False)


def figures(summary, *names):
    return [summary.acceptance["measures"][name]["figure"] for name in names]


def test_a_file_cut_at_noon_is_a_warning(source, table):
    first = run(source, table, DAYS[0])
    assert figures(first, "input_rows_drop", "coverage_drop", "bad_files") == [None, None, 0]
    cut(source, DAYS[1], lambda frame: frame["time"].dt.hour < 12)
    summary = run(source, table, DAYS[1])
    found = [(one["check"], one["level"]) for one in summary.acceptance["checks"]]
    assert found == [("input_rows_drop", "warn"), ("coverage_drop", "warn")]
    assert figures(summary, "rows_drop", "input_rows_drop", "coverage_drop") == [0, 0.5, 0.5]


def test_one_id_of_five_that_halves_is_a_tenth(source, table):
    run(source, table, DAYS[0])
    cut(source, DAYS[1], lambda frame: (frame["id"] != 3) | (frame["time"].dt.hour < 12))
    limits = {"coverage_drop": {"warn": 0.05}}
    summary = run(source, table, DAYS[1], checks=limits)
    assert figures(summary, "coverage_drop") == [0.1]
    (sentence,) = [one["sentence"] for one in summary.acceptance["checks"]]
    assert "compared with 2026-11-17, most of 3, x (24 to 12);" in sentence


def test_late_rows_are_compared_with_the_interval_before(source, table):
    """Not with the half of the day that was published first."""
    path = source / f"{DAYS[1]}.parquet"
    whole = path.read_bytes()
    run(source, table, DAYS[0])
    cut(source, DAYS[1], lambda frame: frame["time"].dt.hour < 12)
    run(source, table, DAYS[1])
    path.write_bytes(whole)
    summary = run(source, table, DAYS[1])
    assert figures(summary, "input_rows_drop", "coverage_drop") == [0, 0]
    assert by_id(stored(table, DAYS[1])) == {str(one): 24 for one in range(5)}
    assert figures(run(source, table, DAYS[2]), "coverage_drop") == [0]


def test_missing_and_damaged_files_of_counts_are_left_out(source, table):
    run(source, table, DAYS[0])
    run(source, table, DAYS[1])
    folder = SinkLayout.of(table).coverage
    folder.delete(f"{NAMES[1]}.arrow")
    cut(source, DAYS[2], lambda frame: frame["time"].dt.hour < 18)
    summary = run(source, table, DAYS[2])
    assert figures(summary, "coverage_drop") == [0.25]
    assert "one interval before" in summary.acceptance["checks"][1]["sentence"]
    folder.write(f"{NAMES[0]}.arrow", b"damaged")
    again = run(source, table, DAYS[2], recalculates="again")
    assert figures(again, "coverage_drop") == [None]


def test_counts_survive_a_run_that_died(source, table):
    """Parts of the earlier attempt keep their counts, which go with its state in the end."""
    about = request(source, table, DAYS[0], part_bytes=500)
    with Job.open(about) as job:
        assert len(load_plan(job.run).parts) > 2
        run_chunk(job.run, [0, 1])
        assert all(one.coverage for one in committed(job.run.key).values())
    summary = extract_here(about, threads=2)
    assert summary.parts["reused"] == 2
    assert by_id(stored(table, DAYS[0])) == {str(one): 24 for one in range(5)}
    assert SinkLayout.of(table).state.child("keys").folder()[1] == ()


def test_counts_are_unknown_if_those_of_a_part_are(source, table):
    about = request(source, table, DAYS[0], part_bytes=500)
    with Job.open(about) as job:
        run_chunk(job.run, [0])
        (marker,) = committed(job.run.key).values()
        older = replace(marker, coverage="", coverage_checksum="")
        job.run.key.state.write(job.run.key.marker(0, 0), older.to_json())
    extract_here(about, threads=2)
    assert read_coverages(SinkLayout.of(table), known(table).values()) == {}
    assert figures(run(source, table, DAYS[1]), "coverage_drop") == [None]


def test_counts_are_kept_when_features_are_added(source, table):
    run(source, table, DAYS[0])
    before = by_id(stored(table, DAYS[0]))
    summary = run(source, table, DAYS[0], settings=MORE, on_settings_change="append")
    assert "1 new column was calculated, the others are" in summary.note
    assert by_id(stored(table, DAYS[0])) == before


def test_quarantined_ids_count(source, table):
    without_values(source, DAYS[0], lambda frame: frame.index == 3)
    summary = run(source, table, DAYS[0], on_nan="quarantine")
    assert summary.rows == 4
    assert by_id(stored(table, DAYS[0])) == {str(one): 24 for one in range(5)}


def test_values_that_are_omitted_do_not_count(source, table):
    run(source, table, DAYS[0], on_nan="omit")
    without_values(source, DAYS[1], lambda frame: frame["id"] == 2)
    summary = run(source, table, DAYS[1], on_nan="omit")
    assert figures(summary, "input_rows_drop", "coverage_drop") == [0, 0.2]


def test_the_long_format_with_kinds_that_an_id_lacks(tmp_path, table):
    folder = tmp_path / "long"
    folder.mkdir()
    for day, silent in zip(DAYS, ([], [0], [0, 1, 2]), strict=True):
        frame = pd.concat([rows(day).assign(kind=kind) for kind in ("x", "y")])
        has_y = (frame["id"] < 3) & ~frame["id"].isin(silent)
        frame = frame[(frame["kind"] == "x") | has_y].rename(columns={"x": "value"})
        frame.to_parquet(folder / f"{day}.parquet", index=False)
    roles = {"column_kind": "kind", "column_value": "value"}
    run(folder, table, DAYS[0], **roles)
    assert by_id(stored(table, DAYS[0]), "y") == {"0": 24, "1": 24, "2": 24, "3": 0, "4": 0}
    second = run(folder, table, DAYS[1], **roles)
    assert figures(second, "rows_drop", "coverage_drop") == [0, 0.125]
    assert second.acceptance["columns"] == {"new": [], "vanished": []}


def test_counts_of_many_parts_are_those_of_one(source, table, tmp_path, monkeypatch):
    monkeypatch.setattr(acceptance, "_READERS", 1)
    run(source, table, DAYS[0], part_bytes=500)
    run(source, tmp_path / "one", DAYS[0])
    assert by_id(stored(table, DAYS[0])) == by_id(stored(tmp_path / "one", DAYS[0]))


def test_runs_without_intervals_count_nothing(source, tmp_path):
    table = tmp_path / "plain"
    extract_here(replace(request(source, table, DAYS[0]), interval=None), threads=1)
    assert tidemill.read_matrix(table).shape[0] == 5
    assert not list((table / "_tidemill").rglob("*.arrow"))
