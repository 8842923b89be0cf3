"""The registry table: one row per calculator, in the order of tsfresh's comprehensive settings.

Names, presets, grids, documentation, tests and benchmarks all derive from these rows. A row
without a source is defined by the function of the same name in
tsfresh.feature_extraction.feature_calculators (0.21.2).
"""

from __future__ import annotations

from itertools import product
from typing import Any

from tidemill.calculators.spec import Calculator, Parameter

__all__ = ["PLANNED", "ROWS"]

MINIMAL = ("minimal", "efficient", "comprehensive")
AGGREGATES = ("mean", "var", "std", "median")
TREND = ("intercept", "pvalue", "rvalue", "slope", "stderr")
_TREND_GRID = tuple({"attr": a} for a in ("pvalue", "rvalue", "intercept", "slope", "stderr"))
_R = Parameter("r", "float")
_LAG = Parameter("lag", "int", minimum=0)


def _steps(name: str, values: Any) -> tuple[dict[str, Any], ...]:
    return tuple({name: value} for value in values)


def _row(name: str, summary: str, kernel: str, *needs: str, **fields: Any) -> Calculator:
    return Calculator(
        name, summary, kernel=f"{kernel}:{name}", needs=needs or ("values",), **fields
    )


def _pick(name: str, summary: str, need: str, element: int, **fields: Any) -> Calculator:
    return Calculator(name, summary, needs=(need,), element=element, **fields)


