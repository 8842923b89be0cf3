"""Rows of the calculators with parameters, in tsfresh's order: the second half."""

from __future__ import annotations

from itertools import product

from tidemill.calculators.table.rows import TREND, TREND_GRID, R, row, steps
from tidemill.calculators.table.spec import Calculator, Parameter

__all__ = ["SECOND"]

SECOND: tuple[Calculator, ...] = (
    row(
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
    row(
        "fft_aggregated",
        "Centroid, variance, skew or kurtosis of the absolute spectrum.",
        "spectral",
        "spectrum",
        parameters=(
            Parameter("aggtype", "str", choices=("centroid", "variance", "skew", "kurtosis")),
        ),
        grid=steps("aggtype", ("centroid", "variance", "skew", "kurtosis")),
    ),
    row(
        "value_count",
        "The number of values equal to a value.",
        "counting",
        parameters=(Parameter("value", "float"),),
        grid=steps("value", (0, 1, -1)),
    ),
    row(
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
    row(
        "approximate_entropy",
        "The approximate entropy for templates of m values and a tolerance of r deviations.",
        "entropy",
        "values",
        "moments",
        "order",
        parameters=(Parameter("m", "int", minimum=1), Parameter("r", "float", minimum=0)),
        grid=tuple({"m": 2, "r": r} for r in (0.1, 0.3, 0.5, 0.7, 0.9)),
        presets=("comprehensive",),
        quadratic=True,
        source="Pincus (1991), PNAS 88, 2297-2301",
    ),
    row(
        "friedrich_coefficients",
        "A coefficient of the polynomial drift of a Langevin model.",
        "langevin",
        "values",
        "sorted",
        parameters=(
            Parameter("coeff", "int", minimum=0),
            Parameter("m", "int", minimum=1),
            Parameter("r", "int", minimum=1),
        ),
        grid=tuple({"coeff": coeff, "m": 3, "r": 30} for coeff in range(4)),
        minimum_length=2,
        exact="kernels.langevin:friedrich_exactly",
        source="Friedrich et al. (2000), Phys. Lett. A 271, 217-222",
    ),
    row(
        "max_langevin_fixed_point",
        "The largest fixed point of the polynomial drift of a Langevin model.",
        "langevin",
        "values",
        "sorted",
        parameters=(Parameter("m", "int", minimum=1), Parameter("r", "int", minimum=1)),
        grid=({"m": 3, "r": 30},),
        minimum_length=2,
        exact="kernels.langevin:fixed_point_exactly",
        source="Friedrich et al. (2000), Phys. Lett. A 271, 217-222",
    ),
    row(
        "linear_trend",
        "The least-squares line over the places 0, 1, 2, ...",
        "trend",
        parameters=(Parameter("attr", "str", choices=TREND),),
        grid=TREND_GRID,
        source="scipy.stats.linregress",
    ),
    row(
        "agg_linear_trend",
        "The least-squares line over aggregates of chunks of chunk_len values.",
        "trend",
        parameters=(
            Parameter("attr", "str", choices=TREND),
            Parameter("chunk_len", "int", minimum=1),
            Parameter("f_agg", "str", choices=("max", "mean", "min", "std", "sum", "var")),
        ),
        grid=tuple(
            {"attr": attr, "chunk_len": chunk_len, "f_agg": f_agg}
            for attr in ("rvalue", "intercept", "slope", "stderr")
            for chunk_len in (5, 10, 50)
            for f_agg in ("max", "min", "mean", "var")
        ),
        source="scipy.stats.linregress",
    ),
    row(
        "augmented_dickey_fuller",
        "The augmented Dickey-Fuller test for a unit root.",
        "dickey_fuller",
        "values",
        "moments",
        parameters=(
            # "" gives NaN, as in tsfresh, whose own tests ask for it.
            Parameter("attr", "str", choices=("pvalue", "teststat", "usedlag", "")),
            Parameter(
                "autolag",
                "str",
                choices=("AIC", "BIC", "t-stat", None),
                default="AIC",
                required=False,
                filled=True,
            ),
        ),
        grid=steps("attr", ("teststat", "pvalue", "usedlag")),
        minimum_length=4,
        exact="kernels.pseudoinverse:dickey_fuller",
        source="statsmodels.tsa.stattools.adfuller; MacKinnon (1994), JBES 12, 167-176",
    ),
    row(
        "number_crossing_m",
        "The number of times the values cross m.",
        "counting",
        parameters=(Parameter("m", "float"),),
        grid=steps("m", (0, -1, 1)),
    ),
    row(
        "energy_ratio_by_chunks",
        "The share of the sum of squares that lies in one of num_segments chunks.",
        "chunks",
        "values",
        "moments",
        parameters=(
            Parameter("num_segments", "int", minimum=1),
            Parameter("segment_focus", "int", minimum=0),
        ),
        grid=tuple({"num_segments": 10, "segment_focus": i} for i in range(10)),
    ),
    row(
        "ratio_beyond_r_sigma",
        "The share of values further than r standard deviations from the mean.",
        "distribution",
        "sorted",
        "moments",
        parameters=(R,),
        grid=steps("r", (0.5, 1, 1.5, 2, 2.5, 3, 5, 6, 7, 10)),
    ),
    row(
        "linear_trend_timewise",
        "The least-squares line over the times in hours.",
        "trend",
        "values",
        "times",
        parameters=(Parameter("attr", "str", choices=TREND),),
        grid=TREND_GRID,
        presets=(),
        source="scipy.stats.linregress",
    ),
    row(
        "count_above",
        "The share of values of at least t.",
        "counting",
        parameters=(Parameter("t", "float"),),
        grid=steps("t", (0,)),
    ),
    row(
        "count_below",
        "The share of values of at most t.",
        "counting",
        parameters=(Parameter("t", "float"),),
        grid=steps("t", (0,)),
    ),
    row(
        "lempel_ziv_complexity",
        "The number of distinct phrases of the values in bins, divided by the number of values.",
        "complexity",
        "values",
        "extremes",
        parameters=(Parameter("bins", "int", minimum=1),),
        grid=steps("bins", (2, 3, 5, 10, 100)),
        source="Lempel & Ziv (1976), IEEE Trans. Inf. Theory 22, 75-81",
    ),
    row(
        "fourier_entropy",
        "The entropy of the histogram of the power spectral density, after Welch.",
        "spectral",
        "welch",
        parameters=(Parameter("bins", "int", minimum=1),),
        grid=steps("bins", (2, 3, 5, 10, 100)),
    ),
    row(
        "permutation_entropy",
        "The entropy of the orders of values in windows.",
        "complexity",
        "values",
        "tie_numbers",
        parameters=(Parameter("dimension", "int", minimum=2), Parameter("tau", "int", minimum=1)),
        grid=tuple({"tau": 1, "dimension": dimension} for dimension in (3, 4, 5, 6, 7)),
        source="Bandt & Pompe (2002), Phys. Rev. Lett. 88, 174102",
    ),
    row(
        "query_similarity_count",
        "The number of windows within a distance of a query.",
        "similarity",
        parameters=(
            Parameter("normalize", "bool", default=True, required=False),
            Parameter("query", "numbers", default=None, required=False),
            Parameter("threshold", "float", default=0.0, required=False),
        ),
        grid=({"query": None, "threshold": 0.0},),
        source="stumpy.core.mass",
    ),
    row(
        "mean_n_absolute_max",
        "The mean of the number_of_maxima largest absolute values.",
        "quantiles",
        "sorted",
        parameters=(Parameter("number_of_maxima", "int", minimum=1),),
        grid=steps("number_of_maxima", (7,)),
    ),
)
