"""One call of a distributor: what it works on, and what of it is done."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from tidemill.bridges.tsfresh.work import MappedFunction, Shipped, results_of

__all__ = ["Call"]


@dataclass(slots=True)
class Call:
    """One call; it stays in the process that calls."""

    items: Iterable[Any]
    n_items: int
    chunk_size: int | None  # None: the best
    best_chunk_size: Callable[[int], int]
    partition: Callable[..., Iterable[list[Any]]]
    work: MappedFunction
    bar: Callable[[int], Any]  # makes the progress bar of so many chunks
    name: str = field(default_factory=lambda: uuid.uuid4().hex)
    chunks: dict[int, Shipped] = field(default_factory=dict)  # not done yet, by number
    results: dict[int, Any] = field(default_factory=dict)  # by number of the chunk
    ordered: list[Any] = field(default_factory=list)  # the results, in the end
    release: Callable[[], object] = bool  # lets the scheduler forget the call

    def find_chunk_size(self) -> int:
        """Items of a chunk: as asked for, or what the distributor finds best."""
        return self.chunk_size or max(1, self.best_chunk_size(self.n_items))

    def cut(self, chunk_size: int) -> int:
        """Cut the items into chunks; how many."""
        chunks = enumerate(self.partition(self.items, chunk_size=chunk_size))
        self.chunks = {number: Shipped(chunk) for number, chunk in chunks}
        return len(self.chunks)

    def put_in_order(self) -> int:
        """Bring the results into the order of the input; how many."""
        self.ordered = [self.results.pop(number) for number in sorted(self.results)]
        return len(self.ordered)

    def carry_out_here(self) -> list[Any]:
        """Carry it out in this thread, without Prefect and Dask; the results of the chunks."""
        self.cut(self.find_chunk_size())
        with self.bar(len(self.chunks)) as bar:
            for result in results_of(self.work, self.chunks.values()):
                self.ordered.append(result)
                bar.update(1)
        return self.ordered
