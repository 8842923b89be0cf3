"""Tables that are written bit by bit become visible at the end, or not at all."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidemill.storage.streamed_tables import TABLES_PER_FILE, table_output


def tables(count: int) -> list[pa.Table]:
    return [pa.table({"x": [n, n + 0.5]}) for n in range(count)]


@pytest.mark.parametrize("name", ["t.parquet", "folder"])
def test_all_tables_come_back_in_order(tmp_path, name):
    path = tmp_path / "deep" / name
    count = 2 * TABLES_PER_FILE + 1
    with table_output(path, tables(1)[0].schema) as write:
        for table in tables(count):
            write(table)
        assert not path.exists()
    assert pq.read_table(path).equals(pa.concat_tables(tables(count)))
    assert [one.name for one in path.parent.iterdir()] == [name]


def test_the_files_of_a_folder_have_few_row_groups(tmp_path):
    with table_output(tmp_path / "t", tables(1)[0].schema) as write:
        for table in tables(TABLES_PER_FILE + 3):
            write(table)
    files = sorted((tmp_path / "t").iterdir())
    assert [file.name for file in files] == ["part-00000.parquet", "part-00001.parquet"]
    assert [pq.ParquetFile(file).num_row_groups for file in files] == [TABLES_PER_FILE, 3]


@pytest.mark.parametrize("name", ["t.parquet", "folder"])
@pytest.mark.parametrize("written", [0, 1, TABLES_PER_FILE + 1])
def test_an_error_leaves_nothing(tmp_path, name, written):
    def fail() -> None:
        with table_output(tmp_path / name, tables(1)[0].schema) as write:
            for table in tables(written):
                write(table)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_an_error_keeps_the_earlier_file(tmp_path):
    path = tmp_path / "t.parquet"
    path.write_bytes(b"old")
    with (
        pytest.raises(ValueError, match="schema"),
        table_output(path, tables(1)[0].schema) as write,
    ):
        write(pa.table({"y": [1]}))
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("name", ["t.parquet", "folder"])
def test_no_table_leaves_an_empty_one_with_the_schema(tmp_path, name):
    schema = tables(1)[0].schema
    with table_output(tmp_path / name, schema):
        pass
    assert pq.read_table(tmp_path / name).equals(schema.empty_table())


def test_arguments_reach_the_writer(tmp_path):
    with table_output(tmp_path / "t.parquet", tables(1)[0].schema, compression="zstd") as write:
        write(tables(1)[0])
    column = pq.ParquetFile(tmp_path / "t.parquet").metadata.row_group(0).column(0)
    assert column.compression == "ZSTD"


def test_a_folder_that_holds_files_is_not_replaced(tmp_path):
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "mine").write_text("")
    with pytest.raises(OSError, match="not empty"), table_output(tmp_path / "t", pa.schema([])):
        pass
    assert [one.name for one in (tmp_path / "t").iterdir()] == ["mine"]
    assert [one.name for one in tmp_path.iterdir()] == ["t"]
