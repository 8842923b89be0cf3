"""What a call works on: chunks, their order, and a call without a cluster."""

from __future__ import annotations

import contextlib

import pytest

from tidemill.bridges.tsfresh.calls import Call
from tidemill.bridges.tsfresh.work import MappedFunction


class Bar:
    def __init__(self, total: int) -> None:
        self.total, self.done = total, 0

    def update(self, more: int) -> None:
        self.done += more


def call_of(n_items: int, chunk_size: int | None, bars: list[Bar] | None = None) -> Call:
    def partition(items, chunk_size):
        return (items[first : first + chunk_size] for first in range(0, len(items), chunk_size))

    @contextlib.contextmanager
    def bar(total):
        made = Bar(total)
        (bars if bars is not None else []).append(made)
        yield made

    work = MappedFunction(
        lambda chunk, plus: [one + plus for one in chunk], {"plus": 1}, show_warnings=True
    )
    return Call(list(range(n_items)), n_items, chunk_size, lambda n: n // 2, partition, work, bar)


@pytest.mark.parametrize(("asked", "found"), [(None, 3), (0, 3), (4, 4)])
def test_the_chunk_size_is_what_was_asked_for_or_the_best(asked, found):
    assert call_of(6, asked).find_chunk_size() == found


def test_no_chunk_is_empty():
    assert call_of(1, None).find_chunk_size() == 1


def test_chunks_are_numbered_and_results_ordered_by_these_numbers():
    call = call_of(5, 2)
    assert call.cut(2) == 3
    assert {number: one.value for number, one in call.chunks.items()} == {
        0: [0, 1], 1: [2, 3], 2: [4]
    }  # fmt: skip
    call.results = {2: "c", 0: "a", 1: "b"}
    assert call.put_in_order() == 3
    assert call.ordered == ["a", "b", "c"]


def test_here_it_is_carried_out_chunk_by_chunk():
    bars: list[Bar] = []
    assert call_of(5, 2, bars).carry_out_here() == [[1, 2], [3, 4], [5]]
    (bar,) = bars
    assert (bar.total, bar.done) == (3, 3)
