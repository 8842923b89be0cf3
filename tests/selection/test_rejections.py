"""Rejected hypotheses beside statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from tidemill.selection.rejections import rejected, thresholds


@pytest.mark.parametrize("independent", [True, False])
@pytest.mark.parametrize("level", [0.01, 0.05, 0.5])
@pytest.mark.parametrize("seed", range(20))
def test_rejections_are_those_of_statsmodels(independent, level, seed):
    rng = np.random.default_rng(seed)
    p_values = rng.random(rng.integers(1, 60)) ** rng.integers(1, 6)
    p_values[rng.random(len(p_values)) < 0.2] = rng.choice([0.0, 1.0, p_values[0]])
    method = "fdr_bh" if independent else "fdr_by"
    expected = multipletests(p_values, level, method)[0]
    assert rejected(p_values, level, independent=independent).tolist() == expected.tolist()


def test_nan_is_never_rejected_but_counts():
    found = rejected(np.array([np.nan, 0.001, 0.04]), 0.05, independent=True)
    assert found.tolist() == [False, True, False]
    assert rejected(np.array([]), 0.05).tolist() == []


@pytest.mark.parametrize("independent", [True, False])
def test_thresholds_are_those_that_p_values_are_compared_with(rng, independent):
    p_values = np.sort(rng.random(50) ** 4)
    levels = thresholds(50, 0.2, independent=independent)
    last = np.flatnonzero(p_values <= levels)[-1]
    found = rejected(p_values, 0.2, independent=independent)
    assert found.tolist() == (np.arange(50) <= last).tolist()
