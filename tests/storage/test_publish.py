"""What a sink shows changes at once, and is recorded; see test_delta for tables."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from tidemill.errors import LeaseLostError, SinkError
from tidemill.storage.layout import SinkLayout
from tidemill.storage.markers import commit_part, committed
from tidemill.storage.publish import Published, drop_parts, last_published
from tidemill.storage.read_matrix import read_matrix

from .publishing import go

KEY = "a" * 64
COLUMNS = ["value__cwt_coefficients__coeff_0__w_2__widths_(2, 5)", 'x__agg__attr_"max"']


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_file_is_written_in_order_and_its_parts_can_be_dropped(place, write_parts, suffix):
    layout = SinkLayout.of(f"{place[0]}/matrix{suffix}", place[1])
    key = layout.key(KEY)
    markers, schema = write_parts(key, range(10), COLUMNS)
    with pytest.raises(SinkError, match="nothing is published"):
        read_matrix(layout.url, storage_options=place[1])
    published = go(layout, key, markers[::-1], schema)
    assert published.rows == 10
    frame = read_matrix(layout.url, storage_options=place[1])
    assert list(frame.index) == list(range(10))
    assert list(frame.columns) == COLUMNS
    assert np.array_equal(frame.to_numpy(), np.random.default_rng(7).normal(size=(10, 2)))
    assert len(key.data.list()) == len(markers)  # they stay until the run is recorded
    drop_parts(layout, key)
    assert key.data.list() == []
    assert [entry.path for entry in layout.home.folder()[0]] == [layout.name]
    assert last_published(layout) == published
    layout.home.write(layout.name, b"something else")
    assert last_published(layout) is None


def test_a_failure_leaves_the_old_file(place, write_parts):
    layout = SinkLayout.of(f"{place[0]}/matrix.parquet", place[1])
    key = layout.key(KEY)
    go(layout, key, *write_parts(key, range(4), COLUMNS))
    old = layout.home.read(layout.name)
    markers, schema = write_parts(key, range(9), COLUMNS)

    def lost() -> None:
        raise LeaseLostError("gone")

    with pytest.raises(LeaseLostError):
        go(layout, key, markers, schema, check=lost)
    key.data.delete(markers[-1].path)
    with pytest.raises(FileNotFoundError):
        go(layout, key, markers, schema)
    assert layout.home.read(layout.name) == old
    assert [entry.path for entry in layout.home.folder()[0]] == [layout.name]


def test_a_file_cannot_hold_intervals(tmp_path, write_parts):
    layout = SinkLayout.of(tmp_path / "matrix.csv")
    with pytest.raises(ValueError, match="intervals"):
        go(layout, layout.key(KEY), [], pa.schema([("id", pa.int64())]), interval="2030-01")


def test_the_pointer_comes_back_as_it_was():
    made = Published("r", "k" * 64, "d", 3, "7", ["string", "int64"], 1.5, "2030-01")
    assert Published.from_json(made.to_json()) == made
    assert list(json.loads(made.to_json())) == [
        "run_id", "result_key", "digest", "rows", "version", "id_type", "published", "interval",
        "is_new", "size", "seal",
    ]  # fmt: skip
    for damaged in (b"", b"{}", b"[1]", b'{"run_id": "r", "colour": 1}'):
        with pytest.raises(ValueError, match=r"not a pointer|Expecting|an object"):
            Published.from_json(damaged)


def test_nothing_is_published_by_a_damaged_pointer(layout, write_parts):
    assert last_published(layout) is None
    key = layout.key(KEY)
    published = go(layout, key, *write_parts(key, range(4), COLUMNS))
    assert last_published(layout) == published
    layout.state.write(layout.published, b'{"run_id": "r"')
    assert last_published(layout) is None


def test_the_parts_of_a_table_are_its_files_and_stay(layout, write_parts):
    key = layout.key(KEY)
    markers, schema = write_parts(key, range(6), COLUMNS)
    for marker in markers:
        commit_part(key, marker)
    go(layout, key, markers, schema)
    drop_parts(layout, key)
    assert len(committed(key)) == len(markers)
    assert len(read_matrix(layout.url, storage_options=layout.home.storage_options)) == 6


@pytest.mark.parametrize("name", ["matrix", "matrix.parquet"])
def test_what_is_published_is_counted_and_named(tmp_path, write_parts, name):
    layout = SinkLayout.of(tmp_path / name)
    key = layout.key(KEY)
    published = go(layout, key, *write_parts(key, list("abc"), COLUMNS, id_type=pa.string()))
    assert (published.run_id, published.result_key, published.digest) == ("r", KEY, "d")
    assert (published.rows, published.id_type, published.interval) == (3, "string", None)
    assert published.is_new
