"""The client, with a real server."""

import struct

import pyarrow as pa
import pytest

from tidemill.errors import SourceError
from tidemill.model.source import Reading
from tidemill.sources.sql.address import Address
from tidemill.sources.sql.clients import connected
from tidemill.sources.sql.database import TableOrQuery
from tidemill.sources.sql.open import open_database
from tidemill.storage.stores import Store

from ...support.databases import START, read
from ...support.postgres import PASSWORD, server

HOUR = 3600 * 10**9
OPTIONS = {"password": "PLANT_PASSWORD"}
TYPES = """CREATE TABLE plant."Types" (
    u uuid, n numeric(30, 12), j jsonb, a int[], b bytea, c char(4), d date, ts timestamp,
    tz timestamptz, i int8, f float4, yes boolean, v varchar, m money, "odd ""name" float8)"""


@pytest.fixture(scope="module")
def database():
    with server() as started:
        started.run(
            "CREATE SCHEMA plant",
            "CREATE SEQUENCE counter",
            "CREATE TABLE m AS SELECT g % 5 AS id, timestamptz '2026-01-01 00:00+00' "
            "+ g * interval '1 minute' AS t, g / 3.0::float8 AS x FROM generate_series(0, 599) g",
            TYPES,
            "INSERT INTO plant.\"Types\" VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', "
            "0.1000000000000000055511151231257827, '{}', '{1}', 'x', 'ab', '2026-01-02', "
            "'2026-01-01 01:00', '2026-01-01 03:00+02', 9007199254740993, 0.5, true, 'v', 3, 1.5)",
            'INSERT INTO plant."Types" (u, tz) VALUES '
            "('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', '2026-01-01 02:00+00')",
        )
        yield started


@pytest.fixture(autouse=True)
def password(monkeypatch):
    monkeypatch.setenv("PLANT_PASSWORD", PASSWORD)
    monkeypatch.delenv("PGPASSWORD", raising=False)


def opened(database, tmp_path, given, roles, span=None, options=OPTIONS):
    return open_database(database.url, given, roles, Store.open(tmp_path), options, Reading(), span)


def test_values_arrive_as_they_are(database, tmp_path):
    given, roles = (
        TableOrQuery(table='plant."Types"'),
        ("u", "tz", None, ["n", "yes", "i", 'odd "name']),
    )
    table = read(opened(database, tmp_path, given, roles))
    assert table.schema.types == [
        pa.string(), pa.timestamp("us", "UTC"), pa.float64(), pa.bool_(), pa.int64(), pa.float64()
    ]  # fmt: skip
    first, second = table.to_pylist()
    assert first["u"] == "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
    assert struct.pack("d", first["n"]) == struct.pack("d", float("0.100000000000"))
    assert first["tz"].isoformat() == "2026-01-01T01:00:00+00:00"
    assert (first["yes"], first["i"], first['odd "name']) == (True, 2**53 + 1, 1.5)
    assert [second[name] for name in ("n", "yes", "i")] == [None] * 3


@pytest.mark.parametrize("text", ["0.1", "1e-30", "123456789012345678901234567890.5", "NaN"])
def test_numeric_becomes_the_nearest_float(database, tmp_path, text):
    given = TableOrQuery(query=f"SELECT 1 AS id, now() AS t, '{text}'::numeric AS x")
    found = read(opened(database, tmp_path, given, ("id", "t", None, "x")))["x"][0].as_py()
    assert struct.pack("d", found) == struct.pack("d", float(text))


@pytest.mark.parametrize("column", ["j", "a", "b", "m"])
def test_types_that_cannot_be_read_are_refused_if_they_are_used(database, tmp_path, column):
    given = TableOrQuery(table='plant."Types"')
    with pytest.raises(SourceError, match=f"column '{column}' has type .* cannot be read"):
        opened(database, tmp_path, given, ("u", "tz", None, ["n", column]))


def test_numeric_is_no_id(database, tmp_path):
    given = TableOrQuery(table='plant."Types"')
    with pytest.raises(SourceError, match=r"'n' has type numeric, .* bigint or text"):
        opened(database, tmp_path, given, ("n", "tz", None, "i"))


