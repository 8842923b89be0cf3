"""Features that fit into a budget: what calculators cost together, and which ones to drop.

A calculator costs the seconds of its own kernel. What several of them share (sorted values, the
spectrum) is made once; its seconds are saved only once every calculator that needs it is dropped.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tidemill.calculators.recipe import Recipe
from tidemill.calculators.table.needs import INTERMEDIATES
from tidemill.errors import ArgumentError, shorten
from tidemill.model.aliases import Feature

__all__ = ["NEED", "READING", "Ledger", "fit"]

#: Begins the name of a shared intermediate among costs.
NEED = "need:"
#: What is left of a run beside calculators and intermediates.
READING = "reading and cutting"


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a set of calculators costs together."""

    seconds: Mapping[str, float]  # by calculator, "need:<intermediate>", and other
    alone: Mapping[str, float]  # intermediate -> seconds once its shortcut's source is gone
    needs: Mapping[str, frozenset[str]]  # calculator -> intermediates that it needs

    @classmethod
    def of(
        cls,
        features: Iterable[Feature],
        seconds: Mapping[str, float],
        alone: Mapping[str, float] | None = None,
    ) -> Ledger:
        """The ledger of some features.

        Parameters
        ----------
        features : of all kinds
        seconds : by calculator and "need:<intermediate>"
        alone : as the field; where it says nothing, an intermediate is taken to cost as much as
            what it was read from
        """
        grouped: dict[str, list[Feature]] = {}
        for feature in features:
            grouped.setdefault(feature[0], []).append(feature)
        needs = {name: frozenset(Recipe.of(own).intermediates) for name, own in grouped.items()}
        return cls(seconds, {**_guessed(seconds), **(alone or {})}, needs)

    def total(self, calculators: Collection[str]) -> float:
        """Seconds of these calculators with all they need, and of what is always there."""
        needed: frozenset[str] = frozenset().union(*(self.needs[name] for name in calculators))
        own = sum(self.seconds.get(name, 0.0) for name in calculators)
        return self.fixed + own + sum(self._need(name, needed) for name in needed)

    def _need(self, name: str, needed: frozenset[str]) -> float:
        source = INTERMEDIATES[name].shortcut[0]
        if source and source not in needed and name in self.alone:
            return self.alone[name]
        return self.seconds.get(NEED + name, 0.0)

    @property
    def fixed(self) -> float:
        """Seconds that are spent whatever is calculated."""
        return self.seconds.get(READING, 0.0)

    def saves(self, name: str, calculators: Collection[str]) -> float:
        """Seconds that go if one of the calculators goes."""
        return self.total(calculators) - self.total([one for one in calculators if one != name])

    def users(self, need: str) -> list[str]:
        """The calculators that need an intermediate."""
        return [name for name, needed in self.needs.items() if need in needed]


def _guessed(seconds: Mapping[str, float]) -> dict[str, float]:
    """Seconds of intermediates that were read from others, without those."""
    return {
        name: seconds[NEED + name] + seconds[NEED + row.shortcut[0]]
        for name, row in INTERMEDIATES.items()
        if NEED + name in seconds and NEED + row.shortcut[0] in seconds
    }


def fit(features: Iterable[Feature], costs: Any, seconds: Any) -> tuple[dict[str, float], float]:
    """Choose the calculators to drop so that the rest fits into ``seconds``.

    See :meth:`tidemill.calculators.settings.Settings.within_budget`.

    Returns
    -------
    dropped
        Calculator -> seconds of its own; the first to go comes first.
    seconds
        Predicted for the rest, of one thread.

    Examples
    --------
    >>> fit([("mean", {}), ("median", {})], {"mean": 1.0, "median": 2.0}, seconds=1.5)
    ({'median': 2.0}, 1.0)
    """
    if not (isinstance(seconds, int | float) and seconds > 0 and math.isfinite(seconds)):
        raise ArgumentError(f"seconds={seconds!r} is not allowed; give a number above 0")
    ledger = Ledger.of(features, *_columns(costs))
    _check_known(ledger)
    dropped = _drop(ledger, seconds)
    kept = _put_back(ledger, dropped, seconds)
    lost = {name: ledger.seconds[name] for name in dropped if name not in kept}
    return lost, ledger.total(kept)


def _columns(costs: Any) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds by name, and those of what is made alone, of a frame or a mapping."""
    if not hasattr(costs, "columns"):
        if isinstance(costs, Mapping) and all(
            isinstance(one, int | float) for one in costs.values()
        ):
            return dict(costs), {}
        raise ArgumentError(
            f"costs of type {type(costs).__name__} cannot be used; give what "
            "tidemill.feature_costs returned, or the seconds_by_calculator of a run's summary"
        )
    names = list(map(str, costs["calculator"]))
    alone = zip(names, costs["alone"], strict=True) if "alone" in costs.columns else ()
    return dict(zip(names, map(float, costs["seconds"]), strict=True)), {
        name.removeprefix(NEED): float(value) for name, value in alone if name.startswith(NEED)
    }


def _check_known(ledger: Ledger) -> None:
    unknown = [name for name in ledger.needs if name not in ledger.seconds]
    if unknown:
        raise ArgumentError(
            f"costs say nothing of {shorten(map(repr, unknown))}; measure them with these "
            "settings, as in tidemill.feature_costs(frame, settings, ...)"
        )


def _drop(ledger: Ledger, seconds: float) -> list[str]:
    """Drop, one by one, the calculator whose end saves most, until the rest fits."""
    kept, dropped = list(ledger.needs), []
    while kept and ledger.total(kept) > seconds:
        dearest = max(kept, key=lambda name: ledger.saves(name, kept))
        kept.remove(dearest)
        dropped.append(dearest)
    return dropped


def _put_back(ledger: Ledger, dropped: list[str], seconds: float) -> list[str]:
    """Take back, the cheapest first, what still fits; all that is kept.

    Where much is shared by many, its last user may free more than was asked for.
    """
    left = list(dropped)
    kept = [name for name in ledger.needs if name not in dropped]
    while left:
        cheapest = min(left, key=lambda name: ledger.total([*kept, name]))
        if ledger.total([*kept, cheapest]) > seconds:
            break
        left.remove(cheapest)
        kept.append(cheapest)
    if not kept:
        raise ArgumentError(
            f"seconds={seconds:.3g} is not enough: {cheapest!r}, the cheapest, takes "
            f"{ledger.total([cheapest]):.3g} s, of which {ledger.fixed:.3g} s go into reading and "
            "cutting whatever is calculated; give more, or fewer series"
        )
    return kept
