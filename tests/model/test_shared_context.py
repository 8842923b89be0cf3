"""Contexts that belong to the process."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier

import pytest

from tidemill.model.shared_context import SharedContext


@pytest.fixture
def told():
    return []


@pytest.fixture
def shared(told):
    @SharedContext
    @contextmanager
    def context():
        """Tell of it."""
        told.append("entered")
        yield
        told.append("left")

    return context


def test_blocks_that_end_in_the_order_in_which_they_began(shared, told):
    first, second = shared(), shared()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert told == ["entered"]
    second.__exit__(None, None, None)
    assert told == ["entered", "left"]


def test_it_is_entered_again_after_its_last_user(shared, told):
    for _ in range(2):
        with pytest.raises(KeyError), shared(), shared():
            raise KeyError
    assert told == ["entered", "left"] * 2


def test_threads_are_users(shared, told):
    together = Barrier(4)

    def use(_):
        with shared():
            together.wait(60)
            return list(told)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(use, range(4))) == [["entered"]] * 4
    assert told == ["entered", "left"]


def test_what_cannot_be_entered_has_no_user(told):
    @SharedContext
    @contextmanager
    def refused():
        told.append("tried")
        raise OSError("no")
        yield

    for _ in range(2):
        with pytest.raises(OSError, match="no"), refused():
            pass
    assert told == ["tried", "tried"]


def test_it_is_documented_as_what_it_wraps(shared):
    assert (shared.__name__, shared.__doc__) == ("context", "Tell of it.")
