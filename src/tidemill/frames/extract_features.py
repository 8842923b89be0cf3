"""The Python door: pandas in, pandas out, without Prefect and without Dask."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidemill.errors import ArgumentError
from tidemill.frames.arguments import (
    calculator_warnings,
    count_threads,
    features_of,
    needs_times,
    read_settings,
    warn_of_long_series,
)
from tidemill.frames.calculate import calculate_batch
from tidemill.frames.dask_input import (
    check_arguments,
    extract_from_dask,
    holds_dask,
    is_lazy,
    refuse_dask_arguments,
)
from tidemill.frames.distribute import calculate_distributed, check_distributor
from tidemill.model.policies import Policies

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["extract_features"]


def extract_features(
    timeseries_container: Any,
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
    distributor: Any = None,
    pivot: bool = True,
    *,
    on_nan: str = "raise",
    on_duplicate: str = "raise",
    on_error: str = "raise",
    client: Any = None,
    lazy: bool = True,
    kinds: Iterable[Any] | None = None,
    aligned: bool = False,
) -> Any:
    """Calculate the feature matrix of the series in pandas frames, or in data of Dask.

    The parameters, their order and their meaning are tsfresh's.

    Parameters
    ----------
    timeseries_container : DataFrame or mapping of kind to DataFrame
        Wide (a column per kind), long (``column_kind`` and ``column_value``), or a frame per kind.
        The frames may be Dask's. A list of futures of frames, or of delayed frames, or a Dask Bag
        of ``(id, kind, frame)`` is taken as well; all are calculated where they are.
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
    distributor : object with ``map_reduce``, optional
        A distributor of tsfresh's, ``tidemill.bridges.tsfresh.PrefectDistributor`` or one of your
        own: the same matrix is calculated by its workers, ``chunksize`` ids at a time, and it is
        closed afterwards. ``n_jobs`` has no effect then. Its progress bar is its own.
    pivot : bool
        False: return a list of ``(id, column, value)`` instead of the matrix.
    on_nan : "raise", "omit" or "quarantine"
        What to do with NaN and infinite values.
    on_duplicate : "raise", "keep", "first", "last" or "mean"
        What to do with rows that share id, kind and sort value.
    on_error : "raise" or "nan"
        What to do if a calculator raises.
    client : distributed.Client, optional
        Data of Dask only: the cluster that holds them; default: the current client, if any.
    lazy : bool
        Data of Dask only: False computes the matrix. A list of futures or of delayed frames is
        always computed.
    kinds : list, optional
        Long Dask DataFrames and Bags only: all kinds. Without it, a column that is not categorical
        with known categories is read once for them, which is the one thing that is computed early.
    aligned : bool
        Data of Dask only: no id lies in two partitions, so none are shuffled. Computing the matrix
        fails if one does.

    Returns
    -------
    DataFrame
        One row per id, ascending; columns ``kind__calculator__param_value``, float64. A lazy Dask
        DataFrame for one, a dict of them and a Bag: there ids ascend within each partition, and
        throughout if the id is the index and the divisions are known.

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
    from tidemill.sources.frames.tuple_ids import split_tuple_ids

    if holds_dask(timeseries_container):
        lazy = is_lazy(timeseries_container, lazy=lazy)
        check_arguments(
            lazy=lazy, n_jobs=n_jobs, chunksize=chunksize, distributor=distributor,
            profile=profile, impute_function=impute_function, pivot=pivot,
        )  # fmt: skip
        arguments = {
            "settings": default_fc_parameters, "by_kind": kind_to_fc_parameters,
            "column_id": column_id, "column_sort": column_sort,
            "column_kind": column_kind, "column_value": column_value,
            "policies": Policies(on_nan, on_duplicate, on_error),  # type: ignore[arg-type]
            "show_warnings": show_warnings, "client": client, "lazy": lazy, "kinds": kinds,
            "aligned": aligned,
        }  # fmt: skip
        return _finished(
            extract_from_dask(timeseries_container, arguments), impute_function, pivot=pivot
        )
    refuse_dask_arguments(client=client, kinds=kinds, aligned=aligned)
    check_distributor(distributor)
    threads = count_threads(n_jobs)
    if chunksize is not None and chunksize < 1:
        raise ArgumentError(f"chunksize={chunksize} is not allowed; give 1 or more ids, or None")
    settings = read_settings(
        default_fc_parameters, kind_to_fc_parameters, timed=has_time_index(timeseries_container)
    )
    policies = Policies(on_nan, on_duplicate, on_error)  # type: ignore[arg-type]
    given_id = column_id
    timeseries_container, column_id = split_tuple_ids(timeseries_container, column_id)
    with _profiled(profile, profiling_filename, profiling_sorting):
        batch = read_frame(
            timeseries_container, column_id=column_id, column_sort=column_sort,
            column_kind=column_kind, column_value=column_value, policies=policies,
            needs_times=needs_times(settings),
        )  # fmt: skip
        features = features_of(settings, batch)
        warn_of_long_series(batch, features)
        shown = not disable_progressbar
        with calculator_warnings(show=show_warnings):
            if distributor is None:
                columns, matrix = calculate_batch(
                    batch, features, policies.on_error, threads, chunksize, show_progress=shown
                )
            else:
                columns, matrix = calculate_distributed(
                    distributor, batch, features, policies.on_error, chunksize,
                    show_warnings=show_warnings, show_progress=shown,
                )  # fmt: skip
            ids = batch.ids[: len(matrix)]
            frame = to_frame(ids, columns, matrix, dtype=id_dtype(timeseries_container, column_id))
    if column_id is not given_id:  # tuples: levels without names, as in tsfresh
        frame.index.names = [None] * frame.index.nlevels
    return _finished(frame, impute_function, pivot=pivot)


def _finished(frame: Any, impute_function: Callable[..., Any] | None, *, pivot: bool) -> Any:
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
