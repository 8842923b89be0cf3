"""A database of each kind that needs no server, with the same rows."""

import pytest

from tidemill.errors import ArgumentError, SourceError
from tidemill.sources.sql.database import TableOrQuery
from tidemill.sources.sql.open import check_database, check_rows_named

from ...support.databases import MAKERS, ROLES, START, make_sqlite, opened, read, rows

MINUTE = 60 * 10**9


@pytest.fixture(params=MAKERS)
def make(request, tmp_path):
    return lambda made: MAKERS[request.param](tmp_path / "plant.db", made)


def test_all_rows_come_and_only_named_columns(make, tmp_path):
    source = opened(make(rows()), tmp_path)
    table = read(source)
    assert table.column_names == ["id", "t", "x"]
    assert source.rows == 3000
    assert source.origin.endswith("plant.db (table 'm')")
    found = zip(table["id"].to_pylist(), table["x"].to_pylist(), strict=True)
    assert sorted(found) == sorted((i, x) for i, _, x in rows())


def test_the_rows_of_a_window_are_chosen_by_the_database(make, tmp_path):
    source = opened(make(rows()), tmp_path, span=(START + 10 * MINUTE, START + 12 * MINUTE))
    inside = sorted(x for _, s, x in rows() if 600 <= s < 720)
    assert sorted(read(source)["x"].to_pylist()) == inside
    assert source.rows == 120


@pytest.mark.parametrize(("unit", "factor"), [("s", 1), ("ms", 1000), ("ns", 10**9)])
def test_integers_are_times_if_their_unit_is_given(make, tmp_path, unit, factor):
    first = START // 10**9
    made = [(1, place, x) for place, _, x in rows(300)]
    query = f"SELECT 1 AS id, ({first} + rank) * {factor} AS t, x FROM (SELECT x, row_number() "  # noqa: S608
    query += "OVER (ORDER BY x) - 1 AS rank FROM m) AS ranked"
    url, span = make(made), (START + MINUTE, START + 2 * MINUTE)
    source = opened(url, tmp_path, TableOrQuery(query=query), span=span, time_unit=unit)
    assert source.rows == 60
    assert read(source)["x"].to_pylist() == sorted(x for _, _, x in made)[60:120]
    with pytest.raises(SourceError, match="time_unit"):
        opened(url, tmp_path, TableOrQuery(query=query), span=span)


def test_local_times_are_read_in_their_zone(tmp_path):
    url = make_sqlite(tmp_path / "plant.db", rows(7200))
    hour = 60 * MINUTE
    span = (START - hour, START)  # midnight in Berlin is 23 o'clock in UTC
    source = opened(url, tmp_path, span=span, input_timezone="Europe/Berlin")
    assert source.rows == 3600


def test_the_fingerprint_depends_on_rows_and_not_on_their_order(tmp_path):
    first = opened(make_sqlite(tmp_path / "a.db", rows()), tmp_path)
    again = opened(make_sqlite(tmp_path / "b.db", rows()[::-1]), tmp_path)
    other = opened(make_sqlite(tmp_path / "c.db", [*rows(2999), (0, 2999, 0.5)]), tmp_path)
    assert first.fingerprint == again.fingerprint != other.fingerprint


def test_a_window_without_rows_is_no_error(make, tmp_path):
    source = opened(make(rows(10)), tmp_path, span=(START - MINUTE, START))
    assert source.rows == 0


def test_an_empty_result_is_one_sentence(make, tmp_path):
    given = TableOrQuery(query="SELECT * FROM m WHERE id < 0")
    with pytest.raises(SourceError, match=r"plant.db \(the query\) has no rows"):
        opened(make(rows(10)), tmp_path, given)
    assert not (tmp_path / "work/snapshots").exists()


def test_nulls_are_as_in_files(make, tmp_path):
    made = [(1, 0, None), (1, 1, 0.5)] * 40_000  # longer than a batch, nulls first
    source = opened(make([*made[::2], *made[1::2]]), tmp_path)
    assert source.rows == 80_000
    assert read(source)["x"].null_count == 40_000


@pytest.mark.parametrize(
    ("given", "roles", "problem"),
    [
        (TableOrQuery(table="nope"), ROLES, "table 'nope' cannot be read: .*nope"),
        (TableOrQuery(query="SELECT id, FROM"), ROLES, "the query cannot be read: .*syntax error"),
        (TableOrQuery(table="m"), ("buoy", "t", None, None), "column_id='buoy' is not a column"),
        (TableOrQuery(table="m"), ("id", "t", None, ["y"]), "column_value='y' is not a column"),
        (TableOrQuery(table="m"), ("id", None, None, ["x"]), "rows of a database have no order"),
        (TableOrQuery(table="m"), ("id", "t", None, None), "column 'b' .*cannot be read"),
        (TableOrQuery(query="DELETE FROM m RETURNING *"), ROLES, "the query cannot be read"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(make, tmp_path, given, roles, problem):
    url = make(rows(10))
    with pytest.raises(SourceError, match=problem) as refused:
        opened(url, tmp_path, given, roles)
    assert "\n" not in str(refused.value)
    assert opened(url, tmp_path).rows == 10


def test_the_columns_are_checked_without_reading_rows(make, tmp_path):
    url = make(rows(10))
    check_database(url, TableOrQuery(table="m"), ROLES, needs_times=True)
    with pytest.raises(SourceError, match="column_id='buoy'"):
        check_database(url, TableOrQuery(table="m"), ("buoy", "t", None, "x"))
    assert not (tmp_path / "work").exists()


def test_a_composite_id_and_kinds(make, tmp_path):
    query = "SELECT id, id % 2 AS plant, t, x, 'k' || (id % 3) AS kind FROM m"
    url = make(rows(100))
    source = opened(url, tmp_path, TableOrQuery(query=query), (["plant", "id"], "t", "kind", "x"))
    assert source.kinds == ("k0", "k1", "k2")
    assert source.id_types == ("int64", "int64")


def test_a_missing_file_is_not_created(tmp_path):
    for scheme in MAKERS:
        with pytest.raises(SourceError, match="there is no file"):
            opened(f"{scheme}:///{tmp_path}/none.db", tmp_path)
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize(
    ("location", "table", "query", "problem"),
    [
        ("a.parquet", "m", None, "table='m' is for databases"),
        ("a.parquet", None, "SELECT 1", "query='SELECT 1' is for databases"),
        ("sqlite:///a.db", None, None, "neither is given"),
        ("sqlite:///a.db", "m", "SELECT 1", "both are given"),
        (("sqlite:///a.db", "a.parquet"), "m", None, "the only input of a run"),
    ],
)
def test_what_is_given_fits_the_input(location, table, query, problem):
    with pytest.raises(ArgumentError, match=problem):
        check_rows_named(location, table, query)
