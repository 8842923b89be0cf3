"""Rows of the calculators with parameters, in tsfresh's order: the first half."""

from __future__ import annotations

from tidemill.calculators.table.rows import AGGREGATES, LAG, R, row, steps
from tidemill.calculators.table.spec import Calculator, Parameter

__all__ = ["FIRST"]

FIRST: tuple[Calculator, ...] = (
    row(
        "time_reversal_asymmetry_statistic",
        "The mean of x[i+2l]^2 x[i+l] - x[i+l] x[i]^2 for a lag l.",
        "changes",
        parameters=(LAG,),
        grid=steps("lag", range(1, 4)),
        source="Fulcher & Jones (2014), IEEE TKDE 26, 3026-3037",
    ),
    row(
        "c3",
        "The mean of x[i+2l] x[i+l] x[i] for a lag l: a measure of non-linearity.",
        "changes",
        parameters=(LAG,),
        grid=steps("lag", range(1, 4)),
        source="Schreiber & Schmitz (1997), Phys. Rev. E 55, 5443",
    ),
    row(
        "cid_ce",
        "The complexity estimate: the root of the sum of squared changes.",
        "changes",
        "values",
        "moments",
        "changes",
        parameters=(Parameter("normalize", "bool"),),
        grid=steps("normalize", (True, False)),
        source="Batista et al. (2014), Data Min. Knowl. Discov. 28, 634-669",
    ),
    row(
        "symmetry_looking",
        "Whether mean and median differ by less than r times the range.",
        "distribution",
        "moments",
        "extremes",
        "median",
        parameters=(R,),
        grid=steps("r", (r * 0.05 for r in range(20))),
    ),
    row(
        "large_standard_deviation",
        "Whether the standard deviation is larger than r times the range.",
        "distribution",
        "moments",
        "extremes",
        parameters=(R,),
        grid=steps("r", (r * 0.05 for r in range(1, 20))),
    ),
    row(
        "quantile",
        "The q-quantile of the values, linearly interpolated.",
        "quantiles",
        "sorted",
        parameters=(Parameter("q", "float", minimum=0, maximum=1),),
        grid=steps("q", (0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9)),
    ),
    row(
        "autocorrelation",
        "The autocorrelation at a lag.",
        "correlation",
        "moments",
        "autocovariance",
        parameters=(LAG,),
        grid=steps("lag", range(10)),
        lags="lag",
    ),
    row(
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
    row(
        "partial_autocorrelation",
        "The partial autocorrelation at a lag.",
        "correlation",
        "moments",
        "autocovariance",
        parameters=(LAG,),
        grid=steps("lag", range(10)),
        minimum_length=4,
        lags="lag",
        source="Box, Jenkins & Reinsel (1994), Time Series Analysis",
    ),
    row(
        "number_cwt_peaks",
        "The number of peaks found in a wavelet transform with widths 1 to n.",
        "ridges",
        parameters=(Parameter("n", "int", minimum=1, maximum=1_000),),
        tables="kernels.filters:number_cwt_peaks",
        grid=steps("n", (1, 5)),
        source="scipy.signal.find_peaks_cwt",
    ),
    row(
        "number_peaks",
        "The number of values larger than their n neighbours on either side.",
        "counting",
        parameters=(Parameter("n", "int", minimum=1),),
        grid=steps("n", (1, 3, 5, 10, 50)),
    ),
    row(
        "binned_entropy",
        "The entropy of the histogram of the values in max_bins bins of equal width.",
        "entropy",
        "values",
        "extremes",
        parameters=(Parameter("max_bins", "int", minimum=1),),
        grid=steps("max_bins", (10,)),
    ),
    row(
        "index_mass_quantile",
        "The relative place up to which the share q of the absolute values lies.",
        "chunks",
        parameters=(Parameter("q", "float", minimum=0, maximum=1),),
        grid=steps("q", (0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9)),
    ),
    row(
        "cwt_coefficients",
        "A coefficient of the continuous transform with a Ricker wavelet of width w.",
        "wavelets",
        parameters=(
            Parameter("coeff", "int", minimum=0),
            Parameter("w", "float", minimum=0.001, maximum=100_000),
            Parameter("widths", "numbers", minimum=0.001),
        ),
        member=("w", "widths"),
        tables="kernels.filters:cwt_coefficients",
        grid=tuple(
            {"widths": (2, 5, 10, 20), "coeff": coeff, "w": w}
            for coeff in range(15)
            for w in (2, 5, 10, 20)
        ),
    ),
    row(
        "spkt_welch_density",
        "The power spectral density at a frequency, after Welch.",
        "spectral",
        "welch",
        parameters=(Parameter("coeff", "int", minimum=0),),
        grid=steps("coeff", (2, 5, 8)),
        source="scipy.signal.welch",
    ),
    row(
        "ar_coefficient",
        "A coefficient of the autoregressive process of order k, by least squares.",
        "regression",
        "values",
        "moments",
        parameters=(Parameter("coeff", "int", minimum=0), Parameter("k", "int", minimum=0)),
        grid=tuple({"coeff": coeff, "k": 10} for coeff in range(11)),
        exact="kernels.pseudoinverse:autoregression",
        source="statsmodels.tsa.ar_model.AutoReg",
    ),
    row(
        "change_quantiles",
        "An aggregate of the changes inside a corridor between two quantiles.",
        "corridors",
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
)
