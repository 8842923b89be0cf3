"""SQLite and DuckDB files with the same rows."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tidemill.model.source import Reading
from tidemill.sources.sql.database import TableOrQuery
from tidemill.sources.sql.open import open_database
from tidemill.storage.stores import Store

ROLES = ("id", "t", None, ["x"])
START = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 10**9


def rows(count=3000):
    """The id, the second and the value of each row."""
    values = np.random.default_rng(5).normal(size=count).tolist()
    return [(i % 7, i, values[i]) for i in range(count)]


def make_sqlite(path, made):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE m (id INTEGER, t TEXT, x, b BLOB)")
        texts = ((i, moment(s), x, b"\0") for i, s, x in made)
        connection.executemany("INSERT INTO m VALUES (?, ?, ?, ?)", texts)
    connection.close()
    return f"sqlite:///{path}"


def make_duckdb(path, made):
    table = pa.table({
        "id": pa.array([i for i, _, _ in made], pa.int64()),
        "t": pa.array([START // 1000 + s * 10**6 for _, s, _ in made], pa.timestamp("us", "UTC")),
        "x": pa.array([x for _, _, x in made], pa.float64()),
        "b": pa.array([[1]] * len(made)),
    })  # fmt: skip
    with duckdb.connect(str(path)) as connection:
        connection.register("rows", table)
        connection.execute("CREATE TABLE m AS SELECT * FROM rows")
    return f"duckdb:///{path}"


def moment(second):
    return datetime.fromtimestamp(START / 10**9 + second, UTC).strftime("%Y-%m-%d %H:%M:%S")


MAKERS = {"sqlite": make_sqlite, "duckdb": make_duckdb}


def opened(url, tmp_path, given=None, roles=ROLES, span=None, **reading):
    given, folder = given or TableOrQuery(table="m"), Store.open(tmp_path / "work")
    return open_database(url, given, roles, folder, {}, Reading(**reading), span)


def read(source):
    return pq.read_table(f"{source.url}/{source.files[0].path}")
