from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tidemill import read_matrix
from tidemill.errors import DataError, LeaseLostError, SettingsError, SinkBusyError, SinkError
from tidemill.execution.rows import RowsJob, write_rows
from tidemill.storage.layout import SinkLayout
from tidemill.storage.record import history
from tidemill.storage.verify_table import verify_table

COLUMNS = ("x__mean", "y__quantile__q_0.5")
FACTS = {"cluster": "test", "threads": 1, "task_runs": 0, "seconds": {}}


def _open(sink, n_parts=2, **changed):
    given = {"name": "rows", "ids": {"id": pa.int64()}, "columns": COLUMNS, "cluster": "test"}
    return RowsJob.open(str(sink), n_parts=n_parts, **{**given, **changed})


def _publish(sink, first=0):
    with _open(sink) as job:
        write_rows(job, 1, pa.array([first + 2]), np.array([[5.0, np.nan]]))
        write_rows(job, 0, pa.array([first, first + 3]), np.array([[1.0, 2.0], [3.0, 4.0]]))
        return job.publish(FACTS)


def _write_one(sink, n_parts, rows=1, *, loses_lease=False):
    """Write the first part only."""
    with _open(sink, n_parts) as job:
        if loses_lease:
            job.run.layout.lease.delete_all()
        write_rows(job, 0, pa.array(range(rows), pa.int64()), np.ones((rows, 2)))
        job.publish(FACTS)


def test_rows_are_published_as_those_of_a_run(tmp_path):
    sink = tmp_path / "matrix"
    summary = _publish(sink)
    assert (summary.rows, summary.columns, summary.parts["total"]) == (3, 2, 2)
    got = read_matrix(sink)
    assert got.index.tolist() == [0, 2, 3]
    np.testing.assert_array_equal(got, [[1, 2], [5, np.nan], [3, 4]])
    (record,) = history(SinkLayout.of(sink))
    assert (record.state, record.rows, record.source) == ("finished", 3, "dask/rows")
    assert record.settings == {"x": [["mean", {}]], "y": [["quantile", {"q": 0.5}]]}
    verified = verify_table(SinkLayout.of(sink), deep=True)
    assert (verified.files, verified.faults) == (2, [])


def test_later_rows_replace_earlier_ones(tmp_path):
    sink = tmp_path / "matrix"
    first = _publish(sink)
    second = _publish(sink, first=10)
    assert read_matrix(sink).index.tolist() == [10, 12, 13]
    assert int(second.version) == int(first.version) + 1


def test_a_failed_call_leaves_the_old_rows_and_a_record(tmp_path):
    sink = tmp_path / "matrix"
    _publish(sink)
    with pytest.raises(SinkError, match=r"parts 1 of 2 are missing"):
        _write_one(sink, n_parts=2)
    assert read_matrix(sink).index.tolist() == [0, 2, 3]
    assert sorted(record.state for record in history(SinkLayout.of(sink))) == ["failed", "finished"]


def test_nothing_is_no_result(tmp_path):
    with pytest.raises(DataError, match="no id is left"):
        _write_one(tmp_path / "matrix", n_parts=1, rows=0)


def test_a_part_is_not_written_once_the_lease_is_gone(tmp_path):
    with pytest.raises(LeaseLostError):
        _write_one(tmp_path / "matrix", n_parts=1, loses_lease=True)


def test_a_part_is_written_once(tmp_path):
    with _open(tmp_path / "matrix", 1) as job:
        first = write_rows(job, 0, pa.array([7]), np.ones((1, 2)))
        assert write_rows(job, 0, pa.array([7]), np.ones((1, 2))) == first
        job.publish(FACTS)
    assert len(list((tmp_path / "matrix").glob("*.parquet"))) == 1


def test_wrong_sinks_and_columns_are_refused(tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "notes.txt").write_text("mine")
    with pytest.raises(SinkError, match="holds something else"), _open(tmp_path / "taken"):
        pass
    with pytest.raises(SinkError, match="is one file"), _open(tmp_path / "matrix.parquet"):
        pass
    with (
        pytest.raises(SettingsError, match="'label' is not a feature"),
        _open(tmp_path / "m", columns=["label"]),
    ):
        pass
    with (
        _open(tmp_path / "busy"),
        pytest.raises(SinkBusyError, match=r"is being written by run .* \(cluster=test\)"),
        _open(tmp_path / "busy"),
    ):
        pass
