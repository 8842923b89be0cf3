"""Text, dates and integers are read as times, exactly, or refused with the remedy."""

import datetime as dt
import re
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.errors import ArgumentError, DataError, SourceError
from tidemill.sources.rows.times import read_times, time_type_of_text

LOCAL, UTC = pa.timestamp("ns"), pa.timestamp("ns", "UTC")
BERLIN = ZoneInfo("Europe/Berlin")
MOMENTS = st.integers(-(2**62), 2**62)  # nanoseconds: the years 1823 to 2116


def nanoseconds(array):
    return array.view(pa.int64()).to_pylist()


def forms(moment, offset):
    """The moment as ISO 8601 in several forms, with nine digits, and its text in pandas."""
    time = pd.Timestamp(moment)
    stamp = time.isoformat(timespec="nanoseconds")
    basic = stamp.replace("-", "").replace(":", "").replace(".", ",")
    return [one + offset for one in (stamp, stamp.replace("T", " "), basic, f" {stamp}")]


@given(moments=st.lists(MOMENTS, min_size=1, max_size=5), data=st.data())
def test_iso_text_of_any_form_is_exact(moments, data):
    texts = [data.draw(st.sampled_from(forms(moment, ""))) for moment in moments]
    array = pa.array([*texts, None])
    times = read_times(array, "t", expected=time_type_of_text(array, "t"))
    assert times.type == LOCAL
    assert nanoseconds(times) == [*moments, None]


@given(moments=st.lists(MOMENTS, min_size=1, max_size=5), data=st.data())
def test_offsets_are_subtracted(moments, data):
    offsets = {"Z": 0, "+01:00": 3600, "-0530": -19800, "+01": 3600, " UTC": 0}
    drawn = [data.draw(st.sampled_from(sorted(offsets))) for _ in moments]
    pairs = zip(moments, drawn, strict=True)
    array = pa.array([data.draw(st.sampled_from(forms(one, offset))) for one, offset in pairs])
    times = read_times(array, "t")
    assert times.type == time_type_of_text(array, "t") == UTC
    wanted = [one - offsets[off] * 10**9 for one, off in zip(moments, drawn, strict=True)]
    assert nanoseconds(times) == wanted


def test_dates_minutes_and_fractions_may_be_mixed():
    texts = [
        "2026-11-27",
        "2026-11-27 06:00",
        "2026-11-27T06",
        "2026-11-27T06:00:00,5",
        "20261127T06",
    ]
    six = pd.Timestamp("2026-11-27 06:00")
    wanted = [six.normalize(), six, six, six + pd.Timedelta(500, "ms"), six]
    assert read_times(pa.array(texts), "t").to_pandas().tolist() == wanted


@pytest.mark.parametrize(
    "type_", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]
)
def test_text_of_every_type_in_chunks(type_):
    one = pa.array(["2026-11-27"]).cast(type_)
    array = pa.chunked_array([one, one], type_)
    assert time_type_of_text(array, "t") == LOCAL
    assert read_times(array, "t").to_pylist() == [dt.datetime(2026, 11, 27)] * 2  # noqa: DTZ001


def test_text_with_and_without_offsets_is_refused():
    array = pa.array(["2026-11-27T06:00Z", "2026-11-27T07:00"])
    for read in (time_type_of_text, read_times):
        with pytest.raises(
            DataError, match=r"'2026-11-27T07:00' \(at row 1\), which has no offset"
        ):
            read(array, "t")


def test_text_without_offsets_is_in_the_zone_of_the_input():
    array = pa.array(["2026-07-01T06:00Z", "2026-07-01T06:00", "2026-12-01"])
    options = {"input_timezone": "Europe/Berlin"}
    assert time_type_of_text(array[1:], "t", **options) == UTC
    wanted = pd.to_datetime(["2026-07-01T06:00Z", "2026-07-01T04:00Z", "2026-11-30T23:00Z"])
    assert read_times(array, "t", **options).to_pandas().tolist() == wanted.tolist()


