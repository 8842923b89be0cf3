"""The bar on the terminal: what it counts, and the notes between."""

from __future__ import annotations

import os
import pty
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from tidemill.model.progress import Board, Progress, subscribe
from tidemill.reports import progress_bar


@contextmanager
def terminal(kind: str = "xterm") -> Iterator[Callable[[], str]]:
    """Standard error is a terminal of 200 columns; gives what has been written to it."""
    reading, writing = pty.openpty()
    with (
        os.fdopen(writing, "w", encoding="utf-8") as file,
        os.fdopen(reading, "rb", buffering=0) as screen,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
            patch.delenv(name, raising=False)
        patch.setenv("TERM", kind)
        patch.setenv("COLUMNS", "200")
        patch.setattr(sys, "stderr", file)

        def written() -> str:
            file.write("The end.\n")
            file.flush()
            found = b""
            while b"The end." not in found:
                found += screen.read(65_536)
            return found.decode()

        yield written


def test_a_progress_bar_prints_notes_once_and_no_markup():
    with terminal() as written:
        with progress_bar.progress_bar() as listener:
            listener(Progress("calculate", 1, 4, 10))
            listener(Progress("calculate", 2, 4, 20, note="read [red]this[/red]"))
        err = written()
    assert err.count("read [red]this[/red]") == 1
    assert "2 of 4 parts" in err


@pytest.mark.parametrize("forced", ["", "1"], ids=["plain", "colours forced"])
def test_without_a_terminal_there_are_notes_and_no_bar(capsys, monkeypatch, forced):
    monkeypatch.setenv("FORCE_COLOR", forced)
    with progress_bar.progress_bar() as listener:
        listener(Progress("calculate", 1, 4, 10))
        listener(Progress("calculate", 2, 4, 20, note="a note"))
    err = capsys.readouterr().err
    assert "a note" in err
    assert "calculate" not in err
    assert len(err.splitlines()) == 1


def test_a_dumb_terminal_has_no_bar():
    with terminal("dumb") as written:
        with progress_bar.progress_bar() as listener:
            listener(Progress("calculate", 2, 4, 20, note="a note"))
        assert written().splitlines() == ["a note", "The end."]


def test_a_hidden_progress_bar_prints_no_bar_but_notes_in_one_line(capsys):
    note = "a series holds up a part: " + 40 * "very long "
    with progress_bar.progress_bar(visible=False) as listener:
        listener(Progress("calculate", 1, 4, 10, note=note))
    assert capsys.readouterr().err.strip() == note.strip()


def test_the_rate_counts_from_the_first_report(monkeypatch):
    """Ids that an earlier attempt calculated are not part of it."""
    clock = iter([100.0, 102.0, 104.0])
    monkeypatch.setattr(progress_bar, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    rate = progress_bar._Rate()
    assert rate.text(Progress("calculate", 1, 4, ids_done=1_000)) == ""
    assert rate.text(Progress("calculate", 1, 4, ids_done=1_000)) == "", "nothing since"
    assert rate.text(Progress("calculate", 2, 4, ids_done=9_000)) == "2,000 ids/s"


def test_each_interval_has_a_rate_of_its_own(monkeypatch):
    clock = iter([100.0, 101.0, 102.0])
    monkeypatch.setattr(progress_bar, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    rate = progress_bar._Rate()
    assert rate.text(Progress("calculate", 1, 4, ids_done=500, about="Monday")) == ""
    assert rate.text(Progress("calculate", 1, 4, ids_done=100, about="Tuesday")) == ""
    assert rate.text(Progress("calculate", 1, 4, ids_done=300, about="Tuesday")) == "200 ids/s"


def test_intervals_are_counted_as_on_the_runs_page():
    with terminal() as written:
        with progress_bar.progress_bar() as listener, subscribe(listener):
            board = Board()
            board.expect(["Monday", "Tuesday"])
            board.finish("Monday")
        assert board.counts == "1 of 2 intervals, 0 of 0 parts of those begun"
        assert board.counts.partition(",")[0] in written()
