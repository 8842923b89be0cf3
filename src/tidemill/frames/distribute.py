"""Calculate the matrix of a batch with a distributor of tsfresh's kind: our kernels, its workers.

A distributor is an object with ``map_reduce``, as tsfresh's own are. It gets ranges of ids with
their series, and may give the results back in any order.
"""

from __future__ import annotations

import os
import pickle
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tidemill.calculators.batches import MatrixCalculator
from tidemill.calculators.blas_threads import one_pool_thread
from tidemill.calculators.registry import CALCULATORS, find, register
from tidemill.calculators.table.spec import Calculator
from tidemill.errors import ArgumentError, TidemillError
from tidemill.frames.arguments import calculator_warnings
from tidemill.frames.calculate import compile_kernels, console, id_ranges, log_failures
from tidemill.model.aliases import Features, Floats
from tidemill.model.counts import counted
from tidemill.model.logs import engine_log
from tidemill.model.policies import OnError
from tidemill.model.series import Batch, SeriesBlock

__all__ = ["calculate_distributed", "check_distributor"]

log = engine_log(__name__)


def check_distributor(distributor: object) -> None:
    """Refuse what cannot distribute anything.

    Raises
    ------
    ArgumentError
        If it has no ``map_reduce``, is a class, or is tsfresh's ``ApplyDistributor``.
    """
    if distributor is None:
        return
    if isinstance(distributor, type):
        raise ArgumentError(
            f"distributor={distributor.__name__} is a class; give an instance, as "
            f"{distributor.__name__}(...)"
        )
    if type(distributor).__name__ == "ApplyDistributor":
        raise ArgumentError(
            "distributor=ApplyDistributor is for the groups of a Dask DataFrame; leave distributor "
            "away, or give one that maps a function over items, such as tsfresh's MapDistributor"
        )
    if not callable(getattr(distributor, "map_reduce", None)):
        raise ArgumentError(
            f"distributor={type(distributor).__name__} is not supported; give an object with "
            "map_reduce, as tsfresh's distributors and tidemill.bridges.tsfresh.PrefectDistributor "
            "are, or use n_jobs for threads, or the flow tidemill.flows.extract.extract with "
            "cluster=... for a cluster"
        )


@dataclass(frozen=True, slots=True, eq=False)
class _IdRange:
    """Consecutive ids with their series, as they travel to a worker."""

    first: int  # place of the first id in the whole batch
    batch: Batch


@dataclass(frozen=True, slots=True, eq=False)
class _RangeRows:
    """The rows of a range of ids, as they travel back."""

    first: int
    rows: Floats  # float64[k, m]
    failures: Counter[tuple[str, str, str]]  # (kind, calculator, message) -> series


def calculate_distributed(
    distributor: Any,
    batch: Batch,
    features: Mapping[str, Features],
    on_error: OnError = "raise",
    chunksize: int | None = None,
    *,
    show_warnings: bool = False,
    show_progress: bool = False,
) -> tuple[tuple[str, ...], Floats]:
    """Calculate the columns and the matrix float64[k, m] of a batch on a distributor's workers.

    The matrix is the same bit for bit as that of ``calculate_batch``. It has no rows if the
    distributor gives nothing back, as a stand-in for one does.

    Raises
    ------
    TidemillError
        If the distributor gives back something else than the rows of all ids.
    Exception
        What the distributor raises.
    """
    calculator = MatrixCalculator(features, on_error)
    compile_kernels(calculator, console() if show_progress else None)
    ranges = id_ranges(batch, _count_workers(distributor), chunksize)
    options = {
        "features": features,
        "on_error": on_error,
        "show_warnings": show_warnings,
        "own": _pickle_own(features),
    }
    try:
        results = distributor.map_reduce(
            calculate_range,
            data=_cut(batch, ranges),
            function_kwargs=options,
            chunk_size=1,
            data_length=len(ranges),
        )
    finally:
        getattr(distributor, "close", bool)()
    return calculator.columns, _joined(results, len(batch.ids), len(calculator.columns))


def calculate_range(
    part: _IdRange,
    features: Mapping[str, Features],
    on_error: OnError,
    own: bytes,
    *,
    show_warnings: bool,
) -> list[_RangeRows]:
    """Calculate the rows of a range of ids, wherever this is called; a list of one."""
    _make_known(own)
    calculator = MatrixCalculator(features, on_error)
    compile_kernels(calculator)
    n_ids = len(part.batch.ids)
    out = np.empty((n_ids, len(calculator.columns)))
    with one_pool_thread(), calculator_warnings(show=show_warnings):
        calculator.calculate(part.batch, 0, n_ids, out=out)
    return [_RangeRows(part.first, out, calculator.errors.counts)]


def _count_workers(distributor: Any) -> int:
    """How many ranges are in work at a time, as far as a distributor tells."""
    told = getattr(distributor, "n_workers", None)
    if isinstance(told, int) and told > 0:
        return told
    count_threads = getattr(getattr(distributor, "client", None), "nthreads", None)  # Dask's
    threads = sum(count_threads().values()) if count_threads is not None else 0
    return threads or os.cpu_count() or 1


def _cut(batch: Batch, ranges: Iterable[tuple[int, int]]) -> Iterator[_IdRange]:
    """The ranges one by one, each with the values of its own ids only."""
    for first, last in ranges:
        yield _IdRange(
            first,
            Batch(
                batch.ids.take(np.arange(first, last)),  # a slice would bring all ids along
                {kind: _own_values(one.cut(first, last)) for kind, one in batch.blocks.items()},
                {kind: has[first:last] for kind, has in batch.present.items()},
            ),
        )


def _own_values(block: SeriesBlock) -> SeriesBlock:
    low, high = int(block.starts.min()), int(block.stops.max())
    times = None if block.times is None else block.times[low:high]
    values = block.values[low:high]
    return SeriesBlock(block.kind, values, block.starts - low, block.stops - low, times)


def _joined(results: Iterable[object], n_ids: int, n_columns: int) -> Floats:
    matrix = np.empty((n_ids, n_columns))
    failures: Counter[tuple[str, str, str]] = Counter()
    rows = 0
    for one in results:
        if not isinstance(one, _RangeRows):
            raise TidemillError(
                f"the distributor gave back a {type(one).__name__}; its map_reduce has to give the "
                "items of the lists that the function returns, in any order"
            )
        matrix[one.first : one.first + len(one.rows)] = one.rows
        failures.update(one.failures)
        rows += len(one.rows)
    if rows not in (0, n_ids):
        raise TidemillError(
            f"the distributor gave back {counted(rows, 'row')} for {counted(n_ids, 'id')}; its "
            "map_reduce has to call the function once for each item, and give back all results"
        )
    if rows < n_ids:
        log.warning("the distributor gave back no rows for %s", counted(n_ids, "id"))
    log_failures(failures)
    return matrix[:rows]


def _pickle_own(features: Mapping[str, Features]) -> bytes:
    """Functions of the user's, which a worker may not know by their names, by value."""
    names = {name for chosen in features.values() for name, _ in chosen}
    rows = [row for row in map(find, sorted(names)) if row.function is not None]
    if not rows:
        return b""
    import cloudpickle

    pickled: bytes = cloudpickle.dumps(rows)
    return pickled


def _make_known(own: bytes) -> None:
    rows: list[Calculator] = pickle.loads(own) if own else []  # noqa: S301  made above
    for row in rows:
        if row.name not in CALCULATORS:
            # Without a file there, the code could not be read again.
            register(replace(row, version=row.version or row.code or "unknown"))
