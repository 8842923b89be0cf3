"""The table of intermediates: what calculators may name in ``needs``, besides the values.

Each is computed once per block, by the kernel or the batch function of its row, and shared.
``length`` and ``times`` come with the block.
"""

from __future__ import annotations

from tidemill.calculators.table.spec import Intermediate

__all__ = ["INTERMEDIATES"]

INTERMEDIATES: dict[str, Intermediate] = {
    row.name: row
    for row in (
        Intermediate(
            "moments",
            "length, sum, mean, variance, standard deviation, sum of squares, variation "
            "coefficient, root mean square",
            kernel="kernels.distribution:moments",
            width=8,
        ),
        Intermediate(
            "extremes",
            "minimum, maximum, largest absolute value",
            kernel="kernels.distribution:extremes",
            width=3,
        ),
        Intermediate(
            "central",
            "sums of the second to fourth powers of the distances from the mean",
            kernel="kernels.distribution:central",
            width=3,
            needs=("values", "moments"),
        ),
        Intermediate(
            "changes",
            "sums of the absolute and of the squared differences between neighbours, mean "
            "absolute difference, mean difference, mean second derivative",
            kernel="kernels.changes:changes",
            width=5,
        ),
        Intermediate(
            "locations",
            "of the maximum and of the minimum: whether it occurs more than once, its first place, "
            "its last place",
            kernel="kernels.counting:locations",
            width=6,
            needs=("values", "extremes"),
        ),
        Intermediate(
            "sides",
            "numbers of values above and below the mean, longest runs above and below the mean",
            kernel="kernels.counting:sides",
            width=4,
            needs=("values", "moments"),
        ),
        Intermediate(
            "sorted",
            "the values in ascending order",
            batch="jit.workspace:sort",
            uses=(("numerics.padding:padded", ("float64",)),),
        ),
        Intermediate(
            "reoccurrence",
            "shares of distinct values and of values, and sums, of what occurs more than once; "
            "the share of distinct values; whether any value occurs more than once",
            kernel="kernels.reoccurrence:reoccurrence",
            width=6,
            needs=("sorted",),
        ),
        Intermediate(
            "order",
            "the places of the values in ascending order",
            batch="jit.workspace:argsort",
            dtype="int64",
        ),
        Intermediate(
            "median",
            "the middle value",
            batch="jit.workspace:middle",
            uses=(("numerics.padding:padded", ("float64",)),),
            width=1,
            shortcut=("sorted", "kernels.quantiles:median_of_sorted"),
        ),
        Intermediate(
            "spectrum",
            "the discrete Fourier transform of the values",
            batch="jit.workspace:transform",
            dtype="complex128",
        ),
        Intermediate(
            "welch",
            "the power spectral density after Welch",
            batch="kernels.welch:welch",
            uses=(
                ("kernels.welch:windowed", ("float64", "float64")),
                ("kernels.welch:mean_power", ("complex128", "float64")),
            ),
        ),
        Intermediate(
            "autocovariance",
            "sums of products of distances from the mean, by lag",
            kernel="kernels.correlation:autocovariance",
            needs=("values", "moments"),
        ),
        Intermediate(
            "tie_numbers",
            "how numpy orders up to seven values of which some are equal",
            batch="numerics.ties:tie_numbers",
            dtype="int64",
        ),
        Intermediate("length", "the number of values"),
        Intermediate("times", "the time stamps, in nanoseconds", dtype="int64"),
    )
}
