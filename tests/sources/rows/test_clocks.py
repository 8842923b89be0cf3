"""Times become nanoseconds, sort columns the keys of windows."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from tidemill.errors import DataError, SourceError
from tidemill.sources.rows.clocks import NANOSECONDS, is_time, nanoseconds, window_keys


@pytest.mark.parametrize("unit", NANOSECONDS)
@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_timestamps_of_every_unit_count_nanoseconds(unit, zone):
    array = pa.array([-1, 0, 7], pa.timestamp(unit, zone))
    assert nanoseconds(array, "t").tolist() == [-NANOSECONDS[unit], 0, 7 * NANOSECONDS[unit]]


def test_chunks_and_dates():
    days = pa.chunked_array([[dt.date(1969, 12, 31)], [dt.date(1970, 1, 2)]])
    assert nanoseconds(days, "day").tolist() == [-86_400 * 10**9, 86_400 * 10**9]


def test_times_that_nanoseconds_cannot_hold_are_refused():
    with pytest.raises(DataError, match=r"column 't': .*within the years 1678 to 2261"):
        nanoseconds(pa.array([dt.date(2300, 1, 1)]), "t")


@pytest.mark.parametrize(
    ("array", "dtype"),
    [
        (pa.array([1, 2], pa.int8()), np.int64),
        (pa.array([1, 2], pa.uint64()), np.int64),
        (pa.array([1, 2], pa.float32()), np.float64),
        (pa.array([1, 2], pa.timestamp("ns")), np.int64),
    ],
)
def test_keys_of_windows_are_int64_or_float64(array, dtype):
    keys = window_keys(array, "t")
    assert (keys.dtype, keys.tolist()) == (dtype, [1, 2])


def test_sort_columns_that_windows_cannot_use():
    with pytest.raises(DataError, match=f"holds the integer {2**63}, which int64 cannot hold"):
        window_keys(pa.array([1, 2**63], pa.uint64()), "t")
    with pytest.raises(SourceError, match="column 't' has type string, but windows need"):
        window_keys(pa.array(["a"]), "t")


def test_a_time_of_day_is_no_point_in_time():
    assert not is_time(pa.time64("us"))
    assert not is_time(pa.duration("us"))
    assert is_time(pa.date64())
