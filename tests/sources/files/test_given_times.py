"""What the user says of times decides how they are read."""

import datetime as dt

import pyarrow as pa
import pytest

from tidemill.model.source import Reading
from tidemill.sources.files.given_times import time_type, times_of

UTC = pa.timestamp("ns", "UTC")


@pytest.mark.parametrize(
    ("values", "reading", "type_"),
    [
        (["2026-11-27"], Reading(), pa.timestamp("ns")),
        (["27.11.2026"], Reading(time_format="%d.%m.%Y"), pa.timestamp("ns")),
        (["2026-11-27T01:00"], Reading(input_timezone="Europe/Berlin"), UTC),
        ([1_795_737_600], Reading(time_unit="s"), UTC),
    ],
)
def test_one_moment_in_several_forms(values, reading, type_):
    array = pa.array(values)
    assert time_type(array, "time", reading) == type_
    assert times_of(array, "time", reading).type == type_
    expected = dt.datetime(2026, 11, 27, tzinfo=dt.UTC)
    found = times_of(array, "time", reading).cast(pa.timestamp("us"))[0].as_py()
    assert found == expected.replace(tzinfo=None)
