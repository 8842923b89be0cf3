"""Calculate a part in a child process, so that a series that kills it can be found and left out.

The child announces each range of ids before calculating it. If it dies, or a range takes too long
or too much memory, the parent starts another child that goes through that range one id at a time;
the last id announced before that one ends is the poison. It is quarantined, and the next child
skips it. All other ids of the part get their rows: a row does not depend on the range it is
calculated in.

No id is left out for what may have another cause. A signal that anybody may have sent counts only
when it hits the same id again and again, and memory only if the id takes it in a child that
calculates nothing else.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa

from tidemill.errors import CalculationError
from tidemill.execution.isolated_process import Ending, Fate, run_child
from tidemill.execution.resources import memory_of_child
from tidemill.model.ids import id_name
from tidemill.model.logs import engine_log
from tidemill.model.series import Quarantined

__all__ = ["Selection", "calculate_isolated"]

log = engine_log(__name__)

#: Ids per announced range; a poison costs one more child of this many.
RANGE_IDS = 256
#: More poison than this in one part means a broken calculator or installation.
POISON_LIMIT = 20
#: Times that a child is killed on one id alone before the id is the reason.
MOST_KILLS = 3
#: Children for one part: up to four for each poison, and some for ranges that died without one.
MOST_CHILDREN = 5 * POISON_LIMIT


@dataclass(slots=True)
class Selection:
    """The ids of a part to skip, and those to calculate one at a time (by position)."""

    skip: dict[int, str] = field(default_factory=dict)  # position -> reason
    solo: list[tuple[int, int]] = field(
        default_factory=list
    )  # ranges to calculate one id at a time
    only: int | None = None  # calculate nothing but this

    def ranges(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Ranges within positions ``first`` to ``last`` (exclusive), without skipped ids.

        Examples
        --------
        >>> list(Selection(skip={3: "died"}, solo=[(1, 3)]).ranges(0, 6))
        [(0, 1), (1, 2), (2, 3), (4, 6)]
        """
        if self.only is not None:
            if first <= self.only < last:
                yield self.only, self.only + 1
            return
        start = first
        for position in range(first, last + 1):
            ends = position == last or position in self.skip or position - start >= RANGE_IDS
            if (ends or self._alone(position) or self._alone(position - 1)) and start < position:
                yield start, position
                start = position
            if position in self.skip:
                start = position + 1

    def skipped(self, ids: pa.Array, position: int) -> list[Quarantined]:
        """The skipped ids of a batch whose first id is at ``position``, with the reasons."""
        return [
            Quarantined(id_name(ids[at - position]), None, reason, is_poison=True)
            for at, reason in self.skip.items()
            if position <= at < position + len(ids)
        ]

    def narrow(self, first: int, last: int, *, reason: str, hung: bool) -> None:
        """Skip the id on which a child ended, or calculate its range one id at a time.

        If a range of several ids merely took too long, the whole part is slow: then every id is
        calculated alone, instead of starting a child for each such range.
        """
        if last - first == 1:
            self.skip[first] = f"its process {reason}"
        else:
            self.solo.append((0, sys.maxsize) if hung else (first, last))

    def _alone(self, position: int) -> bool:
        return any(first <= position < last for first, last in self.solo)


def calculate_isolated(
    request: dict[str, Any],
    seconds: float | None,
    checkpoint: Callable[[], None],
    solo: tuple[int, int] | None = None,
) -> dict[str, Any]:
    """Calculate one part in child processes until all poison is found; the last child's result.

    Parameters
    ----------
    request : JSON values for :func:`tidemill.execution.chunk.calculate_for_parent`
    seconds : of a series without progress until it counts as hung; None: by its prediction
    checkpoint : called several times a second; may raise to stop the child
    solo : range of ids that hung before, to be calculated one at a time at once

    Raises
    ------
    CalculationError
        If children die before the first id, on more than :data:`POISON_LIMIT` ids, or for want of
        memory though no id takes too much by itself.
    """
    number = request["part"] + 1  # as in all log lines
    selection, search = Selection(solo=[solo] if solo else []), _Search()
    memory = memory_of_child()
    for _ in range(MOST_CHILDREN):
        asked = {**request, "selection": asdict(selection)}
        ending = run_child(asked, seconds, memory, checkpoint)
        if ending.result is not None and selection.only is None:
            return ending.result
        if ending.result is not None:
            raise CalculationError(
                f"part {number}: its isolated process {search.greed}, but no series does so alone; "
                "make part_bytes smaller, or look for a calculator that does not give memory back"
            )
        log.warning("part %d: isolated process %s", number, ending.reason)
        if ending.last is None:
            search.count_reading(number, ending)
        else:
            search.narrow(selection, ending.last, ending)
        if len(selection.skip) > POISON_LIMIT:
            break
    raise CalculationError(
        f"part {number} still kills its process with {len(selection.skip)} series left out "
        f"({ending.reason}); check the custom calculators, the memory and the installation"
    )


@dataclass(slots=True)
class _Search:
    """What the children of a part ended of, so far."""

    kills: Counter[int] = field(default_factory=Counter)  # by signals, on an id alone
    while_reading: int = 0
    greed: str = ""  # of a child that took too much memory

    def count_reading(self, number: int, ending: Ending) -> None:
        """Try again after a child that ended while no series was calculated; not for ever."""
        self.while_reading += 1
        if self.while_reading >= (MOST_KILLS if ending.fate is Fate.KILLED else 2):
            raise CalculationError(
                f"part {number} kills its process while its input is read "
                f"({ending.reason}); check the input files and the memory of the worker"
            )

    def narrow(self, selection: Selection, last: tuple[int, int], ending: Ending) -> None:
        """Look closer at the range in which a child ended."""
        first, stop = last
        is_alone = stop - first == 1
        if is_alone and ending.fate is Fate.KILLED:
            self.kills[first] += 1
            if self.kills[first] < MOST_KILLS:
                return
            ending.reason = f"{ending.reason}, {MOST_KILLS} times in turn"
        if is_alone and ending.fate is Fate.GREEDY and ending.ranges > 1:
            self.greed = ending.reason  # that of all ids before it may be among it
            selection.only = first
            return
        selection.only = None
        selection.narrow(first, stop, reason=ending.reason, hung=ending.fate is Fate.HUNG)
