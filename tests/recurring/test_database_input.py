"""Recurring runs about a table of SQLite, without Prefect."""

import sqlite3
from dataclasses import replace

import pandas as pd
import pytest

import tidemill
from tidemill.errors import SourceError
from tidemill.recurring.examine import examine
from tidemill.recurring.table_checks import validate_table_request

from ..support.daily import DAILY, DAYS, NAMES, known, request, rows
from ..support.runners import RealRunner


@pytest.fixture
def database(tmp_path):
    frame = pd.concat([rows(day) for day in DAYS])
    with sqlite3.connect(tmp_path / "plant.db") as connection:
        frame.assign(time=frame["time"].astype(str)).to_sql("m", connection, index=False)
    connection.close()
    return tmp_path / "plant.db"


def about(database, table, day):
    url = f"sqlite:///{database}"
    return request(url, table, day, query="SELECT * FROM m")


def look(database, table, day):
    made = about(database, table, day)
    return examine(made, known(table).get(made.interval.name), recalculate=False)


def calculate(database, table, day):
    finding = look(database, table, day)
    assert finding.is_due
    with RealRunner().open() as run:
        run(replace(about(database, table, day), examined=finding.source), None)


def snapshots(table):
    return list(table.glob("_tidemill/snapshots/*"))


def test_late_rows_reopen_their_interval_and_no_other(database, table):
    for day in DAYS:
        calculate(database, table, day)
    assert [look(database, table, day).state for day in DAYS] == ["unchanged"] * 3
    assert snapshots(table) == []
    with sqlite3.connect(database) as connection:
        connection.execute("INSERT INTO m VALUES (3, ?, 99.0)", [f"{DAYS[1]} 10:10:00"])
    connection.close()
    assert [look(database, table, day).state for day in DAYS] == [
        "unchanged", "changed", "unchanged"
    ]  # fmt: skip
    calculate(database, table, DAYS[1])
    matrix = tidemill.read_matrix(table, NAMES[1])
    assert matrix.loc[3, "x__maximum"] == 99.0
    assert look(database, table, DAYS[1]).state == "unchanged"


def test_the_same_rows_in_another_order_change_nothing(database, table):
    calculate(database, table, DAYS[0])
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE n AS SELECT * FROM m ORDER BY x")
        connection.execute("DROP TABLE m")
        connection.execute("ALTER TABLE n RENAME TO m")
    connection.close()
    assert look(database, table, DAYS[0]).state == "unchanged"


def test_a_window_without_rows_is_empty(database, table):
    assert look(database, table, "2026-12-24").state == "empty"
    assert snapshots(table) == []


def test_columns_are_checked_at_the_door(database, table):
    made = replace(about(database, table, DAYS[0]), interval=None)
    assert validate_table_request(made, DAILY).validated
    with pytest.raises(SourceError, match="column_time='when'"):
        validate_table_request(replace(made, column_sort="when"), DAILY)
