"""Arrow IPC: files and streams, batch by batch."""

import pyarrow as pa
import pytest
from pyarrow import feather

from tidemill.errors import SourceError
from tidemill.model.plan import GroupSpan
from tidemill.sources.files.formats import FORMATS
from tidemill.sources.files.open import open_source
from tidemill.sources.files.read import read_span

TABLE = pa.table({"note": ["a"] * 9, "id": [1, 1, 1, 2, 2, 2, 3, 3, 3], "x": range(9)})
WRITERS = {"a.arrow": pa.ipc.new_file, "a.arrows": pa.ipc.new_stream}


def write(path, opened, compression=None, table=TABLE):
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with opened(path, table.schema, options=options) as writer:
        for first in range(0, 9, 3):
            writer.write_table(table.slice(first, 3))


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
@pytest.mark.parametrize("name", WRITERS)
def test_batches_are_groups(name, compression, tmp_path):
    write(tmp_path / name, WRITERS[name], compression)
    source = open_source(tmp_path, column_id="id", column_value="x")
    assert [(one.rows, one.groups) for one in source.files] == [(9, 3)]
    bounds = list(FORMATS["arrow_ipc"].group_bounds(source, 0))
    assert bounds == [(0, 3, None), (1, 3, None), (2, 3, None)]
    batches = list(read_span(source, GroupSpan(0, 1, 3), ["x", "id"], rows=2))
    assert [batch.num_rows for batch in batches] == [2, 1, 2, 1]
    found = pa.Table.from_batches(batches).to_pydict()
    assert found == {"x": [3.0, 4, 5, 6, 7, 8], "id": [2, 2, 2, 3, 3, 3]}


def test_dictionaries(tmp_path):
    table = TABLE.set_column(1, "id", pa.array(list("aaabbbccc")).dictionary_encode())
    write(tmp_path / "a.ipc", pa.ipc.new_file, table=table)
    source = open_source(tmp_path, column_id="id", column_value="x")
    batches = read_span(source, GroupSpan(0, 0, 3), ["id"])
    assert source.id_type == "string"
    assert [id_ for batch in batches for id_ in batch.column(0).to_pylist()] == list("aaabbbccc")


def test_files_may_lack_columns(tmp_path):
    write(tmp_path / "a.arrow", pa.ipc.new_file)
    feather.write_feather(TABLE.select(["id", "note"]), tmp_path / "b.arrow")
    source = open_source(tmp_path, column_id="id", column_value="x")
    (batch,) = read_span(source, GroupSpan(1, 0, 1), ["x"])
    assert batch.column(0).null_count == 9 or batch.to_pandas()["x"].isna().all()


@pytest.mark.parametrize("cut", [0, 3, 100, 600])
@pytest.mark.parametrize("name", WRITERS)
def test_damaged_files(name, cut, tmp_path):
    write(tmp_path / name, WRITERS[name])
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[:cut])
    with pytest.raises(SourceError, match=r"a\.arrows? "):
        open_source(tmp_path, column_id="id", column_value="x")


def test_a_stream_that_was_cut_between_batches(tmp_path):
    write(tmp_path / "a.arrows", pa.ipc.new_stream)
    content = (tmp_path / "a.arrows").read_bytes()
    (tmp_path / "a.arrows").write_bytes(content[:-8])
    with pytest.raises(SourceError, match="does not end like an Arrow stream"):
        open_source(tmp_path, column_id="id", column_value="x")


def test_the_first_version_of_feather(tmp_path):
    (tmp_path / "a.feather").write_bytes(b"FEA1" + b"\0" * 100)
    with pytest.raises(SourceError, match="Feather's first version: write it again"):
        open_source(tmp_path, column_id="id")
