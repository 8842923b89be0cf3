"""Features of a container of time series, added to the rows of X."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import _check_feature_names

from tidemill.errors import ArgumentError
from tidemill.sklearn.containers import ContainerMixin, check_container
from tidemill.sklearn.extraction import (
    ROLES,
    feature_columns,
    features_of_ids,
    joined,
    settings_for,
)
from tidemill.sources.frames.containers import Container

__all__ = ["FeatureAugmenter", "check_rows"]


class FeatureAugmenter(ContainerMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Add all features of a container of time series to the rows of X.

    The parameters, their order and their meaning are those of tsfresh's estimator of this name.
    The index of X holds the ids: each row gets the features of the series with its id.

    Parameters
    ----------
    default_fc_parameters, kind_to_fc_parameters, column_id, column_sort, column_kind, column_value
        As in `tidemill.extract_features`.
    timeseries_container : DataFrame or mapping of kind to DataFrame, optional
        The time series; also by :meth:`set_timeseries_container`, or as metadata of ``transform``.
    chunksize, n_jobs, show_warnings, disable_progressbar
        As in `tidemill.extract_features`.
    impute_function : callable, optional
        Called with the features, which it changes in place or replaces by returning others.
    profile, profiling_filename, profiling_sorting
        As in `tidemill.extract_features`.
    on_nan, on_duplicate, on_error
        Policies, as in `tidemill.extract_features`.
    distributor : object with ``map_reduce``, optional
        As in `tidemill.extract_features`; clones share it.
    memory : path or joblib.Memory, optional
        Where the features of the whole container are kept. Clones of this estimator find them
        there, so a cross-validation calculates each series once; without it, each call calculates
        those of its rows.

    Examples
    --------
    >>> frame = pd.DataFrame({"id": [1, 1, 2, 2], "x": [1.0, 3.0, 5.0, 5.0]})
    >>> rows = pd.DataFrame({"age": [4, 7]}, index=[2, 1])
    >>> augmenter = FeatureAugmenter({"mean": None}, column_id="id", timeseries_container=frame)
    >>> augmenter.fit_transform(rows)
       age  x__mean
    2    4      5.0
    1    7      2.0
    """

    def __init__(
        self,
        default_fc_parameters: Any = None,
        kind_to_fc_parameters: Mapping[str, Any] | None = None,
        column_id: Any = None,
        column_sort: str | None = None,
        column_kind: str | None = None,
        column_value: Any = None,
        timeseries_container: Container | None = None,
        chunksize: int | None = None,
        n_jobs: int | None = None,
        show_warnings: bool = False,
        disable_progressbar: bool = False,
        impute_function: Callable[[pd.DataFrame], pd.DataFrame | None] | None = None,
        profile: bool = False,
        profiling_filename: str = "profile.txt",
        profiling_sorting: str = "cumulative",
        *,
        on_nan: str = "raise",
        on_duplicate: str = "raise",
        on_error: str = "raise",
        distributor: Any = None,
        memory: Any = None,
    ) -> None:
        self.default_fc_parameters = default_fc_parameters
        self.kind_to_fc_parameters = kind_to_fc_parameters
        self.column_id = column_id
        self.column_sort = column_sort
        self.column_kind = column_kind
        self.column_value = column_value
        self.timeseries_container = timeseries_container
        self.chunksize = chunksize
        self.n_jobs = n_jobs
        self.show_warnings = show_warnings
        self.disable_progressbar = disable_progressbar
        self.impute_function = impute_function
        self.profile = profile
        self.profiling_filename = profiling_filename
        self.profiling_sorting = profiling_sorting
        self.on_nan = on_nan
        self.on_duplicate = on_duplicate
        self.on_error = on_error
        self.distributor = distributor
        self.memory = memory

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def fit(self, X: Any = None, y: Any = None) -> Self:  # noqa: ARG002
        """Do nothing but note the names of X's columns: there is nothing to learn."""
        if isinstance(X, pd.DataFrame):
            _check_feature_names(self, X, reset=True)
        return self

    def transform(
        self,
        X: pd.DataFrame,
        timeseries_container: Container | None = None,
    ) -> pd.DataFrame:
        """Add the features to the rows of X.

        Parameters
        ----------
        X : DataFrame (n, k)
            Its index holds the ids.
        timeseries_container : DataFrame or mapping of kind to DataFrame, optional
            Instead of the estimator's own; routed as metadata.

        Returns
        -------
        DataFrame (n, k + m)
            The columns of X, then the features, float64. An id without series has NaN, with a
            warning.

        Raises
        ------
        NoContainerError
            If there are no time series.
        NoSharedIdError
            If there are none of any row.
        InputError
            As `tidemill.extract_features`.
        """
        container = check_container(self.timeseries_container, timeseries_container)
        rows = check_rows(X)
        settings = settings_for(self, container)
        features = features_of_ids(self, container, settings, rows.index)
        if self.impute_function is not None:
            imputed = self.impute_function(features)
            features = features if imputed is None else imputed
        return joined(rows, features)

    def fit_transform(
        self,
        X: pd.DataFrame,
        y: Any = None,  # noqa: ARG002
        timeseries_container: Container | None = None,
    ) -> pd.DataFrame:
        """As ``fit`` and then ``transform``."""
        return self.fit(X).transform(X, timeseries_container)

    def get_feature_names_out(
        self, input_features: Iterable[str] | None = None
    ) -> npt.NDArray[np.object_]:
        """The columns that ``transform`` returns.

        Parameters
        ----------
        input_features : sequence of names, optional
            The columns of X; default: those that ``fit`` saw.

        Raises
        ------
        NoContainerError
            If there are no time series: the kinds are in them.
        """
        container = check_container(self.timeseries_container, None)
        own = getattr(self, "feature_names_in_", []) if input_features is None else input_features
        roles = {name: getattr(self, name) for name in ROLES}
        columns = feature_columns(settings_for(self, container), container, roles)
        return np.array([*own, *columns], dtype=object)


def check_rows(rows: object) -> pd.DataFrame:
    """Refuse an X whose rows do not say to which id they belong.

    Raises
    ------
    ArgumentError
        If it is no frame.
    """
    if not isinstance(rows, pd.DataFrame):
        raise ArgumentError(
            f"X is a {type(rows).__name__}, but must be a pandas DataFrame whose index holds the "
            "ids of the time series; it needs no columns: pd.DataFrame(index=ids)"
        )
    return rows
