"""Mean, spread and NaN share of every feature of an interval, and the features that moved most.

A feature's *move* from one interval to the next lies between 0 and 1. It is the larger of two:

- the change of its share of NaN cells,
- ``d / (1 + d)``, where ``d`` is the change of its mean in units of its spread over ids, a standard
  deviation. One spread is a move of 0.5, three are one of 0.75.

The spread is that of the previous interval; if all its ids were alike, that of this interval; if
they still are, or there is only one id, the larger of the two means. Mean and spread cover finite
cells only.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Self

import numpy as np

from tidemill.model.aliases import Floats, Index

__all__ = ["Figures", "Gatherer", "all_nan", "most_nan", "moves"]

#: Features named in a report.
MOVED = 20
MOST_NAN = 10
#: A move below this is rounding; so is a spread below this share of the mean.
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of an interval's features, one value per column."""

    columns: tuple[str, ...]
    rows: int
    nan: Index  # cells, int64[m]
    mean: Floats  # of finite cells, float64[m]; NaN if there are none
    spread: Floats  # standard deviation of finite cells, float64[m]

    @property
    def nan_shares(self) -> Floats:
        """Share of NaN cells, float64[m]."""
        return self.nan / max(self.rows, 1)

    def to_bytes(self) -> bytes:
        """The figures as a compressed numpy file."""
        file = BytesIO()
        columns = np.array(self.columns)
        np.savez_compressed(
            file, columns=columns, rows=self.rows, nan=self.nan, mean=self.mean, spread=self.spread
        )
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read back what :meth:`to_bytes` returned; ``ValueError`` if it is damaged."""
        try:
            with np.load(BytesIO(data), allow_pickle=False) as file:
                columns = tuple(str(name) for name in file["columns"])
                arrays = (file[name] for name in ("nan", "mean", "spread"))
                return cls(columns, int(file["rows"]), *arrays)
        except (zipfile.BadZipFile, EOFError, KeyError, OSError) as error:
            raise ValueError(f"not the figures of an interval: {error}") from error


class Gatherer:
    """Accumulates the figures of many rows, a few at a time.

    Examples
    --------
    >>> gatherer = Gatherer(["a", "b"])
    >>> gatherer.add([np.array([1.0, 3.0]), np.array([np.nan, 5.0])])
    >>> gatherer.add([np.array([5.0]), np.array([np.inf])])
    >>> found = gatherer.figures()
    >>> found.rows, found.mean.tolist(), found.nan.tolist()
    (3, [3.0, 5.0], [0, 1])
    """

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = tuple(columns)
        self._rows = 0
        # Rows: NaN cells, finite cells, their mean, their squared deviations from it.
        self._sums = np.zeros((4, len(self._columns)))

    def add(self, columns: Iterable[Floats]) -> None:
        """Add rows, given as their columns, float64[k] each."""
        found, rows = np.empty_like(self._sums), 0
        for place, values in enumerate(columns):
            found[:, place] = _sums(values)
            rows = len(values)
        self._rows += rows
        self._sums = _merged(self._sums, found)

    def figures(self) -> Figures:
        """The figures of all rows so far."""
        nan, finite, mean, squares = self._sums
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = np.sqrt(squares / finite)
        mean = np.where(finite > 0, mean, np.nan)
        return Figures(self._columns, self._rows, nan.astype(np.int64), mean, spread)


def _sums(values: Floats) -> tuple[int, int, float, float]:
    nan = int(np.isnan(values).sum())
    is_finite = np.isfinite(values)
    finite = values if is_finite.all() else values[is_finite]
    if not len(finite):
        return nan, 0, 0.0, 0.0
    with np.errstate(over="ignore", invalid="ignore"):  # values near the largest float
        mean = float(finite.mean())
        return nan, len(finite), mean, float(np.square(finite - mean).sum())


def _merged(a: Floats, b: Floats) -> Floats:
    """The sums of both (Chan, Golub and LeVeque 1979)."""
    n = a[1] + b[1]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        share = np.where(n > 0, b[1] / n, 0.0)
        apart = b[2] - a[2]
        mean = a[2] + apart * share
        squares = a[3] + b[3] + np.square(apart) * a[1] * share
    return np.stack([a[0] + b[0], n, mean, squares])


def moves(now: Figures, before: Figures, n: int = MOVED) -> list[dict[str, Any]]:
    """The ``n`` features common to both intervals that moved most, as JSON values.

    Examples
    --------
    >>> def figures(*values):
    ...     gatherer = Gatherer(["a", "b"])
    ...     gatherer.add(np.array(values).T)
    ...     return gatherer.figures()
    >>> before, now = figures((1.0, 1.0), (3.0, 1.0)), figures((4.0, 1.0), (6.0, np.nan))
    >>> [(row["feature"], row["move"], row["mean"]) for row in moves(now, before)]
    [('a', 0.75, 5.0), ('b', 0.5, 1.0)]
    """
    places = {name: place for place, name in enumerate(before.columns)}
    common = [name for name in now.columns if name in places]
    old = _Spreads(before, [places[name] for name in common])
    here = {name: place for place, name in enumerate(now.columns)}
    new = _Spreads(now, [here[name] for name in common])
    move = np.maximum(_shift(new, old), np.abs(new.nan - old.nan))
    order = np.argsort(-move, kind="stable")[:n]
    return [
        {
            "feature": common[one],
            "move": float(move[one]),
            "mean_before": _number(old.mean[one]),
            "spread_before": _number(old.spread[one]),
            "mean": _number(new.mean[one]),
            "nan_before": float(old.nan[one]),
            "nan": float(new.nan[one]),
        }
        for one in order
        if move[one] > ROUNDING
    ]


class _Spreads:
    """The figures of some columns."""

    def __init__(self, figures: Figures, places: Sequence[int]) -> None:
        at = np.array(places, dtype=np.intp)
        self.mean, self.spread = figures.mean[at], figures.spread[at]
        self.nan = figures.nan_shares[at]


def _shift(new: _Spreads, old: _Spreads) -> Floats:
    """The move of each mean; 0 if either is missing."""
    unit = np.maximum(np.abs(old.mean), np.abs(new.mean))
    for one in (new, old):
        unit = np.where(one.spread > ROUNDING * np.abs(one.mean), one.spread, unit)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        change = np.abs(new.mean - old.mean)
        share = change / (unit + change)
    return np.where(np.isfinite(share), share, 0.0)


def most_nan(now: Figures, n: int = MOST_NAN) -> list[dict[str, Any]]:
    """The ``n`` features with the largest NaN share below 1, as JSON values."""
    some = np.where(now.nan < now.rows, now.nan, 0)
    order = np.argsort(-some, kind="stable")[:n]
    return [
        {"feature": now.columns[one], "nan": float(now.nan_shares[one])}
        for one in order
        if some[one]
    ]


def all_nan(now: Figures) -> int:
    """How many features are NaN in every row, as those whose series are too short."""
    return int((now.nan == now.rows).sum())


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
