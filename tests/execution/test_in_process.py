"""A whole run in this process, without Prefect and Dask."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tidemill
from tidemill.errors import CalculationError
from tidemill.execution.in_process import extract_here
from tidemill.planning.request import make_request

from ..support.inputs import make_input
from ..support.sinks import assert_nothing_left, records


@pytest.fixture
def series(tmp_path):
    return make_input(tmp_path, n_ids=6)


@pytest.fixture
def sink(tmp_path):
    return tmp_path / "matrix"


def request_of(series, sink, **more):
    arguments = {"settings": "minimal", **series.arguments, **more}
    return make_request(arguments.pop("source"), sink, **arguments)


def test_the_result_equals_that_of_the_frame(series, sink):
    summary = extract_here(request_of(series, sink), threads=2)
    expected = tidemill.extract_features(
        series.frame, "minimal", column_id="id", column_sort="time"
    )
    found = tidemill.read_matrix(str(sink))
    pd.testing.assert_frame_equal(found, expected, check_exact=True, check_names=False)
    assert (summary.rows, summary.task_runs) == (6, 0)
    assert_nothing_left(sink)


def test_the_first_error_stops_the_others_and_is_the_one_raised(series, sink, probe):
    probe.tell("all", "sleep 0.2")
    probe.tell(1, "wrong")
    with pytest.raises(CalculationError, match="a fault that stays"):
        extract_here(request_of(series, sink, **probe.arguments), threads=2)
    assert len(probe.calls) <= 4
    (record,) = records(sink)
    assert (record["state"], record["parts"]["total"]) == ("failed", 6)


@pytest.mark.parametrize("is_sorted", [True, False])
@pytest.mark.parametrize("row_group_size", [20, 1000])
def test_ids_that_differ_only_in_nuls_at_their_end(tmp_path, sink, is_sorted, row_group_size):
    ids, rng = ["a", "a\0", "a\0\0", "b", "b\0"], np.random.default_rng(7)
    values = rng.normal(size=(len(ids), 40))
    columns = {"id": [one for one in ids for _ in range(40)], "x": values.ravel()}
    table = pa.table({**columns, "time": np.arange(values.size)})
    rows = table if is_sorted else table.take(rng.permutation(table.num_rows))
    pq.write_table(rows, tmp_path / "in.parquet", row_group_size=row_group_size)
    extract_here(
        make_request(
            tmp_path / "in.parquet",
            sink,
            column_id="id",
            column_sort="time",
            settings="minimal",
            part_bytes=300,
        )
    )
    matrix = tidemill.read_matrix(sink)
    assert list(matrix.index) == ids
    np.testing.assert_allclose(matrix["x__mean"].to_numpy(), values.mean(axis=1))
