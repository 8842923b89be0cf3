"""The client, with a real server of MariaDB."""

import struct
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest

from tidemill.errors import ArgumentError, SourceError
from tidemill.model.source import Reading
from tidemill.sources.sql import mysql
from tidemill.sources.sql.address import Address
from tidemill.sources.sql.clients import connected
from tidemill.sources.sql.database import TableOrQuery
from tidemill.sources.sql.open import open_database
from tidemill.storage.stores import Store

from ...support.databases import START, read
from ...support.mysql import PASSWORD, mysql_server

HOUR = 3600 * 10**9
OPTIONS = {"password": "PLANT_PASSWORD"}
ROLES = ("id", "t", None, "x")
TYPES = """CREATE TABLE Types (
    i bigint, u bigint unsigned, y tinyint, n decimal(30, 12), f float, d double, c char(4),
    txt longtext, day date, dt datetime(6), ts timestamp(6) NULL, b blob, bits bit(4), tim time,
    `odd ``name` double)"""
FIRST = (
    "(9007199254740993, 18446744073709551615, -7, 0.100000000001, 0.1, 0.1, 'ab', 'größe', "
    "'2026-01-02', '2026-01-01 01:00:00.25', '2026-01-01 03:00:00', 'x', b'1', '01:00', 1.5)"
)


@pytest.fixture(scope="module")
def database():
    with mysql_server() as started:
        started.run(
            "SET GLOBAL sql_mode = ''",
            "CREATE TABLE m (id bigint, t datetime, x double)",
            "INSERT INTO m SELECT seq % 5, '2026-01-01' + INTERVAL seq MINUTE, seq / 3e0 "
            "FROM seq_0_to_599",
            TYPES,
            "SET time_zone = '+02:00'",
            f"INSERT INTO Types VALUES {FIRST}",  # noqa: S608
            "INSERT INTO Types (i) VALUES (1)",
            "CREATE TABLE zero AS SELECT 1 AS id, 1.0 AS x, CAST('0000-00-00' AS datetime) AS t",
            "CREATE FUNCTION writes() RETURNS int BEGIN INSERT INTO m VALUES (1, now(), 1); "
            "RETURN 1; END",
        )
        yield started


@pytest.fixture(autouse=True)
def password(monkeypatch):
    monkeypatch.setenv("PLANT_PASSWORD", PASSWORD)
    monkeypatch.delenv("MYSQL_PWD", raising=False)


def opened(database, tmp_path, given, roles=ROLES, span=None, options=OPTIONS):
    return open_database(database.url, given, roles, Store.open(tmp_path), options, Reading(), span)


def all_of(database, query):
    with connected(Address.parse(database.url, OPTIONS)) as connection:
        given = TableOrQuery(query=query)
        columns = [one for one in connection.columns(given) if one.is_usable]
        return pa.Table.from_batches(list(connection.read(given, columns, None)))


def test_values_arrive_as_they_are(database):
    table = all_of(database, "SELECT * FROM Types")
    assert table.to_pylist()[0] == {
        "i": 2**53 + 1, "u": 2**64 - 1, "y": -7, "n": 0.100000000001,
        "f": struct.unpack("f", struct.pack("f", 0.1))[0], "d": 0.1, "c": "ab", "txt": "größe",
        "day": date(2026, 1, 2), "dt": datetime(2026, 1, 1, 1, 0, 0, 250_000),  # noqa: DTZ001
        "ts": datetime(2026, 1, 1, 1, tzinfo=UTC), "odd `name": 1.5,
    }  # fmt: skip
    second = table.to_pylist()[1]
    assert second.pop("i") == 1
    assert set(second.values()) == {None}


def test_doubles_keep_all_their_bits(database):
    bits = np.random.default_rng(3).integers(0, 2**63 - 2**52, 500)
    values = [value for value in bits.view("float64").tolist() if np.isfinite(value)]
    database.run("CREATE TABLE doubles (x double)")
    texts = ", ".join(f"({value!r})" for value in values)
    database.run(f"INSERT INTO doubles VALUES {texts}")  # noqa: S608
    assert all_of(database, "SELECT * FROM doubles")["x"].to_pylist() == values


