import json

import pytest

from tidemill.errors import SourceError
from tidemill.sources.sql.database import TableOrQuery

from ...support.databases import START, make_duckdb, opened, read, rows


def test_a_query_of_duckdb_reads_no_other_file(tmp_path):
    url = make_duckdb(tmp_path / "a.duckdb", rows(10))
    other = tmp_path / "secret.json"
    other.write_text(json.dumps([{"id": 1, "t": 1, "x": 1.0}]))
    with pytest.raises(SourceError, match="the query cannot be read"):
        opened(url, tmp_path, TableOrQuery(query=f"SELECT * FROM read_json('{other}')"))  # noqa: S608


def test_a_date_of_duckdb_is_midnight_in_utc(tmp_path):
    url = make_duckdb(tmp_path / "a.duckdb", rows(5))
    query = "SELECT id, DATE '2026-01-01' + id::INTEGER AS t, x FROM m"
    day = 86_400 * 10**9
    source = opened(url, tmp_path, TableOrQuery(query=query), span=(START + day, START + 3 * day))
    assert sorted(read(source)["id"].to_pylist()) == [1, 2]
