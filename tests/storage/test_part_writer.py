"""One part as a Parquet file, with all that its marker says of it."""

from __future__ import annotations

import datetime as dt
import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidemill.model.digests import RowSum, checksum, row_sum
from tidemill.model.ids import id_fields
from tidemill.model.plan import Plan
from tidemill.model.policies import Policies
from tidemill.model.source import ColumnRoles, Source
from tidemill.storage import part_writer
from tidemill.storage.part_writer import PartWriter, by_column, part_schema

COLUMNS = ("x__mean", "x__maximum", "x__minimum")


def plan_of(names="id", types="int64") -> Plan:
    roles = ColumnRoles(names, "time", None, ("x",))
    source = Source("/in", "parquet", (), roles, types, ("x",), {}, "f")
    return Plan("k" * 64, source, {}, Policies(), "clustered", (), COLUMNS, {})


def tiles(*rows: int) -> list[np.ndarray]:
    rng = np.random.default_rng(11)
    return [rng.normal(size=(count, len(COLUMNS))) for count in rows]


def written(plan: Plan, ids: pa.Array, parts: list[np.ndarray]) -> tuple[PartWriter, io.BytesIO]:
    sink, first = io.BytesIO(), 0
    with PartWriter(sink, plan) as writer:
        for tile in parts:
            scratch = tile.copy()
            writer.write(ids[first : first + len(tile)], scratch)
            scratch[:] = -1.0  # as the caller may
            first += len(tile)
    return writer, sink


@pytest.mark.parametrize("cells", [1, 12, 10**6])
def test_rows_come_back_however_they_are_gathered(cells, monkeypatch):
    monkeypatch.setattr(part_writer, "GROUP_CELLS", cells)
    ids, parts = pa.array(range(10, 19)), tiles(2, 4, 3)
    writer, sink = written(plan_of(), ids, parts)
    table = pq.read_table(sink)
    assert table["id"].combine_chunks().equals(ids)
    values = np.concatenate(parts)
    for place, name in enumerate(COLUMNS):
        assert table[name].to_numpy().tobytes() == values[:, place].tobytes()
    assert writer.rows == 9
    assert pq.ParquetFile(sink).num_row_groups == {1: 3, 12: 2, 10**6: 1}[cells]


def test_what_the_marker_says_is_that_of_the_file():
    ids, parts = pa.array(range(6)), tiles(4, 2)
    writer, sink = written(plan_of(), ids, parts)
    data = sink.getvalue()
    assert writer.file.size == len(data)
    assert writer.file.checksum == checksum(io.BytesIO(data))
    assert writer.digest == row_sum(ids, np.concatenate(parts), COLUMNS)
    assert writer.id_range == [0, 5]


@pytest.mark.parametrize(
    ("type_", "values", "keys"),
    [
        ("string", ["a", "ü"], ["a", "ü"]),
        ("date32[day]", [dt.date(1970, 1, 2), dt.date(1970, 1, 9)], [1, 8]),
        ("timestamp[us, tz=UTC]", [dt.datetime(1970, 1, 1, 0, 0, s, tzinfo=dt.UTC) for s in (1, 2)],
         [1_000_000, 2_000_000]),
        ("bool", [False, True], [0, 1]),
        ("double", [-0.5, 1e300], [-0.5, 1e300]),
    ],
)  # fmt: skip
def test_ids_keep_their_type_and_their_range_is_json(type_, values, keys):
    plan = plan_of(types=type_)
    id_type = part_schema(plan).field("id").type
    writer, sink = written(plan, pa.array(values, id_type), tiles(2))
    assert pq.read_table(sink)["id"].to_pylist() == values
    assert pq.read_schema(sink).field("id").type == id_type
    assert writer.id_range == keys


def test_composite_ids_become_marked_columns():
    plan = plan_of(("plant", "sensor"), ("string", "int32"))
    ids = pa.StructArray.from_arrays(
        [pa.array(["a", "a", "b"]), pa.array([1, 2, 1], pa.int32())], ["plant", "sensor"]
    )
    writer, sink = written(plan, ids, tiles(3))
    schema = pq.read_schema(sink)
    assert [(one.name, str(one.type)) for one in id_fields(schema)] == [
        ("plant", "string"),
        ("sensor", "int32"),
    ]
    assert pq.read_table(sink)["sensor"].to_pylist() == [1, 2, 1]
    first, last = writer.id_range
    assert first < last
    assert first.startswith("a")


def test_ids_are_written_in_the_type_of_the_plan():
    _, sink = written(plan_of(types="int16"), pa.array([1, 2]), tiles(2))
    assert pq.read_schema(sink).field("id").type == pa.int16()


def test_no_rows_make_a_file_with_the_schema():
    writer, sink = written(plan_of(), pa.array([], pa.int64()), tiles(0))
    assert pq.read_table(sink).equals(part_schema(plan_of()).empty_table())
    assert (writer.rows, writer.digest, writer.id_range) == (0, RowSum(), [None, None])


def test_only_ids_have_statistics():
    _, sink = written(plan_of(), pa.array(range(3)), tiles(3))
    group = pq.ParquetFile(sink).metadata.row_group(0)
    assert [group.column(n).is_stats_set for n in range(4)] == [True, False, False, False]


@pytest.mark.parametrize("rows", [0, 1, part_writer.TRANSPOSED_ROWS, 1300])
def test_a_tile_by_column_is_its_transpose(rows):
    tile = np.random.default_rng(rows).normal(size=(rows, 5))
    found = by_column(tile)
    assert found.flags.c_contiguous
    assert found.tobytes() == np.ascontiguousarray(tile.T).tobytes()
    assert not np.shares_memory(found, tile)