@pytest.mark.parametrize("length", [0, 250, 251, 2**16 + 5, 2**24 + 5])
def test_texts_of_any_length_arrive(database, length):
    database.run("SET GLOBAL max_allowed_packet = 67108864")
    table = all_of(database, f"SELECT 7 AS id, repeat('ä', {length // 2}) AS c, 8 AS x")
    assert table.to_pylist() == [{"id": 7, "c": "ä" * (length // 2), "x": 8}]


@pytest.mark.parametrize("column", ["b", "bits", "tim"])
def test_types_that_cannot_be_read_are_refused_if_they_are_used(database, tmp_path, column):
    with pytest.raises(SourceError, match=f"column '{column}' has type .* cannot be read"):
        opened(database, tmp_path, TableOrQuery(table="Types"), ("i", "dt", None, ["n", column]))


def test_decimal_is_no_id(database, tmp_path):
    with pytest.raises(SourceError, match=r"'n' has type decimal, .* bigint or text"):
        opened(database, tmp_path, TableOrQuery(table="Types"), ("n", "dt", None, "i"))


@pytest.mark.parametrize("column", ["t", "CAST(t AS date) AS t", "timestamp(t) AS t"])
def test_a_window_is_chosen_by_the_server(database, tmp_path, column):
    given = TableOrQuery(query=f"SELECT id, {column}, x FROM m")  # noqa: S608
    is_date = "date" in column
    span = (START, START + 24 * HOUR) if is_date else (START + HOUR, START + 3 * HOUR)
    source = opened(database, tmp_path, given, ROLES, span)
    wanted = range(600) if is_date else range(60, 180)
    assert sorted(read(source)["x"].to_pylist()) == [g / 3 for g in wanted]


def test_rows_that_come_while_it_reads_do_not_appear(database):
    given = TableOrQuery(table="m")
    with connected(Address.parse(database.url, OPTIONS)) as first:
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
            ROLES,
            "table 'nope' cannot be read: Table 'plant.nope' doesn't",
        ),
        (TableOrQuery(table="m"), ("buoy", "t", None, "x"), "column_id='buoy' is not a column"),
        (
            TableOrQuery(query="SELECT id,"),
            ROLES,
            "the query cannot be read: You have an error in your",
        ),
        (
            TableOrQuery(query="SELECT 1; DROP TABLE m"),
            ROLES,
            "the query cannot be read: You have an",
        ),
        (TableOrQuery(query="SELECT id, t, writes() AS x FROM m"), ROLES, "READ ONLY transaction"),
        (TableOrQuery(table="zero"), ROLES, "column 't' holds a value that is no timestamp"),
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
    options = {} if value is None else OPTIONS
    with pytest.raises(SourceError, match=r"Access denied .*set the variable") as refused:
        opened(database, tmp_path, TableOrQuery(table="m"), options=options)
    assert "\n" not in str(refused.value)
    assert "wro/ng" not in str(refused.value)


def test_the_usual_variable_holds_the_password(database, tmp_path, monkeypatch):
    monkeypatch.setenv("MYSQL_PWD", PASSWORD)
    assert opened(database, tmp_path, TableOrQuery(table="m"), options={}).rows == 600


def test_a_server_that_does_not_answer_is_worth_a_retry(tmp_path):
    url = "mysql://tide@127.0.0.1:1/plant"
    with pytest.raises(ConnectionError, match="does not answer") as lost:
        open_database(url, TableOrQuery(table="m"), ROLES, Store.open(tmp_path), OPTIONS)
    assert "\n" not in str(lost.value)


def test_a_connection_that_is_cut_is_worth_a_retry(database):
    given = TableOrQuery(query="SELECT a.seq AS x FROM seq_1_to_3000 a, seq_1_to_3000 b")
    with connected(Address.parse(database.url, OPTIONS)) as connection:
        batches = connection.read(given, connection.columns(given), None)
        assert next(batches).num_rows == mysql._BATCH_ROWS
        number = connection._connection.thread_id()
        database.run(f"KILL {number}")
        with pytest.raises(ConnectionError, match="does not answer"):
            list(batches)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("mysql://tide@host?ssl_ca=a.pem", "names no database"),
        ("mysql://tide@host/plant?compress=1", "option 'compress', .* ssl_ca, ssl_cert, ssl_key"),
    ],
)
def test_urls_that_say_too_little_or_too_much(url, problem):
    with pytest.raises(ArgumentError, match=problem), connected(Address.parse(url)):
        pytest.fail("nothing was to be opened")


def test_many_rows_come_in_batches(database):
    given = TableOrQuery(query="SELECT seq AS x FROM seq_1_to_200000")
    with connected(Address.parse(database.url, OPTIONS)) as connection:
        sizes = [b.num_rows for b in connection.read(given, connection.columns(given), None)]
    assert sum(sizes) == 200_000
    assert max(sizes) == mysql._BATCH_ROWS
