"""Rows of a matrix and their targets, by id or by interval and id."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from tidemill.errors import ArgumentError
from tidemill.execution.in_process import extract_here
from tidemill.planning.request import make_request
from tidemill.selection.table_target import matched_rows
from tidemill.storage.layout import SinkLayout
from tidemill.storage.matrix_columns import MatrixColumns
from tidemill.storage.read_matrix import read_matrix

from ..support.daily import DAYS, NAMES, run, source, table

__all__ = ["source", "table"]


@pytest.fixture
def columns(source, table):
    """A table of two days with five ids each."""
    for day in DAYS[:2]:
        run(source, table, day)
    return MatrixColumns.open(SinkLayout.of(table))


def by_interval(starts, ids=range(5)):
    """A target that tells its interval and id."""
    index = pd.MultiIndex.from_product([list(starts), list(ids)], names=["start", "id"])
    return pd.Series(np.arange(len(index)), index=index)


def test_a_target_by_id_is_that_of_all_intervals(columns):
    found = matched_rows(columns, pd.Series([5, 6, 7], index=[4, 1, 9]), "y")
    assert columns.ids.take(found.rows)["id"].to_pylist() == [1, 4, 1, 4]
    assert found.target.tolist() == [6, 5, 6, 5]
    assert found.without_row == 1


@pytest.mark.parametrize(
    "starts",
    [
        DAYS[:2],
        NAMES[:2],
        [f"{day} 00:00" for day in DAYS[:2]],
        [f"{day}T01:00:00+01:00" for day in DAYS[:2]],
        [dt.date.fromisoformat(day) for day in DAYS[:2]],
        pd.DatetimeIndex(DAYS[:2]),
        pd.DatetimeIndex(DAYS[:2], tz="UTC").tz_convert("America/New_York"),
        pd.DatetimeIndex(DAYS[:2], tz="UTC").as_unit("ns"),
        pd.DatetimeIndex(DAYS[:2]).as_unit("s"),
    ],
    ids=["dates", "names", "times", "offsets", "date objects", "naive", "zone", "ns", "s"],
)
def test_intervals_are_named_by_their_start_in_any_form(columns, starts):
    found = matched_rows(columns, by_interval(starts), "y")
    assert found.target.tolist() == list(range(10))
    assert columns.ids.take(found.rows)["id"].to_pylist() == [*range(5), *range(5)]
    assert found.without_row == 0


def test_the_index_of_the_matrix_fits(columns, table):
    y = pd.Series(np.arange(10), index=read_matrix(table).index)
    found = matched_rows(columns, y.sample(frac=1, random_state=1), "y")
    assert found.target.tolist() == list(range(10))
    turned = y.swaplevel()  # the level of the intervals is known by its name
    assert matched_rows(columns, turned, "y").target.tolist() == list(range(10))


def test_rows_and_targets_of_other_intervals_are_left_out(columns):
    found = matched_rows(columns, by_interval([DAYS[1], DAYS[2]], [0, 9]), "y")
    assert columns.row_intervals()[found.rows[0]] == NAMES[1]
    assert (found.target.tolist(), found.without_row) == ([0], 3)


@pytest.mark.parametrize(
    ("y", "sentence"),
    [
        (
            by_interval(["yesterday"]),
            r"y has the interval 'yesterday', which is not allowed \(.*\)",
        ),
        (by_interval([7]), "y has the interval 7, which is not allowed: give its start, such as"),
        (by_interval([DAYS[2]]), r"y has no id of .*: it has \('2026-11-19', 0\).* and the matrix"),
        (by_interval([DAYS[0], NAMES[0]]), r"y has several targets for \('20261117T000000Z', 0\)"),
        (by_interval([DAYS[0], None]), "y lacks the interval in 5 rows; drop these rows"),
        (
            pd.Series([1], index=pd.MultiIndex.from_tuples([(1, 2, 3)])),
            "y has an index of 3 levels, and the ids of .* consist of 'id': give a target by id",
        ),
    ],
    ids=["no time", "number", "another day", "twice", "none", "levels"],
)
def test_what_names_no_interval_is_refused(columns, y, sentence):
    with pytest.raises(ArgumentError, match=sentence):
        matched_rows(columns, y, "y")


def test_a_matrix_without_intervals_takes_no_targets_by_interval(source, tmp_path):
    wanted = {"column_id": "id", "column_sort": "time", "settings": "minimal"}
    extract_here(make_request(source, tmp_path / "m", **wanted))
    columns = MatrixColumns.open(SinkLayout.of(tmp_path / "m"))
    with pytest.raises(ArgumentError, match="is not divided into intervals: give them by id alone"):
        matched_rows(columns, by_interval(DAYS[:1]), "y")
