"""Parameters that no preset lists, for the comparison with tsfresh."""

from __future__ import annotations

from typing import Any

#: Parameters that no preset lists; every calculator with parameters has some.
EXTRA: dict[str, list[dict[str, Any]]] = {
    "time_reversal_asymmetry_statistic": [{"lag": 0}, {"lag": 17}],
    "c3": [{"lag": 0}, {"lag": 17}],
    "cid_ce": [{"normalize": True}],
    "symmetry_looking": [{"r": 2.5}, {"r": -1}],
    "large_standard_deviation": [{"r": 0.0}, {"r": 0.33}],
    "quantile": [{"q": 0.0}, {"q": 0.5}, {"q": 1}, {"q": 0.333}],
    "autocorrelation": [{"lag": 10}, {"lag": 49}, {"lag": 130}],
    "agg_autocorrelation": [
        {"f_agg": "std", "maxlag": 5},
        {"f_agg": "median", "maxlag": 1},
        {"f_agg": "mean", "maxlag": 300},
    ],
    "number_peaks": [{"n": 2}, {"n": 4}, {"n": 120}],
    "change_quantiles": [
        {"ql": 0.8, "qh": 0.2, "isabs": True, "f_agg": "mean"},
        {"ql": 0.1, "qh": 0.9, "isabs": False, "f_agg": "median"},
        {"ql": 0.1, "qh": 0.9, "isabs": False, "f_agg": "std"},
        {"ql": 0.05, "qh": 0.33, "isabs": True, "f_agg": "mean"},
    ],
    "fft_coefficient": [{"coeff": 200, "attr": "abs"}, {"coeff": 250, "attr": "real"}],
    "fft_aggregated": [{"aggtype": "variance"}],
    "value_count": [{"value": 3.3}, {"value": float("nan")}, {"value": -2}],
    "range_count": [{"min": 0.5, "max": 0.5}, {"min": -0.1, "max": 3}],
    "linear_trend": [{"attr": "pvalue"}],
    "linear_trend_timewise": [{"attr": "slope"}],
    "number_crossing_m": [{"m": 0.5}, {"m": 1e9}],
    "ratio_beyond_r_sigma": [{"r": 0}, {"r": 1.25}],
    "count_above": [{"t": 1}, {"t": -0.5}],
    "count_below": [{"t": 1}, {"t": -0.5}],
    "partial_autocorrelation": [{"lag": 15}, {"lag": 40}],
    "number_cwt_peaks": [{"n": 2}, {"n": 8}, {"n": 12}],
    "binned_entropy": [{"max_bins": 1}, {"max_bins": 33}],
    "index_mass_quantile": [{"q": 0.0}, {"q": 0.5}, {"q": 1.0}],
    "cwt_coefficients": [
        {"widths": (3, 7), "coeff": 4, "w": 7},
        {"widths": (1,), "coeff": 0, "w": 1},
        {"widths": (2.5, 4), "coeff": 3, "w": 2.5},
        {"widths": (2, 5, 10, 20), "coeff": 40, "w": 20},
    ],
    # tsfresh mixes values up unless coefficients that the series lacks come last: not 0 here.
    "spkt_welch_density": [{"coeff": 64}, {"coeff": 128}, {"coeff": 500}],
    "ar_coefficient": [{"coeff": 0, "k": 1}, {"coeff": 3, "k": 3}, {"coeff": 5, "k": 4}],
    "approximate_entropy": [{"m": 1, "r": 0.2}, {"m": 3, "r": 0.4}],
    "friedrich_coefficients": [{"coeff": 1, "m": 2, "r": 10}, {"coeff": 5, "m": 3, "r": 30}],
    "max_langevin_fixed_point": [{"m": 2, "r": 10}, {"m": 1, "r": 5}],
    "agg_linear_trend": [
        {"attr": "pvalue", "chunk_len": 3, "f_agg": "std"},
        {"attr": "slope", "chunk_len": 1, "f_agg": "sum"},
        {"attr": "stderr", "chunk_len": 7, "f_agg": "mean"},
    ],
    "augmented_dickey_fuller": [
        {"attr": "teststat", "autolag": "BIC"},
        {"attr": "usedlag", "autolag": "BIC"},
        {"attr": "teststat", "autolag": None},
        {"attr": "usedlag", "autolag": None},
    ],
    "energy_ratio_by_chunks": [
        {"num_segments": 3, "segment_focus": 2},
        {"num_segments": 1, "segment_focus": 0},
    ],
    "lempel_ziv_complexity": [{"bins": 1}, {"bins": 7}],
    "fourier_entropy": [{"bins": 1}, {"bins": 33}],
    "permutation_entropy": [
        {"tau": 2, "dimension": 3},
        {"tau": 3, "dimension": 4},
        {"tau": 1, "dimension": 2},
        {"tau": 1, "dimension": 9},
    ],
    "query_similarity_count": [
        {"query": (0.0, 1.0, 0.5, -1.0), "threshold": 2.0},
        {"query": (0.0, 1.0, 0.5), "threshold": 1.5, "normalize": False},
        {"query": (1.0, 2.0), "threshold": 1.0},
    ],
    "mean_n_absolute_max": [{"number_of_maxima": 1}, {"number_of_maxima": 3}],
}