ROWS: tuple[Calculator, ...] = (
    _row(
        "variance_larger_than_standard_deviation",
        "Whether the variance is larger than the standard deviation.",
        "distribution",
        "moments",
    ),
    _row(
        "has_duplicate_max",
        "Whether the largest value occurs more than once.",
        "counting",
        "values",
        "extremes",
    ),
    _row(
        "has_duplicate_min",
        "Whether the smallest value occurs more than once.",
        "counting",
        "values",
        "extremes",
    ),
    _row("has_duplicate", "Whether any value occurs more than once.", "order", "sorted"),
    _pick("sum_values", "The sum of the values.", "moments", 1, presets=MINIMAL),
    _pick("abs_energy", "The sum of the squared values.", "moments", 5),
    _row(
        "mean_abs_change",
        "The mean of the absolute differences between neighbours.",
        "changes",
        "values",
        "changes",
        minimum_length=2,
    ),
    _row(
        "mean_change",
        "The mean of the differences between neighbours.",
        "changes",
        minimum_length=2,
    ),
    _row(
        "mean_second_derivative_central",
        "The mean of the central approximation of the second derivative.",
        "changes",
        minimum_length=3,
    ),
    _pick("median", "The median of the values.", "median", 0, presets=MINIMAL),
    _pick("mean", "The mean of the values.", "moments", 2, presets=MINIMAL),
    _pick(
        "length",
        "The number of values.",
        "length",
        0,
        minimum_length=0,
        presets=MINIMAL,
    ),
    _pick(
        "standard_deviation", "The standard deviation (divisor n).", "moments", 4, presets=MINIMAL
    ),
    _row(
        "variation_coefficient",
        "The standard deviation divided by the mean.",
        "distribution",
        "moments",
    ),
    _pick("variance", "The variance (divisor n).", "moments", 3, presets=MINIMAL),
    _row(
        "skewness",
        "The adjusted Fisher-Pearson skewness G1.",
        "distribution",
        "moments",
        "extremes",
        "central",
        minimum_length=3,
    ),
    _row(
        "kurtosis",
        "The adjusted Fisher-Pearson excess kurtosis G2.",
        "distribution",
        "moments",
        "extremes",
        "central",
        minimum_length=4,
    ),
    _row(
        "root_mean_square",
        "The square root of the mean of the squared values.",
        "distribution",
        "moments",
        presets=MINIMAL,
    ),
    _pick(
        "absolute_sum_of_changes",
        "The sum of the absolute differences between neighbours.",
        "changes",
        0,
    ),
    _row(
        "longest_strike_below_mean",
        "The length of the longest run of values below the mean.",
        "counting",
        "values",
        "moments",
    ),
    _row(
        "longest_strike_above_mean",
        "The length of the longest run of values above the mean.",
        "counting",
        "values",
        "moments",
    ),
    _row(
        "count_above_mean",
        "The number of values above the mean.",
        "counting",
        "values",
        "moments",
    ),
    _row(
        "count_below_mean",
        "The number of values below the mean.",
        "counting",
        "values",
        "moments",
    ),
    _row(
        "last_location_of_maximum",
        "The relative place just behind the last maximum.",
        "counting",
        "values",
        "extremes",
    ),
    _row(
        "first_location_of_maximum",
        "The relative place of the first maximum.",
        "counting",
        "values",
        "extremes",
    ),
    _row(
        "last_location_of_minimum",
        "The relative place just behind the last minimum.",
        "counting",
        "values",
        "extremes",
    ),
    _row(
        "first_location_of_minimum",
        "The relative place of the first minimum.",
        "counting",
        "values",
        "extremes",
    ),
    _pick("maximum", "The largest value.", "extremes", 1, presets=MINIMAL),
    _pick("absolute_maximum", "The largest absolute value.", "extremes", 2, presets=MINIMAL),
    _pick("minimum", "The smallest value.", "extremes", 0, presets=MINIMAL),
    _row(
        "time_reversal_asymmetry_statistic",
        "The mean of x[i+2l]^2 x[i+l] - x[i+l] x[i]^2 for a lag l.",
        "changes",
        parameters=(_LAG,),
        grid=_steps("lag", range(1, 4)),
        source="Fulcher & Jones (2014), IEEE TKDE 26, 3026-3037",
    ),
    _row(
        "c3",
        "The mean of x[i+2l] x[i+l] x[i] for a lag l: a measure of non-linearity.",
        "changes",
        parameters=(_LAG,),
        grid=_steps("lag", range(1, 4)),
        source="Schreiber & Schmitz (1997), Phys. Rev. E 55, 5443",
    ),
    _row(
        "cid_ce",
        "The complexity estimate: the root of the sum of squared changes.",
        "changes",
        "moments",
        "changes",
        parameters=(Parameter("normalize", "bool"),),
        grid=_steps("normalize", (True, False)),
        source="Batista et al. (2014), Data Min. Knowl. Discov. 28, 634-669",
    ),
    _row(
        "symmetry_looking",
        "Whether mean and median differ by less than r times the range.",
        "distribution",
        "moments",
        "extremes",
        "median",
        parameters=(_R,),
        grid=_steps("r", (r * 0.05 for r in range(20))),
    ),
    _row(
        "large_standard_deviation",
        "Whether the standard deviation is larger than r times the range.",
        "distribution",
        "moments",
        "extremes",
        parameters=(_R,),
        grid=_steps("r", (r * 0.05 for r in range(1, 20))),
    ),
    _row(
        "quantile",
        "The q-quantile of the values, linearly interpolated.",
        "order",
        "sorted",
        parameters=(Parameter("q", "float", minimum=0, maximum=1),),
        grid=_steps("q", (0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9)),
    ),
    _row(
        "autocorrelation",
        "The autocorrelation at a lag.",
        "correlation",
        "moments",
        "autocovariance",
        parameters=(_LAG,),
        grid=_steps("lag", range(10)),
        lags="lag",
    ),
    _row(
        "agg_autocorrelation",
        "An aggregate of the autocorrelations at lags 1 to maxlag.",
        "correlation",
        "moments",
        "autocovariance",
        parameters=(
            Parameter("f_agg", "str", choices=AGGREGATES),
            Parameter("maxlag", "int", minimum=1),
        ),
        grid=tuple({"f_agg": f, "maxlag": 40} for f in ("mean", "median", "var")),
        lags="maxlag",
    ),
    _row(
        "number_peaks",
        "The number of values larger than their n neighbours on either side.",
        "counting",
        parameters=(Parameter("n", "int", minimum=1),),
        grid=_steps("n", (1, 3, 5, 10, 50)),
    ),
    _row(
        "change_quantiles",
        "An aggregate of the changes inside a corridor between two quantiles.",
        "order",
        "values",
        "sorted",
        parameters=(
            Parameter("f_agg", "str", choices=AGGREGATES),
            Parameter("isabs", "bool"),
            Parameter("qh", "float", minimum=0, maximum=1),
            Parameter("ql", "float", minimum=0, maximum=1),
        ),
        grid=tuple(
            {"ql": ql, "qh": qh, "isabs": isabs, "f_agg": f_agg}
            for ql in (0.0, 0.2, 0.4, 0.6, 0.8)
            for qh in (0.2, 0.4, 0.6, 0.8, 1.0)
            for isabs in (False, True)
            for f_agg in ("mean", "var")
            if ql < qh
        ),
    ),
    _row(
        "fft_coefficient",
        "Real or imaginary part, absolute value or angle of a Fourier coefficient.",
        "spectral",
        "spectrum",
        parameters=(
            Parameter("attr", "str", choices=("abs", "angle", "imag", "real")),
            Parameter("coeff", "int", minimum=0),
        ),
        grid=tuple(
            {"coeff": k, "attr": a}
            for a, k in product(("real", "imag", "abs", "angle"), range(100))
        ),
    ),
    _row(
        "fft_aggregated",
        "Centroid, variance, skew or kurtosis of the absolute spectrum.",
        "spectral",
        "spectrum",
        parameters=(
            Parameter("aggtype", "str", choices=("centroid", "variance", "skew", "kurtosis")),
        ),
        grid=_steps("aggtype", ("centroid", "variance", "skew", "kurtosis")),
    ),
    _row(
        "value_count",
        "The number of values equal to a value.",
        "counting",
        parameters=(Parameter("value", "float"),),
        grid=_steps("value", (0, 1, -1)),
    ),
    _row(
        "range_count",
        "The number of values from min to below max.",
        "counting",
        parameters=(Parameter("min", "float"), Parameter("max", "float")),
        grid=(
            {"min": -1, "max": 1},
            {"min": -1e12, "max": 0},
            {"min": 0, "max": 1e12},
        ),
    ),
    _row(
        "linear_trend",
        "The least-squares line over the places 0, 1, 2, ...",
        "trend",
        parameters=(Parameter("attr", "str", choices=TREND),),
        grid=_TREND_GRID,
        source="scipy.stats.linregress",
    ),
    _row(
        "number_crossing_m",
        "The number of times the values cross m.",
        "counting",
        parameters=(Parameter("m", "float"),),
        grid=_steps("m", (0, -1, 1)),
    ),
    _row(
        "ratio_beyond_r_sigma",
        "The share of values further than r standard deviations from the mean.",
        "distribution",
        "values",
        "moments",
        parameters=(_R,),
        grid=_steps("r", (0.5, 1, 1.5, 2, 2.5, 3, 5, 6, 7, 10)),
    ),
    _row(
        "linear_trend_timewise",
        "The least-squares line over the times in hours.",
        "trend",
        "values",
        "times",
        parameters=(Parameter("attr", "str", choices=TREND),),
        grid=_TREND_GRID,
        presets=(),
        source="scipy.stats.linregress",
    ),
    _row(
        "count_above",
        "The share of values of at least t.",
        "counting",
        parameters=(Parameter("t", "float"),),
        grid=_steps("t", (0,)),
    ),
    _row(
        "count_below",
        "The share of values of at most t.",
        "counting",
        parameters=(Parameter("t", "float"),),
        grid=_steps("t", (0,)),
    ),
)

#: tsfresh calculators that have no row yet: settings that name one are told so.
PLANNED = (
    "agg_linear_trend",
    "approximate_entropy",
    "ar_coefficient",
    "augmented_dickey_fuller",
    "benford_correlation",
    "binned_entropy",
    "cwt_coefficients",
    "energy_ratio_by_chunks",
    "fourier_entropy",
    "friedrich_coefficients",
    "index_mass_quantile",
    "lempel_ziv_complexity",
    "matrix_profile",
    "max_langevin_fixed_point",
    "mean_n_absolute_max",
    "number_cwt_peaks",
    "partial_autocorrelation",
    "percentage_of_reoccurring_datapoints_to_all_datapoints",
    "percentage_of_reoccurring_values_to_all_values",
    "permutation_entropy",
    "query_similarity_count",
    "ratio_value_number_to_time_series_length",
    "sample_entropy",
    "spkt_welch_density",
    "sum_of_reoccurring_data_points",
    "sum_of_reoccurring_values",
)
