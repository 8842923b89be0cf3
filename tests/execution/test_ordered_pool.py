"""Several things at once, each finished in its turn."""

from __future__ import annotations

import threading
import time
from concurrent.futures import CancelledError

import pytest

from tidemill.execution.ordered_pool import Turn, in_turns


def test_as_many_at_once_as_asked_for_and_finished_in_order():
    together, finished = threading.Barrier(3, timeout=20), []

    def work(item, turn):
        together.wait()  # breaks unless three are under way
        time.sleep(0.01 * (3 - item % 3))
        turn.wait()
        finished.append(item)
        return -item

    assert in_turns(work, range(6), concurrency=3) == [0, -1, -2, -3, -4, -5]
    assert finished == [0, 1, 2, 3, 4, 5]


def test_alone_it_works_in_the_calling_thread():
    threads = in_turns(lambda _item, _turn: threading.current_thread(), range(3), concurrency=1)
    assert set(threads) == {threading.current_thread()}


def test_one_that_fails_gives_its_turn_away_and_ends_the_rest():
    began, stops = [], []

    def work(item, turn):
        began.append(item)
        if item == 0:
            time.sleep(0.05)
            raise KeyError("broken")
        turn.wait()  # for the one that fails
        turn.sleep(60.0)

    with pytest.raises(KeyError, match="broken"):
        in_turns(work, range(9), concurrency=2, stop=lambda: stops.append(1))
    assert began in ([0, 1], [0, 1, 2])
    assert stops == [1]


def test_a_stop_ends_waiting_and_sleeping():
    stopped = threading.Event()
    stopped.set()
    event = threading.Event()
    waits = Turn([event], stopped).wait, Turn([stopped], stopped).wait  # one is done, one is not
    for wait in (*waits, lambda: Turn((), stopped).sleep(60.0)):
        with pytest.raises(CancelledError):
            wait()
