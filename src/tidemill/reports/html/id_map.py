"""Which ids were quarantined or missing in which intervals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tidemill.model.series import Quarantined
from tidemill.reports.html.history import History

__all__ = ["IdMap", "IdRow", "map_ids"]

Flags = npt.NDArray[np.bool_]

#: Ids that a map names.
NAMED = 40
#: Ids that are compared, added up over the intervals: more take too long.
MOST_COMPARED = 1_000_000
#: A table has the same ids from interval to interval if it keeps this share of them.
KEPT = 0.5
UNKNOWN = "Which ids are missing is not said: they were not recorded, or are too many to compare."


@dataclass(frozen=True, slots=True)
class IdRow:
    """An id that was quarantined or missing, and the slots where it was."""

    id: str
    quarantined: tuple[int, ...]
    missing: tuple[int, ...]
    last: Quarantined | None  # the newest entry

    @property
    def rank(self) -> tuple[int, int, int]:
        """The larger, the more there is to see: what is wrong now, then what was for long."""
        return (
            max((*self.quarantined, *self.missing)),
            max(self.quarantined, default=-1),
            len(self.quarantined) + len(self.missing),
        )


@dataclass(frozen=True, slots=True)
class IdMap:
    """The ids that were quarantined or missing, worst first."""

    rows: tuple[IdRow, ...]
    count: int  # of all such ids
    missing: tuple[int | None, ...]  # how many ids are missing in each slot; None: not known
    note: str = ""  # why nothing is said of missing ids


def map_ids(history: History, present: Sequence[pa.Array | None]) -> IdMap:
    """The map of a history.

    An id is missing in an interval without a value of it, after one that had some.

    Parameters
    ----------
    history : the intervals, and the ids that they quarantined
    present : ids of the input as text, for each slot; None: not known
    """
    missing, counts, note = _missing(present)
    quarantined: dict[str, dict[int, Quarantined]] = defaultdict(dict)
    for place, slot in enumerate(history.slots):
        for one in slot.quarantined:
            quarantined[str(one.id)][place] = one
    rows = [
        _row(one, quarantined.get(one, {}), missing.get(one, ()))
        for one in dict.fromkeys([*quarantined, *missing])
    ]
    rows.sort(key=lambda row: row.rank, reverse=True)
    return IdMap(tuple(rows[:NAMED]), len(rows), counts, note)


def _row(id_: str, quarantined: dict[int, Quarantined], missing: tuple[int, ...]) -> IdRow:
    last = quarantined[max(quarantined)] if quarantined else None
    return IdRow(id_, tuple(sorted(quarantined)), missing, last)


def _missing(
    present: Sequence[pa.Array | None],
) -> tuple[dict[str, tuple[int, ...]], tuple[int | None, ...], str]:
    """The slots in which each id is missing, how many are in each, or why that is not known."""
    unknown: tuple[int | None, ...] = (None,) * len(present)
    known = [place for place, ids in enumerate(present) if ids is not None]
    if len(known) < 2:
        return {}, unknown, "" if known else UNKNOWN
    names, is_there = _presence([ids for ids in present if ids is not None])
    if _turnover(is_there) < KEPT:
        return {}, unknown, "Ids differ from interval to interval: none counts as missing."
    seen = np.logical_or.accumulate(is_there, axis=1)
    is_missing = seen & ~is_there
    counts = list(unknown)
    for place, count in zip(known, is_missing.sum(axis=0), strict=True):
        counts[place] = int(count)
    return dict(_places(names, is_missing, np.array(known))), tuple(counts), ""


def _presence(several: Sequence[pa.Array]) -> tuple[pa.Array, Flags]:
    """All ids, and whether each is in each interval, bool[k, n]."""
    coded = pa.concat_arrays(several).dictionary_encode()
    is_there = np.zeros((len(coded.dictionary), len(several)), bool)
    interval = np.repeat(np.arange(len(several)), [len(ids) for ids in several])
    is_there[coded.indices.to_numpy(), interval] = True
    return coded.dictionary, is_there


def _turnover(is_there: Flags) -> float:
    """The median share of ids that the next interval has too."""
    kept = (is_there[:, :-1] & is_there[:, 1:]).sum(axis=0)
    return float(np.median(kept / np.maximum(is_there[:, :-1].sum(axis=0), 1)))


def _places(
    names: pa.Array, is_missing: Flags, slots: npt.NDArray[np.int_]
) -> Iterator[tuple[str, tuple[int, ...]]]:
    for at in np.flatnonzero(is_missing.any(axis=1)):
        yield str(names[int(at)]), tuple(slots[is_missing[at]].tolist())
