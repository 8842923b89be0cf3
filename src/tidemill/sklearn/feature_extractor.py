"""Features of the series that X holds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import validate_data

from tidemill.calculators.settings import Settings
from tidemill.errors import ArgumentError, DataError
from tidemill.frames.extract_arrays import extract_arrays
from tidemill.model.aliases import Floats
from tidemill.sklearn.collections import CaseCollection, read_collection
from tidemill.sklearn.fitted import check_fitted
from tidemill.sklearn.row_store import digests_of, identity_of, memory_of, rows_kept

__all__ = ["FeatureExtractor"]

#: Quarantined series have no row, but a row of X must have one.
ON_NAN = ("omit", "raise")


class FeatureExtractor(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Calculate the features of a collection of series: X itself, a row for each case.

    X is one of: an array (cases, timepoints); an array (cases, channels, timepoints), as aeon's
    and sktime's numpy3D; a list of arrays (timepoints,) or (channels, timepoints) of different
    lengths; a list of frames with a column for each channel; a frame with a row for each case and
    a column for each time point; sktime's frames with an index (case, time), or whose cells are
    series.

    Parameters
    ----------
    settings : settings, optional
        A preset's name, settings, or the path of a settings file; default: comprehensive.
    kinds : names, optional
        Of the channels: the first part of the columns' names. Default: those of the frame; of
        arrays "x" without channels, else "channel_0", "channel_1", ...
    n_jobs : int, optional
        Threads; default: all cores.
    on_nan : "raise" or "omit"
        What to do with NaN and infinite values.
    on_error : "raise" or "nan"
        What to do if a calculator raises.
    memory : path or joblib.Memory, optional
        Where the rows of features are kept. Clones of this estimator find them there, so a
        cross-validation calculates each series once.

    Attributes
    ----------
    channels_ : tuple of str
        The channels that ``fit`` saw.

    Examples
    --------
    >>> X = np.array([[1.0, 3.0, 2.0], [5.0, 5.0, 5.0]])
    >>> extractor = FeatureExtractor({"mean": None, "maximum": None}).set_output(transform="pandas")
    >>> extractor.fit_transform(X)
       x__mean  x__maximum
    0      2.0         3.0
    1      5.0         5.0
    """

    def __init__(
        self,
        settings: Any = None,
        *,
        kinds: Iterable[object] | None = None,
        n_jobs: int | None = None,
        on_nan: str = "raise",
        on_error: str = "raise",
        memory: Any = None,
    ) -> None:
        self.settings = settings
        self.kinds = kinds
        self.n_jobs = n_jobs
        self.on_nan = on_nan
        self.on_error = on_error
        self.memory = memory

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "channels_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = self.on_nan == "omit"
        return tags

    def fit(self, X: Any, y: Any = None, times: Any = None) -> Self:  # noqa: ARG002
        """Note the channels, and see whether settings and values can be used.

        Raises
        ------
        InputError
            If X or a parameter cannot be used; the message says what to do.
        """
        self._fit(X)
        return self

    def transform(self, X: Any, times: Any = None) -> Floats:
        """Calculate the features.

        Parameters
        ----------
        X : collection of n cases
            With the channels that ``fit`` saw; lengths may differ from those.
        times : array or list of arrays, optional
            For calculators that need times, as in `tidemill.extract_arrays`, a row for each case;
            routed as metadata. Default: those of a frame.

        Returns
        -------
        float64[n, m]

        Raises
        ------
        UnfittedError
            Before ``fit``.
        InputError
            If X or a parameter cannot be used; the message says what to do.
        CalculationError
            If a calculator raises and ``on_error="raise"``.
        """
        check_fitted(self, fitted=hasattr(self, "channels_"))
        cases = self._read(X, reset=False)
        if self._channels_of(cases) != self.channels_:
            raise ArgumentError(
                f"X has the channels {self._channels_of(cases)}, but fit saw {self.channels_}: "
                "give the same, in the same order"
            )
        return self._rows(cases, times)

    def fit_transform(self, X: Any, y: Any = None, times: Any = None) -> Any:  # noqa: ARG002
        """As ``fit`` and then ``transform``."""
        return self.fit(X).transform(X, times=times)

    def get_feature_names_out(
        self,
        input_features: Iterable[str] | None = None,  # noqa: ARG002
    ) -> npt.NDArray[np.object_]:
        """The columns ``kind__calculator__param_value`` that ``transform`` returns."""
        check_fitted(self, fitted=hasattr(self, "channels_"))
        return np.array(self._settings().columns(self.channels_), dtype=object)

    def _fit(self, given: Any) -> None:
        if self.on_nan not in ON_NAN:
            raise ArgumentError(
                f"on_nan={self.on_nan!r} is not allowed; choose one of {', '.join(ON_NAN)}: each "
                "row of X has a row in the result"
            )
        cases = self._read(given, reset=True)
        channels = self._channels_of(cases)
        self._settings().columns(channels)
        if self.on_nan == "raise":
            _check_finite(cases)
        self.channels_ = channels

    def _settings(self) -> Settings:
        return Settings.from_any(self.settings)

    def _read(self, given: Any, *, reset: bool) -> CaseCollection:
        cases = read_collection(given)
        if isinstance(given, pd.DataFrame) and cases.timepoints is not None:
            validate_data(self, given, reset=reset, skip_check_array=True)
        elif reset and cases.timepoints is not None:
            self.n_features_in_ = cases.timepoints
        return cases

    def _channels_of(self, cases: CaseCollection) -> tuple[str, ...]:
        if self.kinds is not None:
            return tuple(map(str, self.kinds))
        if cases.channels is not None:
            return cases.channels
        if np.ndim(cases.series[0]) == 1:
            return ("x",)
        return tuple(f"channel_{number}" for number in range(len(cases.series[0])))

    def _rows(self, cases: CaseCollection, times: Any) -> Floats:
        moments = cases.times if times is None else times

        def calculate(places: Sequence[int]) -> Floats:
            matrix = extract_arrays(
                _taken(cases.series, places),
                self._settings(),
                kinds=self.channels_,
                times=None if moments is None else [moments[place] for place in places],
                n_jobs=self.n_jobs,
                on_nan=self.on_nan,
                on_error=self.on_error,
            )
            return np.asarray(matrix)

        folder = memory_of(self.memory).location
        if folder is None:
            return calculate(range(len(cases)))
        about = [identity_of(self._settings()), self.channels_, self.on_nan, self.on_error]
        digests = digests_of(cases.series, moments, json.dumps(about))
        width = len(self._settings().columns(self.channels_))
        return rows_kept(folder, digests, width, calculate)


def _taken(series: Any, places: Sequence[int]) -> Any:
    """The series at some places; all of them are not copied."""
    if len(places) == len(series):
        return series
    if isinstance(series, np.ndarray):
        return series[places]
    return [series[place] for place in places]


def _check_finite(cases: CaseCollection) -> None:
    for place, case in enumerate(cases.series):
        if not np.isfinite(case).all():
            raise DataError(
                f'case {place} of X holds NaN or infinite values, and on_nan="raise": give '
                'on_nan="omit" to calculate without them'
            )
