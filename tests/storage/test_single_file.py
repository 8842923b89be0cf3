"""One file with the rows of all parts, which ordinary readers read."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidemill.errors import SinkError
from tidemill.storage import single_file
from tidemill.storage.layout import SinkLayout
from tidemill.storage.read_matrix import read_matrix
from tidemill.storage.single_file import write_file

from .publishing import go

KEY = "a" * 64
COLUMNS = ["value__cwt_coefficients__coeff_0__w_2__widths_(2, 5)", 'x__agg__attr_"max"']


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
@pytest.mark.parametrize(
    ("ids", "id_type"),
    [
        (["007", "1e3", "NA", "", 'a,"b"', "é"], pa.string()),
        (range(5), pa.int16()),
        ([dt.date(2030, 1, day) for day in (1, 2)], pa.date32()),
        ([dt.datetime(2030, 1, 1, 0, 0, 0, us) for us in (1, 2)], pa.timestamp("us")),  # noqa: DTZ001
        ([dt.datetime(2030, 1, day) for day in (1, 2)], pa.timestamp("us", "UTC")),  # noqa: DTZ001
        ([False, True], pa.bool_()),
        ([0.1, 1e300], pa.float64()),
    ],
)
def test_ids_keep_their_type(tmp_path, write_parts, suffix, ids, id_type):
    layout = SinkLayout.of(tmp_path / f"matrix{suffix}")
    key = layout.key(KEY)
    markers, schema = write_parts(key, ids, COLUMNS, id_type=id_type, n_parts=1)
    go(layout, key, markers, schema)
    index = read_matrix(layout.url).index
    expected = pa.array(ids, id_type).to_pandas()
    assert str(index.dtype) == str(expected.dtype)
    assert sorted(index) == sorted(expected)


def test_ordinary_readers_read_the_files(tmp_path, write_parts):
    for suffix, read in ((".parquet", pd.read_parquet), (".csv", pd.read_csv)):
        layout = SinkLayout.of(tmp_path / f"matrix{suffix}")
        key = layout.key(KEY)
        markers, schema = write_parts(key, range(10), COLUMNS)
        go(layout, key, markers, schema)
        frame = read(tmp_path / f"matrix{suffix}")
        assert list(frame.columns) == ["id", *COLUMNS]
        assert list(frame["id"]) == list(range(10))
    assert pl.read_parquet(tmp_path / "matrix.parquet").columns == ["id", *COLUMNS]
    assert pq.read_schema(tmp_path / "matrix.parquet") == schema


def test_nan_survives_csv(tmp_path, write_parts):
    layout = SinkLayout.of(tmp_path / "matrix.csv")
    key = layout.key(KEY)
    go(layout, key, *write_parts(key, range(3), COLUMNS, value=float("nan")))
    assert read_matrix(layout.url).isna().to_numpy().all()
    assert pd.read_csv(layout.url)[COLUMNS].isna().to_numpy().all()


def test_parts_are_gathered_into_large_row_groups(tmp_path, write_parts, monkeypatch):
    layout = SinkLayout.of(tmp_path / "matrix.parquet")
    key = layout.key(KEY)
    markers, schema = write_parts(key, range(60), COLUMNS, n_parts=6)
    write_file(layout, key, markers, schema)
    assert pq.ParquetFile(layout.url).num_row_groups == 1
    monkeypatch.setattr(single_file, "_GROUP_BYTES", 2 * 10 * 3 * 8)  # of two parts
    write_file(layout, key, markers[::-1], schema)
    file = pq.ParquetFile(layout.url)
    assert [file.metadata.row_group(n).num_rows for n in range(3)] == [20, 20, 20]
    assert file.read(["id"])["id"].to_pylist() == list(range(60))


def test_only_ids_have_statistics_and_dictionaries_are_off(tmp_path, write_parts):
    layout = SinkLayout.of(tmp_path / "matrix.parquet")
    key = layout.key(KEY)
    write_file(layout, key, *write_parts(key, range(6), COLUMNS))
    group = pq.ParquetFile(layout.url).metadata.row_group(0)
    assert [group.column(n).is_stats_set for n in range(3)] == [True, False, False]
    assert all(group.column(n).dictionary_page_offset is None for n in range(3))


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_no_rows_make_a_file_with_columns(tmp_path, write_parts, suffix):
    layout = SinkLayout.of(tmp_path / f"matrix{suffix}")
    key = layout.key(KEY)
    write_file(layout, key, *write_parts(key, [], ["x__mean"]))
    read = pd.read_parquet if suffix == ".parquet" else pd.read_csv
    assert read(layout.url).columns.tolist() == ["id", "x__mean"]
    assert len(read(layout.url)) == 0


def test_csv_refuses_binary_ids(tmp_path):
    layout = SinkLayout.of(tmp_path / "matrix.csv")
    schema = pa.schema([("id", pa.binary()), ("x__mean", pa.float64())])
    with pytest.raises(SinkError, match=r"ids of type binary; choose a \.parquet sink"):
        write_file(layout, layout.key(KEY), [], schema)
    assert not (tmp_path / "matrix.csv").exists()


def test_an_error_of_the_check_leaves_no_file(tmp_path, write_parts):
    layout = SinkLayout.of(tmp_path / "matrix.parquet")
    key = layout.key(KEY)

    def fail() -> None:
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_file(layout, key, *write_parts(key, range(3), COLUMNS), fail)
    assert layout.home.folder()[0] == ()
