"""From series straight to the features of them that are relevant for a target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from tidemill.errors import SelectionError, shorten
from tidemill.frames.extract_features import extract_features
from tidemill.selection.containers import get_ids, restrict_input_to_index
from tidemill.selection.impute import impute
from tidemill.selection.select import select_features

__all__ = ["extract_relevant_features"]


def extract_relevant_features(
    timeseries_container: pd.DataFrame | Mapping[str, pd.DataFrame],
    y: pd.Series[Any],
    X: pd.DataFrame | None = None,
    default_fc_parameters: Any = None,
    kind_to_fc_parameters: Mapping[str, Any] | None = None,
    column_id: str | None = None,
    column_sort: str | None = None,
    column_kind: str | None = None,
    column_value: str | None = None,
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
    n_jobs: int | None = None,
    distributor: None = None,
    chunksize: int | None = None,
    ml_task: str = "auto",
) -> pd.DataFrame:
    """Calculate features, impute them, and keep those that are relevant for a target.

    The parameters, their order and the result are tsfresh's.

    Parameters
    ----------
    timeseries_container, default_fc_parameters, kind_to_fc_parameters, column_id, column_sort
    column_kind, column_value, disable_progressbar, profile, profiling_filename
    profiling_sorting, distributor
        As in :func:`tidemill.extract_features`.
    y : Series
        The target, with the ids as index.
    X : DataFrame, optional
        Features that are there already, with ids as index: all its columns are kept, relevant ones
        are added. Only series of its ids are used.
    test_for_binary_target_binary_feature, test_for_binary_target_real_feature
    test_for_real_target_binary_feature, test_for_real_target_real_feature
    fdr_level, hypotheses_independent, ml_task
        As in :func:`calculate_relevance_table`.
    show_warnings, n_jobs, chunksize
        As in both; ``chunksize`` counts ids in the former and columns in the latter.

    Returns
    -------
    DataFrame
        The columns of ``X``, then the relevant ones.

    Raises
    ------
    InputError
        If arguments, settings or data cannot be used; the message says what to do.
    CalculationError
        If a calculator raises.

    Examples
    --------
    >>> frame = pd.DataFrame({"id": [i for i in range(20) for _ in "ab"], "x": range(40)})
    >>> y = pd.Series([False] * 10 + [True] * 10)
    >>> list(extract_relevant_features(frame, y, column_id="id", kind_to_fc_parameters={
    ...     "x": {"maximum": None, "variance": None}}))
    ['x__maximum']
    """
    _check_target(y)
    if X is not None:
        if not isinstance(X, pd.DataFrame | pd.Series):
            raise SelectionError(
                f"X={X!r} is not allowed; give a DataFrame whose index holds the ids to use, and "
                "settings as default_fc_parameters=..."
            )
        timeseries_container = restrict_input_to_index(timeseries_container, column_id, X.index)
    _check_ids(get_ids(timeseries_container, column_id), y.index)
    matrix = extract_features(
        timeseries_container,
        default_fc_parameters=default_fc_parameters,
        kind_to_fc_parameters=kind_to_fc_parameters,
        column_id=column_id,
        column_sort=column_sort,
        column_kind=column_kind,
        column_value=column_value,
        chunksize=chunksize,
        n_jobs=n_jobs,
        show_warnings=show_warnings,
        disable_progressbar=disable_progressbar,
        impute_function=impute,
        profile=profile,
        profiling_filename=profiling_filename,
        profiling_sorting=profiling_sorting,
        distributor=distributor,
    )
    assert isinstance(matrix, pd.DataFrame)
    chosen = select_features(
        matrix,
        y,
        test_for_binary_target_binary_feature=test_for_binary_target_binary_feature,
        test_for_binary_target_real_feature=test_for_binary_target_real_feature,
        test_for_real_target_binary_feature=test_for_real_target_binary_feature,
        test_for_real_target_real_feature=test_for_real_target_real_feature,
        fdr_level=fdr_level,
        hypotheses_independent=hypotheses_independent,
        n_jobs=n_jobs,
        show_warnings=show_warnings,
        chunksize=chunksize,
        ml_task=ml_task,
    )
    return chosen if X is None else X.merge(chosen, left_index=True, right_index=True, how="left")


def _check_target(y: pd.Series[Any]) -> None:
    if not isinstance(y, pd.Series):
        raise SelectionError(f"y={type(y).__name__} is not supported; give a Series by id")
    if y.nunique(dropna=False) < 2:
        raise SelectionError("y has only one value, so there is nothing to predict: give two")


def _check_ids(own: set[Any], index: pd.Index[Any]) -> None:
    for more, only in (
        ("the series but not in the index of y", own - set(index)),
        ("the index of y but not in the series", set(index) - own),
    ):
        if only:
            raise SelectionError(f"ids that are in {more}: {shorten(only)}; give both the same ids")
