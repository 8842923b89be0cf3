"""What columns say about a target: the type of each, and its p-values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tidemill.errors import SelectionError
from tidemill.model.aliases import Floats, Index
from tidemill.selection.columns import ColumnBatch
from tidemill.selection.kernel_calls import run_kernel
from tidemill.selection.p_values import fisher, kendall, kolmogorov_smirnov, mann_whitney
from tidemill.selection.ranking import run_ranked, value_bounds
from tidemill.selection.targets import Target

__all__ = ["BINARY", "CONSTANT", "MISSING", "REAL", "Findings", "check_test", "measure"]

#: Types of columns: how many distinct values they have. MISSING: a value is NaN.
MISSING, CONSTANT, BINARY, REAL = 0, 1, 2, 3
#: Tests of a real feature against a binary target.
TESTS = ("mann", "smir")
_NAMES = np.array(["missing", "constant", "binary", "real"])


@dataclass(frozen=True, slots=True)
class Findings:
    """What m columns say about a target."""

    types: Index  # [m]
    p_values: Floats  # [classes or 1, m]; NaN for constant columns

    def type_names(self) -> list[str]:
        """The types as the relevance table names them."""
        return [str(name) for name in _NAMES[self.types]]


def check_test(test: str) -> None:
    """Refuse a test that does not exist.

    Raises
    ------
    SelectionError
        If it is neither "mann" nor "smir".
    """
    if test not in TESTS:
        raise SelectionError(
            f"test_for_binary_target_real_feature={test!r} is not allowed; choose one of "
            f"{', '.join(map(repr, TESTS))}"
        )


def measure(
    batches: Iterable[ColumnBatch],
    target: Target,
    *,
    test: str = "mann",
    threads: int = 1,
    treat_as: int | None = None,
) -> Findings:
    """Test the columns of batches against a target.

    Parameters
    ----------
    batches : the columns; together they have the places 0 to m - 1
    target : what they are tested against
    test : "mann" or "smir", for real columns and classes
    threads : batches that are tested at a time
    treat_as : the type by which tests are chosen, whatever columns hold; by default their own
    """
    regression = target.ml_task == "regression"
    tests = _NumberTests(target) if regression else _ClassTests(target, test)

    def run(batch: ColumnBatch) -> tuple[ColumnBatch, Findings]:
        return batch, tests.measured(batch.numbers, treat_as)

    if threads == 1:
        done = list(map(run, batches))
    else:
        with ThreadPoolExecutor(threads) as pool:
            done = list(pool.map(run, batches))
    m = sum(len(batch.places) for batch, _ in done)
    types = np.zeros(m, dtype=np.int64)
    p_values = np.full((max(len(target.labels), 1), m), np.nan)
    for batch, found in done:
        types[batch.places] = found.types
        p_values[:, batch.places] = found.p_values
    binary = types == BINARY
    if binary.any():
        p_values[:, binary] = tests.finish(p_values[:, binary])
    return Findings(types, p_values)


@dataclass(frozen=True, slots=True)
class _YOrder:
    """The order of the rows by a target of numbers; a place is a row's position in it."""

    rows: npt.NDArray[np.int32]  # the row at each place
    places: npt.NDArray[np.int32]  # the place of each row
    starts: npt.NDArray[np.int32]  # for each place where its group of equal y begins
    ends: npt.NDArray[np.int32]  # 1 for the last place of each group
    ties: tuple[float, float, float]  # sums over groups, as the kernel concordance makes them

    @classmethod
    def of(cls, y: npt.NDArray[Any]) -> _YOrder:
        rows = np.argsort(y, kind="stable").astype(np.int32)
        ordered = y[rows]
        new = np.concatenate([[True], ordered[1:] != ordered[:-1]])
        firsts = np.flatnonzero(new)
        tied = np.diff([*firsts, len(y)]).astype(np.float64)
        places = np.empty_like(rows)
        places[rows] = np.arange(len(y))
        return cls(
            rows,
            places,
            starts=np.repeat(firsts, tied.astype(np.int64)).astype(np.int32),
            ends=np.append(new[1:], True).astype(np.int32),
            ties=(
                float((tied * (tied - 1)).sum() / 2),
                float((tied * (tied - 1) * (tied - 2)).sum()),
                float((tied * (tied - 1) * (2 * tied + 5)).sum()),
            ),
        )


