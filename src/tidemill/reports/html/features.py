"""How single features went over the intervals of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any

from tidemill.execution.drift import Figures
from tidemill.reports.html.svg import Values

__all__ = ["FeatureLine", "feature_lines"]


@dataclass(frozen=True, slots=True)
class FeatureLine:
    """A feature over the slots of a history; None where it is not known or not finite."""

    moved: Mapping[str, Any]  # see execution.drift.moves
    mean: Values
    low: Values  # mean - spread, where both are known
    high: Values  # mean + spread
    nan: Values  # share of NaN cells

    @property
    def name(self) -> str:
        """The feature."""
        return str(self.moved["feature"])


def feature_lines(
    moved: Sequence[Mapping[str, Any]], figures: Sequence[Figures | None]
) -> tuple[FeatureLine, ...]:
    """The lines of features that moved, which end in what the run found.

    Parameters
    ----------
    moved : the features, see :func:`tidemill.execution.drift.moves`
    figures : of each slot; None: not known

    Examples
    --------
    >>> import numpy as np
    >>> one = Figures(("a", "b"), 4, np.array([0, 1]), np.array([1.0, 2.0]), np.array([0.5, 9.0]))
    >>> (line,) = feature_lines([{"feature": "b"}], [None, one])
    >>> line.mean, line.high, line.nan
    ([None, 2.0], [None, 11.0], [None, 0.25])
    """
    places = [{name: at for at, name in enumerate(one.columns)} if one else {} for one in figures]
    return tuple(
        _line(one, figures, [place.get(one["feature"]) for place in places]) for one in moved
    )


def _line(
    moved: Mapping[str, Any], figures: Sequence[Figures | None], places: Sequence[int | None]
) -> FeatureLine:
    found = [_at(one, place) for one, place in zip(figures, places, strict=True)]
    if places[-1] is None:  # not published, or replaced since
        found[-1] = moved["mean"] if moved["mean"] is not None else nan, nan, moved["nan"]
    mean = [_finite(one[0]) for one in found]
    low = [_finite(one[0] - one[1]) for one in found]
    high = [_finite(one[0] + one[1]) for one in found]
    both = [lower is not None and upper is not None for lower, upper in zip(low, high, strict=True)]
    return FeatureLine(
        moved,
        mean,
        [value if known else None for value, known in zip(low, both, strict=True)],
        [value if known else None for value, known in zip(high, both, strict=True)],
        [_finite(one[2]) for one in found],
    )


def _at(figures: Figures | None, place: int | None) -> tuple[float, float, float]:
    """Mean, spread and NaN share; NaN where they are not known."""
    if figures is None or place is None:
        return nan, nan, nan
    share = float(figures.nan[place]) / max(figures.rows, 1)
    return float(figures.mean[place]), float(figures.spread[place]), share


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None
