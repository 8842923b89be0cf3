import pyarrow as pa
import pytest

from tidemill.errors import ArgumentError
from tidemill.model.source import Reading
from tidemill.sources.sql.database import (
    Column,
    TableOrQuery,
    TimeSpan,
    double_quotes,
    in_span,
    select,
)


@pytest.mark.parametrize(
    ("given", "problem"),
    [({}, "neither is given"), ({"table": "a", "query": "SELECT 1"}, "both are given")],
)
def test_either_table_or_query(given, problem):
    with pytest.raises(ArgumentError, match=problem):
        TableOrQuery(**given)


@pytest.mark.parametrize("given", [{"table": ""}, {"query": " ; "}])
def test_empty_text_is_refused(given):
    with pytest.raises(ArgumentError, match="is not allowed"):
        TableOrQuery(**given)


@pytest.mark.parametrize(
    ("table", "quoted"),
    [
        ("readings", '"readings"'),
        ("plant.Readings", '"plant"."Readings"'),
        ('plant."readings.2026"', '"plant"."readings.2026"'),
        ('"a""b"', '"a""b"'),
        ("x; DROP TABLE y", '"x; DROP TABLE y"'),
    ],
)
def test_names_of_tables_are_quoted(table, quoted):
    assert TableOrQuery(table=table).after_from(double_quotes) == quoted


@pytest.mark.parametrize("table", ["plant.", ".readings", 'a"b', "a..b"])
def test_what_is_no_name_is_refused(table):
    with pytest.raises(ArgumentError, match="is no name of a table"):
        TableOrQuery(table=table).after_from(double_quotes)


def test_a_query_ends_on_its_own_line_so_that_a_comment_hides_nothing():
    statement = select(["*"], TableOrQuery(query="SELECT 1 -- one ; ").after_from(double_quotes))
    assert statement.splitlines()[-1] == ") AS tidemill_rows"


def literal(time, zoned):
    return f"{time:%d %H:%M}{'Z' if zoned else ''}"


@pytest.mark.parametrize(
    ("type_", "reading", "low", "high"),
    [
        (pa.timestamp("us", "UTC"), {"input_timezone": "Asia/Tokyo"}, "02 00:00Z", "02 00:01Z"),
        (pa.timestamp("us"), {}, "02 00:00", "02 00:01"),
        (pa.timestamp("us"), {"input_timezone": "UTC"}, "02 00:00", "02 00:01"),
        (pa.date32(), {"input_timezone": "Asia/Tokyo"}, "31 21:00", "03 03:01"),
        (pa.int64(), {"time_unit": "s"}, "86400", "86460"),
        (pa.int32(), {"time_unit": "ms"}, "86400000", "86460000"),
    ],
)
def test_the_condition_holds_for_all_rows_of_a_span_and_those_without_a_time(
    type_, reading, low, high
):
    day = 86_400 * 10**9
    span = TimeSpan("t", day, day + 60 * 10**9, Reading(**reading))
    found = in_span([Column("x", None), Column("t", type_)], span, double_quotes, literal)
    assert found == f"""("t" IS NULL OR ("t" >= {low} AND "t" < {high}))"""


@pytest.mark.parametrize("type_", [pa.string(), pa.int64()])
def test_times_that_the_database_cannot_tell_are_all_read(type_):
    span = TimeSpan("t", 0, 1)
    assert in_span([Column("t", type_)], span, double_quotes, literal) is None
    assert in_span([Column("t", type_)], None, double_quotes, literal) is None
