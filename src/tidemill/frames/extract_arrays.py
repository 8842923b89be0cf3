"""The Python door for arrays: NumPy in, NumPy out, without Prefect, Dask or pandas."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tidemill.calculators.settings import Settings
from tidemill.frames.arguments import (
    count_threads,
    features_of,
    needs_times,
    warn_of_long_series,
)
from tidemill.frames.calculate import calculate_batch
from tidemill.model.aliases import Floats, Index
from tidemill.model.policies import Policies
from tidemill.sources.frames.arrays import read_arrays

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FeatureMatrix", "extract_arrays"]


@dataclass(frozen=True, slots=True, eq=False)
class FeatureMatrix:
    """A feature matrix as an array, with the meaning of its rows and columns.

    ``numpy.asarray(matrix)`` returns ``values`` without a copy.
    """

    values: Floats  # float64[k, m]
    columns: tuple[str, ...]  # m names ``kind__calculator__param_value``
    rows: Index  # int64[k], position of each row's series in the input

    def __array__(
        self,
        dtype: npt.DTypeLike | None = None,
        copy: bool | None = None,  # noqa: FBT001
    ) -> npt.NDArray[Any]:
        return np.asarray(self.values, dtype=dtype, copy=copy)

    def to_pandas(self) -> pd.DataFrame:
        """The matrix as a frame with ``rows`` as its index; values are not copied.

        Examples
        --------
        >>> extract_arrays([[1.0, 3.0], [5.0]], {"mean": None}).to_pandas()
           x__mean
        0      2.0
        1      5.0
        """
        import pandas as pd

        return pd.DataFrame(self.values, self.rows, list(self.columns), copy=False)


def extract_arrays(
    arrays: Any,
    settings: Any = None,
    *,
    kinds: Iterable[object] | None = None,
    times: Any = None,
    n_jobs: int | None = None,
    on_nan: str = "raise",
    on_error: str = "raise",
) -> FeatureMatrix:
    """Calculate the feature matrix of the series in arrays.

    Parameters
    ----------
    arrays : array or list of arrays
        ``(series, values)``; ``(cases, channels, timepoints)``, as in aeon and sktime; or a list
        of 1-D arrays or of 2-D arrays ``(channels, timepoints)``, whose lengths may differ. A
        single float64 array in C order is not copied.
    settings : settings, optional
        A preset's name, settings, or the path of a settings file; default: comprehensive.
    kinds : names, optional
        Of the channels: the first part of the columns' names. Default: "x" without channels,
        otherwise "channel_0", "channel_1", ...
    times : array or list of arrays, optional
        For calculators that need times: datetime64, or integers in nanoseconds; ``(timepoints,)``
        for all cases, ``(cases, timepoints)``, or a list of 1-D arrays.
    n_jobs : int, optional
        Threads; default: all cores. 0 and 1 both mean the calling thread alone.
    on_nan : "raise", "omit" or "quarantine"
        What to do with NaN and infinite values.
    on_error : "raise" or "nan"
        What to do if a calculator raises.

    Returns
    -------
    FeatureMatrix
        ``values`` float64[k, m], ``columns``, and ``rows``: the positions of the series, all of
        them unless ``on_nan="quarantine"`` left some out.

    Raises
    ------
    InputError
        If arguments, settings or data cannot be used; the message says what to do.
    CalculationError
        If a calculator raises and ``on_error="raise"``.

    Examples
    --------
    >>> matrix = extract_arrays(np.array([[1.0, 3.0, 2.0], [5.0, 5.0, 5.0]]), "minimal")
    >>> matrix.values.shape, matrix.columns[:3]
    ((2, 10), ('x__sum_values', 'x__median', 'x__mean'))
    """
    threads = count_threads(n_jobs)
    chosen = Settings.from_any(settings)
    policies = Policies(on_nan=on_nan, on_error=on_error)  # type: ignore[arg-type]
    batch = read_arrays(
        arrays,
        kinds=kinds,
        times=times,
        policies=policies,
        needs_times=needs_times(chosen),
    )
    features = features_of(chosen, batch)
    warn_of_long_series(batch, features)
    columns, values = calculate_batch(batch, features, policies.on_error, threads)
    # Not taken from the Arrow ids: their to_numpy would import pandas.
    rows = np.arange(len(batch.ids) + len(batch.quarantined))
    left_out = np.array([one.id for one in batch.quarantined], np.int64)
    return FeatureMatrix(values, columns, np.delete(rows, left_out))
