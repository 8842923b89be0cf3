"""The columns of X that are relevant for a target."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import _check_feature_names_in, column_or_1d, validate_data

from tidemill.errors import ArgumentError
from tidemill.model.aliases import Floats
from tidemill.selection import calculate_relevance_table
from tidemill.sklearn.fitted import check_fitted

__all__ = ["FeatureSelector"]

#: How the p-values of several classes become one.
MULTICLASS_P_VALUES = ("all", "avg", "max", "min")


class FeatureSelector(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Keep the columns that are relevant for a target.

    Each column is tested against the target, and the Benjamini-Yekutieli procedure bounds the
    expected share of irrelevant ones among the chosen. As tsfresh's estimator of this name.

    Parameters
    ----------
    test_for_binary_target_binary_feature, test_for_real_target_binary_feature : str
        "fisher" and "mann": there is no other test.
    test_for_binary_target_real_feature : "mann" or "smir"
        Mann-Whitney U or Kolmogorov-Smirnov.
    test_for_real_target_real_feature : str
        "kendall": there is no other test.
    fdr_level : float
        The share of irrelevant features among the chosen that is expected at most.
    hypotheses_independent : bool
        Whether the features are independent: then the Benjamini-Hochberg procedure.
    n_jobs : int, optional
        Threads; default: all cores.
    chunksize : int, optional
        Columns that a thread takes at a time.
    ml_task : "auto", "classification" or "regression"
        What the target is for.
    multiclass : bool
        Test each class against all others; relevant is what is so for ``n_significant`` classes.
    n_significant : int
        See ``multiclass``.
    multiclass_p_values : "min", "max", "avg" or "all"
        How the p-values of the classes become one; "all": a column for each class.

    Attributes
    ----------
    relevance_table_ : DataFrame
        What `tidemill.selection.calculate_relevance_table` returned.

    Examples
    --------
    >>> y = pd.Series([0] * 20 + [1] * 20)
    >>> X = pd.DataFrame({"level": y + np.arange(40) % 3 / 10, "noise": np.arange(40) * 7 % 11})
    >>> FeatureSelector().fit(X, y).relevant_features
    ['level']
    """

    def __init__(
        self,
        test_for_binary_target_binary_feature: str = "fisher",
        test_for_binary_target_real_feature: str = "mann",
        test_for_real_target_binary_feature: str = "mann",
        test_for_real_target_real_feature: str = "kendall",
        fdr_level: float = 0.05,
        hypotheses_independent: bool = False,
        n_jobs: int | None = None,
        chunksize: int | None = None,
        ml_task: str = "auto",
        multiclass: bool = False,
        n_significant: int = 1,
        multiclass_p_values: str = "min",
    ) -> None:
        self.test_for_binary_target_binary_feature = test_for_binary_target_binary_feature
        self.test_for_binary_target_real_feature = test_for_binary_target_real_feature
        self.test_for_real_target_binary_feature = test_for_real_target_binary_feature
        self.test_for_real_target_real_feature = test_for_real_target_real_feature
        self.fdr_level = fdr_level
        self.hypotheses_independent = hypotheses_independent
        self.n_jobs = n_jobs
        self.chunksize = chunksize
        self.ml_task = ml_task
        self.multiclass = multiclass
        self.n_significant = n_significant
        self.multiclass_p_values = multiclass_p_values

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "relevance_table_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    def fit(self, X: Any, y: Any) -> Self:
        """Find the relevant columns.

        Parameters
        ----------
        X : DataFrame or array (n, k)
            Finite numbers.
        y : Series or array (n,)
            The target; by its index if both are pandas objects, else by position.

        Raises
        ------
        InputError
            If X or y cannot be used; the message says what to do.
        """
        frame, target = self._inputs(X, y)
        self.relevance_table_ = calculate_relevance_table(
            frame,
            target,
            ml_task=self.ml_task,
            multiclass=self.multiclass,
            n_significant=self.n_significant,
            n_jobs=self.n_jobs,
            chunksize=self.chunksize,
            fdr_level=self.fdr_level,
            hypotheses_independent=self.hypotheses_independent,
            test_for_binary_target_real_feature=self.test_for_binary_target_real_feature,
        )
        return self

    def transform(self, X: Any) -> Any:
        """Keep the relevant columns.

        Parameters
        ----------
        X : DataFrame or array (n, k)
            With the columns that ``fit`` saw. It stays as it is.

        Returns
        -------
        DataFrame or array (n, m)
            As X is; without columns if none is relevant.

        Raises
        ------
        UnfittedError
            Before ``fit``.
        """
        check_fitted(self, fitted=hasattr(self, "relevance_table_"))
        if isinstance(X, pd.DataFrame):
            validate_data(self, X, reset=False, skip_check_array=True)
            return X[self.relevant_features or []].copy()
        return validate_data(self, X, reset=False)[:, self._positions()]

    def get_feature_names_out(
        self, input_features: Iterable[str] | None = None
    ) -> npt.NDArray[np.object_]:
        """The columns that ``transform`` returns.

        Parameters
        ----------
        input_features : sequence of names, optional
            The columns of X; default: those that ``fit`` saw, or ``x0``, ``x1``, ... of an array.
        """
        check_fitted(self, fitted=hasattr(self, "relevance_table_"))
        names = _check_feature_names_in(self, input_features)
        return np.asarray(names, dtype=object)[self._positions()]

    @property
    def relevant_features(self) -> list[Any] | None:
        """Names (of arrays: positions) of the columns that are kept; None before ``fit``."""
        if not hasattr(self, "relevance_table_"):
            return None
        table = self.relevance_table_
        return table.loc[table["relevant"].astype(bool), "feature"].tolist()

    @property
    def features(self) -> list[Any] | None:
        """All columns, in the order of ``p_values``; None before ``fit``."""
        return self.relevance_table_.index.tolist() if hasattr(self, "relevance_table_") else None

    @property
    def p_values(self) -> Floats | pd.DataFrame | None:
        """Of each column, float64[k], or a DataFrame (k, classes); None before ``fit``."""
        if not hasattr(self, "relevance_table_"):
            return None
        table = self.relevance_table_
        if not self.multiclass:
            return table["p_value"].to_numpy(dtype=float)
        by_class = table[[name for name in table if str(name).startswith("p_value_")]]
        if self.multiclass_p_values == "all":
            return by_class
        reduce = "mean" if self.multiclass_p_values == "avg" else self.multiclass_p_values
        return by_class.agg(reduce, axis="columns").to_numpy(dtype=float)

    @property
    def feature_importances_(self) -> Floats | pd.DataFrame | None:
        """1 minus the p-value; of several classes, 1 minus its ``n_significant``-th power."""
        p_values = self.p_values
        if p_values is None:
            return None
        if isinstance(p_values, pd.DataFrame):
            names = [f"importance_{str(one).removeprefix('p_value_')}" for one in p_values]
            return (1.0 - p_values).set_axis(names, axis="columns")
        powers = self.relevance_table_["n_significant"].to_numpy() if self.multiclass else 1
        return 1.0 - p_values**powers

    def _positions(self) -> list[int]:
        relevant = self.relevant_features or []
        if not hasattr(self, "feature_names_in_"):
            return [int(one) for one in relevant]
        place = {name: position for position, name in enumerate(self.feature_names_in_)}
        return [place[name] for name in relevant]

    def _inputs(self, given: Any, target: Any) -> tuple[pd.DataFrame, pd.Series[Any]]:
        if self.multiclass_p_values not in MULTICLASS_P_VALUES:
            raise ArgumentError(
                f"multiclass_p_values={self.multiclass_p_values!r} is not allowed; choose one of "
                f"{', '.join(MULTICLASS_P_VALUES)}"
            )
        if target is None:
            raise ArgumentError(
                f"{type(self).__name__} requires y to be passed, but the target y is None: give "
                "what the features shall be relevant for"
            )
        if isinstance(given, pd.DataFrame):
            validate_data(self, given, skip_check_array=True)
            frame = given
        else:
            frame = pd.DataFrame(validate_data(self, given))
        if not isinstance(target, pd.Series):
            values = pd.Series(column_or_1d(target, warn=True))
        elif frame is given:
            return frame, target
        else:
            values = target
        if len(values) != len(frame):
            raise ArgumentError(
                f"y has {len(values):,} values, but X has {len(frame):,} rows: give one for each"
            )
        return frame, values.set_axis(frame.index)
