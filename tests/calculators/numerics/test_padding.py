"""Series are put into the middle of infinities, as many before as behind."""

from __future__ import annotations

import numpy as np

from tidemill.calculators.numerics.padding import padded


def test_values_lie_in_the_middle():
    values = np.arange(1.0, 10.0)
    starts, stops = np.array([0, 3, 5]), np.array([3, 5, 9])
    out = np.empty((3, 4))
    loop = padded.loop(("float64",), ())
    loop(stops - starts, 0, values, starts, stops, (), out, 0, 4)
    for row, start, stop in zip(out, starts, stops, strict=True):
        inside = np.isfinite(row)
        assert row[inside].tolist() == values[start:stop].tolist()
        before, behind = (row == -np.inf).sum(), (row == np.inf).sum()
        assert before == (4 - (stop - start)) // 2
        assert before + behind == 4 - (stop - start)
        assert np.sort(row).tolist() == row.tolist()
