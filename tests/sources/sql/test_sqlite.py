import sqlite3

import pyarrow as pa
import pytest

from tidemill.errors import SourceError
from tidemill.sources.sql.database import TableOrQuery

from ...support.databases import START, make_sqlite, opened, read

MINUTE = 60 * 10**9


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ([1, "a"], "holds text and numbers"),
        ([b"1"], "holds binary values"),
        ([0.5, 2**53 + 1], "float64 has gaps"),
    ],
)
def test_cells_of_mixed_types_in_sqlite(tmp_path, cells, problem):
    made = [(1, second, cell) for second, cell in enumerate(cells)]
    with pytest.raises(SourceError, match=problem):
        opened(make_sqlite(tmp_path / "a.db", made), tmp_path)


def test_integers_of_sqlite_stay_exact(tmp_path):
    made = [(2**62 + k, k, k) for k in range(3)]
    table = read(opened(make_sqlite(tmp_path / "a.db", made), tmp_path))
    assert table["id"].to_pylist() == [2**62, 2**62 + 1, 2**62 + 2]
    assert table.schema.field("x").type == pa.int64()


def test_times_of_sqlite_are_read_by_their_zone(tmp_path):
    url = make_sqlite(tmp_path / "a.db", [])
    texts = ["2026-01-01 00:00:00", "2026-01-01T01:00:00.250+01:00", "2025-12-31T23:59:59.999Z"]
    with sqlite3.connect(tmp_path / "a.db") as connection:
        cells = [(1, text, float(place), None) for place, text in enumerate(texts)]
        connection.executemany("INSERT INTO m VALUES (?, ?, ?, ?)", cells)
    connection.close()
    source = opened(url, tmp_path, span=(START, START + MINUTE), input_timezone="UTC")
    assert read(source)["x"].to_pylist() == [0.0, 1.0]
    assert source.rows == 2


@pytest.mark.parametrize(
    ("cell", "problem"),
    [("soon", "column 't'"), (1_767_225_600, "time_unit")],
)
def test_other_times_of_sqlite_are_refused(tmp_path, cell, problem):
    url = make_sqlite(tmp_path / "a.db", [])
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute("CREATE TABLE n AS SELECT 1 AS id, ? AS t, 0.5 AS x", [cell])
    connection.close()
    with pytest.raises(SourceError, match=problem):
        opened(url, tmp_path, TableOrQuery(table="n"), span=(START, START + MINUTE))
