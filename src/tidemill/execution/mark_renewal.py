"""Renews the attempt marks of a process in which a series keeps the interpreter's lock.

No thread of that process can do so, and whoever waits for its parts would take it for dead. Its
guard starts this module as a process of its own, and stops it at the next sign of life.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from contextlib import suppress

from tidemill.model.logs import engine_log
from tidemill.storage.markers import Attempt, renew_attempt
from tidemill.storage.run_address import Run

__all__ = ["renew_all"]

log = engine_log(__name__)


def renew_all(marks: Iterable[tuple[Run, Attempt]]) -> None:
    """Renew marks that are still there; whoever takes one of their parts isolates it."""
    for run, mark in marks:
        with suppress(OSError):  # the next renewal may do
            if run.key.state.exists(mark.path):
                note = f"part {mark.index + 1}: a series keeps the interpreter's lock"
                renew_attempt(run.key, mark, hangs=True, note=note)


def main() -> None:
    """Read the marks from the first line of standard input; renew them at each further line."""
    marks = [
        (Run(**one["run"]), Attempt.from_values(one["mark"]))
        for one in json.loads(sys.stdin.readline())
    ]
    for _ in sys.stdin:
        renew_all(marks)


if __name__ == "__main__":
    main()
