"""Which null hypotheses are rejected while the rate of false discoveries stays below a level."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tidemill.model.aliases import Floats

__all__ = ["rejected", "thresholds"]


def rejected(
    p_values: Floats, fdr_level: float, *, independent: bool = False
) -> npt.NDArray[np.bool_]:
    """Reject hypotheses by their p-values, step up.

    Sources: Y. Benjamini, Y. Hochberg, J. R. Stat. Soc. B 57 (1995) 289, for independent
    hypotheses; Y. Benjamini, D. Yekutieli, Ann. Stat. 29 (2001) 1165, for any dependence.

    Parameters
    ----------
    p_values : float64[m]; NaN is never rejected
    fdr_level : the expected share of false discoveries
    independent : whether the hypotheses are independent

    Returns
    -------
    bool[m]

    Examples
    --------
    >>> p_values = np.array([0.01, 0.5, 0.02])
    >>> rejected(p_values, 0.05), rejected(p_values, 0.05, independent=True)
    (array([False, False, False]), array([ True, False,  True]))
    """
    m = len(p_values)
    order = np.argsort(p_values)
    below = np.flatnonzero(p_values[order] <= thresholds(m, fdr_level, independent=independent))
    out = np.zeros(m, dtype=bool)
    if len(below):
        out[order[: below[-1] + 1]] = True
    return out


def thresholds(m: int, fdr_level: float, *, independent: bool = False) -> Floats:
    """What the smallest, the second smallest ... of m p-values are compared with.

    Hypotheses are rejected up to the last one whose p-value is not above its threshold.

    Parameters
    ----------
    m : number of hypotheses
    fdr_level, independent : as in :func:`rejected`

    Returns
    -------
    float64[m]

    Examples
    --------
    >>> thresholds(4, 0.2, independent=True)
    array([0.05, 0.1 , 0.15, 0.2 ])
    """
    ranks = np.arange(1, m + 1)
    share = ranks / float(m)
    if not independent:
        share = share / np.sum(1.0 / ranks)
    return np.asarray(share * fdr_level)
