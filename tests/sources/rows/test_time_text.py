"""Text is told apart: ISO 8601, other times and numbers, and names."""

import datetime as dt

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.sources.rows.time_text import find_shape, iso_times, parse_format, split_iso

LOCAL, UTC = pa.timestamp("ns"), pa.timestamp("ns", "UTC")


@pytest.mark.parametrize(
    ("text", "normal", "aware"),
    [
        ("2026-11-27", "2026-11-27", False),
        (" 2026-11-27 06:00 ", "2026-11-27 06:00", False),
        ("20261127T06", "2026-11-27T06", False),
        ("20261127t060001,5", "2026-11-27T06:00:01.5", False),
        ("2026-11-27T0600", "2026-11-27T06:00", False),
        ("20261127 06:00:01", "2026-11-27T06:00:01", False),
        ("2026-11-27T06:00:00.123456789+01:00", "2026-11-27T06:00:00.123456789+01:00", True),
        ("20261127T0600-0100", "2026-11-27T06:00-0100", True),
        ("2026-11-27 06:00:00 +01", "2026-11-27 06:00:00+01", True),
        ("2026-11-27 06:00 UTC", "2026-11-27 06:00Z", True),
        ("2026-11-27t06:00:00z", "2026-11-27T06:00:00Z", True),
    ],
)
def test_forms_of_iso_become_those_that_arrow_casts(text, normal, aware):
    iso, zoned, texts = split_iso(pa.array([text]))
    assert (iso[0].as_py(), zoned[0].as_py(), texts[0].as_py()) == (True, aware, normal)
    assert iso_times(texts, UTC if aware else LOCAL) is not None


@pytest.mark.parametrize(
    "text",
    ["2026-11", "20261127", "2026-11-27Z", "2026-11-27T06:00:00.1234567891", "27.11.2026", ""],
)
def test_other_text_is_not_iso(text):
    assert split_iso(pa.array([text]))[0].to_pylist() == [False]


@pytest.mark.parametrize(
    "text",
    [
        "10", "-1.5", "1e3", "1,000", "1 000", ".5", "1_000", "0x1f", " 7 ", "1700000000",
    ],
)  # fmt: skip
def test_numbers_are_known(text):
    shape = find_shape(pa.array(["start", text]))
    assert (shape.noun, shape.text, shape.is_number) == ("number", text, True)


@pytest.mark.parametrize(
    "text",
    [
        "9/1/2024", "01.02.2024", "1.2.24", "2024/1/9", "24-1-9", "9/1/2024 14:05", "Jan 1 2000",
        "January 1, 2000", "27-Nov-2026 14:05", "27 Nov 26", "27. November 2026", "27 févr. 2024",
        "Nov 2026", "9:30", "9:30:15.25", "9 PM", "05h30", "Fri Nov 27 06:00:00 2026", "20261127",
        "Thu, 27 Nov 2026 06:00:00 GMT", "20261127_0600", "202611270600", "2026-11", "11/2026",
        "2026-W48-5", "2026年11月27日", "2024Q1", "Q1 2024", "1st March", "2026-11-27T06:00 CET",
    ],
)  # fmt: skip
def test_times_in_other_forms_are_known(text):
    shape = find_shape(pa.array(["start", text]))
    assert shape.noun in {"date", "time"}
    assert shape.text == text


@pytest.mark.parametrize("text", ["5 days", "1 days 02:00:00", "10s", "250 ms", "PT5M", "P1DT2H"])
def test_durations_are_known(text):
    assert find_shape(pa.array([text])).noun == "duration"


@pytest.mark.parametrize(
    "texts",
    [
        ["a", "b"], ["a1", "a10"], ["step 1", "step 2"], ["1a", "1b"], ["P1", "P2"], ["pump"],
        ["may", "cold"], ["1st step"], ["true"], ["", " "], ["2024 spring"], ["before 9"],
        ["marvel 1x"],
    ],
)  # fmt: skip
def test_names_are_names(texts):
    assert find_shape(pa.array(texts)) is None


@pytest.mark.parametrize("texts", [["Jan", "Feb"], ["march", "May"], ["Mon", "Tue"]])
def test_months_and_days_of_the_week_are_dates_if_all_are(texts):
    assert find_shape(pa.array(texts)).noun == "date"


@pytest.mark.parametrize(
    "time_format",
    ["%d.%m.%Y %H:%M:%S.%f", "%m/%d/%y %I:%M %p", "%Y%m%d%H%M%S", "%d-%b-%Y", "%Y-%j", "%H:%M"],
)
@given(moment=st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2060, 1, 1)))  # noqa: DTZ001
def test_formats_read_as_datetime_does(time_format, moment):
    text = moment.strftime(time_format)
    wanted = dt.datetime.strptime(text, time_format)  # noqa: DTZ007
    assert parse_format(pa.array([text]), time_format).cast(pa.timestamp("us"))[0].as_py() == wanted


def test_offsets_and_nine_digits_are_exact():
    texts = pa.array(["01.02.2026 03:04:05.123456789 +0130"])
    times = parse_format(texts, "%d.%m.%Y %H:%M:%S.%f %z")
    assert times.type == UTC
    assert times.equals(pa.array(["2026-02-01T01:34:05.123456789Z"]).cast(UTC))


@pytest.mark.parametrize("text", ["today", "Now", "NaT", "", "nan", "1.2.2026 ", "1500", "9999"])
def test_what_does_not_match_is_null(text):
    times = parse_format(pa.array(["2026", text]), "%Y")
    assert times.is_null().to_pylist() == [False, True]


@pytest.mark.parametrize("odd", ["1.2.2026 3:04", "01.02.2026 03:04"])
def test_single_digits_and_escapes_are_read_as_in_strptime(odd):
    texts = pa.array(["01.02.2026 03:04", odd])
    assert parse_format(texts, "%d.%m.%Y %H:%M").unique().to_pylist() == [
        pd.Timestamp("2026-02-01 03:04")
    ]
    assert parse_format(pa.array(["50% 2026-02-01"]), "50%% %Y-%m-%d").null_count == 0


def test_a_format_with_unknown_directives_is_refused():
    with pytest.raises(ValueError, match="bad directive"):
        parse_format(pa.array(["2026"]), "%Q")
