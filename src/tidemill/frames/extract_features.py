"""The Python door: pandas in, pandas out, without Prefect and without Dask."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidemill.errors import ArgumentError
from tidemill.frames.arguments import (
    count_threads,
    features_of,
    needs_times,
    read_settings,
    warn_of_long_series,
)
from tidemill.frames.calculate import calculate_batch
from tidemill.model.policies import Policies

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["extract_features"]


def extract_features(
    timeseries_container: pd.DataFrame | Mapping[str, pd.DataFrame],
    default_fc_parameters: Any = None,
    kind_to_fc_parameters: Mapping[str, Any] | None = None,
    column_id: str | list[str] | None = None,
    column_sort: str | None = None,
    column_kind: str | None = None,
    column_value: str | list[str] | None = None,
    chunksize: int | None = None,
    n_jobs: int | None = None,
    show_warnings: bool = False,
    disable_progressbar: bool = False,
    impute_function: Callable[[pd.DataFrame], pd.DataFrame | None] | None = None,
    profile: bool = False,
    profiling_filename: str = "profile.txt",
    profiling_sorting: str = "cumulative",
    distributor: None = None,
    pivot: bool = True,
    *,
    on_nan: str = "raise",
    on_duplicate: str = "raise",
    on_error: str = "raise",
) -> pd.DataFrame | list[tuple[Any, str, float]]:
    """Calculate the feature matrix of the series in pandas frames.

    The parameters, their order and their meaning are tsfresh's.

    Parameters
    ----------
    timeseries_container : DataFrame or mapping of kind to DataFrame
        Wide (a column per kind), long (``column_kind`` and ``column_value``), or a frame per kind.
    default_fc_parameters : settings, optional
        A preset's name, settings, or the path of a settings file; default: comprehensive. With a
        DatetimeIndex, presets include the calculators of timestamps; without one, they are dropped
        from tsfresh's own settings objects.
    kind_to_fc_parameters : mapping of kind to settings, optional
        Settings for individual kinds. If only these are given, other kinds get no features.
    column_id, column_sort, column_kind, column_value : str, optional
        Roles of the columns. Without ``column_sort``, rows keep their order. A list in
        ``column_id`` names several columns that together form the id; each is an index level. A
        list in ``column_value`` names the kinds of the wide format. Levels of the index count as
        columns.
    chunksize : int, optional
        Ids that a thread takes at a time; by default enough for 65,536 values or more.
    n_jobs : int, optional
        Threads; default: all cores. 0 and 1 both mean the calling thread alone.
    show_warnings : bool
        Show warnings that custom calculators raise. Always shown are QuadraticWarning, about
        series that are too long for a calculator, and TextOrderWarning, about rows that are
        sorted by text.
    disable_progressbar : bool
        Show no progress bar. (There is none anyway if standard error is not a terminal.)
    impute_function : callable, optional
        Called with the matrix, which it changes in place or replaces by returning another.
    profile, profiling_filename, profiling_sorting
        Write a profile of the calling thread to a file.
    distributor : None
        Not supported: for a cluster, call the flow ``tidemill.flows.extract.extract``.
    pivot : bool
        False: return a list of ``(id, column, value)`` instead of the matrix.
    on_nan : "raise", "omit" or "quarantine"
        What to do with NaN and infinite values.
    on_duplicate : "raise", "first", "last" or "mean"
        What to do with rows that share id, kind and sort value.
    on_error : "raise" or "nan"
        What to do if a calculator raises.

    Returns
    -------
    DataFrame
        One row per id, ascending; columns ``kind__calculator__param_value``, float64.

    Raises
    ------
    InputError
        If arguments, settings or data cannot be used; the message says what to do.
    CalculationError
        If a calculator raises and ``on_error="raise"``.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"id": [1, 1, 2, 2], "x": [1.0, 3.0, 5.0, 5.0]})
    >>> extract_features(frame, "minimal", column_id="id")[["x__mean", "x__variance"]]
       x__mean  x__variance
    1      2.0          1.0
    2      5.0          0.0
    """
    from tidemill.sources.frames.containers import has_time_index, read_frame, to_frame
    from tidemill.sources.frames.ids import id_dtype

    if distributor is not None:
        raise ArgumentError(
            f"distributor={type(distributor).__name__} is not supported; use n_jobs for threads, "
            "or the flow tidemill.flows.extract.extract with cluster=... for a cluster"
        )
    threads = count_threads(n_jobs)
    if chunksize is not None and chunksize < 1:
        raise ArgumentError(f"chunksize={chunksize} is not allowed; give 1 or more ids, or None")
    settings = read_settings(
        default_fc_parameters, kind_to_fc_parameters, timed=has_time_index(timeseries_container)
    )
    policies = Policies(on_nan, on_duplicate, on_error)  # type: ignore[arg-type]
    with _profiled(profile, profiling_filename, profiling_sorting):
        batch = read_frame(
            timeseries_container, column_id=column_id, column_sort=column_sort,
            column_kind=column_kind, column_value=column_value, policies=policies,
            needs_times=needs_times(settings),
        )  # fmt: skip
        features = features_of(settings, batch)
        warn_of_long_series(batch, features)
        with _warnings(show_warnings):
            columns, matrix = calculate_batch(
                batch,
                features,
                policies.on_error,
                threads,
                chunksize,
                show_progress=not disable_progressbar,
            )
            frame = to_frame(
                batch.ids, columns, matrix, dtype=id_dtype(timeseries_container, column_id)
            )
    if impute_function is not None:
        imputed = impute_function(frame)
        frame = frame if imputed is None else imputed
    return frame if pivot else _triples(frame)


def _triples(frame: pd.DataFrame) -> list[tuple[Any, str, float]]:
    return [
        (row_id, column, value)
        for column in frame.columns
        for row_id, value in frame[column].items()
    ]


@contextlib.contextmanager
def _profiled(active: bool, filename: str, sorting: str) -> Iterator[None]:
    if not active:
        yield
        return
    import cProfile
    import pstats

    with cProfile.Profile() as profiler:
        yield
    with Path(filename).open("w", encoding="utf-8") as sink:
        pstats.Stats(profiler, stream=sink).sort_stats(sorting).print_stats()


@contextlib.contextmanager
def _warnings(show: bool) -> Iterator[None]:
    with warnings.catch_warnings():
        if not show:
            warnings.simplefilter("ignore")
        yield
