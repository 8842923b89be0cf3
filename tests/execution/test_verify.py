"""Parts are published only if they are made of exactly the input."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tidemill.errors import DataError, SinkError, SourceChangedError
from tidemill.execution.chunk import run_chunk
from tidemill.execution.plans import load_plan
from tidemill.execution.verify import check_parts, check_rows, discard_parts_on_mismatch
from tidemill.model.plan import Kept
from tidemill.model.series import Quarantined
from tidemill.storage.markers import committed

from ..support.inputs import make_input
from ..support.jobs import opened


@pytest.fixture
def job(tmp_path):
    with opened(make_input(tmp_path, n_ids=3), tmp_path / "matrix") as job:
        run_chunk(job.run, [0, 1, 2])
        yield job


@pytest.fixture
def plan(job):
    return load_plan(job.run)


@pytest.fixture
def markers(job):
    found = committed(job.run.key)
    return [found[index] for index in sorted(found)]


def changed(markers, index, **fields):
    return [replace(one, **fields) if one.index == index else one for one in markers]


def test_parts_as_they_were_calculated_are_right(plan, markers):
    check_parts(plan, markers)
    check_rows(markers)


@pytest.mark.parametrize(
    ("index", "bounds"),
    [(1, {"lower": 0}), (1, {"upper": 2}), (0, {"upper": 1}), (2, {"lower": 1})],
)
def test_ids_beyond_the_range_of_their_part_are_refused(index, bounds, plan, markers):
    with pytest.raises(SinkError, match=rf"parts {index} hold ids outside of"):
        check_parts(plan, changed(markers, index, **bounds))


def test_the_outer_ranges_have_no_bound_and_empty_parts_no_ids(plan, markers):
    check_parts(plan, changed(changed(markers, 0, lower=-99), 2, upper=99))
    check_parts(plan, changed(markers, 1, rows=0, lower=None, upper=None))


@pytest.mark.parametrize("rows", [31, 33])
def test_every_input_row_is_in_one_part(rows, plan, markers):
    with pytest.raises(SinkError, match=rf"made of {64 + rows} rows, but the input .* has 96"):
        check_parts(plan, changed(markers, 1, input_rows=rows))


def test_kept_rows_must_be_those_of_the_record(plan, markers):
    kept = Kept("run", "key", "another digest", {}, (), ("value__mean",))
    with pytest.raises(SinkError, match=r"published rows of interval .*recalculate"):
        check_parts(replace(plan, kept=kept), [replace(one, kept=one.digest) for one in markers])


def test_a_result_without_rows_is_refused_with_the_reasons(markers):
    gone = [
        replace(one, rows=0, quarantined=(Quarantined(str(one.index), None, "NaN"),))
        for one in markers
    ]
    check_rows([*gone[:2], markers[2]])
    with pytest.raises(DataError, match=r"all 3 are quarantined: 0 \(NaN\), 1 \(NaN\), 2 \(NaN\)"):
        check_rows(gone)


def test_a_mismatch_drops_the_parts(job, plan, markers):
    with pytest.raises(SinkError, match="rows"), discard_parts_on_mismatch(job.run):
        check_parts(plan, changed(markers, 1, input_rows=0))
    assert committed(job.run.key) == {}


@pytest.mark.parametrize(
    ("error", "left"), [(SourceChangedError("it changed"), 0), (ConnectionError("lost"), 3)]
)
def test_parts_are_dropped_only_where_they_may_be_wrong(error, left, job):
    with pytest.raises(type(error)), discard_parts_on_mismatch(job.run):
        raise error
    assert len(committed(job.run.key)) == left
