"""Chunks: groups of missing parts that one task run calculates, and the predicted run time.

Chunks depend on the live cluster and are never recorded: the next attempt deals the missing parts
again.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from tidemill.model.plan import Part

__all__ = ["LEAST_CHUNK_SECONDS", "ChunkSize", "deal_chunks", "predict_run_seconds", "size_chunks"]

#: Predicted seconds of a chunk: the target, and the minimum for three and for one per thread.
CHUNK_SECONDS, LEAST_CHUNK_SECONDS, WORTH_SECONDS = 30.0, 10.0, 1.0
CHUNKS_PER_THREAD = 3
#: Keeps all task runs of a Prefect run below 500.
MAX_CHUNKS = 480
#: Overhead of one Prefect task run on Dask, in seconds.
TASK_RUN_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class ChunkSize:
    """The size of the chunks, and the reason for it."""

    ids: int  # of all missing parts
    parts: int  # missing
    seconds: float  # predicted for one thread, all missing parts
    threads: int
    chunks: int
    chunk_size: int  # ids per chunk, the mean
    chunk_seconds: float  # predicted, the mean
    formula: str
    reason: str


def size_chunks(parts: Sequence[Part], n_threads: int, max_chunks: int = MAX_CHUNKS) -> ChunkSize:
    """Choose the number of chunks for the missing parts.

    Chunks hold about 30 s of predicted work. There are more of them, up to three per thread of at
    least 10 s each, or one per thread of at least 1 s, where that keeps more threads busy.

    Parameters
    ----------
    parts : those without a commit marker
    n_threads : threads of the live cluster
    max_chunks : upper bound of the number of chunks

    Examples
    --------
    >>> parts = [Part(i, i, i + 1, (), 1000, 10, 16000, 5.0) for i in range(12)]
    >>> size_chunks(parts, 2).formula
    'ceil(120 ids / 6 chunks) = 20 ids per chunk'
    """
    total = sum(part.seconds for part in parts)
    ids = sum(part.ids for part in parts)
    wishes = {
        f"about {CHUNK_SECONDS:g} s of predicted work per chunk": -(-total // CHUNK_SECONDS),
        f"up to {CHUNKS_PER_THREAD} chunks per thread, none below {LEAST_CHUNK_SECONDS:g} s": min(
            CHUNKS_PER_THREAD * n_threads, total // LEAST_CHUNK_SECONDS
        ),
        f"up to one chunk per thread, none below {WORTH_SECONDS:g} s": min(
            n_threads, total // WORTH_SECONDS
        ),
    }
    reason = max(wishes, key=wishes.__getitem__)
    n_chunks = max(int(wishes[reason]), 1)
    if n_chunks > min(len(parts), max_chunks):
        n_chunks = min(len(parts), max_chunks)
        reason = "one part each" if len(parts) <= max_chunks else f"at most {max_chunks} chunks"
    size = -(-ids // max(n_chunks, 1))
    return ChunkSize(
        ids=ids,
        parts=len(parts),
        seconds=total,
        threads=n_threads,
        chunks=n_chunks,
        chunk_size=size,
        chunk_seconds=total / max(n_chunks, 1),
        formula=f"ceil({ids} ids / {n_chunks} chunks) = {size} ids per chunk",
        reason=reason,
    )


def deal_chunks(
    parts_missing: Sequence[Part], n_threads: int, max_chunks: int = MAX_CHUNKS
) -> list[tuple[int, ...]]:
    """Deal the missing parts into chunks, longest first, each to the chunk with the least work.

    Returns
    -------
    list of tuples of ascending part indexes; the chunk with the most work comes first

    Examples
    --------
    >>> parts = [Part(i, i, i + 1, (), 1000, 10, 16000, 4.0) for i in range(4)]
    >>> deal_chunks(parts, 2)
    [(0, 2), (1, 3)]
    """
    n_chunks = size_chunks(parts_missing, n_threads, max_chunks).chunks
    heap: list[tuple[float, int, int]] = [(0.0, 0, number) for number in range(n_chunks)]
    dealt: list[list[int]] = [[] for _ in range(n_chunks)]
    seconds = [0.0] * n_chunks
    for part in sorted(parts_missing, key=lambda one: (-one.seconds, one.index)):
        work, ids, number = heapq.heappop(heap)
        dealt[number].append(part.index)
        seconds[number] = work + part.seconds
        heapq.heappush(heap, (work + part.seconds, ids + part.ids, number))
    order = sorted(range(n_chunks), key=lambda number: (-seconds[number], number))
    return [tuple(sorted(dealt[number])) for number in order]


def predict_run_seconds(parts: Sequence[Part], n_threads: int) -> float:
    """Predicted wall time of the missing parts on ``n_threads`` threads.

    The total work divided by the threads, or the longest chunk if that is more, plus the overhead
    of submitting the task runs.

    Examples
    --------
    >>> parts = [Part(i, i, i + 1, (), 1000, 10, 16000, 20.0) for i in range(4)]
    >>> predict_run_seconds(parts, 2)
    40.6
    """
    if not parts:
        return 0.0
    chunks = deal_chunks(parts, n_threads)
    seconds = {part.index: part.seconds for part in parts}
    longest = max(sum(seconds[index] for index in chunk) for chunk in chunks)
    submitting = TASK_RUN_SECONDS * -(-len(chunks) // n_threads)
    return max(longest, sum(seconds.values()) / n_threads) + submitting
