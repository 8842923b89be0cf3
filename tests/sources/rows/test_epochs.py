"""Integers count time since 1970 exactly, or are refused."""

import numpy as np
import pyarrow as pa
import pytest

from tidemill.errors import DataError
from tidemill.sources.rows.epochs import count_epochs


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("type_", [pa.int64(), pa.int32(), pa.float64(), pa.string()])
def test_integers_count_a_unit(unit, type_):
    array = pa.array([5, None, -7]).cast(type_)
    factor = 10 ** {"s": 9, "ms": 6, "us": 3, "ns": 0}[unit]
    times = count_epochs(array, "t", unit)
    assert times.type == pa.timestamp("ns", "UTC")
    assert times.view(pa.int64()).to_pylist() == [5 * factor, None, -7 * factor]


@pytest.mark.parametrize(
    ("array", "unit", "message"),
    [
        (pa.array([2**62]), "s", "reach beyond the years 1678 to 2261"),
        (pa.array([2**63], pa.uint64()), "ns", "reach beyond the years 1678 to 2261"),
        (pa.array([1.0, 2.5]), "s", r"'2\.5' \(at row 1\), which is no integer"),
        (pa.array([np.inf]), "s", r"'inf' \(at row 0\)"),
        (pa.array([2.0**60]), "ns", "float64 holds exactly"),
        (pa.array(["5", "2026-11-27"]), "s", r"'2026-11-27' \(at row 1\), which is no integer"),
    ],
)
def test_numbers_that_are_no_times_are_refused(array, unit, message):
    with pytest.raises(DataError, match=message):
        count_epochs(array, "t", unit)


def test_missing_floats_stay_missing():
    assert count_epochs(pa.array([1.0, np.nan]), "t", "s").view(pa.int64()).to_pylist() == [
        10**9,
        None,
    ]
