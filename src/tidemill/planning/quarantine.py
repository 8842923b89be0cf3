"""When quarantined ids are tried again, the parts that they are in, and how old a quarantine is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import pyarrow.types as pt

from tidemill.calculators.registry import identities
from tidemill.model.aliases import IdKey
from tidemill.model.counts import counted
from tidemill.model.id_types import parse_type
from tidemill.model.plan import Plan
from tidemill.model.series import Quarantined
from tidemill.model.versions import versions

__all__ = ["NEW", "count_by_age", "made_with", "parts_of_ids", "why_again"]

#: Stands for ids that were quarantined for the first time.
NEW = "new"


def made_with(settings: Mapping[str, Any] | None = None) -> dict[str, str]:
    """What decides whether a series kills its process: versions, and the custom calculators.

    Parameters
    ----------
    settings : canonical; None where the result key covers the custom calculators

    Examples
    --------
    >>> "prefect" in made_with(), "numpy" in made_with()
    (False, True)
    """
    found = {name: text for name, text in versions().items() if name != "prefect"}
    own = identities(name for features in (settings or {}).values() for name, _ in features)
    return found | {f"the calculator {name}": digest for name, digest in own.items()}


def why_again(count: int, before: Mapping[str, str], now: Mapping[str, str], *, asked: bool) -> str:
    """Why poison is calculated again, in words; "" if it is not to be.

    Parameters
    ----------
    count : ids that are quarantined as poison
    before, now : see :func:`made_with`; of the quarantine, and today
    asked : it is to be calculated again in any case

    Examples
    --------
    >>> why_again(2, {"numpy": "2.3"}, {"numpy": "2.4"}, asked=False)
    '2 quarantined ids are tried again: numpy changed from 2.3 to 2.4'
    >>> why_again(2, {"numpy": "2.4"}, {"numpy": "2.4"}, asked=False)
    ''
    """
    changed = [name for name in now if before.get(name, now[name]) != now[name]]
    if not (asked or changed):
        return ""
    ids = counted(count, "quarantined id is", "quarantined ids are")
    said = (_change(name, before[name], now[name]) for name in changed)
    return f"{ids} tried again: {'as was asked for' if asked else ', '.join(said)}"


def _change(name: str, before: str, now: str) -> str:
    return f"{name} changed" + (f" from {before} to {now}" if "." in before else "")


def parts_of_ids(plan: Plan, ids: Iterable[str]) -> set[int]:
    """The parts that ids, given as text, are in; only integers and text are found."""
    kinds = plan.source.id_types
    if len(kinds) > 1 or not _is_plain(kinds[0]):
        return set()
    keys: list[IdKey] = [_key(one, kinds[0]) for one in ids]
    return {
        part.index
        for part in plan.parts
        if any(_is_within(key, part.lower, part.upper) for key in keys)
    }


def _is_plain(id_type: str) -> bool:
    return bool(pt.is_integer(parse_type(id_type)) or pt.is_string(parse_type(id_type)))


def _key(text: str, id_type: str) -> IdKey:
    return int(text) if pt.is_integer(parse_type(id_type)) else text


def _is_within(key: Any, lower: Any, upper: Any) -> bool:
    return bool((lower is None or lower <= key) and (upper is None or key < upper))


def count_by_age(quarantined: Collection[Quarantined], now: str) -> dict[str, int]:
    """How many ids are quarantined since which day, oldest first; "new" are those of this run.

    Examples
    --------
    >>> since = ["2026-11-20T06:00:00+00:00", "2026-11-21T06:00:00+00:00"]
    >>> found = [Quarantined(i, None, "", since=one) for i, one in enumerate(since)]
    >>> count_by_age(found, since[1])
    {'2026-11-20': 1, 'new': 1}
    """
    days = [NEW if one.since == now else one.since[:10] for one in quarantined]
    return dict(sorted(Counter(days).items()))
