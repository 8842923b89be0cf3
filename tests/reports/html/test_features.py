"""The lines of features are the figures of the intervals."""

from __future__ import annotations

import numpy as np

from tidemill.execution.drift import Figures
from tidemill.reports.html.features import feature_lines


def figures(columns, mean, spread, nan=0, rows=4) -> Figures:
    size = len(columns)
    return Figures(
        tuple(columns), rows, np.full(size, nan), np.full(size, mean), np.full(size, spread)
    )


def test_a_feature_is_found_wherever_it_stands():
    first = figures(["a", "b"], 1.0, 0.5)
    second = figures(["b", "c", "a"], 2.0, 0.25, nan=1)
    a, c = feature_lines([{"feature": "a"}, {"feature": "c"}], [first, None, second])
    assert a.name == "a"
    assert a.mean == [1.0, None, 2.0]
    assert a.low == [0.5, None, 1.75]
    assert a.high == [1.5, None, 2.25]
    assert a.nan == [0.0, None, 0.25]
    assert c.mean == [None, None, 2.0]


def test_what_is_not_finite_is_not_drawn():
    (line,) = feature_lines(
        [{"feature": "a"}],
        [
            figures(["a"], np.nan, np.nan, nan=4),
            figures(["a"], 1e308, np.inf),
            figures(["a"], 1e308, 1e308),
        ],
    )
    assert line.mean == [None, 1e308, 1e308]
    assert line.low == [None, None, None]  # the upper side of the last one is not finite
    assert line.high == [None, None, None]
    assert line.nan[0] == 1.0


def test_the_end_of_a_line_is_what_the_run_found():
    """Its figures are not in the table if a check failed."""
    moved = [{"feature": "a", "mean": 7.0, "nan": 0.5}, {"feature": "b", "mean": None, "nan": 1.0}]
    a, b = feature_lines(moved, [figures(["a", "b"], 1.0, 0.5), None])
    assert (a.mean, a.high, a.nan) == ([1.0, 7.0], [1.5, None], [0.0, 0.5])
    assert (b.mean, b.nan) == ([1.0, None], [0.0, 1.0])