def test_other_rows_of_another_kind_are_refused():
    with pytest.raises(DataError, match="times with no offset here, but not in other rows"):
        read_times(pa.array(["2026-11-27"]), "t", expected=UTC)
    assert read_times(pa.array([None], pa.string()), "t", expected=UTC).type == UTC


@pytest.mark.parametrize(
    ("texts", "bad"),
    [
        (["2026-11-27", "2026-02-30"], "'2026-02-30' (at row 1), which is no time"),
        (["2026-11-27", "noon"], "'noon' (at row 1), which is not ISO 8601"),
        (["2026-11-27", "2026-11-28 24:00", "20261127T06"], "'2026-11-28 24:00' (at row 1)"),
        (["1600-01-01"], "'1600-01-01' (at row 0), which is no time within the years 1678"),
        (["", "2026-11-27"], "'' (at row 0), which is not ISO 8601"),
    ],
)
def test_text_that_is_no_time_among_times_is_named(texts, bad):
    for read in (time_type_of_text, read_times):
        with pytest.raises(DataError, match=re.escape(bad)):
            read(pa.array(texts), "t")


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("9/1/2024", "time_format (--time-format)"),
        ("9:30", "time_format (--time-format)"),
        ("10", "convert the column to numbers"),
        ("1700000000", "time_unit (--time-unit)"),
        ("5 days", "convert the column to numbers or times"),
    ],
)
def test_times_and_numbers_as_text_are_refused(text, remedy):
    with pytest.raises(SourceError, match=re.escape(remedy)):
        time_type_of_text(pa.array([None, "a", text]), "t")


@pytest.mark.parametrize(
    "array",
    [
        pa.array(["a", "b", None]),
        pa.array([None], pa.string()),
        pa.array([], pa.string()),
        pa.array([1, 2]),
        pa.array([0.5]),
        pa.array([dt.time(9)]),
        pa.DictionaryArray.from_arrays([0], ["2026-11-27"], ordered=True),
    ],
)
def test_what_is_no_time_has_no_time_type(array):
    assert time_type_of_text(array, "t") is None


@pytest.mark.parametrize("array", [pa.array([3, 1]), pa.array([0.5]), pa.array([dt.time(9)])])
def test_numbers_stay_as_they_are(array):
    assert read_times(array, "t") is array


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_timestamps_become_nanoseconds(unit, zone):
    array = pa.array([1, None], pa.timestamp(unit, zone))
    times = read_times(array, "t")
    assert times.type == time_type_of_text(array, "t") == (UTC if zone else LOCAL)
    assert nanoseconds(times) == [10 ** {"s": 9, "ms": 6, "us": 3, "ns": 0}[unit], None]


@pytest.mark.parametrize("type_", [pa.date32(), pa.date64()])
def test_dates_are_midnights(type_):
    array = pa.array([dt.date(1970, 1, 2), None], type_)
    assert nanoseconds(read_times(array, "t")) == [86_400 * 10**9, None]
    berlin = read_times(array, "t", input_timezone="Europe/Berlin")
    assert nanoseconds(berlin) == [82_800 * 10**9, None]


@pytest.mark.parametrize(
    "array", [pa.array([dt.date(2300, 1, 1)]), pa.array([2**60], pa.timestamp("us"))]
)
def test_times_beyond_nanoseconds_are_refused(array):
    with pytest.raises(DataError, match="within the years 1678 to 2261"):
        read_times(array, "t")


@given(moment=st.datetimes(dt.datetime(1950, 1, 1), dt.datetime(2035, 1, 1)))  # noqa: DTZ001
def test_local_times_are_those_of_zoneinfo(moment):
    array = pa.array([moment], LOCAL)
    early, late = (moment.replace(tzinfo=BERLIN, fold=fold) for fold in (0, 1))
    if early.utcoffset() != late.utcoffset():
        with pytest.raises(DataError, match="input_timezone='Europe/Berlin'"):
            read_times(array, "t", input_timezone="Europe/Berlin")
    else:
        times = read_times(array, "t", input_timezone="Europe/Berlin")
        assert times.cast(pa.timestamp("us", "UTC"))[0].as_py() == early


