"""The features of the rows of X, from a container of time series beside it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from tidemill.calculators.settings import Settings
from tidemill.errors import ArgumentError, shorten
from tidemill.frames.arguments import read_settings
from tidemill.frames.extract_features import extract_features
from tidemill.selection.containers import rows_of_ids
from tidemill.sklearn.containers import kinds_in
from tidemill.sklearn.row_store import identity_of, memory_of
from tidemill.sources.frames.containers import Container, has_time_index

__all__ = [
    "ROLES",
    "feature_columns",
    "features_of_ids",
    "for_kinds",
    "is_kept",
    "joined",
    "settings_for",
]

#: Parameters of the estimators that say where things are in the container, what is done with
#: values that break a policy, and how the work is done (which changes no value).
ROLES = ("column_id", "column_sort", "column_kind", "column_value")
POLICIES = ("on_nan", "on_duplicate", "on_error")
WORKING = (
    "chunksize", "n_jobs", "show_warnings", "disable_progressbar", "profile",
    "profiling_filename", "profiling_sorting", "distributor",
)  # fmt: skip


def settings_for(estimator: Any, container: Container) -> Settings:
    """The estimator's settings, for the container that is used.

    Raises
    ------
    SettingsError
        If a calculator or parameter does not exist, or nothing is selected.
    """
    return read_settings(
        estimator.default_fc_parameters,
        estimator.kind_to_fc_parameters,
        timed=has_time_index(container),
    )


def for_kinds(settings: Settings, kinds: Iterable[str]) -> Settings:
    """Settings without those of kinds that there are not."""
    present = set(kinds)
    own = {kind: features for kind, features in settings.kinds.items() if kind in present}
    return Settings(settings.default, own)


def feature_columns(
    settings: Settings, container: Container, roles: Mapping[str, Any]
) -> list[str]:
    """The columns of these settings for the kinds of a container, in order."""
    kinds = kinds_in(container, roles)
    return list(for_kinds(settings, kinds).columns(kinds))


def features_of_ids(
    estimator: Any, container: Container, settings: Settings, ids: pd.Index
) -> pd.DataFrame:
    """The features of some ids: a row for each that has a series, ascending.

    Parameters
    ----------
    estimator
        Its parameters name columns, policies, and ways of working.
    container : DataFrame or mapping of kind to DataFrame
        The time series; those of other ids are left alone, unless there is a ``memory``.
    settings : Settings
        Of kinds that the container has.
    ids : Index
        The index of X.

    Raises
    ------
    NoSharedIdError
        If the container has a series of none of them.
    InputError
        As `tidemill.extract_features`.
    """
    chosen = rows_of_ids(container, estimator.column_id, ids, "timeseries_container")
    keeper, about, working = _call(estimator, settings)
    if keeper is None:
        frame = _calculated(chosen, about, working)
    else:
        frame = keeper(container, about, working)
        frame = frame[frame.index.isin(ids)]
    _tell_of_ids_without_series(frame, ids)
    columns = feature_columns(settings, container, about)
    return frame if len(frame.columns) == len(columns) else frame.reindex(columns=columns)


def is_kept(estimator: Any, container: Container, settings: Settings) -> bool:
    """Whether the estimator's ``memory`` holds these features of a container."""
    keeper, about, working = _call(estimator, settings)
    return keeper is not None and bool(keeper.check_call_in_cache(container, about, working))


def _call(estimator: Any, settings: Settings) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """Who keeps what is calculated, or None, and the arguments besides the container."""
    parameters = estimator.get_params(deep=False)
    about = {name: parameters[name] for name in (*ROLES, *POLICIES)}
    working = {name: parameters[name] for name in WORKING}
    about["settings"] = settings.canonical()
    memory = memory_of(parameters["memory"])
    if memory.location is None:
        return None, about, working
    about["identity"] = identity_of(settings)
    return memory.cache(_calculated, ignore=["working"]), about, working


def _calculated(
    container: Container, about: Mapping[str, Any], working: Mapping[str, Any]
) -> pd.DataFrame:
    arguments = {name: about[name] for name in (*ROLES, *POLICIES)}
    served = for_kinds(Settings.from_any(about["settings"]), kinds_in(container, about))
    frame = extract_features(container, served, **arguments, **working)
    assert isinstance(frame, pd.DataFrame)
    return frame


def _tell_of_ids_without_series(features: pd.DataFrame, ids: pd.Index) -> None:
    absent = int((~ids.isin(features.index)).sum())
    if absent:
        warnings.warn(
            f"{absent:,} of {len(ids):,} rows of X have no time series: their features are NaN",
            UserWarning,
            stacklevel=4,
        )


def joined(rows: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """The columns of X, and beside them the features of each row's id.

    Raises
    ------
    ArgumentError
        If X has a column of a feature's name.

    Examples
    --------
    >>> rows = pd.DataFrame({"age": [4, 5]}, index=[2, 2])
    >>> joined(rows, pd.DataFrame({"x__mean": [7.0, 8.0]}, index=[1, 2]))
       age  x__mean
    2    4      8.0
    2    5      8.0
    """
    twice = [name for name in features.columns if name in rows.columns]
    if twice:
        raise ArgumentError(
            f"X has the columns {shorten(map(repr, twice))} already, which are calculated here: "
            "drop or rename them"
        )
    return pd.concat([rows, features.reindex(rows.index).set_axis(rows.index)], axis="columns")
