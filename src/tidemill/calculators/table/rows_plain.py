"""Rows of the calculators without parameters, in tsfresh's order."""

from __future__ import annotations

from tidemill.calculators.table.rows import pick, row
from tidemill.calculators.table.spec import Calculator

__all__ = ["PLAIN"]

MINIMAL = ("minimal", "efficient", "comprehensive")

PLAIN: tuple[Calculator, ...] = (
    row(
        "variance_larger_than_standard_deviation",
        "Whether the variance is larger than the standard deviation.",
        "distribution",
        "moments",
    ),
    pick(
        "has_duplicate_max",
        "Whether the largest value occurs more than once.",
        "locations",
        0,
    ),
    pick(
        "has_duplicate_min",
        "Whether the smallest value occurs more than once.",
        "locations",
        3,
    ),
    pick("has_duplicate", "Whether any value occurs more than once.", "reoccurrence", 5),
    pick("sum_values", "The sum of the values.", "moments", 1, presets=MINIMAL),
    pick("abs_energy", "The sum of the squared values.", "moments", 5),
    pick(
        "mean_abs_change",
        "The mean of the absolute differences between neighbours.",
        "changes",
        2,
        minimum_length=2,
    ),
    pick(
        "mean_change",
        "The mean of the differences between neighbours.",
        "changes",
        3,
        minimum_length=2,
    ),
    pick(
        "mean_second_derivative_central",
        "The mean of the central approximation of the second derivative.",
        "changes",
        4,
        minimum_length=3,
    ),
    pick("median", "The median of the values.", "median", 0, presets=MINIMAL),
    pick("mean", "The mean of the values.", "moments", 2, presets=MINIMAL),
    pick(
        "length",
        "The number of values.",
        "length",
        0,
        minimum_length=0,
        presets=MINIMAL,
    ),
    pick(
        "standard_deviation", "The standard deviation (divisor n).", "moments", 4, presets=MINIMAL
    ),
    pick(
        "variation_coefficient",
        "The standard deviation divided by the mean.",
        "moments",
        6,
    ),
    pick("variance", "The variance (divisor n).", "moments", 3, presets=MINIMAL),
    row(
        "skewness",
        "The adjusted Fisher-Pearson skewness G1.",
        "distribution",
        "moments",
        "extremes",
        "central",
        tables="table.constants:moments_of_constants",
        minimum_length=3,
    ),
    row(
        "kurtosis",
        "The adjusted Fisher-Pearson excess kurtosis G2.",
        "distribution",
        "moments",
        "extremes",
        "central",
        tables="table.constants:moments_of_constants",
        minimum_length=4,
    ),
    pick(
        "root_mean_square",
        "The square root of the mean of the squared values.",
        "moments",
        7,
        presets=MINIMAL,
    ),
    pick(
        "absolute_sum_of_changes",
        "The sum of the absolute differences between neighbours.",
        "changes",
        0,
    ),
    pick(
        "longest_strike_below_mean",
        "The length of the longest run of values below the mean.",
        "sides",
        3,
    ),
    pick(
        "longest_strike_above_mean",
        "The length of the longest run of values above the mean.",
        "sides",
        2,
    ),
    pick(
        "count_above_mean",
        "The number of values above the mean.",
        "sides",
        0,
    ),
    pick(
        "count_below_mean",
        "The number of values below the mean.",
        "sides",
        1,
    ),
    pick(
        "last_location_of_maximum",
        "The relative place just behind the last maximum.",
        "locations",
        2,
    ),
    pick(
        "first_location_of_maximum",
        "The relative place of the first maximum.",
        "locations",
        1,
    ),
    pick(
        "last_location_of_minimum",
        "The relative place just behind the last minimum.",
        "locations",
        5,
    ),
    pick(
        "first_location_of_minimum",
        "The relative place of the first minimum.",
        "locations",
        4,
    ),
    pick(
        "percentage_of_reoccurring_values_to_all_values",
        "The share of distinct values that occur more than once.",
        "reoccurrence",
        0,
    ),
    pick(
        "percentage_of_reoccurring_datapoints_to_all_datapoints",
        "The share of values whose value occurs more than once.",
        "reoccurrence",
        1,
    ),
    pick(
        "sum_of_reoccurring_values",
        "The sum of the distinct values that occur more than once.",
        "reoccurrence",
        2,
    ),
    pick(
        "sum_of_reoccurring_data_points",
        "The sum of all values whose value occurs more than once.",
        "reoccurrence",
        3,
    ),
    pick(
        "ratio_value_number_to_time_series_length",
        "The number of distinct values divided by the number of values.",
        "reoccurrence",
        4,
    ),
    row(
        "sample_entropy",
        "The sample entropy of pairs of values, within 0.2 standard deviations.",
        "entropy",
        "values",
        "moments",
        "order",
        presets=("comprehensive",),
        quadratic=True,
        minimum_length=3,
        source="Richman & Moorman (2000), Am. J. Physiol. 278, H2039-H2049",
    ),
    pick("maximum", "The largest value.", "extremes", 1, presets=MINIMAL),
    pick("absolute_maximum", "The largest absolute value.", "extremes", 2, presets=MINIMAL),
    pick("minimum", "The smallest value.", "extremes", 0, presets=MINIMAL),
    row(
        "benford_correlation",
        "The correlation of the first digits with Newcomb-Benford's law.",
        "digits",
        "sorted",
        source="Hill (1995), Statistical Science 10, 354-363",
    ),
)
