"""What a table's log says of its files."""

from __future__ import annotations

from deltalake import DeltaTable, write_deltalake

from tidemill.storage.delta import open_table
from tidemill.storage.publish import publish
from tidemill.storage.shown_files import shown_files


def test_files_have_sizes_rows_and_their_interval(layout, write_parts):
    key = layout.key("ab" * 32)
    markers, schema = write_parts(key, [1, 2, 3], ["a"], n_parts=2)
    name = "20261101T000000Z"
    publish(layout, key, markers, schema, run_id="r", digest="d", interval=name)
    found = {one.path: one for one in shown_files(open_table(layout))}
    assert {path: (one.bytes, one.rows, one.interval) for path, one in found.items()} == {
        one.path: (one.bytes, one.rows, name) for one in markers
    }


def test_a_table_without_intervals_has_none(tmp_path):
    import pyarrow as pa

    write_deltalake(str(tmp_path / "t"), pa.table({"a": [1, 2]}))
    (one,) = shown_files(DeltaTable(str(tmp_path / "t")))
    assert (one.rows, one.interval, one.checksum) == (2, "", "")
