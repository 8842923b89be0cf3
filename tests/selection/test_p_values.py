"""P-values beside scipy, on thousands of columns of all kinds and lengths."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tidemill.selection.columns import ColumnBatch
from tidemill.selection.evidence import BINARY, REAL, measure
from tidemill.selection.p_values import fisher, kolmogorov_smirnov, mann_whitney
from tidemill.selection.targets import Target

from ..support.tsfresh_selection import EXACT

EMPTY = np.zeros(0, dtype=np.int64)


def columns(n: int, count: int, seed: int) -> np.ndarray:
    """Columns of all kinds: continuous, tied, huge, tiny, infinite, close together."""
    rng = np.random.default_rng([seed, n])
    base = rng.normal(size=(count, n))
    kinds = [
        base,
        np.round(base),
        np.round(base, 1),
        base * 1e300,
        base * 5e-324,
        1e9 + base * 1e-6,
        np.where(base > 1, np.inf, base),
        np.where(base > 0, 0.0, -0.0) * np.round(base),
        (base > 0.5).astype(float),
        np.where(base > 2, 1e300, 1 + np.round(base * 3) * 2.0**-52),
    ]
    which = rng.integers(0, len(kinds), count)
    return np.ascontiguousarray(np.stack([kinds[k][i] for i, k in enumerate(which)]))


def numbers(y: np.ndarray) -> Target:
    return Target("regression", False, 1, y, EMPTY, ())


def classes(codes: np.ndarray) -> Target:
    labels = tuple(range(int(codes.max()) + 1))
    return Target("classification", False, 1, codes, codes, labels)


def by_scipy(x: np.ndarray, target: Target, kind: int, test: str) -> list[float]:
    if target.ml_task == "regression":
        if kind == REAL:
            return [stats.kendalltau(x, target.numbers, method="asymptotic").pvalue]
        high = x == x.max()
        return [stats.ks_2samp(target.numbers[high], target.numbers[~high]).pvalue]
    out = []
    for label in target.labels:
        own = target.codes == label
        if kind == BINARY:
            high = x == x.max()
            table = [[(a & b).sum() for b in (high, ~high)] for a in (own, ~own)]
            out.append(stats.fisher_exact(np.array(table)).pvalue)
        else:
            function = stats.mannwhitneyu if test == "mann" else stats.ks_2samp
            out.append(function(x[own], x[~own]).pvalue)
    return out


def compare(n: int, count: int, target: Target, test: str, seed: int) -> None:
    values = columns(n, count, seed)
    found = measure([ColumnBatch(np.arange(count), values)], target, test=test)
    for place in np.flatnonzero((found.types == REAL) | (found.types == BINARY)):
        expected = by_scipy(values[place], target, found.types[place], test)
        np.testing.assert_allclose(
            found.p_values[:, place], expected, rtol=EXACT, atol=0, err_msg=str(values[place])
        )


def targets(n: int, seed: int) -> list[Target]:
    rng = np.random.default_rng([seed, n])
    codes = np.unique(rng.integers(0, 3, n), return_inverse=True)[1]
    if codes.max() == 0:
        codes[0] = 1
    binary = (rng.random(n) < 0.4).astype(np.int64)
    binary[:2] = [0, 1]
    return [
        numbers(rng.normal(size=n)),
        numbers(np.round(rng.normal(size=n))),
        classes(binary),
        classes(codes),
    ]


@pytest.mark.parametrize("n", [3, 4, 7, 15, 16, 17, 18, 33, 60])
@pytest.mark.parametrize("test", ["mann", "smir"])
def test_p_values_are_those_of_scipy(n, test):
    for target in targets(n, 1):
        if target.ml_task == "classification" or test == "mann":
            compare(n, 60, target, test, 2)


@pytest.mark.parametrize("n", [500, 3_000])
def test_p_values_of_long_columns_are_those_of_scipy(n):
    for target in targets(n, 3):
        compare(n, 12, target, "mann", 4)


@pytest.mark.slow
@pytest.mark.parametrize("n", [5, 9, 20, 47])
def test_p_values_of_many_columns_are_those_of_scipy(n):
    for target in targets(n, 5):
        compare(n, 1_000, target, "mann", 6)


def test_many_columns_at_once_beside_the_tests_of_scipy_for_arrays():
    """20,000 columns: scipy takes arrays for one of the tests."""
    rng = np.random.default_rng(7)
    for n in range(2, 60, 3):
        values = rng.normal(size=(1_000, n)).round(int(rng.integers(1, 3)))
        binary = np.arange(n) % 3 == 0
        target = classes(binary.astype(np.int64))
        batch = ColumnBatch(np.arange(len(values)), values)
        found = measure([batch], target, treat_as=REAL)
        tied = np.array([len(np.unique(row)) < n for row in values])
        for rows in (tied, ~tied):  # scipy chooses one method for all
            if rows.any():
                expected = stats.mannwhitneyu(
                    values[rows][:, binary], values[rows][:, ~binary], axis=1
                )
                np.testing.assert_allclose(
                    found.p_values[1, rows], expected.pvalue, rtol=EXACT, atol=0
                )


@pytest.mark.parametrize(("n1", "n2"), [(5, 5), (12, 7), (10, 30), (100, 64), (700, 699)])
def test_every_exact_gap_is_that_of_scipy(n1, n2):
    rng = np.random.default_rng(n1)
    heights = np.unique(rng.integers(0, n1 * n2 // np.gcd(n1, n2) + 1, 30))
    gaps = heights * np.gcd(n1, n2) / (n1 * n2)
    sizes = np.full(len(gaps), n1), np.full(len(gaps), n2)
    found = kolmogorov_smirnov(gaps, *sizes)
    from scipy.stats._stats_py import _attempt_exact_2kssamp as attempt

    g = int(np.gcd(n1, n2))
    expected = [attempt(n1, n2, g, gap, "two-sided")[2] for gap in gaps]
    np.testing.assert_allclose(found, expected, rtol=EXACT, atol=1e-300)


def test_long_samples_get_the_asymptotic_gap():
    rng = np.random.default_rng(8)
    one, other = rng.normal(size=10_001), rng.normal(0.02, size=500)
    expected = stats.ks_2samp(one, other)
    found = kolmogorov_smirnov(np.array([expected.statistic]), np.array([10_001]), np.array([500]))
    assert found[0] == pytest.approx(expected.pvalue, rel=EXACT)


def test_every_small_table_is_that_of_scipy():
    for n, first, second in [(9, 4, 5), (20, 3, 11), (41, 20, 20), (300, 7, 150)]:
        both = np.arange(max(0, first + second - n), min(first, second) + 1)
        found = fisher(both, np.full_like(both, first), np.full_like(both, second), n)
        expected = [
            stats.fisher_exact([[k, first - k], [second - k, n - first - second + k]]).pvalue
            for k in both.tolist()
        ]
        np.testing.assert_allclose(found, expected, rtol=EXACT, atol=0)


@pytest.mark.parametrize(("n1", "n2"), [(1, 1), (1, 40), (8, 8), (8, 60), (3, 500)])
def test_exact_rank_sums_are_those_of_scipy(n1, n2):
    rng = np.random.default_rng(n2)
    values = rng.normal(size=(20, n1 + n2))
    expected = stats.mannwhitneyu(values[:, :n1], values[:, n1:], axis=1, method="exact").pvalue
    sums = stats.rankdata(values, axis=1)[:, :n1].sum(axis=1)
    found = mann_whitney(sums, n1, n2, np.zeros(20))
    np.testing.assert_allclose(found, expected, rtol=EXACT, atol=0)


@pytest.mark.parametrize("n", [200, 10_000, 100_000])
def test_tables_of_long_columns_are_those_of_scipy(n):
    rng = np.random.default_rng(n)
    first = np.append(rng.integers(1, n, 15), [n // 2] * 5)
    second = np.append(rng.integers(1, n, 15), [n // 2, n // 2, 1, n // 5, n // 5])
    both = rng.hypergeometric(first, n - first, second)
    tables = np.stack([both, first - both, second - both, n - first - second + both], axis=1)
    expected = [stats.fisher_exact(table.reshape(2, 2)).pvalue for table in tables]
    np.testing.assert_allclose(fisher(both, first, second, n), expected, rtol=EXACT, atol=0)


def followers(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns of many kinds that follow a row of numbers more and more closely, and that row."""
    rng = np.random.default_rng([seed, n])
    hidden = rng.normal(size=n)
    base = hidden + np.array([[0.0], [0.01], [0.1], [1.0], [5.0]]) * rng.normal(size=(5, n))
    kinds = [
        base,
        np.round(base, 1),
        np.round(base),
        np.where(base > 2, base, 7.0),  # nearly constant
        np.exp(20 * np.clip(base, -17, 17)),
        np.where(np.abs(base) > 1, np.sign(base) * np.inf, base),
        (base > 0).astype(float),
        (base > 2).astype(float),
    ]
    return np.ascontiguousarray(np.concatenate(kinds)), hidden


@pytest.mark.parametrize("n", [3, 5, 9, 25, 100, 300, 1_000, 2_500])
@pytest.mark.parametrize("test", ["mann", "smir"])
def test_the_smallest_p_values_are_those_of_scipy(n, test):
    """Down to the end of float64, and to zero where scipy has it."""
    values, hidden = followers(n, 9)
    parts = [classes((hidden > np.median(hidden)).astype(np.int64))]
    parts += [classes((hidden >= np.sort(hidden)[-k]).astype(np.int64)) for k in (1, n // 5 + 1)]
    targets = [*parts, *[numbers(hidden), numbers(np.round(hidden))] * (test == "mann")]
    for target in targets:
        found = measure([ColumnBatch(np.arange(len(values)), values)], target, test=test)
        for place in np.flatnonzero((found.types == REAL) | (found.types == BINARY)):
            expected = by_scipy(values[place], target, found.types[place], test)
            np.testing.assert_allclose(
                found.p_values[:, place], expected, rtol=EXACT, atol=1e-318, err_msg=f"{place}"
            )
