"""Parquet: footers of any size, bounds of ids from statistics, and rows group by group."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidemill.errors import DataError
from tidemill.model.plan import GroupSpan
from tidemill.model.source import Reading
from tidemill.sources.files import parquet
from tidemill.sources.files.open import find_files, open_source
from tidemill.sources.files.parquet import PARQUET

HOUR = 3_600 * 10**9


def write(folder, ids, **options):
    table = pa.table({"id": ids, "x": pa.array(np.arange(len(ids)), pa.float64())})
    pq.write_table(table, folder / "a.parquet", **options)
    return folder / "a.parquet"


@pytest.mark.parametrize("tail_bytes", [12, 200, 2**16])
def test_a_footer_of_any_size_is_described(tmp_path, monkeypatch, tail_bytes):
    monkeypatch.setattr(parquet, "TAIL_BYTES", tail_bytes)
    path = write(tmp_path, [1, 2, 3], row_group_size=2)
    found = PARQUET.describe(pa.memory_map(str(path)), "a.parquet", path.stat().st_size, Reading())
    assert (found.rows, found.groups, found.schema.names) == (3, 2, ["id", "x"])
    assert path.read_bytes().endswith(found.footer)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "does not end like"),
        (b"PAR1" * 2, "does not end like"),
        (b"PAR1" + (10**6).to_bytes(4, "little") + b"PAR1", "footer is longer than the file"),
    ],
)
def test_files_that_are_not_parquet(data, message):
    with pytest.raises(pa.ArrowInvalid, match=message):
        PARQUET.describe(pa.BufferReader(data), "a.parquet", len(data), Reading())


def bounds(source):
    return [(one.group, one.rows, one.bounds) for one in PARQUET.group_bounds(source, 0)]


def test_bounds_are_those_of_the_row_groups(tmp_path):
    write(tmp_path, [1, 2, 2, 5], row_group_size=2)
    source = open_source(tmp_path, column_id="id")
    assert bounds(source) == [(0, 2, (1, 2)), (1, 2, (2, 5))]


def test_without_statistics_there_are_no_bounds(tmp_path):
    write(tmp_path, [1, 2], write_statistics=["x"])
    assert bounds(open_source(tmp_path, column_id="id")) == [(0, 2, None)]


def test_composite_ids_are_wide_unless_only_the_last_column_varies(tmp_path):
    table = pa.table({"a": [1, 1, 1, 2], "b": [1, 2, 3, 1], "x": [0.0] * 4})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=2)
    found = bounds(open_source(tmp_path, column_id=["a", "b"]))
    assert [one[2][2] for one in found] == [False, True]
    assert all(low < high for _, _, (low, high, _) in found)


def test_null_ids_are_refused_by_statistics(tmp_path):
    write(tmp_path, pa.array([1, None]))
    with pytest.raises(DataError, match=r"a\.parquet: column 'id' is null in 1 row"):
        bounds(open_source(tmp_path, column_id="id"))


def test_only_row_groups_of_the_window_are_read(tmp_path):
    start = pd.Timestamp("2026-01-01", tz="UTC")
    times = start + pd.to_timedelta(np.arange(6), "h")
    frame = pd.DataFrame({"id": 1, "time": times.as_unit("us"), "x": np.arange(6.0)})
    frame.to_parquet(tmp_path / "a.parquet", row_group_size=2)
    span = start.value + 2 * HOUR, start.value + 5 * HOUR
    source = find_files(str(tmp_path), ("id", "time", None, None), None, span)
    assert bounds(source) == [(1, 2, (1, 1)), (2, 2, None)]  # all rows of 1, some of 2
    batches = PARQUET.read_groups(source, GroupSpan(0, 0, 3), ["x"], 1)
    assert [batch.column(0).to_pylist() for batch in batches] == [[2.0], [3.0], [4.0], [5.0]]


def test_text_ids_come_as_dictionaries(tmp_path):
    write(tmp_path, ["a", "a", "b"])
    source = open_source(tmp_path, column_id="id")
    (batch,) = PARQUET.read_groups(source, GroupSpan(0, 0, 1), ["id"], 10)
    assert pa.types.is_dictionary(batch.schema.field("id").type)
    assert batch.column(0).to_pylist() == ["a", "a", "b"]