@pytest.mark.parametrize("column", ["t", "t AT TIME ZONE 'UTC' AS t"])
def test_a_window_is_chosen_by_the_server(database, tmp_path, column):
    given = TableOrQuery(query=f"SELECT id, {column}, x FROM m")  # noqa: S608
    span = (START + HOUR, START + 3 * HOUR)
    source = opened(database, tmp_path, given, ("id", "t", None, "x"), span)
    assert sorted(read(source)["x"].to_pylist()) == [g / 3 for g in range(60, 180)]
    assert source.rows == 120


def test_a_window_of_dates(database, tmp_path):
    given, roles = TableOrQuery(table='plant."Types"'), ("u", "d", None, "f")
    day = 24 * HOUR
    with pytest.raises(SourceError, match="'f' has type float4, but intervals need times"):
        opened(database, tmp_path, given, ("u", "f", None, "i"), (START, START + day))
    query = 'SELECT * FROM plant."Types" WHERE d IS NOT NULL'
    found = [
        opened(
            database,
            tmp_path,
            TableOrQuery(query=query),
            roles,
            (START + k * day, START + (k + 1) * day),
        )
        for k in range(3)
    ]
    assert [source.rows for source in found] == [0, 1, 0]


def test_rows_that_come_while_it_reads_do_not_appear(database):
    given = TableOrQuery(table="m")
    address = Address.parse(database.url, OPTIONS)
    with connected(address) as first:
        columns = first.columns(given)
        database.run("INSERT INTO m VALUES (1, now(), -7)")
        seen = sum(batch.num_rows for batch in first.read(given, columns, None))
    database.run("DELETE FROM m WHERE x = -7")
    assert seen == 600


@pytest.mark.parametrize(
    ("given", "roles", "problem"),
    [
        (
            TableOrQuery(table="nope"),
            ("id", "t", None, "x"),
            "table 'nope' cannot be read: relation",
        ),
        (TableOrQuery(table="m"), ("buoy", "t", None, "x"), "column_id='buoy' is not a column"),
        (
            TableOrQuery(query="SELECT id,"),
            ("id", "t", None, "x"),
            "the query cannot be read: syntax",
        ),
        (
            TableOrQuery(query="SELECT 1 AS id, now() AS t, nextval('counter') AS x"),
            ("id", "t", None, "x"),
            "read-only transaction",
        ),
        (
            TableOrQuery(query="SELECT 1 AS id, now() AS t, 1 / 0 AS x"),
            ("id", "t", None, "x"),
            "zero",
        ),
    ],
)
def test_what_cannot_be_read_is_one_sentence(database, tmp_path, given, roles, problem):
    with pytest.raises(SourceError, match=problem) as refused:
        opened(database, tmp_path, given, roles)
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", ["wro/ng", None])
def test_a_wrong_or_missing_password_is_one_sentence(database, tmp_path, monkeypatch, value):
    monkeypatch.setenv("PLANT_PASSWORD", value or "unused")
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "none"))
    options = {} if value is None else OPTIONS
    with pytest.raises(SourceError, match=r"password.*set the variable") as refused:
        opened(database, tmp_path, TableOrQuery(table="m"), ("id", "t", None, "x"), options=options)
    assert "\n" not in str(refused.value)
    assert "wro/ng" not in str(refused.value)


def test_libpq_finds_the_password_by_itself(database, tmp_path, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    roles = "id", "t", None, "x"
    assert opened(database, tmp_path, TableOrQuery(table="m"), roles, options={}).rows == 600


def test_a_server_that_does_not_answer_is_worth_a_retry(tmp_path):
    url, roles = "postgresql://tide@127.0.0.1:1/postgres", ("id", "t", None, "x")
    with pytest.raises(ConnectionError, match="does not answer") as lost:
        open_database(url, TableOrQuery(table="m"), roles, Store.open(tmp_path), OPTIONS)
    assert "\n" not in str(lost.value)


def test_many_rows_come_in_small_batches(database):
    query = "SELECT g % 100 AS id, now() AS t, random() AS x FROM generate_series(1, 400000) g"
    with connected(Address.parse(database.url, OPTIONS)) as connection:
        given = TableOrQuery(query=query)
        sizes = [b.num_rows for b in connection.read(given, connection.columns(given), None)]
    assert sum(sizes) == 400_000
    assert max(sizes) < 250_000
