"""Cells that are not finite, filled with numbers of their column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import validate_data

from tidemill.errors import ArgumentError, shorten
from tidemill.selection import get_range_values_per_column, impute_dataframe_range
from tidemill.sklearn.fitted import check_fitted

__all__ = ["PerColumnImputer"]

#: The parameters: what each replaces.
PRESETS = ("col_to_NINF_repl_preset", "col_to_PINF_repl_preset", "col_to_NAN_repl_preset")


class PerColumnImputer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Replace NaN by the median of its column, and infinite values by its extremes.

    The numbers are those of the rows that ``fit`` saw. A column of which no cell is finite becomes
    0, with a warning. As tsfresh's estimator of this name.

    Parameters
    ----------
    col_to_NINF_repl_preset, col_to_PINF_repl_preset, col_to_NAN_repl_preset : mapping, optional
        Column to what replaces minus infinity, infinity, and NaN, instead of minimum, maximum and
        median. Columns that are not named keep those.

    Attributes
    ----------
    col_to_NINF_repl_, col_to_PINF_repl_, col_to_NAN_repl_ : dict
        What replaces a cell of each column.

    Examples
    --------
    >>> frame = pd.DataFrame({"x": [1.0, float("nan"), 3.0, float("inf")]})
    >>> PerColumnImputer().fit_transform(frame)["x"].tolist()
    [1.0, 2.0, 3.0, 3.0]
    """

    def __init__(
        self,
        col_to_NINF_repl_preset: Mapping[Any, float] | None = None,
        col_to_PINF_repl_preset: Mapping[Any, float] | None = None,
        col_to_NAN_repl_preset: Mapping[Any, float] | None = None,
    ) -> None:
        self.col_to_NINF_repl_preset = col_to_NINF_repl_preset
        self.col_to_PINF_repl_preset = col_to_PINF_repl_preset
        self.col_to_NAN_repl_preset = col_to_NAN_repl_preset

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002
        """Take minimum, maximum and median of each column's finite cells.

        Parameters
        ----------
        X : DataFrame or array (n, k)
            Numbers.
        y
            Not looked at.

        Raises
        ------
        ArgumentError
            If a preset names a column that X does not have.
        """
        frame = self._frame(X, reset=True)
        highest, lowest, median = get_range_values_per_column(frame)
        for name, values in zip(PRESETS, (lowest, highest, median), strict=True):
            preset = getattr(self, name) or {}
            unknown = [column for column in preset if column not in frame.columns]
            if unknown:
                raise ArgumentError(
                    f"{name} names the columns {shorten(map(repr, unknown))}, which X does not "
                    f"have; it has {shorten(map(repr, frame.columns))}"
                )
            values.update(preset)
        self.col_to_NINF_repl_, self.col_to_PINF_repl_ = lowest, highest
        self.col_to_NAN_repl_ = median
        return self

    def transform(self, X: Any) -> pd.DataFrame:
        """Replace the cells that are not finite.

        Parameters
        ----------
        X : DataFrame or array (n, k)
            With the columns that ``fit`` saw. It stays as it is.

        Returns
        -------
        DataFrame (n, k)

        Raises
        ------
        UnfittedError
            Before ``fit``.
        """
        check_fitted(self, fitted=hasattr(self, "col_to_NAN_repl_"))
        frame = self._frame(X, reset=False).copy()
        return impute_dataframe_range(
            frame, self.col_to_PINF_repl_, self.col_to_NINF_repl_, self.col_to_NAN_repl_
        )

    def _frame(self, given: Any, *, reset: bool) -> pd.DataFrame:
        if isinstance(given, pd.DataFrame):
            validate_data(self, given, reset=reset, skip_check_array=True)
            return given
        return pd.DataFrame(
            validate_data(self, given, reset=reset, ensure_all_finite=False, dtype="numeric")
        )
