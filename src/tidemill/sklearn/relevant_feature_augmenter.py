"""The relevant features of a container of time series, added to the rows of X."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from tidemill.calculators.settings import Settings
from tidemill.errors import ArgumentError, shorten
from tidemill.selection import get_range_values_per_column, impute_dataframe_range
from tidemill.sklearn.containers import ContainerMixin, check_container, kinds_in
from tidemill.sklearn.extraction import (
    ROLES,
    features_of_ids,
    for_kinds,
    is_kept,
    joined,
    settings_for,
)
from tidemill.sklearn.feature_augmenter import FeatureAugmenter, check_rows
from tidemill.sklearn.feature_selector import FeatureSelector
from tidemill.sklearn.fitted import check_fitted
from tidemill.sources.frames.containers import Container

__all__ = ["RelevantFeatureAugmenter"]


class RelevantFeatureAugmenter(ContainerMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Add those features of a container of time series that are relevant for a target.

    ``fit`` calculates all features and tests which are relevant; ``transform`` calculates only
    those. The parameters, their order and their meaning are those of tsfresh's estimator of this
    name.

    Parameters
    ----------
    filter_only_tsfresh_features : bool
        False: columns of X that are not relevant are dropped too.
    default_fc_parameters, kind_to_fc_parameters, column_id, column_sort, column_kind, column_value
        As in `tidemill.extract_features`.
    timeseries_container : DataFrame or mapping of kind to DataFrame, optional
        The time series; also by :meth:`set_timeseries_container`, or as metadata of ``fit`` and
        ``transform``.
    chunksize, n_jobs, show_warnings, disable_progressbar, profile, profiling_filename, \
profiling_sorting
        As in `tidemill.extract_features`.
    test_for_binary_target_binary_feature, test_for_binary_target_real_feature, \
test_for_real_target_binary_feature, test_for_real_target_real_feature, fdr_level, \
hypotheses_independent, ml_task, multiclass, n_significant, multiclass_p_values
        As in :class:`FeatureSelector`.
    on_nan, on_duplicate, on_error
        Policies, as in `tidemill.extract_features`.
    distributor : object with ``map_reduce``, optional
        As in :class:`FeatureAugmenter`.
    memory : path or joblib.Memory, optional
        As in :class:`FeatureAugmenter`; ``transform`` takes from it what a ``fit`` left there.

    Attributes
    ----------
    feature_extractor : FeatureAugmenter
        That calculates features.
    feature_selector : FeatureSelector
        Which columns are relevant: ``feature_selector.relevant_features``.
    col_to_max, col_to_min, col_to_median : dict
        What replaces cells that are not finite, of each column.

    Examples
    --------
    >>> frame = pd.DataFrame({"id": np.repeat(np.arange(40), 2), "x": np.arange(80) % 4})
    >>> frame.loc[frame["id"] < 20, "x"] += 10
    >>> rows, y = pd.DataFrame(index=range(40)), pd.Series([1] * 20 + [0] * 20)
    >>> augmenter = RelevantFeatureAugmenter(
    ...     default_fc_parameters={"mean": None, "length": None}, column_id="id"
    ... )
    >>> augmenter.set_timeseries_container(frame)
    >>> augmenter.fit_transform(rows, y).columns.tolist()
    ['x__mean']
    """

    feature_extractor: FeatureAugmenter | None = None
    feature_selector: FeatureSelector | None = None

    def __init__(
        self,
        filter_only_tsfresh_features: bool = True,
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
        profile: bool = False,
        profiling_filename: str = "profile.txt",
        profiling_sorting: str = "cumulative",
        test_for_binary_target_binary_feature: str = "fisher",
        test_for_binary_target_real_feature: str = "mann",
        test_for_real_target_binary_feature: str = "mann",
        test_for_real_target_real_feature: str = "kendall",
        fdr_level: float = 0.05,
        hypotheses_independent: bool = False,
        ml_task: str = "auto",
        multiclass: bool = False,
        n_significant: int = 1,
        multiclass_p_values: str = "min",
        *,
        on_nan: str = "raise",
        on_duplicate: str = "raise",
        on_error: str = "raise",
        distributor: Any = None,
        memory: Any = None,
    ) -> None:
        self.filter_only_tsfresh_features = filter_only_tsfresh_features
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
        self.profile = profile
        self.profiling_filename = profiling_filename
        self.profiling_sorting = profiling_sorting
        self.test_for_binary_target_binary_feature = test_for_binary_target_binary_feature
        self.test_for_binary_target_real_feature = test_for_binary_target_real_feature
        self.test_for_real_target_binary_feature = test_for_real_target_binary_feature
        self.test_for_real_target_real_feature = test_for_real_target_real_feature
        self.fdr_level = fdr_level
        self.hypotheses_independent = hypotheses_independent
        self.ml_task = ml_task
        self.multiclass = multiclass
        self.n_significant = n_significant
        self.multiclass_p_values = multiclass_p_values
        self.on_nan = on_nan
        self.on_duplicate = on_duplicate
        self.on_error = on_error
        self.distributor = distributor
        self.memory = memory

    def __sklearn_is_fitted__(self) -> bool:
        return self.feature_selector is not None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    def fit(
        self,
        X: pd.DataFrame,
        y: Any,
        timeseries_container: Container | None = None,
    ) -> Self:
        """Calculate all features, and find the relevant ones.

        Parameters
        ----------
        X : DataFrame (n, k)
            Its index holds the ids.
        y : Series or array (n,)
            The target.
        timeseries_container : DataFrame or mapping of kind to DataFrame, optional
            Instead of the estimator's own; routed as metadata.

        Raises
        ------
        NoContainerError
            If there are no time series.
        NoSharedIdError
            If there are none of any row.
        InputError
            As `tidemill.extract_features` and :class:`FeatureSelector`.
        """
        self._fit(X, y, timeseries_container)
        return self

    def transform(
        self,
        X: pd.DataFrame,
        timeseries_container: Container | None = None,
    ) -> pd.DataFrame:
        """Calculate the relevant features of the rows of X, and add them.

        Parameters
        ----------
        X : DataFrame (n, k)
            Its index holds the ids.
        timeseries_container : DataFrame or mapping of kind to DataFrame, optional
            Instead of the estimator's own; routed as metadata.

        Returns
        -------
        DataFrame (n, m + k)
            The relevant features, then the columns of X; if ``filter_only_tsfresh_features`` is
            False, the relevant columns. Cells that are not finite are replaced by numbers of
            ``fit``.

        Raises
        ------
        NoContainerError
            If there are no time series.
        UnfittedError
            Before ``fit``.
        """
        container = check_container(self.timeseries_container, timeseries_container)
        check_fitted(self, fitted=self.feature_selector is not None)
        rows = check_rows(X)
        names = [name for name in self._relevant() if name not in rows.columns]
        absent = [name for name in names if name in self.feature_names_in_]
        if absent:
            raise ArgumentError(
                f"X lacks the columns {shorten(map(repr, absent))}, which are relevant: give all "
                "that fit saw"
            )
        features = self._calculated(names, container, rows.index)
        return self._output(self._imputed(joined(rows, features)), rows)

    def fit_transform(
        self,
        X: pd.DataFrame,
        y: Any = None,
        timeseries_container: Container | None = None,
    ) -> pd.DataFrame:
        """As ``fit`` and then ``transform``, but features are calculated once."""
        return self._output(self._fit(X, y, timeseries_container), X)

    def get_feature_names_out(
        self,
        input_features: Iterable[str] | None = None,  # noqa: ARG002
    ) -> npt.NDArray[np.object_]:
        """The columns that ``transform`` returns for the X that ``fit`` saw."""
        check_fitted(self, fitted=self.feature_selector is not None)
        own: Iterable[Any] = self.feature_names_in_ if self.filter_only_tsfresh_features else []
        return np.array([*self._relevant(), *own], dtype=object)

    def _relevant(self) -> list[str]:
        assert self.feature_selector is not None
        return list(self.feature_selector.relevant_features or ())

    def _fit(self, rows: object, target: Any, routed: Container | None) -> pd.DataFrame:
        container = check_container(self.timeseries_container, routed)
        frame = check_rows(rows)
        self.feature_names_in_ = frame.columns.to_numpy(dtype=object)
        extractor, selector = (one(**self._parameters_of(one)) for one in _PARTS)
        settings = settings_for(self, container)
        features = features_of_ids(extractor, container, settings, frame.index)
        beside = frame[[]] if self.filter_only_tsfresh_features else frame
        augmented = joined(beside, features)
        ranges = get_range_values_per_column(augmented)
        self.col_to_max, self.col_to_min, self.col_to_median = ranges
        augmented = self._imputed(augmented)
        selector.fit(augmented, target)
        self.feature_extractor, self.feature_selector = extractor, selector
        return augmented

    def _parameters_of(self, part: type[BaseEstimator]) -> dict[str, Any]:
        own = self.get_params(deep=False)
        return {name: own[name] for name in part._get_param_names() if name in own}  # noqa: SLF001

    def _calculated(self, names: list[str], container: Container, ids: pd.Index) -> pd.DataFrame:
        """These features of some ids; NaN where the container lacks a kind."""
        if not names:
            return pd.DataFrame(index=ids.unique())
        every = settings_for(self, container)
        kept = is_kept(self.feature_extractor, container, every)
        roles = {name: getattr(self, name) for name in ROLES}
        relevant = for_kinds(Settings.from_columns(names), kinds_in(container, roles))
        settings = every if kept else relevant
        if not any(settings.kinds.values()) and not settings.default:
            return pd.DataFrame(np.nan, index=ids.unique(), columns=names)
        features = features_of_ids(self.feature_extractor, container, settings, ids)
        return features.reindex(columns=names)

    def _imputed(self, frame: pd.DataFrame) -> pd.DataFrame:
        """A copy of a frame, without cells that are not finite in the columns that ``fit`` saw."""
        seen = [name for name in frame.columns if name in self.col_to_max]
        if not seen or not len(frame):
            return frame
        filled = impute_dataframe_range(
            frame[seen].copy(), self.col_to_max, self.col_to_min, self.col_to_median
        )
        return pd.concat([filled, frame.drop(columns=seen)], axis="columns")[frame.columns]

    def _output(self, augmented: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
        relevant = self._relevant()
        if not self.filter_only_tsfresh_features:
            return augmented[relevant].copy()
        others = [one for one in rows if one not in relevant]
        return pd.concat([augmented[relevant], rows[others]], axis="columns")


#: The estimators that this one is made of.
_PARTS = (FeatureAugmenter, FeatureSelector)
