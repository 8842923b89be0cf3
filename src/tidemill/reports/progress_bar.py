"""The progress of a run on the terminal, and what it notes on the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tidemill.errors import printable
from tidemill.model.progress import Board, Progress

__all__ = ["progress_bar"]


@contextmanager
def progress_bar(*, visible: bool = True) -> Iterator[Callable[[Progress], None]]:
    """Show what is done, ids per second and remaining time on a terminal; yield the listener.

    Parameters
    ----------
    visible : show the bar, if standard error is a terminal that can move it; notes are printed in
        any case, a line each
    """
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    # Colours may be forced upon a script; a bar that nobody sees move would be left as a line.
    visible = visible and console.file.isatty() and console.is_interactive
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<20}"),
        BarColumn(),
        TextColumn("{task.fields[counts]}"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, disable=not visible, refresh_per_second=4) as bar:
        task = bar.add_task("starting", total=1.0, rate="", counts="")
        board, rate = Board(), _Rate()

        def listener(state: Progress) -> None:
            board.on_progress(state)
            if state.note:
                bar.console.print(
                    printable(state.note),
                    style="yellow",
                    highlight=False,
                    markup=False,
                    soft_wrap=True,  # one line in scripts, however long
                )
            if state.parts_total:
                bar.update(task, rate=rate.text(state))
            bar.update(task, description=board.step, counts=board.counts, completed=board.share)

        yield listener


class _Rate:
    """Ids per second since the first report of parts in this run, or in one of its intervals."""

    def __init__(self) -> None:
        self._first: tuple[float, int, str] | None = None

    def text(self, state: Progress) -> str:
        """The rate so far; empty until there is one."""
        now = time.monotonic()
        if self._first is None or self._first[2] != state.about:
            self._first = (now, state.ids_done, state.about)
        since, ids, _ = self._first
        done = state.ids_done - ids
        return f"{done / (now - since):,.0f} ids/s" if done and now > since else ""
