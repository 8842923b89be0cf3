"""Calculate the matrix of a batch in memory: threads, chunks of ids, a progress bar."""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from tidemill.calculators.batches import MatrixCalculator
from tidemill.calculators.blas_threads import one_pool_thread
from tidemill.calculators.warming import announce
from tidemill.model.aliases import Features, Floats
from tidemill.model.logs import engine_log
from tidemill.model.policies import OnError
from tidemill.model.series import BLOCK_VALUES, Batch

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "Fill",
    "calculate_batch",
    "compile_kernels",
    "console",
    "filling",
    "id_ranges",
    "log_failures",
]

log = engine_log(__name__)

#: Fills a matrix with a batch's rows; the last argument is the number of ids per chunk.
Fill = Callable[..., None]

#: Chunks per thread, at most: the last one, for which the others wait, is a small part of all.
CHUNKS_PER_THREAD = 32


def calculate_batch(
    batch: Batch,
    features: Mapping[str, Features],
    on_error: OnError = "raise",
    threads: int = 1,
    chunksize: int | None = None,
    *,
    show_progress: bool = False,
) -> tuple[tuple[str, ...], Floats]:
    """Calculate the columns and the matrix float64[k, m] of a batch in memory."""
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
    """Compile, then yield a function that fills float64[k, m] with a batch's rows on threads.

    ``n_rows`` is the total over all batches, for the progress bar.
    """
    shown_on = console() if show_progress else None
    compile_kernels(calculator, shown_on)
    with contextlib.ExitStack() as stack:
        stack.enter_context(one_pool_thread())
        advance = stack.enter_context(_bar(n_rows, shown_on))
        pool = None if threads == 1 else stack.enter_context(ThreadPoolExecutor(threads))

        def fill(batch: Batch, out: Floats, chunksize: int | None = None) -> None:
            def run(chunk: tuple[int, int]) -> int:
                first, last = chunk
                calculator.calculate(batch, first, last, out=out[first:last])
                return last - first

            chunks = id_ranges(batch, threads, chunksize)
            for done in map(run, chunks) if pool is None else pool.map(run, chunks):
                advance(done)

        yield fill
    log_failures(calculator.errors.counts)


def id_ranges(batch: Batch, threads: int, chunksize: int | None) -> list[tuple[int, int]]:
    """Ranges of ids, each one unit of work: about equally many values, at least a block."""
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


def log_failures(failures: Mapping[tuple[str, str, str], int]) -> None:
    """Log what failed: the cells hold NaN, and nothing else shows why."""
    for (kind, calculator, message), count in failures.items():
        log.warning("%s of kind %r failed for %d series: %s", calculator, kind, count, message)


def compile_kernels(calculator: MatrixCalculator, shown_on: Console | None = None) -> None:
    """Compile kernels, with a notice, before threads could wait for each other."""
    programs = calculator.programs.values()
    if text := announce(programs):
        with shown_on.status(text) if shown_on else contextlib.nullcontext():
            for program in programs:
                program.warmup()


def console() -> Console | None:
    """Standard error, if it is a terminal."""
    if sys.stderr is None or not sys.stderr.isatty():
        return None
    from rich.console import Console

    return Console(stderr=True)


@contextlib.contextmanager
def _bar(n_ids: int, shown_on: Console | None) -> Iterator[Callable[[int], None]]:
    if shown_on is None:
        yield lambda _: None
        return
    from rich.progress import Progress

    with Progress(console=shown_on, transient=True) as progress:
        task = progress.add_task("Feature extraction", total=n_ids)
        yield lambda done: progress.advance(task, done)
