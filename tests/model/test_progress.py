"""Progress reaches those who subscribed, in their context; a board adds intervals up."""

from __future__ import annotations

import contextvars
import threading

import pytest

from tidemill.model.progress import Board, Progress, emit, subscribe


def test_progress_without_subscribers_goes_nowhere():
    emit(Progress("plan"))


def test_all_subscribers_see_it_until_they_leave():
    outer, inner = [], []
    with subscribe(outer.append):
        emit(Progress("one"))
        with subscribe(inner.append):
            emit(Progress("two"))
        emit(Progress("three"))
    emit(Progress("four"))
    assert [one.step for one in outer] == ["one", "two", "three"]
    assert [one.step for one in inner] == ["two"]


def test_an_error_ends_the_subscription():
    seen = []
    with pytest.raises(RuntimeError), subscribe(seen.append):
        raise RuntimeError
    emit(Progress("plan"))
    assert seen == []


def test_other_contexts_do_not_see_it():
    """Two runs in threads of one process show their own progress only."""
    seen = []
    with subscribe(seen.append):
        stranger = threading.Thread(target=contextvars.Context().run, args=(emit, Progress("a")))
        own = threading.Thread(target=contextvars.copy_context().run, args=(emit, Progress("b")))
        for thread in (stranger, own):
            thread.start()
            thread.join()
    assert [one.step for one in seen] == ["b"]


def test_a_board_is_empty_before_anything_is_expected():
    board = Board()
    assert (board.share, board.text) == (0.0, "")
    board.finish("Monday")  # nobody expected it
    board.on_progress(Progress("plan"))
    assert (board.share, board.text) == (0.0, "")


def test_a_matrix_without_intervals_counts_its_parts():
    board = Board()
    board.expect([""])
    board.on_progress(Progress("calculate_features", 3, 12))
    assert (board.share, board.text) == (0.25, "3 of 12 parts: calculate_features")
    board.on_progress(Progress("reduce", 12, 12))
    assert board.share == 1.0
    board.finish("")
    assert board.text == "12 of 12 parts: done"


def test_every_interval_has_the_same_weight():
    board = Board()
    board.expect(["a", "b", "c", "d"])
    board.on_progress(Progress("calculate_features", 500, 1_000, about="a"))
    assert board.share == pytest.approx(0.5 / 4)
    board.on_progress(Progress("calculate_features", 1, 2, about="b"))
    board.finish("c")
    assert board.share == pytest.approx((0.5 + 0.5 + 1.0) / 4)
    assert board.text == ("1 of 4 intervals, 501 of 1,002 parts of those begun: calculate_features")


def test_what_is_expected_twice_or_finished_twice_counts_once():
    board = Board()
    board.expect(["a", "b"])
    board.on_progress(Progress("calculate_features", 1, 2, about="a"))
    board.expect(["a"])
    assert board.share == 0.25
    for _ in range(2):
        board.finish("b")
        board.finish("unknown")
    assert board.share == 0.75
    board.finish("a")
    assert (board.share, board.text.rpartition(": ")[2]) == (1.0, "done")


def test_a_step_without_parts_keeps_the_count():
    board = Board()
    board.expect(["a"])
    board.on_progress(Progress("calculate_features", 1, 2, about="a"))
    board.on_progress(Progress("reduce", about="a"))
    assert board.share == 0.5
    assert board.text.endswith(": reduce")
