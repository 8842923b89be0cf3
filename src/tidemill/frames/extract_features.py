"""The Python door: pandas in, pandas out, without Prefect and without Dask."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tidemill.calculators.batches import ErrorTable, MatrixCalculator
from tidemill.calculators.blas_threads import one_pool_thread
from tidemill.calculators.costs import quadratic_warning
from tidemill.calculators.registry import PRESETS, preset
from tidemill.calculators.settings import Settings
from tidemill.calculators.warming import announce
from tidemill.errors import ArgumentError, QuadraticWarning
from tidemill.model.feature_names import check_width
from tidemill.model.policies import OnError, Policies
from tidemill.model.series import BLOCK_VALUES, Batch

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

__all__ = ["extract_features"]

log = logging.getLogger(__name__)

#: Fills a matrix with a batch's rows; the last argument is the number of ids in a chunk.
Fill = Callable[..., None]

#: Stands for every kind without settings of its own.
OTHER_KINDS = ""
#: Chunks per thread, at most: the last one, for which the others wait, is a small part of all.
CHUNKS_PER_THREAD = 32


def extract_features(
    timeseries_container: pd.DataFrame | Mapping[str, pd.DataFrame],
    default_fc_parameters: Any = None,
    kind_to_fc_parameters: Mapping[str, Any] | None = None,
    column_id: str | list[str] | None = None,
    column_sort: str | None = None,
    column_kind: str | None = None,
    column_value: str | None = None,
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

    Takes tsfresh's parameters, in tsfresh's order and with its meaning.

    Parameters
    ----------
    timeseries_container : DataFrame or mapping of kind to DataFrame
        Wide (a column per kind), long (``column_kind`` and ``column_value``) or one frame a kind.
    default_fc_parameters : settings, optional
        A preset's name, settings, or the path of a settings file; default: comprehensive. With a
        DatetimeIndex presets hold the calculators of time stamps too; without one tsfresh's own
        settings objects lose them.
    kind_to_fc_parameters : mapping of kind to settings, optional
        Settings of single kinds. If only these are given, other kinds get no features.
    column_id, column_sort, column_kind, column_value : str, optional
        Roles of the columns. Without ``column_sort`` rows keep their order. A list in
        ``column_id`` names several columns that make up an id, and are levels of the index.
    chunksize : int, optional
        Ids that one thread takes at a time; by default as many as have 65,536 values, or more.
    n_jobs : int, optional
        Threads; default: all cores. 0 and 1 both mean the calling thread alone.
    show_warnings : bool
        Show warnings that custom calculators raise. A QuadraticWarning about series that are too
        long for a calculator is always shown.
    disable_progressbar : bool
        No progress bar (there is none either where standard error is not a terminal).
    impute_function : callable, optional
        Called with the matrix; works in place or returns a new one.
    profile, profiling_filename, profiling_sorting
        Write a profile of the calling thread to a file.
    distributor : None
        Not supported: for a cluster call the flow ``tidemill.flows.extract.extract``.
    pivot : bool
        False: a list of ``(id, column, value)`` instead of the matrix.
    on_nan : "raise", "omit" or "quarantine"
        NaN and infinite values.
    on_duplicate : "raise", "first", "last" or "mean"
        Rows that share id, kind and sort value.
    on_error : "raise" or "nan"
        A calculator that raises.

    Returns
    -------
    DataFrame
        One row per id, ascending; columns ``kind__calculator__param_value``, float64.

    Raises
    ------
    InputError
        If arguments, settings or data are not usable; the message says what to do.
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
    from tidemill.sources.frames.frame_ids import id_dtype
    from tidemill.sources.frames.frames import has_time_index, read_frame, to_frame

    if distributor is not None:
        raise ArgumentError(
            f"distributor={type(distributor).__name__} is not supported; use n_jobs for threads, "
            "or the flow tidemill.flows.extract.extract with cluster=... for a cluster"
        )
    threads = count_threads(n_jobs)
    if chunksize is not None and chunksize < 1:
        raise ArgumentError(f"chunksize={chunksize} is not allowed; give ids from 1 up, or None")
    settings = read_settings(
        default_fc_parameters, kind_to_fc_parameters, timed=has_time_index(timeseries_container)
    )
    policies = Policies(on_nan, on_duplicate, on_error)  # type: ignore[arg-type]
    with _profiled(profile, profiling_filename, profiling_sorting):
        with _warnings(show_warnings):
            batch = read_frame(
                timeseries_container, column_id=column_id, column_sort=column_sort,
                column_kind=column_kind, column_value=column_value, policies=policies,
                needs_times=settings.needs_times([*settings.kinds, OTHER_KINDS]),
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


def features_of(settings: Settings, batch: Batch) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """The features of a batch's kinds.

    Raises
    ------
    InputError
        If the settings and the kinds do not fit, or the matrix would be too wide.
    """
    settings.check_kinds(list(batch.blocks))
    features = {kind: settings.features_for(kind) for kind in batch.blocks}
    check_width(sum(map(len, features.values())))
    return features


def warn_of_long_series(batch: Batch, features: Mapping[str, Any]) -> None:
    """Warn once where calculators of quadratic time meet long series, before they run.

    Whatever ``show_warnings`` says: that is about warnings of calculators.
    """
    lengths = {kind: block.lengths for kind, block in batch.blocks.items()}
    if text := quadratic_warning(features, lengths, np.ones(len(batch.ids))):
        warnings.warn(text, QuadraticWarning, stacklevel=3)


def calculate_batch(
    batch: Batch,
    features: Mapping[str, Any],
    on_error: OnError = "raise",
    threads: int = 1,
    chunksize: int | None = None,
    *,
    show_progress: bool = False,
) -> tuple[tuple[str, ...], npt.NDArray[np.float64]]:
    """Columns and matrix float64[k, m] of a batch in memory, calculated by ``threads`` threads."""
    n_ids = len(batch.ids)
    calculator = MatrixCalculator(features, on_error)
    matrix = np.empty((n_ids, len(calculator.columns)))
    with filling(calculator, threads, n_ids, show_progress=show_progress) as fill:
        fill(batch, matrix, chunksize)
    return calculator.columns, matrix


@contextlib.contextmanager
def filling(
    calculator: MatrixCalculator, threads: int, n_rows: int, *, show_progress: bool = False
) -> Iterator[Fill]:
    """Compile, and give a function that fills float64[k, m] with a batch's rows by threads.

    ``n_rows``, over all batches, is what the progress bar counts to.
    """
    _compile(calculator, show_progress)
    with contextlib.ExitStack() as stack:
        stack.enter_context(one_pool_thread())
        advance = stack.enter_context(_bar(n_rows, show_progress))
        pool = None if threads == 1 else stack.enter_context(ThreadPoolExecutor(threads))

        def fill(batch: Batch, out: npt.NDArray[np.float64], chunksize: int | None = None) -> None:
            def run(chunk: tuple[int, int]) -> int:
                first, last = chunk
                calculator.calculate(batch, first, last, out=out[first:last])
                return last - first

            chunks = _chunks(batch, threads, chunksize)
            for done in map(run, chunks) if pool is None else pool.map(run, chunks):
                advance(done)

        yield fill
    _tell(calculator.errors)


def _chunks(batch: Batch, threads: int, chunksize: int | None) -> list[tuple[int, int]]:
    """Ranges of ids that threads take in turn: of about equally many values, a block or more."""
    n_ids = len(batch.ids)
    if chunksize is not None:
        edges = np.arange(0, n_ids, chunksize)
    else:
        ends = np.cumsum(sum(block.lengths + 1 for block in batch.blocks.values()))
        blocks = int(batch.n_rows) // (BLOCK_VALUES * max(len(batch.blocks), 1)) + 1
        count = -(-min(blocks, CHUNKS_PER_THREAD * threads) // threads) * threads
        shares = np.arange(count) * (ends[-1] / count) if n_ids else np.zeros(0)
        edges = np.unique(np.searchsorted(ends, shares, side="right"))
    return list(itertools.pairwise([*edges.tolist(), n_ids])) if n_ids else []


def _tell(errors: ErrorTable) -> None:
    """Log what failed: the cells hold NaN, and nothing else would tell why."""
    for (kind, calculator, message), count in errors.counts.items():
        log.warning("%s of kind %r failed for %d series: %s", calculator, kind, count, message)


def _compile(calculator: MatrixCalculator, show: bool) -> None:
    """Compile kernels before there are threads that wait for each other, and say so."""
    programs = calculator.programs.values()
    if text := announce(programs):
        console = _console(show)
        with console.status(text) if console else contextlib.nullcontext():
            for program in programs:
                program.warmup()


def read_settings(given: Any, by_kind: Mapping[str, Any] | None, *, timed: bool) -> Settings:
    """Read settings as tsfresh does, where time stamps make a difference."""
    if given is None and not by_kind:
        given = "comprehensive"
    kinds = {kind: _with_times(one, timed=timed) for kind, one in (by_kind or {}).items()}
    return Settings.from_any(_with_times(given, timed=timed), kinds)


def _with_times(given: Any, *, timed: bool) -> Any:
    """Add to a preset what needs a DatetimeIndex, or take it out of tsfresh's own settings."""
    if timed and isinstance(given, str) and given in PRESETS:
        return preset(given, times=True)
    if not timed and type(given).__module__ == "tsfresh.feature_extraction.settings":
        return {name: params for name, params in given.items() if name != "linear_trend_timewise"}
    return given


def count_threads(n_jobs: int | None) -> int:
    """Threads for the argument ``n_jobs``.

    Raises
    ------
    ArgumentError
        If it is negative.

    Examples
    --------
    >>> count_threads(0), count_threads(4)
    (1, 4)
    """
    if n_jobs is None:
        return os.cpu_count() or 1
    if n_jobs < 0:
        raise ArgumentError(f"n_jobs={n_jobs} is not allowed; give threads, or None for all cores")
    return max(n_jobs, 1)


def _triples(frame: pd.DataFrame) -> list[tuple[Any, str, float]]:
    return [
        (row_id, column, value)
        for column in frame.columns
        for row_id, value in frame[column].items()
    ]


def _console(show: bool) -> Console | None:
    """Standard error, if it is a terminal and something is to be shown."""
    if not (show and sys.stderr is not None and sys.stderr.isatty()):
        return None
    from rich.console import Console

    return Console(stderr=True)


@contextlib.contextmanager
def _bar(n_ids: int, show: bool) -> Iterator[Callable[[int], None]]:
    console = _console(show)
    if console is None:
        yield lambda _: None
        return
    from rich.progress import Progress

    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("Feature extraction", total=n_ids)
        yield lambda done: progress.advance(task, done)


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