@pytest.mark.parametrize(
    ("text", "what"),
    [("2026-03-29 02:30", "does not exist"), ("2026-10-25 02:30", "occurs twice")],
)
def test_local_times_that_the_clock_skips_or_repeats_are_refused(text, what):
    texts = pa.array(["2026-01-01 00:00", None, text])
    stamps = texts.cast(pa.timestamp("s"))
    for array in (texts, stamps):
        with pytest.raises(DataError, match=rf"'{text}.*' \(at row 2\), which {what}.*or UTC"):
            read_times(array, "t", input_timezone="Europe/Berlin")


def test_a_format_reads_all_or_names_what_it_cannot():
    options = {"time_format": "%d.%m.%Y %H:%M"}
    array = pa.array(["01.02.2026 03:04", None, "02.02.2026 00:00", "01.02.2026 03:04"])
    assert time_type_of_text(array, "t", **options) == LOCAL
    wanted = pa.array(["2026-02-01 03:04", None, "2026-02-02", "2026-02-01 03:04"]).cast(LOCAL)
    assert read_times(array, "t", **options).equals(wanted)
    with pytest.raises(DataError, match=r"'1\.13\.2026 00:00' \(at row 1\), which does not match"):
        read_times(pa.array(["01.02.2026 03:04", "1.13.2026 00:00"]), "t", **options)


def test_a_format_with_offsets_or_a_zone_gives_utc():
    zoned = {"time_format": "%d.%m.%Y %H:%M %z"}
    local = {"time_format": "%d.%m.%Y %H:%M", "input_timezone": "Europe/Berlin"}
    wanted = pa.array(["2026-02-01T02:04Z"]).cast(UTC)
    for options, text in ((zoned, "01.02.2026 03:04 +0100"), (local, "01.02.2026 03:04")):
        array = pa.array([text])
        assert time_type_of_text(array, "t", **options) == UTC
        assert read_times(array, "t", **options).equals(wanted)


def test_a_format_reads_integers_that_begin_with_the_year():
    times = read_times(pa.array([20261127]), "t", time_format="%Y%m%d")
    assert times.to_pylist() == [dt.datetime(2026, 11, 27)]  # noqa: DTZ001
    with pytest.raises(ArgumentError, match=r"reads text, but column 't' has type int64"):
        read_times(pa.array([1022024]), "t", time_format="%d%m%Y")


@pytest.mark.parametrize("array", [pa.array([5, None]), pa.array(["5", None])])
def test_integers_count_a_unit(array):
    assert time_type_of_text(array, "t", time_unit="ms") == UTC
    times = read_times(array, "t", time_unit="ms", input_timezone="Asia/Tokyo", expected=UTC)
    assert nanoseconds(times) == [5_000_000, None]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"time_unit": "h"}, "time_unit='h' is not known: give one of s, ms, us, ns"),
        ({"time_unit": "s", "time_format": "%Y"}, "give one of the two"),
        ({"time_format": "ISO8601"}, "must have directives of strptime"),
        ({"time_format": "%Y %Z"}, "must have directives of strptime"),
        ({"time_format": "%Q"}, "cannot be read"),
        ({"input_timezone": "Berlin"}, "input_timezone='Berlin' is not known"),
        ({"input_timezone": ""}, "input_timezone='' is not known"),
    ],
)
def test_options_that_are_not_allowed_are_refused(options, message):
    for read in (time_type_of_text, read_times):
        with pytest.raises(ArgumentError, match=re.escape(message)):
            read(pa.array(["2026-11-27"]), "t", **options)


@pytest.mark.parametrize("options", [{"time_unit": "s"}, {"time_format": "%Y"}])
def test_options_for_another_type_are_refused(options):
    with pytest.raises(ArgumentError, match="column 't' has type bool"):
        read_times(pa.array([True]), "t", **options)
