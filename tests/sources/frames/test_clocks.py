"""The sort column of a frame gives a clock; cutoffs must be of the same kind."""

import numpy as np
import pandas as pd
import pytest

from tidemill.errors import ArgumentError, DataError, SourceError
from tidemill.sources.frames.clocks import read_clock, read_cutoffs

DAYS = pd.to_datetime(["2026-01-01", "2026-01-02"])
COLUMNS = {
    "times": pd.Series(DAYS),
    "times with a zone": pd.Series(DAYS.tz_localize("Europe/Berlin")),
    "integers": pd.Series([3, 4], dtype="int16"),
    "floats": pd.Series([0.5, 1.5], dtype="float32"),
}


def clock_of(column):
    return read_clock(pd.DataFrame({"t": column}), "t")


@pytest.mark.parametrize("counts", COLUMNS)
def test_keys_come_back_as_the_column_held_them(counts):
    column = COLUMNS[counts]
    clock = clock_of(column)
    assert clock.counts == counts
    assert clock.has_times == counts.startswith("times")
    index = clock.to_index(read_cutoffs(column.rename("cutoff"), clock, "t"))
    pd.testing.assert_index_equal(index, pd.Index(column), check_names=False)


def test_a_step_that_the_unit_cannot_hold_gives_nanoseconds():
    clock = clock_of(pd.Series(DAYS.as_unit("s")))
    assert clock.to_index(np.array([10**9]), step=10**9).unit == "s"
    assert clock.to_index(np.array([1]), step=1).unit == "ns"


def test_frames_of_a_dict_need_one_kind_of_clock():
    frames = {"a": pd.DataFrame({"t": [1, 2]}), "b": pd.DataFrame({"t": DAYS})}
    with pytest.raises(SourceError, match="holds integers and times"):
        read_clock(frames, "t")


def test_text_is_no_clock():
    with pytest.raises(SourceError, match=r"column 't' has type .*need a sort column of times"):
        clock_of(pd.Series(["a", "b"]))


def test_cutoffs_of_another_kind_are_refused():
    with pytest.raises(ArgumentError, match=r"holds integers, .*pandas\.to_datetime"):
        read_cutoffs(COLUMNS["integers"].rename("c"), clock_of(COLUMNS["times"]), "t")
    with pytest.raises(ArgumentError, match="tz_localize"):
        read_cutoffs(COLUMNS["times"].rename("c"), clock_of(COLUMNS["times with a zone"]), "t")
    found = read_cutoffs(COLUMNS["integers"].rename("c"), clock_of(COLUMNS["floats"]), "t")
    assert (found.dtype, found.tolist()) == (np.float64, [3.0, 4.0])


def test_missing_cutoffs_are_named():
    with pytest.raises(DataError, match=r"'c' is null in 1 of 2 rows \(at rows 1\)"):
        read_cutoffs(pd.Series([1.0, None], name="c"), clock_of(COLUMNS["floats"]), "t")