class _Tests(ABC):
    """The tests of one target, prepared once for all batches."""

    n_targets: int  # classes, or 1

    @abstractmethod
    def real(self, values: Floats, bounds: Floats, columns: Index) -> Floats:
        """P-values [classes or 1, b] of the real columns among values [., n]."""

    @abstractmethod
    def binary(self, values: Floats, columns: Index) -> Floats:
        """What p-values [classes or 1, b] of binary columns follow from by :meth:`finish`."""

    def finish(self, binary: Floats) -> Floats:
        """P-values of all binary columns of all batches."""
        return binary

    def measured(self, values: Floats, treat_as: int | None) -> Findings:
        """The types and p-values of columns."""
        bounds, counted = value_bounds(values), np.empty((len(values), 1))
        run_kernel("distinct", [values, bounds], (), counted)
        types = counted[:, 0].astype(np.int64)
        if treat_as is not None:
            types[types != MISSING] = treat_as
        p_values = np.full((self.n_targets, len(values)), np.nan)
        real, binary = np.flatnonzero(types == REAL), np.flatnonzero(types == BINARY)
        if len(real):
            p_values[:, real] = self.real(values, bounds, real)
        if len(binary):
            p_values[:, binary] = self.binary(values, binary)
        return Findings(types, p_values)


class _ClassTests(_Tests):
    """Each class against all others."""

    def __init__(self, target: Target, test: str) -> None:
        self.codes = np.array(target.codes, dtype=np.int32)
        self.counts = np.bincount(self.codes, minlength=len(target.labels))
        self.n_targets = len(target.labels)
        self.rows = np.arange(len(self.codes), dtype=np.int32)
        self.test = test

    def real(self, values: Floats, bounds: Floats, columns: Index) -> Floats:
        n, own = len(self.codes), self.counts.tolist()
        if self.test == "mann":
            out = np.empty((len(columns), 1 + self.n_targets))
            parameters = self.rows, self.codes
            run_ranked("class_ranks", values, bounds, columns, self.rows, parameters, out)
            return np.stack(
                [mann_whitney(out[:, 1 + c], k, n - k, out[:, 0]) for c, k in enumerate(own)]
            )
        out = np.empty((len(columns), self.n_targets))
        counted = self.rows, self.codes, self.counts
        run_ranked("class_gaps", values, bounds, columns, self.rows, counted, out)
        sizes = np.broadcast_to(self.counts, out.shape).reshape(-1)
        return kolmogorov_smirnov(out.reshape(-1), sizes, n - sizes).reshape(out.shape).T

    def binary(self, values: Floats, columns: Index) -> Floats:
        out = np.empty((len(columns), self.n_targets))
        run_kernel("high_counts", [values], (self.codes,), out, rows=(columns,))
        return out.T

    def finish(self, binary: Floats) -> Floats:
        """One call for all: scipy's law takes 0.3 ms for a call, whatever it is about."""
        both = binary.astype(np.int64)
        high = np.tile(both.sum(axis=0), self.n_targets)
        sizes = np.repeat(self.counts, both.shape[1])
        return fisher(both.reshape(-1), sizes, high, len(self.codes)).reshape(both.shape)


class _NumberTests(_Tests):
    """A target of numbers."""

    n_targets = 1

    def __init__(self, target: Target) -> None:
        self.order = _YOrder.of(target.numbers)

    def real(self, values: Floats, bounds: Floats, columns: Index) -> Floats:
        order = self.order
        out = np.empty((len(columns), 5))
        parameters = order.rows, order.starts
        run_ranked("concordance", values, bounds, columns, order.places, parameters, out)
        return kendall(out, len(order.rows), order.ties)[None]

    def binary(self, values: Floats, columns: Index) -> Floats:
        out = np.empty((len(columns), 2))
        order = self.order
        run_kernel("high_gap", [values], (order.rows, order.ends), out, rows=(columns,))
        high = out[:, 0].astype(np.int64)
        return kolmogorov_smirnov(out[:, 1], high, len(order.rows) - high)[None]
